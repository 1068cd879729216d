"""An outage of the WAN, and a kill -9 in the middle of it: what was acknowledged arrives."""

from furrow_testing import V3_1_1, V5, Client, TestCase, bridge, main, publish_lines, text

COUNT = 10_000  # messages of each publisher
WINDOW = 1000  # the most that a bridge has in flight


class OutageTest(TestCase):
    def subscribe_at(self, region):
        """A persistent session that the region keeps over its own restart."""
        subscriber = Client(region.port, "archive", V3_1_1, clean=False).connect()
        subscriber.subscribe("us/farm/#", 1)
        subscriber.close()
        return subscriber

    def assert_everything_arrived(self, messages, topic):
        """All numbers; the first arrivals in order; duplicates no more than what was in flight when the line broke."""
        arrived = [int(text(one)) for one in messages if one.topic == topic]
        first = list(dict.fromkeys(arrived))
        self.assertEqual(first, list(range(COUNT)), f"on {topic}")
        return len(arrived) - len(first)

    def test_acknowledged_messages_survive_outage_and_kill(self):
        region = self.mosquitto("max_inflight_messages 0\n").start()
        archive = self.subscribe_at(region)
        gateway = self.gateway(bridge(region.port, "{filter: farm/#, qos: 1, remote_prefix: us/}")).start()
        status = self.status(gateway)
        status.wait_until("the bridge is online", lambda one: one["state"] == "online")

        region.stop()
        self.assert_published(publish_lines(gateway.port, "farm/old", range(COUNT), version="mqttv311"),
                              publish_lines(gateway.port, "farm/new", range(COUNT), version="mqttv5"))
        waiting = status.wait_until("the buffer is full", lambda one: one["backlog"]["messages"] == 2 * COUNT)
        self.assertEqual(waiting["accepted"], 2 * COUNT)
        self.assertIn(waiting["state"], ("connecting", "backoff"))
        status.assert_books_balance()

        gateway.crash()
        gateway.start()
        status = self.status(gateway)
        restored = status.wait_until("the buffer is back", lambda one: one["backlog"]["messages"] == 2 * COUNT)
        self.assertEqual(restored["backlog"]["disk_messages"], 2 * COUNT)

        region.start()
        archive.connect()
        self.addCleanup(archive.close)
        self.assertTrue(archive.connack[0], "the region lost the session of the subscriber")
        drained = status.wait_until("the buffer is empty", lambda one: one["delivered"] == 2 * COUNT)
        self.assertEqual((drained["backlog"]["messages"], drained["inflight"]), (0, 0))
        self.assertEqual(sum(drained["dropped"].values()) + drained["expired"] + drained["quarantined"], 0)
        status.assert_books_balance()

        messages = archive.take(2 * COUNT)
        duplicates = sum(self.assert_everything_arrived(messages, f"us/farm/{topic}") for topic in ("old", "new"))
        self.assertLessEqual(duplicates, WINDOW)

    def test_kill_while_draining(self):
        """kill -9 with the window full: what was in flight is sent again, and nothing else twice."""
        region = self.mosquitto("max_inflight_messages 0\n").start()
        archive = self.subscribe_at(region)
        region.stop()
        gateway = self.gateway(bridge(region.port, "{filter: farm/#, qos: 1, remote_prefix: us/}")).start()
        self.assert_published(publish_lines(gateway.port, "farm/a", range(COUNT)))

        region.start()
        archive.connect()
        self.addCleanup(archive.close)
        archive.take(COUNT // 4)
        gateway.crash()
        seen_at_crash = len(archive.messages)
        gateway.start()

        status = self.status(gateway)
        status.wait_until("the buffer is empty",
                          lambda one: one["state"] == "online" and one["backlog"]["messages"] + one["inflight"] == 0)
        status.assert_books_balance()
        late = self.client(region.port, "late", V5)
        late.publish("us/farm/end", "", 1)  # behind everything that the region has for the archive
        archive.wait("the end", lambda: archive.messages[-1].topic == "us/farm/end")
        self.assertGreaterEqual(seen_at_crash, COUNT // 4)
        self.assert_everything_arrived(archive.messages, "us/farm/a")

    def test_messages_reach_the_region_while_it_is_there(self):
        region = self.mosquitto().start()
        listener = self.client(region.port, "listener")
        listener.subscribe("us/#", 2)
        gateway = self.gateway(bridge(region.port, "{filter: farm/#, qos: 2, remote_prefix: us/}")).start()
        status = self.status(gateway)
        status.wait_until("the bridge is online", lambda one: one["state"] == "online")
        publisher = self.client(gateway.port, "sensor")
        for qos in (0, 1, 2):
            publisher.publish(f"farm/{qos}", f"reading {qos}", qos)
        publisher.publish("elsewhere/1", "stays here", 1)
        received = {(one.topic, text(one), one.qos) for one in listener.take(3)}
        self.assertEqual(received, {(f"us/farm/{qos}", f"reading {qos}", qos) for qos in (0, 1, 2)})
        settled = status.wait_until("everything is acknowledged", lambda one: one["delivered"] == 3)
        self.assertEqual(settled["accepted"], 3)
        status.assert_books_balance()


if __name__ == "__main__":
    main()
