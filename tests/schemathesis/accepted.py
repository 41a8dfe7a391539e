"""Counts the operations that answered a request with 2xx, and fails if they are fewer than most. If they are, for example because the tokens
are bad, the run has checked little but refusals. Argument: the report of schemathesis."""

import json
import sys

# Without luck there are no answers with 2xx from operations that need a batch in a certain state, or a learner whom LRS does not have.
LEAST = 0.6

with open(sys.argv[1], encoding="utf-8") as file:
    report = json.load(file)
rates = report["valid_rates"]
accepted = {operation for operation, phases in rates.items() if any(phase["accepted"] for phase in phases.values())}
total = report["operations"]["total"]
print(f"{report['test_cases']['generated']} requests in {report['running_time']:.0f} s; "
      f"{len(accepted)} of {total} operations answered one with 2xx. The others: {', '.join(sorted(set(rates) - accepted)) or 'none'}")
if len(accepted) < LEAST * total:
    sys.exit(f"FAILED: fewer than {LEAST:.0%} of the operations answered a request with 2xx")
