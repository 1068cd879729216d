"""Where clients come in: names, networks that may, interfaces, unix sockets, and addresses that are not there yet."""

import contextlib
import os
import pwd
import re
import socket
import stat
import time

import wire
from furrow_testing import PATIENCE, TestCase, main, run_furrow, wait_for

CONNECT = wire.connect(b"raw", level=4)
CONNACK = b"\x20\x02\x00\x00"


class ListenerTestCase(TestCase):
    def barn(self, *listeners, more=""):
        return self.gateway(f"listeners: [{', '.join(listeners)}]\naccess: {{anonymous: true}}\n{more}")

    def raw(self, address, family=socket.AF_INET):
        sock = socket.socket(family)
        self.addCleanup(sock.close)
        sock.settimeout(PATIENCE)
        sock.connect(address)
        return sock

    def first_answer(self, sock, data=CONNECT):
        with contextlib.suppress(OSError):  # closed already
            sock.sendall(data)
        try:
            return sock.recv(100)
        except ConnectionResetError:
            return b""

    def listeners(self, gateway):
        return self.status(gateway).wait_until("a status", lambda one: True, "gateway")["listeners"]


class NameTest(ListenerTestCase):
    def test_names_are_in_log_and_status(self):
        barn = self.barn("{bind: '127.0.0.1:0', name: lan}", "{bind: '127.0.0.1:0', protocol: websocket}").start()
        self.assertEqual([one["name"] for one in self.listeners(barn)], ["lan", "websocket-2"])
        self.assertEqual(re.findall(r" listening name=(\S+)", barn.log()), ["lan", "websocket-2"])


class AllowFromTest(ListenerTestCase):
    def test_others_are_closed_before_a_byte_is_read_and_counted(self):
        barn = self.barn("{bind: '127.0.0.1:0'}", "{bind: '127.0.0.1:0', name: lan, allow_from: [192.168.0.0/16]}",
                         "{bind: '127.0.0.1:0', allow_from: [10.0.0.1, 127.0.0.0/8]}").start()
        _, closed, open_too = barn.ports
        for _ in range(15):
            self.assertEqual(self.first_answer(self.raw(("127.0.0.1", closed))), b"")
        self.assertEqual(self.first_answer(self.raw(("127.0.0.1", open_too))), CONNACK)
        document = self.status(barn).wait_until("they are counted", lambda one: one["links"]["not_allowed"] == 15,
                                                "gateway")
        self.assertEqual(document["links"]["strangers"], 0)
        refusals = re.findall(r"connection\.refused .*", barn.log())
        self.assertEqual(len(refusals), 10, "a few lines, whatever comes")
        self.assertIn("listener=lan peer=127.0.0.1:", refusals[0])
        self.assertIn("not among the addresses of allow_from", refusals[0])

    def test_behind_a_balancer_it_is_about_the_client(self):
        barn = self.barn("{bind: '127.0.0.1:0', proxy_protocol: {from: [127.0.0.1]}, "
                         "allow_from: [203.0.113.0/24]}").start()
        for source, answer in (("203.0.113.9", CONNACK), ("198.51.100.7", b"")):
            header = f"PROXY TCP4 {source} 192.0.2.1 40000 1883\r\n".encode()
            self.assertEqual(self.first_answer(self.raw(("127.0.0.1", barn.port)), header + CONNECT), answer)
        wait_for("the refusal names the client",
                 lambda: re.search(r"connection\.refused .*198\.51\.100\.7.*allow_from", barn.log()))


class InterfaceTest(ListenerTestCase):
    def test_a_network_interface(self):
        barn = self.barn("{bind: 'lo:0'}").start()
        self.assertEqual(self.first_answer(self.raw(("127.0.0.1", barn.port))), CONNACK)


