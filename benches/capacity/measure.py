#!/usr/bin/env python3
"""Measures the constants of the capacity model (model.py) with the real program, a real Redis and the LRS simulator: `make bench`.

usage: measure.py PROGRAM

Takes about two minutes, and writes constants.json beside this file. Only the standard library is needed, beside redis-server and openssl. All
processor times are those of whole processes, from the kernel, so what else the machine does matters little.
"""

import asyncio
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import time

from callers import Client, achievement_batch, events, find, register, registration_batch, search, send, token, ukprn
from model import ACHIEVEMENTS_OF_PART, CONSTANTS_FILE, LEARNERS_OF_PART
from rig import CLOSED, NO_LIMITS, Rig, Usage

# Each figure of a call is a mean of so many.
CALLS, QUIET_CALLS = 6000, 1500
BATCHES, LEARNERS, ACHIEVEMENTS = 20, LEARNERS_OF_PART, ACHIEVEMENTS_OF_PART
ORGANISATIONS, FIRST_CALLS = 2000, 500
TOKENS = 9000


def main():
    program = sys.argv[1]
    constants = {"measured": describe(program)}
    for part in (idle, calls, parts, waiting, organisations):
        started_at = time.monotonic()
        part(program, constants)
        print(f"{part.__name__}: measured in {time.monotonic() - started_at:.0f} s", flush=True)
    CONSTANTS_FILE.write_text(json.dumps(rounded(constants), indent=2) + "\n")
    print(f"written: {CONSTANTS_FILE}")


def describe(program):
    processor = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    redis = re.search(r"v=(\S+)", subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout)
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    return {"date": datetime.date.today().isoformat(), "processor": processor[1] if processor else "unknown", "cores": os.cpu_count(),
            "program": version, "redis": redis[1]}


def idle(program, constants):
    """A replica without a call."""
    with Rig(program, **NO_LIMITS) as rig:
        time.sleep(2)
        before = Usage(rig)
        time.sleep(10)
        after = Usage(rig)
        used, _ = after.since(before)
        seconds = after.at - before.at
        constants["idle"] = {**{name: value / seconds for name, value in used.items() if not name.startswith(("audit", "log"))},
                             "memory_bytes": rig.memory(), "redis_clients": after.redis_clients, "redis_memory_bytes": after.redis_memory,
                             "descriptors": rig.descriptors()}
        bearer = token(ukprn(0))
        send(rig, [find(bearer) for _ in range(2000)])
        before = rig.memory()
        send(rig, [find(token(ukprn(0), f"user.{number}")) for number in range(TOKENS)])
        constants["memory"] = {"token_bytes": max(0, rig.memory() - before) / TOKENS}


def calls(program, constants):
    """Single calls. Costs of the processor at many connections, and at one: a process that wakes up for each call needs more."""
    with Rig(program, **NO_LIMITS) as rig:
        tokens = [token(ukprn(number)) for number in range(rig.organisations)]

        def series(make, count, first=0):
            return [make(tokens[number % len(tokens)], number) for number in range(first, first + count)]

        send(rig, series(find, 500))
        constants["calls"] = {}
        for name, make in (("find", find), ("search", search), ("register", register), ("events", events)):
            measured = constants["calls"][name] = metered(rig, constants, series(make, CALLS))
            if name == "register":  # LRS wants a search before each. For those above, the row above has made it.
                send(rig, series(search, QUIET_CALLS, first=CALLS))
            alone = metered(rig, constants, series(make, QUIET_CALLS, first=CALLS), connections=1)
            measured.update({f"quiet_{key}": alone[key] for key in ("cpu_us", "redis_cpu_us")})
            # Redis writes to its file that the key of a limit has expired: at many calls of one organisation the key is replaced before.
            measured["redis_aof_bytes"] = alone["redis_aof_bytes"]
        constants["memory"]["idempotency_key_redis_bytes"] = constants["calls"]["register"]["redis_memory_bytes"]
        for measured in constants["calls"].values():
            measured.pop("redis_memory_bytes")
        constants["memory"]["client_connection_bytes"] = asyncio.run(connection_bytes(rig, 1500))


def metered(rig, constants, requests, connections=32):
    """Returns what each of the requests uses."""
    before = Usage(rig)
    send(rig, requests, connections)
    after = Usage(rig)
    used, _ = after.since(before, constants["idle"])
    used["redis_memory_bytes"] = after.redis_memory - before.redis_memory
    return {name: value / len(requests) for name, value in used.items()}


async def connection_bytes(rig, count):
    before = rig.memory()
    async with Client(rig, count) as client:
        await client.run(find(token(ukprn(n % rig.organisations))) for n in range(count))
        client.expect(200)
        await asyncio.sleep(0.5)
        return (rig.memory() - before) / count


