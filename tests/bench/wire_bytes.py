#!/usr/bin/env python3
"""What a reading costs on the WAN: bytes and segments of a bridge over TLS, furrow's beside Mosquitto's.

A sensor publishes readings of 12 bytes at QoS 1, ten a second; the bridge takes them to a Mosquitto at the far end by
MQTT 5, through a program that counts what the socket gives. Ethernet is not counted; of TCP and IP 40 bytes for each
segment, and for each a segment that acknowledges it, which is the most that it can come to. Messages count, times do
not: a busy machine gives the same figures.
"""

import argparse
import pathlib
import socket
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests/integration"))

from furrow_testing import V3_1_1, Client, Gateway, Mosquitto, bridge  # noqa: E402
from pki import Authority  # noqa: E402

HEADERS = 40  # of TCP and IPv4
PAUSE = 0.1
SETTLED = 4.0  # seconds in which what was gathered has left


class Counter:
    """A hop on the way to `port` that counts what passes it, up and down."""

    def __init__(self, port):
        self.target = port
        self.bytes = [0, 0]
        self.segments = [0, 0]
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(("127.0.0.1", self.target))
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for direction, (source, sink) in enumerate(((near, far), (far, near))):
                threading.Thread(target=self.pump, args=(source, sink, direction), daemon=True).start()

    def pump(self, source, sink, direction):
        while data := source.recv(65536):
            self.bytes[direction] += len(data)
            self.segments[direction] += 1
            sink.sendall(data)

    def measure(self, port, readings):
        time.sleep(1.5)  # the bridge has subscribed
        with Client(port, "sensor", V3_1_1) as sensor:
            begin = self.bytes + self.segments
            for number in range(readings):
                sensor.paho.publish("farm/barn-7/moisture", f"{number:05d} {number % 100:02d}.25%", 1)
                time.sleep(PAUSE)
            time.sleep(SETTLED)
            return [(now - then) / readings for now, then in zip(self.bytes + self.segments, begin)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=150)
    readings = parser.parse_args().readings
    with tempfile.TemporaryDirectory(prefix="furrow-bench-") as name:
        folder = pathlib.Path(name)
        authority = Authority(folder / "pki")
        certificate, key = authority.issue("region", "DNS:localhost")
        processes = [Mosquitto("region", folder, f"certfile {certificate}\nkeyfile {key}\n").start()]

        def furrow(port, settings):
            text = bridge(0, "{filter: farm/#}", settings=f"{settings}\ntls: {{ca: {authority.certificate}}}")
            return Gateway(f"furrow-{len(processes)}", folder,
                           text.replace("mqtt://127.0.0.1:0", f"mqtts://localhost:{port}"))

        def mosquitto(port, _):
            return Mosquitto("edge", folder, f"connection x\naddress localhost:{port}\nbridge_cafile "
                             f"{authority.certificate}\ntopic farm/# out 1\nbridge_protocol_version mqttv50\n")

        print(f"{'':24}{'TLS bytes up':>14}{'down':>8}{'segments up':>14}{'down':>8}{'with headers':>15}")
        for label, make, settings in (("furrow", furrow, ""), ("furrow, coalesce: 1s", furrow, "coalesce: 1s"),
                                      ("mosquitto", mosquitto, "")):
            counter = Counter(processes[0].port)
            processes.append(make(counter.port, settings).start())
            up, down, segments_up, segments_down = counter.measure(processes[-1].port, readings)
            whole = up + down + 2 * HEADERS * max(segments_up, segments_down)
            print(f"{label:24}{up:14.1f}{down:8.1f}{segments_up:14.2f}{segments_down:8.2f}{whole:15.1f}", flush=True)
        for one in processes:
            one.kill()


if __name__ == "__main__":
    main()
