"""kill -9 of the gateway at random moments under load, over and over, while the WAN and the region fail too.

What must hold is judged where nobody else is to blame: at the publishers, at local subscribers, at a witness on the
wire between furrow and Mosquitto, and, as long as Mosquitto is stopped cleanly and so keeps what it has acknowledged,
at subscribers behind it.

FURROW_KILL_ROUNDS says how often, FURROW_KILL_SEED what happens when; the microsecond of a kill is never the same.
"""

import json
import os
import random
import re
import shutil
import time

from endpoints import Loop, Publisher, Reader, Stream, Subscriber, Tap, stream_and_number
from furrow_testing import TestCase, assert_balanced, bridge_entry, main

ROUNDS = int(os.environ.get("FURROW_KILL_ROUNDS", "50"))
SEED = int(os.environ.get("FURROW_KILL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
BRIDGES = {"region": "5", "old": "3.1.1"}  # both take everything
PUBLISHERS = 6
BACKLOG_MAX = 1000  # messages on their way to the region; else a round would be about the backlog only
# Nothing is dropped, and a retained value is acknowledged within a round.
SETTINGS = """
sessions: {queue: {messages: 0, bytes: 0}}
store: {retained_interval: 20ms}
"""
REGION_SETTINGS = """
set_tcp_nodelay true
max_inflight_messages 100
"""


class KillTest(TestCase):
    def setUp(self):
        self.repeat_with = {"FURROW_KILL_ROUNDS": ROUNDS, "FURROW_KILL_SEED": SEED}
        self.random = random.Random(f"{SEED} {self._testMethodName}")
        self.loop = Loop()
        self.crashes = self.region_ends = self.documents = 0

    def start(self, region_settings="", archive_levels=()):
        self.region = self.mosquitto(REGION_SETTINGS + region_settings).start()
        self.taps = {name: Tap(self.loop, f"wire of {name}", self.region.port) for name in BRIDGES}
        for tap in self.taps.values():
            self.addCleanup(tap.close)
        self.barn = self.gateway(SETTINGS + "bridges:\n" + "".join(
            bridge_entry(self.taps[name].port, *[f"{{filter: q{qos}/#, qos: {qos}, remote_prefix: {name}/}}"
                                                 for qos in (1, 2)], name=name, settings=f"mqtt_version: {version}")
            for name, version in BRIDGES.items()))
        self.publishers = [self.publisher(number) for number in range(PUBLISHERS)]
        self.streams = [stream for one in self.publishers for stream in one.streams]
        self.subscribers = [Subscriber(self.loop, f"local-{qos}", level, "#", qos) for qos, level in ((1, 4), (2, 5))]
        self.archives = [Subscriber(self.loop, f"archive-{name}-{level}", level, f"{name}/#", 2, tap.arrivals)
                         for name, tap in self.taps.items() for level in archive_levels]
        self.barn.start()
        self.connect(self.archives, self.region)
        self.connect(self.subscribers, self.barn)
        everybody = self.archives + self.subscribers
        self.loop.run_until("everybody has subscribed", lambda: all(one.subscribed for one in everybody))

    def publisher(self, number):
        name = f"p{number}"
        streams = [Stream(f"{name}/{kind}/{qos}", f"q{qos}/{name}/{kind}", qos, retain=kind == "state")
                   for kind in ("reading", "state") for qos in (1, 2)]
        return Publisher(self.loop, name, 4 + number % 2, streams, self.random.randint(1, 30),
                         random.Random(SEED + number))

    def connect(self, peers, broker):
        for one in peers:
            one.connect(broker.port)

    def wait_until_disconnected(self, peers):
        self.loop.run_until("the connections are gone", lambda: all(one.connection is None for one in peers))

    def play(self, end_region):
        """Rounds of load, each ended by a kill; `end_region` ends the process of the region."""
        for _ in range(ROUNDS // 2):
            self.live(end_region)
            self.crash()
            self.wait_until_disconnected(self.publishers + self.subscribers)
            while self.random.random() < 0.1:
                self.barn.spawn_run()
                time.sleep(self.random.uniform(0, 0.05))
                self.crash()
            self.barn.start()
            self.assert_restored()
        self.heal()

    def crash(self):
        self.assertIsNone(self.barn.process.poll(), "the gateway ended by itself")
        self.barn.crash()
        self.crashes += 1

    def live(self, end_region):
        """A round of random length."""
        sent = sum(one.sent for one in self.streams)
        for one in self.publishers:
            one.producing = all(sent - len(tap.taken) < BACKLOG_MAX for tap in self.taps.values())
        start = time.monotonic()
        length = self.random.uniform(0.05, 0.4)
        for moment, act in sorted(self.plan(length, end_region), key=lambda one: one[0]):
            self.loop.run_to(start + moment)
            act()
        self.loop.run_to(start + length)

    def plan(self, length, end_region):
        """What happens in a round, with the second of each."""
        def chance(probability, earliest=0.0):
            return [self.random.uniform(earliest, length)] if self.random.random() < probability else []

        events = []
        for one in self.publishers + self.subscribers:
            connect = lambda one=one: one.connect(self.barn.port)
            events += [(moment / 3, connect) for moment in chance(0.9)]
            for moment in chance(0.1):
                events += [(moment, one.drop), (moment, connect)]
        for tap in self.taps.values():
            events += [(moment, tap.cut) for moment in chance(0.2)]
            for moment in chance(0.1):
                events += [(moment, tap.shut)] + [(later, tap.open) for later in chance(0.5, moment)]
            if not tap.is_open:
                events += [(moment, tap.open) for moment in chance(0.7)]
        if self.region.running():
            for moment in chance(0.5):
                events += [(moment, lambda: self.end_region(end_region))]
                events += [(later, self.start_region) for later in chance(0.5, moment)]
        else:
            events += [(moment, self.start_region) for moment in chance(0.7)]
        return events

    def end_region(self, end):
        end()
        self.region_ends += 1
        self.wait_until_disconnected(self.archives)

    def start_region(self):
        self.region.start()
        self.connect(self.archives, self.region)

    def assert_restored(self):
        """After a start, before any publisher is back: nothing that was acknowledged is older than it was."""
        reader = Reader(self.loop, "reader", ["$SYS/furrow/bridge/+", "+/+/state"])
        reader.connect(self.barn.port)
        state = [one for one in self.streams if one.retain and one.acknowledged]
        status = [f"$SYS/furrow/bridge/{name}" for name in BRIDGES]
        self.loop.run_until("the reader has every retained value",
                            lambda: {one.topic for one in state} | set(status) <= set(reader.retained))
        for one in state:
            self.assert_is_current(one, reader.retained[one.topic])
        for topic in status:
            document = json.loads(reader.retained[topic])
            assert_balanced(document)
            self.assertEqual([reason for reason, count in document["dropped"].items() if count], [])
            self.documents += 1
        reader.drop()

    def assert_is_current(self, stream, payload):
        name, number = stream_and_number(payload)
        self.assertEqual(name, stream.name)
        self.assertIn(number, range(stream.acknowledged, stream.sent + 1), f"the retained value of {stream.topic}")

    def heal(self):
        """Everything is there and stays; whatever is under way arrives."""
        for tap in self.taps.values():
            tap.open()
        if not self.region.running():
            self.start_region()
        for one in self.publishers:
            one.producing = False
        self.connect(self.publishers + self.subscribers, self.barn)
        self.loop.run_until("every message is acknowledged", lambda: all(one.settled for one in self.publishers))
        for stream in self.publishers[0].streams[:2]:  # behind whatever may still come twice
            self.publishers[0].publish(stream)
        self.receivers = [one.arrivals for one in (*self.subscribers, *self.taps.values(), *self.archives)]
        self.loop.run_until(self.what_is_missing, lambda: all(one.has_all(self.streams) for one in self.receivers),
                            lambda: sum(one.total for one in self.receivers))
        sent = {(stream.name, number) for stream in self.streams for number in range(1, stream.sent + 1)}
        self.loop.run_until("the region has answered everything",
                            lambda: all(tap.taken >= sent for tap in self.taps.values()))

    def what_is_missing(self):
        return "\n".join(fault for one in self.receivers for fault in one.faults(self.streams))

    def assert_promises_kept(self):
        self.assertEqual([fault for one in self.receivers for fault in one.faults(self.streams)], [])
        self.assertGreater(sum(one.sent for one in self.streams), ROUNDS)
        self.assert_restored()
        self.assertEqual(self.barn.stop(), 0)
        self.assertEqual(re.findall(r"(?m)^\S+ error .*", self.barn.log(whole=True)), [])
        self.report()

    def report(self):
        taps = self.taps.values()
        print(f"seed {SEED}: {self.crashes} crashes, {self.region_ends} ends of the region, "
              f"{sum(one.connects for one in taps)} connections to it, {sum(one.sessions for one in taps)} sessions, "
              f"{self.documents} balanced books, {sum(one.sent for one in self.streams)} messages, "
              f"{sum(one.resent.total() for one in self.streams)} sent again by publishers, "
              f"{sum(len(one.refused) for one in taps)} refused by the region; copies beyond the first: "
              + ", ".join(f"{one.name} {one.repeated(self.streams)}" for one in self.receivers), flush=True)

    def test_region_that_keeps_what_it_acknowledged(self):
        self.start(archive_levels=(4, 5))
        self.play(self.region.stop)
        self.assert_promises_kept()
        for name, tap in self.taps.items():
            self.assertLessEqual(tap.sessions, 1, "Mosquitto has lost a session: nothing here says what furrow did")
            self.assertEqual(tap.refused, set())
            self.assert_retained_at_region(name)

    def assert_retained_at_region(self, name):
        reader = Reader(self.loop, "reader", [f"{name}/+/+/state"])
        reader.connect(self.region.port)
        state = {f"{name}/{one.topic}": one for one in self.streams if one.retain and one.sent}
        self.loop.run_until("retained values of the region", lambda: set(state) <= set(reader.retained))
        for topic, stream in state.items():
            self.assert_is_current(stream, reader.retained[topic])

    def test_region_that_forgets(self):
        """Killed, it remembers what it had saved last; reinstalled, nothing."""
        self.start("autosave_interval 1\n")
        self.play(lambda: self.random.choice((self.region.stop, self.region.kill, self.reinstall_region))())
        self.assert_promises_kept()

    def reinstall_region(self):
        self.region.kill()
        shutil.rmtree(self.region.data)


if __name__ == "__main__":
    main()
