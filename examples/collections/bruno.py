"""A collection for Bruno: one file per request, in Bruno's own format."""

import json

from operations import SECRETS, VARIABLES, introduction, notes

DIRECTORY = "bruno"


def files(info, groups):
    collection = {"version": "1", "name": info["title"], "type": "collection"}
    result = {
        f"{DIRECTORY}/bruno.json": json.dumps(collection, indent=2, ensure_ascii=False) + "\n",
        f"{DIRECTORY}/collection.bru": block("docs", [introduction(info)]),
        f"{DIRECTORY}/environments/demonstration.bru": block("vars", pairs(VARIABLES)) + "vars:secret [\n  " + ",\n  ".join(SECRETS) + "\n]\n",
    }
    for place, (tag, operations) in enumerate(groups.items(), 1):
        directory = f"{DIRECTORY}/{tag}"
        result[f"{directory}/folder.bru"] = block("meta", [f"name: {tag}", f"seq: {place}"])
        for number, operation in enumerate(operations, 1):
            result[f"{directory}/{operation.file}.bru"] = request(operation, number)
    return result


def block(name, lines):
    text = "\n".join(f"  {line}".rstrip() for line in "\n".join(lines).split("\n"))
    return f"{name} {{\n{text}\n}}\n"


def pairs(values):
    return [f"{name}: {value}" for name, value in values.items()]


def fields(values):
    """Returns the lines of headers or query parameters. `~` marks those that are not sent."""
    return [f"{'' if enabled else '~'}{name}: {value}" for name, value, enabled in values]


def request(operation, number):
    url = "{{gateway}}" + operation.path.replace("{", ":").replace("}", "")
    query = "&".join(f"{name}={value}" for name, value, enabled in operation.query if enabled)
    blocks = [
        block("meta", [f"name: {operation.summary} ({operation.id})", "type: http", f"seq: {number}"]),
        block(operation.method.lower(), [
            f"url: {url}{'?' + query if query else ''}",
            f"body: {'none' if operation.body is None else 'json'}",
            f"auth: {'bearer' if operation.token else 'none'}",
        ]),
    ]
    if operation.query:
        blocks.append(block("params:query", fields(operation.query)))
    if operation.path_values:
        blocks.append(block("params:path", pairs(operation.path_values)))
    if operation.headers:
        blocks.append(block("headers", fields(operation.headers)))
    if operation.token:
        blocks.append(block("auth:bearer", [f"token: {{{{{operation.token}}}}}"]))
    if operation.body is not None:
        blocks.append(block("body:json", [operation.body]))
    if operation.sets:
        blocks.append(block("vars:post-response", [f"{name}: res.body.{value}" for name, value in operation.sets.items()]))
    blocks += [block("tests", [test(operation)]), block("docs", [notes(operation)])]
    return "\n".join(blocks)


def test(operation):
    first, last, further = operation.statuses
    condition = f"res.status >= {first} && res.status <= {last}" + "".join(f" || res.status === {other}" for other in further)
    name = " or ".join([f"{first}-{last}", *map(str, further)])
    return f'test("status {name}", () => expect({condition}, JSON.stringify(res.body)).to.equal(true));'
