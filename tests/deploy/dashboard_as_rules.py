"""The dashboard's queries as recording rules, so that promtool can read them."""

import json
from pathlib import Path

dashboard = json.loads(Path("helm/lrs-gateway/files/dashboard.json").read_text())
queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
known = {"$__rate_interval": "5m", "$namespace": "lrs"}
for name, value in known.items():
    queries = [query.replace(name, value) for query in queries]
rules = [{"record": f"dashboard:query:{number}", "expr": query} for number, query in enumerate(queries)]
print(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
