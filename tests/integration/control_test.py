"""Commands that steer a gateway by its control socket, or by its files: one that runs, one that is stopped, and one
that was killed."""

import contextlib
import json
import os
import pty
import re
import socket
import stat
import subprocess
import time

from furrow_testing import (BINARY, PATIENCE, V3_1_1, Gateway, PacketTypes, TestCase, bridge, free_port, main,
                            properties, run_furrow, wait_for)

UP = "{filter: farm/#, remote_prefix: us/}"


class ControlTestCase(TestCase):
    def furrow(self, *arguments, expect=0, **settings):
        """Runs a command against `self.barn`, which must end with `expect`; returns what it printed, or complained."""
        done = run_furrow(*arguments, "-c", self.barn.config_path, **settings)
        self.assertEqual(done.returncode, expect, f"{arguments}: {done.stdout}{done.stderr}")
        if expect == 0:
            self.assertEqual(done.stderr, "")
        return done.stdout if expect == 0 else done.stderr

    def items(self, *arguments):
        return [json.loads(line) for line in self.furrow(*arguments, "--json").splitlines()]

    def leave_session(self, client_id, topic_filter="farm/#"):
        """A session with a subscription, whose client is away."""
        client = self.client(self.barn.port, client_id, clean=False)
        client.subscribe(topic_filter, 1)
        client.close()

    def audit(self):
        """What operators did, by the log."""
        return re.findall(r" info operator\.(\S+) (.*)", self.barn.log())


