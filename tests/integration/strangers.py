"""What the tests of hostile input share: a gateway, strangers with raw sockets, and a witness who must not notice."""

import os
import pathlib
import socket
import time

from furrow_testing import BINARY, PATIENCE, TestCase, wait_for

MIB = 1 << 20
# A sanitizer keeps what is freed for a while: such a furrow's memory says nothing.
SANITIZED = any(name in BINARY.read_bytes() for name in (b"__asan_init", b"__tsan_init")) if BINARY.exists() else False
SERVED_SECONDS = 10.0  # in which others are served, whatever a stranger does; generous, because machines are busy


class StrangerTestCase(TestCase):
    CONFIG = ""

    def setUp(self):
        self.barn = self.gateway(self.CONFIG).start()
        self.witness = self.client(self.barn.port, "witness")
        self.witness.subscribe("witness", 1)
        self.served = 0
        self.assert_others_are_served()
        self.descriptors_before = self.descriptors()
        self.memory_before = self.memory()

    def tearDown(self):
        """Whatever happened here, others are served, nobody was disconnected, and nothing stays open."""
        self.assert_others_are_served()
        self.assertIsNone(self.witness.disconnected)
        self.assertTrue(self.barn.running())
        self.close_strangers()
        wait_for("the strangers' descriptors are closed", lambda: self.descriptors() <= self.descriptors_before)

    def assert_others_are_served(self):
        start = time.monotonic()
        self.served += 1
        self.witness.publish("witness", str(self.served), 1)
        self.witness.take(self.served)
        self.assertLess(time.monotonic() - start, SERVED_SECONDS, "others waited")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.barn.process.pid}/fd"))

    def memory(self):
        """The resident set in bytes."""
        status = pathlib.Path(f"/proc/{self.barn.process.pid}/status").read_text(encoding="ascii")
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def assert_memory_grew_less_than(self, bound, since=None):
        grown = self.memory() - (self.memory_before if since is None else since)
        if not SANITIZED:
            self.assertLess(grown, bound, "bytes of resident memory")

    def stranger(self):
        sock = socket.create_connection(("127.0.0.1", self.barn.port))
        sock.settimeout(PATIENCE)
        self.strangers = getattr(self, "strangers", [])
        self.strangers.append(sock)
        self.addCleanup(sock.close)
        return sock

    def close_strangers(self):
        for sock in getattr(self, "strangers", []):
            sock.close()

    def read_to_end(self, sock):
        """Everything until the gateway closes; a reset is an end like any other."""
        data = b""
        try:
            while part := sock.recv(4096):
                data += part
        except ConnectionResetError:
            pass
        return data

    def send(self, sock, data):
        """False when the gateway has closed before everything was sent."""
        try:
            sock.sendall(data)
        except OSError:
            return False
        return True

    def answer_to(self, *parts):
        """What the gateway sends until it closes a connection on which `parts` arrive."""
        sock = self.stranger()
        for part in parts:
            self.send(sock, part)
        return self.read_to_end(sock)
