"""Trouble with the disk: full by us, full by others, failing, taken away, locked, damaged, too new."""

import contextlib
import os
import pathlib
import resource
import shutil
import sqlite3
import subprocess
import unittest

from furrow_testing import Client, CutOffTestCase, TestCase, bridge, main, publish_lines, text, undelivered, wait_for

MIB = 1024 * 1024
FILLER = "x" * 1000


def can_mount():
    """Whether this process may mount a tmpfs: being root is not always enough (containers)."""
    if os.geteuid() != 0:
        return False
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        folder = pathlib.Path("/tmp") / f"furrow-mount-{os.getpid()}"
        folder.mkdir()
        try:
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True, capture_output=True)
            subprocess.run(["umount", folder], check=True, capture_output=True)
            return True
        finally:
            folder.rmdir()
    return False


NEEDS_MOUNT = unittest.skipUnless(can_mount(), "a disk of its own needs the right to mount a tmpfs")


def refused(test, gateway):
    """What a gateway that does not start says."""
    with contextlib.suppress(AssertionError):
        gateway.start()
    wait_for("it ends", lambda: not gateway.running())
    test.assertEqual(gateway.process.returncode, 1)
    return gateway.log()


class FullDiskTest(TestCase):
    """A gateway whose data lie on a small tmpfs."""

    def start_on_small_disk(self, size, reserve):
        self.region = self.mosquitto("max_inflight_messages 0\n").start()
        self.archive = Client(self.region.port, "archive", clean=False).connect()
        self.archive.subscribe("us/#", 1)
        self.gateway_on_disk = self.gateway(
            bridge(self.region.port, "{filter: farm/#, qos: 1, remote_prefix: us/}") +
            f"store: {{disk_reserve: {reserve // MIB}MiB}}\n")
        self.disk = self.gateway_on_disk.data
        self.disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.disk], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", self.disk], check=False)
        self.gateway_on_disk.start()
        status = self.status(self.gateway_on_disk)
        status.wait_until("the bridge is online", lambda one: one["state"] == "online")
        self.archive.close()
        self.region.stop()
        return status

    def free_bytes(self):
        found = os.statvfs(self.disk)
        return found.f_bavail * found.f_frsize

    def let_others_fill_the_disk(self):
        others = os.open(self.disk / "others", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with contextlib.suppress(OSError):
            while True:
                os.write(others, bytes(4096))
        os.close(others)
        self.assertEqual(self.free_bytes(), 0)

    def store_state(self, status, state):
        return status.wait_until(f"the store is {state}", lambda one: one["store"]["state"] == state, "gateway")

    def publish_until_full(self, status):
        """Starts a publisher that knows more than the disk holds; returns it once the store is full."""
        lines = [f"{number} {FILLER}" for number in range(self.COUNT)]
        publisher = publish_lines(self.gateway_on_disk.port, "farm/a", lines)
        self.addCleanup(publisher.kill)
        full = self.store_state(status, "full")
        self.assertIn("store.disk_reserve", full["store"]["reason"])
        return publisher

    def assert_all_arrive(self, publisher, status):
        self.region.start()
        self.archive.connect()
        self.addCleanup(self.archive.close)
        self.assert_published(publisher)
        status.wait_until("everything is delivered",
                          lambda one: one["state"] == "online" and undelivered(one) == 0)
        self.store_state(status, "ok")
        self.archive.wait("the last message", lambda: text(self.archive.messages[-1]).startswith(f"{self.COUNT - 1} "))
        arrived = dict.fromkeys(int(text(one).split()[0]) for one in self.archive.messages)
        self.assertEqual(list(arrived), list(range(self.COUNT)))
        status.assert_books_balance()

    COUNT = 60_000

    @NEEDS_MOUNT
    def test_full_by_us_drains_and_goes_on(self):
        status = self.start_on_small_disk(64 * MIB, 16 * MIB)
        publisher = self.publish_until_full(status)
        self.assertGreaterEqual(self.free_bytes(), 16 * MIB)
        # QoS 0 goes on.
        listener = self.client(self.gateway_on_disk.port, "listener")
        listener.subscribe("field/#")
        listener.publish("field/1", "passes", 0)
        self.assertEqual(text(listener.take(1)[0]), "passes")
        self.assert_all_arrive(publisher, status)
        log = self.gateway_on_disk.log()
        self.assertEqual(log.count(" store.trouble "), log.count(" store.recovered "), log)
        self.assertLess(log.count(" store.trouble "), 20)

    @NEEDS_MOUNT
    def test_full_by_others_drains_to_the_last_message(self):
        """No byte is free, over a kill -9 too: what was acknowledged arrives."""
        status = self.start_on_small_disk(64 * MIB, 16 * MIB)
        publish = publish_lines(self.gateway_on_disk.port, "farm/b", [f"{n} {FILLER}" for n in range(2000)])
        self.assert_published(publish)
        self.let_others_fill_the_disk()
        late = publish_lines(self.gateway_on_disk.port, "farm/b", ["2000 " + 100 * FILLER])
        self.addCleanup(late.kill)
        self.store_state(status, "full")
        self.assertIsNone(late.poll(), "acknowledged though there is no room for it")
        self.gateway_on_disk.crash()
        self.let_others_fill_the_disk()
        self.gateway_on_disk.start()
        status = self.status(self.gateway_on_disk)
        self.region.start()
        self.archive.connect()
        self.addCleanup(self.archive.close)
        status.wait_until("the buffer is empty", lambda one: one["state"] == "online" and one["delivered"] == 2000)
        status.assert_books_balance()
        arrived = dict.fromkeys(int(text(one).split()[0]) for one in self.archive.take(2000))
        self.assertEqual(list(arrived), list(range(2000)))
        os.unlink(self.disk / "others")
        self.store_state(status, "ok")
        self.assert_published(publish_lines(self.gateway_on_disk.port, "farm/b", ["2000"]))

    @NEEDS_MOUNT
    def test_a_read_only_disk_is_refused_with_its_name(self):
        gateway = self.gateway()
        gateway.data.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", gateway.data], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", gateway.data], check=False)
        self.assertIn(f"{gateway.data}/lock: Read-only file system", refused(self, gateway))


