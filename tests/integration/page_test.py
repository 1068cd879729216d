"""The status page in a real browser, a headless Chromium, with a real gateway whose region is away for a while.

The page has to say what the status topic says, under the policy that forbids it everything else, and axe-core has to
find no serious fault. Screenshots of it lie in FURROW_PAGE_SHOTS afterwards, to be looked at by a person.
"""

import http.server
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import node_packages
from furrow_testing import (PATIENCE, ROOT, Proxy, TestCase, assert_balanced, bridge, free_port, main, run_furrow,
                            skip_all, wait_for)

CHROMIUM = shutil.which("chromium")
PAGE = pathlib.Path(os.environ.get("FURROW_PAGE_FOLDER", ROOT / "build/dev/gateway/www/page"))
SHOTS = pathlib.Path(os.environ.get("FURROW_PAGE_SHOTS", ROOT / "build/page-shots"))
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' ws: wss:; "
          "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'")
SIZES = {"wide": (1280, 800), "phone": (390, 844)}
SCHEMES = ("light", "dark")
BYTES_MAX = 150_000


class Site:
    """Serves the page as the gateway does, where the gateway has none of its own, and hands its WebSocket on."""

    def __init__(self, port, gateway_port):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/mqtt":
                    self.hand_on()
                    return
                file = PAGE / (self.path.lstrip("/") or "index.html")
                if file.is_file():
                    self.answer(200, file.read_bytes(), TYPES[file.suffix])
                else:
                    self.answer(404, b"", "text/plain")

            def answer(self, status, body, kind):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Content-Security-Policy", POLICY)
                self.end_headers()
                self.wfile.write(body)

            def hand_on(self):
                self.close_connection = True
                try:
                    gateway = socket.create_connection(("127.0.0.1", gateway_port))
                except OSError:
                    return
                fields = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
                gateway.sendall(f"{self.requestline}\r\n{fields}\r\n".encode())
                back = threading.Thread(target=pump, args=(gateway, self.connection), daemon=True)
                back.start()
                pump(self.connection, gateway)
                back.join()
                gateway.close()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for one in (source, sink):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serves_page(port):
    """Whether that listener has a page itself."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Accept-Encoding": "gzip"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.headers.get_content_type() == "text/html"
    except urllib.error.HTTPError:
        return False


class Browser:
    """One page in a Chromium of its own; each command of page_browser.js is a method."""

    def __init__(self):
        script = pathlib.Path(__file__).with_name("page_browser.js")
        self.process = subprocess.Popen(
            ["node", script, CHROMIUM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=os.environ | node_packages.ENVIRONMENT)

    def __getattr__(self, name):
        return lambda argument=None: self.command(name, argument)

    def command(self, name, argument):
        self.process.stdin.write(json.dumps([name, argument]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise AssertionError(f"{name} {argument}: {answer['error']}")
        return answer["value"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


def open_page(test, web_port, site_port):
    """The page of the gateway that listens at `web_port`, or else, served at `site_port`, the one that was built."""
    if serves_page(web_port):
        url = f"http://127.0.0.1:{web_port}/"
    else:
        site = Site(site_port, web_port)
        test.addCleanup(site.close)
        url = site.url
    browser = Browser()
    test.addCleanup(browser.close)
    browser.look({"width": 1280, "height": 800, "scheme": "light"})
    browser.open(url)
    return browser


class SlowProxy(Proxy):
    """A WAN on which each turn takes a while, so that a drain can be watched."""

    def count(self, size):
        time.sleep(0.05)
        return super().count(size)


class PageTest(TestCase):
    def setUp(self):
        self.site_port = free_port()
        self.web_port = free_port()  # the same one after a restart
        self.region = self.mosquitto().start()
        self.wan = SlowProxy(self.region.port)
        self.addCleanup(self.wan.close)

    def start_barn(self, more="", bridged=True):
        listeners = (f"listeners: [{{bind: 127.0.0.1:0}}, {{bind: 127.0.0.1:{self.web_port}, protocol: websocket, "
                     f"origins: ['http://127.0.0.1:{self.site_port}']}}]\n")
        rules = ("{filter: farm/#, remote_prefix: us/}", "{filter: command/#, direction: down, remote_prefix: us/}")
        bridges = bridge(self.wan.port, *rules, settings="inflight: 10") if bridged else ""
        self.barn = self.gateway(listeners + more + bridges)
        self.barn.start()

    def open_page(self):
        return open_page(self, self.web_port, self.site_port)

    def card(self, browser):
        cards = browser.data("[data-bridge=region]")
        return cards[0] if cards else {}

    def wait_for_card(self, browser, what, condition):
        return wait_for(what, lambda: (lambda card: card if card and condition(card) else None)(self.card(browser)))

    def assert_says_what_the_topic_says(self, card, status):
        """By the number of the document that the page shows."""
        document = wait_for(f"document {card['seq']} came to the other subscriber, too", lambda: next(
            (one for one in status.documents("bridge/region") if str(one["seq"]) == card["seq"]), None))
        self.assertEqual(card["state"], document["state"])
        self.assertEqual(card["backlog"], str(document["backlog"]["messages"]))
        eta = document["drain_eta_s"]
        self.assertEqual(float(card["eta"]) if card["eta"] else None, eta)
        self.assertEqual(card["missing"], "0")
        assert_balanced(document)

    def look_at(self, browser, name):
        """Screenshots and axe-core's opinion, on all screens in all colours."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        for size, (width, height) in SIZES.items():
            for scheme in SCHEMES:
                browser.look({"width": width, "height": height, "scheme": scheme})
                self.assertEqual(browser.faults(), [], f"{name} {size} {scheme}")
                self.assertLessEqual(browser.widest(), 0, f"{name} {size} scrolls sideways")
                browser.shoot(str(SHOTS / f"{name}-{size}-{scheme}.png"))
        browser.look({"width": 1280, "height": 800, "scheme": "light"})

    def test_an_outage_is_shown_as_the_status_topic_has_it(self):
        self.start_barn()
        status = self.status(self.barn)
        browser = self.open_page()
        self.wait_for_card(browser, "the page shows the bridge online", lambda card: card["state"] == "online")
        wait_for("the page says that all is well", lambda: browser.text("#verdict-text") == "All well")
        self.assertEqual(browser.text("#link"), "live")
        self.assertEqual(browser.text("#gateway-id"), "barn")
        sensor = self.client(self.barn.port, "sensor")
        sensor.publish_each([(f"farm/{i % 5}/moisture", str(i), 1) for i in range(40)])
        self.assert_says_what_the_topic_says(self.wait_for_card(
            browser, "nothing waits", lambda card: card["backlog"] == "0" and card["state"] == "online"), status)
        self.look_at(browser, "online")

        self.wan.close()
        self.wait_for_card(browser, "the page shows the outage", lambda card: card["state"] == "backoff")
        sensor.publish_each([(f"farm/{i % 5}/moisture", str(i), 1) for i in range(1204)])
        card = self.wait_for_card(browser, "the page shows the outage and the backlog",
                                  lambda card: card["state"] == "backoff" and card["backlog"] == "1204")
        self.assert_says_what_the_topic_says(card, status)
        wait_for("the page says it in words", lambda: browser.text("#verdict-text") ==
                 "1 region is away; 1,204 messages wait, safe on disk")
        self.assertIn("refused", browser.text("[data-bridge=region] .reason"))
        self.assertIn("connection refused", " ".join(browser.texts("#concern-list li")))
        self.look_at(browser, "outage")

        self.wan.open()
        card = self.wait_for_card(browser, "the page shows how the backlog drains",
                                  lambda card: card["state"] == "draining" and card["eta"] != "")
        self.assert_says_what_the_topic_says(card, status)
        browser.shoot(str(SHOTS / "draining-wide-light.png"))
        card = self.wait_for_card(browser, "the backlog has drained",
                                  lambda card: card["state"] == "online" and card["backlog"] == "0")
        self.assert_says_what_the_topic_says(card, status)

        for _ in range(4):
            self.client(self.barn.port, "pump")
        wait_for("the page lists the alarm, and what to do",
                 lambda: re.search("client pump is thrown out by another connection.*Give each device a client id",
                                   " ".join(browser.texts("#concern-list li")), re.DOTALL))
        self.look_at(browser, "alarm")
        self.assertEqual(browser.complaints(), [])

    def test_a_page_that_lost_the_gateway_says_so_and_comes_back(self):
        self.start_barn()
        browser = self.open_page()
        wait_for("the page is live", lambda: browser.text("#link") == "live")
        self.assertEqual(browser.classes(), "")
        self.barn.crash()
        wait_for("the page says that it lost the gateway",
                 lambda: browser.text("#lost").startswith("This page lost the gateway"))
        self.assertEqual(browser.classes(), "stale")
        self.assertIn("Not known", browser.text("#verdict-text"))
        self.look_at(browser, "lost")
        self.barn.start()
        wait_for("the page is live again", lambda: browser.text("#link") == "live" and browser.classes() == "")
        self.assertEqual(browser.text("#lost"), "")

    def test_whoever_must_sign_in_is_asked_and_nothing_is_kept(self):
        passwords = self.folder / "passwords"
        passwords.touch(0o600)
        for user in ("ann", "bob"):
            self.assertEqual(run_furrow("passwd", passwords, user, "--stdin", input="s3cret\n").returncode, 0)
        rules = "[{user: ann, subscribe: $SYS/#}, {user: bob, subscribe: farm/#}]"
        self.start_barn(f"access: {{anonymous: false, password_file: {passwords}, rules: {rules}}}\n", bridged=False)
        browser = self.open_page()
        wait_for("the page asks who one is", lambda: browser.text("#login-title") == "Sign in to this gateway")
        self.look_at(browser, "login")
        self.assertEqual(browser.text("#login-error"), "")

        self.sign_in(browser, "ann", "wrong")
        wait_for("the page says that it was wrong", lambda: "does not know" in browser.text("#login-error"))
        self.sign_in(browser, "bob", "s3cret")
        wait_for("the page says what bob may not", lambda: "may not read" in browser.text("#login-error"))
        self.sign_in(browser, "ann", "s3cret")
        wait_for("the page is live", lambda: browser.text("#link") == "live")
        wait_for("it shows the gateway", lambda: browser.text("#verdict-text") == "All well; no bridge is configured")
        self.assertEqual(browser.kept(), ["", 0, 0])
        self.look_at(browser, "alone")

    def sign_in(self, browser, user, password):
        browser.fill(["#login-user", user])
        browser.fill(["#login-password", password])
        browser.click("#login button")

    def test_topics_are_listened_to_only_when_asked(self):
        self.start_barn()
        sensor = self.client(self.barn.port, "sensor")
        sensor.publish("farm/north/moisture", '{"value":41.5,"unit":"%"}', 1, retain=True)
        browser = self.open_page()
        wait_for("the page is live", lambda: browser.text("#link") == "live")
        self.assertIn("Paused", browser.text("#tree"))
        browser.click("#explorer-play")
        wait_for("the retained value is there", lambda: "41.5" in browser.text("#tree"))
        sensor.publish("farm/north/picture", bytes([0, 1, 254, 255]), 1)
        wait_for("bytes are shown as digits", lambda: "0x0001feff" in browser.text("#tree"))
        browser.click("#tree .pick:not([hidden])")
        self.assertIn('"unit": "%"', wait_for("the value is shown whole", lambda: browser.text("#value")))
        self.assertIn("QoS 1 · retained", browser.text("#value"))
        for i in range(30):
            sensor.publish(f"farm/south/{i % 10}/temperature", f"{15 + i / 10:.1f}", 0)
        wait_for("all topics are there", lambda: browser.text("#explorer-count") == "12 topics")
        self.look_at(browser, "topics")
        browser.click("#explorer-play")
        wait_for("it is paused", lambda: browser.text("#explorer-note") == "paused")
        sensor.publish("farm/late", "1", 1)
        seq = self.card(browser)["seq"]
        self.wait_for_card(browser, "a later document came", lambda card: int(card["seq"]) > int(seq) + 1)
        self.assertEqual(browser.text("#explorer-count"), "12 topics")
        self.assertEqual(browser.complaints(), [])

    def test_the_page_is_reached_by_the_keyboard(self):
        self.start_barn()
        browser = self.open_page()
        wait_for("the page is live", lambda: browser.text("#link") == "live")
        order = browser.focus(12)
        self.assertEqual(order[0], "skip")
        self.assertLess(order.index("explorer-filter"), order.index("explorer-play"))

    def test_the_page_is_small(self):
        if not PAGE.is_dir():
            self.skipTest("the page was not built here")
        sizes = {str(one.relative_to(PAGE)): len(subprocess.run(
            ["gzip", "-9nc", one], capture_output=True, check=True).stdout) for one in PAGE.rglob("*") if one.is_file()}
        self.assertLess(sum(sizes.values()), BYTES_MAX, sizes)


if __name__ == "__main__":
    if CHROMIUM is None:
        skip_all("chromium is not installed")
    node_packages.install()
    if not PAGE.is_dir():
        skip_all(f"the page was not built: {PAGE} does not exist")
    main()
