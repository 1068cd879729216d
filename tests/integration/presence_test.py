"""What a real region retains of a gateway: that it is there, and, whatever becomes of it, that it is gone."""

import json

from furrow_testing import TestCase, bridge, main, wait_for

RULE = "{filter: farm/#, remote_prefix: us/}"


class PresenceTest(TestCase):
    def setUp(self):
        self.region = self.mosquitto().start()
        self.fleet = self.client(self.region.port, "fleet")
        self.fleet.subscribe("fleet/+", 1)

    def start(self, version):
        barn = self.gateway(bridge(self.region.port, RULE, settings=f"mqtt_version: {version}"),
                            status='remote_topic: "fleet/{gateway}"')
        return barn.start()

    def documents(self):
        return [json.loads(one) for one in self.fleet.payloads("fleet/barn")]

    def wait_until(self, what, condition):
        return wait_for(what, lambda: next((one for one in self.documents()[-1:] if condition(one)), None))

    def tell_of_life_and_death(self, version):
        barn = self.start(version)
        here = self.wait_until("it is there", lambda one: one["state"] == "online")
        self.assertEqual(list(here), ["schema", "id", "state", "time", "version", "started_at", "alarms", "bridges"])
        self.assertEqual((here["id"], here["bridges"][0]["name"]), ("barn", "region"))
        self.assertEqual(here["bridges"][0]["state"], "online")
        barn.kill()
        lost = self.wait_until("the will", lambda one: one["state"] == "offline")
        self.assertEqual((lost["id"], lost["reason"]), ("barn", "connection lost"))
        barn.start()
        self.wait_until("it is there again", lambda one: one["state"] == "online")
        self.assertEqual(barn.stop(), 0)
        left = self.wait_until("it says goodbye", lambda one: one["state"] == "offline")
        self.assertEqual(left["reason"], "disconnected on purpose")
        late = self.client(self.region.port, "late")
        late.subscribe("fleet/+", 1)
        self.assertEqual(json.loads(late.take(1)[0].payload)["state"], "offline")
        self.assertTrue(late.messages[0].retain)

    def test_mqtt_5(self):
        self.tell_of_life_and_death("5")

    def test_mqtt_3_1_1(self):
        self.tell_of_life_and_death("3.1.1")

    def test_alarms_and_the_books(self):
        barn = self.start("auto")
        self.wait_until("it is there", lambda one: one["state"] == "online")
        for _ in range(4):
            self.client(barn.port, "pump")
        alarmed = self.wait_until("the alarm", lambda one: "client_id/pump" in one["alarms"]["ids"])
        self.assertGreaterEqual(alarmed["alarms"]["count"], 1)
        self.client(barn.port, "sensor").publish("farm/1", "x", 1)
        status = self.status(barn)
        one = status.wait_until("one message", lambda one: one["delivered"] == 1)
        self.assertEqual(one["accepted"], 1, "what the gateway says of itself is no message of the bridge")

    def test_reload_begins_and_ends_it(self):
        barn = self.gateway(bridge(self.region.port, RULE)).start()
        self.status(barn).wait_until("the bridge is online", lambda one: one["state"] == "online")
        without = barn.config_path.read_text()
        barn.config_path.write_text(without.replace("interval: 1s, ", "interval: 1s, remote_topic: 'fleet/{gateway}'"))
        barn.process.send_signal(1)
        self.wait_until("it is there", lambda one: one["state"] == "online")
        barn.config_path.write_text(without)
        barn.process.send_signal(1)
        self.wait_until("it is gone", lambda one: one["state"] == "offline")


if __name__ == "__main__":
    main()
