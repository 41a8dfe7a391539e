"""A demonstration (`lrs-gateway demo`) on a free port of this machine."""

import json
import select
import subprocess

START_SECONDS = 60


class Demonstration:
    """The running process, its address and its tokens. Its files are in the directory, besides those that further arguments name. It is stopped at
    the end of the `with` block."""

    def __init__(self, program, directory, *arguments):
        access_file, self.log = directory / "access.json", directory / "gateway.log"
        command = [program, "demo", "--listen", "127.0.0.1:0", "--token-file", access_file, *arguments]
        with open(self.log, "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            # The file is complete when the first line is there.
            if not select.select([self.process.stdout], [], [], START_SECONDS)[0]:
                raise OSError(f"no line within {START_SECONDS} seconds")
            self.process.stdout.readline()
            access = json.loads(access_file.read_text(encoding="utf-8"))
            self.access, self.url, self.token = access, access["gateway"], access["learningProvider"]
            self.port = int(self.url.rsplit(":", 1)[1])
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
