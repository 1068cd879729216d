"""What compare.py measures: the arguments of `furrow_load`, the figures that count, and what furrow is to reach.

To add one: a sub-command of furrow_load that prints its figures as a JSON object, and an entry here.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class AtMost:
    """An absolute bound."""
    value: float

    def bound(self, medians, own):
        return self.value

    def met(self, value, bound):
        return value <= bound

    def __str__(self):
        return f"≤ {self.value:g}"


@dataclasses.dataclass(frozen=True)
class AtLeast:
    value: float

    def bound(self, medians, own):
        return self.value

    def met(self, value, bound):
        return value >= bound

    def __str__(self):
        return f"≥ {self.value:g}"


@dataclasses.dataclass(frozen=True)
class AtMostTimes:
    """A bound relative to another broker in the same run."""
    factor: float
    broker: str

    def bound(self, medians, own):
        return self.factor * medians[self.broker] if self.broker in medians else None

    def met(self, value, bound):
        return value <= bound

    def __str__(self):
        return f"≤ {self.broker}" if self.factor == 1 else f"≤ {self.factor:g} × {self.broker}"


@dataclasses.dataclass(frozen=True)
class AtLeastAs:
    """No less than another broker in the same run."""
    broker: str

    def bound(self, medians, own):
        return medians.get(self.broker)

    def met(self, value, bound):
        return value >= bound

    def __str__(self):
        return f"≥ {self.broker}"


@dataclasses.dataclass(frozen=True)
class AtMostTimesOwn:
    """A bound relative to furrow's own figure in another scenario of the same run."""
    factor: float
    scenario: str

    def bound(self, medians, own):
        return self.factor * own[self.scenario] if self.scenario in own else None

    def met(self, value, bound):
        return value <= bound

    def __str__(self):
        return f"≤ {self.factor:g} × {self.scenario}"


class NoGoal:
    """What explains the other figures."""

    def bound(self, medians, own):
        return None

    def __str__(self):
        return ""


@dataclasses.dataclass(frozen=True)
class Figure:
    key: str  # in what furrow_load prints
    unit: str
    goal: object


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    load: str  # arguments of furrow_load
    figures: tuple
    quick: str  # arguments that make it short
    relay: bool = False  # whether the relay can do it: wildcards that match everything, or plain topics
    over: str = "tcp"    # or tls, websocket
    users: bool = False  # whether clients log in, with a password

    def arguments(self, quick):
        arguments = self.load.split() + (self.quick.split() if quick else []) + ["--over", self.over]
        return arguments + (["--user", USER, "--password", PASSWORD] if self.users else [])


def cpu(goal):
    return (Figure("cpu_s_per_million", "CPU s/M", goal),)


def latency(p50, p99, prefix="", what=""):
    return Figure(f"{prefix}p50_us", f"{what}p50 µs", p50), Figure(f"{prefix}p99_us", f"{what}p99 µs", p99)


def delivery(p50, p99):
    return latency(p50, p99, "delivery_", "delivery ")


USER = "sensor"
PASSWORD = "secret"

SCENARIOS = (
    Scenario("fan-in", "fan --messages 1000000", cpu(AtMost(0.25)), "--messages 20000", relay=True),
    Scenario("fan-in-one-per-write", "fan --one-per-write --messages 500000", cpu(AtMostTimes(1.15, "relay")),
             "--messages 10000", relay=True),
    Scenario("fan-out", "fan --publishers 1 --subscribers 100 --messages 20000", cpu(AtMost(0.06)), "--messages 500",
             relay=True),
    Scenario("pairs-qos-1", "pairs --qos 1 --messages 200000", cpu(AtMost(0.5)), "--messages 10000", relay=True),
    Scenario("pairs-qos-2", "pairs --qos 2 --messages 200000", cpu(AtMost(0.9)), "--messages 5000", relay=True),
    Scenario("routing", "routing --topics 100000", cpu(AtMost(0.4)), "--messages 5000 --topics 10000"),
    Scenario("routing-few-topics", "routing --topics 5000", cpu(AtMost(0.4)), "--messages 5000"),
    Scenario("latency-qos-0", "latency --qos 0 --rate 2000",
             latency(AtMostTimes(1.3, "relay"), AtMostTimes(1.2, "relay")), "--messages 500", relay=True),
    Scenario("latency-qos-1", "latency --qos 1 --rate 0",
             latency(AtMostTimes(1, "mosquitto"), AtMostTimes(1, "mosquitto")) +
             delivery(AtMostTimes(1, "mosquitto"), AtMostTimes(1, "mosquitto")), "--messages 500", relay=True),
    Scenario("latency-qos-1-at-rate", "latency --qos 1 --rate 2000",
             latency(NoGoal(), NoGoal()) + delivery(AtMostTimes(1, "mosquitto"), AtMostTimes(1, "mosquitto")),
             "--messages 500", relay=True),
    Scenario("idle", "idle --connections 10000", (Figure("bytes_each", "bytes each", AtMost(900)),),
             "--connections 500 --quiet-ms 300"),
    Scenario("retained", "retained --messages 100000",
             (Figure("replay_cpu_s", "replay CPU s", AtMost(0.05)), Figure("bytes_each", "bytes each", AtMost(300))),
             "--messages 5000 --quiet-ms 300"),
    Scenario("tls-fan-in", "fan --messages 500000", cpu(AtMost(0.45)), "--messages 20000", over="tls"),
    Scenario("tls-fan-in-one-per-write", "fan --one-per-write --messages 300000",
             cpu(AtMostTimesOwn(1.4, "fan-in-one-per-write")), "--messages 10000", over="tls"),
    Scenario("tls-idle", "idle --connections 10000", (Figure("bytes_each", "bytes each", AtMost(16 * 1024)),),
             "--connections 300 --quiet-ms 300", over="tls"),
    Scenario("tls-storm", "latency --qos 1 --rate 500 --messages 500 --storm 2000",
             latency(NoGoal(), AtMostTimes(0.25, "mosquitto")), "--messages 50 --storm 50", over="tls", users=True),
    Scenario("websocket-fan-in", "fan --messages 1000000", cpu(AtMostTimesOwn(1.3, "fan-in")), "--messages 20000",
             over="websocket"),
)
