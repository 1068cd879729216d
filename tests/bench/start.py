#!/usr/bin/env python3
"""How long furrow takes to start with many stored sessions: from the start of the process until it accepts.

Each session is of MQTT 3.1.1, has one subscription of QoS 1 and, with --waiting, messages in its queue. The figure is
the median of the starts; the first of them is left out, since the binary may have to be read from disk. On a busy
machine the processor time, of all threads, says more.
"""

import argparse
import os
import pathlib
import resource
import signal
import socket
import statistics
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests/bench"), str(ROOT / "tests/integration")]

import wire  # noqa: E402
from compare import Furrow  # noqa: E402

LEVEL = 4
AT_ONCE = 200  # connections of the clients that make the sessions
WINDOW = 20  # messages of the publisher that wait for their acknowledgements


def connect(port, client_id, clean=False):
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(wire.connect(client_id.encode(), level=LEVEL, name=b"MQTT", clean=clean))
    return client


def make_sessions(port, count):
    for begin in range(0, count, AT_ONCE):
        clients = [connect(port, f"sensor-{number}") for number in range(begin, min(begin + AT_ONCE, count))]
        for number, client in enumerate(clients, begin):
            take(client, 4)  # CONNACK
            client.sendall(wire.subscribe(1, [(f"command/{number}/#".encode(), 1)], level=LEVEL))
        for client in clients:
            take(client, 5)  # SUBACK
            client.sendall(wire.packet(wire.DISCONNECT, b""))
            client.close()


def fill_queues(port, count, waiting):
    client = connect(port, "publisher", clean=True)
    take(client, 4)
    numbers = [number for number in range(count) for _ in range(waiting)]
    for begin in range(0, len(numbers), WINDOW):
        piece = numbers[begin:begin + WINDOW]
        client.sendall(b"".join(wire.publish(f"command/{number}/go".encode(), b"0123456789ab", 1, place, level=LEVEL)
                                for place, number in enumerate(piece, 1)))
        for _ in piece:
            take(client, 4)
    client.close()


def take(client, size):
    data = b""
    while len(data) < size:
        more = client.recv(size - len(data))
        if not more:
            sys.exit("failed: the gateway closed a connection")
        data += more


def start(furrow):
    took = furrow.launch()
    process = pathlib.Path(f"/proc/{furrow.process.pid}")
    cpu = sum(int((thread / "schedstat").read_text().split()[0]) for thread in (process / "task").iterdir()) / 1e9
    resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return took, cpu, resident


def stop(furrow):
    furrow.process.send_signal(signal.SIGTERM)
    if furrow.process.wait(60) != 0:
        sys.exit(f"failed: the gateway did not stop in order\n{furrow.log_path.read_text()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--furrow", type=pathlib.Path, default=ROOT / "build/bench/furrow")
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--waiting", type=int, default=0, help="messages in the queue of each session")
    parser.add_argument("--starts", type=int, default=5)
    arguments = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with Furrow(arguments.furrow) as furrow:
        make_sessions(furrow.port, arguments.sessions)
        fill_queues(furrow.port, arguments.sessions, arguments.waiting)
        stop(furrow)
        runs = []
        for _ in range(arguments.starts + 1):
            runs.append(start(furrow))
            stop(furrow)
        times, cpu, sizes = zip(*runs[1:])
        print(f"{arguments.sessions} sessions, {arguments.waiting} messages each: ready after "
              f"{statistics.median(times) * 1000:.0f} ms ({min(times) * 1000:.0f} to {max(times) * 1000:.0f}), "
              f"{statistics.median(cpu) * 1000:.0f} ms of processor time, "
              f"resident {statistics.median(sizes) / 2**20:.1f} MiB")
        start(furrow)


if __name__ == "__main__":
    main()