class ClientsTest(ControlTestCase):
    def setUp(self):
        self.barn = self.gateway().start()

    def test_the_list_is_sorted_and_fits_80_columns(self):
        self.client(self.barn.port, "sensor-2", version=V3_1_1)
        self.client(self.barn.port, "sensor-1").subscribe("farm/#")
        self.leave_session("sensor-3" + "x" * 40)
        wait_for("all are there", lambda: "away" in self.furrow("clients", "list"))
        lines = self.furrow("clients", "list").splitlines()
        self.assertRegex(lines[0], r"^CLIENT +USER +LISTENER +MQTT +SINCE +HEARD +SUBS +QUEUE +DROPS$")
        self.assertRegex(lines[1], r"^sensor-1 +- +\S+ +5 +\d+ s +\d+ s +1 +0 +0$")
        self.assertRegex(lines[2], r"^sensor-2 +- +\S+ +3\.1\.1 +\d+ s +\d+ s +0 +0 +0$")
        self.assertRegex(lines[3], r"^sensor-3x+… +- +\S+ +away +\d+ s +- +1 +0 +0$")
        self.assertEqual(len(lines), 4)
        self.assertLessEqual(max(len(line) for line in lines), 80)

    def test_one_client_with_all_that_is_known(self):
        sensor = self.client(self.barn.port, "sensor-1")
        sensor.subscribe("farm/+/moisture", 1)
        sheet = self.furrow("clients", "show", "sensor-1")
        for line in (r"^client +sensor-1$", r"^user +anonymous$", r"^address +127\.0\.0\.1:\d+$", r"^version +MQTT 5$",
                     r"^connected +since \d{4}-\S+Z \(\d+ s\)$", r"^queue +0 messages, 0 B, 0 in flight$",
                     r"^subscriptions +1$", r"^  farm/\+/moisture  QoS 1$"):
            self.assertRegex(sheet, re.compile(line, re.MULTILINE))
        client, subscription = self.items("clients", "show", "sensor-1")
        self.assertEqual((client["connected"], client["tls"], client["version"]), (True, False, "5"))
        self.assertEqual((subscription["filter"], subscription["qos"]), ("farm/+/moisture", 1))
        self.assertIn("there is no client", self.furrow("clients", "show", "nobody", expect=1))

    def test_what_waits_for_a_client_that_is_away(self):
        self.leave_session("logger")
        self.client(self.barn.port, "sensor").publish_each([("farm/1", "21", 1)] * 3)
        logger, = [one for one in self.items("clients", "list") if one["client"] == "logger"]
        self.assertFalse(logger["connected"])
        self.assertEqual(logger["queue"]["messages"], 3)
        self.assertIsNone(logger["address"])

    def test_kick_disconnects_and_the_session_stays(self):
        sensor = self.client(self.barn.port, "sensor-1", clean=False)
        self.assertEqual(self.furrow("clients", "kick", "sensor-1"), "sensor-1: disconnected\n")
        sensor.wait("DISCONNECT", lambda: sensor.disconnected is not None)
        self.assertEqual(sensor.disconnected, 0x98)
        self.assertEqual(self.audit(), [("kick", f"client=sensor-1 uid={os.getuid()}")])
        self.assertFalse(self.items("clients", "show", "sensor-1")[0]["connected"])
        self.assertIn("not connected", self.furrow("clients", "kick", "sensor-1", expect=1))

    def test_forget_ends_the_session_and_publishes_its_will(self):
        watcher = self.client(self.barn.port, "watcher")
        watcher.subscribe("gone", 1)
        sensor = self.client(self.barn.port, "sensor-1", clean=False,
                             will={"topic": "gone", "payload": "sensor-1", "qos": 1})
        sensor.subscribe("farm/#", 1)
        self.furrow("clients", "forget", "sensor-1")
        sensor.wait("DISCONNECT", lambda: sensor.disconnected is not None)
        self.assertEqual(watcher.take(1)[0].payload, b"sensor-1")
        self.assertIn("there is no client", self.furrow("clients", "show", "sensor-1", expect=1))
        self.barn.crash()
        self.barn.start()
        self.assertEqual(self.client(self.barn.port, "sensor-1", clean=False).connack[0], False)

    def test_a_stopped_gateway_tells_and_forgets(self):
        self.leave_session("kept")
        self.leave_session("forgotten")
        self.barn.stop()
        self.assertFalse((self.barn.data / "control.sock").exists())
        self.assertRegex(self.furrow("clients", "list"), r"forgotten +- +\S+ +away .*\nkept +- +\S+ +away ")
        self.furrow("clients", "forget", "forgotten")
        self.assertEqual([one["client"] for one in self.items("clients", "list")], ["kept"])
        complaint = self.furrow("clients", "kick", "kept", expect=1)
        self.assertIn("no gateway runs with the data directory", complaint)
        self.assertIn(f"start it with: furrow run -c {self.barn.config_path}", complaint)
        self.barn.start()
        self.assertEqual(self.client(self.barn.port, "kept", clean=False).connack[0], True)
        self.assertEqual(self.client(self.barn.port, "forgotten", clean=False).connack[0], False)

    def test_a_killed_gateway_leaves_a_socket_that_is_replaced(self):
        self.leave_session("kept")
        self.barn.crash()
        self.assertTrue((self.barn.data / "control.sock").exists())
        self.assertIn("kept", self.furrow("clients", "list"))
        self.barn.start()
        self.assertIn("kept", self.furrow("clients", "list"))
        self.assertIn("control.listening", self.barn.log())

    def test_a_gateway_that_never_was(self):
        self.barn = self.gateway(name="elsewhere")
        self.assertIn("none ever has", self.furrow("clients", "list", expect=1))
        self.assertFalse(self.barn.data.exists(), "asking makes nothing")

    def test_colours_on_a_terminal_unless_told_otherwise(self):
        for no_color in ("", "1"):
            near, far = pty.openpty()
            self.addCleanup(os.close, near)
            subprocess.run([str(BINARY), "clients", "list", "-c", str(self.barn.config_path)], stdout=far, check=True,
                           timeout=PATIENCE, env={**os.environ, "TERM": "xterm", "NO_COLOR": no_color})
            self.client(self.barn.port, f"any{no_color}")
            subprocess.run([str(BINARY), "clients", "list", "-c", str(self.barn.config_path)], stdout=far, check=True,
                           timeout=PATIENCE, env={**os.environ, "TERM": "xterm", "NO_COLOR": no_color})
            os.close(far)
            shown = os.read(near, 65536)
            self.assertEqual(b"\x1b[1mCLIENT" in shown, not no_color)


