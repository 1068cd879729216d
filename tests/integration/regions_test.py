"""Bridges to regions that are no Mosquitto: RabbitMQ and aedes themselves, over an outage and a kill -9."""

import node_packages
from furrow_testing import V3_1_1, Archive, TestCase, bridge, main, publish_lines, skip_all, undelivered
from regions import RABBIT, Aedes, Rabbit

COUNT = 200


class RegionsTest(TestCase):
    def tell(self, region, qos):
        """Readings go up and a command comes down, through an outage in which the gateway is killed."""
        name = f"barn-{qos}"
        topic = f"farm/{name}"
        archive = self.own(Archive(f"archive-{qos}", self.folder, region.port, f"us/{topic}", 1, "mqttv311")).start()
        wan = self.proxy(region.port)
        barn = self.gateway(bridge(wan.port, f"{{filter: farm/#, remote_prefix: us/, qos: {qos}}}",
                                   f"{{filter: {name}/#, direction: down}}"), name=name).start()
        self.status(barn).wait_until("online", lambda one: one["state"] == "online")
        self.assert_published(publish_lines(barn.port, topic, range(COUNT), qos))
        wan.close()
        self.assert_published(publish_lines(barn.port, topic, range(COUNT, 2 * COUNT), qos))
        barn.crash()
        self.client(region.port, f"operator-{qos}", V3_1_1).publish(f"{name}/pump", "on", 1)
        barn.start()
        reader = self.client(barn.port, "pump")
        reader.subscribe(f"{name}/#", 1)
        self.assert_published(publish_lines(barn.port, topic, range(2 * COUNT, 3 * COUNT), qos))
        wan.open()
        archive.wait_for_payload(f"us/{topic}", str(3 * COUNT - 1))
        # At QoS 1 what was in flight may come again.
        arrived = list(dict.fromkeys(archive.payloads(f"us/{topic}")))
        self.assertEqual(arrived, [str(i) for i in range(3 * COUNT)])
        self.assertEqual(reader.take(1)[0].payload, b"on")
        return self.wait_until_delivered(barn)

    def wait_until_delivered(self, barn):
        status = self.status(barn)
        document = status.wait_until("everything is delivered",
                                     lambda one: undelivered(one) == 0)
        status.assert_books_balance()
        return document

    def hear_no_echo(self, region):
        """A rule of both directions: what goes up stays up, though the region sends it back."""
        barn = self.gateway(bridge(region.port, "{filter: field/#, direction: both}"), name="both").start()
        status = self.status(barn)
        status.wait_until("online", lambda one: one["state"] == "online")
        reader = self.client(barn.port, "reader")
        reader.subscribe("field/#", 1)
        self.assert_published(publish_lines(barn.port, "field/a", range(50), 1))
        # Once the operator's value is here, so are the echoes of what the region had before it.
        status.wait_until("all of it is there", lambda one: undelivered(one) == 0)
        self.client(region.port, "operator", V3_1_1).publish("field/b", "theirs", 1)
        self.assertEqual([one.payload for one in reader.take(51)], [*(b"%d" % i for i in range(50)), b"theirs"])
        return status.wait_until("all came", lambda one: one["received"] > 0)

    def test_rabbitmq_which_has_no_qos_2(self):
        region = self.own(Rabbit("rabbit", self.folder)).start()
        self.tell(region, 1)
        drained = self.tell(region, 2)
        if "mqtt_version=3.1.1" in self.processes[-1].log():  # in MQTT 5, which 3.13 has, it says so with CONNACK
            self.assertIn("set qos: 1", drained["reason"])
        self.hear_no_echo(region)

    def test_aedes(self):
        region = self.own(Aedes("aedes", self.folder)).start()
        self.tell(region, 1)
        self.hear_no_echo(region)

    def test_aedes_at_qos_2(self):
        """It ends the connection at a PUBREL that comes again, each time."""
        region = self.own(Aedes("aedes", self.folder)).start()
        self.tell(region, 2)


if __name__ == "__main__":
    node_packages.install()
    if not RABBIT.exists():
        skip_all("rabbitmq-server is not installed")
    main()
