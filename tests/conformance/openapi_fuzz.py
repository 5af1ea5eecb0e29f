"""schemathesis on our own /openapi.json: whatever it makes up, no answer is a 5xx, and the server lives.

Run by tests/conformance/run.
"""

import os
import subprocess
import sys
import unittest
import urllib.request

from server_process import ServerProcess

EXAMPLES = os.environ.get("TESSERA_EXAMPLES", "40")


class OpenApi(unittest.TestCase):
    def test_no_server_error(self):
        server = ServerProcess("--served-model-name", "tiny", "--log-level-http", "warning", "--enable-metrics")
        self.addCleanup(server.stop)
        result = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", server.url + "/openapi.json",
             "--checks", "not_a_server_error", "--max-examples", EXAMPLES, "--generation-deterministic",
             "--suppress-health-check", "all", "--request-timeout", "60"],
            capture_output=True, text=True, timeout=1800)
        self.assertEqual(result.returncode, 0, result.stdout[-8000:] + result.stderr[-2000:])
        print(result.stdout[-1500:], flush=True)
        with urllib.request.urlopen(server.url + "/health", timeout=10) as answer:
            self.assertEqual(answer.status, 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
