"""Clients by every way in at once: TCP, TLS, WebSocket, both, pre-shared key and unix socket; as nobody, by password,
by certificate, by key, and as a user of this machine. What holds for one holds for all."""

import itertools
import os
import pathlib
import resource
import signal
import subprocess
import sys

from furrow_testing import PATIENCE, Process, TestCase, main, run_furrow, wait_for
from pki import Authority

PSK = "00112233445566778899aabbccddeeff"
RULES = "[{everyone: true, publish: '#', subscribe: '#'}]"


class Waiting(Process):
    """Waits for news, by paho where that can, else by mosquitto_sub."""

    def start(self, *arguments, login=None):
        self.environment = {"NEWS_LOGIN": login} if login else {}
        self.spawn(*arguments)
        return self

    def news(self):
        return [line for line in self.log(whole=True).splitlines() if line.startswith("news-")]


class EveryWayTest(TestCase):
    def setUp(self):
        self.authority = Authority(self.folder / "pki")
        self.certificate, self.key = self.authority.issue("gateway", "DNS:localhost,IP:127.0.0.1")
        self.device = self.authority.issue("sensor-1")
        self.socket = self.folder / "mqtt.sock"
        self.passwords = self.folder / "passwords"
        run_furrow("passwd", self.passwords, "ann", "--stdin", input="secret\n")
        psk = self.folder / "sensors.psk"
        psk.write_text(f"sensor-2:{PSK}\n")
        psk.chmod(0o600)
        tls = f"certificate: {self.certificate}, key: {self.key}"
        listeners = ("{bind: '127.0.0.1:0'}", f"{{bind: '127.0.0.1:0', tls: {{{tls}}}}}",
                     f"{{bind: '127.0.0.1:0', tls: {{{tls}, client_ca: {self.authority.certificate}}}}}",
                     "{bind: '127.0.0.1:0', protocol: websocket}",
                     f"{{bind: '127.0.0.1:0', protocol: websocket, tls: {{{tls}}}}}",
                     f"{{bind: '127.0.0.1:0', psk_file: {psk}}}", f"{{bind: 'unix:{self.socket}'}}")
        self.barn = self.gateway(
            f"listeners: [{', '.join(listeners)}]\n"
            f"access: {{anonymous: true, password_file: {self.passwords}, rules: {RULES}}}\n").start()
        self.started = 0
        self.told = 0

    def start_clients(self):
        """One of each kind, which have subscribed."""
        tcp, tls, by_certificate, ws, wss, psk = self.barn.ports
        ca = self.authority.certificate
        self.started += 1
        paho = (sys.executable, pathlib.Path(__file__).with_name("waiting_client.py"))
        mosquitto = ("mosquitto_sub", "-k", "5", "-q", "1", "-t", "news")
        kinds = {
            "nobody": (*paho, "tcp", tcp), "ann": (*paho, "tcp", tcp), "tls": (*paho, "tls", tls, ca),
            "certificate": (*paho, "tls", by_certificate, ca, *self.device), "ws": (*paho, "ws", ws),
            "wss": (*paho, "wss", wss, ca),
            "psk": (*mosquitto, "-h", "localhost", "-p", psk, "--psk", PSK, "--psk-identity", "sensor-2"),
            "unix": (*mosquitto, "--unix", self.socket)}
        clients = []
        for kind, (program, first, *rest) in kinds.items():
            name = f"{kind}-{self.started}"
            named = (first, name, *rest) if program == sys.executable else (first, *rest, "-i", name)
            clients.append(self.own(Waiting(name, self.folder)).start(
                program, *named, login="ann:secret" if kind == "ann" else None))
        opened = lambda name: f"connection.opened client={name} " in self.barn.log()
        wait_for("everybody has been there for a second", lambda: all(opened(one.name) for one in clients))
        return clients

    def assert_all_hear(self, clients):
        self.told += 1
        news = f"news-{self.told}"
        self.client(self.barn.ports[0], f"crier-{self.told}").publish("news", news, 1)
        for one in clients:
            wait_for(f"{one.name} hears {news}", lambda: news in one.news())

    def hup(self, outcome):
        before = len(self.barn.log())
        self.barn.process.send_signal(signal.SIGHUP)
        wait_for(outcome, lambda: outcome in self.barn.log()[before:])
        return self.barn.log()[before:]

    def closed(self, clients):
        return [one.name for one in clients if f"connection.closed client={one.name} " in self.barn.log()]

    def test_a_reload_leaves_every_client_where_it_is(self):
        clients = self.start_clients()
        self.assert_all_hear(clients)
        config = self.barn.config_path.read_text()
        self.barn.config_path.write_text(config.replace(RULES, RULES[:-1] + ", {user: bob, subscribe: '#'}]"))
        self.hup("reload.done")
        self.assert_all_hear(clients)
        self.authority.issue("gateway", "DNS:localhost,IP:127.0.0.1", ends=20)
        run_furrow("passwd", self.passwords, "bob", "--stdin", input="another\n")
        self.hup("reload.done")
        self.assert_all_hear(clients)
        self.assertEqual(self.closed(clients), [])
        self.assert_all_hear(self.start_clients())

    def test_a_reload_without_descriptors_opens_no_door(self):
        clients = self.start_clients()
        process = self.barn.process.pid
        limits = resource.prlimit(process, resource.RLIMIT_NOFILE)
        used = {int(one) for one in os.listdir(f"/proc/{process}/fd")}
        first_free = next(one for one in itertools.count() if one not in used)
        resource.prlimit(process, resource.RLIMIT_NOFILE, (first_free, limits[1]))
        said = self.hup("reload.")
        resource.prlimit(process, resource.RLIMIT_NOFILE, limits)
        self.assertIn("reload.refused", said)
        self.assertIn("Too many open files", said)
        self.assert_all_hear(clients)
        wrong = subprocess.run(["mosquitto_pub", "-p", str(self.barn.ports[0]), "-u", "ann", "-P", "wrong", "-t", "a",
                                "-m", "1"], capture_output=True, timeout=PATIENCE, check=False)
        self.assertNotEqual(wrong.returncode, 0)
        self.hup("reload.done")

    def test_whoever_vanishes_without_a_word_is_missed_and_nobody_else_suffers(self):
        clients = self.start_clients()
        self.assert_all_hear(clients)
        for one in clients:
            one.process.send_signal(signal.SIGSTOP)  # as a lid that is closed: the kernel still acknowledges
        wait_for("all of them are missed", lambda: len(self.closed(clients)) == len(clients))
        for name in self.closed(clients):
            line = next(one for one in self.barn.log().splitlines() if f"connection.closed client={name} " in one)
            self.assertIn("reason=keep_alive_timeout", line)
        self.assert_all_hear(self.start_clients())


if __name__ == "__main__":
    main()
