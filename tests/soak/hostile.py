"""Hostile clients. Raise their numbers to look for the limits; each has its own thread."""

import os
import random
import socket
import time

from gateway import shared_secret_token

# The name of each attack: the number of connections of a round.
CONNECTIONS = {"idle": 40, "slow_headers": 20, "slow_handshake": 20, "pipelining": 20, "cut_uploads": 20, "broken_http": 20, "slow_reading": 10}


def open_connections(environment, count, tls=True):
    connections = []
    for _ in range(count):
        try:
            connection = socket.create_connection(("127.0.0.1", environment.api_port), timeout=5)
            connections.append(environment.tls().wrap_socket(connection, server_hostname="127.0.0.1") if tls else connection)
        except OSError:
            pass  # The gateway may refuse hostile clients, or let them wait.
    return connections


def send(connections, data):
    for connection in connections:
        try:
            connection.sendall(data() if callable(data) else data)
        except OSError:
            pass


def close(connections):
    for connection in connections:
        connection.close()


def idle(environment, wait):
    """Connections without a request, and with one request long ago."""
    connections = open_connections(environment, CONNECTIONS["idle"])
    send(connections[::2], b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    wait(12)
    close(connections)


def slow_headers(environment, wait):
    """A byte of a header from time to time."""
    connections = open_connections(environment, CONNECTIONS["slow_headers"])
    send(connections, b"GET /health/live HTTP/1.1\r\nX-Slow: ")
    for _ in range(15):
        send(connections, b"x")
        wait(1)
    close(connections)


def slow_handshake(environment, wait):
    """Half of a TLS handshake, or something else in its place."""
    connections = open_connections(environment, CONNECTIONS["slow_handshake"], tls=False)
    send(connections[::2], bytes.fromhex("16030100c8010000c40303"))
    send(connections[1::2], lambda: os.urandom(300))
    wait(6)
    close(connections)


def pipelining(environment, wait):
    """Many requests at once, whose answers are not read."""
    connections = open_connections(environment, CONNECTIONS["pipelining"])
    send(connections, b"GET /docs/search-index.json HTTP/1.1\r\nHost: x\r\n\r\n" * 16)
    wait(10)
    close(connections)


def cut_uploads(environment, wait):
    """Bodies that end too early: by a closed connection, or never."""
    connections = open_connections(environment, CONNECTIONS["cut_uploads"])
    head = (f"POST /v1/registration-batches HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {shared_secret_token()}\r\n"
            "Content-Type: application/json\r\n")
    send(connections[::2], f"{head}Content-Length: 9000000\r\n\r\n".encode() + b'{"jobType":"FULL","learners":[' + b"{}," * 10_000)
    send(connections[1::2], f"{head}Transfer-Encoding: chunked\r\n\r\n8000\r\n".encode() + b" " * 20_000)
    wait(5)
    close(connections)


def broken_http(environment, wait):
    """Bytes that are no HTTP, and HTTP that means two things."""
    connections = open_connections(environment, CONNECTIONS["broken_http"])
    samples = [
        b"\x00\xff" * 100 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/learners/find-by-uln HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /v1/learners/find-by-uln HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    ]
    send(connections, lambda: random.choice(samples))
    wait(1)
    close(connections)


def slow_reading(environment, wait):
    """A large answer, a few bytes at a time."""
    connections = open_connections(environment, CONNECTIONS["slow_reading"])
    send(connections, b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not wait(0.2):
        for connection in connections:
            try:
                connection.recv(100)
            except OSError:
                pass
    close(connections)


ATTACKS = [idle, slow_headers, slow_handshake, pipelining, cut_uploads, broken_http, slow_reading]


def attacker(attack):
    """Returns the thread function that repeats an attack."""
    def repeat(environment, _, stop):
        while not stop.is_set():
            attack(environment, stop.wait)
            stop.wait(random.random())
    return repeat
