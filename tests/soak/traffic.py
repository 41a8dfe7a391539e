"""Callers: the good ones, whose calls must succeed, and the bad ones, whose calls must be refused."""

import http.client
import json
import random
import time
import uuid

from gateway import AWARDING, ISSUER, encode, shared_secret_token, sign

JSON = "application/json"


class Recorder:
    """What happened to the requests."""

    def __init__(self):
        self.requests, self.failures, self.faults_until, self.actions = [], [], 0.0, {}

    def expect_faults(self, seconds):
        """From now on, and for this time, calls may fail because LRS does."""
        self.faults_until = time.monotonic() + seconds

    def add(self, name, started_at, status, expected, answer):
        now = time.monotonic()
        self.requests.append((name, now - started_at, status))
        code = answer.get("code", "") if isinstance(answer, dict) else ""
        is_fault = code.startswith("lrs_") and started_at < self.faults_until
        if status not in expected and not is_fault:
            self.failures.append(f"{name}: {status} {json.dumps(answer)[:300]}")

    def lost(self, name, error):
        self.failures.append(f"{name}: no answer: {error!r}")

    @property
    def server_errors(self):
        return sum(status >= 500 for _, _, status in self.requests)


class Caller:
    """A client with a connection of its own."""

    def __init__(self, environment, recorder, stop):
        self.environment, self.recorder, self.stop = environment, recorder, stop
        self.connection, self.calls, self.tokens = None, 0, {}

    def token(self):
        """Returns a token of either issuer. Those of the second have a key that changes."""
        if random.random() < 0.5:
            return self.tokens.setdefault("shared", shared_secret_token())
        key = self.environment.keys[0]
        if key.kid not in self.tokens:
            self.tokens[key.kid] = self.environment.keyed_token()
        return self.tokens[key.kid]

    def connect(self):
        # A new connection from time to time sees the renewed certificate.
        if self.connection is None or self.calls % 200 == 0:
            self.close()
            self.connection = http.client.HTTPSConnection("127.0.0.1", self.environment.api_port, timeout=30, context=self.environment.tls())
        self.calls += 1
        return self.connection

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def call(self, name, method, path, body=None, expected=(200,), token=None, **headers):
        """Makes a call. Returns the answer, parsed if it is JSON; `None` if there is none."""
        headers = {"Authorization": f"Bearer {token or self.token()}", **{key.replace("_", "-"): value for key, value in headers.items()}}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            headers.setdefault("Content-Type", JSON)
        started_at = time.monotonic()
        try:
            connection = self.connect()
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            self.recorder.lost(name, error)
            return None
        answer = content
        if "json" in (response.getheader("Content-Type") or "") and "ndjson" not in response.getheader("Content-Type"):
            answer = json.loads(content)
        self.recorder.add(name, started_at, response.status, expected, answer)
        return answer


def learner(number):
    letters = "".join(chr(ord("a") + int(digit)) for digit in f"{number:09}")
    return {"givenName": f"Zeb{letters}", "familyName": "Quillfeather", "dateOfBirth": f"{1990 + number % 15}-09-17", "gender": "MALE",
            "lastKnownPostCode": "ZZ42 4QX", "verificationType": "PASSPORT", "abilityToShare": "SEEN_SHARE"}


ANA = {"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"}


def good_caller(environment, recorder, stop):
    """Calls about single learners, one after the other."""
    caller = Caller(environment, recorder, stop)

    def obtain():
        number = random.randrange(10**9)
        body, key = {"learner": learner(number)}, str(uuid.uuid4())
        caller.call("obtain ULN", "POST", "/v1/learners/obtain-uln", body, (200, 201), Idempotency_Key=key)
        caller.call("obtain ULN again", "POST", "/v1/learners/obtain-uln", body, (200, 201), Idempotency_Key=key)

    demographics = {key: value for key, value in learner(7).items() if key not in ("verificationType", "abilityToShare")}
    calls = [
        (8, lambda: caller.call("find by ULN", "POST", "/v1/learners/find-by-uln", ANA)),
        (4, lambda: caller.call("find by demographics", "POST", "/v1/learners/find-by-demographics", demographics)),
        (4, lambda: caller.call("verify", "POST", "/v1/learners/verify", ANA)),
        (3, lambda: caller.call("learning events", "POST", "/v1/learning-events/search", ANA)),
        (2, obtain),
        (2, lambda: caller.call("organisation", "GET", "/v1/organisation")),
        (1, lambda: caller.call("LRS status", "GET", "/v1/lrs/status")),
        (1, lambda: caller.call("list", "GET", "/v1/registration-batches?limit=5")),
        (1, lambda: caller.call("OpenAPI document", "GET", "/openapi.json")),
    ]
    weights, functions = zip(*calls)
    while not stop.is_set():
        random.choices(functions, weights)[0]()
        stop.wait(random.random() * 0.02)
    caller.close()


