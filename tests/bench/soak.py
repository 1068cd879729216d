#!/usr/bin/env python3
"""An hour of everything at once: does furrow stay as it is, and does it lose nothing?

Clients that behave and clients that do not, sessions that come and go, and a bridge to a Mosquitto that is away every
few minutes; soak/load.py has them all. Every 10 seconds a line with what the process holds and what its books say; at
the end a verdict:

- memory is flat: the medians of the second and of the last sixth of the run are close;
- once the load is gone, as many descriptors are open as before;
- the checking subscribers got every QoS 1 message, in order, and every QoS 2 message exactly once;
- in each status document accepted = delivered + backlog + inflight + quarantined + expired + dropped;
- nobody who behaved lost a connection or a session.

    tests/bench/soak.py --minutes 60
"""

import argparse
import asyncio
import json
import os
import pathlib
import random
import statistics
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "soak"), str(HERE.parent / "integration")]

import load  # noqa: E402
from client import Client  # noqa: E402
from furrow_testing import BINARY, Gateway, Mosquitto, Proxy, bridge  # noqa: E402

SAMPLE_SECONDS = 10
GROWTH = 0.05  # of resident memory, between the medians
GROWTH_KIB = 1024  # what is not growth in a process this small
SETTLE_SECONDS = 120  # until what is under way has arrived, and until what has ended is closed
SETTINGS = """
sessions: {queue: {messages: 20000, bytes: 2MiB}}
limits: {memory: 0}
"""
COLUMNS = ("seconds", "RSS KiB", "fds", "threads", "CPU s", "clients", "sessions", "received", "sent", "dropped",
           "bridge", "accepted", "backlog", "inflight", "missing")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=400, help="messages a second of all publishers (default 400)")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--outage-every", type=float, default=180, metavar="SECONDS")
    return parser.parse_args()


class Status:
    """The newest status documents, and what is wrong with any of them."""

    def __init__(self, world):
        self.world = world
        self.gateway = {}
        self.bridge = {}
        self.documents = 0

    def take(self, topic, payload, *_):
        document = json.loads(payload)
        if topic == "$SYS/furrow/gateway":
            self.gateway = document
        elif topic == "$SYS/furrow/bridge/region":
            self.bridge = document
            self.documents += 1
            found = (document["delivered"] + document["backlog"]["messages"] + document["inflight"]
                     + document["quarantined"] + document["expired"] + sum(document["dropped"].values()))
            if found != document["accepted"]:
                self.world.fault(f"the books do not balance, {found} of {document['accepted']}: {document}")


