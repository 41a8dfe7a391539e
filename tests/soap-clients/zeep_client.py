"""Calls every operation of the simulator with zeep, which knows nothing but the WSDLs. Arguments: the simulator's URL and calls.json."""

import json
import sys

import zeep
from zeep.helpers import serialize_object

from expectations import report


def call(client, operation, arguments):
    try:
        return serialize_object(client.service[operation](**arguments), dict), None
    except zeep.exceptions.Fault as fault:
        return None, fault.message


def main(url, calls_file):
    with open(calls_file, encoding="utf-8") as file:
        calls = json.load(file)
    clients = {service: zeep.Client(f"{url}/{service}.svc?wsdl") for service in dict.fromkeys(call["service"] for call in calls)}
    published = {operation for client in clients.values() for operation in client.service._operations}
    called = {call["operation"] for call in calls}
    if published != called:
        sys.exit(f"calls.json must have the operations of the WSDLs; they differ in {sorted(published ^ called)}")
    failed = 0
    for expected in calls:
        try:
            result, fault = call(clients[expected["service"]], expected["operation"], expected["arguments"])
        except Exception as error:  # whatever the library does not understand is a failure of this call
            result, fault = None, f"{type(error).__name__}: {error}"
            expected = {**expected, "fault": None}
        failed += not report(expected, result, fault)
    sys.exit(1 if failed else 0)


main(*sys.argv[1:])
