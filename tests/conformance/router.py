"""SGLang's router in front of two servers: it finds them healthy, uses both, and goes on with one when the other is killed.

Run by tests/conformance/run.
"""

import json
import re
import socket
import subprocess
import sys
import time
import unittest
import urllib.error
import urllib.request

from server_process import ServerProcess


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fetch(url, body=None, timeout=30):
    """Status and text of the answer; status 0 when there is none."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def served(server):
    """How many requests the server has finished."""
    found = re.search(r"^sglang:num_requests_total\S* (\d+)", fetch(server.url + "/metrics")[1], re.MULTILINE)
    return int(found[1])


class Router(unittest.TestCase):
    def setUp(self):
        self.servers = [ServerProcess("--served-model-name", "tiny", "--enable-metrics") for _ in range(2)]
        for server in self.servers:
            self.addCleanup(server.stop)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sglang_router.launch_router", "--worker-urls", *[server.url for server in self.servers],
             "--host", "127.0.0.1", "--port", str(port), "--policy", "round_robin", "--prometheus-port", str(free_port()),
             "--health-check-interval-secs", "1", "--health-failure-threshold", "2", "--retry-max-retries", "5"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.wait_for(lambda: self.generate()[0] == 200, "the router serves")

    def wait_for(self, holds, what, limit_s=60):
        deadline = time.monotonic() + limit_s
        while not holds():
            self.assertLess(time.monotonic(), deadline, f"not within {limit_s} s: {what}")
            time.sleep(0.2)

    def generate(self):
        return fetch(self.url + "/generate", {"text": "Hi", "sampling_params": {"temperature": 0, "max_new_tokens": 4}})

    def test_routes_and_survives_a_dead_worker(self):
        before = [served(server) for server in self.servers]
        answers = {self.generate()[0] for _ in range(20)}
        self.assertEqual(answers, {200})
        for server, count in zip(self.servers, before):
            self.assertGreater(served(server), count, "round robin leaves a server out")
        status, text = fetch(self.url + "/v1/chat/completions",
                             {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4})
        self.assertEqual(status, 200, text)
        status, text = fetch(self.url + "/v1/completions", {"model": "tiny", "prompt": "Hi", "max_tokens": 4, "stream": True})
        self.assertEqual(status, 200, text)
        self.assertTrue(text.rstrip().endswith("data: [DONE]"), text)
        self.assertEqual(fetch(self.url + "/health")[0], 200)

        self.servers[0].process.kill()
        self.servers[0].process.wait()
        # Retries hide the dead one at once; the health check takes it out soon.
        answers = [self.generate()[0] for _ in range(20)]
        self.assertEqual(set(answers), {200}, answers)
        self.assertEqual(fetch(self.url + "/health")[0], 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