def batch_caller(environment, recorder, stop):
    """Batches of every kind, from the submission to the erasure."""
    caller = Caller(environment, recorder, stop)
    awarding = shared_secret_token(org=AWARDING)
    achievement = {"action": "CREATE", "actionDate": "2026-07-01", "achievementAwardDate": "2026-06-30", "familyName": "Quillfeather",
                   "givenName": "Ana", "providerUkprn": "10088881", "uln": "3000000126", "unitOrQualificationReferenceNumber": "50012345"}
    while not stop.is_set():
        size = random.choice([1, 20, 500, 2000])
        learners = [{"misIdentifier": f"STU-{number}", **learner(random.randrange(10**9))} for number in range(size)]
        to_verify = [{"misIdentifier": f"STU-{number}", **ANA} for number in range(size)]
        achievements = [{"misIdentifier": f"STU-{number}", **achievement} for number in range(size)]
        for path, token, body in [
            ("registration-batches", None, {"jobType": random.choice(["FULL", "CHECK"]), "learners": learners}),
            ("verification-batches", None, {"learners": to_verify}),
            ("achievement-batches", awarding, {"submissionType": "PROVISIONAL", "achievements": achievements}),
        ]:
            key, path = str(uuid.uuid4()), f"/v1/{path}"
            accepted = caller.call("submit a batch", "POST", path, body, (202,), token, Idempotency_Key=key, Prefer="wait=2")
            if not isinstance(accepted, dict) or "batchId" not in accepted:
                continue
            path, deadline, status = f"{path}/{accepted['batchId']}", time.monotonic() + 60, ""
            while status not in ("COMPLETE", "FAILED") and time.monotonic() < deadline and not stop.is_set():
                state = caller.call("read a batch", "GET", path, None, (200,), token) or {}
                status = state.get("status", "")
                stop.wait(0.5)
            for file in ("results", "results.ndjson", "results.csv"):
                caller.call("read results", "GET", f"{path}/{file}", None, (200,), token)
            if random.random() < 0.5:
                caller.call("erase a batch", "DELETE", path, None, (204,), token)
    caller.close()


def bad_caller(environment, recorder, stop):
    """Calls that must be refused, each with its status."""
    caller = Caller(environment, recorder, stop)
    find = "/v1/learners/find-by-uln"
    forged = sign({"alg": "HS256"}, {"iss": ISSUER}, lambda _: b"0" * 32)
    none = ".".join([encode(b'{"alg":"none"}'), forged.split(".")[1], ""])
    deep = b'{"uln":' + b"[" * 30_000
    calls = [
        lambda: caller.call("bad: expired token", "POST", find, ANA, (401,), shared_secret_token(exp=int(time.time()) - 3600)),
        lambda: caller.call("bad: forged token", "POST", find, ANA, (401,), forged),
        lambda: caller.call("bad: no algorithm", "POST", find, ANA, (401,), none),
        lambda: caller.call("bad: long token", "GET", "/v1/organisation", None, (401,), "x" * 20_000),
        lambda: caller.call("bad: unknown key", "GET", "/v1/organisation", None, (401,), sign(
            {"alg": "RS256", "kid": str(uuid.uuid4())}, {"iss": "https://login.example.ac.uk/"}, lambda _: bytes(256))),
        lambda: caller.call("bad: no scope", "POST", find, ANA, (403,), shared_secret_token(scope="")),
        lambda: caller.call("bad: unknown organisation", "POST", find, ANA, (403,), shared_secret_token(org="10012345")),
        lambda: caller.call("bad: fields", "POST", find, {"uln": 1, "x": None, "givenName": "\u202e"}, (400, 422)),
        lambda: caller.call("bad: deep JSON", "POST", find, deep, (400,)),
        lambda: caller.call("bad: random bytes", "POST", find, random.randbytes(2000), (400,)),
        lambda: caller.call("bad: media type", "POST", find, b"<a/>", (415,), Content_Type="text/xml"),
        lambda: caller.call("bad: large body", "POST", find, b" " * 200_000, (413,)),
        lambda: caller.call("bad: many headers", "GET", "/v1/organisation", None, (431,), **{f"X{n}": "y" * 600 for n in range(60)}),
        lambda: caller.call("bad: address", "GET", "/v1/" + uuid.uuid4().hex, None, (404,)),
        lambda: caller.call("bad: method", "DELETE", find, None, (405,)),
        lambda: caller.call("bad: batch", "GET", f"/v1/registration-batches/{uuid.uuid4()}", None, (404,)),
        lambda: caller.call("bad: cursor", "GET", "/v1/registration-batches?cursor=1", None, (400,)),
        lambda: caller.call("bad: format", "GET", f"/v1/registration-batches/{uuid.uuid4()}/results", None, (404, 406), Accept="image/png"),
    ]
    while not stop.is_set():
        random.choice(calls)()
        stop.wait(random.random() * 0.03)
    caller.close()
