"""What strangers may send: it ends their connection, with the right reason, and nothing else."""

import random
import socket

from furrow_testing import main
from strangers import StrangerTestCase
from wire import PINGREQ, PINGRESP, connect, field, packet

MALFORMED_PACKET = 0x81
PROTOCOL_ERROR = 0x82
UNSUPPORTED_VERSION = 0x84
PACKET_TOO_LARGE = 0x95


class HostileTest(StrangerTestCase):
    def reason_after_connect(self, data):
        """The reason code of the DISCONNECT that ends an MQTT 5 connection on which `data` arrives."""
        sock = self.stranger()
        sock.sendall(connect())
        connack = sock.recv(4096)
        self.assertEqual((connack[0], connack[3]), (0x20, 0), connack)
        sock.sendall(data)
        rest = self.read_to_end(sock)
        self.assertEqual(rest[:1], b"\xe0", f"DISCONNECT expected, not {rest!r}")
        return rest[2]

    def test_malformed_packets(self):
        for name, data in {
            "reserved type 0": b"\x00\x00",
            "PUBLISH with QoS 3": packet(0x36, field(b"a") + b"\x00\x01\x00"),
            "SUBSCRIBE with flags 0": packet(0x80, b"\x00\x01\x00" + field(b"a") + b"\x00"),
            "a remaining length of five bytes": b"\x30\xff\xff\xff\xff\x01",
            "a topic that is not UTF-8": packet(0x30, field(b"\xc0\x80") + b"\x00"),
            "a topic longer than its packet": packet(0x30, b"\x00\x09abc"),
            "properties longer than the packet": packet(0x30, field(b"a") + b"\x7f"),
            "an unknown property": packet(0x30, field(b"a") + b"\x02\x7e\x00"),
        }.items():
            with self.subTest(name):
                self.assertEqual(self.reason_after_connect(data), MALFORMED_PACKET)

    def test_protocol_errors(self):
        for name, data in {
            "a second CONNECT": connect(),
            "packet identifier 0": packet(0x32, field(b"a") + b"\x00\x00\x00"),
            "a property twice": packet(0x30, field(b"a") + b"\x04\x01\x00\x01\x00"),
            "SUBSCRIBE without a filter": packet(0x82, b"\x00\x01\x00"),
            "a packet that only servers send": packet(0x20, b"\x00\x00\x00"),
        }.items():
            with self.subTest(name):
                self.assertIn(self.reason_after_connect(data), (PROTOCOL_ERROR, MALFORMED_PACKET))

    def test_a_packet_larger_than_the_limit(self):
        huge = b"\x30\xff\xff\xff\x7f"  # 256 MiB, announced only
        self.assertEqual(self.reason_after_connect(huge), PACKET_TOO_LARGE)

    def test_nothing_but_connect_may_come_first(self):
        for first in (PINGREQ, packet(0x30, field(b"a") + b"x"), packet(0x82, b"\x00\x01" + field(b"a") + b"\x00")):
            with self.subTest(first=first):
                self.assertEqual(self.answer_to(first), b"")

    def test_an_unknown_version(self):
        answer = self.answer_to(connect(level=9))
        self.assertEqual(answer[0], 0x20)
        self.assertIn(answer[3], (1, UNSUPPORTED_VERSION))

    def test_another_protocol(self):
        self.assertEqual(self.answer_to(b"GET / HTTP/1.1\r\nHost: barn\r\n\r\n"), b"")
        self.assertEqual(self.answer_to(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)), b"")
        for protocol in ("HTTP", "TLS"):
            self.assertIn(f"speaks {protocol}: this listener takes plain MQTT", self.barn.log())

    def test_a_huge_connect(self):
        self.assertEqual(self.answer_to(b"\x10\xff\xff\xff\x7f" + bytes(100_000)), b"")

    def test_random_bytes(self):
        seed = random.randrange(2**32)
        source = random.Random(seed)
        with self.subTest(seed=seed):
            for _ in range(200):
                before = connect() if source.random() < 0.5 else b""
                sock = self.stranger()
                try:
                    sock.sendall(before + source.randbytes(source.randrange(1, 2000)))
                    sock.shutdown(socket.SHUT_WR)
                except OSError:
                    pass  # closed before everything was sent
                self.read_to_end(sock)
            self.assertTrue(self.barn.running())

    def test_a_connect_in_pieces(self):
        """Slow is not wrong: one byte at a time is a client like any other."""
        sock = self.stranger()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in connect(level=4):
            sock.sendall(bytes([byte]))
        self.assertEqual(sock.recv(4), b"\x20\x02\x00\x00")
        sock.sendall(PINGREQ)
        self.assertEqual(sock.recv(2), PINGRESP)

    def test_a_connect_that_never_comes(self):
        """Half a CONNECT, and then silence: the gateway does not wait for ever."""
        sock = self.stranger()
        sock.sendall(connect()[:5])
        self.assertEqual(self.read_to_end(sock), b"")

    def test_many_connections_at_once(self):
        crowd = [self.stranger() for _ in range(300)]
        for sock in crowd:
            sock.sendall(connect()[:3])
        for sock in crowd:
            sock.close()


if __name__ == "__main__":
    main()
