#!/usr/bin/env python3
"""Checks the capacity model (model.py) with a run of two replicas, 10,000 organisations, one Redis and the LRS simulator: `make capacity`.

usage: run.py PROGRAM [--organisations N] [--seconds S] [--times T] [--plain]

The load is the model's enrolment peak of so many organisations, T times as much, with calls that arrive at random, and batches. The model predicts
what replicas and Redis use for the calls that were made. The run fails if a figure differs by more than a factor, or if a call fails.
Otherwise it writes check.json, for the page.
"""

import argparse
import asyncio
import collections
import datetime
import json
import random
import sys
import time

import model
from callers import Client, events, find, register, registration_batch, search, token, ukprn
from measure import rounded
from rig import Rig, Usage

# Largest difference between model and run, as a factor. Processor time also depends on the other load of the machine.
FACTOR, MEMORY_FACTOR = 1.5, 1.3
LATENCY_MS, JOB_SECONDS = 150, 20
# Batches are rare at the peak: more of them check more. Too many would keep the simulator busy, which compares each learner with all others.
MORE_BATCHES = 3
PERSONS, CONNECTIONS = 2, 400


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--organisations", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--times", type=float, default=4, help="load, relative to the predicted peak")
    parser.add_argument("--plain", action="store_true", help="without TLS and client certificates")
    options = parser.parse_args()
    measured = model.constants()
    scenario = {name: values[-1] for name, (values, *_) in model.ASSUMPTIONS.items()} | {"organisations": options.organisations}
    rates = {name: rate * options.times for name, rate in model.enrolment_peak(scenario).items()}
    rates["part"] *= MORE_BATCHES
    title = (f"{options.organisations:,} organisations {'without' if options.plain else 'with'} certificates, {options.seconds} seconds at "
             f"{options.times:g} times the enrolment peak and {MORE_BATCHES} times its batches")
    print(f"{title}: " + ", ".join(f"{rates[name]:.2g} {name}" for name in (*model.SINGLE_CALLS, "part")) + " a second", flush=True)
    with Rig(options.program, options.organisations, replicas=2, tls=not options.plain, latency_ms=LATENCY_MS, job_seconds=JOB_SECONDS) as rig:
        observed = {"start of a replica, s": rig.start_seconds, "memory after the start, MiB": rig.memory() / model.MIB}
        time.sleep(5)
        before = Usage(rig)
        done = asyncio.run(load(rig, rates, options.seconds))
        wait_for_batches(rig, done.counts["part"])
        after = Usage(rig)
        rows = compare(measured, options, done, after.at - before.at, *after.since(before), after.redis_memory - before.redis_memory)
        observe(rig, observed, done)
        is_wrong = show(rows, observed)
    answers = ", ".join(f"{count} with {status}" for status, count in sorted(done.statuses.items()))
    print(f"answers: {answers} {done.failure}")
    if is_wrong or any(status >= 300 for status in done.statuses):
        sys.exit("The check has failed.")
    text = f"{title}, on {datetime.date.today().isoformat()}. Answers: {answers}."
    model.CHECK_FILE.write_text(json.dumps(rounded({"text": text, "rows": rows, "observed": observed}), indent=2) + "\n")


class Done:
    """What the callers did, and what came of it."""

    def __init__(self):
        self.counts, self.persons = collections.Counter(), set()
        self.statuses, self.latencies, self.failure, self.descriptors, self.memory = {}, [], "", 0, 0


async def load(rig, rates, seconds):
    """Makes the calls at random times, each of a random organisation and person."""
    done, tokens, generator = Done(), {}, random.Random(1)
    registered = iter(range(10**9))

    def bearer():
        person = generator.randrange(rig.organisations), generator.randrange(PERSONS)
        done.persons.add(person)
        if person not in tokens:
            tokens[person] = token(ukprn(person[0]), f"user.{person[1]}")
        return tokens[person]

    async def call(client, kind):
        """A registration has a search before it, by the same organisation: LRS requires it. So such searches are not made for themselves."""
        who = bearer()
        if kind == "register":
            number = next(registered)
            await client.call(search(who, number))
            done.counts["search"] += 1
            content = register(who, number)
        else:
            content = make[kind](who)
        await client.call(content)
        done.counts[kind] += 1

    def batch(number):
        return registration_batch(bearer(), 10**8 + number * model.LEARNERS_OF_PART, model.LEARNERS_OF_PART)

    # Made before the run: making one takes a while, in which no other call could be made.
    batches = [batch(number) for number in range(round(rates["part"] * seconds * 1.5) + 10)]
    make = {"find": find, "events": events, "search": lambda who: search(who, generator.randrange(10**9)), "part": lambda _: batches.pop()}
    rates = {**rates, "search": rates["search"] - rates["register"]}
    kinds = [kind for kind in (*model.SINGLE_CALLS, "part") if rates[kind]]
    weights, total = [rates[kind] for kind in kinds], sum(rates[kind] for kind in kinds)
    async with Client(rig, CONNECTIONS) as client:
        tasks, started_at, at = set(), time.monotonic(), 0.0
        while (at := at + generator.expovariate(total)) < seconds:
            await asyncio.sleep(max(0, started_at + at - time.monotonic()))
            task = asyncio.create_task(call(client, generator.choices(kinds, weights)[0]))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        done.descriptors, done.memory = rig.descriptors(), rig.memory()
        done.statuses, done.latencies, done.failure = client.answers, client.latencies, client.failure
    return done


