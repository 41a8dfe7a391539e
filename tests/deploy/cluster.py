"""A server that answers Helm as a Kubernetes cluster with some Secrets and ConfigMaps does, so that tests can render with `lookup`."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RESOURCES = {"secrets": "Secret", "configmaps": "ConfigMap"}


class Cluster:
    """Serves these objects, by resource and name, until the end of the `with` block. Helm finds it with the file in `kubeconfig`."""

    def __init__(self, objects, kubeconfig):
        self.objects, self.kubeconfig = objects, kubeconfig

    def __enter__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler())
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        cluster = {"name": "test", "cluster": {"server": f"http://127.0.0.1:{self.server.server_port}"}}
        context = {"name": "test", "context": {"cluster": "test", "user": "test"}}
        self.kubeconfig.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context],
                                               "users": [{"name": "test"}], "current-context": "test"}))
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path):
        if path == "/version":
            return {"major": "1", "minor": "34", "gitVersion": "v1.34.0"}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": []}
        if path == "/api/v1":
            resources = [{"name": name, "kind": kind, "namespaced": True, "singularName": "", "verbs": ["get"]} for name, kind in RESOURCES.items()]
            return {"kind": "APIResourceList", "groupVersion": "v1", "resources": resources}
        resource, name = path.removeprefix("/api/v1/namespaces/lrs/").split("/")
        found = self.objects.get((resource, name))
        return found and {"apiVersion": "v1", "kind": RESOURCES[resource], "metadata": {"name": name, "namespace": "lrs"}, **found}

    def handler(self):
        cluster = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                answer = cluster.answer(self.path.split("?")[0])
                status = 200 if answer else 404
                body = json.dumps(answer or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler
