#!/usr/bin/env python3
"""Runs a load against furrow, Debian's Mosquitto and a relay in turn, and prints what each of them needed.

README.md says how to build what this needs, and how to read the table.
"""

import argparse
import contextlib
import getpass
import json
import os
import pathlib
import platform
import re
import resource
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/integration"))

from ports import free_port  # noqa: E402
from scenarios import PASSWORD, SCENARIOS, USER  # noqa: E402

START_SECONDS = 20  # until a broker accepts; a loaded machine is slow
LOAD_SECONDS = 3600  # until a run counts as hanging; furrow_load gives up much earlier when nothing comes


class Lost(Exception):
    """A message did not arrive, or a broker did not do what it should."""


class Broker:
    """A process with a configuration and a data directory of its own. Use as a context manager."""

    over = "tcp"
    users = False

    def __init__(self, program):
        self.program = program

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="furrow-bench-")
        self.path = pathlib.Path(self.folder.name)
        if self.over == "tls":
            self.make_certificate()
        if self.users:
            self.make_passwords()
        self.log_path = self.path / "log"
        self.command = [str(part) for part in self.configure()]
        self.launch()
        return self

    def make_certificate(self):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-keyout", self.path / "server.key", "-out", self.path / "server.crt")

    def make_passwords(self):
        """As Mosquitto hashes them, which furrow reads too: both do the same work for a login."""
        (self.path / "passwords").touch(0o600)
        run("mosquitto_passwd", "-b", self.path / "passwords", USER, PASSWORD)

    def launch(self, environment=None):
        """Returns how long it took until the broker accepted, in seconds."""
        started = time.monotonic()
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env=os.environ | (environment or {}))
        while self.process.poll() is not None or not self.accepts():
            if self.process.poll() is not None or time.monotonic() > started + START_SECONDS:
                self.__exit__()
                raise Lost(f"{self.name} did not start:\n{self.log}")
            time.sleep(0.002)
        return time.monotonic() - started

    def __exit__(self, *exception):
        self.log = self.log_path.read_text(errors="replace")
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def accepts(self):
        """Brokers that take a free port say which one in their log."""
        found = re.search(r"listening\b.*\baddress=127\.0\.0\.1:(\d+)", self.log_path.read_text(errors="replace"))
        self.port = int(found.group(1)) if found else None
        return found


class Relay(Broker):
    name = "relay"

    def configure(self):
        return [self.program, "relay"]

    def version(self):
        return "tests/bench/load/relay.cc"


class Furrow(Broker):
    name = "furrow"

    def configure(self):
        config = self.path / "furrow.yaml"
        more = {"tcp": "", "websocket": ", protocol: websocket",
                "tls": f", tls: {{certificate: {self.path}/server.crt, key: {self.path}/server.key}}"}[self.over]
        access = f"access: {{anonymous: false, password_file: {self.path}/passwords}}\n" if self.users else ""
        config.write_text(f"gateway: {{id: bench, data: {self.path / 'data'}}}\n"
                          f"listeners: [{{bind: '127.0.0.1:0'{more}}}]\n" + access +
                          "sessions: {queue: {messages: 0, bytes: 0MiB}}\n"
                          "limits: {connections: 0, subscriptions: 0, retained: {messages: 0, bytes: 0MiB}}\n")
        return [self.program, "run", "-c", config]

    def version(self):
        return first_line(self.program, "--version")


class Mosquitto(Broker):
    name = "mosquitto"

    def configure(self):
        self.port = free_port()
        (self.path / "data").mkdir()
        config = self.path / "mosquitto.conf"
        more = {"tcp": "", "websocket": "protocol websockets\n",
                "tls": f"certfile {self.path}/server.crt\nkeyfile {self.path}/server.key\n"}[self.over]
        access = f"password_file {self.path}/passwords\n" if self.users else ""
        # 2.0.11 does not start with nothing but WebSocket.
        other = f"listener 0 {self.path}/other.sock\n" if self.over == "websocket" else ""
        config.write_text(f"listener {self.port} 127.0.0.1\n{more}{other}{access}"
                          f"allow_anonymous {str(not self.users).lower()}\nlog_type error\n"
                          f"persistence true\npersistence_location {self.path / 'data'}/\n"
                          f"user {getpass.getuser()}\n"  # else root's mosquitto becomes another user
                          "max_queued_messages 0\n" + self.more())
        return [self.program, "-c", config]

    def more(self):
        """More lines of its configuration."""
        return ""

    def accepts(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def version(self):
        return first_line(self.program, "-h")


def first_line(*command):
    output = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False).stdout
    return output.splitlines()[0] if output else "unknown"


def run(*command):
    """A program that makes something, and must not fail."""
    subprocess.run([str(part) for part in command], capture_output=True, check=True)


