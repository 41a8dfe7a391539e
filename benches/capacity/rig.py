"""The programs of a measurement: Redis, the LRS simulator and replicas of the gateway, with any number of organisations. And what they use."""

import base64
import collections
import http.client
import json
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from callers import AUDIENCE, ISSUER, SECRET, ukprn

PRODUCTS = ["uln-management", "learning-events", "registration-batches", "achievement-batches"]
# For measurements in which limits must not take part.
NO_LIMITS = {"lrs": "max_concurrent_calls = 1024\nmax_concurrent_calls_per_organisation = 1024\nqueue_capacity = 1024\n",
             "limits": "".join(f"{name}_per_minute = 60000000\n{name}_burst = 1000000\n" for name in ("organisation", "person", "searches"))}
# A window of announced maintenance that never ends: accepted batches wait.
CLOSED = '[[lrs.maintenance]]\nstarts_at = "2020-01-01T00:00:00Z"\nends_at = "2099-01-01T00:00:00Z"\n'


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Rig:
    """All programs in a temporary directory. A context manager: at the end the programs are ended and the directory is removed."""

    def __init__(self, program, organisations=4, replicas=1, tls=False, job_seconds=0, latency_ms=0, lrs="", limits="", batches=""):
        self.program, self.organisations, self.tls = os.path.abspath(program), organisations, tls
        self.simulator = {"job_seconds": job_seconds, "latency_milliseconds": latency_ms}
        self.sections = {"lrs": lrs, "limits": limits, "batches": batches}
        self.children, self.replicas, self.start_seconds = [], [], 0
        self.ports, self.admin_ports = [free_port() for _ in range(replicas)], [free_port() for _ in range(replicas)]
        self.redis_port, self.lrs_port = free_port(), free_port()

    def __enter__(self):
        # Ended by a signal, the programs end too.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="capacity."))
        try:
            self.write_files()
            self.redis = self.spawn("redis", "redis-server", "--port", self.redis_port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes",
                                    "--auto-aof-rewrite-percentage", "0", "--dir", self.directory)
            self.lrs = self.spawn("simulator", self.program, "simulate", "--config", self.directory / "simulator.toml")
            self.wait_for(self.redis_port)
            self.wait_for(self.lrs_port)
            for number in range(len(self.ports)):
                started_at = time.monotonic()
                self.replicas.append(self.spawn(f"gateway-{number}", self.program, "serve", "--config", self.directory / f"gateway-{number}.toml"))
                self.wait_for(self.ports[number])
                self.start_seconds = time.monotonic() - started_at
            time.sleep(1)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            child.kill()
            child.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def spawn(self, name, *command):
        with open(self.directory / f"{name}.log", "wb") as log:
            child = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                                     cwd=self.directory)
        self.children.append(child)
        return child

    def wait_for(self, port):
        deadline = time.monotonic() + 120
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                if time.monotonic() > deadline or any(child.poll() is not None for child in self.children):
                    logs = "".join(log.read_text(errors="replace")[-2000:] for log in self.directory.glob("*.log"))
                    raise SystemExit(f"no program listens on port {port}\n{logs}") from None
                time.sleep(0.01)

    def write_files(self):
        (self.directory / "organisations").mkdir()
        self.write("secret", SECRET.decode())
        self.write("client.password", "sixteen-letters!")
        self.write("store.key", base64.b64encode(os.urandom(32)).decode())
        if self.tls:
            self.write_certificates()
        tls = 'tls = { certificate_file = "server.pem", key_file = "server.key", client_ca_file = "ca.pem" }\n' if self.tls else ""
        simulated = "".join(f'[[organisations]]\nukprn = "{ukprn(n)}"\npassword = "sixteen-letters!"\norganisation_ref = "C{n:05}"\n'
                            f"products = {json.dumps(PRODUCTS)}\n" for n in range(self.organisations))
        settings = "".join(f"{name} = {value}\n" for name, value in self.simulator.items())
        self.write("simulator.toml", f'listen = "127.0.0.1:{self.lrs_port}"\n{settings}{tls}{simulated}')
        for number in range(self.organisations):
            self.write_organisation(number)
        url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.lrs_port}"
        authority = 'ca_certificate_file = "ca.pem"\n' if self.tls else ""
        for number, (port, admin_port) in enumerate(zip(self.ports, self.admin_ports)):
            self.write(f"gateway-{number}.toml", f"""
[server]
listen = "127.0.0.1:{port}"
admin_listen = "127.0.0.1:{admin_port}"
max_connections_per_client = 0
[[auth.issuers]]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
hmac_secret_file = "secret"
[store]
redis_url = "redis://127.0.0.1:{self.redis_port}/0"
encryption_key_file = "store.key"
[batches]
{self.sections["batches"]}
[limits]
{self.sections["limits"]}
[audit]
file = "audit-{number}.jsonl"
[organisations]
directory = "organisations"
[lrs]
environment = "custom"
base_url = "{url}"
{authority}{self.sections["lrs"]}""")

    def write(self, name, text):
        with open(self.directory / name, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(text)

    def write_organisation(self, number):
        """Writes an organisation's files. Password, certificate and key are links to the same files: 10,000 files are written faster than 40,000."""
        name, certificate, shared = f"organisations/{ukprn(number)}", "", ["password"]
        if self.tls:
            certificate = f'client_certificate = {{ certificate_file = "{ukprn(number)}.pem", key_file = "{ukprn(number)}.key" }}\n'
            shared += ["pem", "key"]
        for suffix in shared:
            os.link(self.directory / f"client.{suffix}", self.directory / f"{name}.{suffix}")
        self.write(f"{name}.toml", f'ukprn = "{ukprn(number)}"\nname = "A college"\norganisation_ref = "C{number:05}"\n'
                   f'products = {json.dumps(PRODUCTS)}\npassword_file = "{ukprn(number)}.password"\n{certificate}')

    def write_certificates(self):
        """An authority, the simulator's certificate, and a client certificate. The keys are RSA keys, as those of LRS's certificates are."""
        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)

        days, new_key = ("-days", "30"), ("-newkey", "rsa:2048", "-nodes")
        openssl("req", "-x509", *new_key, *days, "-subj", "/CN=Example Authority", "-keyout", "ca.key", "-out", "ca.pem")
        self.write("extensions", "subjectAltName = IP:127.0.0.1\nextendedKeyUsage = serverAuth,clientAuth\n")
        for name in ("server", "client"):
            openssl("req", *new_key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
            openssl("x509", "-req", *days, "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                    "-extfile", "extensions", "-out", f"{name}.pem")
            os.chmod(self.directory / f"{name}.key", 0o600)

    def organisation_bytes(self):
        """Returns the size of the files of an organisation."""
        return sum(path.stat().st_size for path in (self.directory / "organisations").glob(f"{ukprn(0)}.*"))

    def metrics(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_ports[0], timeout=30)
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()

    def redis_info(self):
        """Returns Redis's figures, and the size of its answer, which is among them from then on."""
        with socket.create_connection(("127.0.0.1", self.redis_port), timeout=10) as connection:
            connection.sendall(b"INFO everything\r\n")
            reader = connection.makefile("rb")
            size = int(reader.readline()[1:])
            text = reader.read(size).decode()
        return {name: value for name, _, value in (line.strip().partition(":") for line in text.splitlines())}, size

    def memory(self, replica=0, field="VmRSS"):
        """Returns the memory of a replica in bytes."""
        status = pathlib.Path(f"/proc/{self.replicas[replica].pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(field))

    def descriptors(self, replica=0):
        return len(os.listdir(f"/proc/{self.replicas[replica].pid}/fd"))

    def reload(self):
        """Lets every replica read all files."""
        for replica in self.replicas:
            replica.send_signal(signal.SIGHUP)


class Usage:
    """What the programs have used since the start. `since` returns the difference to an earlier state."""

    def __init__(self, rig):
        time.sleep(0.05)  # Lines of the log and of the audit trail are written within milliseconds.
        self.rig, self.at = rig, time.monotonic()
        self.cpu = [cpu_us(replica.pid) for replica in rig.replicas]
        info, self.info_bytes = rig.redis_info()
        self.redis = {
            "redis_commands": int(info["total_commands_processed"]),
            "redis_cpu_us": (float(info["used_cpu_sys"]) + float(info["used_cpu_user"])) * 1e6,
            "redis_in_bytes": int(info["total_net_input_bytes"]),
            "redis_out_bytes": int(info["total_net_output_bytes"]),
            "redis_aof_bytes": int(info["aof_current_size"]),
        }
        self.redis_memory, self.redis_clients = int(info["used_memory"]), int(info["connected_clients"]) - 1
        self.files = {path: path.stat().st_size for pattern in ("gateway-*.log", "audit-*.jsonl") for path in rig.directory.glob(pattern)}

    def since(self, earlier, idle=None):
        """Returns the difference to an earlier state, without what idle replicas use in this time."""
        used = {"cpu_us": sum(self.cpu) - sum(earlier.cpu), **{name: value - earlier.redis[name] for name, value in self.redis.items()}}
        # The figures of the earlier state were themselves a command, whose answer was counted after it was made.
        used["redis_commands"] -= 1
        used["redis_out_bytes"] -= earlier.info_bytes
        seconds = self.at - earlier.at
        used = {name: value - (idle or {}).get(name, 0) * seconds for name, value in used.items()}
        operations = collections.Counter()
        used.update(log_bytes=0, audit_bytes=0, audit_lines=0)
        for path, size in self.files.items():
            with open(path, "rb") as file:
                file.seek(earlier.files.get(path, 0))
                content = file.read(size - earlier.files.get(path, 0))
            if path.suffix == ".log":
                used["log_bytes"] += len(content)
            else:
                used["audit_bytes"] += len(content)
                used["audit_lines"] += content.count(b"\n")
                operations.update(json.loads(line)["operation"] for line in content.splitlines() if line.endswith(b"}"))
        return used, operations


def cpu_us(pid):
    """Returns the processor time of a process in microseconds, by its CPU clock: /proc counts in steps of 10 ms."""
    return time.clock_gettime(~pid << 3 | 2) * 1e6
