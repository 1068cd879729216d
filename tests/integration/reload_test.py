"""A reload (HUP): the difference is applied, what it does not concern does not notice, and a file that is wrong changes
nothing."""

import re
import signal
import socket

from furrow_testing import TestCase, bridge, bridge_entry, free_port, main, publish_lines, undelivered, wait_for

COUNT = 10_000
CHANGES = 20


class ReloadTest(TestCase):
    def rewrite(self, gateway, *replacements):
        """Replaces text of the file as it was at first."""
        if not hasattr(self, "first_config"):
            self.first_config = gateway.config_path.read_text()
        text = self.first_config
        for old, new in replacements:
            self.assertIn(old, text)
            text = text.replace(old, new)
        gateway.config_path.write_text(text)

    def hup(self, gateway, outcome="reload.done"):
        """Reloads, and returns what the log says of it."""
        before = len(gateway.log())
        gateway.process.send_signal(signal.SIGHUP)
        wait_for(f"the log says {outcome}", lambda: outcome in gateway.log()[before:])
        return gateway.log()[before:]

    def reload(self, gateway, *replacements, outcome="reload.done"):
        self.rewrite(gateway, *replacements)
        return self.hup(gateway, outcome)


class UnderLoadTest(ReloadTest):
    def test_twenty_changes_while_messages_pass_lose_and_repeat_nothing(self):
        region = self.mosquitto().start()
        archive = self.archive(region.port, "us/#", 2).start()
        other = self.mosquitto(name="other").start()
        barn = self.gateway(bridge(region.port, "{filter: farm/#, qos: 2, remote_prefix: us/}")).start()
        bystander = self.client(barn.port, "bystander")
        bystander.subscribe("farm/end", 2)
        publishers = [publish_lines(barn.port, f"farm/{qos}", range(COUNT // 2), qos=qos) for qos in (1, 2)]
        entry = "bridges:\n"
        second = entry + bridge_entry(other.port, "{filter: farm/#}", name="second")
        changes = [
            ("filter: farm/#, qos: 2", "filter: farm/#, qos: 2, retain: clear"),
            ("    topics:", "    keepalive: 20s\n    topics:"),  # a connection of its own
            (entry, second),
            ("interval: 1s", "interval: 2s"),
            ("    topics:", "    buffer: {messages: 500000}\n    topics:"),
            ("status:", "limits: {inflight: 50}\nstatus:"),
            ("remote_prefix: us/}", "remote_prefix: us/}\n      - {filter: setting/#, direction: down}"),
            ("gateway:", "log: {format: json}\ngateway:"),
        ]
        for i in range(CHANGES):
            self.reload(barn, changes[i % len(changes)])
        self.reload(barn)
        self.assert_published(*publishers)
        end = self.client(barn.port, "end")
        end.publish("farm/end", "end", 2)
        archive.wait_for_payload("us/farm/end", "end")
        sent = [str(i) for i in range(COUNT // 2)]
        self.assertEqual(archive.payloads("us/farm/2"), sent)
        # What was in flight when the bridge made itself a new connection may come again at QoS 1.
        self.assertEqual(list(dict.fromkeys(archive.payloads("us/farm/1"))), sent)
        self.assertEqual(bystander.payloads("farm/end"), ["end"])
        self.assertIsNone(bystander.disconnected)
        status = self.status(barn)
        status.wait_until("everything is delivered", lambda one: undelivered(one) == 0)
        status.assert_books_balance()


class RefusedTest(ReloadTest):
    def test_a_file_with_mistakes_changes_nothing_and_the_log_says_where_they_are(self):
        barn = self.gateway("limits: {packet: 1MiB}\n").start()
        said = self.reload(barn, ("packet: 1MiB", "packet: 1MB"), ("interval: 1s", "interval: 5s"),
                           outcome="reload.refused")
        self.assertRegex(said, rf"config.error place=.*{barn.config_path}:\d+:\d+: limits.packet: '1MB'")
        said = self.hup(barn, "reload.refused")
        self.assertNotIn("reload.changed", said)
        barn.config_path.unlink()
        self.assertIn(str(barn.config_path), self.hup(barn, "reload.refused"))
        self.client(barn.port, "still-served")

    def test_a_port_in_use_changes_nothing(self):
        barn = self.gateway().start()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            said = self.reload(barn, ("bind: 127.0.0.1:0", f"bind: {address}"), ("interval: 1s", "interval: 5s"),
                               outcome="reload.refused")
        self.assertIn("Address already in use", said)
        self.client(barn.port, "still-served")
        self.assertRegex(self.reload(barn), r"reload.done .*changes=0")

    def test_what_needs_a_restart_is_said_and_stays(self):
        barn = self.gateway().start()
        said = self.reload(barn, ("id: barn,", "id: barn-2,"), ("interval: 1s", "interval: 5s"))
        self.assertRegex(said, r"warning reload.needs_restart key=gateway.id from=barn to=barn-2")
        self.assertRegex(said, r"reload.changed key=status.interval from=1s to=5s")
        self.assertEqual(self.status(barn).wait_until("a document", lambda one: True, "gateway")["id"], "barn")


class ListenersTest(ReloadTest):
    def test_listeners_come_and_go_and_living_connections_stay(self):
        barn = self.gateway().start()
        first_port = barn.port
        living = self.client(first_port, "living")
        living.subscribe("news/#")
        said = self.reload(barn, ("[{bind: 127.0.0.1:0}]", "[{bind: '127.0.0.2:0'}]"))
        second_port = int(re.search(r"listening .*address=127\.0\.0\.2:(\d+)", said).group(1))
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", first_port)).close()
        socket.create_connection(("127.0.0.2", second_port)).close()
        living.publish("news/1", "still here", 1)
        self.assertEqual([one.payload for one in living.take(1)], [b"still here"])

    def test_a_port_is_opened_to_all_addresses(self):
        barn = self.gateway("access: {anonymous: true}\n")
        port = free_port()
        barn.config_path.write_text(barn.config_path.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        barn.start()
        self.reload(barn, (f"127.0.0.1:{port}", f"0.0.0.0:{port}"))
        self.client(port, "newcomer")


class BridgesTest(ReloadTest):
    def test_a_bridge_that_is_taken_out_keeps_what_waits_for_its_return(self):
        region = self.mosquitto().start()
        archive = self.archive(region.port, "farm/#", 1).start()
        region.stop()
        entry = bridge(region.port, "{filter: farm/#}")
        barn = self.gateway(entry).start()
        status = self.status(barn)
        self.assert_published(publish_lines(barn.port, "farm/1", range(20)))
        self.assertIn("bridge.unconfigured name=region waiting=20", self.reload(barn, (entry, "")))
        self.assert_published(publish_lines(barn.port, "farm/1", ["not for the region"]))
        out = status.wait_until("it is out", lambda one: one["state"] == "disabled")
        self.assertEqual(out["reason"], "not in configuration, 20 waiting")
        region.start()
        self.reload(barn)
        archive.wait_for_payload("farm/1", "19")
        self.assertEqual(archive.payloads("farm/1"), [str(i) for i in range(20)])
        status.assert_books_balance()

    def test_a_rule_that_is_gone_is_unsubscribed_at_the_far_broker(self):
        region = self.mosquitto().start()
        rules = ("{filter: setting/#, direction: down}", "{filter: news/#, direction: down}")
        barn = self.gateway(bridge(region.port, *rules)).start()
        status = self.status(barn)
        status.wait_until("online", lambda one: one["state"] == "online")
        reader = self.client(barn.port, "reader")
        reader.subscribe("#", 1)
        self.reload(barn, ("      - {filter: news/#, direction: down}\n", ""))
        far = self.client(region.port, "far")

        def arrives(topic):
            far.publish(topic, topic, 1)
            far.publish("setting/end", topic, 1)
            wait_for(f"the message behind {topic}", lambda: topic in reader.payloads("setting/end"))
            return topic in reader.payloads(topic)

        wait_for("news no longer come", lambda: not arrives(f"news/{len(reader.payloads())}"))
        document = status.wait_until("the number of connections", lambda one: True)
        self.assertEqual(document["connects"], 1, "the rules of a bridge change without a new connection")


if __name__ == "__main__":
    main()
