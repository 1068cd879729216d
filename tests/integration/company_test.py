"""A gateway in the company it keeps in the field: Node-RED, MQTT.js, paho, mosquitto_pub and a bridging Mosquitto, all
at once, bridged to a Mosquitto and a RabbitMQ, while links are cut at random.

Whatever was acknowledged to a publisher arrives in both regions, at QoS 2 once; commands come down and are answered;
and the log can be read from top to bottom.
"""

import collections
import contextlib
import json
import os
import pathlib
import random
import re
import subprocess
import threading
import time

import node_packages
from furrow_testing import (CALLBACKS, PATIENCE, V3_1_1, Archive, Process, TestCase, assert_balanced,
                            bridge_entry, free_port, main, paho, skip_all, undelivered, wait_for)
from regions import RABBIT, Rabbit

SECONDS = float(os.environ.get("FURROW_COMPANY_SECONDS", "30"))
SEED = int(os.environ.get("FURROW_COMPANY_SEED", str(time.time_ns() % 1_000_000)))
BRIDGES = ("region", "rabbit")
LINE = r'\S+Z (error|warning|info) ([a-z_]+(?:\.[a-z_]+)*)((?: [a-z_0-9]+=(?:"[^"]*"|\S*))*)'


class Counter(Process):
    """counter.js: MQTT.js."""

    def start(self, port, topic):
        self.environment = node_packages.ENVIRONMENT
        self.spawn("node", pathlib.Path(__file__).with_name("counter.js"), port, topic)
        return self

    def finish(self):
        assert self.stop() == 0, self.log()
        return self.log(whole=True).split()


class NodeRed(Process):
    """Counts on farm/node-red, and answers each command on farm/answers. It drops what it cannot send at once, so its
    link is not cut."""

    def start(self, port):
        folder = self.folder / "node-red"
        folder.mkdir()
        broker = {"id": "broker", "type": "mqtt-broker", "broker": "127.0.0.1", "port": str(port),
                  "clientid": "node-red", "autoConnect": True, "protocolVersion": "4", "keepalive": "60",
                  "cleansession": False}
        count = "const n = context.get('n') || 0; context.set('n', n + 1); msg.payload = String(n); return msg;"
        flow = [
            {"id": "tab", "type": "tab", "label": "field"}, broker,
            {"id": "tick", "type": "inject", "z": "tab", "repeat": "0.2", "once": True, "onceDelay": "1",
             "props": [{"p": "payload"}], "payload": "", "payloadType": "date", "wires": [["count"]]},
            {"id": "count", "type": "function", "z": "tab", "func": count, "outputs": 1, "wires": [["reading"]]},
            {"id": "reading", "type": "mqtt out", "z": "tab", "topic": "farm/node-red", "qos": "1",
             "broker": "broker", "wires": []},
            {"id": "command", "type": "mqtt in", "z": "tab", "topic": "command/#", "qos": "1", "datatype": "utf8",
             "broker": "broker", "wires": [["answer"]]},
            {"id": "answer", "type": "mqtt out", "z": "tab", "topic": "farm/answers", "qos": "1", "broker": "broker",
             "wires": []}]
        # `mqtt out` prefers the topic of the message: that of the command is taken off.
        flow[5]["wires"] = [["strip"]]
        flow.append({"id": "strip", "type": "change", "z": "tab", "wires": [["answer"]],
                     "rules": [{"t": "delete", "p": "topic", "pt": "msg"}]})
        (folder / "flows.json").write_text(json.dumps(flow))
        (folder / "settings.js").write_text(
            f"module.exports = {{uiHost: '127.0.0.1', uiPort: {free_port()}, flowFile: 'flows.json', "
            "httpAdminRoot: false, httpNodeRoot: false, telemetry: {enabled: false}};\n")
        self.spawn("node", node_packages.FOLDER / "node_modules/node-red/red.js", "--userDir", folder)
        wait_for("Node-RED is connected", lambda: "Connected to broker" in self.log())
        return self


class Paho:
    """A paho client with a session, which comes back by itself and counts on `topic` at its QoS."""

    def __init__(self, client_id, port, topic, qos):
        self.topic = topic
        self.qos = qos
        self.acknowledged = set()  # identifiers, of which fewer are used than there are
        self.numbers = {}  # by identifier
        self.client = paho.Client(client_id=client_id, protocol=V3_1_1, clean_session=False, **CALLBACKS)
        self.client.reconnect_delay_set(1, 1)
        self.client.max_queued_messages_set(0)
        self.client.on_publish = lambda client, data, identifier: self.acknowledged.add(identifier)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def publish(self, number):
        self.numbers[self.client.publish(self.topic, str(number), self.qos).mid] = str(number)

    def finish(self):
        wait_for(f"{self.topic} is acknowledged", lambda: self.numbers.keys() <= self.acknowledged)
        self.client.disconnect()
        self.client.loop_stop()
        return list(self.numbers.values())


