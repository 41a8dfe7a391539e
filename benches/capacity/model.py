"""The capacity model: what calls, batches and organisations take of replicas and Redis. page.py prints it, run.py checks it.

The constants are measured by measure.py (constants.json). The assumptions are about the use of the gateway; page.py takes others as options.
"""

import json
import math
import pathlib

DIRECTORY = pathlib.Path(__file__).parent
CONSTANTS_FILE, CHECK_FILE = DIRECTORY / "constants.json", DIRECTORY / "check.json"
MIB, GIB = 1024**2, 1024**3
# The gateway closes a connection to LRS that has been idle for this time (src/organisations/connections.rs), and replaces all of an organisation's when
# they are this old (lrs.max_connection_age_seconds).
LRS_IDLE_SECONDS, LRS_CONNECTION_AGE_SECONDS = 55, 300
# Pools of connections to LRS that a replica has for an organisation: each of its threads (server.workers) has its own. Here it has two cores.
POOLS = 2
# Defaults of settings (docs/SETTINGS.md).
CALLS_AT_ONCE, CALLS_AT_ONCE_OF_ORGANISATION, PARTS_AT_ONCE, PARTS_AT_ONCE_OF_ORGANISATION = 64, 4, 8, 2
CALLS_A_MINUTE, CLIENT_CONNECTIONS, REQUEST_MEMORY_MIB = 600, 2000, 128
POLL_SECONDS, MAX_POLL_SECONDS, RETENTION_DAYS = 15, 900, 7
# Memory of a process for each byte of request bodies (docs/SERVER.md, "Memory").
BODY_FACTOR = 2.5
# Fixed in the program: tokens in the cache, and keys of rate limits in memory above which idle ones are removed at each call.
CACHED_TOKENS, RATE_LIMIT_KEYS = 10_000, 10_000
LEARNERS_OF_PART, ACHIEVEMENTS_OF_PART = 200, 10_000

SINGLE_CALLS = ("find", "search", "register", "events")
# A part of a batch includes the poll that returns its results; "poll" is a further one.
WORK = (*SINGLE_CALLS, "part", "poll", "achievements")
LRS_CALLS = {"part": 2, "achievements": 2}
COUNTED = ("redis_commands", "redis_in_bytes", "redis_out_bytes", "redis_aof_bytes", "log_bytes", "audit_bytes", "audit_lines")

ASSUMPTIONS = {  # name: (value of each scenario, or one for all; meaning; basis)
    "organisations": ([10, 300, 9000], "organisations", "the last: all that are registered with LRS, about 9,000"),
    "enrolments": ([3000, 3000, 280], "enrolments of an organisation from August to October", "invented. The last makes 2.5 million in all: DfE "
                   "counted 1,071,900 adults in further education from August to October 2023; the rest, young people, is a guess"),
    "busiest_hour": ([2], "share of these enrolments in the busiest hour, in %", "invented: a tenth on the busiest day, a fifth of it in an hour"),
    "busiest_minute": ([2], "calls in the busiest minute, relative to the mean of that hour", "invented"),
    "single": ([50], "enrolments by single calls, in %; the others are in batches", "invented"),
    "find": ([0.5], "searches by ULN for each of these enrolments", "invented"),
    "search": ([1], "searches by demographics", "invented; LRS requires one before a registration"),
    "register": ([0.3], "registrations, each with an `Idempotency-Key`", "invented; most learners have a ULN"),
    "events": ([1], "requests for learning events", "invented"),
    "results_lookups": ([60], "learners whose events are read on a results day, in % of the enrolments above", "invented"),
    "results_hour": ([25], "share of these in the busiest hour, in %", "invented"),
    "achievements": ([100_000, 500_000, 6_600_000], "achievements that awarding organisations send after a results day", "invented. The last: all "
                     "5,811,790 GCSE and 825,390 A level entries of England in summer 2024 (Ofqual, provisional); how many reach LRS by web service "
                     "is not published"),
    "achievements_hours": ([4], "hours in which they are sent", "invented"),
    "lrs_seconds": ([0.4], "duration of a single call at LRS, in seconds",
                    "invented: nothing is published. Yours: `lrs_gateway_lrs_call_duration_seconds`"),
    "lrs_batch_seconds": ([3], "duration of a call with a part of a batch, in seconds", "invented"),
    "job_minutes": ([30], "minutes until LRS has done a job", "invented. The Service Charter promises 48 hours for achievement files"),
    "client_connections": ([200], "open connections of callers to a replica", "invented: an MIS keeps a pool"),
    "persons": ([5], "persons of an organisation with a valid token", "invented"),
    "replicas": ([2], "replicas", "two, so that one can fail"),
    "utilisation": ([60], "planned share of a core at the peak, in %", "the rest is for a failed replica, and for what the model does not know"),
}


def constants():
    return json.loads(CONSTANTS_FILE.read_text())


def cost(measured, work):
    """Returns the measured constants of a kind of work."""
    return measured["calls"].get(work) or measured[work]


