"""How a bridge reaches its region, and when, seen from outside: from which address, through which proxy, in which
hours, under which name, and out of which file."""

import base64
import signal
import shutil
import socket
import threading
import time
import unittest

from furrow_testing import Process, TestCase, bridge, free_port, main, run_furrow, undelivered, wait_for
from pki import Authority
from preload import FOLDER, library, preloaded

CLOCK_LIBRARY = library("synchronised_clock")


class LinkTest(TestCase):
    repeat_with = {"FURROW_PRELOAD_FOLDER": FOLDER}

    def status_of(self, gateway, what, condition, name="region"):
        return self.status(gateway).wait_until(what, condition, topic=f"bridge/{name}")

    def wait_online(self, gateway, name="region"):
        return self.status_of(gateway, "online", lambda one: one["state"] == "online", name)

    def gateway_that_trusts_its_clock(self, config):
        barn = self.gateway(config)
        barn.environment = preloaded(CLOCK_LIBRARY)
        return barn

    def reload(self, gateway, outcome="reload.done"):
        before = len(gateway.log())
        gateway.process.send_signal(signal.SIGHUP)
        wait_for(f"the log says {outcome}", lambda: outcome in gateway.log()[before:])
        return gateway.log()[before:]


class IncludeTest(LinkTest):
    def test_bridges_of_other_files_are_read_at_start_and_at_a_reload(self):
        region = self.mosquitto()
        region.set_password("ann", "secret")
        region.start()
        barn = self.gateway('include: ["furrow.d/*.yaml"]\n')
        folder = barn.folder / "furrow.d"
        folder.mkdir()
        self.assertIn("matches no file", run_furrow("check", "-c", barn.config_path).stdout)
        barn.start()
        (folder / "secret").write_text("secret\n")
        (folder / "secret").chmod(0o600)
        text = bridge(region.port, "{filter: farm/#}", settings="username: ann\npassword_from: secret")
        (folder / "10-region.yaml").write_text(text)
        self.reload(barn)
        self.wait_online(barn)
        barn.kill()
        barn.start()
        self.wait_online(barn)
        (folder / "20-twice.yaml").write_text("status: {interval: 5s}\n")
        said = self.reload(barn, outcome="reload.refused")
        self.assertRegex(said, r"20-twice.yaml:1:10: duplicate key 'interval', first given in line \d+ of .*barn.yaml")
        self.assertEqual(run_furrow("check", "-c", barn.config_path).returncode, 2)


class RenameTest(LinkTest):
    def setUp(self):
        self.region = self.mosquitto().start()
        self.archive_of_region = self.archive(self.region.port, "us/#", 2)
        self.wan = self.proxy(self.region.port)
        self.rule = "{filter: farm/#, qos: 2, remote_prefix: us/}"
        self.barn = self.gateway(bridge(self.wan.port, self.rule)).start()
        self.wait_online(self.barn)
        self.sensor = self.client(self.barn.port, "sensor")
        for i in range(20):
            self.sensor.publish("farm/a", str(i), 2)
        self.status_of(self.barn, "delivered", lambda one: one["delivered"] == 20)
        self.wan.close()
        for i in range(20, 40):
            self.sensor.publish("farm/a", str(i), 2)

    def rename(self):
        text = self.barn.config_path.read_text()
        self.barn.config_path.write_text(text.replace("name: region", "name: us\n    renamed_from: region"))

    def assert_all_arrived(self):
        self.wan.open()
        document = self.status_of(self.barn, "all is delivered", lambda one: one["delivered"] == 40, "us")
        self.assertEqual(document["accepted"], 40)
        self.archive_of_region.start()
        self.archive_of_region.wait_for_payload("us/farm/a", "39")
        self.assertEqual(self.archive_of_region.payloads("us/farm/a"), [str(i) for i in range(40)])

    def test_a_start_under_a_new_name_and_kills_soon_after(self):
        self.barn.kill()
        self.rename()
        for delay in (0.0, 0.02, 0.05, 0.1, 0.2):
            self.barn.spawn_run()
            time.sleep(delay)
            self.barn.kill()
        self.barn.start()
        self.assertIn("bridge.renamed", self.barn.log(whole=True))
        self.assertNotIn("bridge.unconfigured", self.barn.log())
        self.assert_all_arrived()

    def test_a_reload_under_a_new_name(self):
        self.rename()
        self.reload(self.barn)
        self.assertIn("bridge.renamed", self.barn.log())
        self.status_of(self.barn, "it shows under its new name", lambda one: undelivered(one) == 20, "us")
        self.assert_all_arrived()
        self.barn.kill()
        self.barn.start()
        self.assertNotIn("bridge.renamed", self.barn.log())
        self.assertEqual(self.wait_online(self.barn, "us")["accepted"], 40)


