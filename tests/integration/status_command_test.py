"""`furrow status` against gateways that run, that do not, and that want to know who asks."""

import json
import os
import pty
import re
import subprocess

from furrow_testing import BINARY, PATIENCE, TestCase, bridge, free_port, main, run_furrow, wait_for
from pki import Authority

RULES = ("access:\n"
         "  anonymous: false\n"
         "  password_file: passwords\n"
         "  rules:\n"
         "    - {user: ann, subscribe: ['$SYS/#']}\n"
         "    - {everyone: true, publish: ['farm/#'], subscribe: ['farm/#']}\n")


class StatusCommandTest(TestCase):
    def setUp(self):
        self.port = free_port()

    def start(self, more=""):
        rules = bridge(free_port(), "{filter: farm/#}")
        self.barn = self.gateway(f"listeners: [{{bind: 127.0.0.1:{self.port}}}]\n{rules}{more}").start()
        return self.barn

    def run_status(self, *arguments):
        return run_furrow("status", *arguments)

    def test_the_table(self):
        barn = self.start()
        self.client(self.port, "sensor").publish_each([("farm/1", "x", 1)] * 3)
        wait_for("what is published is a second old at most",
                 lambda: re.search(r" backoff +3 ", self.run_status("-c", barn.config_path).stdout, re.DOTALL))
        shown = self.run_status("-c", barn.config_path)
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertNotIn("\x1b", shown.stdout, "no colours in a pipe")
        lines = shown.stdout.splitlines()
        self.assertLessEqual(max(len(one) for one in lines), 80)
        self.assertRegex(lines[0], r"  furrow \S+, up \d+ s, \d clients?, \d sessions?$")
        table = lines[lines.index("") + 1:]  # behind what this machine may have against its clock
        self.assertRegex(table[0], r"^BRIDGE +STATE +BACKLOG +SIZE +OLDEST +PER S +ETA +DELIVERED +DROPPED$")
        self.assertRegex(table[1], r"^region +backoff +3 +\d+ B +\d+ s +\d+\.\d +- +0 +0$")
        self.assertIn("connection refused", " ".join(table[2:]))

    def test_json_is_the_documents(self):
        barn = self.start()
        shown = self.run_status("--json", "--url", f"mqtt://127.0.0.1:{self.port}")
        self.assertEqual((shown.returncode, shown.stderr, shown.stdout.count("\n")), (0, "", 1))
        status = json.loads(shown.stdout)
        reader = self.status(barn)
        document = reader.wait_until("a document", lambda one: True)
        self.assertEqual(list(status["bridges"]["region"]), list(document))
        self.assertEqual(status["bridges"]["region"]["remote"], document["remote"])
        self.assertEqual(list(status["gateway"]), list(reader.wait_until("one", lambda one: True, "gateway")))

    def test_a_stopped_gateway(self):
        shown = self.run_status("--url", f"mqtt://127.0.0.1:{self.port}")
        self.assertEqual((shown.returncode, shown.stdout), (1, ""))
        self.assertRegex(shown.stderr,
                         rf"^furrow: the gateway at mqtt://127\.0\.0\.1:{self.port}: .*connection refused\n$")

    def test_a_gateway_that_speaks_tls_only(self):
        authority = Authority(self.folder / "pki")
        certificate, key = authority.issue("barn", "DNS:barn.example,IP:127.0.0.1")
        tls = f"tls: {{certificate: {certificate}, key: {key}}}"
        barn = self.gateway(f"listeners: [{{bind: 127.0.0.1:{self.port}, {tls}}}]\n").start()
        by_config = self.run_status("-c", barn.config_path)
        self.assertEqual((by_config.returncode, by_config.stderr), (0, ""), "its certificate is known")
        self.assertIn("furrow", by_config.stdout)
        url = f"mqtts://127.0.0.1:{self.port}"
        by_url = self.run_status("--url", url, "--ca", authority.certificate)
        self.assertEqual((by_url.returncode, by_url.stderr), (0, ""))
        stranger = self.run_status("--url", url)
        self.assertEqual((stranger.returncode, stranger.stdout), (1, ""))
        self.assertRegex(stranger.stderr, rf"^furrow: the gateway at {url}: .*certificate")

        other, other_key = authority.issue("other", "IP:127.0.0.1")
        barn.config_path.write_text(barn.config_path.read_text().replace(str(certificate), str(other))
                                    .replace(str(key), str(other_key)))
        impostor = self.run_status("-c", barn.config_path)  # what runs has another key than the configuration
        self.assertEqual(impostor.returncode, 1)
        self.assertIn("pin", impostor.stderr)

    def test_what_is_asked_wrongly(self):
        config = self.folder / "secure.yaml"
        config.write_text("listeners: [{bind: 127.0.0.1:0}]\n")
        for arguments, why in ((["--url", "http://127.0.0.1"], "--url: "),
                               (["--url", "ws://127.0.0.1"], "mqtt:// or mqtts://"),
                               (["-c", config], "give --url"),
                               (["-c", self.folder / "none.yaml"], "none.yaml"),
                               (["--password-from", "x"], "--username"),
                               (["--url", "mqtt://127.0.0.1", "--username", "a", "--password-from",
                                 self.folder / "none"], "--password-from: ")):
            with self.subTest(arguments=arguments):
                shown = self.run_status(*arguments)
                self.assertEqual((shown.returncode, shown.stdout), (2, ""))
                self.assertIn(why, shown.stderr)

    def test_a_gateway_that_wants_a_password(self):
        for user in ("ann", "bob"):
            run_furrow("passwd", self.folder / "passwords", user, "--stdin", input="secret\n")
        (self.folder / "right").write_text("secret\n")
        (self.folder / "wrong").write_text("guess\n")
        for name in ("right", "wrong"):
            (self.folder / name).chmod(0o600)
        barn = self.start(RULES)
        ask = ["-c", barn.config_path]
        nobody = self.run_status(*ask)
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("give --username and --password-from", nobody.stderr)
        wrong = self.run_status(*ask, "--username", "ann", "--password-from", self.folder / "wrong")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("does not take this user name and password", wrong.stderr)
        bob = self.run_status(*ask, "--username", "bob", "--password-from", self.folder / "right")
        self.assertEqual(bob.returncode, 1)
        self.assertIn("it does not let 'bob' read $SYS/furrow/#", bob.stderr)
        ann = self.run_status(*ask, "--username", "ann", "--password-from", self.folder / "right")
        self.assertEqual((ann.returncode, ann.stderr), (0, ""))
        self.assertIn("region", ann.stdout)

    def watch(self, *arguments, **settings):
        watcher = subprocess.Popen([str(BINARY), "status", "--watch", "--url", f"mqtt://127.0.0.1:{self.port}",
                                    *arguments], **settings)
        self.addCleanup(watcher.wait, PATIENCE)
        self.addCleanup(watcher.kill)
        return watcher

    def test_watch_in_a_pipe(self):
        barn = self.start()
        watcher = self.watch("--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(watcher.stdout.close)
        self.addCleanup(watcher.stderr.close)
        first = json.loads(watcher.stdout.readline())
        self.client(self.port, "sensor").publish("farm/1", "x", 1)
        wait_for("one waits", lambda: json.loads(watcher.stdout.readline())["bridges"]["region"]["accepted"] == 1)
        self.assertEqual(first["bridges"]["region"]["accepted"], 0)
        barn.stop()
        self.assertEqual(watcher.wait(PATIENCE), 1)
        self.assertRegex(watcher.stderr.read(), r"^furrow: the gateway at \S+: it ended the connection: .*\n$")

    def test_watch_on_a_terminal_redraws_in_place(self):
        self.start()
        for no_color in ("", "1"):
            near, far = pty.openpty()
            self.addCleanup(os.close, near)
            environment = {**os.environ, "TERM": "xterm", "NO_COLOR": no_color}
            watcher = self.watch(stdout=far, env=environment)
            os.close(far)
            shown = b""
            while shown.count(b"\x1b[H\x1b[J") < 3:
                shown += os.read(near, 65536)
            watcher.kill()
            self.assertTrue(shown.startswith(b"\x1b[H\x1b[J"))
            colours = re.findall(rb"\x1b\[\d+m", shown)
            self.assertEqual(bool(colours), not no_color, "colours on a terminal, unless NO_COLOR says no")


if __name__ == "__main__":
    main()
