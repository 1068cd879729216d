#!/usr/bin/env python3
"""What store-and-forward costs: messages for a far broker that is away, late or back again, and a card that is slow.

README.md says how to build what this needs, and how to read the table.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import typing

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "integration"))

from compare import (Furrow, Lost, Mosquitto, add_arguments, evaluate, print_table, require, run_load,  # noqa: E402
                     write_results)
from disk_faults import DiskFaults  # noqa: E402
from ports import free_port  # noqa: E402
from scenarios import AtLeast, AtLeastAs, AtMost, Figure, NoGoal  # noqa: E402

STATUS_SECONDS = 20  # until a status that comes every second counts as missing
MIB = 1 << 20
SMALL = ["--bytes", 12, "--first-topic", 100, "--topic-end", "/soil/moisture"]  # topics of 28 bytes


class Gateway(Furrow):
    """Furrow with a bridge to `upstream`, where nobody listens yet."""

    def __init__(self, program, disk_faults):
        super().__init__(program)
        self.disk_faults = disk_faults
        self.inflight = 100

    def configure(self):
        self.upstream = free_port()
        config = self.path / "furrow.yaml"
        config.write_text(f"gateway: {{id: bench, data: {self.path / 'data'}}}\n"
                          "listeners: [{bind: 127.0.0.1:0}]\n"
                          f"limits: {{inflight: {self.inflight}}}\n"
                          "status: {interval: 1s}\n"
                          "bridges:\n"
                          f"  - {{name: region, connect: 'mqtt://127.0.0.1:{self.upstream}',\n"
                          "     backoff: {initial: 10ms, max: 100ms}, topics: [{filter: farm/#}]}\n")
        return [self.program, "run", "-c", config]

    def accepts(self):
        return super().accepts() and re.search(r"\bready\b", self.log_path.read_text(errors="replace"))

    def restart(self, sync_ms=None):
        """Kills it and starts it again with its data; how long that took until it was ready, in milliseconds.
        `sync_ms`: how long each sync then takes, -1: they are left out."""
        self.process.kill()
        self.process.wait()
        if sync_ms is None:
            return self.launch() * 1000
        disk = DiskFaults(self.disk_faults, self.path / "disk-faults")
        disk.fail(sync_ms=sync_ms)
        return self.launch(disk.environment) * 1000

    def status(self, topic):
        """A status that was published after the call: the first is the retained one."""
        command = ["mosquitto_sub", "-p", str(self.port), "-t", f"$SYS/furrow/{topic}", "-C", "2", "-W",
                   str(STATUS_SECONDS)]
        lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
        if len(lines) < 2:
            raise Lost(f"no status of {topic}")
        return json.loads(lines[1])

    def commits(self):
        return self.status("gateway")["store"]["commits"]

    def check_books(self, messages):
        books = self.status("bridge/region")
        if books["accepted"] != messages or books["delivered"] != messages:
            raise Lost(f"{messages} messages were published and came, but the books say {books}")

    def resident(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s*(\d+)", status).group(1)) * 1024


class MosquittoBridge(Mosquitto):
    """Mosquitto with the same bridge and as many messages in flight as furrow's has."""

    def more(self):
        self.upstream = free_port()
        return ("max_inflight_messages 1000\n"
                "connection region\n"
                f"address 127.0.0.1:{self.upstream}\n"
                "topic farm/# out 1\n"
                "restart_timeout 1\nnotifications false\nbridge_attempt_unsubscribe false\n")

    def commits(self):
        """It writes nothing while it runs."""
        return 0

    def check_books(self, messages):
        """It keeps none."""


def store_and_forward(broker, load, quick):
    readings = ["--publishers", 10, "--messages", 2_000 if quick else 200_000, "--bytes", 64]
    with broker:
        commits = broker.commits()
        published = run_load(load, broker, ["publish", *readings, "--data", broker.path, "--window", 20])
        commits = broker.commits() - commits
        drained = run_load(load, broker, ["drain", *readings, "--data", broker.path, "--upstream-port", broker.upstream,
                                          *quiet(quick)])
        broker.check_books(published["messages"])
    return {"publish_per_second": published["messages_per_second"],
            "publish_cpu": published["cpu_s_per_million"],
            "per_commit": published["messages"] / commits if commits else 0,
            "resident_each": published["resident_bytes_each"],
            "disk_in": published["disk_bytes_each"],
            "disk_in_out": published["disk_bytes_each"] + drained["disk_bytes_each"],
            "drain_per_second": drained["messages_per_second"],
            "drain_cpu": drained["cpu_s_per_million"]}