class SocketTest(ControlTestCase):
    def setUp(self):
        self.barn = self.gateway().start()
        self.path = self.barn.data / "control.sock"

    def connect(self):
        control = socket.socket(socket.AF_UNIX)
        self.addCleanup(control.close)
        control.settimeout(PATIENCE)
        control.connect(str(self.path))
        return control

    def ask(self, control, line):
        control.sendall(line + b"\n")
        return json.loads(control.makefile("rb").readline())

    def test_only_its_owner_may_ask(self):
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)

    def test_nonsense_is_refused_in_words(self):
        control = self.connect()
        for line, why in ((b"hello", "JSON object"), (b"{}", "command"), (b"\xff\xfe", "JSON object"),
                          (b'{"command":"reboot"}', "there is no command 'reboot'"),
                          (b'{"command":"clients.kick"}', "needs 'client'"),
                          (b'{"command":"retained.delete","filter":"#","newer_s":1}', "does not know 'newer_s'"),
                          (b'{"command":"retained.list","filter":"a/#/b"}', "not a topic filter")):
            with self.subTest(line=line):
                answer = self.ask(control, line)
                self.assertEqual(answer["ok"], False)
                self.assertIn(why, answer["error"])

    def test_several_requests_at_once_are_answered_in_order(self):
        control = self.connect()
        control.sendall(b'{"command":"bridge.list"}\n' * 3)
        lines = control.makefile("rb")
        self.assertEqual([json.loads(lines.readline()) for _ in range(3)], [{"ok": True, "count": 0}] * 3)

    def test_who_has_said_all_still_gets_the_answer(self):
        control = self.connect()
        control.sendall(b'{"command":"clients.list"}\n')
        control.shutdown(socket.SHUT_WR)
        self.assertEqual(json.loads(control.makefile("rb").read())["ok"], True)

    def test_a_line_without_end_ends_the_connection(self):
        control = self.connect()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            control.sendall(b"x" * 1_000_000)
        answer = json.loads(control.makefile("rb").readline())
        self.assertIn("more than", answer["error"])

    def test_clients_that_vanish_or_hold_on_do_not_matter(self):
        idle = [self.connect() for _ in range(20)]
        for one in idle[:5]:
            one.close()
        gone = self.connect()
        gone.sendall(b'{"command":"clients.list"}\n')
        gone.close()
        self.assertEqual(self.furrow("clients", "list"), "no clients\n")
        self.assertTrue(self.barn.running())

    def test_a_path_that_is_too_long_is_said_and_the_gateway_runs(self):
        deep = self.folder / ("d" * 100)
        deep.mkdir()
        gateway = self.own(Gateway("deep", deep, ""))
        gateway.start()
        self.assertRegex(gateway.log(), r" warning control\.unavailable .*a unix socket takes 107")
        self.assertEqual(self.client(gateway.port, "sensor").connack[1], 0)


