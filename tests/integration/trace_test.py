"""`furrow trace`: packets of clients and bridges as lines while they pass, and what bounds it."""

import json
import os
import re
import signal
import socket
import subprocess
import time

from furrow_testing import BINARY, PATIENCE, Process, TestCase, bridge, main, run_furrow, wait_for
from pki import Authority

PASSWORD = "correct-horse-battery"


class Trace(Process):
    """A `furrow trace` with its lines in a file."""

    def begin(self, gateway, *options):
        before = len(started(gateway))
        self.spawn(BINARY, "trace", "-c", gateway.config_path, *options)
        wait_for("the trace has begun", lambda: len(started(gateway)) > before or not self.running())
        return self

    def lines(self):
        return self.log().splitlines()

    def wait_for(self, pattern):
        """The first line that fits."""
        return wait_for(f"a line with {pattern}", lambda: next(
            (line for line in self.lines() if re.search(pattern, line)), None))

    def end(self):
        """What it printed in all, once it has ended by itself."""
        if self.process.wait(PATIENCE) != 0:
            raise AssertionError(f"{self.process.returncode}: {self.log()}")
        return self.lines()


def started(gateway):
    return re.findall(r" info operator\.trace .*", gateway.log())


class TraceTestCase(TestCase):
    def trace(self, *options, name="trace"):
        return self.own(Trace(name, self.folder)).begin(self.barn, *options)

    def publish(self, *options, port=None, topic="farm/1", payload="21.5", client="sensor-1"):
        subprocess.run(
            ["mosquitto_pub", "-h", "localhost", "-p", str(port or self.barn.port), "-i", client, "-t", topic, "-m",
             payload, *(str(one) for one in options)], check=True, timeout=PATIENCE)


class ClientTest(TraceTestCase):
    def setUp(self):
        self.barn = self.gateway("access: {anonymous: true, password_file: passwords}\n")
        subprocess.run([str(BINARY), "passwd", str(self.folder / "passwords"), "ann", "--stdin"], input=PASSWORD,
                       text=True, check=True, timeout=PATIENCE, capture_output=True)
        self.barn.start()

    def test_a_client_from_connect_to_disconnect_and_never_its_password(self):
        trace = self.trace("--client", "sensor-1", "--payload")
        self.publish(client="another")
        self.publish("-V", "5", "-q", 1, "-u", "ann", "-P", PASSWORD, "-D", "publish", "content-type", "text/plain",
                     "--will-topic", "gone", "--will-payload", "bye")
        trace.wait_for(" ended ")
        who = r"^\d\d:\d\d:\d\d\.\d{3}Z sensor-1 127\.0\.0\.1:\d+ "
        for line, pattern in zip(trace.lines(), (
                who + r"received CONNECT version=5 client_id=sensor-1 clean_start=true keep_alive=60 username=ann "
                      r"password='\(not shown\)' will=\{topic=gone qos=0 payload_bytes=3 payload=bye\}",
                who + r"sent CONNACK session_present=false reason_code=0x00 reason=success .*receive_maximum=100",
                who + r"received PUBLISH topic=farm/1 qos=1 packet_id=1 payload_bytes=4 payload=21\.5 "
                      r"content_type=text/plain",
                who + r"sent PUBACK packet_id=1 reason_code=0x10 reason=no_matching_subscribers",
                who + r"received DISCONNECT reason_code=0x00", who + "ended reason=")):
            self.assertRegex(line, pattern)
        self.assertEqual(len(trace.lines()), 6)
        for text in (trace.log(), self.barn.log()):
            self.assertNotIn(PASSWORD, text)

    def test_the_journal_says_who_looks_and_nothing_of_what(self):
        trace = self.trace("--topic", "farm/#", "--payload")
        self.publish(payload="a-reading-of-ours")
        trace.wait_for("a-reading-of-ours")
        line, = started(self.barn)
        self.assertIn(f"filter=farm/# payloads=beginning for=60s uid={os.getuid()}", line)
        self.assertNotIn("a-reading-of-ours", self.barn.log())
        self.assertNotIn("farm/1", self.barn.log())

    def test_payloads_are_a_length_unless_they_are_asked_for(self):
        trace = self.trace("--topic", "farm/#", "--json")
        self.publish(payload="a-reading-of-ours")
        line = json.loads(trace.wait_for("PUBLISH"))
        self.assertEqual((line["client"], line["direction"], line["packet"], line["topic"], line["payload_bytes"]),
                         ("sensor-1", "received", "PUBLISH", "farm/1", 17))
        self.assertNotIn("payload", line)
        self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")

    def test_a_client_that_is_connected_already_and_its_subscription(self):
        reader = self.client(self.barn.port, "reader")
        trace = self.trace("--client", "reader")
        reader.subscribe("farm/#", 1)
        self.publish("-q", 1)
        reader.take(1)
        trace.wait_for("received PUBACK")
        lines = "\n".join(trace.lines())
        self.assertRegex(lines, r"received SUBSCRIBE packet_id=1 subscriptions=\[\{filter=farm/# qos=1 ")
        self.assertRegex(lines, r"sent SUBACK packet_id=1 reason_codes=\[0x01\]")
        self.assertRegex(lines, r"sent PUBLISH topic=farm/1 qos=1 packet_id=1 payload_bytes=4")

    def test_a_malformed_packet_and_its_reason(self):
        trace = self.trace("--address", "127.0.0.1")
        with socket.create_connection(("127.0.0.1", self.barn.port)) as sock:
            sock.sendall(bytes.fromhex("100d00044d5154540402003c0001") + b"c" + bytes.fromhex("36 02 00 00"))
            sock.settimeout(PATIENCE)
            while sock.recv(100):
                pass
        self.assertRegex(trace.wait_for("malformed"), r" c 127\.0\.0\.1:\d+ received malformed reason_code=0x81 "
                                                      r"reason='PUBLISH with QoS 3'$")

    def test_a_login_that_fails(self):
        trace = self.trace("--client", "sensor-1")
        done = subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.barn.port), "-i", "sensor-1", "-t",
                               "a", "-m", "b", "-V", "5", "-u", "ann", "-P", "wrong-" + PASSWORD], check=False,
                              capture_output=True, timeout=PATIENCE)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(trace.wait_for("CONNACK"), r"sent CONNACK .*reason_code=0x86 "
                                                    r"reason=bad_user_name_or_password")
        self.assertNotIn(PASSWORD, trace.log())


