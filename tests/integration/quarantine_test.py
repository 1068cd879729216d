"""A message for which the region ends the connection each time: it is set aside, and the rest goes on."""

import json

from furrow_testing import TestCase, bridge, main, run_furrow, undelivered

# An older client cannot know of the limit, and Mosquitto ends its connection at a larger packet.
LIMIT = "max_packet_size 1000\n"
SMALL = [f"reading {i}" for i in range(6)]
LARGE = "x" * 2000


class QuarantineTest(TestCase):
    def setUp(self):
        self.region = self.mosquitto(LIMIT).start()
        self.archive = self.archive(self.region.port, "us/#", 2).start()
        self.barn = self.gateway(bridge(self.region.port, "{filter: farm/#, remote_prefix: us/, qos: 2}",
                                        settings="mqtt_version: 3.1.1")).start()
        self.reader = self.status(self.barn)
        self.sensor = self.client(self.barn.port, "sensor")

    def furrow(self, *arguments):
        done = run_furrow(*arguments, "-c", self.barn.config_path)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def publish(self, qos):
        """All at once, the large one among the others."""
        for payload in SMALL[:3] + [LARGE] + SMALL[3:]:
            self.sensor.publish("farm/1", payload, qos)

    def wait_until_set_aside(self):
        document = self.reader.wait_until("the large one is set aside, and the rest delivered",
                                          lambda one: one["quarantined"] == 1 and undelivered(one) == 0
                                          and one["state"] == "online")
        self.assertEqual((document["accepted"], document["delivered"]), (len(SMALL) + 1, len(SMALL)))
        self.reader.assert_books_balance()

    def replay_to_a_region_that_takes_it(self):
        self.region.stop()
        self.region.settings = ""
        self.region.start()
        self.assertEqual(self.furrow("buffer", "replay", "--yes"), "region: 1 message from quarantine to the buffer\n")

    def assert_all_arrived(self):
        self.archive.wait_for_payload("us/farm/1", LARGE)
        # At QoS 1 what was in flight when the connection ended may come again.
        arrived = list(dict.fromkeys(self.archive.payloads("us/farm/1")))
        self.assertEqual(arrived, SMALL + [LARGE])
        self.reader = self.status(self.barn)
        self.reader.wait_until("it is in no quarantine any more", lambda one: one["quarantined"] == 0)
        self.reader.assert_books_balance()
        self.assertEqual(self.furrow("buffer", "show", "--quarantine"), "nothing was set aside\n")

    def test_at_qos_1(self):
        self.publish(1)
        self.wait_until_set_aside()
        self.assertRegex(self.barn.log(), r"warning bridge.set_aside name=region topic=farm/1 qos=1 bytes=2000 "
                                          r'reason="the far broker ends the connection each time that it gets it"')
        alarms = self.reader.wait_until("there is an alarm", lambda one: one["alarms"], topic="alarms")["alarms"]
        self.assertEqual([one["id"] for one in alarms], ["quarantine/region"])
        self.assertIn("furrow buffer show --quarantine --bridge region", alarms[0]["do"])
        self.replay_to_a_region_that_takes_it()
        self.assert_all_arrived()

    def test_at_qos_2_over_a_kill(self):
        self.publish(2)
        self.wait_until_set_aside()
        self.barn.crash()
        self.barn.start()
        self.reader = self.status(self.barn)
        self.reader.wait_until("it is there still", lambda one: one["quarantined"] == 1 and one["state"] == "online")
        self.assertRegex(self.furrow("buffer", "show", "--quarantine"), r"(?m)^2 +\d+ s waiting +farm/1 xxx")
        self.replay_to_a_region_that_takes_it()
        self.assert_all_arrived()
        self.assertEqual(self.archive.payloads("us/farm/1"), SMALL + [LARGE], "once each")

    def test_of_a_stopped_gateway(self):
        self.publish(1)
        self.wait_until_set_aside()
        self.barn.stop()
        item, = (json.loads(line) for line in self.furrow("buffer", "export", "--quarantine").splitlines())
        self.assertEqual((item["topic"], item["payload"]), ("farm/1", LARGE))
        self.replay_to_a_region_that_takes_it()
        self.barn.start()
        self.assert_all_arrived()

    def test_purge(self):
        self.publish(1)
        self.wait_until_set_aside()
        self.assertEqual(self.furrow("buffer", "purge", "--quarantine", "--yes"),
                         "region: 1 message dropped, counted as purged\n")
        self.reader.wait_until("it is counted", lambda one: one["quarantined"] == 0 and one["dropped"]["purged"] == 1)
        self.reader.assert_books_balance()


if __name__ == "__main__":
    main()
