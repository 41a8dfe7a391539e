"""Kills replicas and Redis with SIGKILL while batches are sent, in each persistence mode of Redis, and counts what is kept, lost and sent twice.

Run with `make durability`. It needs `redis-server`, and starts the gateway's debug build with its own simulator on free loopback ports. It prints
the Markdown table of docs/BATCHES.md.

Each batch has one part with a number of learners of its own, so that the simulator's list of submissions shows which part each job is. A
SIGKILL ends the process, not the machine: it shows what Redis has passed to the operating system, not what is on the disk after a power failure.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

SECRET = "a secret of thirty-two bytes or more"
UKPRN = "10088881"
MODES = {
    "none (`save \"\"`, `appendonly no`)": ["--save", "", "--appendonly", "no"],
    "RDB (`save 1 1`, `appendonly no`)": ["--save", "1 1", "--appendonly", "no"],
    "AOF, `appendfsync everysec`": ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"],
    "AOF, `appendfsync always`": ["--save", "", "--appendonly", "yes", "--appendfsync", "always"],
}
# A part in one of these states waits for a person or for reconciliation. The gateway does not send it again automatically.
HELD = {"RECONCILING", "UNCONFIRMED"}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def token() -> str:
    def encode(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    claims = {"iss": "https://idp.example.ac.uk/", "aud": "lrs-gateway", "exp": int(time.time()) + 36000, "org": UKPRN,
              "preferred_username": "j.bloggs", "scope": "registration-batches"}
    signed = f"{encode(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode())}.{encode(json.dumps(claims).encode())}"
    return f"{signed}.{encode(hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest())}"


def call(method: str, url: str, body=None, headers=None):
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
    if data:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, None
    except (OSError, ValueError):
        return None, None


def learners(count: int) -> list:
    def letters(number: int) -> str:
        return "".join(chr(ord("a") + number // 26**place % 26) for place in range(4))

    return [{"misIdentifier": f"M{count}-{number}", "givenName": f"Wyn{letters(count)}", "familyName": f"Quillfeather{letters(number)}",
             "dateOfBirth": "2005-07-21", "gender": "FEMALE", "lastKnownPostCode": "ZZ7 7JJ", "verificationType": "PASSPORT",
             "abilityToShare": "SEEN_SHARE"} for number in range(count)]


class Process:
    """A process that is started again after it was killed."""

    def __init__(self, arguments: list, ready):
        self.arguments, self.ready, self.kills, self.child = arguments, ready, 0, None
        self.start()

    def start(self):
        self.child = subprocess.Popen(self.arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while not self.ready():
            if time.monotonic() > deadline:
                raise RuntimeError(f"does not start: {' '.join(self.arguments)}")
            time.sleep(0.05)

    def kill(self):
        self.child.kill()
        self.child.wait()
        self.kills += 1

    def end(self):
        self.child.kill()
        self.child.wait()


def is_open(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(0.5)
        return client.connect_ex(("127.0.0.1", port)) == 0


def redis_responds(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5) as client:
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def write_config(directory: Path, name: str, ports: dict) -> Path:
    (directory / "organisations").mkdir(exist_ok=True)
    (directory / "secret").write_text(SECRET)
    (directory / "store.key").write_text("01" * 32)
    (directory / "organisations" / f"{UKPRN}.password").write_text("demo-password-01\n")
    (directory / "organisations" / f"{UKPRN}.toml").write_text(
        f'ukprn = "{UKPRN}"\nname = "Example College"\norganisation_ref = "DEMO01"\nproducts = ["registration-batches"]\n'
        f'password_file = "{UKPRN}.password"\n')
    path = directory / f"{name}.toml"
    path.write_text(f"""
