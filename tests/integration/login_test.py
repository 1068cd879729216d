"""How a bridge logs in to a region: its version of MQTT, its user name, and a password that may change."""

import socket

from furrow_testing import Proxy, TestCase, bridge, main, publish_lines


class OldRegion(Proxy):
    """The way to a region that knows MQTT 3.1.1 only: another version is refused as such a broker does it."""

    def __init__(self, port, answer):
        self.answer = answer  # to a CONNECT of another version, before the connection is closed
        self.refused = 0
        super().__init__(port)

    def pump(self, source, sink, counted):
        if counted and not self.is_old(source):
            self.refused += 1
            source.sendall(self.answer)
            source.shutdown(socket.SHUT_RDWR)
            return
        super().pump(source, sink, counted)

    @staticmethod
    def is_old(source):
        connect = source.recv(16, socket.MSG_PEEK)  # fixed header, length (one byte here), "MQTT", level
        return connect[8] & 0x7F == 4


class PasswordTest(TestCase):
    def start(self, version):
        self.password = self.folder / "region.password"
        self.region = self.mosquitto()
        self.region.set_password("barn-7", "first")
        self.region.start()
        self.barn = self.gateway(bridge(
            self.region.port, "{filter: farm/#, remote_prefix: us/}",
            settings=f"username: barn-7\npassword_from: {self.password}\nmqtt_version: {version}")).start()
        self.bridge_status = self.status(self.barn)

    def write_password(self, text):
        self.password.touch(0o600)
        self.password.write_text(text)

    def wait_for_state(self, state, reason=""):
        return self.bridge_status.wait_until(
            f"{state}, {reason}", lambda one: one["state"] == state and reason in (one["reason"] or ""))

    def test_password_is_read_again_at_each_connect(self):
        self.password_is_read_again_at_each_connect("5")

    def test_password_is_read_again_at_each_connect_in_3_1_1(self):
        self.password_is_read_again_at_each_connect("3.1.1")

    def password_is_read_again_at_each_connect(self, version):
        self.start(version)
        self.wait_for_state("backoff", str(self.password))  # says which file is missing
        self.write_password("wrong\n")
        self.wait_for_state("backoff", "refused CONNECT")
        self.bridge_status.publish("farm/a", "kept", 1)
        self.write_password("first\n")
        self.wait_for_state("online")
        self.assertIn(f"mqtt_version={version}", self.barn.log())

        self.region.set_password("barn-7", "second")
        self.region.reload()
        self.wait_for_state("backoff", "refused CONNECT")  # Mosquitto closes what no longer may be there
        self.bridge_status.publish("farm/a", "kept, too", 1)
        self.write_password("second\n")
        self.bridge_status.wait_until("both have arrived", lambda one: one["delivered"] == 2)
        self.bridge_status.assert_books_balance()
        for password in ("first", "second", "wrong"):
            self.assertNotIn(password, self.barn.log(whole=True))


class VersionTest(TestCase):
    def up_and_down(self, port, region, settings=""):
        """Readings go up at each QoS, through an outage as well, and a command comes down."""
        archive = self.archive(region.port, "us/farm/#", 2).start()
        wan = self.proxy(port)
        barn = self.gateway(bridge(wan.port, "{filter: farm/#, qos: 2, remote_prefix: us/}",
                                   "{filter: command/#, direction: down}", settings=settings)).start()
        status = self.status(barn)
        status.subscribe("command/#", 1)
        status.wait_until("the bridge is online", lambda one: one["state"] == "online")
        self.assertIn("mqtt_version=3.1.1", barn.log())
        for qos in (0, 1, 2):
            status.publish(f"farm/live/{qos}", f"live {qos}", qos)
        self.client(region.port, "operator").publish("command/pump", "on", 1)
        status.wait("the command", lambda: "on" in status.payloads("command/pump"))
        wan.close()
        self.assert_published(publish_lines(barn.port, "farm/late", range(500), qos=2))
        wan.open()
        status.wait_until("all is delivered", lambda one: one["delivered"] == 503 and one["state"] == "online")
        status.assert_books_balance()
        archive.wait_for_payload("us/farm/late", "499")
        self.assertEqual(archive.payloads("us/farm/late"), [str(one) for one in range(500)])
        for qos in (0, 1, 2):
            self.assertEqual(archive.payloads(f"us/farm/live/{qos}"), [f"live {qos}"])

    def test_version_by_configuration(self):
        region = self.mosquitto().start()
        self.up_and_down(region.port, region, "mqtt_version: 3.1.1")

    def test_region_that_refuses_the_newer_version(self):
        self.up_and_down_to_an_old_region(b"\x20\x02\x00\x01")

    def test_region_that_closes_on_the_newer_version(self):
        self.up_and_down_to_an_old_region(b"")

    def up_and_down_to_an_old_region(self, answer):
        region = self.mosquitto().start()
        old = OldRegion(region.port, answer)
        self.addCleanup(old.close)
        self.up_and_down(old.port, region)
        self.assertGreater(old.refused, 0)


if __name__ == "__main__":
    main()
