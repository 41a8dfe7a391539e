"""A collection for Postman (format 2.1)."""

import json
import uuid

from operations import SECRETS, VARIABLES, introduction, notes

SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"


def files(info, groups):
    folders = [{"name": tag, "item": [request(operation) for operation in operations]} for tag, operations in groups.items()]
    collection = {
        "info": {
            # Postman replaces a collection with the same identifier when it is imported again.
            "_postman_id": str(uuid.uuid5(uuid.NAMESPACE_URL, "urn:lrs-gateway:postman")),
            "name": info["title"],
            "description": introduction(info),
            "schema": SCHEMA,
        },
        "auth": bearer("token"),
        "variable": [
            *({"key": name, "value": value} for name, value in VARIABLES.items()),
            *({"key": name, "value": "", "type": "secret"} for name in SECRETS),
        ],
        "item": folders,
    }
    return {"postman/lrs-gateway.postman_collection.json": json.dumps(collection, indent=2, ensure_ascii=False) + "\n"}


def bearer(variable):
    return {"type": "bearer", "bearer": [{"key": "token", "value": f"{{{{{variable}}}}}", "type": "string"}]}


def request(operation):
    path = [f":{part[1:-1]}" if part.startswith("{") else part for part in operation.path.removeprefix("/").split("/")]
    url = {"raw": "{{gateway}}/" + "/".join(path), "host": ["{{gateway}}"], "path": path}
    if operation.query:
        url["query"] = [{"key": name, "value": value, "disabled": not enabled} for name, value, enabled in operation.query]
    if operation.path_values:
        url["variable"] = [{"key": name, "value": value} for name, value in operation.path_values.items()]
    headers = [{"key": name, "value": value, "disabled": not enabled} for name, value, enabled in operation.headers]
    result = {
        "method": operation.method,
        "header": headers,
        "url": url,
        "description": notes(operation),
        "auth": bearer(operation.token) if operation.token else {"type": "noauth"},
    }
    if operation.body is not None:
        headers.append({"key": "Content-Type", "value": "application/json"})
        result["body"] = {"mode": "raw", "raw": operation.body, "options": {"raw": {"language": "json"}}}
    test = {"listen": "test", "script": {"type": "text/javascript", "exec": script(operation)}}
    return {"name": f"{operation.summary} ({operation.id})", "event": [test], "request": result}


def script(operation):
    first, last, further = operation.statuses
    status = "pm.response.code"
    condition = f"{status} >= {first} && {status} <= {last}" + "".join(f" || {status} === {other}" for other in further)
    sets = [f'pm.collectionVariables.set("{name}", pm.response.json().{value});' for name, value in operation.sets.items()]
    name = " or ".join([f"{first}-{last}", *map(str, further)])
    return [f'pm.test("status {name}", () => pm.expect({condition}, pm.response.text()).to.equal(true));', *sets]
