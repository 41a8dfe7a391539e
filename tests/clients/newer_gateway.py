"""A proxy that answers as a later version of the gateway might: with outcomes, codes and fields that today's document does not have."""

import http.client
import http.server
import json
import threading

# Fields with words of open enumerations, and words that none of them has.
NEW_OUTCOME = "MATCHED_IN_A_NEW_WAY"
NEW_STATUS = "A_NEW_STATUS"
NEW_WORDS = dict.fromkeys(("outcome", "gender", "abilityToShare", "verificationType"), NEW_OUTCOME) | {
    "status": NEW_STATUS, "reason": "A_NEW_REASON",
}
NEW_CODE = "a_new_problem"
NEW_FIELDS = {"newField": {"nested": ["value", 1, None]}}
# The values of these objects are numbers, whatever their names.
NEW_COUNTS = {"counts": {"newCount": 1}}
HOP_BY_HOP = ("connection", "keep-alive", "transfer-encoding", "upgrade", "http2-settings", "content-length", "host", "accept-encoding")


def altered(value, path=()):
    """Returns the answer with a new word in each open field, and a new field in each object."""
    if isinstance(value, list):
        return [altered(item, (*path, "[]")) for item in value]
    if not isinstance(value, dict):
        return value
    is_problem = not path and "requestId" in value and "retryable" in value
    changed = {name: altered(item, (*path, name)) for name, item in value.items()}
    changed |= {name: word for name, word in NEW_WORDS.items() if isinstance(changed.get(name), str)}
    return changed | ({"code": NEW_CODE} if is_problem else {}) | NEW_COUNTS.get(path[-1] if path else "", NEW_FIELDS)


class NewerGateway:
    def __init__(self, port):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                gateway = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
                gateway.request(self.command, self.path, body or None, headers)
                response = gateway.getresponse()
                answer = response.read()
                if "json" in response.headers.get_content_type():
                    answer = json.dumps(altered(json.loads(answer)), ensure_ascii=False).encode()
                self.send_response(response.status)
                for name, value in response.getheaders():
                    if name.lower() not in HOP_BY_HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)
                gateway.close()

            do_GET = do_POST = do_DELETE = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
