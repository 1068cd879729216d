"""Three gateways in a ring that knows its messages: each comes once to each broker, whatever happens to the links."""

import signal
import time

from furrow_testing import Archive, TestCase, bridge, free_port, main, publish_lines, undelivered, wait_for

NAMES = ("a", "b", "c")
COUNT = 400
CUT_EVERY = 5000  # bytes of a bridge on its way up
CUTS = 5
QUIET = 1.0  # seconds in which nothing more comes
# What waits for a bridge of the ring waits in its session at the next gateway, too.
SESSIONS = "sessions: {queue: {messages: 100000, bytes: 64MiB}}\n"


class MeshTest(TestCase):
    def ring(self, settings="mesh: true\nmqtt_version: 5", qos=2):
        """Each gateway has a bridge to the next; `wans` are their links, and `archives` note what comes to each."""
        self.ports = [free_port() for _ in NAMES]
        self.wans = [self.proxy(self.ports[(i + 1) % 3]) for i in range(3)]
        rule = f"{{filter: farm/#, direction: both, qos: {qos}}}"
        self.gateways = [
            self.gateway(f"listeners: [{{bind: 127.0.0.1:{port}}}]\n" + SESSIONS +
                         bridge(wan.port, rule, settings=settings), name)
            for name, port, wan in zip(NAMES, self.ports, self.wans)]
        for one in self.gateways:
            one.start()
        self.statuses = [self.status(one) for one in self.gateways]
        for one in self.statuses:
            one.wait_until("online", lambda document: document["state"] == "online")
        self.archives = [self.own(Archive(f"archive-{name}", self.folder, port, "farm/#", qos, "mqttv5")).subscribe()
                         for name, port in zip(NAMES, self.ports)]
        for one in self.archives:
            one.start()

    def publish(self, *places, qos=2):
        """COUNT readings at each of these brokers; returns once all are acknowledged."""
        self.assert_published(*[publish_lines(self.ports[place], f"farm/{NAMES[place]}", range(COUNT), qos, "mqttv5")
                                for place in places])

    def assert_each_once(self, *places):
        """What was published at these places has come to each broker once, in order, and nothing else has."""
        wanted = {f"farm/{NAMES[place]}": [str(i) for i in range(COUNT)] for place in places}
        for archive in self.archives:
            for topic, payloads in wanted.items():
                wait_for(f"all of {topic} at {archive.name}", lambda: len(archive.payloads(topic)) >= len(payloads))
        self.wait_until_drained()
        self.wait_until_quiet()
        for archive in self.archives:
            for topic, payloads in wanted.items():
                self.assertEqual(archive.payloads(topic), payloads, f"{topic} at {archive.name}")
            self.assertEqual(len(archive.arrivals()), sum(map(len, wanted.values())), archive.name)

    def wait_until_drained(self):
        for gateway in self.gateways:
            status = self.status(gateway)
            status.wait_until("all is delivered", lambda one: one["state"] == "online" and undelivered(one) == 0)
            status.assert_books_balance()

    def wait_until_quiet(self):
        counts = None
        while counts != (counts := [len(one.arrivals()) for one in self.archives]):
            time.sleep(QUIET)

    def had(self, place):
        """How many messages came there a second time, of this run of the gateway."""
        return self.status(self.gateways[place]).wait_until("a document", lambda one: True, "gateway")["mesh"]["had"]

    def test_each_message_comes_once(self):
        self.ring()
        self.publish(0, 1, 2)
        self.assert_each_once(0, 1, 2)
        self.assertGreater(sum(self.had(place) for place in range(3)), 0)

    def test_at_qos_1_as_well_and_nothing_is_written_for_it(self):
        self.ring(qos=1)
        document = lambda one: self.status(one).wait_until("a document", lambda _: True, "gateway")
        commits = lambda: [document(one)["store"]["commits"] for one in self.gateways]
        before = commits()
        self.publish(0, qos=1)
        self.assert_each_once(0)
        for had, has in zip(before, commits()):
            self.assertLess(has - had, COUNT // 2, "a message is not written by itself")

    def test_links_that_break_all_the_time(self):
        self.ring()
        for one in self.wans:
            one.cut_every = CUT_EVERY
        self.publish(0, 1, 2)
        wait_for(f"{CUTS} cuts of each", lambda: all(one.cuts >= CUTS for one in self.wans))
        for one in self.wans:
            one.cut_every = None
        self.assert_each_once(0, 1, 2)

    def test_a_link_is_away_until_all_has_come_the_other_way_round(self):
        self.ring()
        self.wans[0].close()
        self.publish(0, 1)
        for place, other in ((0, 1), (1, 0)):
            wait_for("all has come by c", lambda: len(self.archives[place].payloads(f"farm/{NAMES[other]}")) == COUNT)
        waits = self.statuses[0].wait_until("what a has for b waits", lambda one: one["backlog"]["messages"] >= COUNT)
        before = self.had(1)
        self.wans[0].open()
        self.assert_each_once(0, 1)
        self.assertGreaterEqual(self.had(1) - before, COUNT)
        self.assertGreaterEqual(waits["accepted"], COUNT)

    def test_a_gateway_is_killed_while_messages_pass(self):
        self.ring()
        self.wans[0].close()  # from a to b they pass c
        self.publish(0)
        for share in (8, 4, 2):
            wait_for("a part has come to b", lambda: len(self.archives[1].payloads("farm/a")) >= COUNT // share)
            self.gateways[2].crash()
            self.gateways[2].start()
        wait_for("all has come to b", lambda: len(self.archives[1].payloads("farm/a")) == COUNT)
        self.gateways[1].crash()  # what it knows of them is on disk
        self.gateways[1].start()
        self.wans[0].open()
        self.assert_each_once(0)

    def test_every_gateway_is_killed_in_turn_while_links_break(self):
        self.ring()
        for one in self.wans:
            one.cut_every = CUT_EVERY
        publishers = [publish_lines(self.ports[place], f"farm/{NAMES[place]}", range(COUNT), 2, "mqttv5")
                      for place in (0, 1)]
        for _ in range(2):
            time.sleep(0.5)
            self.gateways[2].crash()
            self.gateways[2].start()
        self.assert_published(*publishers)
        for place in (0, 1):
            self.gateways[place].crash()
            self.gateways[place].start()
        for one in self.wans:
            one.cut_every = None
        self.assert_each_once(0, 1)

    def test_retained_values_and_their_ends_go_round_once(self):
        self.ring()
        sensor = self.client(self.ports[0], "sensor")
        sensor.publish("farm/door", "open", 2, retain=True)
        sensor.publish("farm/gate", "open", 2, retain=True)
        sensor.publish("farm/gate", "", 2, retain=True)
        self.wait_until_drained()
        self.wait_until_quiet()
        for archive, port in zip(self.archives, self.ports):
            self.assertEqual(archive.arrivals(), ["farm/door open", "farm/gate open", "farm/gate "], archive.name)
            late = self.client(port, "late")
            late.subscribe("farm/#", 1)
            self.assertEqual([one.topic for one in late.take(1)], ["farm/door"])

    def test_a_reload_switches_it_on_and_off(self):
        self.ring(settings="mqtt_version: 5")
        self.switch("mqtt_version: 5", "mqtt_version: 5\n    mesh: true")
        self.publish(0)
        self.assert_each_once(0)
        self.switch("mesh: true", "mesh: false")
        self.client(self.ports[0], "sensor").publish("farm/last", "21", 2)
        wait_for("it has come round", lambda: len(self.archives[0].payloads("farm/last")) > 1)

    def switch(self, before, after):
        for gateway in self.gateways:
            status = self.status(gateway)
            since = status.wait_until("online", lambda one: one["state"] == "online")["since_at"]
            config = gateway.config_path.read_text()
            gateway.config_path.write_text(config.replace(before, after))
            gateway.process.send_signal(signal.SIGHUP)
            status.wait_until("online again", lambda one: one["state"] == "online" and one["since_at"] != since)


if __name__ == "__main__":
    main()