def process_facts(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        lines = dict(line.split(":", 1) for line in file)
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        times = file.read().rsplit(")", 1)[1].split()[11:13]
    return {"RSS KiB": int(lines["VmRSS"].split()[0]), "threads": int(lines["Threads"]),
            "fds": len(os.listdir(f"/proc/{pid}/fd")),
            "CPU s": round(sum(int(one) for one in times) / os.sysconf("SC_CLK_TCK"), 1)}


class Samples:
    def __init__(self, world, status, pid):
        self.world = world
        self.status = status
        self.pid = pid
        self.start = time.monotonic()
        self.rows = []

    def take(self):
        gateway, up = self.status.gateway, self.status.bridge
        row = {"seconds": round(time.monotonic() - self.start), **process_facts(self.pid),
               "clients": gateway["clients"]["connected"], "sessions": gateway["clients"]["sessions"],
               "received": gateway["messages"]["received"], "sent": gateway["messages"]["sent"],
               "dropped": gateway["messages"]["dropped"], "bridge": up["state"], "accepted": up["accepted"],
               "backlog": up["backlog"]["messages"], "inflight": up["inflight"],
               "missing": sum(one.missing() for one in self.world.ledgers)}
        print("  ".join(f"{row[name]:>{max(8, len(name))}}" for name in COLUMNS), flush=True)
        return row

    async def run(self):
        print("  ".join(f"{name:>8}" for name in COLUMNS), flush=True)
        while await self.world.pause(SAMPLE_SECONDS):
            self.rows.append(self.take())


async def subscribers(world, ledger):
    """Those that check; each is subscribed when this returns, and goes on as what it returns."""
    group = {"group/one": ledger("shared subscription", ordered=False)}
    away = {"check/one": ledger("coming and going, QoS 1"),
            "check/two": ledger("coming and going, QoS 2", exactly_once=True)}
    old = {"check/one": ledger("steady, 3.1.1, QoS 1"), "check/two": ledger("steady, 3.1.1, QoS 2", exactly_once=True)}
    new = {"check/one": ledger("steady, 5, QoS 1"), "check/two": ledger("steady, 5, QoS 2", exactly_once=True)}
    down = {"command/one": ledger("down, QoS 1")}
    session = load.Session()

    def traveller():
        return Client(world.port, "traveller", 5, clean=False, expiry=3600, session=session, alias_maximum=5,
                      on_message=load.taker(away))
    return group, [
        await load.steady(world, Client(world.port, "old", 4, on_message=load.taker(old)), [("check/#", 2)]),
        await load.steady(world, Client(world.port, "new", 5, alias_maximum=3, on_message=load.taker(new)),
                          [("check/#", 2)]),
        await load.steady(world, Client(world.port, "crew", 5, clean=False, expiry=3600, on_message=load.taker(group)),
                          [("$share/crew/group/#", 1)]),
        await load.steady(world, Client(world.port, "executor", 5, on_message=load.taker(down)), [("command/#", 2)]),
        await load.coming_and_going(world, traveller, [("check/#", 2)], away=15),
    ], {"check/one": [away["check/one"], old["check/one"], new["check/one"]],
        "check/two": [away["check/two"], old["check/two"], new["check/two"]],
        "group/one": [group["group/one"]], "command/one": [down["command/one"]]}


async def clients(world, far, wan, options):
    """All of the load, as coroutines by name."""
    unit = options.rate / 20
    group, running, takers = await subscribers(world, world.ledger)
    archive = {"bridged/one": world.ledger("bridge up, QoS 1"),
               "bridged/two": world.ledger("bridge up, QoS 2", exactly_once=True)}
    will = {"will/one": world.ledger("wills", ordered=False)}
    takers |= {topic: [one] for topic, one in archive.items()}
    running += [await load.far_subscriber(world, archive),
                await load.steady(world, Client(world.port, "heir", 5, on_message=load.taker(will)), [("will/#", 1)])]

    def publisher(name, topic, **settings):
        return load.publisher(world, name, topic, takers.get(topic, []), **settings)
    running += [
        publisher("p1", "check/one", qos=1, level=4, rate=unit * 2), publisher("p2", "check/one", qos=1, level=5,
                                                                               rate=unit * 2, alias=1),
        publisher("p3", "check/two", qos=2, level=4, rate=unit), publisher("p4", "check/two", qos=2, level=5,
                                                                           rate=unit, alias=2),
        publisher("g1", "group/one", qos=1, level=5, rate=unit * 2), publisher("g2", "group/one", qos=1, level=4,
                                                                               rate=unit),
        publisher("b1", "bridged/one", qos=1, level=4, rate=unit * 2),
        publisher("b2", "bridged/two", qos=2, level=5, rate=unit),
        publisher("zero", "check/zero", qos=0, level=5, rate=unit * 4, alias=3),
        publisher("flood", "flood", qos=1, level=5, rate=unit * 2, padding=1000),
        publisher("flood-zero", "flood", qos=0, level=4, rate=unit, padding=1000),
        publisher("region", "command/one", qos=1, level=5, rate=unit, port=world.far_port, churn=False),
        load.wills(world, will["will/one"]), load.retained(world), load.retained_reader(world), load.visitors(world),
        load.group_visitors(world, group), load.churn(world), load.slow_connect(world), load.malformed(world),
        load.never_reads(world, 0), load.never_reads(world, 1), *(load.half_open(world) for _ in range(10)),
        load.outages(world, far, wan, options.outage_every, min(20, options.outage_every / 3))]
    return running


async def wait_until(seconds, condition):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(0.5)
    return condition()


async def soak(gateway, far, wan, options):
    world = load.World(gateway.port, far.port, options.seed)
    status = Status(world)
    reader = await Client(gateway.port, "status-reader", 5, on_message=status.take).open()
    await reader.subscribe(("$SYS/furrow/#", 0))
    if not await wait_until(SETTLE_SECONDS, lambda: status.gateway and status.bridge.get("state") == "online"):
        sys.exit(f"the bridge did not come up: {status.bridge}")
    samples = Samples(world, status, gateway.process.pid)
    base = process_facts(gateway.process.pid)
    print(f"before the load: {base}, seed {options.seed}", flush=True)

    running = [asyncio.create_task(world.guard(one.__qualname__, one))
               for one in await clients(world, far, wan, options)]
    running.append(asyncio.create_task(samples.run()))
    asyncio.get_running_loop().call_later(options.minutes * 60, world.stopping.set)
    while not world.stopping.is_set():
        await asyncio.sleep(1)
        if not gateway.running():
            world.fault(f"furrow ended with {gateway.process.returncode}")
            world.stopping.set()
    print("no more load; what is under way may arrive", flush=True)
    if not far.running():
        await asyncio.to_thread(far.start)
    await wait_until(SETTLE_SECONDS, lambda: not any(one.missing() for one in world.ledgers)
                     and status.bridge["backlog"]["messages"] + status.bridge["inflight"] == 0)
    samples.take()
    world.closing.set()
    await asyncio.wait(running, timeout=SETTLE_SECONDS)
    await wait_until(SETTLE_SECONDS, lambda: process_facts(gateway.process.pid)["fds"] <= base["fds"]
                     and status.gateway["clients"] == {"connected": 1, "sessions": len(world.kept) + 1})
    after = samples.take()
    await reader.disconnect()
    return verdict(world, status, samples.rows, base, after)


def verdict(world, status, rows, base, after):
    sixth = max(1, len(rows) // 6)
    early, late = (statistics.median(row["RSS KiB"] for row in part)
                   for part in (rows[sixth:2 * sixth] or rows, rows[-sixth:]))
    checks = {
        f"memory: {early:.0f} KiB in the second sixth, {late:.0f} KiB in the last":
            late <= early + max(GROWTH * early, GROWTH_KIB),
        f"descriptors: {base['fds']} before, {after['fds']} after": after["fds"] <= base["fds"],
        f"threads: {base['threads']} before, {after['threads']} after": after["threads"] <= base["threads"],
        f"clients left: {after['clients'] - 1}": after["clients"] == 1,
        f"sessions: {after['sessions'] - 1} after, {len(world.kept)} are kept":
            after["sessions"] == len(world.kept) + 1,
        f"books: balanced in each of {status.documents} documents, but for the faults below": status.documents > 0,
    }
    for one in world.ledgers:
        checks[str(one)] = not one.faults()
    for name, count in sorted(world.counts.items()):
        print(f"{count:>10} {name}")
    for text, good in checks.items():
        print("ok   " if good else "FAULT", text)
    faults = world.faults + [fault for one in world.ledgers for fault in one.faults()]
    for fault in faults[:50]:
        print("FAULT", fault)
    good = all(checks.values()) and not faults
    print("verdict:", "steady" if good else f"not steady, {len(faults)} faults")
    return good


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="furrow-soak-") as folder:
        far = Mosquitto("region", folder)
        gateway = None
        try:
            far.start()
            wan = Proxy(far.port)
            gateway = Gateway("barn", folder, SETTINGS + bridge(wan.port, "{filter: bridged/#, qos: 2}",
                                                                "{filter: command/#, direction: down, qos: 2}"))
            print(f"{BINARY} for {options.minutes:g} minutes", flush=True)
            gateway.start()
            good = asyncio.run(soak(gateway, far, wan, options))
            code = gateway.stop()
            print("furrow ended with", code)
            if not good or code != 0:
                print("--- the end of its log ---", gateway.log()[-5000:], sep="\n")
            sys.exit(0 if good and code == 0 else 1)
        finally:
            for process in (gateway, far):
                if process is not None:
                    process.kill()


if __name__ == "__main__":
    main()
