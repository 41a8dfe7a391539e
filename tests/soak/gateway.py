"""The programs of the soak: Redis, the LRS simulator and the gateway, in a temporary directory. And what operators do to a running gateway."""

import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import threading
import time

PROVIDER, AWARDING = "10088881", "10088882"
ISSUER, KEYED_ISSUER, AUDIENCE = "https://idp.example.ac.uk/", "https://login.example.ac.uk/", "lrs-gateway"
SECRET = b"a secret of thirty-two bytes or more"
SCOPES = ("learners:read learners:write learners:verify learning-events:read registration-batches verification-batches achievement-batches")
PRODUCTS = ["uln-management", "learning-events", "verification", "verification-batches", "registration-batches", "achievement-batches"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def claims(**changes):
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": AUDIENCE, "exp": now + 3600, "org": PROVIDER, "preferred_username": "j.bloggs", "scope": SCOPES}
    return {**usual, **changes}


def sign(header, body, signature):
    signed = ".".join(encode(json.dumps(part).encode()) for part in (header, body))
    return f"{signed}.{encode(signature(signed.encode()))}"


def shared_secret_token(**changes):
    return sign({"alg": "HS256"}, claims(**changes), lambda signed: hmac.new(SECRET, signed, hashlib.sha256).digest())


class SigningKey:
    """A key of the issuer that publishes a key set."""

    def __init__(self, directory, kid):
        self.kid, self.file = kid, directory / f"{kid}.pem"
        run("openssl", "genrsa", "-out", self.file, "2048")
        modulus = run("openssl", "rsa", "-in", self.file, "-noout", "-modulus").decode().strip().removeprefix("Modulus=")
        self.jwk = {"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": encode(bytes.fromhex(modulus)), "e": "AQAB"}

    def token(self, **changes):
        openssl = ("openssl", "dgst", "-sha256", "-sign", self.file)
        body = claims(iss=KEYED_ISSUER, **changes)
        return sign({"alg": "RS256", "kid": self.kid}, body, lambda signed: run(*openssl, input=signed))


class KeySetServer:
    """Publishes a key set."""

    def __init__(self):
        published = self.published = {"keys": []}

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(published).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/jwks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, **options).stdout