class WayTest(TraceTestCase):
    """The packets are the same whatever lies between them and the network."""

    def test_tls_and_websocket_and_tcp(self):
        authority = Authority(self.folder / "pki")
        certificate, key = authority.issue("gateway", "DNS:localhost,IP:127.0.0.1")
        self.barn = self.gateway(
            "access: {anonymous: true}\n"
            f"listeners: [{{bind: '127.0.0.1:0'}}, {{bind: '127.0.0.1:0', tls: {{certificate: {certificate}, key: "
            f"{key}}}}}, {{bind: '127.0.0.1:0', protocol: websocket}}]\n").start()
        plain, encrypted, web = self.barn.ports
        trace = self.trace("--topic", "farm/#")
        self.publish("-q", 1, port=plain, client="by-tcp")
        self.publish("-q", 1, "--cafile", authority.certificate, port=encrypted, client="by-tls")
        self.client(web, "by-websocket", transport="websockets").publish("farm/1", "21.5", 1)
        trace.wait_for("by-websocket .* sent PUBACK")
        for client in ("by-tcp", "by-tls", "by-websocket"):
            own = [line.split(" ", 3)[3] for line in trace.lines() if f" {client} " in line]
            self.assertEqual(len(own), 2, trace.lines())
            self.assertEqual(own[0], "received PUBLISH topic=farm/1 qos=1 packet_id=1 payload_bytes=4")
            self.assertRegex(own[1], "^sent PUBACK packet_id=1 reason_code=")

    def test_a_bridge_with_its_region(self):
        region = self.mosquitto().start()
        self.barn = self.gateway(bridge(region.port, "{filter: farm/#, direction: both, remote_prefix: us/}",
                                        settings="client_id: barn-1")).start()
        status = self.status(self.barn)
        status.wait_until("online", lambda one: one["state"] == "online")
        trace = self.trace("--bridge", "region")
        self.publish("-q", 1)
        trace.wait_for("received PUBACK")
        self.publish(port=region.port, topic="us/farm/2")
        trace.wait_for("received PUBLISH")
        run_furrow("bridge", "reconnect", "region", "-c", self.barn.config_path)
        trace.wait_for("received CONNACK")
        who = fr"Z bridge region mqtt://127\.0\.0\.1:{region.port} "
        for pattern in (r"sent PUBLISH topic=us/farm/1 qos=1 packet_id=\d+ payload_bytes=4",
                        r"received PUBACK packet_id=\d+ reason_code=0x", "received PUBLISH topic=us/farm/2 qos=0 ",
                        "sent DISCONNECT", "ended reason='closed by the gateway'",
                        "sent CONNECT version=5 client_id=barn-1 "):
            self.assertRegex(trace.log(), who + pattern)
        done = run_furrow("trace", "--bridge", "nowhere", "-c", self.barn.config_path)
        self.assertEqual((done.returncode, done.stderr), (1, "furrow: there is no bridge 'nowhere'\n"))