def parts(program, constants):
    """Parts of batches, from the submission until their results are stored. Two runs differ in the number of polls, which the audit trail has."""
    runs = []
    fast = ("initial_poll_interval_seconds = 1\nmax_poll_interval_seconds = 1\n"
            "max_concurrent_parts = 16\nmax_concurrent_parts_per_organisation = 4\n")
    for job_seconds in (0, 8):
        with Rig(program, job_seconds=job_seconds, batches=fast, **NO_LIMITS) as rig:
            tokens = [token(ukprn(number)) for number in range(rig.organisations)]
            batches = [registration_batch(tokens[number % len(tokens)], number * LEARNERS, LEARNERS) for number in range(2 * BATCHES)]
            until_finished(rig, constants, batches[BATCHES:])  # Connections and their buffers are there then.
            used, operations = until_finished(rig, constants, batches[:BATCHES])
            runs.append((used, operations["getBatchRegistrationOutput"]))
            if job_seconds == 0:
                batches = [achievement_batch(tokens[number], number * ACHIEVEMENTS, ACHIEVEMENTS) for number in range(len(tokens))]
                constants["achievements"], _ = until_finished(rig, constants, batches)
    (few, few_polls), (many, many_polls) = runs
    poll = {name: (many[name] - few[name]) * BATCHES / (many_polls - few_polls) for name in few}
    poll.pop("redis_memory_bytes")
    constants["poll"] = {name: max(0, value) for name, value in poll.items()}
    # A part includes its last poll, which returns the results.
    further = few_polls / BATCHES - 1
    constants["part"] = {name: value - further * constants["poll"].get(name, 0) for name, value in few.items()}
    # What stays in Redis is results, for batches.retention_seconds.
    constants["memory"]["finished_part_redis_bytes"] = constants["part"].pop("redis_memory_bytes")
    constants["memory"]["finished_achievements_redis_bytes"] = constants["achievements"].pop("redis_memory_bytes")


def until_finished(rig, constants, batches):
    """Returns what each of the batches uses until it is finished, and the calls to LRS of all."""
    before = Usage(rig)
    send(rig, batches, connections=2)
    log = rig.directory / "gateway-0.log"
    finished_before = log.read_bytes()[:before.files[log]].count(b'"batch finished"')
    deadline = time.monotonic() + 120
    while log.read_bytes().count(b'"batch finished"') < finished_before + len(batches):
        if time.monotonic() > deadline:
            raise SystemExit("the batches do not finish")
        time.sleep(0.2)
    after = Usage(rig)
    used, operations = after.since(before, constants["idle"])
    used["redis_memory_bytes"] = after.redis_memory - before.redis_memory
    return {name: value / len(batches) for name, value in used.items()}, operations


def waiting(program, constants):
    """Batches that LRS cannot take now: what they take in Redis, and what replicas do about them."""
    with Rig(program, lrs=NO_LIMITS["lrs"] + CLOSED, limits=NO_LIMITS["limits"]) as rig:
        tokens = [token(ukprn(number)) for number in range(rig.organisations)]

        def submit(first, count, learners):
            numbers = range(first, first + count)
            send(rig, [registration_batch(tokens[number % len(tokens)], number * LEARNERS, learners) for number in numbers])

        start = Usage(rig)
        submit(0, 400, 1)
        small = Usage(rig)
        submit(400, 100, LEARNERS)
        large = Usage(rig)
        time.sleep(3)
        before = Usage(rig)
        time.sleep(8)
        after = Usage(rig)
        used, _ = after.since(before, constants["idle"])
        of_one, of_many = (small.redis_memory - start.redis_memory) / 400, (large.redis_memory - small.redis_memory) / 100
        per_learner = (of_many - of_one) / (LEARNERS - 1)
        constants["waiting"] = {"batch_redis_bytes": of_one - per_learner, "learner_redis_bytes": per_learner,
                                "redis_commands_a_second_of_500": max(0, used["redis_commands"] / (after.at - before.at))}


def organisations(program, constants):
    """Organisations with and without certificates: the start, looking at their files, their first and their next calls."""
    constants["organisations"] = {}
    # The entries of the rate limits last for a minute, so that they can be counted.
    limits = NO_LIMITS["limits"].replace("60000000", "1")
    for name, tls in (("plain", False), ("with_certificate", True)):
        with Rig(program, organisations=ORGANISATIONS, tls=tls, lrs=NO_LIMITS["lrs"], limits=limits) as rig:
            measured = constants["organisations"][name] = {
                "start_seconds": rig.start_seconds / ORGANISATIONS,
                "memory_bytes": (rig.memory() - constants["idle"]["memory_bytes"]) / ORGANISATIONS, "files_bytes": rig.organisation_bytes()}
            time.sleep(3)  # The times of files count from when they are three seconds old.
            rig.reload()
            time.sleep(3)
            before = Usage(rig)
            time.sleep(10)
            measured["watch_cpu_us_a_second"] = max(0, Usage(rig).since(before, constants["idle"])[0]["cpu_us"]) / 10 / ORGANISATIONS
            before = Usage(rig)
            rig.reload()
            time.sleep(2)
            measured["full_read_cpu_us"] = Usage(rig).since(before, constants["idle"])[0]["cpu_us"] / ORGANISATIONS
            # Only certificates have series of their own.
            measured["metrics_bytes"] = (len(rig.metrics()) if tls else 0) / ORGANISATIONS
            tokens = [token(ukprn(number)) for number in range(FIRST_CALLS)]
            requests = [find(bearer) for bearer in tokens]
            memory = rig.memory()
            first = metered(rig, constants, requests, connections=4)
            if not tls:
                constants["memory"]["rate_limit_key_redis_bytes"] = first["redis_memory_bytes"] / 2
            measured["connection_bytes"] = max(0, rig.memory() - memory) / FIRST_CALLS
            measured["connect_cpu_us"] = first["cpu_us"] - metered(rig, constants, requests, connections=4)["cpu_us"]


def rounded(value):
    """Rounds to three digits: more of them would be noise."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if isinstance(value, float):
        value = float(f"{value:.3g}")
        return int(value) if value == int(value) else value
    return value


if __name__ == "__main__":
    main()
