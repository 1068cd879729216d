"""`subscribe: wanted`: what crosses from a real region is what somebody here is subscribed to."""

import re
import signal
import time

from furrow_testing import PATIENCE, TestCase, bridge, main, text, wait_for

# What nobody wants any more stays subscribed to for so long.
LINGERS = 60


class WantedTest(TestCase):
    def start(self, *rules):
        self.region = self.mosquitto("log_type subscribe\nlog_type unsubscribe\n").start()
        self.barn = self.gateway(bridge(self.region.port, *rules))
        self.start_barn()
        self.far = self.client(self.region.port, "far")

    def start_barn(self):
        self.barn.start()
        self.bridge_status = self.status(self.barn)
        self.bridge_status.wait_until("the bridge is online", lambda one: one["state"] == "online")

    def told(self):
        """What the region was told by the bridge since its start, as `+FILTER` and `-FILTER`."""
        lines = re.findall(r"^\d+: \S*barn\S* (?:(\d) )?(\S+)$", self.region.log(whole=True), re.MULTILINE)
        return [("+" if qos else "-") + topic_filter for qos, topic_filter in lines]

    def subscribed(self):
        """What the region has of the bridge."""
        filters = set()
        for one in self.told():
            (filters.add if one[0] == "+" else filters.discard)(one[1:])
        return filters

    def wait_subscribed(self, *filters, seconds=PATIENCE):
        wait_for(f"subscriptions are {filters}", lambda: self.subscribed() == set(filters), seconds)

    def wait_wanted(self, count, seconds=PATIENCE):
        self.bridge_status.wait_until(f"{count} filters are wanted", lambda one: one["rules"][0]["wanted"] == count,
                                      seconds=seconds)

    def reload(self, old, new):
        config = self.barn.config_path.read_text()
        self.assertIn(old, config)
        self.barn.config_path.write_text(config.replace(old, new))
        self.barn.process.send_signal(signal.SIGHUP)

    def test_nothing_crosses_that_nobody_wants(self):
        self.start("{filter: command/#, direction: down, qos: 1, remote_prefix: r/, subscribe: wanted}",
                   "{filter: setting/#, direction: down, qos: 1, subscribe: always}")
        self.far.publish("r/command/7/mode", "auto", 1, retain=True)
        self.far.publish("r/command/8/mode", "off", 1, retain=True)
        self.wait_wanted(0)
        self.wait_subscribed("setting/#")
        # Retained values come first, and then what is published.
        pump = self.client(self.barn.port, "pump")
        pump.subscribe("command/7/#", 1)
        self.assertEqual([(one.topic, text(one)) for one in pump.take(1)], [("command/7/mode", "auto")])
        self.far.publish("r/command/8/valve", "not for us", 1)
        self.far.publish("r/command/7/valve", "open", 1)
        pump.take(2)
        self.assertEqual(pump.payloads(), ["auto", "open"])
        self.bridge_status.wait_until("two messages came down", lambda one: one["received"] == 2)
        # Two clients with filters of their own; one whose filter has some of both.
        valve = self.client(self.barn.port, "valve")
        valve.subscribe("command/8/valve", 1)
        self.wait_subscribed("r/command/7/#", "r/command/8/valve", "setting/#")
        wide = self.client(self.barn.port, "wide")
        wide.subscribe("command/+/valve", 1)
        self.wait_subscribed("r/command/#", "setting/#")
        # They go, and a reload says that the other rule brings down only what is wanted, too.
        wide.close()
        valve.close()
        pump.subscribe("setting/7", 1)
        self.reload("subscribe: always", "subscribe: wanted")
        self.wait_subscribed("r/command/7/#", "setting/7", seconds=LINGERS + PATIENCE)
        # The last one goes, and another comes within the minute: nobody is told.
        told = self.told()
        pump.close()
        back = self.client(self.barn.port, "pump")
        back.subscribe("command/7/#", 1)
        self.far.publish("r/command/8/valve", "not for us", 1)
        self.far.publish("r/command/7/valve", "shut", 1)
        back.wait("the message", lambda: "shut" in back.payloads())
        # The two from before, three retained values with other filters, and this one.
        self.bridge_status.wait_until("six messages came down", lambda one: one["received"] == 6)
        self.assertEqual(self.told(), told)
        self.reload("subscribe: wanted", "subscribe: always")
        self.wait_subscribed("r/command/#", "setting/#")
        self.bridge_status.assert_books_balance()

    def test_kills_leave_what_stored_sessions_want_and_nothing_else(self):
        self.start("{filter: command/#, direction: down, qos: 2, subscribe: wanted}")
        durable = self.client(self.barn.port, "durable", clean=False)
        durable.subscribe("command/7", 2)
        self.wait_subscribed("command/7")
        durable.close()
        for life in range(12):
            client = self.client(self.barn.port, f"client-{life}")
            for i in range(4):
                client.paho.subscribe(f"command/other/{life}/{i}", 1)
            time.sleep(life * 0.004)
            self.barn.crash()
            self.far.publish("command/7", f"while gateway {life} is off", 2)
            self.start_barn()
        self.assertGreater(len(self.subscribed()), 1, "a kill came too early each time")
        self.far.publish("command/7", "while its client is away", 2)
        durable = self.client(self.barn.port, "durable", clean=False)
        durable.take(13)
        self.assertEqual(durable.payloads(),
                         [f"while gateway {life} is off" for life in range(12)] + ["while its client is away"])
        # The others have not come back: what the region has for them goes.
        self.wait_subscribed("command/7", seconds=LINGERS + PATIENCE)
        self.wait_wanted(1)


if __name__ == "__main__":
    main()