class EndTest(TraceTestCase):
    def setUp(self):
        self.barn = self.gateway().start()

    def assert_none_runs(self):
        """As many traces as may run begin."""
        traces = [self.trace("--topic", "#", name=f"trace-{i}") for i in range(4)]
        for one in traces:
            self.assertTrue(one.running(), one.log())

    def test_the_time(self):
        trace = self.trace("--topic", "farm/#", "--for", "1s")
        self.publish()
        lines = trace.end()
        self.assertIn("PUBLISH", lines[0])
        self.assertEqual(lines[1:], ["1 packet; the time is over, --for takes another"])

    def test_the_count(self):
        trace = self.trace("--topic", "farm/#", "--count", 2)
        for _ in range(3):
            self.publish()
        lines = trace.end()
        self.assertEqual(len([line for line in lines if "PUBLISH" in line]), 2)
        self.assertIn("--count", lines[-1])

    def test_ctrl_c_ends_it_in_order(self):
        trace = self.trace("--topic", "farm/#")
        self.publish()
        trace.wait_for("PUBLISH")
        trace.process.send_signal(signal.SIGINT)
        self.assertEqual(trace.end()[-1], "1 packet")
        self.assert_none_runs()

    def test_readers_that_vanish(self):
        for i in range(8):
            trace = self.trace("--topic", "#", name=f"gone-{i}")
            wait_for("it runs", lambda: len(started(self.barn)) == i + 1)
            trace.kill()
        self.assert_none_runs()

    def test_nobody_reads_any_more(self):
        shell = f"{BINARY} trace -c {self.barn.config_path} --topic '#' | head -n 1"
        with subprocess.Popen(["bash", "-c", shell], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True) as process:
            wait_for("the trace has begun", lambda: started(self.barn))
            # A line tells the trace that nobody reads.
            wait_for("it ends", lambda: self.publish() or process.poll() is not None)
            self.assertIn("CONNECT", process.stdout.read())
        self.assert_none_runs()

    def test_a_few_at_a_time(self):
        self.assert_none_runs()
        done = run_furrow("trace", "--topic", "#", "-c", self.barn.config_path)
        self.assertEqual((done.returncode, done.stderr), (1, "furrow: 4 traces run already, which is the most\n"))
        self.assertEqual(run_furrow("clients", "list", "-c", self.barn.config_path).returncode, 0)

    def test_a_slow_reader_is_told_what_it_missed_and_the_gateway_keeps_its_pace(self):
        trace = self.trace("--client", "flood", "--count", 1_000_000, "--for", "1h")
        trace.process.send_signal(signal.SIGSTOP)
        count = 50_000
        flood = self.client(self.barn.port, "flood")
        flood.publish_each([("farm/1", "x", 0)] * count)
        flood.publish("farm/1", "last", 1)
        trace.process.send_signal(signal.SIGCONT)
        wait_for("the reader has caught up", lambda: self.ping(flood) or " not shown: " in trace.log())
        flood.close()
        trace.wait_for(" ended ")
        trace.process.send_signal(signal.SIGTERM)
        lines = trace.end()
        missing = sum(int(one) for one in re.findall(r"… (\d+) packets not shown: the reader is slow", trace.log()))
        self.assertGreater(missing, count / 10)
        shown = len([line for line in lines if " received " in line or " sent " in line])
        self.assertRegex(lines[-1], f"^{shown} packets, and {missing} not shown because the reader was slow$")
        self.assertGreaterEqual(shown + missing, count + 4)

    @staticmethod
    def ping(client):
        client.publish("farm/1", "", 1)
        time.sleep(0.05)

    def test_what_it_is_to_trace_has_to_be_said(self):
        for arguments, complaint in (((), "say what to trace"), (("--topic", "a/#/b"), "not a topic filter"),
                                     (("--bridge", "r", "--client", "c"), "excludes"),
                                     (("--for", "5", "--client", "c"), "unit"),
                                     (("--client", "c", "--count", "0"), "")):
            done = run_furrow("trace", *arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(complaint, done.stderr)
        for arguments, complaint in ((("--address", "nowhere"), "address: "),
                                     (("--for", "2h", "--client", "c"), "hour")):
            done = run_furrow("trace", *arguments, "-c", self.barn.config_path)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertIn(complaint, done.stderr)

    def test_a_gateway_that_stops_or_is_stopped(self):
        trace = self.trace("--topic", "#")
        self.assertEqual(self.barn.stop(), 0)
        self.assertEqual(trace.process.wait(PATIENCE), 1)
        self.assertIn("the gateway has ended the connection", trace.log())
        done = run_furrow("trace", "--topic", "#", "-c", self.barn.config_path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("no gateway runs", done.stderr)


if __name__ == "__main__":
    main()