class WaitTest(ListenerTestCase):
    """203.0.113.0/24 is nobody's, so that no machine has it."""

    def test_an_address_that_is_not_there_is_waited_for(self):
        start = time.monotonic()
        barn = self.barn("{bind: '127.0.0.1:0'}", "{bind: '203.0.113.7:0', name: later}").start()
        self.assertEqual(self.first_answer(self.raw(("127.0.0.1", barn.port))), CONNACK)
        self.assertLess(time.monotonic() - start, 30, "ready does not wait for it")
        self.assertRegex(barn.log(), r'warning listener\.waiting name=later bind=203\.0\.113\.7:0 reason="bind 203\.')
        listeners = self.listeners(barn)
        self.assertEqual([one["state"] for one in listeners], ["listening", "waiting"])
        self.assertIn("this machine does not have it now", listeners[1]["reason"])
        self.assertIsNone(listeners[0]["reason"])
        self.assertEqual(barn.stop(), 0)

    def test_without_wait_it_is_an_error(self):
        for bind in ("203.0.113.7:0", "nowhere7:0"):
            barn = self.barn(f"{{bind: '{bind}', wait: false}}")
            result = run_furrow("run", "-c", barn.config_path)
            self.assertEqual(result.returncode, 1)
            self.assertIn(bind.split(":")[0], result.stderr + result.stdout)

    def test_a_port_that_is_taken_is_an_error_in_any_case(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            barn = self.barn(f"{{bind: '127.0.0.1:{taken.getsockname()[1]}'}}")
            result = run_furrow("run", "-c", barn.config_path)
        self.assertEqual(result.returncode, 1)
        self.assertIn("choose another port", result.stderr + result.stdout)


class UnixTest(ListenerTestCase):
    def setUp(self):
        self.path = self.folder / "mqtt.sock"

    def local(self, more=""):
        return self.barn("{bind: '127.0.0.1:0'}", f"{{bind: 'unix:{self.path}', name: local{more}}}")

    def mode(self):
        return stat.S_IMODE(os.stat(self.path).st_mode)

    def test_clients_of_this_machine(self):
        barn = self.local(", mode: '0666'").start()
        self.assertEqual(self.mode(), 0o666)
        self.assertEqual(self.first_answer(self.raw(str(self.path), socket.AF_UNIX)), CONNACK)
        self.assertEqual(self.listeners(barn)[1]["address"], f"unix:{self.path}")
        wait_for("the log names the peer", lambda: re.search(
            rf"connection\.opened client=raw peer=unix:{pwd.getpwuid(os.getuid()).pw_name}\b", barn.log()))
        self.assertEqual(barn.stop(), 0)
        self.assertFalse(self.path.exists())

    def test_the_file_is_of_its_owner_and_group_by_default(self):
        self.local().start()
        self.assertEqual(self.mode(), 0o660)

    def test_a_file_that_nobody_answers_on_is_replaced(self):
        barn = self.local().start()
        barn.crash()
        self.assertTrue(self.path.exists())
        barn.start()
        self.assertEqual(self.first_answer(self.raw(str(self.path), socket.AF_UNIX)), CONNACK)

    def test_a_file_that_somebody_answers_on_is_left_alone(self):
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(self.path))
            other.listen()
            result = run_furrow("run", "-c", self.local().config_path)
            self.assertEqual(result.returncode, 1)
            self.assertIn("another program answers there", result.stderr + result.stdout)
            self.assertTrue(self.path.exists())

    def test_a_file_that_is_no_socket_is_left_alone(self):
        self.path.write_text("precious")
        result = run_furrow("run", "-c", self.local().config_path)
        self.assertEqual(result.returncode, 1)
        self.assertIn("a file that is no socket", result.stderr + result.stdout)
        self.assertEqual(self.path.read_text(), "precious")

    def test_a_group_that_does_not_exist(self):
        result = run_furrow("run", "-c", self.local(", group: nobodys").config_path)
        self.assertEqual(result.returncode, 1)
        self.assertIn("there is no group nobodys", result.stderr + result.stdout)


if __name__ == "__main__":
    main()
