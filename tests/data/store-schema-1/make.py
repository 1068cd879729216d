"""Makes the files of this folder: the store of a gateway of schema 1, stopped in order with everything that it keeps.

    FURROW_BINARY=.../furrow-of-130fc28 /usr/bin/python3 tests/data/store-schema-1/make.py

130fc28 is the last commit but a few that writes schema 1. Nobody but us has been at this store: names and payloads are
invented. What is in it stands in README.md, and what becomes of it in tests/unit/gateway/store/migration_test.cc.
"""

import pathlib
import shutil
import socket
import sqlite3
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parents[1] / "integration"))

import wire
from furrow_testing import Client, Gateway, free_port, wait_for

CONFIG = """
access: {anonymous: true}
bridges:
  - name: region
    connect: mqtt://127.0.0.1:%d
    topics: [{filter: farm/#, qos: 2, remote_prefix: us-east/}]
"""


class Raw:
    """A client that leaves exchanges half done."""

    def __init__(self, port, client_id):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.data = b""
        self.packets = []
        self.send(wire.connect(client_id, clean=False, properties=wire.property_field(wire.SESSION_EXPIRY, 2**32 - 1)))
        self.expect(wire.CONNACK)

    def send(self, data):
        self.socket.sendall(data)

    def expect(self, kind):
        """The body of the next packet of this kind; all before it are passed over."""
        while True:
            for place, (first, body) in enumerate(self.packets):
                if first & 0xf0 == kind & 0xf0:
                    del self.packets[:place + 1]
                    return first, body
            self.data += self.socket.recv(4096)
            found, self.data = wire.split(self.data)
            self.packets += found


def fill(port):
    sensor = Client(port, "sensor").connect()
    # Retained values, one of them on its way to the region, too.
    sensor.publish("state/door", "open", 1, retain=True)
    sensor.publish("farm/state/pump", "on", 1, retain=True)
    # For the region, which is away.
    for qos in (1, 2):
        for number in range(1, 4):
            sensor.publish(f"farm/field-{number}/moisture", f"{qos}-{number}", qos)
    # A session that is away, with messages waiting.
    with Client(port, "dashboard", clean=False) as dashboard:
        dashboard.subscribe("alarm/#", 2)
    for qos in (1, 2):
        sensor.publish("alarm/smoke", f"{qos}", qos)
    # One that has answered PUBREC to the first of two messages, and nothing to the second.
    half_done = Raw(port, b"half-done")
    half_done.send(wire.subscribe(1, [(b"job/#", 2)]))
    half_done.expect(wire.SUBACK)
    sensor.publish("job/one", "released", 2)
    sensor.publish("job/two", "published", 2)
    first = wire.parse_publish(*half_done.expect(wire.PUBLISH))
    half_done.expect(wire.PUBLISH)
    half_done.send(wire.acknowledgement(wire.PUBREC, first.identifier))
    half_done.expect(wire.PUBREL)
    # One that has had PUBREC for a message of its own, and has not released it.
    publisher = Raw(port, b"publisher")
    publisher.send(wire.publish(b"farm/received", b"once", 2, 7))
    publisher.expect(wire.PUBREC)
    # A group whose member is away.
    with Client(port, "worker", clean=False) as worker:
        worker.subscribe("$share/crew/task/#", 2)
    for qos in (1, 2):
        sensor.publish("task/mow", f"{qos}", qos)
    sensor.close()
    return half_done, publisher


def main():
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway("barn-7", folder, CONFIG % free_port()).start()
        clients = fill(gateway.port)
        assert gateway.stop() == 0, gateway.log()
        del clients
        for name in ("queues.db", "sessions.db"):
            database = sqlite3.connect(gateway.data / name)
            version = database.execute("PRAGMA user_version").fetchone()[0]
            assert version == 1, f"{name} has schema {version}"
            assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
            database.close()
            shutil.copy(gateway.data / name, FOLDER / name)


main()
