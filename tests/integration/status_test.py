"""The status topics: every field, true numbers, and what exporters for Mosquitto read."""

import datetime
import time

from furrow_testing import Client, TestCase, bridge, main, undelivered

GATEWAY_FIELDS = {
    "schema", "seq", "time", "id", "version", "started_at", "uptime_s", "acknowledge", "clients", "messages",
    "retained", "store", "listeners", "certificates", "memory_bytes", "clock"}
BRIDGE_FIELDS = {
    "schema", "seq", "time", "name", "state", "reason", "since_at", "remote", "backlog", "inflight", "accepted",
    "delivered", "received", "expired", "quarantined", "dropped", "rules", "rate", "drain_eta_s", "connects",
    "last_ack_s", "next_attempt_s"}
STORE_FIELDS = {"state", "reason", "since_at", "messages", "bytes", "file_bytes", "bytes_written", "commits"}
DROP_REASONS = {
    "queue_full", "age", "replaced", "qos0_offline", "refused_qos0", "too_large", "loop", "hop_limit", "purged",
    "rule_removed", "store_failed", "salvage_lost"}
# Topics of Mosquitto that furrow has no number for, with the reason.
NOT_COUNTED = {
    "packet/out/count": "what waits for a socket is bytes here, not packets",  # since 2.1
    "packet/out/bytes": "likewise",
}
# What does not depend on when it is looked at, nor on who.
COUNTED_ALIKE = (
    "messages/received", "publish/messages/received", "publish/messages/dropped", "publish/bytes/received",
    "bytes/received", "clients/total", "clients/connected", "clients/active", "clients/disconnected",
    "clients/inactive", "clients/expired", "subscriptions/count", "shared_subscriptions/count")


def counters(reader):
    """The latest value of each of Mosquitto's topics."""
    return {one.topic[len("$SYS/broker/"):]: one.payload.decode() for one in list(reader.messages)}


