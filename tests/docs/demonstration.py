"""A demonstration (`lrs-gateway demo`) of a guide's own."""

import select
import shlex
import subprocess

START_SECONDS = 60


class Demonstration:
    """The running process. It has written `demo.env` to the guide's directory, and is stopped at the end of the `with` block."""

    def __init__(self, program, directory, log):
        self.log = log
        command = [program, "demo", "--listen", "127.0.0.1:0", "--env-file", directory / "demo.env"]
        with open(log, "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            # The file is complete when the first line is there.
            if not select.select([self.process.stdout], [], [], START_SECONDS)[0]:
                raise OSError(f"no line within {START_SECONDS} seconds")
            self.process.stdout.readline()
            variables = shlex.split((directory / "demo.env").read_text(encoding="utf-8"), comments=True)
            self.address = dict(variable.split("=", 1) for variable in variables)["GATEWAY"].removeprefix("http://")
        except (OSError, ValueError, KeyError) as error:
            self.stop()
            raise RuntimeError(f"the demonstration did not start: {error!r} {self.log_text()}") from error

    def is_running(self):
        return self.process.poll() is None

    def log_text(self):
        return self.log.read_text(encoding="utf-8")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
