"""What systemd is told, and whether it understands the unit."""

import shutil
import socket
import subprocess
import unittest

from furrow_testing import BINARY, PATIENCE, ROOT, TestCase, main

EXPOSURE_MAX = 20  # of 100, as systemd-analyze counts; the reasons of what is left are in the unit


class NotifyTest(TestCase):
    def listen(self):
        """systemd's end of its notify protocol."""
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(str(self.folder / "notify"))
        self.manager.settimeout(PATIENCE)
        return {"NOTIFY_SOCKET": str(self.folder / "notify")}

    def hear(self, beginning):
        """The next message that begins so; what comes before it counts as heard."""
        while True:
            message = self.manager.recv(4096).decode()
            if message.startswith(beginning):
                return message

    def test_ready_watchdog_status_and_stopping(self):
        barn = self.gateway()
        barn.environment = self.listen() | {"WATCHDOG_USEC": "200000"}
        barn.start()
        self.assertEqual(self.manager.recv(4096), b"READY=1")
        for _ in range(3):
            self.hear("WATCHDOG=1")
        self.assertRegex(self.hear("STATUS="), r"^STATUS=\d+ clients$")
        client = self.client(barn.port)
        self.assertEqual(barn.stop(), 0)
        self.hear("STOPPING=1")
        client.wait("the client is told", lambda: client.disconnected is not None)

    def test_ready_means_that_listeners_accept(self):
        barn = self.gateway()
        barn.environment = self.listen()
        barn.start()
        self.hear("READY=1")
        socket.create_connection(("127.0.0.1", barn.port)).close()

    def test_a_start_that_fails_is_not_ready(self):
        barn = self.gateway("nonsense: true\n")
        barn.environment = self.listen()
        with self.assertRaisesRegex(AssertionError, "ended with 2"):
            barn.start()
        self.manager.setblocking(False)
        with self.assertRaises(BlockingIOError):
            self.manager.recv(4096)


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd is not installed")
class UnitTest(TestCase):
    def setUp(self):
        installed = (ROOT / "systemd/furrow.service").read_text()
        self.unit = self.folder / "furrow.service"
        self.unit.write_text(installed.replace("/usr/bin/furrow", str(BINARY)))

    def analyze(self, *arguments):
        done = subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=PATIENCE,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_it_is_valid(self):
        self.assertNotIn(str(self.unit), self.analyze("verify", "--man=no", self.unit))

    def test_it_stays_as_closed_as_it_is(self):
        self.analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX}", self.unit)


if __name__ == "__main__":
    main()
