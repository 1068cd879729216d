"""Bridges over TLS: to Mosquitto and to furrow, by certificate, pin and pre-shared key; and far sides that are refused
with the reason in the status."""

import re
import shutil
import socket
import ssl
import threading

from furrow_testing import TestCase, bridge, main, wait_for
from pki import Authority, pin

RULE = "{filter: farm/#, remote_prefix: us/}"
PSK = "00112233445566778899aabbccddeeff"


class TlsBridgeTestCase(TestCase):
    def setUp(self):
        self.authority = Authority(self.folder / "pki")
        self.server = self.authority.issue("region", "DNS:localhost,IP:127.0.0.1")

    def far_mosquitto(self, settings, identity=None):
        certificate, key = identity or self.server
        region = self.mosquitto(f"certfile {certificate}\nkeyfile {key}\n{settings}")
        # The plain listener would need a port of its own: this one waits until TLS is accepted.
        return region.start()

    def bridged(self, url, settings):
        text = bridge(0, RULE, settings=settings).replace("mqtt://127.0.0.1:0", url)
        barn = self.gateway(text, name=f"barn-{len(self.processes)}").start()
        self.status_reader = self.status(barn)
        return barn

    def wait_online(self):
        self.status_reader.wait_until("online", lambda one: one["state"] == "online")

    def wait_refused(self, reason):
        self.status_reader.wait_until(f"the reason: {reason}", lambda one: reason in (one["reason"] or ""))

    def assert_arrives(self, barn):
        self.client(barn.port, "sensor").publish("farm/a", "1", 1)
        self.status_reader.wait_until("it is acknowledged", lambda one: one["delivered"] >= 1)
        self.status_reader.assert_books_balance()


