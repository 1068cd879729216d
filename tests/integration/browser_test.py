"""Pages that use MQTT.js in a real browser, a headless Chromium, from an origin that may connect and from another.

The pages tell what came of them to the server that they are from. npm installs MQTT.js into the build folder, once.
"""

import http.server
import json
import os
import queue
import shutil
import subprocess
import threading

import node_packages
from furrow_testing import PATIENCE, TestCase, main, skip_all, wait_for

CHROMIUM = shutil.which("chromium")

PAGE = """<!DOCTYPE html>
<title>A dashboard</title>
<script src="/mqtt.js"></script>
<script>
function tell(result) { fetch("/told", {method: "POST", body: JSON.stringify(result)}); }
const url = new URLSearchParams(location.search).get("url");
const client = mqtt.connect(url, {clientId: "page", protocolVersion: 5, reconnectPeriod: 0});
const messages = [];
client.on("error", (error) => {});
client.on("close", () => tell({refused: true, messages}));
client.on("connect", async () => {
  await client.subscribeAsync("farm/#", {qos: 1});
  await client.publishAsync("farm/page", "from the page", {qos: 1});
});
client.on("message", (topic, payload) => {
  messages.push([topic, payload.toString()]);
  if (messages.length == 2) tell({refused: false, messages});
});
</script>
"""


class Site:
    """A web site on loopback with the page, which tells it what came of it."""

    def __init__(self):
        site = self
        self.told = queue.Queue()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                script = node_packages.FOLDER / "node_modules/mqtt/dist/mqtt.min.js"
                self.answer(script.read_bytes() if self.path == "/mqtt.js" else PAGE.encode(),
                            "text/javascript" if self.path == "/mqtt.js" else "text/html")

            def do_POST(self):
                site.told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.answer(b"", "text/plain")

            def answer(self, body, kind):
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class BrowserTest(TestCase):
    def site(self):
        site = Site()
        self.addCleanup(site.close)
        return site

    def browse(self, address):
        """In a process of its own: with the profile of another it would only ask that one."""
        profile = self.folder / f"browser-{len(list(self.folder.glob('browser-*')))}"
        profile.mkdir()
        browser = subprocess.Popen(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", f"--user-data-dir={profile}", "--remote-debugging-port=0",
             address],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        self.addCleanup(browser.wait)
        self.addCleanup(os.killpg, browser.pid, 9)

    def test_a_page_publishes_and_subscribes_where_its_origin_may(self):
        dashboard, stranger = self.site(), self.site()
        barn = self.gateway("listeners: [{bind: 127.0.0.1:0}, {bind: 127.0.0.1:0, protocol: websocket, "
                            f"origins: ['{dashboard.origin}']}}]\n").start()
        plain, port = barn.ports
        sensor = self.client(plain, "sensor")
        sensor.subscribe("farm/page", 1)

        self.browse(f"{dashboard.origin}/?url=ws://127.0.0.1:{port}/mqtt")
        self.assertEqual([one.payload for one in sensor.take(1)], [b"from the page"])
        sensor.publish("farm/sensor", "from the sensor", 1)
        told = dashboard.told.get(timeout=PATIENCE)
        self.assertEqual(told, {"refused": False, "messages": [["farm/page", "from the page"],
                                                               ["farm/sensor", "from the sensor"]]})

        self.browse(f"{stranger.origin}/?url=ws://127.0.0.1:{port}/mqtt")
        self.assertEqual(stranger.told.get(timeout=PATIENCE), {"refused": True, "messages": []})
        wait_for("the log says why", lambda: f"pages of the origin '{stranger.origin}' may not connect" in barn.log())
        self.assertEqual(sensor.payloads(), ["from the page"])


if __name__ == "__main__":
    if CHROMIUM is None:
        skip_all("chromium is not installed")
    node_packages.install()
    main()
