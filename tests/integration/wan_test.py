"""A region behind a bad link, between network namespaces: far, lossy, narrow, half open, flapping, gone.

Nothing that was acknowledged is lost, at QoS 2 nothing comes twice, whoever is near notices nothing, and the status
says what is the matter.
"""

import os
import time

import wan
from furrow_testing import Archive, Mosquitto, TestCase, bridge_entry, main, undelivered, wait_for

SEED = int(os.environ.get("FURROW_WAN_SEED", str(time.time_ns() % 1_000_000)))


class FarMosquitto(Mosquitto):
    def __init__(self, name, folder, link):
        super().__init__(name, folder)
        self.link = link
        self.port = 1883  # its namespace is its own

    def start(self):
        self.data.mkdir(exist_ok=True)
        config = self.folder / f"{self.name}.conf"
        config.write_text(f"listener {self.port}\nallow_anonymous true\nuser root\npersistence_location {self.data}\n"
                          + self.SETTINGS)
        self.spawn(*self.link.far.enter, "mosquitto", "-c", config)
        wait_for("mosquitto runs", lambda: "running" in self.log())
        return self


class WanTest(TestCase):
    repeat_with = {"FURROW_WAN_SEED": SEED}

    def setUp(self):
        self.wan = wan.Wan(SEED)
        self.addCleanup(self.wan.close)
        self.region = self.own(FarMosquitto("region", self.folder, self.wan)).start()
        self.archive = self.own(Archive("archive", self.folder, 1883, "us/#", 2, "mqttv5"))
        self.archive.command = (*self.wan.far.enter, *self.archive.command)
        self.archive.start()
        region = bridge_entry(0, "{filter: farm/#, remote_prefix: us/, qos: 2}",
                              settings="ack_timeout: 5s\nkeepalive: 5s").replace("127.0.0.1:0", f"{wan.FAR}:1883")
        # There is no name server in this namespace: nobody else waits for what this one asks.
        lost = bridge_entry(0, "{filter: lost/#}", name="lost").replace("127.0.0.1:0", "region.invalid:1883")
        self.barn = self.gateway(f"bridges:\n{region}{lost}").start()
        self.status_reader = self.status(self.barn)
        self.sensor = self.client(self.barn.port, "sensor")
        self.reader = self.client(self.barn.port, "reader")
        self.reader.subscribe("farm/#", 2)
        self.sent = 0
        self.wait_for_state("online")

    def wait_for_state(self, *states, reason=""):
        self.status_reader.wait_until(f"{states}, {reason}",
                                      lambda one: one["state"] in states and reason in (one["reason"] or ""))

    def publish(self, count, qos=1, pause=0.0):
        """Each is acknowledged here, and read here."""
        for _ in range(count):
            self.sensor.publish(f"farm/{qos}", str(self.sent), qos)
            self.sent += 1
            time.sleep(pause)
        wait_for("the neighbour has read them", lambda: len(self.reader.messages) == self.sent)

    def assert_all_arrive(self, seconds=120):
        arrived = lambda: self.archive.payloads("us/farm/1") + self.archive.payloads("us/farm/2")
        wait_for("all of it is in the region", lambda: len(set(arrived())) == self.sent, seconds)
        exactly_once = self.archive.payloads("us/farm/2")
        self.assertEqual(len(exactly_once), len(set(exactly_once)))
        document = self.status_reader.wait_until(
            "nothing waits", lambda one: undelivered(one) == 0, seconds=seconds)
        self.assertEqual(document["delivered"], document["accepted"])
        self.status_reader.assert_books_balance()
        lost = self.status_reader.documents("bridge/lost")[-1]
        self.assertIn(lost["state"], ("backoff", "connecting"))
        self.assertIn("region.invalid", lost["reason"])

    def processor_seconds(self):
        fields = open(f"/proc/{self.barn.process.pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_far_away(self):
        self.wan.delay = 0.6
        self.publish(20, qos=1)
        self.publish(20, qos=2)
        self.assert_all_arrive()

    def test_a_fifth_of_the_packets_is_lost(self):
        self.wan.delay = 0.05
        self.wan.loss = 0.2
        for qos in (1, 2):
            self.publish(50, qos, pause=0.02)
        self.assert_all_arrive()

    def test_a_modem_of_9600_bits(self):
        self.wan.delay = 0.1
        self.wan.bytes_per_second = 1200
        self.publish(100, qos=1)
        self.publish(20, qos=2)
        self.assert_all_arrive()
        self.assertEqual(self.status_reader.documents("bridge/region")[-1]["connects"], 1)

    def test_half_open(self):
        """Nobody says that it is over."""
        self.wan.broken = True
        before = self.processor_seconds()
        self.publish(30, qos=1)
        self.publish(30, qos=2)
        self.wait_for_state("backoff", "connecting", reason="ack")
        self.assertEqual(self.archive.payloads("us/farm/1"), [])
        # It waits, it does not try all the time.
        self.assertLess(self.processor_seconds() - before, 1)
        self.wan.broken = False
        self.assert_all_arrive()
        self.wait_for_state("online")

    def test_flapping(self):
        for turn in range(6):
            self.wan.broken = turn % 2 == 0
            end = time.monotonic() + 3
            while time.monotonic() < end:
                self.publish(1, qos=1 + self.sent % 2, pause=0.05)
        self.wan.broken = False
        self.assert_all_arrive()

    def test_the_interface_is_gone(self):
        self.publish(5)
        self.wan.pull_out()
        self.publish(30, qos=2)
        self.wait_for_state("backoff", reason="nreachable")
        self.wan.plug_in()
        self.assert_all_arrive()

    def test_the_address_is_gone(self):
        wan.ip("address", "del", f"{wan.NEAR}/30", "dev", "wan")
        self.publish(30, qos=2)
        self.wait_for_state("backoff", reason="nreachable")
        wan.ip("address", "add", f"{wan.NEAR}/30", "dev", "wan")
        self.assert_all_arrive()


if __name__ == "__main__":
    wan.run_apart()
    main()
