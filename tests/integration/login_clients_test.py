"""How clients log in: passwords of furrow and of Mosquitto, who is refused and what the log says of it, a file that
changes, sessions of others, and a storm of logins."""

import os
import re
import select
import socket
import struct
import subprocess

import wire
from furrow_testing import V3_1_1, V5, Client, TestCase, main, run_furrow, wait_for

ACCESS = "access: {{anonymous: {anonymous}, password_file: {file}}}\n"


def connect_packet(client_id, user=None, password=None, level=5):
    flags = 0x02 | (0x80 if user is not None else 0) | (0x40 if password is not None else 0)
    body = wire.field(b"MQTT") + bytes([level, flags]) + struct.pack(">H", 60) + wire.property_block(b"", level)
    body += wire.field(client_id)
    for one in (user, password):
        if one is not None:
            body += wire.field(one)
    return wire.packet(wire.CONNECT, body)


class LoginCase(TestCase):
    def start(self, anonymous="false", settings=""):
        self.file = self.folder / "passwords"
        self.set_password("ann", "secret")
        self.barn = self.gateway(ACCESS.format(anonymous=anonymous, file=self.file) + settings).start()

    def set_password(self, user, password, *options):
        done = run_furrow("passwd", self.file, user, "--stdin", *options, input=password + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)

    def connack(self, packet):
        """The reason code, or return code, that a CONNECT is answered with."""
        with socket.create_connection(("127.0.0.1", self.barn.port), 30) as one:
            one.sendall(packet)
            answer = one.recv(4)
            self.assertEqual(answer[0], wire.CONNACK)
            return answer[3]

    def mosquitto_pub(self, *arguments):
        command = ("mosquitto_pub", "-h", "127.0.0.1", "-p", str(self.barn.port), "-t", "farm/1", "-m", "on")
        return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60, check=False)

    def failed(self):
        return re.findall(r"login\.failed .*", self.barn.log())


