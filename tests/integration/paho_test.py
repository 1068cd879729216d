"""The local broker seen by an independent client, in MQTT 3.1.1 and 5."""

import time

from furrow_testing import (V3_1_1, V5, VERSION_NAMES, Client, PacketTypes, TestCase, main, properties, text)

TAKEN_OVER = 0x8E  # Session taken over


class BothVersions(TestCase):
    """What is the same in both; each test runs once a version, with a gateway of its own."""

    def each_version(self, story):
        for version, name in VERSION_NAMES.items():
            with self.subTest(version=name):
                gateway = self.gateway(name=f"barn-{name}").start()
                story(gateway, version)

    def test_every_qos(self):
        self.each_version(self.every_qos)

    def every_qos(self, gateway, version):
        reader = self.client(gateway.port, "reader", version)
        granted = [reader.subscribe(f"farm/+/{qos}", qos) for qos in (0, 1, 2)]
        self.assertEqual(granted, [0, 1, 2])
        writer = self.client(gateway.port, "writer", version)
        for published in (0, 1, 2):
            for subscribed in (0, 1, 2):
                writer.publish(f"farm/{published}/{subscribed}", "reading", published)
        received = {one.topic: one.qos for one in reader.take(9)}
        self.assertEqual(received, {f"farm/{one}/{other}": min(one, other) for one in range(3) for other in range(3)})

    def test_will(self):
        self.each_version(self.will)

    def will(self, gateway, version):
        reader = self.client(gateway.port, "reader", version)
        reader.subscribe("will/#", 1)
        for name in ("leaves", "breaks"):
            will = {"topic": f"will/{name}", "payload": "gone", "qos": 1}
            sensor = self.client(gateway.port, name, version, will=will)
            sensor.close() if name == "leaves" else sensor.drop()
        self.assertEqual(reader.take(1)[0].topic, "will/breaks")
        self.client(gateway.port, "marker", version).publish("will/end", "", 1)
        reader.wait("the end", lambda: reader.messages[-1].topic == "will/end")
        self.assertEqual([one.topic for one in reader.messages], ["will/breaks", "will/end"])

    def test_retained(self):
        self.each_version(self.retained)

    def retained(self, gateway, version):
        writer = self.client(gateway.port, "writer", version)
        expected = [("first", ["first"]), ("second", ["second"]), ("", [])]
        for value, seen in expected:
            writer.publish("farm/level", value, 1, retain=True)
            with Client(gateway.port, "", version) as reader:
                reader.subscribe("farm/#", 1)
                writer.publish("other", "", 1)
                reader.subscribe("end", 1)
                writer.publish("end", "end", 1)
                reader.wait("the end", lambda r=reader: r.payloads("end"))
                self.assertEqual(reader.payloads("farm/level"), seen)
                self.assertTrue(all(one.retain for one in reader.messages if one.topic == "farm/level"))

    def test_retained_survives_kill(self):
        self.each_version(self.retained_survives_kill)

    def retained_survives_kill(self, gateway, version):
        writer = self.client(gateway.port, "writer", version)
        writer.publish("farm/level", "high", 1, retain=True)
        writer.publish("farm/gone", "x", 1, retain=True)
        writer.publish("farm/gone", "", 1, retain=True)
        gateway.crash()
        gateway.start()
        reader = self.client(gateway.port, "reader", version)
        reader.subscribe("farm/#", 1)
        self.client(gateway.port, "marker", version).publish("farm/end", "", 1)
        reader.wait("the end", lambda: reader.messages and reader.messages[-1].topic == "farm/end")
        self.assertEqual([(one.topic, text(one)) for one in reader.messages[:-1]], [("farm/level", "high")])

    def test_persistent_session(self):
        self.each_version(self.persistent_session)

    def persistent_session(self, gateway, version):
        """Queued messages, in order at each QoS: over a reconnect, a clean stop and a kill -9."""
        reader = Client(gateway.port, "reader", version, clean=False).connect()
        self.assertFalse(reader.connack[0])
        reader.subscribe("farm/#", 2)
        reader.close()
        expected = {1: [], 2: []}
        for round_number, interruption in enumerate((None, gateway.stop, gateway.crash)):
            messages = [("farm/a", f"{round_number}.{i}", 1 + i % 2) for i in range(100)]
            with Client(gateway.port, "writer", version) as writer:
                writer.publish_each(messages)
            for _, payload, qos in messages:
                expected[qos].append(payload)
            if interruption is not None:
                interruption()
                gateway.start()
            reader.port = gateway.port
            reader.connect()
            self.assertTrue(reader.connack[0], "session present")
            reader.take(len(expected[1]) + len(expected[2]))
            received = {qos: [text(one) for one in reader.messages if one.qos == qos] for qos in (1, 2)}
            self.assertEqual(received, expected)
            reader.close()

    def test_clean_start_ends_the_session(self):
        self.each_version(self.clean_start_ends_the_session)

    def clean_start_ends_the_session(self, gateway, version):
        Client(gateway.port, "reader", version, clean=False).connect().close()
        with Client(gateway.port, "reader", version, clean=True) as reader:
            self.assertFalse(reader.connack[0])
        with Client(gateway.port, "reader", version, clean=False) as reader:
            self.assertFalse(reader.connack[0])

    def test_take_over(self):
        self.each_version(self.take_over)

    def take_over(self, gateway, version):
        first = self.client(gateway.port, "same", version)
        second = self.client(gateway.port, "same", version)
        first.wait("the first is disconnected", lambda: first.disconnected is not None)
        if version == V5:
            self.assertEqual(first.disconnected, TAKEN_OVER)
        second.subscribe("still/here", 1)
        second.publish("still/here", "yes", 1)
        self.assertEqual(text(second.take(1)[0]), "yes")


