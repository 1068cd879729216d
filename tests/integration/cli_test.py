"""The command line: what it prints and how it exits."""

import os
import pathlib
import re
import socket
import subprocess

from furrow_testing import BINARY, ROOT, Client, TestCase, main, run_furrow

GOOD = """\
bridges:
  - connect: mqtt://region.example.org
    topics:
      - filter: farm/#
"""


class CliTest(TestCase):
    def config(self, content):
        path = self.folder / "furrow.yaml"
        path.write_text(content)
        return path

    def run_and_expect(self, exit_code, *arguments):
        """Standard output and error of a command that must exit so."""
        done = run_furrow(*arguments, cwd=self.folder)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, exit_code, said)
        return said

    def test_version(self):
        for option in ("--version", "-V"):
            self.assertRegex(self.run_and_expect(0, option), r"^furrow \d+\.\d+\.\d+\n$")

    def test_help_names_every_command(self):
        for arguments in (["help"], ["--help"]):
            said = self.run_and_expect(0, *arguments)
            for command in ("run", "check", "demo", "help"):
                self.assertRegex(said, rf"(?m)^ +{command}\b", arguments)
        self.assertIn("--data", self.run_and_expect(0, "help", "run"))

    def test_usage_errors(self):
        self.assertIn("--nonsense", self.run_and_expect(2, "run", "--nonsense"))
        self.assertIn("nonsense", self.run_and_expect(2, "nonsense"))
        self.assertIn("nonsense", self.run_and_expect(2, "help", "nonsense"))
        for wrong in ("--nonsense", "-x"):
            self.assertRegex(self.run_and_expect(2, wrong), rf"^furrow: .*{wrong}; see furrow help\n$")
        self.assertIn("one argument too many: b.yaml", self.run_and_expect(2, "check", "a.yaml", "b.yaml"))

    def test_without_a_command_it_says_how_to_begin(self):
        said = self.run_and_expect(2)
        self.assertTrue(said.startswith("furrow: a command is missing"), said)
        for first in ("furrow demo", "furrow check FILE", "furrow run FILE", "furrow help"):
            self.assertIn(first, said)

    def test_a_typing_mistake_gets_the_nearest_name(self):
        for wrong, meant in ((["chekc"], "check"), (["rnu"], "run"), (["stauts"], "status"),
                             (["help", "dmeo"], "demo"), (["run", "--cofnig", "x"], "--config"),
                             (["check", "-config", "x"], "--config"), (["demo", "--outgae=3"], "--outage")):
            with self.subTest(wrong=wrong):
                self.assertRegex(self.run_and_expect(2, *wrong), rf"did you mean '?{meant}'?\?\n$")

    def test_options_before_the_command_are_put_right(self):
        self.assertIn("furrow run -c", self.run_and_expect(2, "-c", "furrow.yaml"))

    def test_times_of_the_demo(self):
        for wrong, why in ((["--for", "0"], "1s to 1d"), (["--outage", "soon"], "not a time"),
                           (["--outage", "2 h"], "write 2h"), (["--for", "2d"], "out of range")):
            with self.subTest(wrong=wrong):
                self.assertIn(why, self.run_and_expect(2, "demo", *wrong))

    def test_help_has_every_key_of_the_configuration(self):
        self.assertEqual(self.run_and_expect(0, "help", "config"), (ROOT / "config/furrow.yaml").read_text())

    def test_check_accepts_a_good_configuration(self):
        said = self.run_and_expect(0, "check", "-c", self.config(GOOD))
        self.assertIn("no errors", said)
        self.assertIn("1GiB", said)  # what the buffer holds in an outage, in plain words

    def test_the_configurations_that_people_copy_are_good(self):
        for path in (ROOT / "config/minimal.yaml", ROOT / "config/furrow.yaml", ROOT / "config/package.yaml"):
            with self.subTest(path=path):
                self.assertIn("no errors", self.run_and_expect(0, "check", "-c", path))
        for document in ("README.md", "systemd/README.md"):
            for example in re.findall(r"```yaml\n(.*?)```", (ROOT / document).read_text(), re.DOTALL):
                with self.subTest(document=document, example=example):
                    self.assertIn("no errors", self.run_and_expect(0, "check", self.config(example)))

    def test_a_file_needs_no_option(self):
        path = self.config(GOOD)
        said = self.run_and_expect(0, "check", path)
        self.assertEqual(said, self.run_and_expect(0, "check", "-c", path))
        self.assertIn("1:1: ", self.run_and_expect(2, "run", self.config("nonsense: 1\n")))

    def test_check_says_what_this_machine_has_against_it(self):
        (self.folder / "file").write_text("not a directory")
        (self.folder / "empty.password").write_text("")
        (self.folder / "empty.password").chmod(0o600)
        (self.folder / "open.password").write_text("secret\n")
        (self.folder / "open.password").chmod(0o644)
        bridges = "".join(
            f"  - {{name: {name}, connect: 'mqtt://{name}', username: u, password_from: {name}.password, "
            "topics: [{filter: a/#}]}\n" for name in ("missing", "empty", "open"))
        said = self.run_and_expect(0, "check", self.config(f"gateway: {{data: file}}\nbridges:\n{bridges}"))
        self.assertRegex(said, r":1:17: warning: gateway.data: .*/file cannot be used, because .*/file is a file")
        self.assertRegex(said, r":3:\d+: warning: .*missing.password: No such file")
        self.assertRegex(said, r":4:\d+: warning: .*empty.password is empty")
        self.assertRegex(said, r":5:\d+: warning: .*open.password holds a secret that other users may reach; "
                               "'chmod 600 .*open.password' ends that")

    def test_check_looks_at_the_data_directory_of_the_command_line(self):
        path = self.config(GOOD)
        self.assertNotIn("gateway.data", self.run_and_expect(0, "check", path, "--data", self.folder / "data"))
        self.assertFalse((self.folder / "data").exists(), "a check changes nothing")
        said = self.run_and_expect(0, "check", path, "--data", self.folder / "not/there")
        self.assertIn(f"cannot be made, because there is no {self.folder / 'not'}", said)
        if os.path.ismount("/dev/shm"):
            self.assertIn("nothing survives", self.run_and_expect(0, "check", path, "--data", "/dev/shm/furrow"))

    def test_check_knows_the_addresses_of_this_machine(self):
        path = self.config(GOOD.replace("region.example.org", f"{socket.gethostname().lower()}:1884") +
                           "listeners: [{bind: 0.0.0.0:1884}]\naccess: {anonymous: true}\n")
        self.assertIn("this gateway's own listener on 0.0.0.0:1884", self.run_and_expect(0, "check", path))

    def test_check_prints_nothing_that_a_terminal_obeys(self):
        path = self.config('"\\e[2Jgone": 1\nlog: {"\\e]0;title\\a": 1}\n')
        self.assertNotIn("\x1b", self.run_and_expect(2, "check", path))

    def test_check_finds_every_mistake_with_its_place(self):
        path = self.config(GOOD + "store: {acknowlege: durable}\nstatus: {interval: 10}\nlog: {level: loud}\n")
        said = self.run_and_expect(2, "check", "-c", path)
        for place, word in (("5:9", "acknowledge"), ("6:20", "10s"), ("7:14", "loud")):
            self.assertRegex(said, rf"(?m)^{path}:{place}: .*\b{word}\b")
        self.assertIn("3 errors", said)

    def test_run_refuses_a_bad_configuration(self):
        path = self.config("gateway: {idd: barn}\n")
        self.assertRegex(self.run_and_expect(2, "run", "-c", path), rf"{path}:1:11: .*\bid\b")

    def test_a_missing_file(self):
        for command in ("check", "run"):
            said = self.run_and_expect(2, command, "-c", self.folder / "none.yaml")
            self.assertIn("none.yaml", said)
            self.assertIn("No such file", said)

    def test_a_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            path = self.config(f"gateway: {{data: data}}\nlisteners:\n  - bind: {address}\n")
            said = self.run_and_expect(1, "run", "-c", path)
        self.assertIn(address, said)
        self.assertIn("Address already in use", said)
        self.assertNotIn(" ready", said)

    def test_a_data_directory_that_cannot_be_made(self):
        (self.folder / "file").write_text("not a directory")
        path = self.config("listeners: [{bind: 127.0.0.1:0}]\ngateway: {data: file/data}\n")
        said = self.run_and_expect(1, "run", "-c", path)
        self.assertIn(str(self.folder / "file"), said)
        self.assertIn("Not a directory", said)

    def test_a_data_directory_in_use(self):
        first = self.gateway().start()
        path = self.config(f"listeners: [{{bind: 127.0.0.1:0}}]\ngateway: {{data: {first.data}}}\n")
        said = self.run_and_expect(1, "run", "-c", path)
        self.assertIn(str(first.data), said)
        with Client(first.port) as client:
            client.publish("the/first/is/unharmed", "", 1)

    def test_the_data_directory_is_private(self):
        gateway = self.gateway().start()
        self.assertEqual(os.stat(gateway.data).st_mode & 0o777, 0o700)

    def test_files_are_private_in_a_data_directory_that_is_not(self):
        gateway = self.gateway()
        gateway.data.mkdir(mode=0o755)
        gateway.start()
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in gateway.data.iterdir()}
        self.assertIn("queues.db", modes)
        self.assertEqual(set(modes.values()), {"0o600"}, modes)

    def test_data_on_the_command_line_comes_first(self):
        gateway = self.gateway()
        gateway.extra_arguments = ["--data", self.folder / "other"]
        gateway.start()
        self.assertTrue((self.folder / "other").is_dir())
        self.assertFalse(gateway.data.exists())

    def test_a_stop_says_what_waits(self):
        gateway = self.gateway(GOOD.replace("region.example.org", "127.0.0.1:1"))
        gateway.start()
        with Client(gateway.port) as client:
            client.publish("farm/north", "21", 1)
            client.publish("farm/south", "22", 1)
        gateway.stop()
        self.assertIn("info stopped waiting=2", gateway.log())

    def test_a_stop_is_clean(self):
        gateway = self.gateway().start()
        client = self.client(gateway.port)
        self.assertEqual(gateway.stop(), 0)
        client.wait("the client is told", lambda: client.disconnected is not None)
        self.assertEqual(client.disconnected, 0x8B)  # Server shutting down


