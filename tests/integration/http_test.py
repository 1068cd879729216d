"""What a websocket listener answers by HTTP: health, metrics, status and the page; to whom, and in every form."""

import base64
import contextlib
import gzip
import http.client
import json
import re
import shutil
import socket
import ssl
import subprocess
import time
import unittest
import urllib.request

import pki
from furrow_testing import PATIENCE, ROOT, TestCase, bridge, free_port, main, run_furrow, wait_for

LISTENERS = "listeners: [{bind: 127.0.0.1:0}, {bind: 127.0.0.1:0, protocol: websocket}]\n"
CLOSED = ("listeners:\n"
          "  - {bind: 127.0.0.1:0}\n"
          "  - {bind: 127.0.0.1:0, protocol: websocket, anonymous: false}\n"
          "access:\n"
          "  password_file: passwords\n"
          "  rules:\n"
          "    - {user: ann, subscribe: ['$SYS/#']}\n"
          "    - {everyone: true, publish: ['farm/#'], subscribe: ['farm/#']}\n")


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class HttpTestCase(TestCase):
    def ask(self, path, method="GET", **fields):
        """The answer, its body read."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        self.addCleanup(connection.close)
        connection.request(method, path, headers=fields)
        answer = connection.getresponse()
        answer.text = answer.read().decode()
        return answer

    def raw(self, data, end=True):
        """What comes for these bytes, to the end of the connection."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as one:
            for piece in data if isinstance(data, list) else [data]:
                one.sendall(piece)
                time.sleep(0.01 if isinstance(data, list) else 0)
            if end:
                one.shutdown(socket.SHUT_WR)
            received = b""
            with contextlib.suppress(ConnectionResetError):
                while more := one.recv(65536):
                    received += more
            return received.decode()