class CompanyTest(TestCase):
    repeat_with = {"FURROW_COMPANY_SECONDS": SECONDS, "FURROW_COMPANY_SEED": SEED}

    def start(self):
        self.random = random.Random(SEED)
        self.rabbit = self.own(Rabbit("rabbit", self.folder)).start()
        self.region = self.mosquitto().start()
        self.links = [self.proxy(self.region.port), self.proxy(self.rabbit.port)]
        rules = ("{filter: farm/#, remote_prefix: us/, qos: 2}", "{filter: command/#, direction: down}")
        self.barn = self.gateway("bridges:\n" + bridge_entry(self.links[0].port, *rules)
                                 + bridge_entry(self.links[1].port, rules[0], name="rabbit")).start()
        lan = self.proxy(self.barn.port)
        self.links += [lan]
        self.archives = {name: self.own(Archive(f"archive-{name}", self.folder, region.port, "us/farm/#", 2,
                                                "mqttv311")).start()
                         for name, region in (("region", self.region), ("rabbit", self.rabbit))}
        field = self.mosquitto(f"connection barn\naddress 127.0.0.1:{lan.port}\nrestart_timeout 1\n"
                               "topic farm/# out 2\n", name="field").start()
        self.status_reader = self.status(self.barn)
        for name in BRIDGES:
            self.status_reader.wait_until(f"{name} is online", lambda one: one["state"] == "online", f"bridge/{name}")
        self.node_red = self.own(NodeRed("node-red", self.folder)).start(self.barn.port)
        self.counter = self.own(Counter("counter", self.folder)).start(lan.port, "farm/mqttjs")
        # paho-mqtt forgets at its second reconnect that PUBREL had left, and publishes anew: only one whose link is
        # whole sends each message once.
        self.pahos = {"paho": Paho("paho", lan.port, "farm/paho", 2),
                      "steady": Paho("steady", self.barn.port, "farm/steady", 2),
                      "field": Paho("behind", field.port, "farm/field", 1)}
        self.operator = Paho("operator", self.region.port, "command/go", 1)
        self.published = []  # by mosquitto_pub

    def publish_once(self, number):
        """A device that connects for each reading."""
        result = subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.barn.port), "-t", "farm/pub", "-q",
                                 "1", "-m", str(number)], capture_output=True, check=False, timeout=PATIENCE)
        if result.returncode == 0:
            self.published.append(str(number))

    def disturb(self, until):
        """Cuts a link, or takes it away for a while, now and then."""
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, self.random.uniform(1, 5)))
            link = self.random.choice(self.links)
            if self.random.random() < 0.6:
                link.cut()
                continue
            link.close()
            time.sleep(self.random.uniform(1, 8))
            link.open()

    def run_company(self):
        until = time.monotonic() + SECONDS
        disturber = threading.Thread(target=self.disturb, args=(until,))
        disturber.start()
        number = 0
        while time.monotonic() < until:
            for one in self.pahos.values():
                one.publish(number)
            if number % 5 == 0:
                self.publish_once(number)
                self.operator.publish(number)
            number += 1
            time.sleep(0.2)
        disturber.join()

    def finish(self):
        """What each of them was told is safe, by the topic."""
        acknowledged = {name: one.finish() for name, one in self.pahos.items()}
        acknowledged |= {"mqttjs": self.counter.finish(), "pub": self.published, "answers": self.operator.finish()}
        wait_for("every command is answered in the region",
                 lambda: set(acknowledged["answers"]) <= set(self.arrived("region", "answers")))
        self.node_red.stop()
        for name in BRIDGES:
            document = self.status_reader.wait_until(
                f"{name} has delivered everything",
                lambda one: undelivered(one) == 0 and one["state"] == "online",
                f"bridge/{name}")
            assert_balanced(document)
            self.assertEqual(sum(document["dropped"].values()), 0, document)
        return acknowledged

    def arrived(self, region, name):
        return self.archives[region].payloads(f"us/farm/{name}")

    def assert_arrived(self, region, acknowledged):
        for name, numbers in acknowledged.items():
            self.assertGreater(len(numbers), SECONDS / 10, name)
            with contextlib.suppress(AssertionError):
                wait_for(name, lambda: set(numbers) <= set(self.arrived(region, name)), seconds=PATIENCE / 4)
            self.assertEqual(set(numbers) - set(self.arrived(region, name)), set(), f"{name} at {region}")
        # What Node-RED has counted up to the last that arrived.
        counted = sorted({int(one) for one in self.arrived(region, "node-red")})
        self.assertEqual(counted, list(range(len(counted))), f"Node-RED at {region}")

    def assert_log_is_readable(self):
        lines = self.barn.log(whole=True).splitlines()
        events = collections.Counter()
        for line in lines:
            told = re.fullmatch(LINE, line)
            self.assertIsNotNone(told, line)
            self.assertNotEqual(told.group(1), "error", line)
            events[told.group(2)] += 1
        # A cut is a few lines: lost, back, drained, and the clients that were cut.
        cuts = sum(link.cuts for link in self.links)
        self.assertLess(len(lines), 60 + 10 * cuts, events)
        print(f"{cuts} cuts in {SECONDS:g} s; lines of the log: {len(lines)}, {dict(events)}")

    def test_everything_acknowledged_arrives(self):
        self.start()
        self.run_company()
        acknowledged = self.finish()
        for region in BRIDGES:
            self.assert_arrived(region, acknowledged)
        arrived = self.arrived("region", "steady")
        self.assertEqual(len(arrived), len(set(arrived)), "QoS 2 all the way")
        self.assert_log_is_readable()
        self.assertEqual(self.barn.stop(), 0)


if __name__ == "__main__":
    node_packages.install()
    if not RABBIT.exists():
        skip_all("rabbitmq-server is not installed")
    main()
