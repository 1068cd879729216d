"""Bridges to regions that are no Mosquitto: RabbitMQ and aedes themselves, over an outage and a kill -9."""

import os
import pathlib
import re

import node_packages
from furrow_testing import (V3_1_1, Archive, Process, TestCase, bridge, free_port, main, publish_lines, skip_all,
                            wait_for)

RABBIT = pathlib.Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # Debian's own wrapper becomes another user
COUNT = 200


class Rabbit(Process):
    """RabbitMQ with its MQTT plug-in and nothing else, a node of its own that starts its own epmd."""

    def start(self):
        self.port = free_port()
        plugins = self.folder / "plugins"
        plugins.write_text("[rabbitmq_mqtt].\n")
        settings = self.folder / "rabbit.conf"
        settings.write_text(f"listeners.tcp = none\nmqtt.listeners.tcp.1 = 127.0.0.1:{self.port}\n")
        self.environment = {
            "HOME": str(self.folder), "RABBITMQ_NODENAME": f"furrow-{os.getpid()}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "rabbit-data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "rabbit-log"), "RABBITMQ_PID_FILE": str(self.folder / "rabbit.pid"),
            "RABBITMQ_CONFIG_FILE": str(settings), "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_DIST_PORT": str(free_port()), "ERL_EPMD_PORT": str(free_port()), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none -start_epmd true"}
        self.popen_settings = {"start_new_session": True}
        self.spawn(RABBIT)
        wait_for("RabbitMQ has started", lambda: "completed with" in self.log(), seconds=180)
        return self

    def kill(self):
        if self.running():
            os.killpg(self.process.pid, 9)
            self.process.wait()


class Aedes(Process):
    def start(self):
        self.environment = node_packages.ENVIRONMENT
        self.spawn("node", pathlib.Path(__file__).with_name("aedes_region.js"))
        self.port = int(wait_for("aedes listens", lambda: re.search(r"listening (\d+)", self.log())).group(1))
        return self


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
                                     lambda one: one["backlog"]["messages"] + one["inflight"] == 0)
        status.assert_books_balance()
        return document

    def test_rabbitmq_which_has_no_qos_2(self):
        region = self.own(Rabbit("rabbit", self.folder)).start()
        self.tell(region, 1)
        drained = self.tell(region, 2)
        if "mqtt_version=3.1.1" in self.processes[-1].log():  # in MQTT 5, which 3.13 has, it says so with CONNACK
            self.assertIn("set qos: 1", drained["reason"])

    def test_aedes(self):
        # Not at QoS 2: it closes the connection at a PUBREL that comes again, each time.
        self.tell(self.own(Aedes("aedes", self.folder)).start(), 1)


if __name__ == "__main__":
    node_packages.install()
    if not RABBIT.exists():
        skip_all("rabbitmq-server is not installed")
    main()