class BridgeTest(ControlTestCase):
    def setUp(self):
        self.region = self.mosquitto().start()
        self.reader = self.client(self.region.port, "reader")
        self.reader.subscribe("us/#", 1)
        self.barn = self.gateway(bridge(self.region.port, UP)).start()
        self.wait_for_state("online")

    def bridge_item(self):
        return self.items("bridge", "list")[0]

    def wait_for_state(self, state):
        wait_for(f"the bridge is {state}", lambda: self.bridge_item()["state"] == state)

    def publish(self, payload):
        self.client(self.barn.port, f"sensor-{payload}").publish("farm/1", payload, 1)

    def test_pause_buffers_over_a_kill_until_it_is_resumed(self):
        said = self.furrow("bridge", "pause", "region")
        self.assertRegex(said, r"^region: paused by operator since \S+Z; it goes on to buffer\.")
        self.wait_for_state("disabled")
        self.publish("1")
        self.barn.crash()
        self.barn.start()
        item = self.bridge_item()
        self.assertEqual((item["state"], item["paused"], item["backlog"]), ("disabled", True, 1))
        status = self.status(self.barn).wait_until("the status says so", lambda one: one["state"] == "disabled")
        self.assertRegex(status["reason"], r"^paused by operator since \S+Z$")
        self.assertEqual(self.reader.messages, [])
        self.assertEqual(self.furrow("bridge", "resume", "region"), "region: resumed\n")
        self.assertEqual(self.reader.take(1)[0].payload, b"1")
        self.assertEqual([what for what, _ in self.audit()], ["resume"])
        self.assertIn("is not paused", self.furrow("bridge", "resume", "region", expect=1))

    def test_pause_for_a_while(self):
        self.furrow("bridge", "pause", "region", "--for", "1s")
        self.publish("1")
        self.assertEqual(self.reader.take(1)[0].payload, b"1")
        self.assertFalse(self.bridge_item()["paused"])

    def test_pause_and_resume_of_a_stopped_gateway(self):
        self.barn.stop()
        self.furrow("bridge", "pause", "region")
        self.barn.start()
        self.assertEqual(self.bridge_item()["paused"], True)
        self.barn.stop()
        self.assertRegex(self.furrow("bridge", "list"), r"region +disabled +- +0 .*\n  the gateway is stopped\n")
        self.furrow("bridge", "resume", "region")
        self.barn.start()
        self.wait_for_state("online")

    def test_reconnect(self):
        self.furrow("bridge", "reconnect", "region")
        wait_for("it is online again", lambda: self.barn.log().count("bridge.online") == 2)

    def test_the_table_names_what_is_wrong(self):
        self.furrow("bridge", "pause", "region")
        self.wait_for_state("disabled")
        lines = self.furrow("bridge", "list").splitlines()
        self.assertRegex(lines[0], r"^BRIDGE +STATE +SINCE +BACKLOG +SIZE +REMOTE$")
        self.assertRegex(lines[1], r"^region +disabled +\d+ s +0 +0 B +mqtt://127\.0\.0\.1:\d+$")
        self.assertRegex(lines[2], r"^  paused by operator since ")

    def test_mistakes(self):
        self.assertIn("there is no bridge 'nowhere'", self.furrow("bridge", "pause", "nowhere", expect=1))
        self.assertIn("not one of its addresses", self.furrow("bridge", "use", "region", "elsewhere", expect=1))
        self.assertIn("--for", self.furrow("bridge", "pause", "region", "--for", "soon", expect=2))


class UseTest(ControlTestCase):
    def test_use_goes_to_that_address_now(self):
        near = self.mosquitto(name="near").start()
        far = self.mosquitto(name="far").start()
        self.barn = self.gateway("bridges:\n  - name: region\n"
                                 f"    connect: [mqtt://127.0.0.1:{near.port}, mqtt://127.0.0.1:{far.port}]\n"
                                 "    backoff: {initial: 50ms, max: 500ms}\n    topics: [{filter: farm/#}]\n").start()

        def online_at(region):
            item = self.items("bridge", "list")[0]
            return item["state"] == "online" and item["remote"] == f"mqtt://127.0.0.1:{region.port}"

        wait_for("it is at the first address", lambda: online_at(near))
        said = self.furrow("bridge", "use", "region", f"127.0.0.1:{far.port}")
        self.assertIn(f"connects to mqtt://127.0.0.1:{far.port}", said)
        wait_for("it is at the second address", lambda: online_at(far))
        self.furrow("bridge", "reconnect", "region")
        wait_for("it is at the first address again", lambda: online_at(near))
        self.assertEqual([what for what, _ in self.audit()], ["use", "reconnect"])


