"""MQTT by WebSocket: real clients, and everything that a listener for browsers must refuse."""

import contextlib
import re
import socket
import struct

import wire
from furrow_testing import V3_1_1, V5, TestCase, main, wait_for
from websocket_wire import BINARY, CLOSE, CONTINUATION, PING, TEXT, RawWebSocket, frame, request

LISTENERS = ("listeners: [{bind: 127.0.0.1:0}, {bind: 127.0.0.1:0, protocol: websocket, "
             "origins: ['https://dash.example.com']}]\n")
CONNECT = wire.connect(b"raw", level=4)
CONNACK = b"\x20\x02\x00\x00"


def close_code(payload):
    return struct.unpack(">H", payload[:2])[0] if payload else None


class WebSocketTestCase(TestCase):
    CONFIG = LISTENERS

    def setUp(self):
        self.barn = self.gateway(self.CONFIG).start()
        self.tcp, self.port = self.barn.ports
        self.witness = self.client(self.port, "witness", transport="websockets")
        self.witness.subscribe("witness", 1)
        self.told = 0

    def tearDown(self):
        """Whatever happened here, others notice nothing."""
        self.assert_others_are_served()
        self.assertIsNone(self.witness.disconnected)

    def assert_others_are_served(self):
        self.told += 1
        self.witness.publish("witness", str(self.told), 1)
        self.witness.take(self.told)

    def raw(self, *parts):
        one = RawWebSocket(self.port)
        self.addCleanup(one.close)
        with contextlib.suppress(OSError):  # closed before everything was sent
            one.send(*parts)
        return one

    def refusals(self):
        return re.findall(r"connection\.refused .*", self.barn.log())

    def assert_refused(self, why, count=1):
        wait_for(f"{count} lines with {why}", lambda: sum(why in one for one in self.refusals()) >= count)


class ClientTest(WebSocketTestCase):
    def test_paho_both_ways_at_every_qos(self):
        for version in (V3_1_1, V5):
            reader = self.client(self.port, f"reader-{version}", version, transport="websockets")
            plain = self.client(self.tcp, f"plain-{version}", version)
            reader.subscribe("farm/#", 2)
            plain.subscribe("farm/#", 2)
            messages = [(f"farm/{i}", "x" * (i * 97), i % 3) for i in range(60)]
            reader.publish_each(messages[:30])
            plain.publish_each(messages[30:])
            for one in (reader, plain):
                self.assertEqual(sorted((m.topic, len(m.payload), m.qos) for m in one.take(60)),
                                 sorted((topic, len(text), qos) for topic, text, qos in messages))
            reader.close()
            plain.close()

    def test_large_messages_cross_frames(self):
        large = "L" * 900_000
        self.witness.subscribe("large", 1)
        self.client(self.port, "writer", transport="websockets").publish("large", large, 1)
        self.witness.wait("the large one", lambda: self.witness.payloads("large"))
        self.assertEqual(self.witness.payloads("large"), [large])
        self.told += 1  # of the witness's messages

    def test_sub_protocols(self):
        for offered, spoken in (("mqtt", "mqtt"), ("mqttv3.1", "mqttv3.1"), ("chat, mqttv3.1 ,mqtt", "mqtt")):
            raw = self.raw(request(Sec_WebSocket_Protocol=offered))
            status, head = raw.head()
            self.assertEqual((status, re.search(r"Sec-WebSocket-Protocol: (\S+)", head).group(1)), (101, spoken))
        name, level = b"MQIsdp", 3
        raw.send(frame(BINARY, wire.connect(b"old", level=level, name=name)))
        self.assertEqual(raw.frame(), (BINARY, CONNACK))

    def test_status_and_log_say_what_is_spoken(self):
        document = self.status(self.barn).wait_until("a status", lambda one: True, "gateway")
        self.assertEqual([one["protocol"] for one in document["listeners"]], ["mqtt", "websocket"])