def link_down(per_flush):
    """What is written for messages that are committed so many at a time."""

    def run(broker, load, quick):
        messages = 3_000 if quick else 1_000 * per_flush
        broker.inflight = per_flush  # furrow commits at once when a publisher can go no further
        with broker:
            commits = broker.commits()
            published = run_load(load, broker, ["publish", "--publishers", 1, "--messages", messages, "--topics", 100,
                                                *SMALL, "--data", broker.path, "--window", per_flush, "--in-batches"])
            commits = broker.commits() - commits
        return published | {"per_commit": messages / commits}

    return run


def backlog(per_flush):
    """What starts and drains when a million messages wait that were written so many at a time. The syncs are left out
    while they are written: that leaves the same rows."""

    def run(broker, load, quick):
        messages = 3_000 if quick else 1_000_000
        readings = ["--publishers", 1, "--messages", messages, "--topics", 100, *SMALL]
        starts = 1 if quick else 5
        broker.inflight = per_flush
        with broker:
            ready_empty = statistics.median(broker.restart() for _ in range(starts))
            broker.status("gateway")  # it is up and at rest
            resident_empty = broker.resident()
            broker.restart(sync_ms=-1)
            commits = broker.commits()
            run_load(load, broker, ["publish", *readings, "--data", broker.path, "--window", per_flush, "--in-batches"])
            commits = broker.commits() - commits
            ready = statistics.median(broker.restart() for _ in range(starts))
            broker.status("gateway")
            resident_waiting = broker.resident()
            drained = run_load(load, broker, ["drain", *readings, "--data", broker.path, "--upstream-port",
                                              broker.upstream, *quiet(quick)])
            broker.check_books(messages)
        return {"per_commit": messages / commits,
                "ready_ms": ready,
                "ready_later_ms": ready - ready_empty,
                "first_publish_ms": drained["first_publish_ms"],
                "resident_waiting": (resident_waiting - resident_empty) / MIB,
                "resident_peak": (drained["resident_peak_bytes"] - resident_empty) / MIB,
                "drain_per_second": drained["messages_per_second"],
                "drain_cpu": drained["cpu_s_per_million"]}

    return run


def link_up(late_percent):
    def run(broker, load, quick):
        arguments = ["link-up", "--publishers", 100, *SMALL, "--late-percent", late_percent, *quiet(quick)]
        arguments += ["--messages", 300, "--warm-up", 100, "--late-ms", 300] if quick else ["--messages", 20_000]
        with broker:
            measured = run_load(load, broker, [*arguments, "--data", broker.path, "--upstream-port", broker.upstream])
            broker.check_books(400 if quick else 23_000)
        return measured

    return run


def slow_card(broker, load, quick):
    latency = ["latency", "--qos", 0, "--rate", 2000, "--messages", 300 if quick else 20_000]
    with broker:
        broker.restart(sync_ms=30 if quick else 500)
        idle = run_load(load, broker, latency)
        commits = broker.commits()
        command = [load, "publish", "--port", broker.port, "--pid", broker.process.pid, "--messages", 10_000_000,
                   "--first-topic", 100, "--data", broker.path]
        publishers = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL)
        try:
            busy = run_load(load, broker, latency)
            commits = broker.commits() - commits
            if publishers.poll() is not None or commits == 0:
                raise Lost("nothing was committed meanwhile")
        finally:
            publishers.kill()
            publishers.wait()
    return {"commits": commits, "idle_p50_us": idle["p50_us"], "idle_p99_us": idle["p99_us"],
            "slow_p50_us": busy["p50_us"], "slow_p99_us": busy["p99_us"],
            "p99_more_us": busy["p99_us"] - idle["p99_us"]}


def quiet(quick):
    return ["--quiet-ms", 300] if quick else []


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    run: typing.Callable
    figures: tuple
    mosquitto: bool = False  # whether it takes part
    rounds_max: int = 1_000


def link_down_figures(disk_bytes):
    return (Figure("per_commit", "messages a commit", NoGoal()),
            Figure("disk_bytes_each", "disk bytes each", AtMost(disk_bytes)))