class Version5(TestCase):
    def setUp(self):
        self.barn = self.gateway().start()

    def test_subscription_identifiers(self):
        reader = self.client(self.barn.port, "reader")
        for identifier, topic_filter in ((7, "farm/#"), (300, "farm/+/level")):
            reader.subscribe(topic_filter, 1,
                             properties=properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=identifier))
        self.client(self.barn.port, "writer").publish("farm/1/level", "", 1)
        reader.take(1)
        # One copy with both, or one a subscription [MQTT-3.3.4-4]; time for a second copy that would be one too many.
        writer = self.client(self.barn.port, "marker")
        writer.publish("farm/end", "", 1)
        reader.wait("the end", lambda: reader.messages[-1].topic == "farm/end")
        identifiers = [number for one in reader.messages[:-1] for number in one.properties.SubscriptionIdentifier]
        self.assertEqual(sorted(identifiers), [7, 300])

    def test_properties_arrive_unchanged_and_in_order(self):
        reader = self.client(self.barn.port, "reader")
        reader.subscribe("farm/#", 1)
        pairs = [("b", "1"), ("a", "2"), ("b", "0"), ("", ""), ("ü", "€")]
        self.client(self.barn.port, "writer").publish(
            "farm/a", "{}", 1, properties=properties(
                PacketTypes.PUBLISH, UserProperty=pairs, ContentType="application/json", ResponseTopic="answer/1",
                CorrelationData=b"\x00\xff", PayloadFormatIndicator=1))
        received = reader.take(1)[0].properties
        self.assertEqual(received.UserProperty, pairs)
        self.assertEqual(
            (received.ContentType, received.ResponseTopic, received.CorrelationData, received.PayloadFormatIndicator),
            ("application/json", "answer/1", b"\x00\xff", 1))

    def test_message_expiry_counts_down_while_queued(self):
        reader = Client(self.barn.port, "reader", clean=False).connect()
        self.addCleanup(reader.close)
        reader.subscribe("farm/#", 1)
        reader.close()
        writer = self.client(self.barn.port, "writer")
        for topic, seconds in (("farm/long", 100), ("farm/short", 1)):
            writer.publish(topic, "", 1,
                           properties=properties(PacketTypes.PUBLISH, MessageExpiryInterval=seconds))
        time.sleep(2)  # expiry is counted in whole seconds of the real clock
        writer.publish("farm/end", "", 1)
        reader.connect()
        received = reader.take(2)
        self.assertEqual([one.topic for one in received], ["farm/long", "farm/end"])
        self.assertIn(received[0].properties.MessageExpiryInterval, range(60, 99))

    def test_session_without_expiry_ends_with_its_connection(self):
        with Client(self.barn.port, "reader", clean=False, expiry=0) as reader:
            reader.subscribe("farm/#", 1)
        with Client(self.barn.port, "reader", clean=False, expiry=60) as reader:
            self.assertFalse(reader.connack[0])

    def test_versions_meet(self):
        old = self.client(self.barn.port, "old", V3_1_1)
        new = self.client(self.barn.port, "new", V5)
        for one in (old, new):
            one.subscribe("meet/#", 2)
        old.publish("meet/old", "from 3.1.1", 2)
        new.publish("meet/new", "from 5", 2, properties=properties(PacketTypes.PUBLISH, ContentType="text/plain"))
        for one in (old, new):
            self.assertEqual(sorted(text(message) for message in one.take(2)), ["from 3.1.1", "from 5"])


if __name__ == "__main__":
    main()
