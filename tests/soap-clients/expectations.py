"""Compares what a client got with what calls.json expects."""


def find(value, name):
    """Returns the first value of this name, at any depth: libraries unwrap responses differently."""
    if isinstance(value, dict):
        if name in value:
            return value[name]
        value = value.values()
    elif not isinstance(value, list):
        return None
    return next((found for item in value if (found := find(item, name)) is not None), None)


def report(expected, result, fault):
    """Prints one line about a call, and returns whether it is as expected."""
    if not isinstance(result, dict | list):
        result = dict.fromkeys(expected.get("expect", {}), result)  # a response with one value, unwrapped
    wrong = {name: find(result, name) for name, value in expected.get("expect", {}).items() if str(find(result, name)) != value}
    if "fault" in expected:
        is_right = expected["fault"] is not None and fault is not None and expected["fault"] in fault
    else:
        is_right = fault is None and not wrong
    print("  ok    " if is_right else "  FAILED", expected["operation"], "" if is_right else f"fault: {fault}, differs: {wrong}")
    return is_right