class OpenTest(HttpTestCase):
    """Anonymous clients may read the status: so may everybody on this machine."""

    def setUp(self):
        self.barn = self.gateway(LISTENERS + bridge(free_port(), "{filter: farm/#}")).start()
        self.tcp, self.port = self.barn.ports

    def tearDown(self):
        self.assertNotIn("connection.refused", self.barn.log(), "an answer is no error")

    def test_health(self):
        answer = self.ask("/healthz")
        self.assertEqual((answer.status, answer.text), (200, "ok\n"))
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(answer.headers["Connection"], "close")
        wait_for("the bridge has failed to connect", lambda: self.ask("/healthz?bridges=1").status == 503)
        self.assertRegex(self.ask("/healthz?bridges=1").text, r"\Abridge region is (backoff|connecting)\n\Z")
        self.assertEqual(self.ask("/healthz").status, 200, "a WAN outage is no reason to restart a gateway")

    def test_status_is_what_the_topics_say(self):
        self.client(self.tcp, "sensor").publish("farm/1", "x", 1)
        reader = self.status(self.barn)
        topic = reader.wait_until("one waits", lambda one: one["backlog"]["messages"] == 1)
        answer = self.ask("/status")
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
        status = json.loads(answer.text)
        self.assertEqual(list(status), ["gateway", "bridges", "alarms"])
        self.assertEqual(list(status["bridges"]), ["region"])
        bridge_now = status["bridges"]["region"]
        self.assertEqual(list(bridge_now), list(topic), "the same fields in the same order")
        for field in ("name", "accepted", "delivered", "inflight", "dropped", "rules", "remote"):
            self.assertEqual(bridge_now[field], topic[field], field)
        self.assertEqual(bridge_now["backlog"]["messages"], 1)
        gateway = reader.documents("gateway")[-1]
        self.assertEqual(list(status["gateway"]), list(gateway))
        for field in ("id", "version", "started_at", "listeners"):
            self.assertEqual(status["gateway"][field], gateway[field], field)

    def test_metrics_are_what_the_status_says(self):
        client = self.client(self.tcp, "sensor")
        client.publish_each([("farm/1", "x", 1)] * 7)
        status = json.loads(self.ask("/status").text)
        answer = self.ask("/metrics")
        self.assertEqual(answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8")
        values = dict(re.findall(r"^(\S+) (\S+)$", answer.text, re.MULTILINE))
        of_bridge = status["bridges"]["region"]
        self.assertEqual(int(values['furrow_bridge_accepted_total{bridge="region"}']), of_bridge["accepted"])
        self.assertEqual(int(values['furrow_bridge_backlog_messages{bridge="region"}']), 7)
        self.assertEqual(int(values['furrow_bridge_rule_messages_total{bridge="region",rule="farm/#",direction="up"}']),
                         of_bridge["rules"][0]["up"])
        for reason, count in of_bridge["dropped"].items():
            self.assertEqual(int(values[f'furrow_bridge_dropped_total{{bridge="region",reason="{reason}"}}']), count)
        self.assertEqual(int(values["furrow_clients_connected"]), 1)
        self.assertGreaterEqual(int(values["furrow_store_commits_total"]), 1)
        self.assertGreaterEqual(int(values["furrow_store_commit_seconds_count"]), 1)
        # The bridge tries again within a second, by the loop's timer.
        wait_for("the loop's timer", lambda: not re.search(r"^furrow_loop_lateness_seconds_count 0$",
                                                           self.ask("/metrics").text, re.MULTILINE))

    def test_the_dashboard_asks_for_metrics_that_there_are(self):
        authority = pki.Authority(self.folder / "pki")
        certificate, key = authority.issue("gateway", "DNS:localhost,IP:127.0.0.1")
        region = self.mosquitto().start()
        other = self.gateway(LISTENERS.rstrip("]\n") + f", {{bind: 127.0.0.1:0, tls: {{certificate: {certificate}, "
                             f"key: {key}}}}}]\n" + bridge(region.port, "{filter: farm/#}"), "other").start()
        tcp, self.port = other.ports[:2]
        for _ in range(4):
            self.client(tcp, "pump")  # an alarm
        board = json.loads((ROOT / "systemd/examples/grafana-dashboard.json").read_text())
        asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
        asked += [one["query"]["query"] for one in board["templating"]["list"] if one["type"] == "query"]
        wanted = set(re.findall(r"\bfurrow_[a-z0-9_]+", " ".join(asked)))
        self.assertGreater(len(wanted), 20)
        self.client(tcp, "sensor").publish("farm/1", "x", 1)

        def missing():
            return wanted - set(re.findall(r"^(furrow_[a-z0-9_]+)", self.ask("/metrics").text, re.MULTILINE))
        # Of what waits only for a moment it is enough that it is announced.
        passing = {"furrow_bridge_oldest_message_age_seconds", "furrow_bridge_drain_eta_seconds"}
        wait_for("all of them", lambda: missing() <= passing)
        for name in passing:
            self.assertIn(f"# TYPE {name} gauge\n", self.ask("/metrics").text)

    def test_acknowledgements_are_timed(self):
        region = self.mosquitto().start()
        other = self.gateway(LISTENERS + bridge(region.port, "{filter: farm/#}"), "other").start()
        tcp, self.port = other.ports
        self.client(tcp, "sensor").publish("farm/1", "x", 1)
        count = r'^furrow_bridge_acknowledgement_seconds_count\{bridge="region"\} ([1-9]\d*)$'
        wait_for("one is acknowledged", lambda: re.search(count, self.ask("/metrics").text, re.MULTILINE))

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed (package prometheus)")
    def test_promtool_takes_the_metrics(self):
        checked = subprocess.run(["promtool", "check", "metrics"], input=self.ask("/metrics").text, text=True,
                                 capture_output=True, timeout=PATIENCE, check=False)
        self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, "", ""))

    @unittest.skipUnless(shutil.which("prometheus"), "prometheus is not installed")
    def test_prometheus_scrapes_it(self):
        config = self.folder / "prometheus.yml"
        config.write_text("scrape_configs:\n  - job_name: furrow\n    scrape_interval: 1s\n    static_configs:\n"
                          f"      - targets: ['127.0.0.1:{self.port}']\n")
        port = free_port()
        server = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder / 'series'}",
             f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)

        def points():
            query = f"http://127.0.0.1:{port}/api/v1/query?query=count_over_time(furrow_info[1m])"
            with contextlib.suppress(OSError), urllib.request.urlopen(query, timeout=PATIENCE) as answer:
                result = json.load(answer)["data"]["result"]
                return int(result[0]["value"][1]) if result else 0
            return 0
        wait_for("it has scraped three times", lambda: points() >= 3, 3 * PATIENCE)
        targets = f"http://127.0.0.1:{port}/api/v1/targets"
        with urllib.request.urlopen(targets, timeout=PATIENCE) as answer:
            target = json.load(answer)["data"]["activeTargets"][0]
        self.assertEqual((target["health"], target["lastError"]), ("up", ""))

    def test_the_page(self):
        answer = self.ask("/")
        if answer.status == 200:
            self.assertIn("/healthz", answer.text, "a program without the page says what there is")
            return
        self.assertEqual(answer.status, 406, "the page is there compressed alone")
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            connection.request("GET", "/", headers={"Accept-Encoding": "gzip"})
            page = connection.getresponse()
            self.assertEqual(page.status, 200)
            self.assertIn(b"<html", gzip.decompress(page.read()))
            self.assertIn("default-src 'none'", page.headers["Content-Security-Policy"])
            version = page.headers["ETag"]
        again = self.ask("/", **{"Accept-Encoding": "gzip", "If-None-Match": version})
        self.assertEqual((again.status, again.text), (304, ""))

    def test_other_paths(self):
        for path in ("/nothing", "/mqtt/", "/healthz/", "//healthz", "/%2e%2e/etc/passwd", "/../../etc/passwd"):
            with self.subTest(path=path):
                answer = self.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                self.assertTrue(answer.startswith("HTTP/1.1 404 Not Found\r\n"), answer)

    def test_head(self):
        for path in ("/healthz", "/metrics", "/status", "/nothing"):
            with self.subTest(path=path):
                answer, whole = self.ask(path, "HEAD"), self.ask(path)
                self.assertEqual((answer.status, answer.text), (whole.status, ""))
                self.assertGreater(int(answer.headers["Content-Length"]), 0)

    def test_requests_in_pieces(self):
        request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        self.assertTrue(self.raw([bytes([one]) for one in request]).endswith("\r\n\r\nok\n"))
        self.assertEqual(self.raw(request * 3).count("HTTP/1.1"), 1, "one is answered, and the connection closed")
        self.assertTrue(self.raw(request + b"\x00" * 100_000).endswith("\r\n\r\nok\n"), "what follows is not heard")
        self.assertTrue(self.raw(request, end=False).endswith("\r\n\r\nok\n"))

    def test_questions_are_counted(self):
        before = json.loads(self.ask("/status").text)["gateway"]["links"]["questions"]
        for _ in range(5):
            self.ask("/healthz")
        self.assertEqual(json.loads(self.ask("/status").text)["gateway"]["links"]["questions"], before + 6)

    def test_many_at_once_and_those_that_never_read(self):
        with contextlib.ExitStack() as stack:
            for _ in range(100):  # more than are waited for
                one = stack.enter_context(socket.create_connection(("127.0.0.1", self.port), PATIENCE))
                one.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertEqual(self.ask("/healthz").status, 200)
        self.client(self.tcp, "still").publish("farm/1", "served", 1)


