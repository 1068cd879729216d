"""An outage of the WAN, and a kill -9 in the middle of it: what was acknowledged arrives."""

import collections
import signal
import socket

import wire
from furrow_testing import TestCase, bridge, main, publish_lines, text, undelivered, wait_for

COUNT = 10_000  # messages of each publisher
WINDOW = 1000  # the most that a bridge has in flight
VERSIONS = ("mqttv311", "mqttv5")


class OutageTest(TestCase):
    def archives_at(self, region):
        """Two sessions that the region keeps over its own restart, one of each version."""
        return [self.archive(region.port, "us/farm/#", 1, version) for version in VERSIONS]

    def gateway_to(self, port):
        return self.gateway(bridge(port, "{filter: farm/#, qos: 1, remote_prefix: us/}")).start()

    def assert_everything_arrived(self, archive, topic):
        """All numbers, the first arrivals in order. Returns how often each came."""
        arrivals = collections.Counter(int(one) for one in archive.payloads(topic))
        self.assertEqual(list(arrivals), list(range(COUNT)), f"on {topic} at {archive.name}")
        return arrivals

    def finish(self, region, archives):
        """Waits for everything that the region has for them."""
        late = self.client(region.port, "late")
        late.publish("us/farm/end", "end", 1)
        for archive in archives:
            archive.wait_for_payload("us/farm/end", "end")

    def test_acknowledged_messages_survive_outage_and_kill(self):
        region = self.mosquitto().start()
        archives = self.archives_at(region)
        gateway = self.gateway_to(region.port)
        status = self.status(gateway)
        status.wait_until("the bridge is online", lambda one: one["state"] == "online")

        region.stop()
        self.assert_published(*[publish_lines(gateway.port, f"farm/{version}", range(COUNT), version=version)
                                for version in VERSIONS])
        waiting = status.wait_until("the buffer has all", lambda one: one["backlog"]["messages"] == 2 * COUNT)
        self.assertEqual(waiting["accepted"], 2 * COUNT)
        self.assertIn(waiting["state"], ("connecting", "backoff"))
        status.assert_books_balance()

        gateway.crash()
        gateway.start()
        status = self.status(gateway)
        restored = status.wait_until("the buffer is back", lambda one: one["backlog"]["messages"] == 2 * COUNT)
        self.assertEqual(restored["accepted"], 2 * COUNT)
        self.assertEqual(restored["backlog"]["disk_messages"], 2 * COUNT)

        region.start()
        for archive in archives:
            archive.start()
        drained = status.wait_until("the buffer is empty", lambda one: one["delivered"] == 2 * COUNT)
        self.assertEqual((drained["backlog"]["messages"], drained["inflight"]), (0, 0))
        self.assertEqual(sum(drained["dropped"].values()) + drained["expired"] + drained["quarantined"], 0)
        status.assert_books_balance()
        self.finish(region, archives)
        for archive in archives:
            arrivals = [self.assert_everything_arrived(archive, f"us/farm/{version}") for version in VERSIONS]
            self.assertLessEqual(sum(one.total() for one in arrivals), 2 * COUNT + WINDOW)

    def test_kill_while_draining(self):
        """kill -9 with the window full: what the store did not know as delivered is sent again, and nothing else."""
        region = self.mosquitto().start()
        wan = self.proxy(region.port)
        archives = [archive.start() for archive in self.archives_at(region)]
        gateway = self.gateway_to(wan.port)
        wan.close()
        self.assert_published(publish_lines(gateway.port, "farm/a", range(COUNT)))
        wan.open()
        wait_for("a part has arrived", lambda: len(archives[0].payloads("us/farm/a")) >= COUNT // 4)
        gateway.crash()
        wan.close()
        gateway.start()
        status = self.status(gateway)
        restored = status.wait_until("the buffer is back", lambda one: one["accepted"] == COUNT)
        self.assertEqual(restored["delivered"] + restored["backlog"]["messages"], COUNT)

        wan.open()
        status.wait_until("the buffer is empty",
                          lambda one: one["state"] == "online" and undelivered(one) == 0)
        status.assert_books_balance()
        self.finish(region, archives)
        for archive in archives:
            arrivals = self.assert_everything_arrived(archive, "us/farm/a")
            self.assertEqual([one for one in range(restored["delivered"]) if arrivals[one] > 1], [])
            self.assertLessEqual(max(arrivals.values()), 2)

    def test_messages_reach_the_region_while_it_is_there(self):
        region = self.mosquitto().start()
        listener = self.client(region.port, "listener")
        listener.subscribe("us/#", 2)
        gateway = self.gateway(bridge(region.port, "{filter: farm/#, qos: 2, remote_prefix: us/}")).start()
        status = self.status(gateway)
        status.wait_until("the bridge is online", lambda one: one["state"] == "online")
        publisher = self.client(gateway.port, "sensor")
        for qos in (0, 1, 2):
            publisher.publish(f"farm/{qos}", f"reading {qos}", qos)
        publisher.publish("elsewhere/1", "stays here", 1)
        received = {(one.topic, text(one), one.qos) for one in listener.take(3)}
        self.assertEqual(received, {(f"us/farm/{qos}", f"reading {qos}", qos) for qos in (0, 1, 2)})
        settled = status.wait_until("everything is acknowledged", lambda one: one["delivered"] == 3)
        self.assertEqual(settled["accepted"], 3)
        status.assert_books_balance()

    def test_a_burst_of_qos_0_passes_while_the_region_reads(self):
        """More in one turn than may wait for a socket: 20 sensors are heard at once."""
        region = self.mosquitto().start()
        gateway = self.gateway(bridge(region.port, "{filter: farm/#}")).start()
        status = self.status(gateway)
        status.wait_until("the bridge is online", lambda one: one["state"] == "online")
        sensors = []
        for number in range(20):
            sensors.append(socket.create_connection(("127.0.0.1", gateway.port)))
            self.addCleanup(sensors[-1].close)
            sensors[-1].sendall(wire.connect(b"sensor-%d" % number))
            self.assertEqual(sensors[-1].recv(1), b"\x20")
        gateway.process.send_signal(signal.SIGSTOP)
        for sensor in sensors:
            sensor.sendall(wire.publish(b"farm/a", bytes(1000)) * 50)
        gateway.process.send_signal(signal.SIGCONT)
        settled = status.wait_until("all are heard", lambda one: one["accepted"] == 1000 and one["inflight"] == 0)
        self.assertEqual((settled["delivered"], sum(settled["dropped"].values())), (1000, 0))


if __name__ == "__main__":
    main()
