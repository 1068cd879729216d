"""`furrow check --connect`: what it says of real regions, of such as do not let us in, and of ways that end early."""

import json

from furrow_testing import bridge, free_port, main, run_furrow
from login_test import OldRegion
from tls_bridge_test import TlsBridgeTestCase

UP = "{filter: farm/#}"
DOWN = "{filter: news/#, direction: down, qos: 1}"
BOTH = "{filter: command/#, direction: both, qos: 2}"


class CheckLinkTest(TlsBridgeTestCase):
    def config_of(self, url, *rules, settings=""):
        text = bridge(0, *(rules or (UP, DOWN)), settings=settings).replace("mqtt://127.0.0.1:0", url)
        self.barn = self.gateway(text, name="barn")
        return self.barn.config_path

    def check(self, url, *rules, settings="", expect=0):
        """The steps as (name, ok, what), and what is advised."""
        config = self.config_of(url, *rules, settings=settings)
        done = run_furrow("check", "-c", config, "--connect", "--json")
        self.assertEqual((done.returncode, done.stderr), (expect, ""), done.stdout)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual({(one["bridge"], one["remote"]) for one in lines}, {("region", url)})
        self.advice = " ".join(one.get("do", "") for one in lines)
        return [(one["step"], one["ok"], one["what"]) for one in lines]

    def assert_fails_at(self, steps, name, why):
        self.assertEqual([step[0] for step in steps if not step[1]], [name], steps)
        self.assertRegex([step[2] for step in steps if not step[1]][0], why)

    def test_all_is_well_and_a_bridge_that_runs_stays(self):
        region = self.mosquitto().start()
        steps = self.check(f"mqtt://127.0.0.1:{region.port}", UP, DOWN, BOTH)
        self.assertEqual([step[:2] for step in steps],
                         [(name, True) for name in ("TCP", "CONNECT", "limits", "subscribe", "subscribe",
                                                    "round trip")])
        self.assertRegex(steps[1][2], r"^MQTT 5, as barn-region-check, in \d+ ms$")
        self.assertEqual(steps[2][2], "QoS 2 at most, 20 messages in flight")
        self.assertEqual([steps[3][2], steps[4][2]], ["news/#: QoS 1", "command/#: QoS 2"])

        self.barn.start()
        self.status(self.barn).wait_until("online", lambda one: one["state"] == "online")
        config = self.barn.config_path
        done = run_furrow("check", config, "--connect", "region")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"(?m)^bridge region, mqtt://127\.0\.0\.1:\d+\n  ok    TCP +connected to")
        document = self.status(self.barn).wait_until("still", lambda one: one["state"] == "online")
        self.assertEqual(document["connects"], 1, "it was not pushed out")

    def test_nothing_is_left_at_the_region(self):
        region = self.mosquitto().start()
        for version in ("5", "3.1.1"):
            self.check(f"mqtt://127.0.0.1:{region.port}", UP, DOWN, settings=f"mqtt_version: {version}")
        region.stop()
        region.start()
        self.assertNotIn("barn-region-check", (region.data / "mosquitto.db").read_bytes().decode("latin-1"))

    def test_by_tls_and_websocket(self):
        region = self.far_mosquitto("")
        trust = f"tls: {{ca: {self.authority.certificate}}}"
        steps = self.check(f"mqtts://localhost:{region.port}", settings=trust)
        self.assertEqual([step[0] for step in steps[:4]], ["name", "TCP", "TLS", "CONNECT"])
        self.assertRegex(steps[0][2], r"^localhost is .*127\.0\.0\.1")
        self.assertRegex(steps[2][2], r"^TLSv1\.3, certificate of .*region.*, which ends \d{4}-\d\d-\d\d")
        region = self.mosquitto(f"protocol websockets\nlistener 0 {self.folder / 'other.sock'}\n", name="web").start()
        steps = self.check(f"ws://127.0.0.1:{region.port}/mqtt")
        self.assertEqual([step[0] for step in steps[:3]], ["TCP", "WebSocket", "CONNECT"])

    def test_a_region_that_is_not_trusted(self):
        region = self.far_mosquitto("")
        self.assert_fails_at(self.check(f"mqtts://localhost:{region.port}", expect=1), "TLS", "tls.ca")

    def test_a_region_that_wants_a_certificate_of_ours(self):
        region = self.far_mosquitto(f"cafile {self.authority.certificate}\nrequire_certificate true\n")
        steps = self.check(f"mqtts://localhost:{region.port}", settings=f"tls: {{ca: {self.authority.certificate}}}",
                           expect=1)
        self.assertEqual([step[1] for step in steps][-1], False)
        self.assertIn("set tls.certificate and tls.key", steps[-1][2])

    def test_a_login_that_is_refused(self):
        region = self.mosquitto()
        region.set_password("barn", "secret")
        region.start()
        steps = self.check(f"mqtt://127.0.0.1:{region.port}", expect=1)
        self.assert_fails_at(steps, "CONNECT", "username")
        password = self.folder / "password"
        password.write_text("secret\n")
        password.chmod(0o600)
        steps = self.check(f"mqtt://127.0.0.1:{region.port}", settings=f"username: barn\npassword_from: {password}")
        self.assertIn("user barn", dict((step[0], step[2]) for step in steps)["CONNECT"])

    def test_a_rule_that_is_refused_and_the_others_go_on(self):
        # A furrow as the region: Mosquitto grants what nobody may read.
        access = "access: {anonymous: true, rules: [{everyone: true, subscribe: command/#}]}\n"
        far = self.gateway(access, name="far").start()
        steps = self.check(f"mqtt://127.0.0.1:{far.port}", UP, DOWN, BOTH, expect=1)
        self.assert_fails_at(steps, "subscribe", r"^news/#: not_authorized")
        self.assertIn(("subscribe", True, "command/#: QoS 2"), steps)

    def test_nobody_is_there(self):
        self.assert_fails_at(self.check("mqtt://nobody.invalid:1883", expect=1), "name", ".")
        self.assertIn("getent hosts nobody.invalid", self.advice)
        port = free_port()
        self.assert_fails_at(self.check(f"mqtt://127.0.0.1:{port}", expect=1), "TCP", "connection refused")

    def test_an_older_broker(self):
        """It ends the connection at MQTT 5, as RabbitMQ did."""
        region = self.mosquitto().start()
        old = OldRegion(region.port, b"")
        self.addCleanup(old.close)
        steps = self.check(f"mqtt://127.0.0.1:{old.port}", UP, DOWN)
        self.assertRegex(dict((step[0], step[2]) for step in steps)["CONNECT"],
                         r"^MQTT 3\.1\.1, as barn-region-check \(MQTT 5: the far side ended the connection")
        self.assertEqual([step[0] for step in steps], ["TCP", "CONNECT", "limits", "subscribe", "round trip"])

    def test_a_bridge_that_is_not_there(self):
        config = self.config_of("mqtt://127.0.0.1:1")
        done = run_furrow("check", "-c", config, "--connect", "regoin")
        self.assertEqual(done.returncode, 2)
        self.assertIn("there is no bridge 'regoin'", done.stderr)

    def test_a_file_with_mistakes_is_not_tried(self):
        config = self.config_of("mqtt://127.0.0.1:1", "{filter: farm/#, qqos: 1}")
        done = run_furrow("check", "-c", config, "--connect")
        self.assertEqual(done.returncode, 2)
        self.assertNotIn("TCP", done.stdout)


if __name__ == "__main__":
    main()
