"""Clients on listeners with TLS: who is let in, as whom, and what is said of those who are not."""

import contextlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess

import wire
from furrow_testing import PATIENCE, Client, TestCase, main, wait_for
from pki import Authority


class TlsTestCase(TestCase):
    """A CA, and a gateway whose first listener is plain and whose second has TLS."""

    TLS = ""  # beside certificate and key

    def setUp(self):
        self.authority = Authority(self.folder / "pki")
        self.certificate, self.key = self.authority.issue("gateway", "DNS:localhost,IP:127.0.0.1")
        self.barn = self.gateway("access: {anonymous: true}\n")
        self.set_tls(f"tls: {{certificate: {self.certificate}, key: {self.key}{self.TLS}}}")

    def set_tls(self, tls):
        text = self.barn.config_path.read_text()
        own = re.search(r"listeners: .*\n", text).group(0)
        self.barn.config_path.write_text(
            text.replace(own, f"listeners: [{{bind: '127.0.0.1:0'}}, {{bind: '127.0.0.1:0', {tls}}}]\n"))

    def start(self):
        self.barn.start()
        found = re.findall(r" listening .*\baddress=127\.0\.0\.1:(\d+)", self.barn.log())
        self.plain_port, self.port = (int(port) for port in found)

    def publish(self, *settings, host="localhost", ca=None, topic="field/a"):
        """mosquitto_pub over TLS; returns what it said, or nothing when it is content."""
        ca = ("--cafile", ca or self.authority.certificate) if "--psk" not in settings else ()
        result = subprocess.run(
            ["mosquitto_pub", "-h", host, "-p", str(self.port), *(str(one) for one in ca), "-t", topic, "-m", "1",
             "-q", "1", *(str(one) for one in settings)],
            capture_output=True, text=True, timeout=PATIENCE, check=False)
        return "" if result.returncode == 0 else result.stderr + f"({result.returncode})"

    def refusals(self):
        return re.findall(r"connection\.refused .*", self.barn.log())

    def wait_for_refusal(self, why):
        wait_for(f"the line: {why}", lambda: any(why in line for line in self.refusals()))

    def stranger(self, *parts):
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.settimeout(PATIENCE)
        self.addCleanup(sock.close)
        for part in parts:
            with contextlib.suppress(OSError):
                sock.sendall(part)
        return sock

    def end_of(self, sock):
        """Reads to the end."""
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while part := sock.recv(4096):
                data += part
        return data


class ServerTest(TlsTestCase):
    def test_mosquitto_clients_publish_and_subscribe(self):
        self.start()
        reader = self.client(self.plain_port, "reader")
        reader.subscribe("field/#", 1)
        for host in ("localhost", "127.0.0.1"):
            for version in ("tlsv1.2", "tlsv1.3"):
                self.assertEqual(self.publish("--tls-version", version, host=host, topic=f"field/{version}"), "")
        reader.take(4)
        self.assertEqual(self.refusals(), [])

    def test_paho_over_tls(self):
        self.start()
        client = Client(self.port, "sensor")
        client.paho.tls_set(ca_certs=str(self.authority.certificate))
        client.connect()
        self.addCleanup(client.close)
        client.subscribe("field/#", 1)
        payload = "x" * 200_000
        client.publish("field/large", payload, 1)
        self.assertEqual(client.take(1)[0].payload.decode(), payload)

    def test_a_client_that_does_not_trust_us_goes_and_is_named(self):
        self.start()
        other = Authority(self.folder / "other", "other")
        self.assertIn("(", self.publish(ca=other.certificate))
        self.wait_for_refusal("TLS: the client refuses our certificate (unknown CA)")

    def test_old_versions_are_refused(self):
        self.start()
        for version in ("-tls1", "-tls1_1", "-tls1_2", "-tls1_3"):
            result = subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", version, "-cipher", "ALL:@SECLEVEL=0",
                 "-CAfile", self.authority.certificate, "-verify_return_error"],
                input="", capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertEqual(result.returncode == 0, version in ("-tls1_2", "-tls1_3"), result.stderr)
        self.wait_for_refusal("it speaks only versions of TLS older than min_version")

    def test_renegotiation_is_refused(self):
        self.start()
        process = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-tls1_2", "-CAfile",
             self.authority.certificate], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True)
        output, _ = process.communicate("R\n", timeout=PATIENCE)
        self.assertIn("no renegotiation", output)

    def test_whoever_speaks_something_else_is_named_and_others_are_served(self):
        self.start()
        witness = self.client(self.plain_port, "witness")
        for data, why in ((wire.connect(b"", level=4), "it speaks plain MQTT"),
                          (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "it speaks HTTP without TLS"),
                          (b"\xff" * 100, "it does not speak TLS")):
            self.assertEqual(self.end_of(self.stranger(data)), b"")
            self.wait_for_refusal(why)
        # Garbage in the middle of a handshake, and behind one.
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
        sock = self.stranger(outgoing.read(), b"\xff" * 100)
        self.end_of(sock)
        self.wait_for_refusal("something that is no record of TLS came in the middle of the handshake")
        with context.wrap_socket(self.stranger(), server_hostname="localhost") as inner:
            os.write(inner.fileno(), b"\x17\x03\x03\x00\x20" + b"\xff" * 32)
            with contextlib.suppress(OSError):
                self.end_of(inner)
        self.wait_for_refusal("TLS: the handshake failed: decryption failed or bad record mac")
        witness.publish("field/a", "1", 1)
        self.assertIsNone(witness.disconnected)

    def test_garbage_inside_of_tls_is_a_matter_of_mqtt(self):
        self.start()
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        with context.wrap_socket(self.stranger(), server_hostname="localhost") as inner:
            inner.sendall(b"GET / HTTP/1.1\r\n\r\n")
            self.assertEqual(self.end_of(inner), b"")
        wait_for("the line of the broker", lambda: "speaks HTTP" in self.barn.log())