class TroubleTest(TestCase):
    def test_a_second_gateway_is_told_who_has_the_data(self):
        first = self.gateway().start()
        second = self.gateway(name="second")
        second.extra_arguments = ["--data", first.data]
        log = refused(self, second)
        self.assertIn(f"data directory {first.data} is used by process {first.process.pid}", log)
        self.assertTrue(first.running())

    def test_a_newer_store_is_refused_and_left_as_it_is(self):
        gateway = self.gateway().start()
        gateway.stop()
        with contextlib.closing(sqlite3.connect(gateway.data / "queues.db")) as database:
            database.execute("PRAGMA user_version=99")
        self.assertIn("written by a newer furrow (schema 99", refused(self, gateway))
        with contextlib.closing(sqlite3.connect(gateway.data / "queues.db")) as database:
            self.assertEqual(database.execute("PRAGMA user_version").fetchone(), (99,))

    def test_a_data_directory_that_goes_away_shows_and_comes_back(self):
        gateway = self.gateway(bridge(1, "{filter: farm/#, qos: 1}")).start()
        status = self.status(gateway)
        elsewhere = self.folder / "elsewhere"
        gateway.data.rename(elsewhere)
        publisher = publish_lines(gateway.port, "farm/a", ["1"])
        self.addCleanup(publisher.kill)
        failing = status.wait_until("the store fails", lambda one: one["store"]["state"] == "failing", "gateway")
        self.assertIn("was moved or deleted", failing["store"]["reason"])
        self.assertIsNone(publisher.poll(), "acknowledged though it is stored nowhere")
        elsewhere.rename(gateway.data)
        self.assert_published(publisher)
        status.wait_until("the store recovers", lambda one: one["store"]["state"] == "ok", "gateway")

    def test_a_data_directory_that_is_deleted_shows_and_is_made_anew_by_a_restart(self):
        gateway = self.gateway(bridge(1, "{filter: farm/#, qos: 1}")).start()
        status = self.status(gateway)
        shutil.rmtree(gateway.data)
        publisher = publish_lines(gateway.port, "farm/a", ["1"])
        self.addCleanup(publisher.kill)
        failing = status.wait_until("the store fails", lambda one: one["store"]["state"] == "failing", "gateway")
        self.assertIn("was moved or deleted", failing["store"]["reason"])
        status.subscribe("field/#")
        status.publish("field/1", "passes", 0)
        status.wait("QoS 0", lambda: status.payloads("field/1"))
        self.assertIsNone(publisher.poll(), "acknowledged though it is stored nowhere")
        self.assertEqual(gateway.log().count(" store.trouble "), 1)
        gateway.crash()
        gateway.start()
        self.assert_published(publish_lines(gateway.port, "farm/a", ["2"]))

    def test_a_damaged_file_is_kept_and_the_gateway_starts(self):
        gateway = self.gateway(bridge(1, "{filter: farm/#, qos: 1}")).start()
        self.assert_published(publish_lines(gateway.port, "farm/a", range(100)))
        gateway.stop()
        with open(gateway.data / "queues.db", "r+b") as file:
            file.write(b"U" * 100)
        gateway.start()
        self.assertIn(" store.salvaged ", gateway.log())
        self.assertEqual(len(list(gateway.data.glob("queues.db.corrupt-*Z"))), 1)
        self.assert_published(publish_lines(gateway.port, "farm/a", range(100)))


