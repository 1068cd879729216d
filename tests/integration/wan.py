"""A bad link between two network namespaces: packets are delayed, lost, thinned to a rate, or swallowed whole.

A TUN device at each end, and this program between them, which needs no queueing discipline of the kernel. run_apart()
starts the test again in a namespace of its own, the near one, so nothing of the machine's network is touched.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import sys
import threading
import time

from furrow_testing import skip_all

NEAR, FAR = "198.18.0.1", "198.18.0.2"  # of the network for measurements, RFC 2544
_APART = "FURROW_TEST_APART"
_LIBC = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000


def run_apart():
    """Goes on in a network namespace of its own, or ends the program as skipped."""
    if os.environ.get(_APART):
        return
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        skip_all("there is no /dev/net/tun to make a link of")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode != 0:
        skip_all("no right to make a network namespace: only root has it")
    os.execvpe("unshare", ["unshare", "--net", sys.executable, *sys.argv], os.environ | {_APART: "1"})


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Far:
    """The far namespace, which lives as long as a process in it."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        near = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == near:
            time.sleep(0.01)
        self.enter = ("nsenter", "--net", "--target", str(self.holder.pid))
        subprocess.run([*self.enter, "ip", "link", "set", "lo", "up"], check=True)

    def close(self):
        self.holder.kill()
        self.holder.wait()

    def open_tun(self, name):
        """A thread is in the namespace that it entered last; others stay where they are."""
        opened = []

        def enter_and_open():
            with open(f"/proc/{self.holder.pid}/ns/net", "rb") as namespace:
                if _LIBC.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            opened.append(open_tun(name))

        thread = threading.Thread(target=enter_and_open)
        thread.start()
        thread.join()
        return opened[0]


def open_tun(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return device


class Wan:
    """The link. Its qualities may change at any time; both directions have the same."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.delay = 0.0  # seconds, one way
        self.loss = 0.0  # share of packets
        self.bytes_per_second = 0  # 0: as fast as it can
        self.broken = False  # swallows everything, without a word
        self.carried = 0  # packets
        ip("link", "set", "lo", "up")
        self.far = Far()
        self.far_device = self.far.open_tun("wan")
        for command in (("address", "add", f"{FAR}/30", "dev", "wan"), ("link", "set", "wan", "up", "mtu", "1400")):
            subprocess.run([*self.far.enter, "ip", *command], check=True)
        self.plug_in()

    def plug_in(self):
        """The near interface appears."""
        self.near_device = open_tun("wan")
        ip("address", "add", f"{NEAR}/30", "dev", "wan")
        ip("link", "set", "wan", "up", "mtu", "1400")
        self.running = True
        self.thread = threading.Thread(target=self.carry)
        self.thread.start()

    def pull_out(self):
        """The near interface is gone, with its address."""
        self.running = False
        self.thread.join()
        os.close(self.near_device)

    def close(self):
        if self.running:
            self.pull_out()
        os.close(self.far_device)
        self.far.close()

    def carry(self):
        ends = {self.near_device: self.far_device, self.far_device: self.near_device}
        under_way = []  # (when it arrives, order, device, packet)
        free_at = dict.fromkeys(ends, 0.0)  # when the last packet has left, by the device it came from
        order = 0
        while self.running:
            now = time.monotonic()
            while under_way and under_way[0][0] <= now:
                _, _, device, packet = heapq.heappop(under_way)
                self.deliver(device, packet)
            wait = min(0.1, under_way[0][0] - now) if under_way else 0.1
            for device in select.select(list(ends), [], [], wait)[0]:
                packet = os.read(device, 65536)
                if self.broken or self.random.random() < self.loss:
                    continue
                now = time.monotonic()
                if self.bytes_per_second:
                    free_at[device] = max(now, free_at[device]) + len(packet) / self.bytes_per_second
                    if free_at[device] - now > 10:
                        continue  # no modem has room for more
                order += 1
                heapq.heappush(under_way, (max(now, free_at[device]) + self.delay, order, ends[device], packet))

    def deliver(self, device, packet):
        if self.broken:
            return
        self.carried += 1
        try:
            os.write(device, packet)
        except OSError:  # the interface has no address yet
            pass
