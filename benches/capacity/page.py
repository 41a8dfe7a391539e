#!/usr/bin/env python3
"""Prints the tables of docs/CAPACITY.md from the capacity model (model.py).

usage: page.py [--json] [--ASSUMPTION VALUE …]        such as: page.py --organisations 40 --lrs_seconds 0.8

Put in your own numbers as options. An option with several values has one for each scenario; one value applies to all of them.
"""

import argparse
import json
import math

import model
from model import CALLS_AT_ONCE, GIB, PARTS_AT_ONCE, SINGLE_CALLS, cost, use
from tables import amount, figure, percent, plain, seconds, table

# A Secret of Kubernetes has at most this size.
SECRET_BYTES = model.MIB
# The soft limit of file descriptors that most systems give a process.
USUAL_DESCRIPTORS = 1024
NAMES = {"find": "search by ULN", "search": "search by demographics", "register": "registration with a key", "events": "learning events (three)",
         "part": "part of 200 learners, with one poll", "poll": "further poll", "achievements": "part of 10,000 achievements, with one poll"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print a JSON object of all tables, by the name of their marker in the page")
    for name, (values, meaning, _) in model.ASSUMPTIONS.items():
        parser.add_argument(f"--{name}", type=float, nargs="+", default=values, help=meaning.replace("%", "%%"))
    options = vars(parser.parse_args())
    as_json = options.pop("json")
    # With `--organisations` the numbers of organisations are the scenarios. Other assumptions then have the first of their defaults.
    given = {name: values for name, values in options.items() if values is not model.ASSUMPTIONS[name][0]}
    count = max(map(len, (given if "organisations" in given else options).values()))
    if any(len(values) not in (1, count) for values in given.values()):
        parser.error(f"an assumption has one value, or {count}")
    scenarios = [{name: values[min(index, len(values) - 1)] for name, values in options.items()} for index in range(count)]
    measured = model.constants()
    tables = {
        "assumptions": assumptions(scenarios),
        "carries": carries(measured, scenarios[0]),
        "mix": mix(measured, scenarios[0]),
        "enrolment": peak(measured, scenarios, model.enrolment_peak),
        "results": peak(measured, scenarios, model.results_peak),
        "organisations": organisations(measured, scenarios),
        "limits": limits(measured, scenarios[-1]),
        "check": check(),
        "constants": constants(measured),
    }
    tables = {f"capacity-{name}": text for name, text in tables.items()}
    print(json.dumps(tables) if as_json else "\n".join(f"{name}\n{text}" for name, text in tables.items()))


def assumptions(scenarios):
    rows = []
    for name, (_, meaning, basis) in model.ASSUMPTIONS.items():
        values = [plain(scenario[name]) for scenario in scenarios]
        rows.append([meaning, values[0] if len(set(values)) == 1 else " / ".join(values), f"`--{name}`", basis])
    return table(["assumption", "value", "option", "basis"], rows)


def parts_a_second(scenario, at_once):
    """Returns the parts that so many places carry: a part takes one while it is sent, and while each of its polls is answered."""
    return at_once / (scenario["lrs_batch_seconds"] + (model.further_polls(scenario) + 1) * scenario["lrs_seconds"])


def carries(measured, scenario):
    """What one core, one replica, ten replicas and one Redis carry, of each kind of work alone."""
    share, rows = scenario["utilisation"] / 100, []
    for work, label, unit in (("find", "searches by ULN", 1), ("search", "searches by demographics", 1), ("register", "registrations with a key", 1),
                              ("events", "requests for learning events", 1), ("poll", "due jobs (polls)", 1),
                              ("part", "learners in batches", model.LEARNERS_OF_PART),
                              ("achievements", "achievements in batches", model.ACHIEVEMENTS_OF_PART)):
        is_batch = work not in SINGLE_CALLS
        further = model.further_polls(scenario) if work in ("part", "achievements") else 0
        core, redis = (share * 1e6 / (cost(measured, work)[name] + further * measured["poll"][name]) * unit for name in ("cpu_us", "redis_cpu_us"))
        limit = CALLS_AT_ONCE / scenario["lrs_seconds"]
        if is_batch:
            limit = PARTS_AT_ONCE / scenario["lrs_seconds"] if work == "poll" else parts_a_second(scenario, PARTS_AT_ONCE) * unit
        setting = "`batches.max_concurrent_parts`" if is_batch else "`lrs.max_concurrent_calls`"
        replica = min(core, limit)
        rows.append([label, figure(core), figure(replica), figure(min(10 * replica, redis)), figure(redis), setting if limit < core else "the core"])
    return table(["a second", "one core", "one replica, default settings", "ten replicas", "one Redis", "a replica's first limit"], rows, "lrrrrl")


def mix(measured, scenario):
    """What comes with the single calls that a core, a replica and ten replicas carry, in the proportions of enrolment."""
    calls = {name: scenario[name] for name in SINGLE_CALLS}
    total = sum(calls.values())
    core = scenario["utilisation"] / 100 * 1e6 * total / sum(rate * cost(measured, name)["cpu_us"] for name, rate in calls.items())
    replica = min(core, CALLS_AT_ONCE / scenario["lrs_seconds"])
    columns = []
    for rate, replicas in ((core, 1), (replica, 1), (10 * replica, 10)):
        used = use(measured, {name: rate * part / total for name, part in calls.items()}, 1, 0, replicas)
        columns.append({
            "single calls": figure(rate),
            "Redis: commands": figure(used["redis_commands"]),
            "Redis: share of its core": percent(used["redis_cpu_us"] / 1e6),
            "Redis: network in and out": amount(used["redis_in_bytes"] + used["redis_out_bytes"]),
            "Redis: append-only file": amount(used["redis_aof_bytes"]),
            "audit lines": figure(used["audit_lines"]),
            "audit trail": amount(used["audit_bytes"]),
            "log": amount(used["log_bytes"]),
        })
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    return table(["a second", "one core", "one replica, default settings", "ten replicas"], rows, "lrrr")


def peak(measured, scenarios, of_peak):
    """What a peak needs, in each scenario."""
    columns = [peak_of(measured, scenario, of_peak) for scenario in scenarios]
    left_out = ("achievements",) if of_peak is model.enrolment_peak else ("learners in batches", "memory for the batches")
    names = [name for name in columns[0] if not any(text in name for text in left_out)]
    return table([""] + titles(scenarios), [[name, *(column[name] for column in columns)] for name in names], "l" + "r" * len(scenarios))


def peak_of(measured, scenario, of_peak):
    rates, count, replicas, share = of_peak(scenario), scenario["organisations"], scenario["replicas"], scenario["utilisation"] / 100
    used, without_organisations = use(measured, rates, 1, count, replicas), use(measured, rates, 1, 0, replicas)
    day = model.day_of(of_peak, scenario, rates)
    of_day, memory = use(measured, day, 86400, count, replicas), measured["memory"]
    calls = sum(rates[name] for name in SINGLE_CALLS)
    at_once = calls * scenario["lrs_seconds"] + (rates["part"] + rates["achievements"]) * scenario["lrs_batch_seconds"]
    tokens, cores = count * scenario["persons"], used["cpu_us"] / 1e6
    stored = day["register"] * memory["idempotency_key_redis_bytes"] + model.RETENTION_DAYS * (
        day["part"] * memory["finished_part_redis_bytes"] + day["achievements"] * memory["finished_achievements_redis_bytes"])
    waiting = day["part"] * (measured["waiting"]["batch_redis_bytes"] + model.LEARNERS_OF_PART * measured["waiting"]["learner_redis_bytes"])
    return {
        "single calls a second": figure(calls),
        "of an organisation ten times the mean, a minute": figure(10 * 60 * calls / count),
        "learners in batches, a second": figure(rates["part"] * model.LEARNERS_OF_PART),
        "achievements a second": figure(rates["achievements"] * model.ACHIEVEMENTS_OF_PART),
        "calls to LRS a second": figure(used["lrs_calls"]),
        "calls to LRS at once": figure(at_once),
        "new TLS connections to LRS a second": figure(used["connects"]),
        "open connections to LRS of a replica": figure(used["lrs_connections"]),
        "cores of all replicas": figure(cores),
        "of these, for new connections and organisations' files": percent(1 - without_organisations["cpu_us"] / used["cpu_us"]),
        "memory of a replica, with full request bodies": amount(
            model.replica_memory(measured, count, used["lrs_connections"], scenario["client_connections"], tokens)),
        "Redis: commands a second": figure(used["redis_commands"]),
        "Redis: share of a core": percent(used["redis_cpu_us"] / 1e6),
        "Redis: network in and out, a second": amount(used["redis_in_bytes"] + used["redis_out_bytes"]),
        "Redis: append-only file, a second": amount(used["redis_aof_bytes"]),
        "Redis: memory, if a week has seven such days": amount(stored + measured["idle"]["redis_memory_bytes"]),
        "Redis: memory for the batches of a day that LRS does not take": amount(waiting),
        "audit lines a second": figure(used["audit_lines"]),
        "audit trail of the day": amount(of_day["audit_bytes"]),
        "log of the day": amount(of_day["log_bytes"]),
        "replicas of one core, with default settings": figure(max(2, math.ceil(cores / share), math.ceil(at_once / CALLS_AT_ONCE / share))),
    }


def organisations(measured, scenarios):
    """Returns the cost of organisations without calls."""
    of_one, columns = measured["organisations"]["with_certificate"], []
    for scenario in scenarios:
        count = scenario["organisations"]
        columns.append({
            "the start of a replica takes longer by": seconds(count * of_one["start_seconds"]),
            "memory of a replica": amount(count * of_one["memory_bytes"]),
            "the same, with one open connection to LRS each": amount(count * (of_one["memory_bytes"] + of_one["connection_bytes"])),
            "looking at the files every two seconds: share of a core": percent(count * of_one["watch_cpu_us_a_second"] / 1e6),
            "reading all files, once a minute, takes": seconds(count * of_one["full_read_cpu_us"] / 1e6),
            "files (PEM)": amount(count * of_one["files_bytes"]),
            "Secrets of Kubernetes (1 MiB each)": figure(math.ceil(count * of_one["files_bytes"] / SECRET_BYTES)),
            "expiries of certificates in `/metrics`": amount(count * of_one["metrics_bytes"]),
            "fetches of key sets a minute, if each has an identity provider of its own": figure(count / 5),
        })
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    return table([""] + titles(scenarios), rows, "l" + "r" * len(scenarios))


def limits(measured, scenario):
    """Where each part ends."""
    share, organisation, memory = scenario["utilisation"] / 100, measured["organisations"]["with_certificate"], measured["memory"]
    count, calls = scenario["organisations"], sum(scenario[name] for name in SINGLE_CALLS)

    def mean(name):
        return sum(cost(measured, work)[name] * scenario[work] for work in SINGLE_CALLS) / calls

    warm, cold = share * 1e6 / mean("cpu_us"), share * 1e6 / (mean("quiet_cpu_us") + organisation["connect_cpu_us"])
    room = GIB - model.replica_memory(measured, 0, 0, scenario["client_connections"], model.CACHED_TOKENS)
    idle, open_ = room / organisation["memory_bytes"], room / (organisation["memory_bytes"] + organisation["connection_bytes"])
    learners = [parts_a_second(scenario, places) * model.LEARNERS_OF_PART for places in (PARTS_AT_ONCE, model.PARTS_AT_ONCE_OF_ORGANISATION)]
    of_results, of_waiting = memory["finished_part_redis_bytes"] / model.LEARNERS_OF_PART, measured["waiting"]["learner_redis_bytes"]
    few = (USUAL_DESCRIPTORS - measured["idle"]["descriptors"] - scenario["client_connections"]) / model.POOLS
    audit_seconds = 10_000 / use(measured, model.enrolment_peak(scenario), 1, count, 1)["audit_lines"]
    rows = [
        ["processor of a replica",
         f"{figure(warm)} single calls a second and core over open connections; {figure(cold)} if each needs a new TLS connection",
         "processor time of the pod; `lrs_gateway_request_duration_seconds` rises while LRS is as fast as before",
         "more replicas"],
        ["calls to LRS at once",
         f"`lrs.max_concurrent_calls`: {figure(CALLS_AT_ONCE / scenario['lrs_seconds'])} a second and replica",
         "`lrs_gateway_lrs_queue_length` above 0; 503 `lrs_queue_full`",
         "raise it, if LRS agrees; more replicas"],
        ["calls of an organisation at once",
         f"`lrs.max_concurrent_calls_per_organisation`: {figure(model.CALLS_AT_ONCE_OF_ORGANISATION / scenario['lrs_seconds'])} a second and replica",
         "the same, for one organisation",
         "raise it, if LRS agrees"],
        ["rate limits",
         f"`limits.organisation_per_minute`: {model.CALLS_A_MINUTE} calls a minute, of all replicas together",
         "`lrs_gateway_limited_total`; 429",
         "`[limits]` in the organisation's file"],
        ["parts of batches",
         f"`batches.max_concurrent_parts`: {figure(learners[0])} learners a second and replica; of one organisation {figure(learners[1])}",
         "`lrs_gateway_batches_overdue` above 0 for minutes",
         "nothing is lost: batches wait. Raise it; more replicas"],
        ["memory of a replica",
         f"the chart's limit of 1 GiB: {figure(idle)} organisations, or {figure(open_)} with an open connection to LRS each",
         "memory of the pod near its limit",
         "raise the limit"],
        ["connections of callers",
         f"`server.max_connections`: {plain(model.CLIENT_CONNECTIONS)}",
         "`lrs_gateway_connections` near `lrs_gateway_connections_limit`",
         "more replicas; pools in the callers"],
        ["file descriptors",
         "`server.max_connections` and an eighth, `server.workers` for each organisation that calls, and a few hundred: "
         f"{figure(model.CLIENT_CONNECTIONS * 9 / 8 + count * model.POOLS + 300)}, if all of {plain(count)} organisations call within a minute",
         "`limit of open files too low` at the start; 503 `lrs_unavailable` with the reason `NO_FILE_DESCRIPTOR` in the log; then 503 `audit_unavailable`",
         f"`LimitNOFILE` of systemd, `ulimit -Hn`: the program raises its limit to that. The usual {plain(USUAL_DESCRIPTORS)} are enough for {figure(few)} such organisations"],
        ["cached tokens",
         f"{plain(model.CACHED_TOKENS)} valid tokens. Beyond, the cache is emptied, and tokens are verified again",
         "processor time",
         "send an organisation's calls to the same replica; RS256 is verified faster than ES256"],
        ["rate limits in memory, without Redis or while it is unavailable",
         f"{plain(model.RATE_LIMIT_KEYS)} keys of callers in the last seconds. Beyond, idle keys are searched for now and then",
         "processor time",
         "use Redis"],
        ["processor of Redis",
         f"one core: {figure(share * 1e6 / mean('redis_cpu_us'))} single calls a second",
         "processor time of Redis; `lrs_gateway_limits_shared` 0",
         "[Redis Cluster](#redis-cluster)"],
        ["memory of Redis",
         f"a GiB holds the results of {figure(GIB / of_results)} learners, or {figure(GIB / of_waiting)} waiting ones, or "
         f"{figure(GIB / memory['idempotency_key_redis_bytes'])} idempotency keys",
         "`used_memory` near `maxmemory`; `lrs_gateway_degraded`; 503 `store_unavailable`",
         "more memory; a shorter `batches.retention_seconds`; callers that erase batches after reading them; Redis Cluster"],
        ["key sets of identity providers",
         "one fetch from each `jwks_url` by each replica in `jwks_refresh_seconds` (300)",
         "`lrs_gateway_issuer_keys_age_seconds` far above it",
         "one identity provider for all organisations; a longer interval"],
        ["audit trail",
         f"{figure(mean('audit_bytes'))} B for a call. The queue of 10,000 lines lasts {figure(audit_seconds)} seconds at the peak on one replica",
         "`lrs_gateway_audit_waiting` above 0; 503 `audit_unavailable`",
         "a faster disk or reader; more replicas"],
    ]
    return table(["part", "ends at", "sign", "then"], rows)


def check():
    """What the last run of run.py has shown."""
    run = json.loads(model.CHECK_FILE.read_text())
    rows = [[name, figure(predicted), figure(actual), f"{actual / predicted:.2f}", f"{factor:g}"] for name, predicted, actual, factor in run["rows"]]
    observed = [[name, figure(value)] for name, value in run["observed"].items()]
    header = ["", "predicted", "measured", "ratio", "largest factor"]
    return f"\n{run['text']}\n" + table(header, rows, "lrrrr") + table(["observed", ""], observed, "lr")


def constants(measured):
    about = measured["measured"]
    text = f"\nMeasured on {about['date']} on {about['cores']} cores ({about['processor']}), version {about['program']}, Redis {about['redis']}.\n"
    header = ["", "processor, µs", "one call at a time, µs", "Redis: commands", "Redis: processor, µs", "Redis: bytes in", "Redis: bytes out",
              "Redis: append-only file, bytes", "audit lines", "audit bytes", "log bytes"]
    names = ("cpu_us", "quiet_cpu_us", "redis_commands", "redis_cpu_us", "redis_in_bytes", "redis_out_bytes", "redis_aof_bytes", "audit_lines",
             "audit_bytes", "log_bytes")
    rows = [[label, *(figure(cost(measured, work)[name]) if name in cost(measured, work) else "" for name in names)]
            for work, label in NAMES.items()]
    text += table(header, rows, "l" + "r" * len(names))
    idle, memory, waiting = measured["idle"], measured["memory"], measured["waiting"]
    plain_http, tls = measured["organisations"]["plain"], measured["organisations"]["with_certificate"]
    rows = [
        ["idle replica: memory", amount(idle["memory_bytes"])],
        ["idle replica: processor", percent(idle["cpu_us"] / 1e6)],
        ["idle replica: descriptors", figure(idle["descriptors"])],
        ["idle replica: connections to Redis", figure(idle["redis_clients"])],
        ["idle replica: Redis commands a second", figure(idle["redis_commands"])],
        ["organisation without certificate: memory", amount(plain_http["memory_bytes"])],
        ["organisation with a certificate (PEM, RSA): memory", amount(tls["memory_bytes"])],
        ["open connection to LRS, plain: memory", amount(plain_http["connection_bytes"])],
        ["open connection to LRS, TLS: memory", amount(tls["connection_bytes"])],
        ["new connection to LRS, plain: processor", f"{figure(plain_http['connect_cpu_us'])} µs"],
        ["new connection to LRS, full TLS handshake with a client certificate (RSA 2048): processor", f"{figure(tls['connect_cpu_us'])} µs"],
        ["connection of a caller: memory", amount(memory["client_connection_bytes"])],
        ["cached token: memory", amount(memory["token_bytes"])],
        ["idempotency key with its answer: memory of Redis", amount(memory["idempotency_key_redis_bytes"])],
        ["key of a rate limit: memory of Redis", amount(memory["rate_limit_key_redis_bytes"])],
        ["waiting batch: memory of Redis", amount(waiting["batch_redis_bytes"])],
        ["each of its learners: memory of Redis", amount(waiting["learner_redis_bytes"])],
        ["results of a learner: memory of Redis", amount(memory["finished_part_redis_bytes"] / model.LEARNERS_OF_PART)],
        ["result of an achievement: memory of Redis", amount(memory["finished_achievements_redis_bytes"] / model.ACHIEVEMENTS_OF_PART)],
        ["500 waiting batches: Redis commands a second beyond those of an idle replica", figure(waiting["redis_commands_a_second_of_500"])],
    ]
    return text + table(["constant", ""], rows, "lr")


def titles(scenarios):
    return [f"{plain(scenario['organisations'])} organisations" for scenario in scenarios]


if __name__ == "__main__":
    main()
