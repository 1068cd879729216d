"""`furrow diag`: one archive with what a maintainer asks for, of a gateway that runs, one that is stopped, one that
hangs and one that cannot start; and no secret in it."""

import json
import os
import re
import signal
import stat
import subprocess
import tarfile

from furrow_testing import BINARY, PATIENCE, TestCase, bridge_entry, free_port, main, run_furrow
from pki import Authority


class DiagTestCase(TestCase):
    def diag(self, *options, expect=0, **settings):
        """What it printed; `self.documents` has the files of the archive, by their names."""
        self.archive = self.folder / "diag.tar.gz"
        self.archive.unlink(missing_ok=True)
        done = run_furrow("diag", "-c", self.barn.config_path, "-o", self.archive, *options, **settings)
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")
        with tarfile.open(self.archive) as tar:
            self.documents = {member.name.split("/", 1)[1]: tar.extractfile(member).read().decode("utf-8", "replace")
                              for member in tar.getmembers()}
        return done.stdout


class ContentsTest(DiagTestCase):
    def setUp(self):
        region = self.mosquitto().start()
        self.barn = self.gateway("access: {anonymous: true}\nbridges:\n" +
                                 bridge_entry(region.port, "{filter: farm/#}") + "# a comment\n").start()

    def test_what_a_running_gateway_says(self):
        sensor = self.client(self.barn.port, "sensor-1", clean=False)
        sensor.publish("farm/1", "a-payload-of-ours", 1, retain=True)
        sensor.publish("held/2", "a-value-of-ours", 1, retain=True)
        printed = self.diag("--log", self.barn.log_path)
        self.assertEqual(stat.S_IMODE(self.archive.stat().st_mode), 0o600)
        for name, pattern in (
                ("version.txt", r"^furrow: \d+\.\d+\.\d+\ncompiler: .*\n(.*\n)*OpenSSL: OpenSSL 3"),
                ("config.yaml", r"filter: farm/#"), ("check.txt", r"barn\.yaml: no errors, (no|\d+) warning"),
                ("log.txt", r" info ready"), ("system.txt", r"kernel: Linux .*\narchitecture: "),
                ("system.txt", r"MemAvailable: +\d+ kB"), ("system.txt", r"clock trusted by furrow: (yes|no)"),
                ("system.txt", r"disk of the data directory: \d+ MiB, \d+ MiB free"),
                ("process.txt", fr"process {self.barn.process.pid}\n(.*\n)*Max open files"),
                ("process.txt", r"VmRSS:\s+\d+ kB"), ("store.txt", r" \d+ 0600 \d+:\d+ \S+Z \S+"),
                ("clients.txt", r'^\{"client":"sensor-1"'), ("bridges.txt", r'^\{"bridge":"region"'),
                ("retained.txt", r'"ok":true,"count":'), ("alarms.txt", r"^\$SYS/furrow/alarms \{"),
                ("statistics.txt", r"\$SYS/broker/messages/received \d+"), ("README.txt", "version and build")):
            self.assertRegex(self.documents[name], re.compile(pattern, re.MULTILINE), name)
        document = re.search(r"^\$SYS/furrow/bridge/region (.*)$", self.documents["status.txt"], re.MULTILINE)
        self.assertEqual(json.loads(document.group(1))["name"], "region")
        self.assertIn("$SYS/furrow/gateway {", self.documents["status.txt"])
        for name in self.documents:
            if name != "README.txt":
                self.assertIn(f"  {name} ", printed)
        self.assertIn(str(self.archive), printed)
        self.assertNotIn("is missing", printed)
        everything = "".join(self.documents.values())
        for ours in ("a-payload-of-ours", "a-value-of-ours", "held/2", "a comment"):
            self.assertNotIn(ours, everything)

    def test_tar_reads_it(self):
        self.diag()
        listed = subprocess.run(["tar", "-tvzf", str(self.archive)], capture_output=True, text=True, check=True,
                                timeout=PATIENCE)
        self.assertEqual(listed.stderr, "")
        self.assertRegex(listed.stdout, r"-rw------- 0/0 +\d+ 20\S+ \S+ furrow-diag-barn-\d{8}T\d{6}Z/version\.txt")

    def test_a_journal_that_is_not_there_is_said_with_what_to_do(self):
        printed = self.diag("--unit", "no-such-unit")
        self.assertNotIn("log.txt", self.documents)
        self.assertRegex(printed, r"log\.txt +is missing: .*'journalctl -u no-such-unit' .* --log FILE")
        self.assertRegex(self.documents["README.txt"], r"log\.txt +is missing")

    def test_the_name_is_by_gateway_and_time_and_nothing_is_written_over(self):
        done = run_furrow("diag", "-c", self.barn.config_path, cwd=self.folder)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(list(self.folder.glob("furrow-diag-barn-*Z.tar.gz"))), 1)
        done = run_furrow("diag", "-c", self.barn.config_path, "-o", self.barn.config_path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("File exists", done.stderr)

    def test_a_stopped_gateway_is_left_as_it_is(self):
        self.barn.stop()
        before = {one.name: (one.stat().st_size, one.stat().st_mtime_ns) for one in self.barn.data.iterdir()}
        printed = self.diag("--log", self.barn.log_path)
        self.assertEqual({one.name: (one.stat().st_size, one.stat().st_mtime_ns) for one in self.barn.data.iterdir()},
                         before)
        for name in ("status.txt", "alarms.txt", "statistics.txt"):
            self.assertNotIn(name, self.documents)
            self.assertRegex(printed, name + r" +is missing,\n")
        self.assertRegex(printed, r"retained\.txt +is missing: no gateway runs with the data directory .*start it "
                                  r"with: .*furrow clients list")
        self.assertIn(" stopped", self.documents["log.txt"])
        self.assertIn("store.txt", self.documents)

    def test_a_gateway_that_hangs_is_not_waited_for(self):
        self.barn.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.barn.process.send_signal, signal.SIGCONT)
        printed = self.diag()
        self.assertRegex(printed, r"retained\.txt +is missing: the gateway has the socket open and does not answer")
        self.assertIn("of the gateway, process", self.documents["process.txt"])

    def test_a_gateway_that_never_was(self):
        self.barn = self.gateway(name="elsewhere")
        printed = self.diag()
        self.assertIn("none ever has", printed)
        self.assertRegex(printed, r"store\.txt +is missing: list .*No such file")


