"""A `tessera serve` process for tests: started on a free port, stopped at the end, its log kept for failures.

As a program: server_process.py [options of serve] -- COMMAND... runs COMMAND with the server's URL as its last argument.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
MODEL = os.path.join(ROOT, "tests", "golden", "models", "llama")


class ServerProcess:
    def __init__(self, *options, model=MODEL):
        self.log = tempfile.TemporaryFile(mode="w+")
        command = [os.environ["TESSERA"], "serve", "--model-path", model, "--port", "0", *options]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=subprocess.STDOUT)
        self.url = self._wait_until_ready()

    def log_text(self):
        self.log.seek(0)
        return self.log.read()

    def _wait_until_ready(self, limit_s=60):
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            found = re.search(r"http://127\.0\.0\.1:\d+", self.log_text())
            if found:
                try:
                    with urllib.request.urlopen(found[0] + "/health", timeout=5):
                        return found[0]
                except OSError:
                    pass
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"the server did not become ready, its log:\n{self.log_text()}")

    def resident_bytes(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read())[1]) * 1024

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self, limit_s=30):
        return self.process.wait(limit_s)

    def stop(self):
        if self.process.poll() is None:
            self.terminate()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.wait()
        self.log.close()


def main():
    split = sys.argv.index("--")
    server = ServerProcess(*sys.argv[1:split])
    try:
        return subprocess.run([*sys.argv[split + 1:], server.url], check=False).returncode
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main())