class MediumTest(CutOffTestCase):
    """A medium that loses or refuses what is written, with a buffer on it: the rest of it reaches the region."""

    COUNT = 2000
    LOST_MAX = 200

    def setUp(self):
        super().setUp()
        self.barn.popen_settings = {"restore_signals": False}  # Python ignores SIGXFSZ: a write that is too far fails
        self.barn.start()

    def start_publisher(self):
        publisher = publish_lines(self.barn.port, "farm/a", [f"{number} reading-{number}." for number in
                                                             range(self.COUNT)])
        self.addCleanup(publisher.kill)
        return publisher

    def queue_file(self):
        return open(self.barn.data / "queues.db", "r+b")

    def assert_rest_arrives(self):
        """Returns the numbers of what is lost, which are in the books."""
        self.wan.open()
        status = self.status(self.barn)
        drained = status.wait_until("the buffer is empty", lambda one: one["state"] == "online"
                                    and undelivered(one) == 0)
        status.assert_books_balance()
        self.reader.take(drained["delivered"])
        arrived = [int(text(one).split()[0]) for one in self.reader.messages]
        self.assertEqual(arrived, sorted(set(arrived)))
        lost = set(range(self.COUNT)) - set(arrived)
        self.assertEqual((drained["accepted"], drained["dropped"]["salvage_lost"]), (self.COUNT, len(lost)))
        self.assertLessEqual(len(lost), self.LOST_MAX)
        return lost

    def test_a_flipped_bit_costs_the_messages_beside_it(self):
        self.assert_published(self.start_publisher())
        self.barn.stop()
        with self.queue_file() as file:
            at = file.read().index(b"reading-1234.")
            file.seek(at)
            file.write(b"R")  # one bit of it
        self.barn.start()
        self.assertIn(1234, self.assert_rest_arrives())
        self.assertEqual(self.barn.log().count(" store.rows_damaged "), 1)

    def test_a_ruined_page_costs_the_messages_on_it(self):
        self.assert_published(self.start_publisher())
        self.barn.stop()
        with self.queue_file() as file:
            page = file.read().index(b"reading-1234.") // 1024 * 1024
            file.seek(page)
            file.write(b"U" * 1024)
        self.barn.start()
        self.assertIn(1234, self.assert_rest_arrives())

    def test_writes_that_fail_show_and_nothing_is_lost(self):
        status = self.status(self.barn)
        limits = resource.prlimit(self.barn.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.barn.process.pid, resource.RLIMIT_FSIZE, (20_000, limits[1]))  # the log has room
        publisher = self.start_publisher()
        failing = status.wait_until("the store fails", lambda one: one["store"]["state"] == "failing", "gateway")
        self.assertRegex(failing["store"]["reason"], "queues.db.*(I/O|File too large)")
        self.assertIsNone(publisher.poll(), "acknowledged though it is stored nowhere")
        resource.prlimit(self.barn.process.pid, resource.RLIMIT_FSIZE, limits)
        self.assert_published(publisher)
        status.wait_until("the store recovers", lambda one: one["store"]["state"] == "ok", "gateway")
        self.barn.crash()
        self.barn.start()
        self.assertEqual(self.assert_rest_arrives(), set())


if __name__ == "__main__":
    main()
