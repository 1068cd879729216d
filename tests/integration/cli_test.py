"""The command line: what it prints and how it exits."""

import os
import re
import socket

from furrow_testing import ROOT, Client, TestCase, main, run_furrow

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
        self.assertRegex(self.run_and_expect(0, "--version"), r"^furrow \d+\.\d+\.\d+\n$")

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
        self.assertIn("a command is missing", self.run_and_expect(2))
        for wrong in ("--nonsense", "-x"):
            self.assertRegex(self.run_and_expect(2, wrong), rf"^furrow: .*{wrong}; see furrow --help\n$")

    def test_commands_that_are_not_built_are_refused_by_name(self):
        for command in ("route", "status", "buffer", "passwd"):
            said = self.run_and_expect(2, command, "anything")
            self.assertIn(f"'{command}' is not built in this version", said)

    def test_check_accepts_a_good_configuration(self):
        said = self.run_and_expect(0, "check", "-c", self.config(GOOD))
        self.assertIn("no errors", said)
        self.assertIn("1GiB", said)  # what the buffer holds in an outage, in plain words

    def test_the_configurations_that_people_copy_are_good(self):
        example = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
        for path in (self.config(example), ROOT / "config/minimal.yaml", ROOT / "config/furrow.yaml"):
            with self.subTest(path=path):
                self.assertIn("no errors", self.run_and_expect(0, "check", "-c", path))

    def test_check_finds_every_mistake_with_its_place(self):
        path = self.config(GOOD + "store: {acknowlege: durable}\nstatus: {interval: 10}\nlog: {level: loud}\n")
        said = self.run_and_expect(2, "check", "-c", path)
        for place, word in (("5:9", "acknowledge"), ("6:20", "10s"), ("7:14", "loud")):
            self.assertRegex(said, rf"(?m)^{path}:{place}: .*\b{word}\b")
        self.assertIn("3 errors", said)

    def test_run_refuses_a_bad_configuration(self):
        path = self.config("gateway: {idd: barn}\n")
        self.assertRegex(self.run_and_expect(2, "run", "-c", path), rf"{path}:1:11: .*\bid\b")

    def test_planned_keys_are_refused_by_name(self):
        path = self.config(GOOD + "    drain: {order: oldest-first}\n")
        for command in ("check", "run"):
            self.assertIn(f"{path}:5:5: bridges[].drain is not built yet", self.run_and_expect(2, command, "-c", path))

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

    def test_a_stop_is_clean(self):
        gateway = self.gateway().start()
        client = self.client(gateway.port)
        self.assertEqual(gateway.stop(), 0)
        client.wait("the client is told", lambda: client.disconnected is not None)
        self.assertEqual(client.disconnected, 0x8B)  # Server shutting down


if __name__ == "__main__":
    main()
