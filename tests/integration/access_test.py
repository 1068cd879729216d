"""Access rules by the real binary: what two clients that know nothing of furrow get, and what arrives."""

import signal
import subprocess

from furrow_testing import V3_1_1, V5, VERSION_NAMES, Client, TestCase, main, run_furrow, wait_for

RULES = """\
access:
  anonymous: true
  rules:
    - {client: reader*, subscribe: "#"}
    - {client: "status*", subscribe: "$SYS/#", publish: "#"}
    - client: "sensor-*"
      publish: ["farm/{client}/#", common/#]
      subscribe: "command/{client}/#"
      deny_publish: common/secret/#
    - {client: "frank-*", publish: "value/#", retain: false}
    - {everyone: true, publish: "own/{client}/#", subscribe: "own/{client}/#"}
    - {everyone: true, publish: all/#}
"""
NOT_AUTHORIZED = 0x87


def tool(program, port, *arguments):
    """Standard output and error of mosquitto_pub or mosquitto_sub."""
    done = subprocess.run([program, "-h", "127.0.0.1", "-p", str(port), *arguments], capture_output=True, text=True,
                          timeout=30)
    return done.returncode, done.stdout + done.stderr


class AccessTest(TestCase):
    def each_version(self, story):
        for version, name in VERSION_NAMES.items():
            with self.subTest(version=name):
                story(self.gateway(RULES, name=f"barn-{name}").start(), version)

    def refused(self, version):
        """What SUBACK says of a filter that is not granted."""
        return NOT_AUTHORIZED if version == V5 else 0x80

    def test_publish(self):
        self.each_version(self.publish)

    def publish(self, gateway, version):
        reader = self.client(gateway.port, "reader", version)
        reader.subscribe("#", 2)
        sensor = self.client(gateway.port, "sensor-1", version)
        for qos in (0, 1, 2):
            for topic in ("farm/sensor-1/t", "common/t", "farm/sensor-2/t", "common/secret/t", "elsewhere"):
                sensor.publish(topic, topic, qos)
        self.client(gateway.port, "sensor-end", version).publish("common/end", "", 2)  # behind those of QoS 2
        reader.wait("the end", lambda: reader.payloads("common/end"))
        self.assertEqual(sorted((one.topic, one.qos) for one in reader.messages if one.topic != "common/end"),
                         sorted((topic, qos) for topic in ("farm/sensor-1/t", "common/t") for qos in (0, 1, 2)))
        self.assertRegex(gateway.log(), r"access\.refused .*client=sensor-1 .*action=publish topic=farm/sensor-2/t")
        self.assertEqual(gateway.log().count("access.refused"), 1)

    def test_subscribe(self):
        self.each_version(self.subscribe)

    def subscribe(self, gateway, version):
        """A wildcard that covers more, and the way around by a shared subscription."""
        sensor = self.client(gateway.port, "sensor-1", version)
        for filter in ("#", "command/#", "command/+/x", "+/sensor-1/x", "command/sensor-2", "farm/sensor-1/#",
                       "$SYS/#"):
            self.assertEqual(sensor.subscribe(filter, 1), self.refused(version), filter)
            if version == V5:
                self.assertEqual(sensor.subscribe(f"$share/group/{filter}", 1), NOT_AUTHORIZED, filter)
        self.assertEqual(sensor.subscribe("command/sensor-1/+", 1), 1)
        writer = self.client(gateway.port, "status", version)
        for topic in ("command/sensor-2/x", "farm/sensor-1/x", "command/sensor-1/x"):
            writer.publish(topic, topic, 1)
        self.assertEqual([one.topic for one in sensor.take(1)], ["command/sensor-1/x"])

    def test_name_with_wildcards(self):
        self.each_version(self.name_with_wildcards)

    def name_with_wildcards(self, gateway, version):
        for name in ("sensor-+", "sensor-#", "sensor-/1"):
            odd = self.client(gateway.port, name, version)
            for filter in ("command/+/#", "command/#", "command/sensor-1/x"):
                self.assertEqual(odd.subscribe(filter), self.refused(version), (name, filter))
            writer = self.client(gateway.port, "status", version)
            writer.publish("command/sensor-1/x", "", 1)
            writer.close()
            self.assertEqual(odd.messages, [])
            odd.publish("all/t", "", 1)  # not refused by a rule that is not about it

    def test_will(self):
        self.each_version(self.will)

    def will(self, gateway, version):
        reader = self.client(gateway.port, "reader", version)
        reader.subscribe("#", 1)
        will = {"topic": "common/gone", "payload": "1", "qos": 1}
        granted = self.client(gateway.port, "sensor-1", version, will=will)
        with self.assertRaises(AssertionError):
            forbidden = Client(gateway.port, "sensor-2", version, will={"topic": "common/secret/gone", "payload": "2"})
            self.addCleanup(forbidden.close)
            forbidden.connect()
        granted.drop()
        self.assertEqual([one.topic for one in reader.take(1)], ["common/gone"])
        self.assertRegex(gateway.log(), r"access\.refused .*client=sensor-2 .*action=will topic=common/secret/gone")

    def test_retained(self):
        self.each_version(self.retained)

    def retained(self, gateway, version):
        """A value from before there were rules, for one who may not read it; and one that may not be set."""
        writer = self.client(gateway.port, "status", version)
        writer.publish("command/sensor-1/x", "kept", 1, retain=True)
        writer.publish("command/sensor-2/x", "kept", 1, retain=True)
        self.client(gateway.port, "frank-1", version).publish("value/t", "no", 1, retain=True)
        sensor = self.client(gateway.port, "sensor-1", version)
        sensor.subscribe("command/sensor-1/#", 1)
        self.assertEqual([one.topic for one in sensor.take(1)], ["command/sensor-1/x"])
        reader = self.client(gateway.port, "reader", version)
        reader.subscribe("#", 1)
        self.assertEqual({one.topic for one in reader.take(2)}, {"command/sensor-1/x", "command/sensor-2/x"})

    def test_session_under_other_rules(self):
        self.each_version(self.session_under_other_rules)

    def session_under_other_rules(self, gateway, version):
        """What waits for a session that is away, over a restart with less rights."""
        reader = Client(gateway.port, "reader-1", version, clean=False).connect()
        reader.subscribe("#", 1)
        reader.close()
        writer = self.client(gateway.port, "status", version)
        for count in range(10):
            for topic in ("allowed", "forbidden"):
                writer.publish(f"{topic}/t", f"{topic} {count}", 1)
        writer.close()
        gateway.stop()
        gateway.config_path.write_text(gateway.config_path.read_text().replace(
            'client: reader*, subscribe: "#"', "client: reader*, subscribe: allowed/#"))
        gateway.start()
        writer = self.client(gateway.port, "status", version)
        writer.publish("forbidden/t", "forbidden, after", 1)
        writer.publish("allowed/t", "the end", 1)
        reader = self.client(gateway.port, "reader-1", version, clean=False)
        reader.wait("the end", lambda: "the end" in reader.payloads("allowed/t"))
        self.assertEqual(reader.payloads("allowed/t"), [f"allowed {one}" for one in range(10)] + ["the end"])
        self.assertEqual(reader.payloads("forbidden/t"), [])
        status = self.status(gateway)
        status.wait_until("they are counted", lambda one: one["sessions"]["dropped"]["not_authorized"] == 10, "gateway")

    def test_reload(self):
        self.each_version(self.reload)

    def reload(self, gateway, version):
        """Less rights for one that is connected and for one that is away; a file without a value changes nothing."""
        away = Client(gateway.port, "reader-away", version, clean=False).connect()
        away.subscribe("#", 1)
        away.close()
        here = self.client(gateway.port, "reader-here", version)
        here.subscribe("#", 1)
        writer = self.client(gateway.port, "status", version)
        writer.publish("forbidden/t", "before", 1)
        here.take(1)
        text = gateway.config_path.read_text()
        self.hup(gateway, text.replace('client: reader*, subscribe: "#"', "client: reader*, subscribe: allowed/#"))
        writer.publish("forbidden/t", "after", 1)
        self.hup(gateway, text.split("  rules:")[0] + "  rules:\n", "reload.refused")
        writer.publish("forbidden/t", "after all rules were lost", 1)
        writer.publish("allowed/t", "the end", 1)
        for reader in (here, self.client(gateway.port, "reader-away", version, clean=False)):
            reader.wait("the end", lambda r=reader: r.payloads("allowed/t"))
            self.assertEqual(reader.payloads("forbidden/t"), ["before"] if reader is here else [])
        self.assertIsNone(here.disconnected)

    def hup(self, gateway, config, outcome="reload.done"):
        gateway.config_path.write_text(config)
        before = len(gateway.log())
        gateway.process.send_signal(signal.SIGHUP)
        wait_for(f"the log says {outcome}", lambda: outcome in gateway.log()[before:])

    def test_mosquitto_clients(self):
        gateway = self.gateway(RULES).start()
        for version in ("mqttv311", "mqttv5"):
            with self.subTest(version=version):
                code, said = tool("mosquitto_pub", gateway.port, "-V", version, "-i", "sensor-1", "-q", "1", "-t",
                                  "farm/sensor-2/t", "-m", "x")
                self.assertEqual(code, 0, said)
                self.assertEqual("not authorized" in said.lower(), version == "mqttv5", said)
                _, said = tool("mosquitto_sub", gateway.port, "-V", version, "-i", "sensor-1", "-t", "farm/#", "-E")
                self.assertIn("denied", said.lower())

    def test_disconnect(self):
        gateway = self.gateway(RULES.replace("anonymous: true", "anonymous: true\n  denied: disconnect")).start()
        old = Client(gateway.port, "sensor-1", V3_1_1).connect()
        old.paho.publish("farm/sensor-2/t", "x", 1)
        old.wait("the end of the connection", lambda: old.disconnected is not None)
        young = self.client(gateway.port, "sensor-2", V5)
        young.publish("farm/sensor-1/t", "x", 1)
        young.publish("farm/sensor-2/t", "x", 1)

    def test_rules_are_in_the_inventory(self):
        self.assertIn("access.configured rules=6", self.gateway(RULES).start().log())
        self.assertIn("access.configured rules=none", self.gateway(name="open").start().log())


