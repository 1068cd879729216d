"""furrow import: what it makes of a mosquitto.conf passes the check, and does what Mosquitto does with the original."""

import getpass
import gzip
import os
import pathlib
import shutil
import stat
import subprocess

from furrow_testing import V3_1_1, Client, Mosquitto, TestCase, main, run_furrow, wait_for

EXAMPLES = ("/etc/mosquitto/mosquitto.conf", "/usr/share/doc/mosquitto/examples/mosquitto.conf",
            "/usr/share/doc/mosquitto/examples/mosquitto.conf.gz")

# Configurations as people have them; {folder} has the files that they name.
HOME = """\
# a home automation
listener 1883
allow_anonymous false
password_file {folder}/passwd
persistence true
persistence_location /mosquitto/data/
log_dest stdout
max_queued_messages 2000
"""
FIELD = """\
pid_file /run/mosquitto.pid
listener 1883 127.0.0.1
allow_anonymous true
listener 8883
cafile {folder}/ca.crt
certfile {folder}/server.crt
keyfile {folder}/server.key
require_certificate true
use_identity_as_username true
tls_version tlsv1.2
listener 8884
psk_hint sensors
psk_file {folder}/sensors.psk
use_identity_as_username true
listener 9001
protocol websockets
acl_file {folder}/acl
include_dir {folder}/conf.d
"""
OFFICE = """\
per_listener_settings true
listener 1883 localhost
allow_anonymous true
listener 8883 0.0.0.0
certfile /nowhere/server.crt
keyfile /nowhere/server.key
password_file {folder}/passwd
acl_file {folder}/acl
listener 0 /tmp/mosquitto.sock
allow_anonymous true
"""
UPLINK = """\
connection cloud
address region.example.org:8883 other.example.org:8883
bridge_capath /etc/ssl/certs
bridge_insecure false
remote_clientid barn-7
remote_username barn
remote_password open sesame
try_private false
notifications false
start_type automatic
topic farm/# out 1 "" us/barn-7/
topic command/# in 1 "" us/barn-7/
topic status both 2 here/ there/
queue_qos0_messages true
"""

ACL = """\
topic read public/#
topic deny public/secret
user ann
topic readwrite ann/#
topic deny ann/locked/#
topic write shared/in
topic end/ann
user bob
topic deny public/#
topic #
topic read $SYS/broker/version
user c+d
topic end/cd
topic write ann/x
pattern deny shared/%u/no
pattern readwrite shared/%u/#
pattern read id/%c/+
pattern read public/+
pattern write end/nobody
"""
USERS = ("root", "ann", "bob", "c+d", "eve")
TOPICS = (
    "public", "public/a", "public/secret", "public/a/b", "ann", "ann/x", "ann/locked", "ann/locked/y", "shared/in",
    "shared/ann/x", "shared/ann/no", "shared/bob/x", "shared/bob/no", "shared/eve/x", "id/dev/x", "id/dev/x/y",
    "id/dev2/x", "elsewhere")
# Who asks: a user or none, and a client identifier.
CLIENTS = ((None, "dev"), ("ann", "dev"), ("bob", "dev2"), ("c+d", "dev"), ("eve", "x+y"), ("eve", "dev"))


