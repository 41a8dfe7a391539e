"""The operations of the OpenAPI document, as collections need them: in an order in which they can be run one after the other."""

import json
from dataclasses import dataclass, field, replace

# The variables of both collections, with the values of the demonstration. The tokens are different in each demonstration.
VARIABLES = {"gateway": "http://127.0.0.1:8080"}
SECRETS = ("token", "awardingToken")

# Operations of learners in the order of a run. `obtainUln` finds the learner that `registerLearner` has registered: after `obtainUln`, a
# registration would be a duplicate.
LEARNERS = [
    "findLearnerByUln", "findLearnersByDemographics", "registerLearner", "obtainUln", "updateLearner", "amendLearner", "verifyLearner",
    "retrieveUlns",
]

# Operations that answer 409 unless a part of the batch awaits a decision. No demonstration has one without injected faults.
DECISIONS = ("resubmit", "discard")


@dataclass
class Operation:
    """A request, with variables in the places of values that an earlier answer gives."""

    id: str
    # Name of the file of the request in collections that have one per request.
    file: str
    summary: str
    description: str
    method: str
    path: str
    scope: str | None
    # Variable that holds the token, if the operation needs one.
    token: str | None
    # (name, value, is enabled)
    headers: list = field(default_factory=list)
    query: list = field(default_factory=list)
    path_values: dict = field(default_factory=dict)
    body: str | None = None
    # Variables that the answer sets: the name, and the path of the value in the JSON answer.
    sets: dict = field(default_factory=dict)

    @property
    def statuses(self):
        """Returns the statuses with which a run succeeds: a range, and further ones."""
        return (200, 299, [409] if self.path.endswith(DECISIONS) else [])


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


def groups(document):
    """Returns the operations of each tag, in the order of the document's tags."""
    of_tag = {tag["name"]: [] for tag in document["tags"]}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            of_tag[operation["tags"][0]].append(of(document, path, method.upper(), operation))
    learners = of_tag["Learners"]
    learners.append(search_before_registration(learners))
    return {tag: sorted(operations, key=place) for tag, operations in of_tag.items()}


def search_before_registration(operations):
    """Returns a search for the learner that `registerLearner` registers: LRS registers only learners that were searched for before."""
    by_id = {operation.id: operation for operation in operations}
    search, learner = by_id["findLearnersByDemographics"], json.loads(by_id["registerLearner"].body)["learner"]
    details = {name: learner[name] for name in json.loads(search.body)}
    return replace(search, summary="Search before a registration", file="searchBeforeRegistration", body=body(search, details), sets={})


def place(operation):
    """Returns the place in a run: a batch is submitted, read, listed, and erased last."""
    if operation.id in LEARNERS:
        # The search before a registration comes after the search that is named like the operation.
        return LEARNERS.index(operation.id), operation.file
    if operation.method == "DELETE":
        return 5, ""
    if operation.path.endswith(DECISIONS):
        return 4, ""
    if operation.path.endswith("-batches"):
        return (0 if operation.method == "POST" else 2), ""
    return (3 if operation.path.endswith("/track") else 1), ""


def of(document, path, method, operation):
    scopes = operation["security"][0].get("bearer")
    scope = scopes[0] if scopes else None
    token = None if scopes is None else "awardingToken" if scope == "achievement-batches" else "token"
    result = Operation(operation["operationId"], operation["operationId"], operation["summary"], operation["description"], method, path, scope, token)
    batch = batch_variable(path)
    for parameter in (resolved(document, parameter) for parameter in operation.get("parameters", [])):
        add_parameter(document, result, parameter, batch)
    if "requestBody" in operation:
        content = resolved(document, operation["requestBody"])["content"]["application/json"]
        named = [example["value"] for example in content.get("examples", {}).values()]
        result.body = body(result, content["example"] if "example" in content else named[0])
    if method == "POST" and path.endswith("-batches"):
        result.sets = {batch: "batchId"}
    elif result.id == "findLearnerByUln":
        result.sets = {"versionNumber": "learners[0].versionNumber"}
    return result


def batch_variable(path):
    """Returns the variable with the number of a batch of this kind: `registrationBatchId`."""
    kind, dash, _ = path.split("/")[2].partition("-batches")
    return f"{kind}BatchId" if dash else None


def add_parameter(document, operation, parameter, batch):
    schema = resolved(document, parameter["schema"])
    example = schema.get("default", (schema.get("examples") or [""])[0])
    value = json.dumps(example) if isinstance(example, (bool, int)) else example
    name = parameter["name"]
    if parameter["in"] == "path":
        operation.path_values[name] = f"{{{{{batch}}}}}" if name == "batchId" else value
    elif parameter["in"] == "query":
        operation.query.append((name, value, False))
    elif name == "Idempotency-Key":
        # Postman and Bruno replace it by a new UUID in each request.
        operation.headers.append((name, "{{$guid}}", True))
    else:
        operation.headers.append((name, value, True))


def body(operation, example):
    text = json.dumps(example, indent=2, ensure_ascii=False)
    if operation.id == "updateLearner":
        text = text.replace(f'"versionNumber": {example["versionNumber"]}', '"versionNumber": {{versionNumber}}')
        assert "{{versionNumber}}" in text
    return text


def resolved(document, value):
    """Returns the value, or what its reference names."""
    while "$ref" in value:
        target = document
        for name in value["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        value = target
    return value


def notes(operation):
    """Returns the description of an operation, in Markdown."""
    return f"{operation.description}\n\nDocumentation: {{{{gateway}}}}/docs/reference/{operation.id}"


def introduction(info):
    """Returns the description of a collection, in Markdown."""
    return (
        f"{info['title']}. Start the demonstration with `make run`. Set `token` to the token of a learning provider and `awardingToken` to the "
        "token of an awarding organisation: the demonstration prints both. Requests are in the order in which they can be run."
    )