class LoginTest(LoginCase):
    def test_only_the_right_password_lets_in(self):
        self.start()
        self.assertEqual(self.mosquitto_pub("-u", "ann", "-P", "secret").returncode, 0)
        for version, wrong, none in ((5, 0x86, 0x87), (4, 4, 5)):
            self.assertEqual(self.connack(connect_packet(b"a", b"ann", b"guess", version)), wrong)
            self.assertEqual(self.connack(connect_packet(b"a", b"eve", b"secret", version)), wrong)
            self.assertEqual(self.connack(connect_packet(b"a", b"ann", None, version)), wrong)
            self.assertEqual(self.connack(connect_packet(b"a", None, None, version)), none)
        self.assertNotEqual(self.mosquitto_pub("-u", "ann", "-P", "guess").returncode, 0)

    def test_a_wrong_password_is_refused_where_anonymous_may(self):
        self.start("true")
        self.assertEqual(self.mosquitto_pub().returncode, 0)
        self.assertEqual(self.mosquitto_pub("-u", "ann", "-P", "secret").returncode, 0)
        self.assertNotEqual(self.mosquitto_pub("-u", "ann", "-P", "guess").returncode, 0)
        self.assertNotEqual(self.mosquitto_pub("-u", "eve", "-P", "secret").returncode, 0)
        self.assertNotEqual(self.mosquitto_pub("-u", "ann").returncode, 0)

    def test_the_line_that_fail2ban_waits_for(self):
        self.start()
        self.connack(connect_packet(b"a", b"ann", b"geheim"))
        self.connack(connect_packet(b"a", "x\u202e\" y".encode(), b"geheim"))
        self.connack(connect_packet(b"a"))
        lines = wait_for("three lines", lambda: len(self.failed()) == 3 and self.failed())
        self.assertEqual(lines[0], "login.failed listener=mqtt address=127.0.0.1 user=ann reason=wrong_password "
                                   "unlogged=0")
        self.assertRegex(lines[1], r'^login\.failed listener=mqtt address=127\.0\.0\.1 user=".*\\+u202e.*" '
                                   r"reason=unknown_user unlogged=0$")
        self.assertRegex(lines[2], r'address=127\.0\.0\.1 user="?"? reason=no_credentials unlogged=0$')
        self.assertNotIn("geheim", self.barn.log())

    def test_names_with_control_characters_are_refused(self):
        self.start("true")
        for packet in (connect_packet(b"a\nb"), connect_packet(b"a", b"an\x1b[2Jn", b"secret")):
            with socket.create_connection(("127.0.0.1", self.barn.port), 30) as one:
                one.sendall(packet)
                self.assertEqual(one.recv(4)[3:4], b"\x81")
        self.assertNotIn("\x1b", self.barn.log())

    def test_a_file_of_mosquitto_passwd(self):
        self.file = self.folder / "passwords"
        self.file.touch(0o600)
        for user in ("ann", "bob"):
            subprocess.run(["mosquitto_passwd", "-b", self.file, user, "secret"], check=True, capture_output=True)
        self.set_password("carl", "own")  # both kinds in one file
        self.barn = self.gateway(ACCESS.format(anonymous="false", file=self.file)).start()
        self.assertIn("$7$", self.file.read_text())
        for user, password in (("ann", "secret"), ("bob", "secret"), ("carl", "own")):
            self.assertEqual(self.mosquitto_pub("-u", user, "-P", password).returncode, 0, user)
        self.assertNotEqual(self.mosquitto_pub("-u", "carl", "-P", "secret").returncode, 0)

    def test_the_file_may_change_while_the_gateway_runs(self):
        self.start()
        self.assertEqual(self.connack(connect_packet(b"a", b"ann", b"secret")), 0)
        self.set_password("ann", "another")
        self.set_password("bob", "new")
        wait_for("ann's new password", lambda: self.connack(connect_packet(b"a", b"ann", b"another")) == 0)
        self.assertEqual(self.connack(connect_packet(b"a", b"ann", b"secret")), 0x86)
        self.assertEqual(self.connack(connect_packet(b"b", b"bob", b"new")), 0)
        self.file.write_text(self.file.read_text() + "eve\n")
        wait_for("the log says where", lambda: self.connack(connect_packet(b"a", b"ann", b"another")) == 0
                 and "passwords:3: the line is not USER:HASH" in self.barn.log())
        self.assertEqual(run_furrow("passwd", self.file, "ann", "--delete").returncode, 1)  # the line of eve first
        self.file.write_text(self.file.read_text().replace("eve\n", ""))
        self.assertEqual(run_furrow("passwd", self.file, "ann", "--delete").returncode, 0)
        wait_for("ann is gone", lambda: self.connack(connect_packet(b"a", b"ann", b"another")) == 0x86)

    def test_the_session_of_another_user(self):
        self.start("true")
        self.set_password("bob", "secret")
        owner = Client(self.barn.port, "pump", V3_1_1, clean=False)
        owner.paho.username_pw_set("ann", "secret")
        with owner:
            owner.subscribe("farm/#", 1)
            for user, password in ((b"bob", b"secret"), (None, None)):
                self.assertEqual(self.connack(connect_packet(b"pump", user, password)), 0x87)
                self.assertEqual(self.connack(connect_packet(b"pump", user, password, 4)), 5)
            self.mosquitto_pub("-q", "1")
            self.assertEqual(owner.take(1)[0].payload, b"on")
            self.assertIsNone(owner.disconnected)
        self.barn.crash()
        self.barn.start()
        self.assertEqual(self.connack(connect_packet(b"pump", b"bob", b"secret")), 0x87)
        self.assertEqual(self.connack(connect_packet(b"pump", b"ann", b"secret")), 0)

    def test_what_does_not_start(self):
        self.file = self.folder / "passwords"
        self.set_password("ann", "secret")
        self.file.chmod(0o644)
        barn = self.gateway(ACCESS.format(anonymous="false", file=self.file))

        def break_it():
            self.file.chmod(0o600)
            self.file.write_text("ann:x\n")

        for change, said in ((lambda: None, "chmod 600"), (break_it, "passwords:1: user 'ann': there is no hash"),
                             (self.file.unlink, "No such file")):
            change()
            done = run_furrow("check", barn.config_path)
            self.assertEqual(done.returncode, 2)
            self.assertIn(said, done.stdout)
            done = run_furrow("run", barn.config_path)
            self.assertEqual(done.returncode, 1)
            self.assertIn(said, done.stdout + done.stderr)


