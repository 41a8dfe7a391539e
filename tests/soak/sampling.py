"""Samples of a process: memory, descriptors, threads."""

import os
import pathlib
import statistics
import time


def sample(pid):
    status = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
    return {
        "memory": int(status["VmRSS"].split()[0]) / 1024,
        "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
        "threads": int(status["Threads"]),
    }


class Sampler:
    """Samples every two seconds."""

    def __init__(self, pid):
        self.pid, self.samples = pid, []

    def run(self, _, __, stop):
        started_at = time.monotonic()
        while not stop.wait(2):
            self.samples.append((time.monotonic() - started_at, sample(self.pid)))

    def median(self, name, start, end):
        return statistics.median(values[name] for at, values in self.samples if start <= at < end)

    def highest(self, name):
        return max(values[name] for _, values in self.samples)


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))]
