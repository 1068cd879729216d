"""A disk that fails while furrow runs, and heals: it shows, what needs no disk goes on, and nothing is lost."""

import errno

from disk_faults import DiskFaults
from furrow_testing import CutOffTestCase, main, publish_lines, text, undelivered
from preload import FOLDER, library

LIBRARY = library("disk_faults")

COUNT = 1000
FILLER = "x" * 8000  # half of them are more than what is read ahead
# Longer than what is tried again before a bad sector is given up, as the status comes every second.
STATUSES = 8


class DiskFaultTest(CutOffTestCase):
    """A gateway whose region is away; half of the readings are in its buffer when the trouble begins."""

    repeat_with = {"FURROW_PRELOAD_FOLDER": FOLDER}

    def setUp(self):
        super().setUp()
        self.disk = DiskFaults(LIBRARY, self.folder / "faults", below=self.barn.data)
        self.barn.environment = self.disk.environment
        self.barn.start()
        self.assert_published(self.publish(range(COUNT // 2)))
        # What is read later comes from the disk, not from the memory of the process that wrote it.
        self.crash()

    def crash(self):
        """kill -9, and another start."""
        self.barn.crash()
        self.barn.start()
        self.reading = self.status(self.barn)

    def publish(self, numbers):
        publisher = publish_lines(self.barn.port, "farm/a", [f"{number} {FILLER}" for number in numbers])
        self.addCleanup(publisher.kill)
        return publisher

    def store_state(self, state):
        return self.reading.wait_until(f"the store is {state}", lambda one: one["store"]["state"] == state, "gateway")

    def assert_stays(self, state):
        """For longer than anything is tried again."""
        before = len(self.reading.documents("gateway"))
        self.reading.wait_until(f"{STATUSES} statuses", lambda _: len(self.reading.documents("gateway")) >= before +
                                STATUSES, "gateway")
        states = [one["store"]["state"] for one in self.reading.documents("gateway")[before:]]
        self.assertEqual(set(states), {state})

    def assert_qos_0_passes(self):
        listener = self.client(self.barn.port, "listener")
        listener.subscribe("field/#")
        listener.publish("field/1", "passes", 0)
        self.assertEqual(text(listener.take(1)[0]), "passes")

    def assert_arrive(self, count):
        """In order, with or without repetitions."""
        def arrived():
            return list(dict.fromkeys(int(one.split()[0]) for one in self.reader.payloads()))
        self.reader.wait(f"reading {count - 1}", lambda: count - 1 in arrived())
        self.assertEqual(arrived(), list(range(count)))

    def assert_recovers(self):
        """Says so once, as it said once what was wrong."""
        self.store_state("ok")
        log = self.barn.log()
        self.assertEqual((log.count(" store.trouble "), log.count(" store.recovered ")), (1, 1), log)

    def assert_nothing_is_lost(self):
        self.reading.wait_until("the buffer is empty", lambda one: one["state"] == "online"
                                and undelivered(one) == 0)
        self.assert_arrive(COUNT)
        self.reading.assert_books_balance()
        self.assertEqual(sum(self.reading.documents("bridge/region")[-1]["dropped"].values()), 0)

    def test_a_disk_that_turns_read_only(self):
        self.disk.fail(open=errno.EROFS, write=errno.EROFS, sync=errno.EROFS)
        publisher = self.publish(range(COUNT // 2, COUNT))
        self.assertIn("Read-only file system", self.store_state("read_only")["store"]["reason"])
        self.assert_qos_0_passes()
        self.assertIsNone(publisher.poll(), "acknowledged though it is stored nowhere")
        # What is stored drains, and what the region acknowledges needs no disk.
        self.wan.open()
        self.assert_arrive(COUNT)
        self.assert_published(publisher)
        self.assert_stays("read_only")
        self.disk.heal()
        self.assert_recovers()
        self.assert_nothing_is_lost()

    def test_syncs_that_fail(self):
        self.disk.fail(sync=errno.EIO)
        publisher = self.publish(range(COUNT // 2, COUNT))
        self.assertRegex(self.store_state("failing")["store"]["reason"], "queues.db.*Input/output error")
        self.assert_qos_0_passes()
        self.assert_stays("failing")
        self.assertIsNone(publisher.poll(), "acknowledged though nobody knows what is on the disk")
        self.disk.heal()
        self.assert_published(publisher)
        self.assert_recovers()
        # What was acknowledged is on the disk, not only in the memory of the process.
        self.crash()
        self.wan.open()
        self.assert_nothing_is_lost()

    def test_reads_that_fail_while_a_backlog_drains(self):
        self.disk.fail(read=errno.EIO)
        self.wan.open()
        self.assertRegex(self.store_state("failing")["store"]["reason"], "queues.db.*Input/output error")
        self.assert_qos_0_passes()
        self.assert_stays("failing")
        self.disk.heal()
        self.assert_arrive(COUNT // 2)
        self.assert_recovers()
        self.assert_published(self.publish(range(COUNT // 2, COUNT)))
        self.assert_nothing_is_lost()

    def test_a_disk_that_is_gone_for_a_while(self):
        """A cable that is loose: nothing can be read or written."""
        self.disk.fail(open=errno.EIO, write=errno.EIO, sync=errno.EIO, read=errno.EIO)
        publisher = self.publish(range(COUNT // 2, COUNT))
        self.store_state("failing")
        self.assertIsNone(publisher.poll(), "acknowledged though it is stored nowhere")
        self.wan.open()
        self.assert_qos_0_passes()
        self.assert_stays("failing")
        self.disk.heal()
        self.assert_published(publisher)
        self.assert_recovers()
        self.assert_nothing_is_lost()


if __name__ == "__main__":
    main()
