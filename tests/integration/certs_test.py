"""furrow certs: what it makes is taken by furrow and by Mosquitto's clients, and nothing is written over."""

import re
import stat
import subprocess

from furrow_testing import PATIENCE, TestCase, main, run_furrow


class CertsTest(TestCase):
    def setUp(self):
        self.pki = self.folder / "pki"
        self.made = run_furrow("certs", "init", self.pki)
        self.assertEqual(self.made.returncode, 0, self.made.stderr)

    def test_a_site_is_set_up(self):
        issued = run_furrow("certs", "issue", "sensor-1", "--dir", self.pki)
        self.assertEqual(issued.returncode, 0, issued.stderr)
        for file in self.pki.iterdir():
            self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600, file)
        barn = self.gateway("access: {anonymous: true}\n")
        text = barn.config_path.read_text()
        tls = f"{{certificate: {self.pki}/server.crt, key: {self.pki}/server.key, client_ca: {self.pki}/ca.crt}}"
        barn.config_path.write_text(text.replace("{bind: 127.0.0.1:0}", f"{{bind: '127.0.0.1:0', tls: {tls}}}"))
        barn.start()
        for host in ("localhost", "127.0.0.1"):
            subprocess.run(
                ["mosquitto_pub", "-h", host, "-p", str(barn.port), "--cafile", self.pki / "ca.crt", "--cert",
                 self.pki / "sensor-1.crt", "--key", self.pki / "sensor-1.key", "-t", "field/a", "-m", "1", "-q", "1"],
                check=True, timeout=PATIENCE)
        shown = run_furrow("certs", "show", "-c", barn.config_path)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        line = r"listener 127\.0\.0\.1:0 +82[45] days, until \S+  CN=.* sha256/\S+=  for localhost"
        self.assertRegex(shown.stdout, line)

    def test_nothing_is_written_over(self):
        before = {file.name: file.read_bytes() for file in self.pki.iterdir()}
        again = run_furrow("certs", "init", self.pki)
        self.assertEqual(again.returncode, 1)
        self.assertIn("is there already", again.stderr)
        self.assertEqual(run_furrow("certs", "issue", "server", "--dir", self.pki).returncode, 1)
        self.assertEqual({file.name: file.read_bytes() for file in self.pki.iterdir()}, before)

    def test_names_that_are_no_files(self):
        for name in ("../evil", "-rf", ".hidden", "a/b", "", "x" * 65):
            result = run_furrow("certs", "issue", "--dir", self.pki, "--", name)
            self.assertNotEqual(result.returncode, 0, name)

    def test_without_a_ca(self):
        result = run_furrow("certs", "issue", "sensor-1", "--dir", self.folder)
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, re.escape("'furrow certs init"))


if __name__ == "__main__":
    main()