class BinaryTest(TestCase):
    """How the program is built and what it asks of its process, so that a bug is not a way in."""

    def readelf(self, option):
        return subprocess.run(["readelf", "-W", option, BINARY], check=True, capture_output=True, text=True).stdout

    def test_it_is_hardened(self):
        if "__asan_init" in self.readelf("--symbols"):
            return  # built for finding bugs: at fixed addresses, with checks of its own
        self.assertRegex(self.readelf("--file-header"), r"Type: +DYN \(Position-Independent Executable")
        segments = self.readelf("--program-headers")
        self.assertIn("GNU_RELRO", segments)
        self.assertNotRegex(segments, r"GNU_STACK .* RWE ")
        self.assertRegex(self.readelf("--dynamic"), r"FLAGS.*BIND_NOW|FLAGS_1.*NOW")
        symbols = self.readelf("--dyn-syms")
        for check in ("__stack_chk_fail", "__memcpy_chk", "_ZSt21__glibcxx_assert_fail"):
            self.assertIn(check, symbols)

    def test_it_leaves_no_core_file(self):
        gateway = self.gateway().start()
        if "__asan_init" not in self.readelf("--symbols"):
            limits = pathlib.Path(f"/proc/{gateway.process.pid}/limits").read_text()
            self.assertRegex(limits, r"Max core file size +0 +0 ")


if __name__ == "__main__":
    main()