class Original(Mosquitto):
    """A Mosquitto with a whole configuration of its own, in which {port} is the port of its first listener."""

    def __init__(self, name, folder, text):
        super().__init__(name, folder)
        self.text = text
        self.config_path = self.folder / f"{name}.conf"

    def start(self):
        # root's Mosquitto becomes another user, who could not read the test's files
        self.config_path.write_text(self.text.replace("{port}", str(self.port)) + f"user {getpass.getuser()}\n")
        self.spawn(shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin"), "-c", self.config_path)
        wait_for("mosquitto accepts", self.accepts)
        return self


class ImportTestCase(TestCase):
    def setUp(self):
        self.output = self.folder / "furrow.yaml"

    def write(self, name, text, mode=0o644):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def write_passwords(self, *users):
        path = self.write("passwd", "", 0o600)
        for user in users:
            subprocess.run(["mosquitto_passwd", "-b", path, user, f"pw-{user}"], check=True, capture_output=True)
        return path

    def imported(self, file, *arguments):
        """What the import says, once the result has passed the check."""
        result = run_furrow("import", file, "-o", self.output, *arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        checked = run_furrow("check", self.output)
        self.assertEqual(checked.returncode, 0, checked.stdout)
        self.assertIn(": no errors", checked.stdout)
        return result.stderr

    def furrow_instead_of(self, original):
        """A gateway with the imported configuration of a Mosquitto, on another port."""
        self.imported(original.config_path)
        gateway = self.gateway()
        text = self.output.read_text().replace(f"127.0.0.1:{original.port}", "127.0.0.1:0")
        gateway.config_path = self.write("moved.yaml", text)
        gateway.extra_arguments = ["--data", gateway.data]
        return gateway.start()

    def start(self, text):
        return self.own(Original("original", self.folder, text)).start()


class FilesTest(ImportTestCase):
    """Configurations that others have written, and such as others have."""

    def test_examples_of_mosquitto(self):
        examples = [pathlib.Path(one) for one in EXAMPLES if pathlib.Path(one).exists()]
        self.assertTrue(examples, "Debian's package has at least the one in /etc")
        for example in examples:
            text = gzip.open(example, "rt").read() if example.suffix == ".gz" else example.read_text()
            self.imported(self.write("example.conf", text), "--force")

    def test_configurations_as_people_have_them(self):
        self.write_passwords("ann", "bob")
        self.write("acl", ACL)
        self.write("sensors.psk", "sensor-1:" + "0123456789abcdef" * 2 + "\n", 0o600)
        self.write("conf.d/uplink.conf", UPLINK)
        for text in (HOME, FIELD, OFFICE, UPLINK):
            file = self.write("mosquitto.conf", text.format(folder=self.folder))
            said = self.imported(file, "--force")
            self.assertIn(f"{file}:", said)
            for line in said.splitlines()[:-1]:
                self.assertRegex(line, r"^\S+:(\d+:)?(\d+:)? (note: |warning: )?[\w.\[\]#' ]+.*: .", said)

    def test_standard_output_has_the_configuration_alone(self):
        file = self.write("mosquitto.conf", UPLINK)
        result = run_furrow("import", file)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertNotIn("sesame", result.stdout + result.stderr)
        self.assertIn("remote_password: the password of bridge 'cloud': write it to cloud.password", result.stderr)
        self.write("furrow.yaml", result.stdout)
        self.assertEqual(run_furrow("check", self.output).returncode, 0)
        self.assertIn(f"#  {file}:7: remote_password: ", result.stdout)

    def test_secrets_lie_beside_the_output(self):
        self.imported(self.write("mosquitto.conf", "listener 1883\n" + UPLINK))
        self.assertNotIn("sesame", self.output.read_text())
        for name, content in (("cloud.password", "open sesame\n"), ("passwords", "")):
            path = self.folder / name
            self.assertEqual(path.read_text(), content)
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)

    def test_nothing_is_written_over_without_force(self):
        file = self.write("mosquitto.conf", "listener 1883\n" + UPLINK)
        for name in ("furrow.yaml", "cloud.password"):
            there = self.write(name, "mine\n")
            result = run_furrow("import", file, "-o", self.output)
            self.assertEqual(result.returncode, 1)
            self.assertIn(f"{there} is there already; --force writes over it", result.stderr)
            self.assertEqual(there.read_text(), "mine\n")
            there.unlink()
            self.assertFalse((self.folder / "passwords").exists())
        users = self.write("passwords", "", 0o600)
        run_furrow("passwd", users, "ann", "--stdin", input="secret\n")
        before = users.read_text()
        self.imported(file, "--force")
        self.assertEqual(users.read_text(), before)  # an import knows no users to put in their place

    def test_mistakes(self):
        missing = run_furrow("import", self.folder / "gone.conf")
        self.assertEqual((missing.returncode, missing.stdout), (2, ""))
        self.assertRegex(missing.stderr, r"furrow: read .*gone\.conf: No such file or directory")
        self.assertEqual(run_furrow("import").returncode, 2)
        self.assertIn("did you mean 'import'?", run_furrow("imprt", "x").stderr)
        self.assertIn("MOSQUITTO.CONF", run_furrow("help", "import").stdout)
        itself = self.write("mosquitto.conf", "connection me\naddress 127.0.0.1:1883\ntopic # out 1\n")
        result = run_furrow("import", itself)
        self.assertEqual(result.returncode, 1)  # it says what is wrong, and the configuration is there to mend it
        self.assertIn("the result has the mistakes above", result.stderr)
        self.assertIn("bridges:", result.stdout)


class AccessTest(ImportTestCase):
    """The same clients at a Mosquitto with the original and at a furrow with the translation."""

    def start_both(self, anonymous):
        passwords = self.write_passwords(*USERS)
        acl = self.write("acl", ACL + "user root\ntopic #\n")
        original = self.start(f"listener {{port}} 127.0.0.1\nallow_anonymous {anonymous}\npassword_file {passwords}\n"
                              f"acl_file {acl}\n")
        return original, self.furrow_instead_of(original)

    def connected(self, port, user, client_id="dev", password=None):
        client = Client(port, client_id, V3_1_1)
        if user is not None:
            client.paho.username_pw_set(user, f"pw-{user}" if password is None else password)
        self.addCleanup(client.close)
        return client.connect()

    def may_connect(self, port, user, password):
        try:
            self.connected(port, user, "login", password).close()
        except AssertionError:
            return False
        return True

    def test_logins(self):
        for anonymous in ("true", "false"):
            with self.subTest(anonymous=anonymous):
                original, furrow = self.start_both(anonymous)
                answers = [[self.may_connect(port, user, password) for user, password in
                            ((None, None), ("ann", "pw-ann"), ("ann", "wrong"), ("nobody", "pw-ann"), ("bob", ""))]
                           for port in (original.port, furrow.port)]
                self.assertEqual(answers[0], answers[1])
                self.assertEqual(answers[0], [anonymous == "true", True, False, False, False])
                original.stop()
                furrow.stop()
                self.output.unlink()

    def written(self, port):
        """(user, identifier, topic) of each message that got through."""
        reader = self.connected(port, "root", "reader")
        reader.subscribe("#", 1)
        for user, client_id in CLIENTS:
            writer = self.connected(port, user, client_id)
            for topic in TOPICS:
                writer.publish(topic, f"{user} {client_id}", 1)
            writer.close()
        self.connected(port, "root", "end").publish("end", "", 1)
        reader.wait("the end", lambda: reader.payloads("end"))
        return sorted((one.payload.decode(), one.topic) for one in reader.messages if one.topic != "end")

    def read(self, port, grants_everything):
        """The same for what clients get that have subscribed to every single topic."""
        got = []
        for user, client_id in CLIENTS:
            client = self.connected(port, user, client_id)
            granted = [topic for topic in TOPICS if client.subscribe(topic, 1) < 0x80]
            writer = self.connected(port, "root", "writer")
            for topic in TOPICS:
                writer.publish(topic, "", 1)
            if grants_everything:
                # What Mosquitto has sent by now is here once it has answered what was asked behind it.
                client.subscribe("behind/everything", 1)
            else:
                client.take(len(granted))
            got += sorted((f"{user} {client_id}", one.topic) for one in client.messages)
            client.close()
            writer.close()
        return sorted(got)

    def test_messages(self):
        original, furrow = self.start_both("true")
        written = self.written(original.port)
        self.assertEqual(written, self.written(furrow.port))
        self.assertIn(("ann dev", "ann/x"), written)
        self.assertIn(("c+d dev", "ann/x"), written)
        self.assertNotIn(("ann dev", "ann/locked/y"), written)
        read = self.read(original.port, True)
        self.assertEqual(read, self.read(furrow.port, False))
        self.assertIn(("None dev", "public/a/b"), read)
        self.assertIn(("eve dev", "shared/eve/x"), read)
        self.assertNotIn(("eve x+y", "shared/eve/x"), read)
        self.assertNotIn(("bob dev2", "public/a"), read)


class BridgeTest(ImportTestCase):
    """The same bridge of a Mosquitto and of a furrow: what arrives at the region, and what comes down."""

    BRIDGE = """\
connection region
address 127.0.0.1:REGION
remote_clientid barn
cleansession true
restart_timeout 1
notifications false
topic farm/# out 1 "" us/barn/
topic command/# in 1 local/ us/barn/
topic both/+ both 1 here/ there/
topic "" out 1 a/b/temp x/temp
topic "" in 1 door outdoor
topic raw/# out 1
topic raw/x/# out 1 "" prefixed/
topic plain in 2
topic q0 out
"""
    UP = (
        "farm", "farm/1", "farm/1/2", "us/barn/farm/1", "here/both/1", "here/both/1/2", "both/1", "a/b/temp", "b/temp",
        "raw/1", "raw/x/1", "raw", "door", "plain", "q0", "elsewhere")
    DOWN = (
        "us/barn/command", "us/barn/command/x", "command/x", "there/both/2", "there/both/2/3", "here/both/2",
        "outdoor", "door", "plain", "plain/x", "farm/1", "x/temp", "raw/1")

    def crossed(self, near_port):
        """The topics at the region of what is published here, and the other way round."""
        near = self.client(near_port, "near", V3_1_1)
        far = self.client(self.region.port, "far", V3_1_1)
        for one in (near, far):
            one.subscribe("#", 1)
        wait_for("the bridge is there", lambda: self.reaches(near, "farm/probe", far, "us/barn/farm/probe"))
        wait_for("it has subscribed", lambda: self.reaches(far, "plain", near, "plain"))
        for topic in self.UP:
            near.publish(topic, f"up {topic}", 1)
        for topic in self.DOWN:
            far.publish(topic, f"down {topic}", 1)
        near.publish("farm/end", "end", 1)
        far.publish("us/barn/command/end", "end", 1)
        far.wait("the end here", lambda: "end" in far.payloads("us/barn/farm/end"))
        near.wait("the end there", lambda: "end" in near.payloads("local/command/end"))
        ups = sorted((one.payload.decode(), one.topic) for one in far.messages if one.payload.startswith(b"up "))
        downs = sorted((one.payload.decode(), one.topic) for one in near.messages if one.payload.startswith(b"down "))
        return ups, downs

    @staticmethod
    def reaches(source, topic, sink, arrives_on):
        source.publish(topic, "probe", 1)
        return "probe" in sink.payloads(arrives_on)

    def test_topics(self):
        self.region = self.mosquitto().start()
        original = self.start("listener {port} 127.0.0.1\nallow_anonymous true\n"
                              + self.BRIDGE.replace("REGION", str(self.region.port)))
        by_mosquitto = self.crossed(original.port)
        original.stop()
        furrow = self.furrow_instead_of(original)
        by_furrow = self.crossed(furrow.port)
        self.assertEqual(by_mosquitto, by_furrow)
        ups, downs = by_furrow
        self.assertIn(("up raw/x/1", "prefixed/raw/x/1"), ups)
        self.assertIn(("up a/b/temp", "x/temp"), ups)
        self.assertIn(("down outdoor", "door"), downs)
        self.assertIn(("down there/both/2", "here/both/2"), downs)


if __name__ == "__main__":
    main()
