"""A TCP relay in front of the gateway. It passes bytes unchanged, and records when a client read the status of a batch."""

import re
import socket
import threading
import time

STATUS_REQUEST = re.compile(rb"^GET /v1/registration-batches/([0-9a-zA-Z-]+)(?:\?\S*)? HTTP/1\.1\r\n")
RETRY_AFTER = re.compile(rb"\r\nretry-after: (\d+)\r\n", re.IGNORECASE)


class Relay:
    def __init__(self, port):
        self.gateway = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.status_reads = 0
        self.early_reads = []
        self.due = 0.0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return  # closed
            server = socket.create_connection(self.gateway)
            for arguments in ((client, server, self.request), (server, client, self.response)):
                threading.Thread(target=self.copy, args=arguments, daemon=True).start()

    def copy(self, source, target, look_at):
        try:
            while data := source.recv(65536):
                look_at(data)
                target.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, target):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def request(self, data):
        if STATUS_REQUEST.match(data):
            self.status_reads += 1
            early = self.due - time.monotonic()
            # A timer of a client may be a few milliseconds fast.
            if early > 0.05:
                self.early_reads.append(early)

    def response(self, data):
        if wait := RETRY_AFTER.search(data):
            self.due = time.monotonic() + int(wait[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # `close` alone leaves the thread in `accept`, and the port open.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
