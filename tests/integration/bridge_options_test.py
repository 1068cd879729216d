"""Options of bridges, seen from outside: which address, how much at a time, at which QoS, under which name."""

import socket
import threading
import time

from furrow_testing import TestCase, bridge, main, publish_lines, undelivered


class BridgeOptionsTest(TestCase):
    def bridged(self, text):
        """A gateway that has reached its region."""
        barn = self.gateway(text).start()
        self.reader = self.status(barn)
        self.wait_online()
        return barn

    def wait_online(self, remote=None):
        self.reader.wait_until("online", lambda one: one["state"] == "online" and remote in (None, one["remote"]))

    def wait_away(self):
        self.reader.wait_until("away", lambda one: one["state"] != "online")

    def test_back_to_the_first_address_once_it_is_well_again(self):
        first = self.mosquitto(name="first").start()
        second = self.mosquitto(name="second").start()
        urls = [f"mqtt://127.0.0.1:{one.port}" for one in (first, second)]
        text = bridge(0, "{filter: farm/#}", settings="failback: 1s").replace(
            "mqtt://127.0.0.1:0", f"[{', '.join(urls)}]")
        barn = self.bridged(text)
        self.wait_online(urls[0])
        first.stop()
        self.wait_online(urls[1])
        sensor = self.client(barn.port, "sensor")
        sensor.publish("farm/a", "at the second", 1)
        first.start()
        reader = self.client(first.port, "reader")
        reader.subscribe("farm/#", 1)
        self.wait_online(urls[0])
        sensor.publish("farm/a", "at the first", 1)
        self.assertEqual(reader.take(1)[0].payload, b"at the first")
        self.reader.wait_until("both are delivered", lambda one: one["delivered"] == 2)
        self.reader.assert_books_balance()

    def test_qos_0_is_raised_and_outlives_an_outage_and_a_crash(self):
        region = self.mosquitto().start()
        rule = "{filter: farm/#, qos_min: 1, remote_prefix: 'site/{gateway}/{bridge}/'}"
        barn = self.bridged(bridge(region.port, rule))
        archive = self.archive(region.port, "site/#", 1)
        region.stop()
        self.wait_away()
        sensor = self.client(barn.port, "sensor")
        for i in range(20):
            sensor.publish("farm/a", str(i), 0)
        self.reader.wait_until("all wait", lambda one: one["backlog"]["disk_messages"] == 20)
        barn.kill()
        barn.start()
        region.start()
        archive.start()
        archive.wait_for_payload("site/barn/region/farm/a", "19")
        self.assertEqual(archive.payloads("site/barn/region/farm/a"), [str(i) for i in range(20)])

    def test_readings_gather_in_one_segment(self):
        region = self.mosquitto().start()
        counter = Counter(region.port)
        self.addCleanup(counter.close)
        barn = self.bridged(bridge(counter.port, "{filter: farm/#}", settings="coalesce: 300ms"))
        time.sleep(0.4)  # what comes with the connection is out
        before = counter.pieces
        sensor = self.client(barn.port, "sensor")
        for i in range(30):
            sensor.publish("farm/a", str(i), 0)
        self.reader.wait_until("all is out", lambda one: one["delivered"] == 30)
        self.assertLessEqual(counter.pieces - before, 3)

    def test_a_backlog_is_paced(self):
        region = self.mosquitto().start()
        barn = self.bridged(bridge(region.port, "{filter: farm/#}", settings="drain: {messages_per_second: 20}"))
        region.stop()
        self.wait_away()
        sensor = self.client(barn.port, "sensor")
        for i in range(60):
            sensor.publish("farm/a", str(i), 1)
        region.start()
        self.reader.wait_until("it drains", lambda one: one["state"] == "draining" and 0 < one["delivered"] < 60)
        self.reader.wait_until("it has drained", lambda one: one["delivered"] == 60)
        self.reader.assert_books_balance()

    def test_a_rule_with_a_pace_holds_up_no_other_also_after_a_crash(self):
        region = self.mosquitto().start()
        barn = self.bridged(bridge(region.port, "{filter: log/#, messages_per_second: 5}", "{filter: farm/#}"))
        archive = self.archive(region.port, "#", 1).start()
        self.assert_published(*(publish_lines(barn.port, topic, range(60)) for topic in ("log/a", "farm/a")))
        archive.wait_for_payload("farm/a", "59")
        self.assertLess(len(archive.payloads("log/a")), 60)
        barn.kill()
        barn.start()
        archive.wait_for_payload("log/a", "59")
        self.assertEqual(sorted(set(map(int, archive.payloads("log/a")))), list(range(60)))
        self.reader = self.status(barn)
        self.reader.wait_until("nothing waits", lambda one: undelivered(one) == 0)
        self.reader.assert_books_balance()

    def test_what_is_high_goes_first_and_what_is_low_last_also_after_a_crash(self):
        region = self.mosquitto().start()
        rules = ("{filter: log/#, priority: low}", "{filter: farm/#}", "{filter: alarm/#, priority: high}")
        barn = self.bridged(bridge(region.port, *rules))
        archive = self.archive(region.port, "#", 1)
        region.stop()
        self.wait_away()
        sensor = self.client(barn.port, "sensor")
        topics = ("log/a", "farm/a", "alarm/a")
        for i in range(30):
            for topic in topics:
                sensor.publish(topic, str(i), 1)
        barn.kill()
        barn.start()
        region.start()
        archive.start()
        archive.wait_for_payload("log/a", "29")
        self.assertEqual(archive.arrivals(),
                         [f"{topic} {i}" for topic in reversed(topics) for i in range(30)])

    def test_of_what_waits_only_the_latest_of_each_topic_crosses_also_after_crashes(self):
        region = self.mosquitto().start()
        barn = self.bridged(bridge(region.port, "{filter: farm/#, keep: latest}", "{filter: log/#}"))
        archive = self.archive(region.port, "#", 1)
        region.stop()
        self.wait_away()
        for life in range(3):
            sensor = self.client(barn.port, f"sensor-{life}")
            sensor.publish_each([(topic, str(20 * life + i), 1) for i in range(20)
                                 for topic in ("farm/a", "farm/b", "log/a")])
            barn.kill()
            barn.start()
        region.start()
        archive.start()
        archive.wait_for_payload("log/a", "59")
        archive.wait_for_payload("farm/b", "59")
        # A crash brings back what had given way in the second before it.
        for topic in ("farm/a", "farm/b"):
            came = archive.payloads(topic)
            self.assertEqual(came[-1], "59")
            self.assertLess(len(came), 10, came)
        self.assertEqual(archive.payloads("log/a"), [str(i) for i in range(60)])
        self.reader = self.status(barn)
        drained = self.reader.wait_until("it has drained", lambda one: undelivered(one) == 0)
        self.assertGreater(drained["dropped"]["replaced"], 0)
        self.reader.assert_books_balance()

    def test_live_values_pass_a_backlog(self):
        region = self.mosquitto().start()
        settings = "drain: {order: live-first, messages_per_second: 5}"
        barn = self.bridged(bridge(region.port, "{filter: farm/#}", settings=settings))
        archive = self.archive(region.port, "farm/#", 1)
        region.stop()
        self.wait_away()
        sensor = self.client(barn.port, "sensor")
        old = [f"old {i}" for i in range(20)]
        for one in old:
            sensor.publish("farm/a", one, 1)
        region.start()
        self.reader.wait_until("connected", lambda one: one["state"] in ("online", "draining"))
        sensor.publish("farm/a", "new", 1)
        archive.start()
        archive.wait_for_payload("farm/a", old[-1])
        came = archive.payloads("farm/a")
        self.assertLess(came.index("new"), came.index(old[-1]))
        self.assertEqual([one for one in came if one != "new"], old)


class Counter:
    """A proxy that counts the pieces that come up."""

    def __init__(self, port):
        self.target, self.pieces = port, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = [self.listener]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.target))
            self.sockets += [near, far]
            threading.Thread(target=self.pump, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(far, near, False), daemon=True).start()

    def pump(self, source, sink, counted):
        try:
            while data := source.recv(65536):
                self.pieces += counted
                sink.sendall(data)
        except OSError:
            pass

    def close(self):
        for one in self.sockets:
            one.close()


if __name__ == "__main__":
    main()