class PasswdTest(LoginCase):
    def furrow(self, *arguments, password=None):
        done = run_furrow("passwd", self.file, *arguments, input=None if password is None else password + "\n")
        return done.returncode, done.stdout, done.stderr

    def setUp(self):
        self.file = self.folder / "passwords"

    def test_a_life_of_a_file(self):
        self.assertEqual(self.furrow("ann", "--stdin", password="secret")[0], 0)
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        self.assertNotIn("secret", self.file.read_text())
        self.assertEqual(self.furrow("ann", "--check", "--stdin", password="secret")[0], 0)
        self.assertEqual(self.furrow("ann", "--check", "--stdin", password="Secret")[0], 1)
        self.assertEqual(self.furrow("bob", "--check", "--stdin", password="secret")[0], 1)
        self.file.write_text("# the barn\n" + self.file.read_text())
        self.assertEqual(self.furrow("bob smith", "--stdin", password="")[0], 0)  # an empty password is one
        self.assertEqual(self.furrow("", "--stdin", password="x")[0], 0)  # and so is an empty name
        self.assertEqual(self.furrow("ann", "--stdin", password="other")[0], 0)
        self.assertEqual(self.furrow("--list")[1], "\nann\nbob smith\n")
        self.assertTrue(self.file.read_text().startswith("# the barn\nann:$scrypt$"))
        self.assertEqual(self.furrow("ann", "--delete")[0], 0)
        self.assertEqual(self.furrow("ann", "--delete")[0], 1)
        self.assertEqual(self.furrow("--list")[1], "\nbob smith\n")

    def test_a_symbolic_link_stays_one(self):
        (self.folder / "real").mkdir()
        self.furrow("ann", "--stdin", password="secret")
        real = self.file.rename(self.folder / "real/passwords")
        self.file.symlink_to(real)
        self.assertEqual(self.furrow("bob", "--stdin", password="secret")[0], 0)
        self.assertTrue(self.file.is_symlink())
        self.assertIn("bob", real.read_text())
        self.assertEqual(os.listdir(self.folder / "real"), ["passwords"])

    def test_mistakes(self):
        for arguments, code, said in ((("a:b", "--stdin"), 2, "has a ':' in it"), (("ann",), 1, "--stdin"),
                                      ((), 2, "the user is missing"), (("ann", "--list"), 2, "takes no USER"),
                                      (("ann", "--delete", "--check"), 2, "exclude"), (("--list",), 1, "No such file")):
            done = self.furrow(*arguments, password="x" if "--stdin" in arguments else "")
            self.assertEqual(done[0], code, f"{arguments}: {done}")
            self.assertIn(said, done[2])
        self.file.write_text("ann\n")
        self.file.chmod(0o600)
        self.assertIn("passwords:1:", self.furrow("bob", "--stdin", password="x")[2])
        self.assertEqual(self.file.read_text(), "ann\n")


class StormTest(LoginCase):
    def test_others_publish_while_a_fleet_logs_in(self):
        self.start("true", "limits: {connect_timeout: 60s}\n")
        publisher = Client(self.barn.port, "publisher", V5)
        with publisher, Client(self.barn.port, "reader") as reader:
            reader.subscribe("farm/#", 1)
            fleet = [socket.create_connection(("127.0.0.1", self.barn.port)) for _ in range(200)]
            for i, one in enumerate(fleet):
                # Half of it guesses, which is checked one by one; the other half is right, which is checked once.
                password = b"secret" if i % 2 else b"guess %d" % i
                one.sendall(connect_packet(b"sensor-%d" % i, b"ann", password))
            done = 0
            while any(not select.select([one], [], [], 0)[0] for one in fleet[1::2]) and done < 10_000:
                publisher.publish("farm/1", str(done), 1)
                done += 1
            self.assertGreater(done, 0)
            publisher.publish("farm/1", "last", 1)
            reader.wait("the last message", lambda: reader.payloads()[-1:] == ["last"])
            self.assertEqual(len(reader.messages), done + 1)
            right = {one.recv(4)[3] for one in fleet[1::2]}
            self.assertEqual(right, {0})
            for one in fleet:
                one.close()
        self.assertIn("ready", self.barn.log())


if __name__ == "__main__":
    main()