def wait_for_batches(rig, count):
    deadline = time.monotonic() + 180
    logs = [rig.directory / f"gateway-{number}.log" for number in range(len(rig.replicas))]
    while sum(log.read_bytes().count(b'"batch finished"') for log in logs) < count:
        if time.monotonic() > deadline:
            raise SystemExit(f"not all of {count} batches finish")
        time.sleep(1)


def compare(measured, options, done, seconds, used, operations, redis_memory):
    """Returns the name, prediction, measurement and largest factor of each figure."""
    kind = "plain" if options.plain else "with_certificate"
    counts = {**{work: 0 for work in model.WORK}, **done.counts}
    counts["poll"] = operations["getBatchRegistrationOutput"] - counts["part"]
    predicted = model.use(measured, counts, seconds, options.organisations, 2, kind, window=options.seconds)
    connections, tokens, stored = CONNECTIONS / 2, len(done.persons) / 2, measured["memory"]
    memory = model.replica_memory(measured, options.organisations, predicted["lrs_connections"], connections, tokens, kind, bodies_mib=0)
    descriptors = measured["idle"]["descriptors"] + connections + predicted["lrs_connections"]
    in_redis = counts["register"] * stored["idempotency_key_redis_bytes"] + counts["part"] * stored["finished_part_redis_bytes"]
    rows = [(name, predicted[key] / seconds / unit, used[key] / seconds / unit, FACTOR) for name, key, unit in (
        ("both replicas: cores", "cpu_us", 1e6), ("Redis: commands a second", "redis_commands", 1), ("Redis: cores", "redis_cpu_us", 1e6),
        ("Redis: KiB in, a second", "redis_in_bytes", 1024), ("Redis: KiB out, a second", "redis_out_bytes", 1024),
        ("Redis: append-only file, KiB a second", "redis_aof_bytes", 1024),
        ("audit lines a second", "audit_lines", 1), ("audit trail, KiB a second", "audit_bytes", 1024), ("log, KiB a second", "log_bytes", 1024))]
    return [*rows, ("Redis: growth of memory, MiB", in_redis / model.MIB, redis_memory / model.MIB, FACTOR),
            ("memory of a replica, MiB", memory / model.MIB, done.memory / model.MIB, MEMORY_FACTOR),
            ("descriptors of a replica", descriptors, done.descriptors, MEMORY_FACTOR)]


def observe(rig, observed, done):
    """Adds what grows with the number of organisations."""
    started_at = time.monotonic()
    metrics = rig.metrics()
    observed["`/metrics` takes, ms"], observed["`/metrics` has, KiB"] = (time.monotonic() - started_at) * 1000, len(metrics) / 1024
    before = Usage(rig)
    rig.reload()
    time.sleep(3)
    observed["reading all files takes, ms of a core"] = (Usage(rig).cpu[0] - before.cpu[0]) / 1000
    latencies = sorted(done.latencies)
    for share in (0.5, 0.99):
        observed[f"duration of a call, {share * 100:g} % (LRS: {LATENCY_MS} ms), ms"] = latencies[int(len(latencies) * share)] * 1000
    observed["organisations that called"], observed["tokens"] = len({organisation for organisation, _ in done.persons}), len(done.persons)
    observed["highest memory of a replica, MiB"] = rig.memory(field="VmHWM") / model.MIB


def show(rows, observed):
    """Prints the figures. Returns whether one differs too much."""
    is_any_wrong = False
    print(f"\n{'':40}{'predicted':>12}{'measured':>12}{'ratio':>8}{'factor':>8}")
    for name, predicted, actual, factor in rows:
        is_wrong = not 1 / factor <= actual / predicted <= factor
        is_any_wrong |= is_wrong
        print(f"{name:40}{predicted:12.3g}{actual:12.3g}{actual / predicted:8.2f}{factor:8}{'  FAILED' if is_wrong else ''}")
    print()
    for name, value in observed.items():
        print(f"{name:52}{value:12.4g}")
    return is_any_wrong


if __name__ == "__main__":
    main()
