"""Prints the queries of the dashboard as recording rules, because promtool checks rules only."""

import json
from pathlib import Path

dashboard = json.loads(Path("helm/lrs-gateway/files/dashboard.json").read_text())
queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
variables = {"$__rate_interval": "5m", "$namespace": "lrs"}
for name, value in variables.items():
    queries = [query.replace(name, value) for query in queries]
rules = [{"record": f"dashboard:query:{number}", "expr": query} for number, query in enumerate(queries)]
print(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