class SourceTest(LinkTest):
    def test_a_connection_comes_from_the_address_or_interface_that_is_named(self):
        region = self.mosquitto().start()
        tap = Listener(region.port)
        self.addCleanup(tap.close)
        barn = self.gateway(bridge(tap.port, "{filter: farm/#}", settings="source: 127.0.0.9")).start()
        self.wait_online(barn)
        self.assertEqual(tap.peers[-1], "127.0.0.9")
        text = barn.config_path.read_text()
        barn.config_path.write_text(text.replace("source: 127.0.0.9", "source: nowhere0"))
        self.reload(barn)
        document = self.status_of(barn, "away", lambda one: one["state"] == "backoff")
        self.assertIn("source nowhere0: there is no network interface or address of that name", document["reason"])
        barn.config_path.write_text(text.replace("source: 127.0.0.9", "source: lo"))
        self.reload(barn)
        self.wait_online(barn)


class ProxyTest(LinkTest):
    def bridged(self, proxy, port, settings=""):
        return self.gateway(bridge(port, "{filter: farm/#}", settings=f"proxy: {proxy}\n{settings}"))

    def assert_reason(self, gateway, reason):
        self.status_of(gateway, f"the reason is {reason}", lambda one: reason in (one["reason"] or ""))

    def test_connect_with_credentials_and_without(self):
        region = self.mosquitto().start()
        proxy = HttpProxy(user="ann", password="secret")
        self.addCleanup(proxy.close)
        secret = self.folder / "proxy.password"
        secret.write_text("wrong\n")
        secret.chmod(0o600)
        barn = self.bridged(f"http://ann@127.0.0.1:{proxy.port}", region.port, f"proxy_password_from: {secret}").start()
        self.assert_reason(barn, "proxy: it does not let user ann in (407): look at proxy and proxy_password_from")
        secret.write_text("secret\n")
        self.wait_online(barn)
        self.assertIn(f"CONNECT 127.0.0.1:{region.port} HTTP/1.1", proxy.requests[-1])
        sensor = self.client(barn.port, "sensor")
        sensor.publish("farm/a", "through", 1)
        self.status_of(barn, "delivered", lambda one: one["delivered"] == 1)

    def test_tls_goes_through_a_proxy_to_a_name_that_it_looks_up(self):
        authority = Authority(self.folder / "pki")
        certificate, key = authority.issue("region", "DNS:localhost")
        region = self.mosquitto(f"certfile {certificate}\nkeyfile {key}\n").start()
        proxy = HttpProxy()
        self.addCleanup(proxy.close)
        text = bridge(0, "{filter: farm/#}",
                      settings=f"proxy: http://127.0.0.1:{proxy.port}\ntls: {{ca: {authority.certificate}}}")
        url = f"mqtts://localhost:{region.port}"
        barn = self.gateway(text.replace("mqtt://127.0.0.1:0", url)).start()
        self.wait_online(barn)
        self.assertIn(f"CONNECT localhost:{region.port} HTTP/1.1", proxy.requests[-1])
        self.client(barn.port, "sensor").publish("farm/a", "x" * 100_000, 1)
        self.status_of(barn, "delivered", lambda one: one["delivered"] == 1)

    def test_a_proxy_that_refuses_or_is_none_is_a_reason(self):
        proxy = HttpProxy(answer=b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        self.addCleanup(proxy.close)
        barn = self.bridged(f"http://127.0.0.1:{proxy.port}", 9).start()
        self.assert_reason(barn, "proxy: it answers HTTP 502 Bad Gateway: it cannot reach 127.0.0.1:9")
        other = self.gateway(bridge(9, "{filter: farm/#}", settings=f"proxy: socks5h://127.0.0.1:{proxy.port}"),
                             name="other").start()
        self.assert_reason(other, "proxy: it does not speak SOCKS5: look at proxy")

    @unittest.skipUnless(shutil.which("tinyproxy"), "tinyproxy is not installed")
    def test_tinyproxy(self):
        region = self.mosquitto().start()
        port = free_port()
        config = self.folder / "tinyproxy.conf"
        config.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 600\nMaxClients 10\nBasicAuth ann secret\n")
        self.real_proxy("tinyproxy", "tinyproxy", "-d", "-c", config, port=port)
        secret = self.folder / "proxy.password"
        secret.write_text("secret\n")
        secret.chmod(0o600)
        barn = self.bridged(f"http://ann@127.0.0.1:{port}", region.port, f"proxy_password_from: {secret}").start()
        self.wait_online(barn)

    @unittest.skipUnless(shutil.which("microsocks"), "microsocks is not installed")
    def test_microsocks_by_the_environment(self):
        region = self.mosquitto().start()
        port = free_port()
        self.real_proxy("microsocks", "microsocks", "-i", "127.0.0.1", "-p", port, "-u", "ann", "-P", "se@cret",
                        port=port)
        barn = self.bridged("env", region.port)
        barn.environment = {"all_proxy": f"socks5h://ann:wrong@127.0.0.1:{port}", "no_proxy": ""}
        barn.start()
        self.assert_reason(barn, "it does not let user ann in")
        barn.stop()
        barn.environment["all_proxy"] = f"socks5h://ann:se%40cret@127.0.0.1:{port}"
        barn.start()
        self.wait_online(barn)

    def real_proxy(self, name, *command, port):
        process = self.own(Process(name, self.folder))
        process.spawn(*command)

        def accepts():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_for(f"{name} accepts", accepts)


class TokenTest(LinkTest):
    @staticmethod
    def token(seconds):
        """A JWT that ends in so many seconds."""
        parts = [b'{"alg":"none"}', b'{"exp":%d}' % (time.time() + seconds), b"signature"]
        return ".".join(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts)

    def test_a_token_is_renewed_once_a_newer_one_lies_in_the_file(self):
        region = self.mosquitto().start()
        file = self.folder / "token"
        file.write_text(self.token(40))
        file.chmod(0o600)
        barn = self.gateway_that_trusts_its_clock(bridge(
            region.port, "{filter: farm/#, qos: 2}", settings=f"username: barn\npassword_from: {file}")).start()
        document = self.status_of(barn, "it says when the token ends",
                                  lambda one: "the token in password_from ends at 2" in (one["reason"] or ""))
        self.assertEqual((document["state"], document["connects"]), ("online", 1))
        file.write_text(self.token(4000))
        self.status_of(barn, "it has connected anew", lambda one: one["connects"] == 2 and not one["reason"])
        self.client(barn.port, "sensor").publish("farm/a", "1", 2)
        self.status_of(barn, "it delivers", lambda one: one["delivered"] == 1)


class TimesTest(LinkTest):
    def local_window(self, first, last):
        """The hours from `first` to `last` from now."""
        now = time.time()
        return "-".join(time.strftime("%H:%M", time.localtime(now + 3600 * hours)) for hours in (first, last))

    def test_outside_of_its_window_a_bridge_waits(self):
        region = self.mosquitto().start()
        window = self.local_window(2, 4)
        barn = self.gateway_that_trusts_its_clock(
            bridge(region.port, "{filter: farm/#}", settings=f'window: "{window}"')).start()
        document = self.status_of(barn, "waiting", lambda one: one["state"] == "waiting")
        self.assertEqual(document["reason"], f"until {window[:5]}, when its window opens")
        self.client(barn.port, "sensor").publish("farm/a", "1", 1)
        self.status_of(barn, "it is kept", lambda one: one["backlog"]["messages"] == 1)
        text = barn.config_path.read_text()
        barn.config_path.write_text(text.replace(window, self.local_window(-2, 2)))
        self.reload(barn)
        self.status_of(barn, "it is delivered", lambda one: one["delivered"] == 1)
        barn.config_path.write_text(text)
        self.reload(barn)
        self.status_of(barn, "waiting again", lambda one: one["state"] == "waiting")

    def test_a_bridge_on_demand_connects_when_enough_waits_and_leaves(self):
        region = self.mosquitto().start()
        settings = "demand: {messages: 3, age: 1h, idle: 1s}"
        barn = self.gateway(bridge(region.port, "{filter: farm/#}", settings=settings)).start()
        sensor = self.client(barn.port, "sensor")
        for i in range(2):
            sensor.publish("farm/a", str(i), 1)
        self.status_of(barn, "two wait", lambda one: one["state"] == "waiting" and one["backlog"]["messages"] == 2)
        sensor.publish("farm/a", "2", 1)
        self.status_of(barn, "all are delivered", lambda one: one["delivered"] == 3)
        document = self.status_of(barn, "it has left", lambda one: one["state"] == "waiting")
        self.assertEqual(document["connects"], 1)
        self.assertIn("until 3 messages wait", document["reason"])


class Relay:
    """A server that pumps bytes between its clients and somebody else."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = [self.listener]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, peer = self.listener.accept()
            except OSError:
                return
            self.sockets.append(near)
            threading.Thread(target=self.serve, args=(near, peer), daemon=True).start()

    def join(self, near, far):
        self.sockets.append(far)
        threading.Thread(target=self.pump, args=(far, near), daemon=True).start()
        self.pump(near, far)

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        sink.close()

    def close(self):
        for one in self.sockets:
            one.close()


class Listener(Relay):
    """Knows where its clients come from."""

    def __init__(self, target):
        self.target, self.peers = target, []
        super().__init__()

    def serve(self, near, peer):
        self.peers.append(peer[0])
        self.join(near, socket.create_connection(("127.0.0.1", self.target)))


class HttpProxy(Relay):
    """Answers CONNECT by its script: with `answer`, or with what the credentials are worth."""

    def __init__(self, user=None, password=None, answer=None):
        self.credentials = base64.b64encode(f"{user}:{password}".encode()).decode() if user else None
        self.answer, self.requests = answer, []
        super().__init__()

    def serve(self, near, _):
        head = b""
        while b"\r\n\r\n" not in head:
            data = near.recv(4096)
            if not data:
                return
            head += data
            if self.answer and not head.startswith(b"CONNECT"):
                near.sendall(self.answer)
                return
        self.requests.append(head.decode("latin-1"))
        if self.answer:
            near.sendall(self.answer)
            return
        if self.credentials and f"Proxy-Authorization: Basic {self.credentials}\r\n" not in self.requests[-1]:
            near.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n")
            near.close()
            return
        host, _, port = self.requests[-1].split()[1].rpartition(":")
        far = socket.create_connection((host, int(port)))
        near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.join(near, far)


if __name__ == "__main__":
    main()
