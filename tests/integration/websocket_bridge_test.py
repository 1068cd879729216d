"""Bridges by WebSocket: to Mosquitto and to furrow, with and without TLS, over outages; and far sides that are none."""

import http.server
import threading

from furrow_testing import bridge, main
from tls_bridge_test import TlsBridgeTestCase

VERSIONS = ("5", "3.1.1")


class WebSocketBridgeTest(TlsBridgeTestCase):
    def trust(self):
        return f"tls: {{ca: {self.authority.certificate}}}"

    def by_websocket(self):
        """Settings of a Mosquitto that listens for WebSocket; 2.0.11 does not start without another listener."""
        return f"protocol websockets\nlistener 0 {self.folder / 'mosquitto.sock'}\n"

    def furrow_by_websocket(self, settings=""):
        region = self.gateway("access: {anonymous: true}\n", name="region")
        text = region.config_path.read_text()
        region.config_path.write_text(text.replace(
            "{bind: 127.0.0.1:0}", f"{{bind: '127.0.0.1:0', protocol: websocket{settings}}}"))
        return region.start()

    def test_to_mosquitto_in_both_versions(self):
        region = self.mosquitto(self.by_websocket()).start()
        for version in VERSIONS:
            with self.subTest(version):
                barn = self.bridged(f"ws://127.0.0.1:{region.port}", f"mqtt_version: {version}")
                self.wait_online()
                self.assert_arrives(barn)

    def test_to_mosquitto_over_tls_in_both_versions(self):
        region = self.far_mosquitto(self.by_websocket())
        for version in VERSIONS:
            with self.subTest(version):
                barn = self.bridged(f"wss://localhost:{region.port}/mqtt", f"mqtt_version: {version}\n{self.trust()}")
                self.wait_online()
                self.assert_arrives(barn)

    def test_to_furrow_over_tls(self):
        region = self.furrow_by_websocket(f", tls: {{certificate: {self.server[0]}, key: {self.server[1]}}}")
        barn = self.bridged(f"wss://127.0.0.1:{region.port}", self.trust())
        self.wait_online()
        self.assert_arrives(barn)

    def test_a_message_of_many_frames_each_way(self):
        region = self.furrow_by_websocket()
        payload = "x" * 300_000
        barn = self.gateway(bridge(0, "{filter: farm/#}", "{filter: command/#, direction: down}").replace(
            "mqtt://127.0.0.1:0", f"ws://127.0.0.1:{region.port}")).start()
        self.status(barn).wait_until("online", lambda one: one["state"] == "online")
        near = self.client(barn.port, "near")
        far = self.client(region.port, "far", transport="websockets")
        near.subscribe("command/#", 1)
        far.subscribe("farm/#", 1)
        near.publish("farm/a", payload, 2)
        self.assertEqual(far.take(1)[0].payload, payload.encode())
        far.publish("command/a", payload, 2)
        self.assertEqual(near.take(1)[0].payload, payload.encode())

    def test_each_message_of_qos_2_arrives_once_over_cuts(self):
        region = self.furrow_by_websocket()
        wan = self.proxy(region.port)
        barn = self.gateway(bridge(0, "{filter: farm/#, qos: 2}").replace(
            "mqtt://127.0.0.1:0", f"ws://127.0.0.1:{wan.port}")).start()
        status = self.status(barn)
        status.wait_until("online", lambda one: one["state"] == "online")
        reader = self.client(region.port, "reader", transport="websockets")
        reader.subscribe("farm/#", 2)
        wan.cut_every = 4000
        sensor = self.client(barn.port, "sensor")
        for i in range(300):
            sensor.publish("farm/a", str(i), 2)
        wan.cut_every = None
        self.assertEqual([message.payload for message in reader.take(300)], [str(i).encode() for i in range(300)])
        self.assertGreater(wan.cuts, 1)
        status.wait_until("all is acknowledged", lambda one: one["delivered"] == 300)
        status.assert_books_balance()

    def test_far_sides_that_are_no_websocket(self):
        plain = self.mosquitto(name="plain").start()
        site = self.web_site()
        for port, reason in ((site, "the far side answers HTTP 404 Not Found: there is nothing at /mqtt"),
                             (plain.port, "the far side ended the connection while WebSocket was opened (")):
            with self.subTest(reason):
                self.bridged(f"ws://127.0.0.1:{port}", "")
                self.status_reader.wait_until("a reason", lambda one: reason in (one["reason"] or ""))

    def test_the_name_is_verified_under_the_websocket(self):
        region = self.far_mosquitto(self.by_websocket(), self.authority.issue("elsewhere", "IP:127.0.0.2"))
        self.bridged(f"wss://127.0.0.1:{region.port}", self.trust())
        self.wait_refused("the certificate is for 127.0.0.2, not 127.0.0.1")

    def web_site(self):
        class Site(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_error(404)

            def log_message(self, *_):
                pass

        site = http.server.HTTPServer(("127.0.0.1", 0), Site)
        self.addCleanup(site.server_close)
        self.addCleanup(site.shutdown)
        threading.Thread(target=site.serve_forever, daemon=True).start()
        return site.server_port


if __name__ == "__main__":
    main()
