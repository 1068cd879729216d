"""Regions that are not as the specification has them, and what the operator is told about them."""

import socket
import ssl
import struct
import subprocess
import threading
import time

import wire
from furrow_testing import TestCase, bridge, main, wait_for
from login_test import OldRegion


class FarSide:
    """Something that listens where a region is expected: `serve` is called with each connection, on its own thread."""

    def __init__(self, serve):
        self.serve = serve
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self.run, args=(connection,), daemon=True).start()

    def run(self, connection):
        try:
            with connection:
                self.serve(connection)
        except OSError:
            pass  # the bridge went away

    def close(self):
        self.listener.close()


class OldRabbit:
    """A broker of 3.1.1 that has no QoS 2: it answers PUBLISH of any QoS with PUBACK, as RabbitMQ does."""

    def __init__(self):
        self.publishes = []  # their first bytes

    def serve(self, connection):
        data = b""
        while piece := connection.recv(65536):
            data += piece
            while len(data) >= 2 and len(data) >= 2 + data[1]:  # packets are short here
                first, body, data = data[0], data[2:2 + data[1]], data[2 + data[1]:]
                self.answer(connection, first, body)

    def answer(self, connection, first, body):
        if first == wire.CONNECT:
            connection.sendall(wire.packet(wire.CONNACK, b"\0\0"))
        elif first & 0xf0 == wire.PUBLISH:
            self.publishes.append(first)
            topic_size = struct.unpack(">H", body[:2])[0]
            identifier = struct.unpack(">H", body[2 + topic_size:4 + topic_size])[0]
            connection.sendall(wire.acknowledgement(wire.PUBACK, identifier))
        elif first == wire.PINGREQ[0]:
            connection.sendall(wire.PINGRESP)


class FarSideTest(TestCase):
    def far_side(self, serve):
        far = FarSide(serve)
        self.addCleanup(far.close)
        return far

    def barn(self, port, *rules, settings=""):
        gateway = self.gateway(bridge(port, *(rules or ["{filter: farm/#, qos: 2}"]), settings=settings)).start()
        self.bridge_status = self.status(gateway)
        return gateway

    def wait_for_reason(self, state, reason):
        return self.bridge_status.wait_until(
            f"{state}, {reason}", lambda one: one["state"] == state and reason in (one["reason"] or ""))

    def test_region_without_qos_2(self):
        rabbit = OldRabbit()
        barn = self.barn(self.far_side(rabbit.serve).port, settings="mqtt_version: 3.1.1\nack_timeout: 2s")
        self.bridge_status.publish("farm/a", "1", 2)
        self.bridge_status.publish("farm/a", "2", 2)
        self.wait_for_reason("online", "set qos: 1")
        self.bridge_status.wait_until("both are delivered", lambda one: one["delivered"] == 2)
        self.bridge_status.publish("farm/a", "3", 2)
        self.bridge_status.wait_until("the third is delivered", lambda one: one["delivered"] == 3)
        self.assertEqual(len(rabbit.publishes), 3, "none is repeated")
        self.assertEqual(rabbit.publishes[-1] >> 1 & 3, 1)
        self.assertIn("bridge.odd_answer", barn.log())

    def test_dialect_is_remembered_over_a_restart(self):
        region = self.mosquitto().start()
        old = OldRegion(region.port, b"")
        self.addCleanup(old.close)
        barn = self.barn(old.port)
        self.wait_for_reason("online", "")
        self.assertEqual(old.refused, 2)
        self.assertEqual(barn.stop(), 0)
        barn.start()
        self.bridge_status = self.status(barn)
        self.wait_for_reason("online", "")
        self.assertEqual(old.refused, 2, "it was not asked in MQTT 5 again")

    def test_web_server(self):
        def serve(connection):
            connection.recv(1024)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

        self.barn(self.far_side(serve).port)
        self.wait_for_reason("backoff", "it is a web server, not an MQTT broker")

    def test_tls_port(self):
        key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-subj", "/CN=localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        answers = []

        def serve(connection):
            try:
                context.wrap_socket(connection, server_side=True)
            except ssl.SSLError as error:
                answers.append(error.reason)

        self.barn(self.far_side(serve).port)
        wait_for("the port has refused it", lambda: answers)
        self.wait_for_reason("backoff", "use mqtts://127.0.0.1")

    def test_one_message_under_one_name_where_rules_overlap(self):
        region = self.mosquitto().start()
        self.barn(region.port, "{filter: a/#, direction: down, local_prefix: one/}",
                  "{filter: +/x, direction: down, local_prefix: two/}",
                  "{filter: a/#, direction: down, local_prefix: three/}")
        self.bridge_status.subscribe("#", 1)
        self.wait_for_reason("online", "")
        operator = self.client(region.port, "operator")
        for number in range(20):
            operator.publish("a/x", f"both {number}", 1)
            operator.publish("b/x", f"second {number}", 1)
        self.bridge_status.wait("the last one", lambda: "second 19" in self.bridge_status.payloads("two/b/x"))
        self.assertEqual(self.bridge_status.payloads("one/a/x"), [f"both {number}" for number in range(20)])
        self.assertEqual(self.bridge_status.payloads("two/a/x"), [])
        self.assertEqual(self.bridge_status.payloads("three/a/x"), [])
        self.bridge_status.wait_until("the other copies are counted", lambda one: one["received_dropped"] == 20)

    def test_region_that_never_acknowledges(self):
        def serve(connection):
            connection.recv(1024)
            connection.sendall(b"\x20\x03\0\0\0")
            while connection.recv(65536):
                pass

        self.barn(self.far_side(serve).port, settings="ack_timeout: 1s")
        self.bridge_status.publish("farm/a", "1", 2)
        self.wait_for_reason("backoff", "no acknowledgement for 1s")
        self.wait_for_reason("stalled", "no acknowledgement for 1s")
        def alarm(document):
            return next((one for one in document["alarms"] if one["id"] == "bridge_stalled/region"), None)

        raised = self.bridge_status.wait_until("the alarm", alarm, topic="alarms")
        self.assertEqual(alarm(raised)["what"], "is connected, but the region acknowledges nothing: "
                                                "no acknowledgement for 1s")
        before = len(self.bridge_status.documents("bridge/region"))
        alarms_before = len(self.bridge_status.documents("alarms"))
        time.sleep(6)  # longer than an alarm lingers
        for one in self.bridge_status.documents("alarms")[alarms_before:]:
            self.assertTrue(alarm(one), "it stays over the attempts")
        for one in self.bridge_status.documents("bridge/region")[before:]:
            self.assertIn(one["state"], ("stalled", "backoff", "connecting"))


if __name__ == "__main__":
    main()