[server]
listen = "127.0.0.1:{ports[name]}"
admin_listen = "127.0.0.1:{ports[name + '-admin']}"
workers = 1
[[auth.issuers]]
issuer = "https://idp.example.ac.uk/"
audience = "lrs-gateway"
hmac_secret_file = "secret"
[lrs]
environment = "custom"
base_url = "http://127.0.0.1:{ports['lrs']}"
[limits]
organisation_per_minute = 600000
organisation_burst = 100000
person_per_minute = 600000
person_burst = 100000
[store]
redis_url = "redis://127.0.0.1:{ports['redis']}/0"
encryption_key_file = "store.key"
accept_volatile = true
[batches]
lease_seconds = 5
initial_poll_interval_seconds = 1
max_poll_interval_seconds = 2
reconciliation_delay_seconds = 604800
[organisations]
directory = "organisations"
""")
    return path


class Round:
    """One round: a fresh Redis and simulator, two replicas, batches, and kills at random times."""

    def __init__(self, program: str, redis_arguments: list, batches: int, kills: int, seed: int):
        self.random = random.Random(seed)
        self.batches, self.kill_count = batches, kills
        self.directory = tempfile.TemporaryDirectory(prefix="lrs-gateway-kill-")
        path = Path(self.directory.name)
        ports = {name: free_port() for name in ["one", "one-admin", "two", "two-admin", "lrs", "redis"]}
        (path / "simulator.toml").write_text("latency_milliseconds = 250\njob_seconds = 1\ninvented_learners = 0\n")
        self.lrs = Process([program, "simulate", "--config", str(path / "simulator.toml"), "--listen", f"127.0.0.1:{ports['lrs']}"],
                           lambda: is_open(ports["lrs"]))
        self.redis = Process(["redis-server", "--bind", "127.0.0.1", "--port", str(ports["redis"]), "--dir", str(path), *redis_arguments],
                             lambda: redis_responds(ports["redis"]))
        self.replicas = [Process([program, "serve", "--config", str(write_config(path, name, ports))], lambda name=name: is_open(ports[name]))
                         for name in ["one", "two"]]
        self.urls = [f"http://127.0.0.1:{ports[name]}/v1/registration-batches" for name in ["one", "two"]]
        self.control = f"http://127.0.0.1:{ports['lrs']}/control/submissions"
        self.headers = {"Authorization": f"Bearer {token()}"}
        self.accepted = {}

    def submit(self):
        sizes = list(range(1, self.batches + 1))
        self.random.shuffle(sizes)
        for size in sizes:
            body = {"jobType": "FULL", "learners": learners(size)}
            status, answer = call("POST", self.random.choice(self.urls), body, self.headers)
            if status == 202:
                self.accepted[size] = answer["batchId"]
            elif status not in (None, 503, 500):
                raise RuntimeError(f"status {status}")
            time.sleep(self.random.uniform(0, 0.08))

    def kill_at_random(self):
        for number in range(self.kill_count):
            time.sleep(self.random.uniform(0.3, 1.5))
            victim = self.redis if number % 2 == 0 else self.random.choice(self.replicas)
            victim.kill()
            time.sleep(self.random.uniform(0, 0.4))
            victim.start()

    def state_of(self, batch: str):
        """Returns the part's state; `None` if no replica knows the batch."""
        for _ in range(60):
            status, answer = call("GET", f"{self.urls[0]}/{batch}", None, self.headers)
            if status == 200:
                return answer["parts"][0]["status"]
            if status == 404:
                return None
            time.sleep(0.25)
        raise RuntimeError("the gateway does not recover")

    def run(self) -> dict:
        submitter = threading.Thread(target=self.submit)
        submitter.start()
        self.kill_at_random()
        submitter.join()
        deadline = time.monotonic() + 120
        while True:
            states = {size: self.state_of(batch) for size, batch in self.accepted.items()}
            unfinished = [state for state in states.values() if state not in HELD | {"COMPLETE", "FAILED", None}]
            if not unfinished:
                break
            if time.monotonic() > deadline:
                raise RuntimeError(f"not finished: {unfinished}")
            time.sleep(0.5)
        _, listed = call("GET", self.control)
        sent = [job["records"] for job in (listed["submissions"] if isinstance(listed, dict) else listed)]
        return {
            "rounds": 1,
            "replicas_killed": sum(replica.kills for replica in self.replicas),
            "redis_killed": self.redis.kills,
            "accepted": len(states),
            "kept": sum(state is not None for state in states.values()),
            "lost": sum(state is None for state in states.values()),
            "held": sum(state in HELD for state in states.values()),
            "twice": sum(sent.count(size) > 1 for size in set(sent)),
        }

    def end(self):
        for process in [*self.replicas, self.redis, self.lrs]:
            process.end()
        self.directory.cleanup()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the gateway's program")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--batches", type=int, default=80, help="number of batches in a round, at most 200")
    parser.add_argument("--kills", type=int, default=8, help="number of kills in a round; every second one is of Redis")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    columns = ["rounds", "redis_killed", "replicas_killed", "accepted", "kept", "lost", "twice", "held"]
    print("| persistence of Redis | rounds | kills of Redis | kills of a replica | batches accepted | kept | lost | parts sent twice | left to "
          "reconciliation |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|", flush=True)
    is_safe = True
    for mode, arguments in MODES.items():
        total = dict.fromkeys(columns, 0)
        for number in range(options.rounds):
            one = Round(os.path.abspath(options.program), arguments, options.batches, options.kills, options.seed + number)
            try:
                for name, value in one.run().items():
                    total[name] += value
            finally:
                one.end()
        print(f"| {mode} | " + " | ".join(f"{total[name]:,}" for name in columns) + " |", flush=True)
        if mode.startswith("AOF"):
            is_safe = is_safe and total["lost"] == 0 and total["twice"] == 0
    sys.exit(0 if is_safe else "with an append-only file, batches were lost or parts sent twice")


if __name__ == "__main__":
    main()
