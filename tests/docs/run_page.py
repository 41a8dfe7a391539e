"""Runs the commands of a guide in one bash, and compares what they print with what the guide shows."""

import os
import re
import shlex
import signal
import socket
import subprocess
import time

from outputs import differences

PAGE_SECONDS = 300
# The gateway's address in guides. Each demonstration has another one.
ADDRESS = "127.0.0.1:8080"


class Failure(str):
    """What is wrong with a guide: place, reason, and what was expected and printed in full."""


def run_page(page, directory, work, address, program_directory=None):
    """Runs a page's commands in `directory`, with files of its own in `work`, against the gateway at `address`. Returns its failures."""
    taken = [number for number in own_ports(page) if is_taken(number)]
    if taken:
        return [Failure(f"{page.name}: another program listens on 127.0.0.1:{number}, which the guide uses: stop it\n") for number in taken]
    status = work / "status"
    script = work / "commands.sh"
    script.write_text(script_text(page, work, status, address), encoding="utf-8")
    with open(work / "shell.err", "wb") as errors:
        shell = subprocess.Popen(["bash", "--noprofile", "--norc", script], cwd=directory, env=environment(program_directory),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
        try:
            in_time = has_ended(shell.pid, PAGE_SECONDS)
        finally:
            # Also the programs that the guide has started. The shell is not waited for before: another process could have its number then.
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    events = status.read_text(encoding="utf-8").split("\n") if status.exists() else []
    return list(failures(page, work, events, in_time, address))


def script_text(page, work, status, address):
    """Returns a script that runs each block of commands and writes to `status` how far it has come."""
    lines = ["set -euo pipefail", f"exec 9>>{shlex.quote(str(status))}", "trap 'echo \"failed $LINENO $? ${BASH_SOURCE[0]}\" >&9' ERR"]
    for number, commands in enumerate(page.commands):
        directory = work / str(number)
        directory.mkdir()
        # bash names this file, and the line of the page, in its own messages.
        file = directory / page.name.replace("/", "-")
        text = re.sub(rf"\b(localhost|127\.0\.0\.1):{port(ADDRESS)}\b", address, commands.text)
        file.write_text("\n" * commands.line + text, encoding="utf-8")
        output, errors = (shlex.quote(str(directory / name)) for name in ("output", "errors"))
        lines.append(f". {shlex.quote(str(file))} >{output} 2>{errors}; echo 'done {number}' >&9")
    return "\n".join(lines) + "\n"


def failures(page, work, events, in_time, address):
    # Line, status, and the file: this script's own lines are no lines of the page.
    failed_at = next((event.split(maxsplit=3)[1:] for event in events if event.startswith("failed ")), None)
    for number, commands in enumerate(page.commands):
        printed, errors = (read(work / str(number) / name) for name in ("output", "errors"))
        if f"done {number}" not in events:
            # The shell counts from the block's own first line, which is that of the page.
            line = failed_at[0] if failed_at and failed_at[2] != str(work / "commands.sh") else commands.line
            reason = f"status {failed_at[1]}" if failed_at else "the shell ended"
            reason = reason if in_time else f"not finished after {PAGE_SECONDS} seconds"
            details = section("commands", commands.text) + section("printed", printed) + section("errors", errors or read(work / "shell.err"))
            yield Failure(f"{page.name}:{line}: the command failed: {reason}\n{details}")
            left = len(page.commands) - number - 1
            if left:
                yield Failure(f"{page.name}: {left} later blocks of commands were not run\n")
            return
        printed = re.sub(rf"\b127\.0\.0\.1:{port(address)}\b", ADDRESS, printed)
        for output in commands.outputs:
            found = differences(output.language, output.text, printed)
            if found:
                reasons = "".join(f"  {reason}\n" for reason in found)
                details = section("expected", output.text) + section("actual", printed) + (section("errors", errors) if errors else "")
                yield Failure(f"{page.name}:{output.line}: the output differs from the guide:\n{reasons}{details}")


def section(title, text):
    return f"  {title}:\n" + "".join(f"    {line}\n" for line in text.splitlines())


def read(file):
    return file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""


def port(address):
    return address.rsplit(":", 1)[1]


def environment(program_directory):
    variables = {name: value for name, value in os.environ.items() if name not in ("BASH_ENV", "ENV")}
    path = os.environ["PATH"] if program_directory is None else f"{program_directory}:{os.environ['PATH']}"
    return {**variables, "PATH": path, "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def own_ports(page):
    """Returns the ports that the programs of a guide listen on."""
    found = re.findall(r"\b127\.0\.0\.1:(\d+)\b", "".join(commands.text for commands in page.commands))
    return sorted(set(map(int, found)) - {int(port(ADDRESS))})


def is_taken(number):
    """Returns whether a program listens on a port of this machine."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", number)) == 0


def has_ended(process_id, seconds):
    """Waits for a process at most so long, and keeps its entry in the process table."""
    limit = time.monotonic() + seconds
    while os.waitid(os.P_PID, process_id, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > limit:
            return False
        time.sleep(0.02)
    return True