class ClientCertificateTest(TlsTestCase):
    def setUp(self):
        super().setUp()
        self.good = self.authority.issue("sensor-1")
        self.revoked = self.authority.issue("stolen")
        self.crl = self.authority.revoke(self.revoked[0])
        self.set_tls(f"tls: {{certificate: {self.certificate}, key: {self.key}, "
                     f"client_ca: {self.authority.certificate}, crl: {self.crl}}}")

    def publish_as(self, identity, **settings):
        return self.publish("--cert", identity[0], "--key", identity[1], **settings)

    def test_whoever_has_a_good_certificate_is_let_in_and_nobody_else(self):
        self.start()
        self.assertEqual(self.publish_as(self.good), "")
        self.assertIn("(", self.publish())
        self.wait_for_refusal("it has no client certificate, which this listener requires")
        self.assertIn("(", self.publish_as(self.revoked))
        self.wait_for_refusal(f"its certificate 'CN=stolen' has been revoked, says {self.crl}")
        self.assertIn("(", self.publish_as(self.authority.issue("old", begins=-9, ends=-1)))
        self.wait_for_refusal("its certificate 'CN=old' has expired on ")
        self.assertIn("(", self.publish_as(self.authority.issue("early", begins=2)))
        self.wait_for_refusal("its certificate 'CN=early' is not valid before ")
        forger = Authority(self.folder / "forger", "ca")  # of the same name
        self.assertIn("(", self.publish_as(forger.issue("sensor-1")))
        self.wait_for_refusal("(unknown CA)")

    def test_a_reload_takes_new_trust_and_leaves_living_clients(self):
        self.start()
        living = Client(self.port, "living")
        living.paho.tls_set(str(self.authority.certificate), str(self.good[0]), str(self.good[1]))
        living.connect()
        self.addCleanup(living.close)
        other = Authority(self.folder / "other", "other")
        fresh = other.issue("sensor-2")
        shutil.copy(other.revoke(), self.crl)
        old_ca = self.folder / "old-ca.crt"
        shutil.copy(self.authority.certificate, old_ca)
        shutil.copy(other.certificate, self.authority.certificate)
        self.barn.process.send_signal(signal.SIGHUP)
        wait_for("the new files are taken", lambda: "tls.reloaded" in self.barn.log())
        self.assertEqual(self.publish_as(fresh, ca=old_ca), "")
        self.assertIn("(", self.publish_as(self.good, ca=old_ca))
        self.wait_for_refusal("its certificate 'CN=sensor-1' does not come from a CA in")
        living.publish("field/a", "1", 1)
        self.assertIsNone(living.disconnected)
        # What does not fit changes nothing.
        shutil.copy(fresh[1], self.key)
        self.barn.process.send_signal(signal.SIGHUP)
        wait_for("the refusal", lambda: re.search(r"reload\.refused .*does not fit the certificate", self.barn.log()))
        self.assertEqual(self.publish_as(fresh, ca=old_ca), "")


class PskTest(TlsTestCase):
    def setUp(self):
        super().setUp()
        self.psk = "00112233445566778899aabbccddeeff"
        file = self.folder / "sensors.psk"
        file.write_text(f"sensor-1:{self.psk}\n")
        file.chmod(0o600)
        self.set_tls(f"psk_file: {file}")

    def test_only_the_right_key_is_let_in(self):
        self.start()
        for version in ("tlsv1.2", "tlsv1.3"):
            settings = ("--psk-identity", "sensor-1", "--tls-version", version)
            self.assertEqual(self.publish("--psk", self.psk, *settings), "", version)
            self.assertIn("(", self.publish("--psk", self.psk[::-1], *settings))
        self.wait_for_refusal("it has the wrong key for its PSK identity 'sensor-1'")
        self.assertIn("(", self.publish("--psk", self.psk, "--psk-identity", "sensor-2"))
        self.wait_for_refusal("its PSK identity 'sensor-2' is not in psk_file")

    def test_a_client_without_a_key_is_refused(self):
        self.start()
        self.assertIn("(", self.publish())
        self.wait_for_refusal("it offers no pre-shared key, which is all that this listener takes")


class StartTest(TlsTestCase):
    def assert_refuses_to_start(self, why):
        self.barn.spawn_run()
        self.assertEqual(self.barn.process.wait(PATIENCE), 1)
        self.assertIn(why, self.barn.log())

    def test_a_key_that_others_may_read(self):
        self.key.chmod(0o644)
        self.assert_refuses_to_start(f"'chmod 600 {self.key}' ends that")

    def test_a_key_that_does_not_fit(self):
        shutil.copy(self.authority.key, self.key)
        self.assert_refuses_to_start(f"the key {self.key} does not fit the certificate {self.certificate}")

    def test_links_are_followed(self):
        real = self.folder / "real.key"
        shutil.move(self.key, real)
        self.key.symlink_to(real)
        self.start()
        self.assertEqual(self.publish(), "")


if __name__ == "__main__":
    main()