class StreamTest(WebSocketTestCase):
    """Frames are pieces of one stream, whatever they hold."""

    def test_byte_by_byte(self):
        raw = self.raw()
        raw.send_byte_by_byte(request())
        self.assertEqual(raw.head()[0], 101)
        raw.send_byte_by_byte(frame(BINARY, CONNECT) + frame(PING, b"?") + frame(BINARY, wire.PINGREQ))
        self.assertEqual(raw.stream(6), (CONNACK + wire.PINGRESP, [b"?"]))

    def test_packets_cross_frames_and_frames_hold_several(self):
        raw = self.raw().open()
        stream = CONNECT + wire.subscribe(1, [(b"a", 0)], level=4) + wire.publish(b"a", b"1", level=4) + wire.PINGREQ
        raw.send(*(frame(BINARY, bytes([byte])) for byte in stream[:20]), frame(BINARY), frame(BINARY, stream[20:]))
        answers = CONNACK + b"\x90\x03\x00\x01\x00" + wire.publish(b"a", b"1", level=4) + wire.PINGRESP
        self.assertEqual(raw.stream(len(answers)), (answers, []))

    def test_fragments_with_control_frames_between(self):
        raw = self.raw().open()
        raw.send(frame(BINARY, CONNECT[:5], fin=False), frame(PING, b"1"), frame(CONTINUATION, b"", fin=False),
                 frame(CONTINUATION, CONNECT[5:]))
        self.assertEqual(raw.stream(4), (CONNACK, [b"1"]))

    def test_request_and_frames_in_one_packet(self):
        raw = self.raw(request() + frame(BINARY, CONNECT))
        self.assertEqual(raw.head()[0], 101)
        self.assertEqual(raw.frame(), (BINARY, CONNACK))

    def test_compression_is_never_agreed_on(self):
        raw = self.raw(request(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits"))
        status, head = raw.head()
        self.assertEqual(status, 101)
        self.assertNotIn("extensions", head.lower())

    def test_a_flood_of_pings_queues_nothing(self):
        raw = self.raw().open()
        raw.send(frame(BINARY, CONNECT))
        self.assertEqual(raw.frame(), (BINARY, CONNACK))
        flood, rounds = frame(PING, b"p" * 125) * 400, 100
        raw.socket.setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):  # nothing more is read while a pong waits for its socket
            for _ in range(rounds):
                sent += raw.socket.send(flood)
        raw.socket.settimeout(10)
        self.assert_others_are_served()
        raw.socket.shutdown(socket.SHUT_WR)
        self.assertLess(len(raw.rest()), max(sent, 1) // 4)


class RefusalTest(WebSocketTestCase):
    def test_requests(self):
        forbidden = "may not connect: it is not in 'origins' of the listener"
        cases = [
            (403, forbidden, {"Origin": "https://evil.example"}),
            (403, forbidden, {"Origin": "https://dash.example.co"}),
            (403, forbidden, {"Origin": "https://dash.example.com.evil.example"}),
            (403, forbidden, {"Origin": "null"}),
            (403, forbidden, {"Origin": ""}),
            (403, "is not a name of this machine", {"Host": "evil.example:8083", "Origin": "http://evil.example:8083"}),
            (403, "is not a name of this machine", {"Host": "evil.example"}),
            (404, "nothing is at 'http://localhost/mqtt'", {"path": "http://localhost/mqtt"}),
            (405, "only GET and HEAD are understood here", {"method": "POST"}),
            (426, "MQTT is spoken here by WebSocket", {"Upgrade": None}),
            (426, "WebSocket version 13", {"Sec_WebSocket_Version": "8"}),
            (400, "WebSocket needs HTTP/1.1", {"version": "1.0"}),
            (400, "Sec-WebSocket-Key", {"Sec_WebSocket_Key": "short"}),
            (400, "Sec-WebSocket-Protocol does not offer mqtt", {"Sec_WebSocket_Protocol": "chat"}),
            (400, "Sec-WebSocket-Protocol does not offer mqtt", {"Sec_WebSocket_Protocol": None}),
            (400, "Host", {"Host": None}),
            (431, "longer than 8 KiB", {"Cookie": "c" * 9000}),
            (431, "more than 100 fields", {"more": "A: b\r\n" * 101}),
        ]
        for status, why, fields in cases:
            with self.subTest(status=status, fields=str(fields)[:80]):
                raw = self.raw(request(**fields))
                answered, head = raw.head()
                self.assertEqual(answered, status)
                self.assertIn("Connection: close", head)
                self.assertIn(why, raw.rest().decode())
        self.assertEqual(len(self.refusals()), 10, "a few lines a minute, whatever comes")
        self.assertIn("listener=websocket-2 peer=127.0.0.1:", self.refusals()[0])
        self.assertIn("WebSocket: pages of the origin 'https://evil.example' may not connect", self.refusals()[0])

    def test_allowed_origins(self):
        for fields in ({"Origin": "https://dash.example.com"}, {"Origin": "HTTPS://DASH.example.com:443"},
                       {"Origin": "http://localhost:8083", "Host": "localhost:8083"}):
            self.raw().open(**fields)

    def test_frames(self):
        cases = [
            (1002, frame(BINARY, CONNECT, mask=b"")),
            (1002, frame(CONTINUATION, CONNECT)),
            (1002, frame(BINARY, b"", fin=False) + frame(BINARY, CONNECT)),
            (1002, frame(BINARY, CONNECT, first_bits=0x40)),
            (1002, frame(3, CONNECT)),
            (1002, frame(PING, b"x", fin=False)),
            (1002, frame(PING, b"x" * 126)),
            (1003, frame(TEXT, CONNECT)),
            (1009, b"\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00"),
        ]
        for code, data in cases:
            with self.subTest(code=code, data=data[:12]):
                raw = self.raw().open().send(data[:3]).send(data[3:] + b"\x00" * 4)
                opcode, payload = raw.frame()
                self.assertEqual((opcode, close_code(payload)), (CLOSE, code))
                self.assertEqual(raw.rest(), b"")

    def test_garbage_within_frames_is_garbage_of_mqtt(self):
        raw = self.raw().open().send(frame(BINARY, b"GET / HTTP/1.1\r\n\r\n"))
        opcode, payload = raw.frame()
        self.assertEqual((opcode, close_code(payload)), (CLOSE, 1000))

    def test_a_packet_that_is_too_big(self):
        raw = self.raw().open().send(frame(BINARY, wire.connect(b"big")))
        self.assertEqual(raw.frame()[1][:1], b"\x20")
        # Its frame is announced, too, and neither is waited for nor made room for.
        raw.send(b"\x82\xff" + struct.pack(">Q", 2 << 20) + bytes(4) + wire.packet(wire.PUBLISH, bytes(2 << 20))[:9])
        self.assertEqual(raw.frame()[1][::2][:2], b"\xe0\x95", "DISCONNECT: packet too large")
        self.assertEqual((raw.frame()[0], raw.rest()), (CLOSE, b""))

    def test_other_protocols_are_named(self):
        for data, why in ((CONNECT, "speaks MQTT without WebSocket: this listener takes WebSocket"),
                          (b"\x16\x03\x01\x02\x00\x01", "speaks TLS: this listener takes WebSocket without it"),
                          (b"\x00\xff\x00\xff", "not HTTP")):
            raw = self.raw(data)
            raw.rest()
            self.assert_refused(why)

    def test_a_browser_at_the_port_of_mqtt_is_named(self):
        raw = RawWebSocket(self.tcp)
        self.addCleanup(raw.close)
        raw.send(request())
        raw.rest()
        wait_for("the log says so", lambda: "speaks HTTP: this listener takes plain MQTT" in self.barn.log())


class EndTest(WebSocketTestCase):
    def test_a_close_is_answered_with_its_code(self):
        raw = self.raw().open().send(frame(BINARY, CONNECT))
        self.assertEqual(raw.frame(), (BINARY, CONNACK))
        raw.send(frame(BINARY, wire.packet(wire.DISCONNECT, b"")), frame(CLOSE, b"\x03\xe8"))
        self.assertEqual((raw.frame(), raw.rest()), ((CLOSE, b"\x03\xe8"), b""))

    def test_a_close_without_disconnect_publishes_the_will(self):
        will = (b"witness", b"1", 1, False)
        raw = self.raw().open().send(frame(BINARY, wire.connect(b"leaves", will=will)))
        self.assertEqual(raw.frame()[1][:1], b"\x20")
        raw.send(frame(CLOSE, b"\x03\xe9"))
        self.assertEqual(raw.frame(), (CLOSE, b"\x03\xe9"))
        self.told += 1
        self.witness.take(self.told)

    def test_clients_that_vanish(self):
        """No FIN comes of them: what is left is their keep-alive, and the listener goes on."""
        for _ in range(20):
            raw = self.raw().open().send(frame(BINARY, wire.connect(b"", level=4, keepalive=1)))
            self.assertEqual(raw.frame(), (BINARY, CONNACK))
        half = self.raw(request()[:40])
        wait_for("their connections are closed",
                 lambda: len(re.findall(r"connection\.closed .*keep", self.barn.log())) == 20)
        self.assert_others_are_served()
        half.close()

    def test_a_stop_says_that_the_gateway_goes_away(self):
        raw = self.raw().open().send(frame(BINARY, wire.connect(b"stays")))
        self.assertEqual(raw.frame()[1][:1], b"\x20")
        self.witness.close()
        self.assertEqual(self.barn.stop(), 0)
        self.assertEqual(raw.frame()[1][::2][:2], b"\xe0\x8b", "DISCONNECT: server shutting down")
        self.assertEqual((raw.frame(), raw.rest()), ((CLOSE, b"\x03\xe9"), b""))

    def tearDown(self):
        if self.barn.running():
            super().tearDown()


if __name__ == "__main__":
    main()
