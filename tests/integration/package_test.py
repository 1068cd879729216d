"""The Debian package: what is in it, and its life on a machine (tests/package/life.sh)."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

from furrow_testing import BINARY, ROOT, TestCase, main, skip_all, wait_for

PROGRAM_BYTES_MAX = 4 << 20
# On every Debian 12 and 13, or with updates of Debian's own.
NEEDED = {"libc6", "libgcc-s1", "libsqlite3-0", "libssl3", "libstdc++6", "systemd-standalone-sysusers"}

PACKAGE = pathlib.Path(os.environ.get("FURROW_PACKAGE", ""))
if not PACKAGE.is_file():
    skip_all("FURROW_PACKAGE names no package: systemd/package.sh builds one")


def output(*command, **settings):
    return subprocess.run([str(one) for one in command], check=True, capture_output=True, text=True, **settings).stdout


def field(name):
    return output("dpkg-deb", "--field", PACKAGE, name).strip()


class ContentsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.root = pathlib.Path(tempfile.mkdtemp(prefix="furrow-package-"))
        cls.addClassCleanup(shutil.rmtree, cls.root)
        output("dpkg-deb", "--raw-extract", PACKAGE, cls.root)
        cls.program = cls.root / "usr/bin/furrow"
        cls.doc = cls.root / "usr/share/doc/furrow"

    def test_the_program_is_small_and_does_not_tell_where_it_was_built(self):
        program = self.program.read_bytes()
        self.assertLessEqual(len(program), PROGRAM_BYTES_MAX)
        self.assertNotIn(str(ROOT).encode(), program)
        self.assertIn(b"\0gateway/clock.cc\0", program)  # as the message of a failed check names a place

    def test_the_program_is_the_one_that_is_tested(self):
        """Without its symbols it is BINARY."""
        stripped = self.root / "stripped"
        output("strip", "--strip-unneeded", "--remove-section=.comment", "-o", stripped, BINARY)
        self.addCleanup(stripped.unlink)
        self.assertEqual(stripped.read_bytes(), self.program.read_bytes(),
                         "build the package again: systemd/package.sh")

    def test_it_needs_what_every_machine_has(self):
        self.assertEqual({one.split()[0] for one in field("Depends").split(", ")}, NEEDED)

    def test_checksums_are_those_of_the_files(self):
        sums = {path: checksum for checksum, path in
                (line.split() for line in (self.root / "DEBIAN/md5sums").read_text().splitlines())}
        files = {str(one.relative_to(self.root)) for one in self.root.rglob("*")
                 if one.is_file() and "DEBIAN" not in one.parts}
        self.assertEqual(set(sums), files - {"etc/furrow/furrow.yaml"})  # which dpkg itself watches
        for path, checksum in sums.items():
            self.assertEqual(hashlib.md5((self.root / path).read_bytes()).hexdigest(), checksum, path)

    def test_lintian_has_nothing_to_say(self):
        self.assertIsNotNone(shutil.which("lintian"), "lintian is not installed")
        found = subprocess.run(["lintian", "--allow-root", "--fail-on=error,warning", PACKAGE],
                               capture_output=True, text=True, check=False)
        self.assertEqual((found.returncode, found.stdout), (0, ""), found.stderr)

    def test_the_bill_of_materials_has_all_that_is_linked(self):
        bill = json.loads((self.doc / "furrow.spdx.json").read_text())
        self.assertEqual(bill["spdxVersion"], "SPDX-2.3")
        packages = {one["SPDXID"]: one for one in bill["packages"]}
        self.assertEqual(packages["SPDXRef-furrow"]["checksums"][0]["checksumValue"],
                         hashlib.sha256(self.program.read_bytes()).hexdigest())
        linked = {packages[one["relatedSpdxElement"]]["name"] for one in bill["relationships"]
                  if one["relationshipType"] == "STATIC_LINK"}
        self.assertEqual(linked, {"libhttp-parser-dev", "libuv1-dev", "libyaml-cpp-dev"})
        copyrights = (self.doc / "copyright").read_text()
        for name in linked:
            self.assertIn(f"\n{name.removesuffix('-dev')}:\n", copyrights)

    def complete(self, line):
        """What bash offers at the end of `line`."""
        words = line.split(" ")
        script = (f'source "{self.root}/usr/share/bash-completion/completions/furrow"\n'
                  f'COMP_WORDS=("$@") COMP_CWORD={len(words) - 1}\n_furrow\nprintf "%s\\n" "${{COMPREPLY[@]}}"')
        return output("bash", "-c", script, "bash", *words).split()

    def test_bash_completes_commands_and_options(self):
        self.assertEqual(self.complete("furrow ch"), ["check"])
        self.assertEqual(self.complete("furrow certs i"), ["init", "issue"])
        self.assertEqual(self.complete("furrow demo --ou"), ["--outage"])
        self.assertEqual(self.complete("furrow help pas"), ["passwd"])
        self.assertEqual(self.complete("furrow run "), [])  # files, by bash itself
        self.assertNotIn("--version", self.complete("furrow "))

    def test_avahi_is_told_of_a_service(self):
        service = xml.etree.ElementTree.parse(self.doc / "examples/avahi.service").find("service")
        self.assertEqual((service.findtext("type"), service.findtext("port")), ("_mqtt._tcp", "1883"))


class Fail2banTest(TestCase):
    def test_the_filter_finds_who_fails_to_log_in(self):
        said = re.search(r"^failregex = (.*)$", (ROOT / "systemd/examples/fail2ban-filter.conf").read_text(), re.M)[1]
        pattern = re.compile(said.replace("<HOST>", r"(?P<host>\S+)"))
        passwords = self.folder / "passwords"
        output(BINARY, "passwd", passwords, "ann", "--stdin", input="right\n")
        barn = self.gateway(f"access: {{password_file: {passwords}}}\n"
                            'listeners: [{bind: 127.0.0.1:0, name: lan}]\n').start()
        forged = 'x login.failed listener=lan address=192.0.2.1 user='
        for user in ("ann", forged):
            subprocess.run(["mosquitto_pub", "-h", "127.0.0.1", "-p", str(barn.port), "-u", user, "-P", "wrong",
                            "-t", "a", "-m", "b"], check=False, capture_output=True)
        lines = wait_for("two lines", lambda: len(found := re.findall(".*login[.]failed.*", barn.log())) == 2 and found)
        for line in lines:
            self.assertEqual(pattern.search("barn-7 furrow[99]: " + line)["host"], "127.0.0.1", line)
        self.assertIsNone(pattern.search(lines[1].replace("address=127.0.0.1 ", "address=\"a unix socket\" ")))


class LifeTest(unittest.TestCase):
    def test_install_serve_bridge_kill_upgrade_remove_purge(self):
        if os.geteuid() != 0:
            self.skipTest("only root can install a package")
        folder = pathlib.Path(tempfile.mkdtemp(prefix="furrow-life-"))
        self.addCleanup(shutil.rmtree, folder)
        output("dpkg-deb", "--raw-extract", PACKAGE, folder / "old")
        control = folder / "old/DEBIAN/control"
        control.write_text(control.read_text().replace(f"\nVersion: {field('Version')}\n", "\nVersion: 0.0.1\n"))
        output("dpkg-deb", "--root-owner-group", "-Znone", "--build", folder / "old", folder / "old.deb")
        shutil.rmtree(folder / "old")
        shutil.copy(PACKAGE, folder / "new.deb")
        shutil.copy(ROOT / "tests/package/life.sh", folder)
        life = ["/furrow-test/life.sh", "/furrow-test/old.deb", "/furrow-test/new.deb"]
        done = subprocess.run([ROOT / "tests/package/overlay.sh", folder, *life], capture_output=True, text=True,
                              timeout=280, check=False)
        if done.returncode == 77:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("== all of it", done.stdout)


if __name__ == "__main__":
    main()