BACKLOG_FIGURES = (
    Figure("per_commit", "messages a commit", NoGoal()),
    Figure("ready_ms", "ready after ms", NoGoal()),
    Figure("ready_later_ms", "… more than empty", AtMost(100)),
    Figure("first_publish_ms", "first PUBLISH ms", AtMost(50)),
    Figure("resident_waiting", "MiB more, waiting", AtMost(8)),
    Figure("resident_peak", "MiB more, at most", AtMost(8)),
    Figure("drain_per_second", "drain msg/s", AtLeast(150_000)),
    Figure("drain_cpu", "drain CPU s/M", NoGoal()),
)

SCENARIOS = (
    Scenario("store-and-forward", store_and_forward,
             (Figure("publish_per_second", "publish msg/s", AtLeast(250_000)),
              Figure("publish_cpu", "publish CPU s/M", AtMost(1.5)),
              Figure("per_commit", "messages a commit", NoGoal()),
              Figure("resident_each", "memory bytes each", AtMost(8 * MIB / 200_000)),
              Figure("disk_in", "disk bytes each, in", AtMost(180)),
              Figure("disk_in_out", "… in and out", AtMost(210)),
              Figure("drain_per_second", "drain msg/s", AtLeast(150_000)),
              Figure("drain_per_second", "drain msg/s", AtLeastAs("mosquitto")),
              Figure("drain_cpu", "drain CPU s/M", AtMost(2))), mosquitto=True),
    Scenario("link-down-100", link_down(100), link_down_figures(200)),
    Scenario("link-down-1000", link_down(1_000), link_down_figures(115)),
    Scenario("backlog-1", backlog(1), BACKLOG_FIGURES, rounds_max=1),
    Scenario("backlog-10", backlog(10), BACKLOG_FIGURES),
    Scenario("backlog-1000", backlog(1_000), BACKLOG_FIGURES),
    Scenario("link-up", link_up(0), (Figure("disk_bytes_each", "disk bytes each", AtMost(0)),)),
    Scenario("link-up-late", link_up(10), (Figure("late_share", "late", NoGoal()),
                                           Figure("disk_bytes_each", "disk bytes each", AtMost(90)))),
    Scenario("slow-card", slow_card,
             (Figure("commits", "commits meanwhile", NoGoal()),
              Figure("idle_p50_us", "idle p50 µs", NoGoal()),
              Figure("slow_p50_us", "slow p50 µs", NoGoal()),
              Figure("idle_p99_us", "idle p99 µs", NoGoal()),
              Figure("slow_p99_us", "slow p99 µs", NoGoal()),
              Figure("p99_more_us", "p99 more µs", AtMost(2_000)))),
)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, [scenario.name for scenario in SCENARIOS])
    arguments = parser.parse_args()
    arguments.disk_faults = arguments.load.parent.with_name("libfurrow_disk_faults.so")
    require(parser, arguments.furrow, arguments.load, arguments.disk_faults)
    if arguments.mosquitto is None or shutil.which("mosquitto_sub") is None:
        parser.error("mosquitto and mosquitto-clients are not installed")
    if not arguments.quick and not os.path.ismount(tempfile.gettempdir()):
        parser.error(f"{tempfile.gettempdir()} is not a file system of its own: README.md in this folder says why "
                     "TMPDIR has to name one, and how to make it")
    return arguments


def main():
    arguments = parse_arguments()
    make = {"mosquitto": lambda: MosquittoBridge(arguments.mosquitto),
            "furrow": lambda: Gateway(arguments.furrow, arguments.disk_faults)}
    rounds = 1 if arguments.quick else arguments.rounds
    rows = []
    try:
        for scenario in SCENARIOS:
            if scenario.name not in (arguments.scenario or [scenario.name]):
                continue
            runs = {name: [] for name in (("mosquitto", "furrow") if scenario.mosquitto else ("furrow",))}
            for number in range(min(rounds, scenario.rounds_max)):
                for name, each in runs.items():
                    print(f"{scenario.name}: round {number + 1}, {name}", file=sys.stderr)
                    each.append(scenario.run(make[name](), arguments.load, arguments.quick))
            rows += evaluate(scenario, runs, {})
    except Lost as lost:
        sys.exit(f"failed: {lost}")
    print_table(rows, goals=not arguments.quick, names=("mosquitto", "furrow"))
    if arguments.results:
        write_results(arguments.results, "tests/bench/backlog.py", rounds, [new() for new in make.values()], rows)


if __name__ == "__main__":
    main()
