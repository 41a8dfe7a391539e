"""Lists the problems that the OpenAPI document has for an operation and that no test has seen.

    OBSERVED_PROBLEMS=$PWD/target/observed-problems make test
    python3 tests/openapi-lint/unseen_problems.py target/observed-problems

Operations of batches count together for the three kinds, because they share their handlers.
"""

import json
import re
import sys


def general(operation_id):
    return re.sub("Registration|Verification|Achievement", "…", operation_id) if "Batch" in operation_id else operation_id


def documented(document):
    for item in document["paths"].values():
        for operation in item.values():
            for response in operation["responses"].values():
                if "$ref" in response:
                    response = document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
                for code in response.get("x-problem-codes", []):
                    yield general(operation["operationId"]), code


with open("openapi/openapi.json", encoding="utf-8") as file:
    expected = set(documented(json.load(file)))
with open(sys.argv[1], encoding="utf-8") as file:
    seen = {(general(operation), code) for operation, code in (line.split() for line in file)}
unseen = sorted((code, operation) for operation, code in expected - seen)
print(f"{len(expected & seen)} of {len(expected)} problems of operations were seen.")
codes = {code for _, code in expected} - {code for _, code in seen}
print("Codes that no operation was seen to answer:", ", ".join(sorted(codes)) or "none")
for code in sorted({code for code, _ in unseen}):
    print(f"{code}: {', '.join(operation for other, operation in unseen if other == code)}")
