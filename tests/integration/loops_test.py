"""Gateways in a circle: a message that comes back is not passed on again."""

import time

from furrow_testing import TestCase, bridge, bridge_entry, free_port, main, wait_for

QUIET = 1.0  # seconds in which nothing more comes


class LoopsTest(TestCase):
    def ring(self, settings=""):
        """Three gateways, each with a bridge to the next; `settings` are those of all bridges."""
        names = ("a", "b", "c")
        ports = [free_port() for _ in names]
        self.gateways = []
        for i, name in enumerate(names):
            listener = f"listeners: [{{bind: 127.0.0.1:{ports[i]}}}]\n"
            text = listener + bridge(ports[(i + 1) % 3], "{filter: farm/#}", settings=settings)
            self.gateways.append(self.gateway(text, name).start())
        self.statuses = [self.status(one) for one in self.gateways]
        for one in self.statuses:
            one.wait_until("online", lambda document: document["state"] == "online")
        self.readers = [self.reader(port, f"reader-{name}") for name, port in zip(names, ports)]
        self.sensor = self.client(ports[0], "sensor")

    def reader(self, port, name):
        reader = self.client(port, name)
        reader.subscribe("farm/#", 1)
        return reader

    def dropped(self, place, reason, count):
        self.statuses[place].wait_until(f"{count} {reason}", lambda one: one["dropped"][reason] == count)

    def settled(self, readers):
        """What each has got, once nothing more comes."""
        counts = None
        while counts != (counts := [len(one.messages) for one in readers]):
            time.sleep(QUIET)
        return counts

    def test_a_message_goes_round_once(self):
        self.ring()
        for i in range(3):
            self.sensor.publish("farm/1", str(i), 1)
        self.dropped(0, "loop", 3)
        self.assertEqual(self.settled(self.readers[1:]), [3, 3])
        self.assertEqual(self.settled(self.readers[:1]), [6], "its own, and what came round")
        paths = [dict(self.readers[2].messages[0].properties.UserProperty).get("furrow-path"),
                 dict(getattr(self.readers[1].messages[0].properties, "UserProperty", [])).get("furrow-path")]
        self.assertEqual(paths, ["a/b/c", "a/b"])
        for one in self.statuses:
            one.assert_books_balance()
        self.assertRegex(self.gateways[0].log(), r"warning bridge.circling name=region topic=farm/1 path=a/b/c/a")

    def test_no_message_makes_more_hops_than_it_may(self):
        self.ring("hop_limit: 1")
        self.sensor.publish("farm/1", "21", 1)
        self.dropped(1, "hop_limit", 1)
        self.assertEqual(self.settled(self.readers), [1, 1, 0])

    def test_without_the_guard_messages_circle(self):
        self.ring("loop_guard: off")
        self.sensor.publish("farm/1", "21", 1)
        wait_for("the tenth round", lambda: len(self.readers[1].messages) >= 10)

    def test_two_gateways_between_two_brokers_do_not_feed_each_other(self):
        brokers = [self.mosquitto(name=name).start() for name in ("east", "west")]
        both = "{filter: farm/#, direction: both}"
        text = "bridges:\n" + "".join(bridge_entry(one.port, both, name=one.name) for one in brokers)
        statuses = [self.status(self.gateway(text, name).start()) for name in ("a", "b")]
        for status in statuses:
            for one in brokers:
                status.wait_until("online", lambda document: document["state"] == "online", f"bridge/{one.name}")
        readers = [self.reader(one.port, "reader") for one in brokers]
        self.client(brokers[0].port, "sensor").publish("farm/1", "21", 1)
        for one in readers:
            one.take(2)
        self.assertEqual(self.settled(readers), [3, 2], "each gateway passes on what the other one has not")
        for status in statuses:
            status.wait_until("cut", lambda document: document["dropped"]["loop"] == 1, "bridge/west")


if __name__ == "__main__":
    main()
