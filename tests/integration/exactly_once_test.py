"""QoS 2 over a WAN that resets connections in mid-flight: each message once, none lost, none twice."""

from furrow_testing import V5, Client, TestCase, bridge, main, publish_lines, wait_for

COUNT = 2000
CUT_EVERY = 3000  # bytes on the way up: some hundred messages, so that a cut hits PUBLISH, PUBREC and PUBREL alike
CUTS = 6


class ExactlyOnceTest(TestCase):
    def start(self):
        region = self.mosquitto().start()
        archive = Client(region.port, "archive", V5, clean=False).connect()
        self.addCleanup(archive.close)
        archive.subscribe("us/#", 2)
        wan = self.proxy(region.port)
        gateway = self.gateway(bridge(wan.port, "{filter: farm/#, qos: 2, remote_prefix: us/}")).start()
        return archive, wan, gateway

    def assert_each_once(self, archive, gateway):
        status = self.status(gateway)
        status.wait_until("everything is delivered",
                          lambda one: one["state"] == "online" and one["backlog"]["messages"] + one["inflight"] == 0)
        status.assert_books_balance()
        archive.take(COUNT)
        end = self.client(gateway.port, "end")
        end.publish("farm/end", "", 2)  # behind whatever might still arrive twice
        archive.wait("the end", lambda: archive.messages[-1].topic == "us/farm/end")
        self.assertEqual(archive.payloads("us/farm/reading"), [str(i) for i in range(COUNT)])

    def test_connections_reset_in_mid_flight(self):
        archive, wan, gateway = self.start()
        wan.cut_every = CUT_EVERY
        self.assert_published(publish_lines(gateway.port, "farm/reading", range(COUNT), qos=2, version="mqttv5"))
        wait_for(f"{CUTS} cuts", lambda: wan.cuts >= CUTS)
        wan.cut_every = None
        self.assert_each_once(archive, gateway)

    def test_gateway_killed_in_mid_flight(self):
        archive, wan, gateway = self.start()
        wan.close()  # so that everything waits, and is under way when the gateway is killed
        self.assert_published(publish_lines(gateway.port, "farm/reading", range(COUNT), qos=2))
        wan.open()
        for share in (10, 5, 3):
            archive.take(COUNT // share)
            gateway.crash()
            gateway.start()
        self.assert_each_once(archive, gateway)


if __name__ == "__main__":
    main()
