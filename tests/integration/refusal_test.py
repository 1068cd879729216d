"""What furrow cannot do or will not take: it says so and exits as promised, and what it holds stays whole."""

import getpass
import os
import pwd
import shutil
import socket
import subprocess

from furrow_testing import BINARY, PATIENCE, CutOffTestCase, main, publish_lines, run_furrow, text

COUNT = 200


class RefusalTest(CutOffTestCase):
    """A gateway whose region is away, with readings in its buffer."""

    def setUp(self):
        super().setUp()
        self.barn.start()
        self.good_config = self.barn.config_path.read_text()
        self.assert_published(publish_lines(self.barn.port, "farm/a", range(COUNT)))

    def tearDown(self):
        """Whatever was refused: with its cause mended, every reading arrives, in order and once."""
        if not self.barn.running():
            self.barn.config_path.write_text(self.good_config)
            self.barn.start()
        self.wan.open()
        arrived = [text(one) for one in self.reader.take(COUNT)]
        self.assertEqual(arrived, [str(one) for one in range(COUNT)])

    def refused(self, exit_code, **settings):
        """What `furrow run` says when it does not start."""
        done = run_furrow("run", "-c", self.barn.config_path, **settings)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, exit_code, said)
        self.assertNotIn(" ready", said)
        return said

    def test_a_wrong_configuration(self):
        self.barn.stop()
        self.barn.config_path.write_text(self.good_config.replace("filter: farm/#", "filter: farm/#/x"))
        self.assertRegex(self.refused(2), rf"(?m)^{self.barn.config_path}:\d+:\d+: .*farm/#/x")

    def test_a_port_in_use(self):
        self.barn.stop()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.barn.config_path.write_text(self.good_config.replace("127.0.0.1:0", address))
            said = self.refused(1)
        self.assertIn(address, said)
        self.assertIn("Address already in use", said)

    def test_a_data_directory_that_another_gateway_holds(self):
        self.assertIn(str(self.barn.data), self.refused(1))
        self.assertTrue(self.barn.running())

    def test_a_file_in_the_place_of_the_data_directory(self):
        self.barn.stop()
        aside = self.barn.data.rename(self.folder / "aside")
        self.barn.data.write_text("in the way")
        said = self.refused(1)
        self.barn.data.unlink()
        aside.rename(self.barn.data)
        self.assertIn(f"{self.barn.data}: is a file, not a directory", said)

    def test_a_data_directory_of_somebody_else(self):
        """Root may write everywhere, so as root somebody else asks."""
        self.barn.stop()
        for name, mode in (("nothing may be done", 0o000), ("reading is allowed", 0o500)):
            with self.subTest(name):
                folder = self.folder / f"data-{mode:o}"
                folder.mkdir(mode)
                self.assertRegex(self.refused_to_somebody(folder), rf"{folder}\b.*Permission denied")

    def test_a_store_that_may_not_be_written(self):
        self.barn.stop()
        folder = shutil.copytree(self.barn.data, self.folder / "copy")
        queues = folder / "queues.db"
        if os.geteuid() == 0:
            for each in (folder, folder / "lock"):
                shutil.chown(each, "nobody")
            who, remedy = "nobody", f"chown nobody {queues}', or run furrow as root"
        else:
            who, remedy = getpass.getuser(), f"chmod u+rw {queues}'"
        queues.chmod(0o444)
        self.assertRegex(self.refused_to_somebody(folder),
                         rf"{who} may not write to {queues}, which belongs to \w+: Permission denied: '{remedy}")

    def refused_to_somebody(self, data):
        """What it says to a user who may not do everything, as root may."""
        furrow = shutil.copy(BINARY, self.folder / "furrow")  # somebody else may not look where it was built
        os.chmod(self.folder, 0o755)
        somebody = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            somebody = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        done = subprocess.run([furrow, "run", "-c", self.barn.config_path, "--data", data], check=False,
                              capture_output=True, text=True, timeout=PATIENCE, **somebody)
        self.assertEqual(done.returncode, 1, done.stderr)
        return done.stderr

    def test_a_malformed_packet(self):
        """Ends its connection; what was acknowledged on it before counts."""
        with socket.create_connection(("127.0.0.1", self.barn.port)) as sensor:
            sensor.settimeout(PATIENCE)
            sensor.sendall(b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00")
            self.assertEqual(sensor.recv(4096)[0], 0x20)
            sensor.sendall(b"\x32\x0b\x00\x06farm/b\x00\x01\x00")
            self.assertEqual(sensor.recv(4096)[:4], b"\x40\x02\x00\x01")
            sensor.sendall(b"\x36\x06\x00\x01a\x00\x01\x00")  # QoS 3
            disconnect = sensor.recv(4096)
            self.assertEqual((disconnect[0], disconnect[2]), (0xE0, 0x81))
            self.assertEqual(sensor.recv(4096), b"")
        status = self.status(self.barn)
        status.wait_until("both kinds wait", lambda one: one["backlog"]["messages"] == COUNT + 1)
        status.assert_books_balance()


if __name__ == "__main__":
    main()