class RetainedTest(ControlTestCase):
    def setUp(self):
        self.region = self.mosquitto().start()
        self.barn = self.gateway(bridge(self.region.port, UP)).start()
        self.sensor = self.client(self.barn.port, "sensor")
        for topic, payload in (("farm/1", "21.5"), ("farm/2", b"\xff\x00"), ("barn/door", "open")):
            self.sensor.publish(topic, payload, 1, retain=True)

    def test_list_and_show(self):
        lines = self.furrow("retained", "list").splitlines()
        self.assertRegex(lines[0], r"^QOS +SIZE +AGE +EXPIRES +TOPIC$")
        self.assertEqual([line.split()[-1] for line in lines[1:]], ["barn/door", "farm/1", "farm/2"])
        self.assertRegex(lines[2], r"^1 +4 B +\d+ s +- farm/1$")
        self.assertEqual(self.furrow("retained", "show", "farm/+"), "farm/1 21.5\nfarm/2 base64:/wA=\n")
        item = self.items("retained", "show", "farm/1")[0]
        self.assertEqual((item["topic"], item["payload"], item["qos"]), ("farm/1", "21.5", 1))
        self.assertEqual(self.furrow("retained", "list", "--older", "1h", "--json"), "")
        self.assertIn("no retained message matches", self.furrow("retained", "show", "none/#", expect=1))

    def test_delete_is_seen_here_and_over_the_bridge(self):
        far = self.client(self.region.port, "far")
        far.subscribe("us/#", 1)
        far.take(2)
        near = self.client(self.barn.port, "near")
        near.subscribe("farm/#", 1)
        near.take(2)
        complaint = self.furrow("retained", "delete", "farm/#", expect=1, stdin=subprocess.DEVNULL)
        self.assertIn("Delete 2 retained messages that match farm/#", complaint)
        self.assertIn("say --yes", complaint)
        self.assertEqual(self.furrow("retained", "delete", "farm/#", "--yes"), "2 retained messages deleted\n")
        self.assertEqual([(one.topic, one.payload) for one in near.take(4)[2:]], [("farm/1", b""), ("farm/2", b"")])
        self.assertEqual([(one.topic, one.payload) for one in far.take(4)[2:]],
                         [("us/farm/1", b""), ("us/farm/2", b"")])
        self.assertEqual(self.audit()[0][0], "delete_retained")
        self.barn.crash()
        self.barn.start()
        self.assertEqual([one["topic"] for one in self.items("retained", "list")], ["barn/door"])

    def test_the_operator_is_asked_on_a_terminal(self):
        near, far = pty.openpty()
        self.addCleanup(os.close, near)
        for answer, left in ((b"n\n", 3), (b"y\n", 2)):
            os.write(near, answer)
            done = subprocess.run([str(BINARY), "retained", "delete", "farm/1", "-c", str(self.barn.config_path)],
                                  stdin=far, capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertIn("Delete 1 retained message that match farm/1", done.stderr)
            self.assertEqual(len(self.items("retained", "list")), left)
        os.close(far)

    def test_status_topics_are_not_deleted(self):
        self.furrow("retained", "delete", "$SYS/#", "--yes")
        self.assertIn("$SYS/furrow/gateway", self.furrow("retained", "list", "$SYS/furrow/#"))

    def test_a_stopped_gateway(self):
        self.barn.stop()
        self.assertEqual(self.furrow("retained", "show", "farm/1"), "farm/1 21.5\n")
        self.assertEqual(self.furrow("retained", "delete", "farm/1", "--yes"), "1 retained message deleted\n")
        self.barn.start()
        reader = self.client(self.barn.port, "reader")
        reader.subscribe("farm/#", 1)
        self.assertEqual([one.topic for one in reader.take(1)], ["farm/2"])
        wait_for("the region has heard of it", lambda: self.retained_at_region() == ["us/farm/2"])

    def retained_at_region(self):
        far = self.client(self.region.port, "far")
        far.subscribe("us/#", 1)
        far.subscribe("end", 1)
        far.publish("end", "x", 1)
        far.wait("all that is retained", lambda: far.payloads("end"))
        far.close()
        return [one.topic for one in far.messages if one.retain]


class BufferTest(ControlTestCase):
    def setUp(self):
        self.barn = self.gateway(bridge(free_port(), UP)).start()
        self.sensor = self.client(self.barn.port, "sensor")

    def fill(self, count, size=0):
        self.sensor.publish_each([(f"farm/{i % 7}", f"{i}" + "x" * size, 1 + i % 2) for i in range(count)])

    def sequence_of(self, lines):
        return [int(re.match(r"\d+", json.loads(line)["payload"]).group()) for line in lines]

    def test_show_has_the_oldest_first(self):
        self.fill(30)
        lines = self.furrow("buffer", "show").splitlines()
        self.assertRegex(lines[0], r"^QOS +AGE STATE +TOPIC AND PAYLOAD$")
        self.assertRegex(lines[1], r"^1 +\d+ s waiting +farm/0 0$")
        self.assertRegex(lines[20], r"^1 +\d+ s waiting +farm/5 19$")
        self.assertRegex(lines[21], r"^… of 30; --limit shows more")
        self.assertEqual(len(self.furrow("buffer", "show", "--limit", "5").splitlines()), 7)
        table = self.furrow("buffer", "list").splitlines()
        self.assertRegex(table[0], r"^BRIDGE +STATE +WAITING +IN FLIGHT +SIZE +OLDEST +ON DISK +ASIDE$")
        self.assertRegex(table[1], r"^region +\w+ +30 +0 +\d+ B +\d+ s +30 +0$")

    def test_export_has_what_is_in_memory_and_what_is_on_disk_only(self):
        self.fill(3000, size=2000)  # six times what stays in memory
        lines = self.furrow("buffer", "export", "--bridge", "region").splitlines()
        self.assertEqual(self.sequence_of(lines), list(range(3000)))
        self.barn.stop()
        file = self.folder / "waiting.jsonl"
        self.furrow("buffer", "export", "-o", file)
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.assertEqual(self.sequence_of(file.read_text().splitlines()), list(range(3000)))
        self.assertIn("File exists", self.furrow("buffer", "export", "-o", file, expect=1))
        self.barn.start()
        self.assertEqual(self.items("bridge", "list")[0]["backlog"], 3000, "looking takes nothing")

    def test_properties_and_bytes_are_exported(self):
        self.sensor.publish("farm/1", b"\xff\x00\x01", 1, properties=properties(
            PacketTypes.PUBLISH, ContentType="raw", UserProperty=("unit", "percent"), MessageExpiryInterval=3600))
        item, = self.items("buffer", "export")
        self.assertEqual(item["payload_base64"], "/wAB")
        self.assertEqual(item["properties"], {"content_type": "raw", "user": [["unit", "percent"]]})
        self.assertAlmostEqual(item["expires_s"], 3600, delta=PATIENCE)

    def test_purge_is_counted(self):
        self.fill(2000, size=2000)
        complaint = self.furrow("buffer", "purge", expect=1, stdin=subprocess.DEVNULL)
        self.assertIn("Drop 2000 messages that the buffer of bridge region has?", complaint)
        self.assertEqual(self.furrow("buffer", "purge", "--yes"),
                         "region: 2000 messages dropped, counted as purged\n")
        reader = self.status(self.barn)
        reader.wait_until("the books say so", lambda one: one["dropped"]["purged"] == 2000)
        reader.assert_books_balance()
        self.assertEqual(self.audit(), [("purge", f"bridge=region messages=2000 uid={os.getuid()}")])
        self.barn.crash()
        self.barn.start()
        self.assertEqual(self.furrow("buffer", "show"), "nothing waits\n")
        self.status(self.barn).wait_until("still", lambda one: one["dropped"]["purged"] == 2000)

    def test_purge_of_a_killed_gateway(self):
        self.fill(100)
        self.barn.crash()
        self.assertEqual(self.furrow("buffer", "purge", "--yes"), "region: 100 messages dropped, counted as purged\n")
        self.barn.start()
        self.status(self.barn).wait_until("the books say so", lambda one: one["dropped"]["purged"] == 100)

    def test_an_export_does_not_hold_up_a_client(self):
        self.fill(3000, size=2000)
        exporter = subprocess.Popen([str(BINARY), "buffer", "export", "-c", str(self.barn.config_path)],
                                    stdout=subprocess.PIPE)  # which nobody reads
        self.addCleanup(exporter.wait, PATIENCE)
        self.addCleanup(exporter.kill)
        self.addCleanup(exporter.stdout.close)
        exporter.stdout.read(1)
        started = time.monotonic()
        self.sensor.publish("local", "x", 1)
        self.assertLess(time.monotonic() - started, PATIENCE / 2)
        self.assertIn("region", self.furrow("buffer", "list"))


if __name__ == "__main__":
    main()
