"""The store of an earlier version (tests/data/store-schema-1): what it kept arrives after an upgrade."""

import shutil
import socket

import wire
from furrow_testing import PATIENCE, ROOT, TestCase, bridge, main

STORE = ROOT / "tests/data/store-schema-1"


class MigrationTest(TestCase):
    def connect_raw(self, client_id):
        """Resumes a session without a word more, and returns its socket."""
        resumed = socket.create_connection(("127.0.0.1", self.barn.port), PATIENCE)
        self.addCleanup(resumed.close)
        expiry = wire.property_field(wire.SESSION_EXPIRY, 3600)
        resumed.sendall(wire.connect(client_id, clean=False, properties=expiry))
        return resumed

    def packets(self, sock, count):
        """The first `count` packets that come."""
        found, data = [], b""
        while len(found) < count:
            data += sock.recv(4096)
            packets, data = wire.split(data)
            found += packets
        return found

    def test_everything_that_schema_1_kept_arrives(self):
        region = self.mosquitto().start()
        archive = self.client(region.port, "archive")
        archive.subscribe("us-east/#", 2)
        self.barn = self.gateway(bridge(region.port, "{filter: farm/#, qos: 2, remote_prefix: us-east/}"))
        self.barn.data.mkdir()
        for name in ("queues.db", "sessions.db"):
            shutil.copy(STORE / name, self.barn.data / name)
        self.barn.start()

        self.assertEqual([(one.topic, one.payload.decode(), one.qos) for one in archive.take(8)], [
            ("us-east/farm/state/pump", "on", 1),
            ("us-east/farm/field-1/moisture", "1-1", 1),
            ("us-east/farm/field-2/moisture", "1-2", 1),
            ("us-east/farm/field-3/moisture", "1-3", 1),
            ("us-east/farm/field-1/moisture", "2-1", 2),
            ("us-east/farm/field-2/moisture", "2-2", 2),
            ("us-east/farm/field-3/moisture", "2-3", 2),
            ("us-east/farm/received", "once", 2)])

        dashboard = self.client(self.barn.port, "dashboard", clean=False)
        self.assertTrue(dashboard.connack[0])
        self.assertEqual([(one.payload, one.qos) for one in dashboard.take(2)], [(b"1", 1), (b"2", 2)])

        worker = self.client(self.barn.port, "worker", clean=False)
        self.assertEqual([(one.payload, one.qos) for one in worker.take(2)], [(b"1", 1), (b"2", 2)])

        # The two exchanges go on where they were: PUBREL for the first, PUBLISH with DUP for the second.
        connack, pubrel, publish = self.packets(self.connect_raw(b"half-done"), 3)
        self.assertEqual(connack[1][:2], b"\x01\x00")  # session present, success
        self.assertEqual(pubrel, (wire.PUBREL, b"\x00\x01"))
        again = wire.parse_publish(*publish)
        self.assertEqual((again.topic, again.payload, again.dup, again.identifier), ("job/two", b"published", True, 2))

        # A message that was received and not released is known: it is answered, and not published again.
        publisher = self.connect_raw(b"publisher")
        self.packets(publisher, 1)
        publisher.sendall(wire.publish(b"farm/received", b"once", 2, 7, dup=True))
        self.assertEqual(self.packets(publisher, 1)[0], (wire.PUBREC, b"\x00\x07"))
        reader = self.client(self.barn.port, "reader")
        reader.subscribe("state/#", 1)
        reader.subscribe("farm/state/#", 1)
        self.assertEqual({one.topic: one.payload for one in reader.take(2)},
                         {"state/door": b"open", "farm/state/pump": b"on"})
        self.assertEqual(len(archive.messages), 8)
        self.assertNotIn("salvage", self.barn.log())


if __name__ == "__main__":
    main()