class Environment:
    """All programs. `close` ends them."""

    def __init__(self, program, directory):
        self.program, self.directory = program, pathlib.Path(directory)
        self.children, self.log_counts = [], {}
        self.key_set_server = KeySetServer()
        self.redis_port, self.lrs_port, self.api_port, self.admin_port = (free_port() for _ in range(4))
        self.keys, self.generation = [], 0
        self.create_authority()
        self.renew_certificate()
        self.rotate_signing_key()
        self.write_files()
        store = self.directory / "redis"
        store.mkdir()
        redis = ("redis-server", "--port", self.redis_port, "--bind", "127.0.0.1", "--dir", store, "--appendonly", "yes", "--save", "")
        self.start(redis, stdout=subprocess.DEVNULL)
        self.start((program, "simulate", "--config", "simulator.toml"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.wait_for_port(self.redis_port)
        self.wait_for_port(self.lrs_port)
        serve = (program, "serve", "--config", "gateway.toml")
        self.gateway = self.start(serve, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        threading.Thread(target=self.read_log, daemon=True).start()
        self.wait_for_port(self.api_port)

    def start(self, command, **options):
        child = subprocess.Popen([str(part) for part in command], cwd=self.directory, stdin=subprocess.DEVNULL, **options)
        self.children.append(child)
        return child

    def wait_for_port(self, port):
        deadline = time.monotonic() + 30
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                if time.monotonic() > deadline or any(child.poll() is not None for child in self.children):
                    raise SystemExit(f"soak: no program listens on port {port}") from None
                time.sleep(0.05)

    def read_log(self):
        """Counts the messages of each level that operators look at."""
        with open(self.directory / "gateway.log", "wb") as log:
            for line in self.gateway.stderr:
                log.write(line)
                try:
                    event = json.loads(line)
                except ValueError:
                    continue
                if event.get("level") in ("ERROR", "WARN"):
                    key = (event["level"], event.get("message", ""))
                    self.log_counts[key] = self.log_counts.get(key, 0) + 1

    def write(self, name, text):
        """Writes a file as deployment tools do: a new file, then a rename."""
        path = self.directory / name
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_name(f".{path.name}.new")
        temporary.write_text(text)
        temporary.chmod(0o600)
        temporary.rename(path)

    def write_files(self):
        self.write("secret", SECRET.decode())
        self.write("store.key", base64.b64encode(os.urandom(32)).decode())
        self.write("simulator.toml", f'listen = "127.0.0.1:{self.lrs_port}"\njob_seconds = 1\n' + "".join(
            f'[[organisations]]\nukprn = "{ukprn}"\npassword = "demo-password-0{number}"\norganisation_ref = "DEMO0{number}"\n'
            f"products = {json.dumps(PRODUCTS)}\n" for number, ukprn in enumerate((PROVIDER, AWARDING), 1)))
        self.write("gateway.toml", f"""
[server]
listen = "127.0.0.1:{self.api_port}"
admin_listen = "127.0.0.1:{self.admin_port}"
tls = {{ certificate_file = "server.pem", key_file = "server.key" }}
[[auth.issuers]]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
hmac_secret_file = "secret"
[[auth.issuers]]
issuer = "{KEYED_ISSUER}"
audience = "{AUDIENCE}"
algorithms = ["RS256"]
jwks_url = "{self.key_set_server.url}"
jwks_refresh_seconds = 5
jwks_cooldown_seconds = 1
[lrs]
environment = "custom"
base_url = "http://127.0.0.1:{self.lrs_port}"
queue_timeout_ms = 15000
[store]
redis_url = "redis://127.0.0.1:{self.redis_port}/0"
encryption_key_file = "store.key"
[batches]
initial_poll_interval_seconds = 1
max_poll_interval_seconds = 5
[limits]
organisation_per_minute = 6000000
organisation_burst = 100000
person_per_minute = 6000000
person_burst = 100000
searches_per_minute = 6000000
searches_burst = 100000
[organisations]
directory = "organisations"
""")
        for number, ukprn in enumerate((PROVIDER, AWARDING), 1):
            self.write_organisation(ukprn, f"demo-password-0{number}", f"DEMO0{number}")

    def write_organisation(self, ukprn, password="demo-password-01", reference="DEMO01", name="A college"):
        self.write(f"organisations/{ukprn}.password", password)
        self.write(f"organisations/{ukprn}.toml", f'ukprn = "{ukprn}"\nname = "{name}"\norganisation_ref = "{reference}"\n'
                   f'products = {json.dumps(PRODUCTS)}\npassword_file = "{ukprn}.password"\n')

    def create_authority(self):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-subj", "/CN=Example Authority", "-keyout", self.directory / "ca.key", "-out", self.directory / "ca.pem")

    def renew_certificate(self):
        directory, request = self.directory, self.directory / "server.csr"
        (directory / "server.ext").write_text("subjectAltName = IP:127.0.0.1\n")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=127.0.0.1",
            "-keyout", directory / "new.key", "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", directory / "ca.pem", "-CAkey", directory / "ca.key", "-CAcreateserial",
            "-days", "30", "-extfile", directory / "server.ext", "-out", directory / "new.pem")
        (directory / "new.key").chmod(0o600)
        (directory / "new.pem").rename(directory / "server.pem")
        (directory / "new.key").rename(directory / "server.key")

    def rotate_signing_key(self):
        """Publishes a new key beside the last one, and withdraws the one before. Tokens are signed with the last one until the next rotation."""
        self.generation += 1
        self.keys = [*self.keys[-1:], SigningKey(self.directory, f"key-{self.generation}")]
        self.key_set_server.published["keys"] = [key.jwk for key in self.keys]

    def keyed_token(self, **changes):
        return self.keys[0].token(**changes)

    def reload_by_signal(self):
        """Sends SIGHUP, if the program handles it. Otherwise it would end."""
        status = pathlib.Path(f"/proc/{self.gateway.pid}/status").read_text()
        caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
        if not caught >> (signal.SIGHUP - 1) & 1:
            return False
        self.gateway.send_signal(signal.SIGHUP)
        return True

    def set_scenario(self, *steps):
        """Injects faults of LRS, in place of those before."""
        connection = http.client.HTTPConnection("127.0.0.1", self.lrs_port, timeout=10)
        connection.request("PUT", "/control/scenario", json.dumps({"steps": list(steps)}))
        if connection.getresponse().status >= 300:
            raise SystemExit("soak: the simulator refuses the scenario")
        connection.close()

    def tls(self):
        """Returns the clients' TLS context."""
        return ssl.create_default_context(cafile=self.directory / "ca.pem")

    def stop_gateway(self):
        """Ends the gateway as an orchestrator does. Returns its exit status."""
        self.gateway.send_signal(signal.SIGTERM)
        return self.gateway.wait(timeout=60)

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()