class DryRun(TestCase):
    def ask(self, *arguments, config=RULES):
        path = self.folder / "furrow.yaml"
        path.write_text(config)
        done = run_furrow("access", *arguments, "-c", path)
        return done.returncode, (done.stdout + done.stderr).replace(str(path), "FILE")

    def test_says_the_rule_that_decides(self):
        questions = [
            (("ann", "publish", "farm/sensor-1/t", "--client", "sensor-1"), 0,
             "allowed FILE:6: publish: farm/{client}/#\n"),
            (("ann", "publish", "common/secret/t", "--client", "sensor-1"), 1,
             "refused FILE:6: deny_publish: common/secret/#\n"),
            (("ann", "subscribe", "$share/g/command/#", "--client", "sensor-1"), 1,
             "refused FILE:4: no rule covers it\n"),
            (("ann", "publish", "own/x", "--client", "a+"), 1, "refused FILE:11: publish: own/{client}/#, where this "
             "client's name cannot stand: it is missing, empty or has one of + # / in it\n"),
            (("ann", "publish", "value/t", "--client", "frank-1", "--retain"), 1,
             "refused FILE:10: publish: value/#, with retain: false\n"),
            (("--anonymous", "publish", "all/t", "--client", "c"), 0, "allowed FILE:12: publish: all/#\n"),
            (("ann", "publish", "$SYS/x", "--client", "status"), 1,
             "refused FILE:4: topics that begin with $ are the gateway's own, whatever the rules say\n"),
            (("ann", "publish", "all/t"), 0,
             "allowed FILE:12: publish: all/#\nrules ask for what was not given: --client\n"),
        ]
        for arguments, code, said in questions:
            with self.subTest(arguments=arguments):
                self.assertEqual(self.ask(*arguments), (code, said))

    def test_no_rules_and_no_rule_are_not_the_same(self):
        self.assertEqual(self.ask("ann", "publish", "x", config="access: {rules: []}\n")[0], 1)
        self.assertEqual(self.ask("ann", "publish", "x", config="log: {level: info}\n"),
                         (0, "allowed FILE: there are no access.rules\n"))
        self.assertEqual(self.ask("ann", "subscribe", "$x/#", config="log: {level: info}\n")[0], 1)

    def test_a_question_that_makes_no_sense(self):
        for arguments, said in ((("ann", "read", "x"), "neither publish nor subscribe"),
                                (("ann", "publish", "a/+"), "wildcard"),
                                (("ann", "subscribe", "a+"), "not a topic filter"),
                                (("ann", "publish", "x", "--listener", "lan"), "there are: mqtt"),
                                (("ann", "publish", "x", "--from", "here"), "not an IP address"),
                                (("ann", "publish"), "USER")):
            with self.subTest(arguments=arguments):
                code, answer = self.ask(*arguments)
                self.assertEqual(code, 2)
                self.assertIn(said, answer)


if __name__ == "__main__":
    main()
