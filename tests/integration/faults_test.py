"""What a person is told of each fault, whichever way they look: the status topic, `furrow status`, /status, /metrics,
alarms, and the page."""

import json
import socket
import threading
import urllib.request

import node_packages
import page_test
import wire
from far_side_test import FarSide
from furrow_testing import TestCase, bridge_entry, free_port, main, run_furrow, skip_all, wait_for
from pki import Authority

# Bridge, state, and a part of its reason.
FAULTS = (("gone", "backoff", "connection refused"),
          ("name", "backoff", "no-such-region.invalid"),
          ("password", "backoff", "password_from"),
          ("certificate", "backoff", "has expired on "),
          ("mute", "stalled", "no acknowledgement for 1s"),
          ("poison", "online", None),
          ("contested", "backoff", "does another client use client id same?"))
ALARMS = ("bridge_stalled/mute", "quarantine/poison", "client_id/bridge contested")


def mute(connection):
    """A region that lets clients in and acknowledges nothing."""
    data = b""
    while piece := connection.recv(65536):
        data += piece
        if data[0] == wire.CONNECT and len(data) > 1:
            connection.sendall(wire.packet(wire.CONNACK, b"\0\0\0"))
            data = b"\0"  # nothing else is answered


class FaultsTest(TestCase):
    def setUp(self):
        self.web_port = free_port()
        self.site_port = free_port()
        far = FarSide(mute)
        self.addCleanup(far.close)
        locked = self.mosquitto(name="locked")
        locked.set_password("barn", "right")
        locked.start()
        password = self.folder / "password"
        password.touch(0o600)
        password.write_text("wrong\n")
        authority = Authority(self.folder)
        old = authority.issue("old", "IP:127.0.0.1", -9, -1)
        expired = self.mosquitto(f"certfile {old[0]}\nkeyfile {old[1]}\n", name="expired").start()
        small = self.mosquitto("max_packet_size 1000\n", name="small").start()
        self.shared = self.mosquitto(name="shared").start()
        tls = f"tls: {{ca: {authority.certificate}}}"
        entries = [
            ("gone", free_port(), ""), ("name", 1883, ""),
            ("password", locked.port, f"username: barn\npassword_from: {password}"), ("certificate", expired.port, tls),
            ("mute", far.port, "ack_timeout: 1s"), ("poison", small.port, "mqtt_version: 3.1.1"),
            ("contested", self.shared.port, "client_id: same")]
        text = "".join(bridge_entry(port, "{filter: farm/#}", settings=settings, name=name)
                       for name, port, settings in entries)
        text = text.replace("mqtt://127.0.0.1:1883", "mqtt://no-such-region.invalid")
        text = text.replace(f"mqtt://127.0.0.1:{expired.port}", f"mqtts://127.0.0.1:{expired.port}")
        self.barn = self.gateway(
            f"listeners: [{{bind: 127.0.0.1:0}}, {{bind: 127.0.0.1:{self.web_port}, protocol: websocket, "
            f"origins: ['http://127.0.0.1:{self.site_port}']}}]\nbridges:\n{text}").start()
        self.reader = self.status(self.barn)

    def contest(self):
        """Another client takes the name of a bridge, as often as the bridge comes back."""
        while not self.contested.wait(0.2):
            with socket.create_connection(("127.0.0.1", self.shared.port)) as rival:
                rival.sendall(wire.connect(b"same"))
                self.contested.wait(0.2)

    def wait_until_all_is_said(self):
        for name, state, reason in FAULTS:
            self.reader.wait_until(f"{name} is {state}: {reason}",
                                   lambda one, state=state, reason=reason: one["state"] == state
                                   and (reason or "") in (one["reason"] or ""), topic=f"bridge/{name}")
        for alarm in ALARMS:
            self.reader.wait_until(f"the alarm {alarm}",
                                   lambda one, alarm=alarm: alarm in [each["id"] for each in one["alarms"]],
                                   topic="alarms")

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web_port}{path}") as answer:
            return answer.read().decode()

    def test_every_way_to_look_says_the_same(self):
        sensor = self.client(self.barn.port, "sensor")
        sensor.publish_each([("farm/1", "21", 1), ("farm/1", "x" * 2000, 1)])
        self.contested = threading.Event()
        rival = threading.Thread(target=self.contest)
        rival.start()
        self.addCleanup(rival.join)
        self.addCleanup(self.contested.set)
        self.wait_until_all_is_said()

        documents = json.loads(self.get("/status"))
        self.assertEqual(set(documents["bridges"]), {name for name, _, _ in FAULTS})
        alarms = {one["id"] for one in documents["alarms"]["alarms"]}
        self.assertLessEqual(set(ALARMS), alarms)
        metrics = self.get("/metrics")
        for alarm in ALARMS:
            self.assertIn(f'furrow_alarm{{id="{alarm}"', metrics)

        # States change while they are looked at: each way gets the time in which it has to say the right thing.
        def says(text, parts):
            return all(part in text for part in parts)

        reasons = [reason for _, _, reason in FAULTS if reason]
        url = f"mqtt://127.0.0.1:{self.barn.port}"
        wait_for("the table says all of it", lambda: says(
            " ".join(run_furrow("status", "--url", url).stdout.split()), [*reasons, "in quarantine"]))
        wait_for("/status says all of it", lambda: (lambda all_of_them: all(
            all_of_them[name]["state"] == state and (reason or "") in (all_of_them[name]["reason"] or "")
            for name, state, reason in FAULTS))(json.loads(self.get("/status"))["bridges"]))
        wait_for("/metrics says all of it", lambda: says(self.get("/metrics"), [
            f'furrow_bridge_state{{bridge="{name}",state="{state}"}} 1' for name, state, _ in FAULTS]))
        self.look_at_the_page()

    def look_at_the_page(self):
        browser = page_test.open_page(self, self.web_port, self.site_port)
        for name, state, reason in FAULTS:
            def shows(name=name, state=state, reason=reason):
                cards = browser.data(f"[data-bridge={name}]")
                return (cards and cards[0]["state"] == state and
                        (not reason or reason in browser.text(f"[data-bridge={name}] .reason")))
            wait_for(f"the page says that {name} is {state}: {reason}", shows)
        concerns = wait_for("the page lists the alarms", lambda: (
            lambda text: text if "quarantine" in text and "acknowledges nothing" in text else None)(
                " ".join(browser.texts("#concern-list li"))))
        self.assertIn("does another client use client id same?", concerns)
        self.assertEqual(browser.complaints(), [])


if __name__ == "__main__":
    if page_test.CHROMIUM is None:
        skip_all("chromium is not installed")
    node_packages.install()
    main()