def run_load(load, broker, arguments):
    """The numbers of one run."""
    command = [load, *arguments, "--port", broker.port, "--pid", broker.process.pid]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=LOAD_SECONDS,
                         check=False)
    if done.returncode != 0:
        raise Lost(f"{broker.name}: {' '.join(str(part) for part in arguments)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def measure(scenario, brokers, load, rounds, quick):
    """A list of runs for each broker that can do the scenario. The brokers take turns, so that what else the machine
    does meets all of them."""
    able = [broker for broker in brokers if broker.name != "relay" or scenario.relay]
    runs = {broker.name: [] for broker in able}
    for number in range(rounds):
        for broker in able:
            print(f"{scenario.name}: round {number + 1} of {rounds}, {broker.name}", file=sys.stderr)
            broker.over, broker.users = scenario.over, scenario.users
            with broker:
                runs[broker.name].append(run_load(load, broker, scenario.arguments(quick)))
    return runs


def evaluate(scenario, runs, own):
    """One row for each figure of the scenario. `own`: furrow's first figure of each scenario so far."""
    for figure in scenario.figures:
        medians = {name: statistics.median(run[figure.key] for run in each) for name, each in runs.items()}
        bound = figure.goal.bound(medians, own)
        if "furrow" in medians:
            own.setdefault(scenario.name, medians["furrow"])
        row = {"scenario": scenario.name, "figure": figure.key, "unit": figure.unit, "goal": str(figure.goal)}
        row["median"] = {name: rounded(value) for name, value in medians.items()}
        row["runs"] = {name: [rounded(run[figure.key]) for run in each] for name, each in runs.items()}
        if medians.get("furrow") and "mosquitto" in medians:
            row["mosquitto_by_furrow"] = rounded(medians["mosquitto"] / medians["furrow"])
        if "furrow" in medians and bound is not None:
            row["goal_bound"] = rounded(bound)
            row["goal_met"] = figure.goal.met(medians["furrow"], bound)
        yield row


def rounded(value):
    return float(f"{value:.4g}")


def print_table(rows, goals, names=("relay", "mosquitto", "furrow")):
    lines = [("scenario", "figure", *names, "ratio", "goal", "")]
    for row in rows:
        medians = [str(row["median"].get(name, "–")) for name in names]
        ratio = str(row.get("mosquitto_by_furrow", "–"))
        verdict = {True: "met", False: "missed", None: ""}[row.get("goal_met")]
        lines.append((row["scenario"], row["unit"], *medians, ratio, *((row["goal"], verdict) if goals else ("", ""))))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = [cell.ljust(width) if column in (0, 1, len(names) + 3) else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def machine():
    model = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {"processor": model.group(1) if model else platform.machine(), "cores": os.cpu_count(),
            "kernel": platform.release(), "load_average_at_end": os.getloadavg()}


def write_results(path, program, rounds, brokers, rows):
    path.write_text(json.dumps(
        {"command": shlex.join([program, *sys.argv[1:]]), "machine": machine(), "rounds": rounds,
         "versions": {broker.name: broker.version() for broker in brokers}, "rows": rows}, indent=1) + "\n")


def add_arguments(parser, names):
    """What every comparison takes, of the scenarios `names`."""
    parser.add_argument("--furrow", type=pathlib.Path, default=ROOT / "build/bench/furrow")
    parser.add_argument("--load", type=pathlib.Path, default=ROOT / "build/bench/tests/bench/furrow_load")
    parser.add_argument("--mosquitto", type=pathlib.Path,
                        default=shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin"))
    parser.add_argument("--rounds", type=int, default=3, help="how often each broker runs each scenario")
    parser.add_argument("--scenario", action="append", choices=names, metavar="NAME",
                        help="only this one; may be repeated: " + ", ".join(names))
    parser.add_argument("--quick", action="store_true", help="one round of few messages: whether all arrive, no more")
    parser.add_argument("--results", type=pathlib.Path, help="write all numbers to this file, as JSON")


def require(parser, *programs):
    for program in programs:
        if not program.exists():
            parser.error(f"{program} does not exist: README.md in this folder says how to build it")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, [scenario.name for scenario in SCENARIOS])
    parser.add_argument("--broker", action="append", choices=["relay", "mosquitto", "furrow"], metavar="NAME",
                        help="only this one; may be repeated: relay, mosquitto, furrow")
    arguments = parser.parse_args()
    require(parser, arguments.furrow, arguments.load)
    if arguments.mosquitto is None:
        parser.error("mosquitto is not installed")
    return arguments


def main():
    arguments = parse_arguments()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # for the brokers: they inherit it
    brokers = [Relay(arguments.load), Mosquitto(arguments.mosquitto), Furrow(arguments.furrow)]
    brokers = [broker for broker in brokers if broker.name in (arguments.broker or [broker.name])]
    rounds = 1 if arguments.quick else arguments.rounds
    rows, own = [], {}
    try:
        for scenario in SCENARIOS:
            if scenario.name in (arguments.scenario or [scenario.name]):
                rows += evaluate(scenario, measure(scenario, brokers, arguments.load, rounds, arguments.quick), own)
    except Lost as lost:
        sys.exit(f"failed: {lost}")
    print_table(rows, goals=not arguments.quick)
    if arguments.results:
        write_results(arguments.results, "tests/bench/compare.py", rounds, brokers, rows)


if __name__ == "__main__":
    main()
