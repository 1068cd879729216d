"""The way down, and both ways at once: prefixes, QoS, retained messages, and no echoes."""

from furrow_testing import TestCase, bridge, main, text


class DownTest(TestCase):
    def start(self, *rules, settings=""):
        self.region = self.mosquitto().start()
        self.barn = self.gateway(bridge(self.region.port, *rules, settings=settings)).start()
        self.bridge_status = self.status(self.barn)
        self.bridge_status.wait_until("the bridge is online", lambda one: one["state"] == "online")
        self.far = self.client(self.region.port, "far")
        self.near = self.client(self.barn.port, "near")

    def test_prefixes_and_qos(self):
        self.start("{filter: command/#, direction: down, qos: 2, remote_prefix: us/, local_prefix: barn/}")
        self.near.subscribe("#", 2)
        for qos in (0, 1, 2):
            self.far.publish(f"us/command/{qos}", f"do {qos}", qos)
        self.far.publish("us/other", "not for us", 1)
        received = [(one.topic, text(one), one.qos) for one in self.near.take(3)]
        self.assertEqual(received, [(f"barn/command/{qos}", f"do {qos}", qos) for qos in (0, 1, 2)])
        counted = self.bridge_status.wait_until("three messages came down", lambda one: one["received"] == 3)
        self.assertEqual(counted["accepted"], 0)
        self.assertEqual(len(self.near.messages), 3)

    def test_qos_is_lowered_to_that_of_the_rule(self):
        self.start("{filter: command/#, direction: down, qos: 1}")
        self.near.subscribe("command/#", 2)
        self.far.publish("command/a", "", 2)
        self.assertEqual(self.near.take(1)[0].qos, 1)

    def test_retained_values_come_down(self):
        self.start("{filter: setting/#, direction: down, qos: 1, remote_prefix: us/}",
                   "{filter: passing/#, direction: down, qos: 1, retain: clear}")
        self.far.publish("us/setting/pump", "on", 1, retain=True)
        self.far.publish("passing/1", "seen once", 1, retain=True)
        self.bridge_status.wait_until("both came down", lambda one: one["received"] == 2)
        self.near.subscribe("setting/#", 1)
        value = self.near.take(1)[0]
        self.assertEqual((value.topic, text(value), value.retain), ("setting/pump", "on", True))
        self.near.subscribe("passing/#", 1)
        self.far.publish("us/setting/pump", "", 1, retain=True)
        self.near.wait("the deletion", lambda: len(self.near.messages) == 2)
        self.assertEqual((self.near.messages[1].topic, text(self.near.messages[1])), ("setting/pump", ""))
        after = self.client(self.barn.port, "after")
        after.subscribe("#", 1)
        self.near.publish("setting/end", "end", 1)
        after.take(1)
        self.assertEqual(after.payloads(), ["end"])

    def both_ways(self, settings):
        self.start("{filter: shared/#, direction: both, qos: 1, remote_prefix: region/}", settings=settings)
        self.near.subscribe("#", 1)
        self.far.subscribe("#", 1)
        self.near.publish("shared/from-barn", "up", 1)
        self.far.take(1)
        # Behind an echo, if there is one, on its way down.
        self.far.publish("region/shared/from-region", "down", 1)
        self.near.wait("the message from the region", lambda: self.near.payloads("shared/from-region"))
        # And the other way round.
        self.near.publish("shared/end", "end", 1)
        self.far.wait("the end", lambda: self.far.payloads("region/shared/end"))

        self.assertEqual([one.topic for one in self.near.messages],
                         ["shared/from-barn", "shared/from-region", "shared/end"])
        self.assertEqual([one.topic for one in self.far.messages],
                         ["region/shared/from-barn", "region/shared/from-region", "region/shared/end"])

    def test_both_ways_without_echo(self):
        self.both_ways("")

    def test_both_ways_without_echo_in_3_1_1(self):
        self.both_ways("mqtt_version: 3.1.1")

    def test_what_is_published_during_an_outage_comes_down_after_it(self):
        region = self.mosquitto().start()
        wan = self.proxy(region.port)
        gateway = self.gateway(bridge(wan.port, "{filter: command/#, direction: down, qos: 1}")).start()
        status = self.status(gateway)
        status.wait_until("the bridge is online", lambda one: one["state"] == "online")
        near = self.client(gateway.port, "near")
        near.subscribe("command/#", 1)
        wan.close()
        status.wait_until("the bridge is offline", lambda one: one["state"] in ("connecting", "backoff"))
        far = self.client(region.port, "far")
        for i in range(50):
            far.publish("command/a", i, 1)
        wan.open()
        near.take(50)
        self.assertEqual(list(dict.fromkeys(near.payloads())), [str(i) for i in range(50)])

    def a_rule_that_was_taken_out_costs_nothing(self, settings):
        kept, gone = ("{filter: %s/#, direction: down, qos: 1}" % name for name in ("kept", "gone"))
        self.start(kept, gone, settings=settings)
        self.barn.stop()
        config = self.barn.config_path.read_text()
        self.barn.config_path.write_text(config.replace(f"      - {gone}\n", ""))
        self.barn.start()
        status = self.status(self.barn)
        status.wait_until("the bridge is online", lambda one: one["state"] == "online")
        near = self.client(self.barn.port, "near again")
        near.subscribe("#", 1)
        for i in range(20):
            self.far.publish("gone/a", i, 1)
        self.far.publish("kept/a", "end", 1)
        near.take(1)
        counted = status.wait_until("the last came down", lambda one: one["routed"] == 1)
        self.assertEqual((counted["received"], counted["received_dropped"]), (1, 0))

    def test_a_rule_that_was_taken_out_costs_nothing(self):
        self.a_rule_that_was_taken_out_costs_nothing("")

    def test_a_rule_that_was_taken_out_costs_nothing_in_3_1_1(self):
        self.a_rule_that_was_taken_out_costs_nothing("mqtt_version: 3.1.1")


if __name__ == "__main__":
    main()
