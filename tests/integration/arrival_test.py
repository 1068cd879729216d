"""How clients arrive: behind a load balancer that says who they are, and where descriptors run out."""

import contextlib
import os
import re
import resource
import select
import socket
import struct
import threading
import time

import wire
from furrow_testing import PATIENCE, TestCase, bridge, main, wait_for

V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def line(source, port=40000):
    """A header of version 1."""
    return f"PROXY TCP4 {source} 192.0.2.1 {port} 1883\r\n".encode()


def block(source, port=40000):
    """A header of version 2."""
    addresses = socket.inet_aton(source) + socket.inet_aton("192.0.2.1") + struct.pack(">HH", port, 1883)
    return V2_SIGNATURE + b"\x21\x11" + struct.pack(">H", len(addresses)) + addresses


LOCAL = V2_SIGNATURE + b"\x20\x00\x00\x00"


class Balancer:
    """A TCP proxy whose connections begin with `header`, as those of HAProxy with send-proxy."""

    def __init__(self, port, header):
        self.target = port
        self.header = header
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
                far.sendall(self.header)
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=self.pump, args=(source, sink), daemon=True).start()

    def pump(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def first_answer(sock):
    """What comes first; nothing when the connection was closed."""
    try:
        return sock.recv(4096)
    except ConnectionResetError:
        return b""


def has_news(sock):
    """Without a wait: whether something has come, or an end."""
    return bool(select.select([sock], [], [], 0)[0])


class ArrivalTestCase(TestCase):
    def stranger(self, port, *parts):
        """A raw connection that has sent these."""
        sock = socket.create_connection(("127.0.0.1", port))
        sock.settimeout(PATIENCE)
        self.addCleanup(sock.close)
        for part in parts:
            with contextlib.suppress(OSError):  # closed before everything was sent
                sock.sendall(part)
        return sock

    def set_listeners(self, gateway, *listeners):
        """Instead of the one that every gateway of these tests has."""
        text = gateway.config_path.read_text()
        own = "listeners: [{bind: 127.0.0.1:0}]\n"
        self.assertIn(own, text)
        gateway.config_path.write_text(text.replace(own, f"listeners: [{', '.join(listeners)}]\n"))


class BalancerTest(ArrivalTestCase):
    """The first listener stands behind a balancer on loopback, the second is for everybody."""

    def setUp(self):
        self.barn = self.gateway("access: {anonymous: true}\nlimits: {connections_per_address: 2}\n")
        self.set_listeners(self.barn, "{bind: '127.0.0.1:0', proxy_protocol: {from: [127.0.0.1, 10.0.0.0/8]}}",
                           "{bind: '127.0.0.1:0'}")
        self.barn.start()
        found = re.findall(r" listening .*\baddress=127\.0\.0\.1:(\d+)", self.barn.log())
        self.balanced, self.open = (int(port) for port in found)

    def balancer(self, header):
        one = Balancer(self.balanced, header)
        self.addCleanup(one.close)
        return one

    def refusals(self):
        return re.findall(r"connection\.refused .*", self.barn.log())

    def wait_for_line(self, pattern):
        wait_for(f"the log has {pattern}", lambda: re.search(pattern, self.barn.log()))

    def test_a_client_is_the_one_of_the_header(self):
        for header in (line("203.0.113.9"), block("203.0.113.9")):
            client = self.client(self.balancer(header).port, "sensor")
            client.subscribe("field/#", 1)
            client.publish("field/moisture", "12", 1)
            client.take(1)
            self.wait_for_line(r"connection\.opened client=sensor peer=203\.0\.113\.9:40000")
            client.drop()
            self.wait_for_line(r"connection\.closed client=sensor peer=203\.0\.113\.9:40000")
            self.barn.log_start = self.barn.log_path.stat().st_size

    def test_limits_count_by_the_address_of_the_header(self):
        connect = wire.connect(b"", level=4)
        for _ in range(2):
            self.assertEqual(first_answer(self.stranger(self.balanced, line("203.0.113.9") + connect))[:1], b"\x20")
        self.assertEqual(first_answer(self.stranger(self.balanced, line("203.0.113.9") + connect)), b"")
        self.assertEqual(first_answer(self.stranger(self.balanced, line("203.0.113.10") + connect))[:1], b"\x20")
        # The balancer's own address is another one, and so is that of a client beside it.
        self.assertEqual(first_answer(self.stranger(self.balanced, LOCAL + connect))[:1], b"\x20")

    def test_a_header_in_pieces_with_connect_behind_it(self):
        data = block("203.0.113.9") + wire.connect(b"", level=4)
        sock = self.stranger(self.balanced)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            sock.sendall(bytes([byte]))
        self.assertEqual(first_answer(sock), b"\x20\x02\x00\x00")

    def test_whoever_sends_no_header_is_closed_with_the_reason(self):
        self.assertEqual(first_answer(self.stranger(self.balanced, wire.connect())), b"")
        self.assertEqual(first_answer(self.stranger(self.balanced, b"PROXY TCP4 1.2.3.4 5.6.7.8 1 70000\r\n")), b"")
        wait_for("two refusals", lambda: len(self.refusals()) == 2)
        first, second = self.refusals()
        self.assertIn("listener=mqtt peer=127.0.0.1:", first)
        self.assertIn('why="PROXY header: the connection begins with something else"', first)
        self.assertIn("a port is not a number from 0 to 65535", second)

    def test_a_header_is_not_guessed_where_none_is_expected(self):
        """Anybody could claim to be at any address otherwise."""
        self.assertEqual(first_answer(self.stranger(self.open, line("203.0.113.9"), wire.connect())), b"")
        self.assertEqual(first_answer(self.stranger(self.open, wire.connect(b"", level=4))), b"\x20\x02\x00\x00")

    def test_everything_until_connect_is_due_from_accept_on(self):
        """What drips in buys no time, and a header at the last moment does not begin the wait anew."""
        start = time.monotonic()
        dripping, late = self.stranger(self.balanced), self.stranger(self.balanced)
        drops = iter(line("203.0.113.9"))
        while not has_news(dripping):
            self.assertLess(time.monotonic() - start, 20)
            with contextlib.suppress(OSError):  # closed in between
                dripping.sendall(bytes([next(drops)]))
            if late and time.monotonic() - start > 6:
                late.sendall(line("203.0.113.9"))
                self.assertEqual(first_answer(late), b"")
                self.assertLess(time.monotonic() - start, 15)
                late = None
            time.sleep(0.4)
        self.assertLess(time.monotonic() - start, 20)
        wait_for("the reason", lambda: any("PROXY header: not there in time" in one for one in self.refusals()))


class StrangerTest(ArrivalTestCase):
    """A listener behind a balancer that is somewhere else."""

    def test_peers_that_are_not_named_are_closed_and_counted(self):
        self.barn = self.gateway("access: {anonymous: true}\n")
        self.set_listeners(self.barn, "{bind: '127.0.0.1:0'}",
                           "{bind: '127.0.0.1:0', proxy_protocol: {from: 10.0.0.2}}")
        self.barn.start()
        port = int(re.findall(r" listening .*\baddress=127\.0\.0\.1:(\d+)", self.barn.log())[1])
        for _ in range(50):
            self.assertEqual(first_answer(self.stranger(port, line("203.0.113.9"), wire.connect())), b"")
        status = self.status(self.barn)
        status.wait_until("all of them are counted", lambda one: one["links"]["strangers"] == 50, "gateway")
        refusals = re.findall(r"connection\.refused .*", self.barn.log())
        self.assertEqual(len(refusals), 10, "a few lines, whatever comes")
        self.assertIn('listener=mqtt-2 peer=127.0.0.1:', refusals[0])
        self.assertIn("not among the addresses of proxy_protocol.from", refusals[0])


class DescriptorTest(ArrivalTestCase):
    """Clients may have all descriptors but the last 32."""

    LIMIT = 110
    RESERVED = 32

    def setUp(self):
        self.region = self.mosquitto().start()
        self.barn = self.gateway(bridge(self.region.port, "{filter: farm/#}"))
        self.barn.popen_settings = {
            "preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (self.LIMIT, self.LIMIT))}
        self.barn.start()
        self.status_reader = self.status(self.barn)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.barn.process.pid}/fd"))

    def fill(self):
        """Clients until some have to wait; returns those."""
        crowd = [self.stranger(self.barn.port, wire.connect(b"", level=4)) for _ in range(self.LIMIT)]
        wait_for("the log says that descriptors ran out", lambda: "listener.out_of_descriptors" in self.barn.log())
        # A connection is answered in the order in which it was made.
        wait_for("some are answered", lambda: has_news(crowd[0]))
        time.sleep(0.5)  # for what must not happen: that the others are answered, too
        self.served = [sock for sock in crowd if has_news(sock)]
        return [sock for sock in crowd if sock not in self.served]

    def test_a_bridge_reconnects_when_clients_have_taken_all_they_may(self):
        self.status_reader.wait_until("the bridge is online", lambda one: one["state"] == "online")
        waiting = self.fill()
        self.assertTrue(waiting)
        self.assertTrue(self.served)
        self.assertLessEqual(self.descriptors(), self.LIMIT - self.RESERVED + 2, "clients are in the reserve")
        self.region.stop()
        self.status_reader.wait_until("the bridge has noticed", lambda one: one["state"] != "online")
        self.region.start()
        reader = self.client(self.region.port, "reader")
        reader.subscribe("farm/#", 1)
        self.status_reader.wait_until("the bridge is back", lambda one: one["state"] == "online")
        self.status_reader.publish("farm/moisture", "12", 1)
        self.assertEqual(reader.take(1)[0].payload, b"12")

    def test_those_who_wait_are_served_once_there_is_room(self):
        waiting = self.fill()
        self.assertRegex(self.barn.log(), rf"warning listener\.out_of_descriptors .*limit={self.LIMIT} reserved=32 .*"
                                          "raise LimitNOFILE")
        for sock in self.served:
            sock.close()
        for sock in waiting[:len(self.served)]:  # in the order in which they came
            self.assertEqual(first_answer(sock), b"\x20\x02\x00\x00")
        for sock in waiting:
            sock.close()
        self.status_reader.wait_until("it is counted", lambda one: one["links"]["descriptors_short"] >= 1, "gateway")
        wait_for("the log says that it is over", lambda: "listener.accepting" in self.barn.log())
        self.assertEqual(self.barn.log().count("listener.out_of_descriptors"), 1)


if __name__ == "__main__":
    main()
