"""Mosquitto bridges into furrow, with its defaults: its notices under $SYS, and messages both ways over a kill -9."""

import socket

from furrow_testing import TestCase, main

NOTICE = f"$SYS/broker/connection/{socket.gethostname()}.barn/state"
DURABLE = (1, 2)  # the QoS of messages that wait for whoever is away


class MosquittoBridgeTest(TestCase):
    def start(self, settings=""):
        self.barn = self.gateway().start()
        self.wan = self.proxy(self.barn.port)
        rules = "".join(f"topic farm/{qos}/# both {qos}\n" for qos in (0, 1, 2))
        self.region = self.mosquitto(
            f"connection barn\naddress 127.0.0.1:{self.wan.port}\nrestart_timeout 1\n{settings}{rules}").start()
        self.far = self.client(self.region.port, "far")
        self.far.subscribe("farm/#", 2)
        self.connect_near()

    def connect_near(self):
        self.near = self.client(self.barn.port, "near")
        self.near.subscribe("farm/#", 2)
        self.near.subscribe(NOTICE, 1)

    def wait_for_notice(self, payload):
        self.near.wait(f"the notice {payload}", lambda: self.near.payloads(NOTICE)[-1:] == [payload])

    def restart_barn(self):
        self.barn.crash()
        for qos in DURABLE:
            self.far.publish(f"farm/{qos}/from-region", "while barn is away", qos)
        self.barn.start()
        self.connect_near()
        self.wan.target = self.barn.port
        self.wan.open()

    def assert_each_came_once(self, client, topic, payloads_of):
        for qos in (0, 1, 2):
            expected = payloads_of(qos)
            received = lambda: client.payloads(f"farm/{qos}/{topic}")
            client.wait(f"{expected} by QoS {qos}", lambda: set(expected) <= set(received()))
            self.assertEqual(received(), expected)

    def both_ways_over_a_kill(self, settings="", waiting_for_region=DURABLE):
        """`waiting_for_region`: the QoS of messages that barn keeps for the region while the link is away."""
        self.start(settings)
        self.wait_for_notice("1")
        for qos in (0, 1, 2):
            self.near.publish(f"farm/{qos}/from-barn", "up", qos)
            self.far.publish(f"farm/{qos}/from-region", "down", qos)
        # Nobody gets an echo: all that a client publishes itself comes to it once.
        for client in (self.near, self.far):
            self.assert_each_came_once(client, "from-barn", lambda qos: ["up"])
            self.assert_each_came_once(client, "from-region", lambda qos: ["down"])

        self.wan.close()
        self.wait_for_notice("0")
        for qos in DURABLE:
            self.near.publish(f"farm/{qos}/from-barn", "while the link is away", qos)
        self.restart_barn()
        self.wait_for_notice("1")
        self.assert_each_came_once(
            self.far, "from-barn",
            lambda qos: ["up", "while the link is away"] if qos in waiting_for_region else ["up"])
        self.assert_each_came_once(
            self.near, "from-region", lambda qos: ["while barn is away"] if qos in DURABLE else [])
        self.assertNotIn("connection.refused", self.barn.log(whole=True))

    def test_with_its_defaults(self):
        self.both_ways_over_a_kill()

    def test_in_mqtt_5(self):
        """Mosquitto 2.0 asks for no session expiry interval there: its session, and what waits in it, ends with the
        connection, at any broker."""
        self.both_ways_over_a_kill("bridge_protocol_version mqttv50\n", waiting_for_region=())


if __name__ == "__main__":
    main()