class ToMosquittoTest(TlsBridgeTestCase):
    def test_a_region_that_is_trusted(self):
        region = self.far_mosquitto("")
        barn = self.bridged(f"mqtts://localhost:{region.port}", f"tls: {{ca: {self.authority.certificate}}}")
        self.wait_online()
        self.assert_arrives(barn)

    def test_a_client_certificate_read_again_at_each_connect(self):
        region = self.far_mosquitto(
            f"cafile {self.authority.certificate}\nrequire_certificate true\nuse_identity_as_username true\n")
        certificate, key = self.folder / "gw.crt", self.folder / "gw.key"
        self.bridged(f"mqtts://127.0.0.1:{region.port}",
                     f"tls: {{ca: {self.authority.certificate}, certificate: {certificate}, key: {key}}}")
        self.wait_refused(f"TLS: read {certificate}: No such file or directory")
        good = self.authority.issue("barn")
        shutil.copy(good[1], key)
        shutil.copy(good[0], certificate)
        self.wait_online()

    def test_without_a_certificate_where_one_is_wanted(self):
        region = self.far_mosquitto(f"cafile {self.authority.certificate}\nrequire_certificate true\n")
        self.bridged(f"mqtts://localhost:{region.port}", f"tls: {{ca: {self.authority.certificate}}}")
        self.wait_refused("the far side wants a certificate of ours: set tls.certificate and tls.key")

    def test_the_name_of_the_far_side_is_said_and_an_address_is_not(self):
        """By SNI: a cloud serves many names at one address."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.server)
        said = []
        context.sni_callback = lambda connection, name, _: said.append(name)
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        context.wrap_socket(connection, server_side=True).close()
                    except OSError:
                        pass

        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        trust = f"ca: {self.authority.certificate}"
        for host, settings, name in (("localhost", trust, "localhost"), ("127.0.0.1", trust, None),
                                     ("127.0.0.1", f"{trust}, server_name: localhost", "localhost")):
            said.clear()
            barn = self.bridged(f"mqtts://{host}:{port}", f"tls: {{{settings}}}")
            wait_for("a name, or none, is said", lambda: said)
            self.assertEqual(said[0], name, (host, settings))
            self.assertEqual(barn.stop(), 0)

    def test_a_pin(self):
        region = self.far_mosquitto("")
        barn = self.bridged(f"mqtts://localhost:{region.port}", f"pin: '{pin(self.server[0])}'")
        self.wait_online()
        self.assert_arrives(barn)

    def test_a_pre_shared_key(self):
        file = self.folder / "mosquitto.psk"
        file.write_text(f"barn-7:{PSK}\n")
        region = self.mosquitto(f"psk_file {file}\npsk_hint region\n").start()
        key = self.folder / "region.psk"
        key.touch(0o600)
        key.write_text(f"{PSK}\n")
        barn = self.bridged(f"mqtts://localhost:{region.port}", f"psk_identity: barn-7\npsk_from: {key}")
        self.wait_online()
        self.assert_arrives(barn)
        key.write_text(f"{PSK[::-1]}\n")
        region.stop()
        region.start()
        self.wait_refused("the far side does not know psk_identity, or has another key for it")

    def test_far_sides_that_are_not_who_they_should_be(self):
        region = self.far_mosquitto("")
        url, ca = f"mqtts://localhost:{region.port}", self.authority.certificate
        other = Authority(self.folder / "other", "other")
        for settings, reason in (
                (f"tls: {{ca: {other.certificate}}}", "the far certificate comes from a CA that is not in"),
                ("tls: {ca: system}", f"or pin: {pin(self.server[0])}, which is the key it shows"),
                (f"tls: {{ca: {ca}, server_name: b.example.org}}",
                 "the certificate is for localhost, 127.0.0.1, not b.example.org"),
                (f"pin: '{pin(other.certificate)}'", "which is not what pin says")):
            with self.subTest(settings):
                self.bridged(url, settings)
                self.wait_refused(reason)

    def test_dates_and_addresses_of_the_far_certificate(self):
        for name, names, begins, ends, reason in (
                ("old", "IP:127.0.0.1", -9, -1, "the far certificate 'CN=old' has expired on "),
                ("early", "IP:127.0.0.1", 2, 9, "the far certificate 'CN=early' is not valid before "),
                ("elsewhere", "IP:127.0.0.2", -1, 9, "the certificate is for 127.0.0.2, not 127.0.0.1"),
                ("nobody", "", -1, 9, "names no host (subjectAltName)")):
            with self.subTest(name):
                region = self.far_mosquitto("", self.authority.issue(name, names, begins, ends))
                self.bridged(f"mqtts://127.0.0.1:{region.port}", f"tls: {{ca: {self.authority.certificate}}}")
                self.wait_refused(reason)
                region.stop()

    def test_a_far_side_without_tls(self):
        region = self.mosquitto().start()
        self.bridged(f"mqtts://localhost:{region.port}", f"tls: {{ca: {self.authority.certificate}}}")
        self.status_reader.wait_until("a reason", lambda one: one["reason"])


class FromMosquittoTest(TlsBridgeTestCase):
    def test_mosquitto_bridges_in(self):
        barn = self.gateway("access: {anonymous: true}\n")
        text = barn.config_path.read_text()
        barn.config_path.write_text(text.replace(
            "listeners: [{bind: 127.0.0.1:0}]", "listeners: [{bind: '127.0.0.1:0'}, {bind: '127.0.0.1:0', tls: "
            f"{{certificate: {self.server[0]}, key: {self.server[1]}, client_ca: {self.authority.certificate}}}}}]"))
        barn.start()
        port = re.findall(r" listening .*\baddress=127\.0\.0\.1:(\d+)", barn.log())[1]
        site = self.authority.issue("site")
        # Mosquitto 2.0.11 gives up where localhost is ::1 first, and nobody listens there.
        mosquitto = self.mosquitto(
            f"connection up\naddress 127.0.0.1:{port}\ntopic farm/# out 1\nbridge_cafile {self.authority.certificate}\n"
            f"bridge_certfile {site[0]}\nbridge_keyfile {site[1]}\n", name="site").start()
        reader = self.client(barn.port, "reader")
        reader.subscribe("farm/#", 1)
        wait_for("mosquitto is connected", lambda: re.search(r"connection.opened client=\S+\.up ", barn.log()))
        self.client(mosquitto.port, "sensor").publish("farm/a", "1", 1)
        self.assertEqual(reader.take(1)[0].topic, "farm/a")


class BetweenGatewaysTest(TlsBridgeTestCase):
    def far_gateway(self, tls):
        region = self.gateway("access: {anonymous: true}\n", name="region")
        text = region.config_path.read_text()
        region.config_path.write_text(text.replace("{bind: 127.0.0.1:0}", f"{{bind: '127.0.0.1:0', {tls}}}"))
        return region.start()

    def test_by_certificates_and_again_after_a_restart(self):
        region = self.far_gateway(f"tls: {{certificate: {self.server[0]}, key: {self.server[1]}, "
                                  f"client_ca: {self.authority.certificate}}}")
        certificate, key = self.authority.issue("barn")
        barn = self.bridged(
            f"mqtts://localhost:{region.port}",
            f"tls: {{ca: {self.authority.certificate}, certificate: {certificate}, key: {key}, alpn: [mqtt]}}")
        self.wait_online()
        self.assert_arrives(barn)

    def test_by_a_pre_shared_key(self):
        file = self.folder / "keys.psk"
        file.touch(0o600)
        file.write_text(f"barn-7:{PSK}\n")
        key = self.folder / "region.psk"
        key.touch(0o600)
        key.write_text(PSK)
        region = self.far_gateway(f"psk_file: {file}")
        barn = self.bridged(f"mqtts://127.0.0.1:{region.port}", f"psk_identity: barn-7\npsk_from: {key}")
        self.wait_online()
        self.assert_arrives(barn)


if __name__ == "__main__":
    main()