def use(measured, counts, seconds, organisations, replicas, kind="with_certificate", window=None):
    """Returns what all replicas and Redis use for these numbers of calls and parts in so many seconds.

    The calls are spread evenly over organisations and replicas. With a `window`, they were all made in so many seconds, and there was no
    connection to LRS before. Without organisations, all connections to LRS are open already.
    """
    idle, organisation = measured["idle"], measured["organisations"][kind]
    totals = {name: idle.get(name, 0) * seconds * replicas + sum(count * cost(measured, work)[name] for work, count in counts.items())
              for name in COUNTED}
    totals["lrs_calls"] = sum(count * LRS_CALLS.get(work, 1) for work, count in counts.items())
    totals["connects"] = totals["lrs_connections"] = 0
    if organisations:
        rate = totals["lrs_calls"] / (window or seconds) / organisations / replicas / POOLS
        totals["connects"] = totals["lrs_calls"] * cold_share(rate, window)
        # Of one replica.
        totals["lrs_connections"] = organisations * POOLS * (1 - math.exp(-rate * min(LRS_IDLE_SECONDS, window or LRS_IDLE_SECONDS)))
    # The files of organisations are looked at every two seconds, and read once a minute.
    rest = idle["cpu_us"] + organisations * (organisation["watch_cpu_us_a_second"] + organisation["full_read_cpu_us"] / 60)
    totals["cpu_us"] = processor(measured, counts, "cpu_us", rest * seconds * replicas + totals["connects"] * organisation["connect_cpu_us"],
                                 seconds * replicas)
    totals["redis_cpu_us"] = processor(measured, counts, "redis_cpu_us", idle["redis_cpu_us"] * seconds, seconds)
    return totals


def processor(measured, counts, name, fixed, seconds):
    """Returns the processor time of the counts on a core for so many seconds.

    A process that sleeps between two calls needs more for each than one that is always busy: the time lies between both, by how busy it is.
    """
    total = 0
    for _ in range(30):
        busy = min(1, total / seconds / 1e6)
        total = fixed
        for work, count in counts.items():
            awake = cost(measured, work)[name]
            total += count * (busy * awake + (1 - busy) * cost(measured, work).get(f"quiet_{name}", awake))
    return total


def cold_share(rate, window=None):
    """Returns the share of the calls of an organisation that need a new connection, at so many calls a second that arrive at random.

    A connection is closed when it was idle for too long. In a window from the start, the first call needs a new one too.
    """
    if not rate:
        return 1
    expired = math.exp(-rate * LRS_IDLE_SECONDS)
    if window is None:
        # A connection that is used all the time is replaced too.
        return min(1, expired + (1 - expired) / max(1, rate * LRS_CONNECTION_AGE_SECONDS))
    start = min(window, LRS_IDLE_SECONDS)
    return ((1 - math.exp(-rate * start)) / rate + (window - start) * expired) / window


def polls(seconds):
    """Returns how often a job of this duration is polled: after 15 seconds, then after each quarter of the time since its submission."""
    count, at = 1, POLL_SECONDS
    while at < seconds:
        count, at = count + 1, at + min(max(at / 4, POLL_SECONDS), MAX_POLL_SECONDS)
    return count


def replica_memory(measured, organisations, lrs_connections, client_connections, tokens, kind="with_certificate", bodies_mib=REQUEST_MEMORY_MIB):
    """Returns the memory of a replica in bytes, with so many MiB of request bodies."""
    organisation, memory = measured["organisations"][kind], measured["memory"]
    return (measured["idle"]["memory_bytes"] + organisations * organisation["memory_bytes"] + lrs_connections * organisation["connection_bytes"]
            + client_connections * memory["client_connection_bytes"] + min(tokens, CACHED_TOKENS) * memory["token_bytes"]
            + BODY_FACTOR * bodies_mib * MIB)


def enrolment_peak(scenario):
    """Returns calls and parts a second in the busiest minute of September. Parts are spread over the hour: they wait in the queue."""
    a_second = scenario["organisations"] * scenario["enrolments"] * scenario["busiest_hour"] / 100 / 3600
    single = a_second * scenario["single"] / 100 * scenario["busiest_minute"]
    parts = a_second * (1 - scenario["single"] / 100) / LEARNERS_OF_PART
    return {**{name: single * scenario[name] for name in SINGLE_CALLS}, "part": parts, "poll": parts * further_polls(scenario), "achievements": 0}


def results_peak(scenario):
    """Returns calls and parts a second in the busiest minute of a results day."""
    an_hour = scenario["organisations"] * scenario["enrolments"] * scenario["results_lookups"] / 100 * scenario["results_hour"] / 100
    parts = scenario["achievements"] / ACHIEVEMENTS_OF_PART / scenario["achievements_hours"] / 3600
    rates = {name: 0 for name in WORK}
    return {**rates, "events": an_hour / 3600 * scenario["busiest_minute"], "achievements": parts, "poll": parts * further_polls(scenario)}


def further_polls(scenario):
    """Returns the polls of a part beside the one that returns its results."""
    return polls(scenario["job_minutes"] * 60) - 1


def day_of(of_peak, scenario, rates):
    """Returns calls and parts of the whole day that has this peak."""
    hours = (100 / scenario["results_hour"], scenario["achievements_hours"]) if of_peak is results_peak else (5, 5)
    single = {name: rates[name] / scenario["busiest_minute"] * hours[0] * 3600 for name in SINGLE_CALLS}
    return {**single, **{name: rates[name] * hours[1] * 3600 for name in WORK if name not in SINGLE_CALLS}}