class SecretTest(DiagTestCase):
    """Whatever a configuration has of secrets, none of it is in the archive."""

    def setUp(self):
        self.secrets = {}
        authority = Authority(self.folder / "pki")
        certificate, key = authority.issue("gateway", "DNS:localhost,IP:127.0.0.1")
        self.keep("key of a certificate", *[line for line in key.read_text().splitlines() if "-----" not in line])
        subprocess.run([str(BINARY), "passwd", str(self.folder / "passwords"), "ann", "--stdin"],
                       input="password-of-ann", text=True, check=True, timeout=PATIENCE, capture_output=True)
        self.keep("password", "password-of-ann")
        self.keep("hash", (self.folder / "passwords").read_text().split(":", 1)[1].strip())
        self.keep("key of a sensor", "00112233445566778899aabbccddeeff")
        self.write("sensors.psk", "sensor-9:00112233445566778899aabbccddeeff\n")
        self.write("region.password", self.keep("password of a bridge", "pass\"word of region") + "\n")
        self.write("proxy.password", self.keep("password of a proxy", "proxy-word-of-ours") + "\n")
        self.write("far.psk", self.keep("key of a bridge", "ffeeddccbbaa99887766554433221100") + "\n")
        self.token = self.keep("token in the environment", "eyJhbGciOi-token-of-ours")
        far = free_port()
        self.barn = self.gateway(
            f"listeners:\n  - {{bind: '127.0.0.1:0'}}\n"
            f"  - {{bind: '127.0.0.1:0', tls: {{certificate: {certificate}, key: {key}}}}}\n"
            f"  - {{bind: '127.0.0.1:0', psk_file: sensors.psk}}\n"
            "access: {anonymous: true, password_file: passwords}\nbridges:\n" +
            bridge_entry(far, "{filter: farm/#}", settings=(
                "username: ${REGION_TOKEN}\npassword_from: region.password\n"
                f"proxy: http://someone@127.0.0.1:{far}\nproxy_password_from: proxy.password")) +
            bridge_entry(far, "{filter: barn/#}", name="far", settings="psk_identity: barn\npsk_from: far.psk").replace(
                "mqtt://", "mqtts://") + "# " + self.keep("comment", "the-old-word-of-ours") + "\n")
        self.barn.environment = {"REGION_TOKEN": self.token}

    def keep(self, what, *secrets):
        self.secrets[what] = secrets
        return secrets[0]

    def write(self, name, text):
        with open(os.open(self.folder / name, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(text)

    def assert_nothing_secret(self, printed):
        for what, secrets in self.secrets.items():
            for secret in secrets:
                for form in (secret, json.dumps(secret)[1:-1]):
                    self.assertNotIn(form, printed, what)
                    for name, text in self.documents.items():
                        self.assertNotIn(form, text, f"{what} in {name}")

    def test_of_a_gateway_that_runs(self):
        self.barn.start()
        # A log that says what no log should.
        log = self.folder / "leaky.log"
        log.write_text("".join(f"2026-11-24T10:00:00Z info oops what={secret}\n"
                               for secrets in self.secrets.values() for secret in secrets))
        # These are nowhere but in a head and in a comment: where a log has them nobody can know it.
        self.secrets["password"] = self.secrets["comment"] = ()
        printed = self.diag("--log", log, env=os.environ | {"REGION_TOKEN": self.token})
        self.assertIn("status.txt", self.documents)
        self.assertIn("(redacted)", self.documents["log.txt"])
        self.assertIn("password_from: ", self.documents["config.yaml"])
        self.assert_nothing_secret(printed)

    def test_of_a_configuration_with_mistakes(self):
        with open(self.barn.config_path, "a", encoding="utf-8") as file:
            file.write(f"password: {self.keep('a key that is none', 'written-by-mistake-' + 'x' * 300)}\n")
        text = self.barn.config_path.read_text()
        self.barn.config_path.write_text(text.replace(
            "connect: mqtt://", f"connect: mqtt://ann:{self.keep('password in a URL', 'word-in-a-url')}@", 1))
        printed = self.diag(env=os.environ | {"REGION_TOKEN": self.token})
        self.assertIn("as it is, with its errors", printed)
        self.assertRegex(self.documents["check.txt"], r"barn\.yaml: \d errors?, ")
        self.assert_nothing_secret(printed)

    def test_what_an_included_file_has_by_mistake(self):
        secret = self.keep("in an included file", "word-of-more")
        self.write("more.yaml", f"bridges: [{{name: more, secret: {secret}}}]\n")
        with open(self.barn.config_path, "a", encoding="utf-8") as file:
            file.write("include: [more.yaml]\n")
        printed = self.diag(env=os.environ | {"REGION_TOKEN": self.token})
        self.assertIn("more.yaml:1:", self.documents["check.txt"])
        self.assert_nothing_secret(printed)

    def test_without_the_environment_of_the_gateway(self):
        printed = self.diag()
        self.assertIn("REGION_TOKEN", self.documents["check.txt"])
        self.assert_nothing_secret(printed)


if __name__ == "__main__":
    main()