class RefusalTest(HttpTestCase):
    def setUp(self):
        self.barn = self.gateway(LISTENERS).start()
        self.port = self.barn.ports[1]

    def test_names_of_others(self):
        """A page of another site cannot read what is here, whatever name it gives us."""
        for path in ("/", "/healthz", "/metrics", "/status", "/nothing"):
            for fields in ({"Host": "evil.example"}, {"Host": "evil.example:8083"},
                           {"Origin": "https://evil.example"}, {"Origin": "null"},
                           {"Host": "evil.example", "Origin": "http://evil.example"}):
                with self.subTest(path=path, **fields):
                    self.assertEqual(self.ask(path, **fields).status, 403)
            self.assertNotEqual(self.ask(path, Origin=f"http://127.0.0.1:{self.port}").status, 403)

    def test_methods_and_garbage(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            answer = self.ask("/status", method)
            self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"))
        self.assertTrue(self.raw(b"GET /status HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 400 "), "a Host is missing")
        self.assertTrue(self.raw(b"GET /status\r\n\r\n").startswith("HTTP/1.1 400 "))
        self.assertTrue(self.raw(b"\x00\x01\x02\x03\r\n\r\n").startswith("HTTP/1.1 400 "))
        self.assertEqual(self.ask("/healthz").text, "ok\n")


class LoginTest(HttpTestCase):
    def setUp(self):
        for user in ("ann", "bob"):
            made = run_furrow("passwd", self.folder / "passwords", user, "--stdin", input=f"{user}-secret\n")
            self.assertEqual(made.returncode, 0, made.stderr)
        self.barn = self.gateway(CLOSED).start()
        self.port = self.barn.ports[1]

    def test_who_may_read_the_status(self):
        for path in ("/status", "/metrics"):
            answer = self.ask(path)
            self.assertEqual(answer.status, 401)
            self.assertEqual(answer.headers["WWW-Authenticate"], 'Basic realm="furrow", charset="UTF-8"')
            self.assertNotIn("furrow_info", answer.text)
            self.assertEqual(self.ask(path, **basic("ann", "ann-secret")).status, 200)
            self.assertEqual(self.ask(path, **basic("bob", "bob-secret")).status, 403)
        self.assertNotIn("login.failed", self.barn.log(), "a browser comes without a password at first")

    def test_health_and_page_are_for_everybody(self):
        self.assertEqual(self.ask("/healthz").text, "ok\n")
        self.assertIn(self.ask("/").status, (200, 406))

    def test_wrong_passwords(self):
        for user, password, reason in (("ann", "guess", "wrong_password"), ("eve", "guess", "unknown_user")):
            begun = time.monotonic()
            self.assertEqual(self.ask("/status", **basic(user, password)).status, 401)
            self.assertGreater(time.monotonic() - begun, 0.09, "guessing takes time")
            self.assertIn(f"login.failed listener=websocket-2 address=127.0.0.1 user={user} reason={reason}",
                          self.barn.log())
        self.assertEqual(self.ask("/status", Authorization="Bearer abc").status, 401)
        self.assertNotIn("guess", self.barn.log())
        self.assertEqual(self.ask("/status", **basic("ann", "ann-secret")).status, 200)

    def test_those_that_leave_before_their_answer(self):
        for _ in range(20):
            with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as one:
                secret = basic("ann", "other")["Authorization"]
                one.sendall(f"GET /status HTTP/1.1\r\nHost: localhost\r\nAuthorization: {secret}\r\n\r\n".encode())
        self.assertEqual(self.ask("/status", **basic("ann", "ann-secret")).status, 200)


class SecureTest(TestCase):
    def test_the_same_by_tls(self):
        authority = pki.Authority(self.folder / "pki")
        certificate, key = authority.issue("gateway", "DNS:localhost,IP:127.0.0.1")
        barn = self.gateway(f"listeners: [{{bind: 127.0.0.1:0, protocol: websocket, "
                            f"tls: {{certificate: {certificate}, key: {key}}}}}]\n").start()
        context = ssl.create_default_context(cafile=authority.certificate)
        for path in ("/healthz", "/status", "/metrics"):
            with self.subTest(path=path):
                url = f"https://localhost:{barn.ports[0]}{path}"
                with urllib.request.urlopen(url, timeout=PATIENCE, context=context) as answer:
                    self.assertEqual(answer.status, 200)
                    self.assertEqual(len(answer.read()), int(answer.headers["Content-Length"]))
        self.assertNotIn("connection.refused", barn.log())


if __name__ == "__main__":
    main()
