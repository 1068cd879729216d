"""Alarms as clients, the command line, Prometheus and the log see them: raised when something lasts, and cleared."""

import json
import time
import urllib.request

from furrow_testing import TestCase, bridge, free_port, main, run_furrow, wait_for


def alarm_ids(document):
    return [one["id"] for one in document["alarms"]]


class AlarmsTest(TestCase):
    def wait_for_alarm(self, status, alarm):
        document = status.wait_until(f"the alarm {alarm}", lambda one: alarm in alarm_ids(one), topic="alarms")
        return next(one for one in document["alarms"] if one["id"] == alarm)

    def wait_for_end(self, status, alarm):
        status.wait_until(f"the end of the alarm {alarm}", lambda one: alarm not in alarm_ids(one), topic="alarms")

    def test_a_buffer_that_fills_and_drains(self):
        region = self.mosquitto().start()
        wan = self.proxy(region.port)
        wan.close()
        web = free_port()
        barn = self.gateway(bridge(wan.port, "{filter: farm/#}", settings="buffer: {messages: 10}") +
                            f"listeners: [{{bind: 127.0.0.1:0}}, {{bind: 127.0.0.1:{web}, protocol: websocket}}]\n")
        status = self.status(barn.start())
        first = status.wait_until("a document", lambda one: True, topic="alarms")
        self.assertEqual(list(first), ["schema", "seq", "time", "alarms", "more"])
        sensor = self.client(barn.port, "sensor")
        for _ in range(8):  # the least that raises it, so that it says one thing
            sensor.publish("farm/1", "x", 1)
        alarm = self.wait_for_alarm(status, "buffer/region")
        self.assertEqual(list(alarm), ["id", "severity", "since_at", "what", "about", "do"])
        self.assertEqual((alarm["severity"], alarm["about"], alarm["what"]),
                         ("warning", "bridge region", "has a buffer that is 80 % full"))
        self.assertIn("alarm.raised id=buffer/region", barn.log())

        shown = run_furrow("status", "--url", f"mqtt://127.0.0.1:{barn.port}").stdout
        self.assertRegex(shown, r"\nwarning, since \d{4}-\d\d-\d\d \d\d:\d\d UTC\n"
                                r"  bridge region has a buffer that is 80 % full")
        as_json = json.loads(run_furrow("status", "--json", "--url", f"mqtt://127.0.0.1:{barn.port}").stdout)
        self.assertIn("buffer/region", alarm_ids(as_json["alarms"]))
        with urllib.request.urlopen(f"http://127.0.0.1:{web}/metrics") as answer:
            metrics = answer.read().decode()
        self.assertIn('furrow_alarm{id="buffer/region",severity="warning"} 1\n', metrics)
        with urllib.request.urlopen(f"http://127.0.0.1:{web}/status") as answer:
            self.assertIn("buffer/region", alarm_ids(json.load(answer)["alarms"]))

        wan.open()
        self.wait_for_end(status, "buffer/region")
        wait_for("a line of the log", lambda: "alarm.cleared id=buffer/region" in barn.log())

    def test_two_clients_with_one_id(self):
        barn = self.gateway().start()
        status = self.status(barn)
        for _ in range(4):
            self.client(barn.port, "pump")
        alarm = self.wait_for_alarm(status, "client_id/pump")
        self.assertEqual(alarm["about"], "client pump")
        self.assertIn("client id", alarm["do"])

    def test_a_sensor_that_falls_silent(self):
        barn = self.gateway(status="watch: [{filter: farm/+/moisture, silent_after: 2s}]").start()
        status = self.status(barn)
        sensor = self.client(barn.port, "sensor")
        sensor.publish("farm/1/moisture", "17", 1, retain=True)
        sensor.publish("farm/1/level", "3", 1)
        alarm = self.wait_for_alarm(status, "silent/farm/1/moisture")
        self.assertEqual(alarm["about"], "topic farm/1/moisture")
        self.assertRegex(alarm["what"], r"^is silent for \d+ s$")
        one = status.wait_until("one is silent", lambda one: one["watch"]["silent"] == 1, topic="gateway")
        self.assertEqual(one["watch"], {"topics": 1, "silent": 1, "over_limit": 0})
        end = time.monotonic() + 8  # longer than an alarm lingers
        while time.monotonic() < end:
            sensor.publish("farm/1/moisture", "18", 1, retain=True)
            time.sleep(0.5)
        self.wait_for_end(status, "silent/farm/1/moisture")

        barn.kill()  # what was retained is known after a restart
        time.sleep(2)
        status = self.status(barn.start())
        self.wait_for_alarm(status, "silent/farm/1/moisture")
        self.client(barn.port, "operator").publish("farm/1/moisture", "", 1, retain=True)
        status.wait_until("it is given up", lambda one: one["watch"]["topics"] == 0, topic="gateway")
        self.wait_for_end(status, "silent/farm/1/moisture")


if __name__ == "__main__":
    main()
