"""QoS 2 over a WAN that resets connections in mid-flight: each message once, none lost, none twice."""

from furrow_testing import TestCase, bridge, main, publish_lines, undelivered, wait_for

COUNT = 2000
CUT_EVERY = 3000  # bytes on the way up: some hundred messages, so that a cut hits PUBLISH, PUBREC and PUBREL alike
CUTS = 6
VERSIONS = ("mqttv311", "mqttv5")


class ExactlyOnceTest(TestCase):
    def start(self):
        region = self.mosquitto().start()
        archives = [self.archive(region.port, "us/#", 2, version).start() for version in VERSIONS]
        wan = self.proxy(region.port)
        gateway = self.gateway(bridge(wan.port, "{filter: farm/#, qos: 2, remote_prefix: us/}")).start()
        return archives, wan, gateway

    def publish(self, gateway):
        """COUNT readings from a sensor of each version; returns once all are acknowledged."""
        self.assert_published(*[publish_lines(gateway.port, f"farm/{version}", range(COUNT), qos=2, version=version)
                                for version in VERSIONS])

    def assert_each_once(self, archives, gateway):
        status = self.status(gateway)
        drained = status.wait_until(
            "everything is delivered",
            lambda one: one["state"] == "online" and undelivered(one) == 0)
        self.assertEqual(drained["delivered"], 2 * COUNT)
        status.assert_books_balance()
        end = self.client(gateway.port, "end")
        end.publish("farm/end", "end", 2)  # behind whatever might still arrive twice
        for archive in archives:
            archive.wait_for_payload("us/farm/end", "end")
            for version in VERSIONS:
                arrived = archive.payloads(f"us/farm/{version}")
                self.assertEqual(arrived, [str(i) for i in range(COUNT)], f"{version} at {archive.name}")

    def test_connections_reset_in_mid_flight(self):
        archives, wan, gateway = self.start()
        wan.cut_every = CUT_EVERY
        self.publish(gateway)
        wait_for(f"{CUTS} cuts", lambda: wan.cuts >= CUTS)
        wan.cut_every = None
        self.assert_each_once(archives, gateway)

    def test_outage_that_begins_in_mid_flight(self):
        archives, wan, gateway = self.start()
        status = self.status(gateway)
        status.wait_until("the bridge is online", lambda one: one["state"] == "online")
        wan.cut_every = CUT_EVERY
        wan.on_cut = wan.close  # the line breaks under load, and stays broken
        self.publish(gateway)
        status.wait_until("the rest waits", lambda one: one["accepted"] == 2 * COUNT and one["backlog"]["messages"] > 0)
        wan.cut_every = None
        wan.open()
        self.assert_each_once(archives, gateway)

    def test_gateway_killed_in_mid_flight(self):
        archives, wan, gateway = self.start()
        wan.close()  # so that everything waits, and is under way when the gateway is killed
        self.publish(gateway)
        wan.open()
        for share in (10, 5, 3):
            wait_for("a part has arrived",
                     lambda share=share: len(archives[0].payloads("us/farm/mqttv311")) >= COUNT // share)
            gateway.crash()
            gateway.start()
        self.assert_each_once(archives, gateway)


if __name__ == "__main__":
    main()
