"""Runs `make test-clients`: generates each client from the OpenAPI document, compiles it, lets it call a demonstration of its own, and
compares what worked with the table of docs/CLIENTS.md. Arguments: the program, and the names of the clients to run. Without names, all run."""

import concurrent.futures
import dataclasses
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import page
from clients import CLIENTS, ROOT, TASKS
from gateway import Demonstration
from newer_gateway import NewerGateway
from relay import Relay

TOOLS = ROOT / "target/clients/tools"
STEP_SECONDS = 600
# What is installed stays from run to run. What is generated does not: the document may have fewer types than before.
KEPT = {"node_modules", "package-lock.json", "target", "venv"}


@dataclasses.dataclass
class Result:
    """The tasks of a client that worked, or why it could not be installed; its output, and the time that it took."""

    client: object
    passed: set = dataclasses.field(default_factory=set)
    not_installed: str = ""
    output: str = ""
    seconds: float = 0


def environment():
    # The clients call this machine only. Tools that fetch packages keep the proxies that they have.
    here = ROOT / "tests/clients"
    return {
        **os.environ,
        "PATH": f"{TOOLS}/bin:{os.environ['PATH']}",
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "GOTOOLCHAIN": "local",
        "JACKSON_CLASSES": f"{TOOLS}/bin/openapi-generator.jar",
        "NEWTONSOFT": f"{TOOLS}/bin/Newtonsoft.Json.dll",
        "POLLY": f"{here}/csharp/Polly.cs",
        "AUTOLOAD": f"{here}/php/autoload.php",
        "ADAPT": f"{here}/kotlin/okhttp3.sh",
    }


def make(client, target, variables):
    """Runs a target of the client's Makefile, and returns its status and output."""
    arguments = [f"OUT={client.output}", f"DOCUMENT={client.document}", f"DOCUMENT_3_0={client.document_3_0}"]
    # A process group of its own, so that a step that hangs ends with all its processes.
    process = subprocess.Popen(["nice", "make", "--silent", "-C", client.directory, target, *arguments], env={**environment(), **variables},
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=STEP_SECONDS)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return 1, f"{output}\nstopped after {STEP_SECONDS} seconds"


def has_target(client, target):
    return f"\n{target}:" in (client.directory / "Makefile").read_text(encoding="utf-8")


def call_gateway(client, program):
    """Runs the compiled client, and returns its status and output. The output has a line for each task."""
    with Demonstration(program, client.output) as gateway, Relay(gateway.port) as relay, NewerGateway(gateway.port) as newer:
        status, output = make(client, "run", {
            "LRS_GATEWAY_URL": relay.url, "LRS_NEWER_GATEWAY_URL": newer.url, "LRS_GATEWAY_TOKEN": gateway.token,
        })
        if relay.early_reads or not relay.status_reads:
            output += f"\nthe batch was read {relay.status_reads} times, {len(relay.early_reads)} of them before Retry-After was over\n"
            output = output.replace("ok: registration batch", "FAILED: registration batch")
        return status, output


def remove_generated(directory):
    directory.mkdir(parents=True, exist_ok=True)
    for path in directory.iterdir():
        if path.is_dir() and path.name not in KEPT:
            shutil.rmtree(path)
        elif path.name not in KEPT:
            path.unlink()


def test(client, program, result):
    remove_generated(client.output)
    steps = [target for target in ("install", "generate", "compile") if has_target(client, target)]
    for target in steps:
        status, output = make(client, target, {})
        result.output += output
        if status != 0 and target == "install":
            result.not_installed = output
        if status != 0:
            break
    else:
        _, output = call_gateway(client, program)
        result.output += output
        result.passed = {task for task in TASKS if f"ok: {task}\n" in output}
    log_of(client).write_text(result.output, encoding="utf-8")


def log_of(client):
    return client.output / "output.log"


def measured_test(client, program):
    started = time.monotonic()
    result = Result(client)
    try:
        test(client, program, result)
    except (OSError, RuntimeError) as error:
        result.output += f"{error}\n"
    result.seconds = time.monotonic() - started
    return result


def report(result):
    client = result.client
    print(f"\n== {client.language}, {client.generator}: {result.seconds:.0f} s", flush=True)
    if result.not_installed:
        print("  not run: could not be installed")
    for task in () if result.not_installed else TASKS:
        print("  ok    " if task in result.passed else "  FAILED", task, flush=True)
    if len(result.passed) != len(TASKS):
        print("\n".join(f"    {line}" for line in result.output.strip().splitlines()[-15:]), flush=True)


def main(program, names):
    unknown = set(names) - {client.name for client in CLIENTS}
    if unknown:
        sys.exit(f"there is no client {', '.join(sorted(unknown))}. There are: {', '.join(client.name for client in CLIENTS)}")
    chosen = [client for client in CLIENTS if not names or client.name in names]
    results = []
    # One more than there are cores: a client waits five seconds for its batch.
    with concurrent.futures.ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        for finished in concurrent.futures.as_completed([pool.submit(measured_test, client, program) for client in chosen]):
            results.append(finished.result())
            report(results[-1])
    run = [result for result in results if not result.not_installed]
    missing = (ROOT / "target/clients/not-installed").read_text(encoding="utf-8")
    if missing or len(run) != len(results):
        print("\n== Could not be installed on this machine")
        print(*(f"{result.client.name}: see {log_of(result.client)}" for result in results if result.not_installed), missing, sep="\n")
    passed = sum(len(result.passed) for result in run)
    print(f"\n{passed} passed, {len(run) * len(TASKS) - passed} failed, {(len(results) - len(run)) * len(TASKS)} skipped", flush=True)
    is_current = page.is_current({result.client.name: result.passed for result in run})
    sys.exit(0 if run and passed == len(run) * len(TASKS) and is_current else 1)


main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:])