class StatusTest(TestCase):
    def assert_has(self, document, fields):
        self.assertEqual(fields - set(document), set(), f"missing in {document}")

    def assert_recent(self, rfc3339):
        self.assertRegex(rfc3339, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
        age = datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(rfc3339)
        self.assertLess(abs(age.total_seconds()), 60)

    def test_gateway(self):
        barn = self.gateway().start()
        status = self.status(barn)
        with Client(barn.port, "sensor", clean=False, expiry=60) as sensor:
            sensor.subscribe("farm/#", 1)
            for _ in range(10):
                sensor.publish("farm/a", "x", 1)
            sensor.publish("farm/level", "0123456789", 1, retain=True)
            sensor.take(11)
            one = status.wait_until("two clients and what they sent", lambda one: one["messages"]["sent"] >= 11
                                    and one["clients"]["connected"] == 2, topic="gateway")
        self.assert_has(one, GATEWAY_FIELDS)
        self.assert_has(one["store"], STORE_FIELDS)
        self.assertEqual(one["schema"], 1)
        self.assertEqual(one["id"], "barn")
        self.assertEqual(one["acknowledge"], "durable")
        self.assertEqual(one["clients"]["sessions"], 2)
        self.assertEqual(one["messages"]["received"], 11)
        self.assert_retained(barn, one)
        self.assertEqual(one["store"]["state"], "ok")
        self.assertGreater(one["store"]["commits"], 0)
        self.assertGreater(one["store"]["file_bytes"], 0)
        self.assertEqual(one["listeners"][0]["address"], f"127.0.0.1:{barn.port}")
        self.assertGreater(one["memory_bytes"], 1_000_000)
        self.assertIsInstance(one["clock"]["trusted"], bool)
        self.assert_recent(one["time"])
        self.assert_recent(one["started_at"])
        left = status.wait_until("one client left", lambda one: one["clients"]["connected"] == 1, topic="gateway")
        self.assertEqual(left["clients"]["sessions"], 2)  # the sensor's session stays

    def test_store_counts_what_waits_for_sessions_and_for_bridges(self):
        barn = self.gateway(bridge(1, "{filter: farm/#}")).start()  # nobody listens at port 1
        status = self.status(barn)
        with Client(barn.port, "reader", clean=False) as reader:
            reader.subscribe("farm/a", 1)
        status.publish("farm/a", "x" * 1000, 1)  # waits in both
        status.publish("farm/b", "x" * 1000, 1)
        full = status.wait_until("three messages wait", lambda one: one["store"]["messages"] == 3, topic="gateway")
        self.assertIn(full["store"]["bytes"], range(3000, 3600))
        with Client(barn.port, "reader", clean=False) as reader:
            reader.take(1)
            less = status.wait_until("two messages wait", lambda one: one["store"]["messages"] == 2, topic="gateway")
        self.assertIn(less["store"]["bytes"], range(2000, 2400))

    def assert_retained(self, barn, document):
        """It counts what a new subscriber gets: status topics too, as in Mosquitto."""
        with Client(barn.port, "counting") as reader:
            reader.subscribe("farm/#")
            reader.subscribe("$SYS/#")
            reader.wait("all retained messages", lambda: document["retained"]["messages"] ==
                        len({one.topic for one in reader.messages if one.retain}))
        self.assertIn("farm/level", [one.topic for one in reader.messages])
        self.assertGreaterEqual(document["retained"]["bytes"], len("farm/level") + len("0123456789"))

    def test_bridge(self):
        region = self.mosquitto().start()
        barn = self.gateway(bridge(region.port, "{filter: farm/#}", "{filter: command/#, direction: down}")).start()
        status = self.status(barn)
        status.wait_until("the bridge is online", lambda one: one["state"] == "online")
        sensor = self.client(barn.port, "sensor")
        for _ in range(20):
            sensor.publish("farm/a", "x", 1)
        self.client(region.port, "operator").publish("command/a", "x", 1)
        one = status.wait_until("twenty up and one down", lambda one: (one["delivered"], one["received"]) == (20, 1))
        self.assert_has(one, BRIDGE_FIELDS)
        self.assert_has(one["backlog"], {"messages", "bytes", "oldest_s", "disk_messages"})
        self.assert_has(one["dropped"], DROP_REASONS)
        self.assert_has(one["rate"], {"up_per_s", "down_per_s"})
        self.assertEqual(one["schema"], 1)
        self.assertEqual(one["name"], "region")
        self.assertEqual(one["remote"], f"mqtt://127.0.0.1:{region.port}")
        self.assertEqual(one["connects"], 1)
        self.assertEqual(one["accepted"], 20)
        self.assertEqual([rule["filter"] for rule in one["rules"]], ["farm/#", "command/#"])
        self.assertIsNone(one["reason"])
        self.assertIsNone(one["next_attempt_s"])
        self.assertLess(one["last_ack_s"], 60)
        self.assert_recent(one["since_at"])

        region.stop()
        sensor.publish("farm/a", "x", 1)
        offline = status.wait_until("the outage", lambda one: one["state"] == "backoff"
                                    and undelivered(one) == 1)
        self.assertRegex(offline["reason"], "(?i)refused|closed|reset|shutting down")
        self.assertIsNotNone(offline["next_attempt_s"])
        region.start()
        back = status.wait_until("the end of the outage", lambda one: one["delivered"] == 21)
        self.assertEqual((back["accepted"], back["connects"]), (21, 2))
        status.assert_books_balance()

    def test_documents_are_numbered_retained_and_live(self):
        barn = self.gateway(bridge(1, "{filter: farm/#}")).start()
        status = self.status(barn)
        for topic in ("gateway", "bridge/region"):
            status.wait_until(f"three documents on {topic}",
                              lambda _, topic=topic: len(status.documents(topic)) >= 3, topic=topic)
            numbers = [one["seq"] for one in status.documents(topic)]
            self.assertEqual(numbers, sorted(set(numbers)))
            times = [one["time"] for one in status.documents(topic)]
            self.assertEqual(times, sorted(times))
        first = next(one for one in status.messages if one.topic == "$SYS/furrow/gateway")
        self.assertTrue(first.retain)

    def test_status_is_never_queued(self):
        barn = self.gateway().start()
        away = Client(barn.port, "away", clean=False).connect()
        self.addCleanup(away.close)
        away.subscribe("$SYS/furrow/gateway", 1)
        away.subscribe("farm/#", 1)
        away.close()
        seen = len(away.messages)
        status = self.status(barn)
        status.wait_until("three documents", lambda _: len(status.documents("gateway")) >= 3, topic="gateway")
        status.publish("farm/end", "", 1)
        away.connect()
        away.wait("the message that was queued", lambda: any(one.topic == "farm/end" for one in away.messages))
        before_the_end = [one.topic for one in away.messages[seen:]]
        self.assertEqual(before_the_end[:before_the_end.index("farm/end")], [])

    def test_clients_cannot_write_status(self):
        barn = self.gateway().start()
        status = self.status(barn)
        forger = self.client(barn.port, "forger")
        forger.publish("$SYS/furrow/gateway", "forged", 0, retain=True)
        forger.publish("end", "", 1)
        documents = len(status.documents("gateway"))
        status.wait_until("another document", lambda _: len(status.documents("gateway")) > documents, topic="gateway")
        self.assertNotIn(b"forged", [one.payload for one in status.messages])

    def test_a_new_subscriber_gets_the_state_of_this_second(self):
        barn = self.gateway(bridge(1, "{filter: farm/#}"), status_interval="1h").start()
        self.client(barn.port, "sensor")
        time.sleep(1.1)  # the documents of the start are old by now
        before = datetime.datetime.now(datetime.timezone.utc)
        status = self.status(barn)
        one = status.wait_until("a document", lambda one: one, topic="gateway")
        self.assertGreater(datetime.datetime.fromisoformat(one["time"]), before - datetime.timedelta(seconds=1))
        self.assertEqual(one["clients"]["connected"], 2)
        status.wait_until("one of the bridge", lambda one: one["seq"] > 1)
        self.assertEqual(len(status.documents("gateway")), 1)

    def test_its_own_topics_leave_room_for_retained_values(self):
        barn = self.gateway("limits: {retained: {messages: 5}}\n").start()
        sensor = self.client(barn.port, "sensor")
        for number in range(6):
            sensor.publish(f"farm/{number}", "x", 1, retain=True)
        reader = self.client(barn.port, "reader")
        reader.subscribe("farm/#")
        reader.take(5)
        status = self.status(barn)
        one = status.wait_until("one value too many", lambda one: one["limits_reached"]["retained"], topic="gateway")
        self.assertEqual(one["limits_reached"]["retained"], 1)
        self.assertEqual(one["retained"]["messages"] - one["retained"]["own_messages"], 5)

    def test_since_when_a_region_is_away(self):
        barn = self.gateway(bridge(1, "{filter: farm/#}")).start()  # nobody listens at port 1
        status = self.status(barn)
        status.wait_until("some attempts", lambda _: len(status.documents("bridge/region")) >= 4)
        since = [datetime.datetime.fromisoformat(one["since_at"]) for one in status.documents("bridge/region")]
        self.assertLess(max(since) - min(since), datetime.timedelta(seconds=0.2), "each attempt is no news")

    def test_history_is_for_those_who_come(self):
        barn = self.gateway(bridge(1, "{filter: farm/#}")).start()
        status = self.status(barn)
        one = status.wait_until("the history", lambda one: one["bridges"], topic="history")
        self.assertEqual((one["schema"], one["interval_s"]), (1, 10))
        self.assertEqual(list(one["bridges"]["region"][0]), ["time", "up_per_s", "backlog", "last_ack_s"])
        self.assert_recent(one["bridges"]["region"][0]["time"])
        time.sleep(11)
        self.assertEqual(len(status.documents("history")), 1, "whoever was there has seen it happen")
        later = self.status(barn).wait_until("more of it", lambda one: one["bridges"], topic="history")
        self.assertEqual(len(later["bridges"]["region"]), 2)

    def test_each_client_has_a_document(self):
        barn = self.gateway(status="clients: true").start()
        status = self.status(barn)
        with Client(barn.port, "field/1", clean=False, expiry=60) as sensor:
            sensor.subscribe("farm/#", 1)
            one = status.wait_until("a client", lambda one: one["connected"] and one["subscriptions"] == 1,
                                    topic="client/field%2F1")
        self.assertEqual(list(one), ["schema", "seq", "time", "id", "connected", "since_at", "user", "listener",
                                     "address", "version", "expiry_s", "subscriptions", "queue", "inflight"])
        self.assertEqual((one["id"], one["user"], one["version"], one["expiry_s"]), ("field/1", None, "5", 60))
        self.assert_recent(one["since_at"])
        status.wait_until("it has left", lambda one: not one["connected"], topic="client/field%2F1")
        status.publish("farm/1", "x", 1)
        status.wait_until("a message waits", lambda one: one["queue"]["messages"] == 1, topic="client/field%2F1")
        with Client(barn.port, "field/1", clean=True, expiry=0):
            pass
        status.wait("its session has ended", lambda: status.payloads("$SYS/furrow/client/field%2F1")[-1] == "")

    def exporter(self, port):
        reader = self.client(port, "exporter")
        reader.subscribe("$SYS/broker/#", 0)
        return reader

    def test_counters_are_those_of_mosquitto(self):
        """Every topic that a real Mosquitto publishes, and where both saw the same, the same number."""
        ports = [self.mosquitto("sys_interval 1\n").start().port, self.gateway().start().port]
        readers = [self.exporter(port) for port in ports]
        for port in ports:
            with Client(port, "away", clean=False, expiry=600) as away:
                away.subscribe("farm/#", 1)
            self.client(port, "member").subscribe("$share/group/barn/#", 1)
            sensor = self.client(port, "sensor")
            sensor.subscribe("news", 1)
            for _ in range(3):
                sensor.publish("news", "0123456789", 1)
            sensor.publish("stable", "0123456789")
            sensor.take(3)
        for reader in readers:
            reader.wait("all that was sent", lambda reader=reader:
                        counters(reader).get("publish/messages/received") == "4")
            rounds = len(reader.payloads("$SYS/broker/uptime"))
            reader.wait("all that was counted", lambda reader=reader, rounds=rounds:
                        len(reader.payloads("$SYS/broker/uptime")) > rounds + 1)
        mosquitto, furrow = (counters(reader) for reader in readers)
        self.assertGreater(len(mosquitto), 50)
        self.assertEqual(set(mosquitto) - set(furrow) - set(NOT_COUNTED), set())
        for name in COUNTED_ALIKE:
            self.assertEqual(furrow[name], mosquitto[name], name)
        self.assertTrue(furrow["version"].startswith("furrow version "))
        self.assertRegex(furrow["uptime"], r"^\d+ seconds$")
        for name in mosquitto:
            if name not in ("version", "uptime"):
                self.assertRegex(furrow[name], r"^\d+\.\d\d$" if name.startswith("load/") else r"^\d+$", name)
        self.assertGreater(float(furrow["load/messages/received/1min"]), float(furrow["load/messages/received/5min"]))

    def test_a_bridge_is_shown_as_mosquitto_shows_its_own(self):
        region = self.mosquitto().start()
        barn = self.gateway(bridge(region.port, "{filter: farm/#}")).start()
        reader = self.exporter(barn.port)
        state = "$SYS/broker/connection/barn-region/state"
        reader.wait("the bridge is there", lambda: reader.payloads(state)[-1:] == ["1"])
        region.stop()
        reader.wait("the bridge is gone", lambda: reader.payloads(state)[-1:] == ["0"])


if __name__ == "__main__":
    main()
