#!/usr/bin/env python3
"""A soak of the real program: good, bad and hostile traffic at the same time, while operators change files, keys and certificates.

`make soak` builds the program and runs it for ten minutes (SOAK_SECONDS). It passes if memory, descriptors and threads do not grow after the
first minute, every call has the answer that it must have, and no answer is a 5xx except while LRS itself fails on purpose. Only the standard
library is needed, beside redis-server and openssl.
"""

import os
import sys
import tempfile
import threading
import time

from gateway import Environment
from hostile import ATTACKS, attacker
from operations import operate
from sampling import Sampler, percentile, sample
from traffic import Recorder, bad_caller, batch_caller, good_caller

GOOD_CALLERS, BATCH_CALLERS, BAD_CALLERS = 4, 2, 1
# Memory settles while caches and the allocator's arenas fill: growth beyond this share, or this number of MiB, is a leak.
MEMORY_TOLERANCE, MEMORY_TOLERANCE_MIB = 0.10, 12
# The runtime's pool starts and ends threads as it needs them.
THREAD_TOLERANCE = 2
# Connections come and go with the hostile clients. When all clients have left, only those to LRS and Redis may remain.
DESCRIPTOR_TOLERANCE = 40
# Half of the container's limit in the Helm chart.
MAX_MEMORY_MIB = 512
# Idle connections are closed by then.
QUIET_SECONDS = 15


def main():
    program, seconds = os.path.abspath(sys.argv[1]), int(os.environ.get("SOAK_SECONDS", "600"))
    with tempfile.TemporaryDirectory(prefix="soak.") as directory:
        environment = Environment(program, directory)
        try:
            problems = soak(environment, seconds)
        finally:
            environment.close()
    for problem in problems:
        print(f"FAILED: {problem}")
    print("The soak has failed." if problems else "The soak has passed.")
    return 1 if problems else 0


def soak(environment, seconds):
    recorder, sampler, stop = Recorder(), Sampler(environment.gateway.pid), threading.Event()
    quiet_before = sample(environment.gateway.pid)
    functions = [good_caller] * GOOD_CALLERS + [batch_caller] * BATCH_CALLERS + [bad_caller] * BAD_CALLERS
    functions += [attacker(attack) for attack in ATTACKS] + [operate, sampler.run]
    crashes = []

    def guarded(function):
        try:
            function(environment, recorder, stop)
        except Exception as error:  # A thread of the soak that ends early would make the soak pass for the wrong reason.
            crashes.append(f"{getattr(function, '__name__', function)}: {error!r}")

    threads = [threading.Thread(target=guarded, args=(function,)) for function in functions]
    started_at = time.monotonic()
    for thread in threads:
        thread.start()
    while time.monotonic() - started_at < seconds and environment.gateway.poll() is None:
        time.sleep(1)
    stop.set()
    for thread in threads:
        thread.join()
    duration = time.monotonic() - started_at
    if environment.gateway.poll() is not None:
        return [f"the gateway ended without a request to end, with status {environment.gateway.returncode}"]
    time.sleep(QUIET_SECONDS)
    quiet_after = sample(environment.gateway.pid)
    exit_status = environment.stop_gateway()
    return crashes + report(environment, recorder, sampler, duration, quiet_before, quiet_after, exit_status)


def report(environment, recorder, sampler, duration, quiet_before, quiet_after, exit_status):
    """Prints the figures. Returns what is wrong with them."""
    problems = []
    warm_up = min(60, duration / 3)
    span = min(60, duration / 3)
    print(f"Soak of {duration:.0f} s\n")
    print("| | after the first minute | at the end | highest | quiet before | quiet after |\n|---|---|---|---|---|---|")
    for name, unit in (("memory", " MiB"), ("descriptors", ""), ("threads", "")):
        first, last = sampler.median(name, warm_up, warm_up + span), sampler.median(name, duration - span, duration)
        print(f"| {name} | {first:.0f}{unit} | {last:.0f}{unit} | {sampler.highest(name):.0f}{unit} "
              f"| {quiet_before[name]:.0f}{unit} | {quiet_after[name]:.0f}{unit} |")
        if name == "memory" and last > max(first * (1 + MEMORY_TOLERANCE), first + MEMORY_TOLERANCE_MIB):
            problems.append(f"memory has grown from {first:.0f} to {last:.0f} MiB")
        if name == "threads" and last > first + THREAD_TOLERANCE:
            problems.append(f"the number of threads has grown from {first:.0f} to {last:.0f}")
    by_minute = [sampler.median("memory", start, start + 60) for start in range(0, int(duration) - 30, 60)]
    print(f"\nMemory by minute, in MiB: {', '.join(f'{memory:.0f}' for memory in by_minute)}")
    if quiet_after["descriptors"] > quiet_before["descriptors"] + DESCRIPTOR_TOLERANCE:
        problems.append(f"{quiet_after['descriptors']} descriptors are open after all clients have left")
    if sampler.highest("memory") > MAX_MEMORY_MIB:
        problems.append(f"memory reached {sampler.highest('memory'):.0f} MiB")

    print("\n| call | number | a second | median | 99 % | longest |\n|---|---|---|---|---|---|")
    names = sorted({name for name, _, _ in recorder.requests})
    for name in [*(name for name in names if not name.startswith("bad: ")), "bad: "]:
        times = [elapsed for known, elapsed, _ in recorder.requests if known == name or name == "bad: " and known.startswith(name)]
        times_ms = [f"{percentile(times, share) * 1000:.0f} ms" for share in (0.5, 0.99, 1)] if times else ["", "", ""]
        label = "refused calls" if name == "bad: " else name
        print(f"| {label} | {len(times)} | {len(times) / duration:.1f} | {' | '.join(times_ms)} |")

    print(f"\n{len(recorder.requests)} calls, {len(recorder.requests) / duration:.0f} a second. "
          f"5xx: {recorder.server_errors}, all while LRS failed on purpose unless listed below.")
    print(f"Operators: {', '.join(f'{name} {count}' for name, count in sorted(recorder.actions.items()))}.")
    for (level, message), count in sorted(environment.log_counts.items()):
        print(f"Log: {level} {message} ({count})")
    if recorder.failures:
        problems.append(f"{len(recorder.failures)} calls have another answer than they must have, such as:")
        problems += sorted(set(recorder.failures))[:20]
    if exit_status != 0:
        problems.append(f"the gateway ended with status {exit_status} on SIGTERM")
    return problems


if __name__ == "__main__":
    sys.exit(main())
