"""Rules of bridges, seen from outside: names by patterns, properties and stamps, thinned values."""

import datetime
import time

from furrow_testing import TestCase, bridge, main, wait_for


def user_properties(message):
    return dict(getattr(message.properties, "UserProperty", []))


class RulesTest(TestCase):
    def setUp(self):
        super().setUp()
        self.region = self.mosquitto().start()

    def bridged(self, rule, settings=""):
        """A gateway that has reached its region."""
        self.barn = self.gateway(bridge(self.region.port, rule, settings=settings)).start()
        self.reader = self.status(self.barn)
        self.wait_online()
        self.sensor = self.client(self.barn.port, "sensor")
        return self.barn

    def wait_online(self):
        self.reader.wait_until("online", lambda one: one["state"] == "online")

    def far_reader(self, topic_filter, **settings):
        far = self.client(self.region.port, "far-reader", **settings)
        far.subscribe(topic_filter, 1)
        return far

    def restart_after_kill(self):
        self.barn.crash()
        self.barn.start()
        self.reader = self.status(self.barn)
        self.sensor = self.client(self.barn.port, "sensor")

    def test_a_pattern_names_topics_on_both_ways(self):
        self.bridged('{filter: farm/+/moisture/#, direction: both, remote: "v1/{gateway}/{1}/data/{rest}"}')
        far = self.far_reader("v1/#")
        self.sensor.publish("farm/7/moisture/deep/a", "up", 1)
        self.sensor.publish("farm/7/moisture", "parent", 1)
        self.assertEqual([(one.topic, one.payload) for one in far.take(2)],
                         [("v1/barn/7/data/deep/a", b"up"), ("v1/barn/7/data", b"parent")])
        near = self.client(self.barn.port, "near-reader")
        near.subscribe("farm/#", 1)
        far.publish("v1/barn/8/data/x", "down", 1)
        self.assertEqual([(one.topic, one.payload) for one in near.take(1)], [("farm/8/moisture/x", b"down")])

    def test_messages_say_where_when_and_in_which_order_they_came_in(self):
        self.bridged("{filter: farm/#, properties: {site: north, unit: C}}",
                     "stamp: [received_at, gateway, sequence]")
        far = self.far_reader("farm/#")
        before = datetime.datetime.now(datetime.timezone.utc)
        for i in range(3):
            self.sensor.publish("farm/1", str(i), 1)
        told = [user_properties(one) for one in far.take(3)]
        trusted = self.reader.wait_until("the clock", lambda one: True, "gateway")["clock"]["trusted"]
        for one in told:
            self.assertEqual((one["site"], one["unit"], one["gateway"]), ("north", "C", "barn"))
            self.assertEqual("received-at" in one, trusted)
            if not trusted:
                continue
            at = datetime.datetime.fromisoformat(one["received-at"].replace("Z", "+00:00"))
            self.assertLess(abs((at - before).total_seconds()), 60)
        numbers = [int(one["seq"]) for one in told]
        self.assertEqual(numbers, sorted(set(numbers)))
        # Nothing of that was written: a number is not given again all the same.
        self.restart_after_kill()
        self.wait_online()
        self.sensor.publish("farm/1", "3", 1)
        self.assertGreater(int(user_properties(far.take(4)[3])["seq"]), numbers[-1])

    def test_a_message_has_its_number_over_an_outage_and_a_kill(self):
        self.bridged("{filter: farm/#}", "stamp: [sequence]")
        far = self.far_reader("farm/#", clean=False)  # the bridge may be back before it
        far.close()
        self.region.stop()
        self.reader.wait_until("away", lambda one: one["state"] != "online")
        for i in range(10):
            self.sensor.publish("farm/1", str(i), 1)
        self.restart_after_kill()
        self.sensor.publish("farm/1", "10", 1)
        self.region.start()
        far.connect()
        numbers = [int(user_properties(one)["seq"]) for one in far.take(11)]
        self.assertEqual([one.payload for one in far.messages[:11]], [str(i).encode() for i in range(11)])
        self.assertEqual(numbers, sorted(set(numbers)))

    def test_the_newest_value_of_an_interval_crosses_and_outlives_a_kill(self):
        self.bridged("{filter: farm/#, every: 5s}")
        far = self.far_reader("farm/#")
        begin = time.monotonic()
        for i in range(20):
            self.sensor.publish("farm/1", str(i), 1)
        document = self.reader.wait_until("18 are thinned", lambda one: one["dropped"]["thinned"] == 18)
        self.assertEqual((document["delivered"], document["backlog"]["messages"]), (1, 1))
        self.assertEqual(far.take(2)[1].payload, b"19")
        self.assertGreater(time.monotonic() - begin, 4)
        for i in range(20, 30):
            self.sensor.publish("farm/1", str(i), 1)  # acknowledged: safe
        self.reader.assert_books_balance()
        self.restart_after_kill()
        wait_for("the newest value", lambda: "29" in far.payloads())
        # A kill may bring back what has given way within the second before: the first of it crosses, too.
        crossed = far.payloads()
        self.assertIn(crossed[2:], [["29"], *([str(i), "29"] for i in range(20, 29))])
        self.assertEqual(crossed[:2], ["0", "19"])
        self.reader.wait_until("none waits", lambda one: one["backlog"]["messages"] == 0)
        self.reader.assert_books_balance()

    def test_only_changes_cross(self):
        self.bridged("{filter: farm/#, changed_only: true, heartbeat: 2s}")
        far = self.far_reader("farm/#")
        for payload in ("on", "on", "off", "off", "off"):
            self.sensor.publish("farm/1", payload, 1)
        self.reader.wait_until("three are thinned", lambda one: one["dropped"]["thinned"] == 3)
        self.assertEqual(far.payloads(), ["on", "off"])
        time.sleep(2)
        self.sensor.publish("farm/1", "off", 1)
        wait_for("the heartbeat", lambda: far.payloads() == ["on", "off", "off"])
        self.reader.assert_books_balance()


if __name__ == "__main__":
    main()
