"""Callers: tokens, requests about invented learners, and connections that send them."""

import asyncio
import base64
import collections
import hashlib
import hmac
import json
import random
import time

SECRET = b"a secret of thirty-two bytes or more"
ISSUER, AUDIENCE = "https://idp.example.ac.uk/", "lrs-gateway"
SCOPES = "learners:read learners:write learners:verify learning-events:read registration-batches achievement-batches"


def ukprn(number):
    return f"{10000001 + number}"


def token(organisation, user="j.bloggs"):
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = {"iss": ISSUER, "aud": AUDIENCE, "exp": int(time.time()) + 7200, "org": organisation, "preferred_username": user, "scope": SCOPES}
    signed = b".".join(encode(json.dumps(part).encode()) for part in ({"alg": "HS256"}, claims))
    return (signed + b"." + encode(hmac.digest(SECRET, signed, hashlib.sha256))).decode()


def request(method, path, bearer, body=None, **headers):
    """Returns the bytes of a request."""
    content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: gateway", f"Authorization: Bearer {bearer}", "Content-Type: application/json",
             f"Content-Length: {len(content)}", *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class Client:
    """Connections to the replicas, each for one request at a time."""

    def __init__(self, rig, connections):
        self.rig, self.connections, self.count, self.answers = rig, asyncio.Queue(), connections, collections.Counter()
        self.failure, self.latencies = "", []

    async def __aenter__(self):
        for number in range(self.count):
            self.connections.put_nowait(await asyncio.open_connection("127.0.0.1", self.rig.ports[number % len(self.rig.ports)], limit=1 << 20))
        return self

    async def __aexit__(self, *_):
        while not self.connections.empty():
            self.connections.get_nowait()[1].close()

    async def call(self, content):
        """Sends a request over the connection that has been idle for the longest time."""
        started_at = time.monotonic()
        connection = await self.connections.get()
        reader, writer = connection
        writer.write(content)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]
        answer = await reader.readexactly(int(length or 0))
        self.connections.put_nowait(connection)
        self.latencies.append(time.monotonic() - started_at)
        status = int(head[9:12])
        self.answers[status] += 1
        if status >= 300:
            self.failure = answer.decode(errors="replace")[:300]
        return status, answer

    async def run(self, requests):
        """Sends the requests as fast as the connections take them."""
        requests = iter(requests)

        async def send():
            for content in requests:
                await self.call(content)

        await asyncio.gather(*(send() for _ in range(self.count)))

    def expect(self, *statuses):
        if set(self.answers) - set(statuses):
            raise SystemExit(f"unexpected answers: {dict(self.answers)} {self.failure}")


def send(rig, requests, connections=32, expected=(200, 201, 202)):
    """Sends requests as fast as possible, and requires that they succeed."""
    async def run():
        async with Client(rig, connections) as client:
            await client.run(requests)
            client.expect(*expected)

    asyncio.run(run())


# Requests about invented learners.
ANA = {"uln": "3000000126", "givenName": "Ana", "familyName": "O'Neill"}


def letters(number, purpose, length):
    """Letters that a compressor cannot guess: names that all differ."""
    generator = random.Random(f"{number} {purpose}")
    return "".join(generator.choices("abcdefghijklmnopqrstuvwxyz", k=length)).capitalize()


def learner(number):
    return {"givenName": letters(number, "given", 6 + number % 5), "familyName": letters(number, "family", 7 + number % 6), "gender": "MALE",
            "dateOfBirth": f"{1990 + number % 17}-{1 + number % 12:02}-{1 + number % 28:02}", "verificationType": "PASSPORT",
            "lastKnownPostCode": f"ZZ{1 + number % 89} {number % 9}{'ABDEFGHJLN'[number % 10]}Q", "abilityToShare": "SEEN_SHARE"}


def batch_learner(number):
    street, school = letters(number, "street", 8), letters(number // 50, "school", 10)
    return {"misIdentifier": f"STU-{number}", **learner(number), "title": "Mx", "schoolAtAge16": f"{school} School", "nationality": "GBR",
            "lastKnownAddressLine1": f"{number % 200} {street} Street", "lastKnownAddressTown": "Exampleton", "placeOfBirth": "Exampleton",
            "dateOfAddressCapture": "2026-09-01", "emailAddress": f"{letters(number, 'given', 6)}{number}@example.ac.uk".lower()}


def achievement(number):
    return {"misIdentifier": f"STU-{number}", **ANA, "dateOfBirth": "2006-03-09", "gender": "FEMALE", "action": "CREATE", "actionDate": "2026-08-20",
            "achievementAwardDate": "2026-08-19", "providerUkprn": ukprn(0), "grade": "A*",
            "unitOrQualificationReferenceNumber": f"{50000000 + number % 1000}"}


# Each request is one of a series; the number says which.
def find(bearer, _number=0):
    return request("POST", "/v1/learners/find-by-uln", bearer, ANA)


def events(bearer, _number=0):
    return request("POST", "/v1/learning-events/search", bearer, ANA)


def search(bearer, number):
    criteria = {name: value for name, value in learner(number).items() if name not in ("verificationType", "abilityToShare")}
    return request("POST", "/v1/learners/find-by-demographics", bearer, criteria)


def register(bearer, number):
    return request("POST", "/v1/learners/register", bearer, {"learner": learner(number)}, Idempotency_Key=f"enrolment-{number}")


def registration_batch(bearer, first, learners):
    body = {"jobType": "FULL", "learners": [batch_learner(first + number) for number in range(learners)]}
    return request("POST", "/v1/registration-batches", bearer, body)


def achievement_batch(bearer, first, achievements):
    body = {"submissionType": "FINAL", "achievements": [achievement(first + number) for number in range(achievements)]}
    return request("POST", "/v1/achievement-batches", bearer, body)
