"""MQTT by WebSocket over TLS, with users by certificate and by password, and the rules that hold for them."""

import contextlib
import socket
import ssl
import subprocess

from furrow_testing import BINARY, PATIENCE, V3_1_1, V5, VERSION_NAMES, Client, TestCase, main, wait_for
from pki import Authority

RULES = """
  rules:
    - {user: sensor-1, publish: "farm/{user}/#"}
    - {user: ann, subscribe: "farm/#"}
"""


class SecureClient(Client):
    """By wss, or by TLS alone."""

    def __init__(self, port, client_id, version, authority, transport="websockets", certificate=None, login=None):
        super().__init__(port, client_id, version, transport=transport)
        certfile, keyfile = certificate or (None, None)
        self.paho.tls_set(ca_certs=str(authority.certificate), certfile=certfile and str(certfile),
                          keyfile=keyfile and str(keyfile), cert_reqs=ssl.CERT_REQUIRED)
        if login:
            self.paho.username_pw_set(*login)


class WssTest(TestCase):
    def setUp(self):
        self.authority = Authority(self.folder / "pki")
        certificate, key = self.authority.issue("gateway", "DNS:localhost,IP:127.0.0.1")
        tls = f"certificate: {certificate}, key: {key}, client_ca: {self.authority.certificate}"
        passwords = self.folder / "passwords"
        subprocess.run([BINARY, "passwd", passwords, "ann", "--stdin"], input="secret\n", text=True, check=True)
        self.barn = self.gateway(f"access:\n  anonymous: false\n  password_file: {passwords}{RULES}")
        text = self.barn.config_path.read_text()
        self.barn.config_path.write_text(text.replace(
            "listeners: [{bind: 127.0.0.1:0}]\n",
            "listeners:\n"
            f"  - {{bind: 127.0.0.1:0, protocol: websocket, tls: {{{tls}, require_client_certificate: false}}}}\n"
            f"  - {{bind: 127.0.0.1:0, protocol: websocket, name: closed, tls: {{{tls}}}}}\n"
            f"  - {{bind: 127.0.0.1:0, tls: {{{tls}, require_client_certificate: false}}}}\n"))
        self.barn.start()
        self.wss, self.closed, self.tls = self.barn.ports

    def secure(self, port, *arguments, **settings):
        client = SecureClient(port, *arguments, **settings)
        self.addCleanup(client.close)
        return client.connect()

    def test_users_by_certificate_and_by_password_and_their_rules(self):
        sensor = self.authority.issue("sensor-1")
        for version in (V3_1_1, V5):
            name = VERSION_NAMES[version]
            ann = self.secure(self.wss, f"ann-{name}", version, self.authority, login=("ann", "secret"))
            self.assertEqual(ann.subscribe("farm/#", 1), 1)
            for port, transport in ((self.wss, "websockets"), (self.closed, "websockets"), (self.tls, "tcp")):
                one = self.secure(port, f"sensor-{name}-{port}", version, self.authority, transport, sensor)
                one.paho.publish("farm/sensor-2/x", "not its own", 1)
                one.publish("farm/sensor-1/x", str(port), 1)
            self.assertEqual([one.payload for one in ann.take(3)],
                             [str(port).encode() for port in (self.wss, self.closed, self.tls)])

    def expect_line(self, why, attempt):
        before = len(self.barn.log())
        attempt()
        wait_for(f"the log says {why}", lambda: why in self.barn.log()[before:])

    def shake_hands(self, port, certificate=None):
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        if certificate:
            context.load_cert_chain(*(str(one) for one in certificate))
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as tcp, \
                context.wrap_socket(tcp, server_hostname="localhost") as tls:
            tls.settimeout(PATIENCE)
            self.assertEqual(tls.recv(1), b"", "an answer to somebody who is refused")

    def test_certificates_that_are_refused(self):
        stranger = Authority(self.folder / "strangers").issue("sensor-1")
        self.expect_line("TLS: it has no client certificate", lambda: self.shake_hands(self.closed))
        for port in (self.wss, self.closed, self.tls):
            self.expect_line("TLS: ", lambda port=port: self.shake_hands(port, stranger))

    def test_a_password_that_is_refused(self):
        def log_in(port, transport):
            with self.assertRaises(AssertionError):
                self.secure(port, "stranger", V5, self.authority, transport=transport, login=("ann", "wrong"))

        for port, transport in ((self.wss, "websockets"), (self.tls, "tcp")):
            self.expect_line("reason=wrong_password", lambda port=port, transport=transport: log_in(port, transport))


if __name__ == "__main__":
    main()
