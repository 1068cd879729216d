"""What the integration tests share: real processes on free loopback ports, MQTT clients, and a network that can be cut.

Everything lives in a temporary folder and ends with its test, whatever happened. A test that fails prints the log of
each of its processes and the command that repeats it.
"""

import contextlib
import getpass
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from ports import free_port


def skip_all(reason):
    """Ends the program as skipped: CTest and tests/run.sh know the line and the exit code."""
    print(f"{pathlib.Path(sys.argv[0]).stem} ... skipped '{reason}'")
    sys.exit(77)


try:
    import paho.mqtt.client as paho
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties
except ImportError:
    skip_all("python3-paho-mqtt is not installed")
for program in ("mosquitto", "mosquitto_pub", "mosquitto_sub"):
    if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin") is None:
        skip_all(f"{program} is not installed")

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("FURROW_BINARY", ROOT / "build/release/furrow")).resolve()
PATIENCE = 60.0  # seconds until something that must happen counts as not happening; a loaded machine is slow

V3_1_1 = paho.MQTTv311
V5 = paho.MQTTv5
# paho-mqtt 2 asks which form of callbacks is meant; paho-mqtt 1 (Debian 12) knows that one only.
CALLBACKS = {"callback_api_version": paho.CallbackAPIVersion.VERSION1} if hasattr(paho, "CallbackAPIVersion") else {}
VERSION_NAMES = {V3_1_1: "3.1.1", V5: "5"}


def wait_for(what, condition, seconds=PATIENCE):
    """Returns the first true result of `condition`; fails the test with `what` when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


def properties(packet_type, **values):
    """MQTT 5 properties by their names in paho: `MessageExpiryInterval=10`."""
    result = Properties(packet_type)
    for name, value in values.items():
        setattr(result, name, value)
    return result


class Process:
    """A program with its output in a file, so that it can be read while the program runs and after it was killed."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(exist_ok=True)
        self.log_path = self.folder / f"{name}.log"
        self.environment = {}  # beside that of the test
        self.popen_settings = {}
        self.process = None

    def spawn(self, *arguments):
        with open(self.log_path, "ab") as log:
            self.log_start = log.tell()
            self.process = subprocess.Popen(
                [str(argument) for argument in arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=os.environ | self.environment, **self.popen_settings)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def log(self, whole=False):
        """What it wrote since its last start, or since the first."""
        if not self.log_path.exists():
            return ""
        with open(self.log_path, "rb") as log:
            log.seek(0 if whole else self.log_start)
            return log.read().decode("utf-8", "replace")

    def stop(self):
        """A clean stop; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired as expired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop within {PATIENCE:g} s of SIGTERM") from expired

    def kill(self):
        if self.running():
            self.process.kill()
            self.process.wait()


class Gateway(Process):
    """`furrow run` with a configuration of its own; a restart keeps the data and takes a new port."""

    def __init__(self, name, folder, config, status_interval="1s", status=""):
        super().__init__(name, folder)
        self.config_path = self.folder / f"{name}.yaml"
        self.data = self.folder / f"{name}-data"
        self.extra_arguments = []
        own_listener = "" if "listeners:" in config else "listeners: [{bind: 127.0.0.1:0}]\n"
        self.config_path.write_text(
            f"gateway: {{id: {name}, data: {self.data}}}\n" + own_listener +
            f"status: {{interval: {status_interval}, {status}}}\n" + config)

    def spawn_run(self):
        self.spawn(BINARY, "run", "-c", self.config_path, *self.extra_arguments)

    def start(self):
        self.spawn_run()
        wait_for(f"gateway {self.name} is ready", self.ready)
        return self

    def ready(self):
        log = self.log()
        if not self.running():
            raise AssertionError(f"gateway {self.name} ended with {self.process.returncode}:\n{log}")
        return re.search(r"^\S+ info ready\b", log, re.MULTILINE)

    @property
    def port(self):
        return self.ports[0]

    @property
    def ports(self):
        """Of its listeners on loopback, in the order of the configuration."""
        return [int(one) for one in re.findall(r" listening .*\baddress=127\.0\.0\.1:(\d+)", self.log())]

    def crash(self):
        """kill -9: nothing of what is only in memory survives."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Mosquitto(Process):
    """A real regional broker. Sessions and messages survive stop(); its port stays the same."""

    SETTINGS = """
max_queued_messages 0
persistence true
queue_qos0_messages false
"""

    def __init__(self, name, folder, settings=""):
        super().__init__(name, folder)
        self.settings = settings
        self.data = self.folder / f"{name}-data"
        self.passwords = None  # the file with them, once there are any
        self.port = free_port()

    def set_password(self, user, password):
        """From the next start on, or the next reload(), only users with a password are let in."""
        self.passwords = self.folder / f"{self.name}.passwords"
        self.passwords.touch(0o600)
        subprocess.run(["mosquitto_passwd", "-b", self.passwords, user, password], check=True, capture_output=True)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        wait_for("mosquitto has reloaded", lambda: "Reloading config" in self.log())

    def start(self):
        self.data.mkdir(exist_ok=True)
        config = self.folder / f"{self.name}.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\npersistence_location {self.data}\n"
            f"user {getpass.getuser()}\n"  # else root's mosquitto becomes another user, who cannot write there
            + (f"allow_anonymous false\npassword_file {self.passwords}\n" if self.passwords
               else "allow_anonymous true\n")
            + self.SETTINGS + self.settings)
        self.spawn(shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin"), "-c", config)
        wait_for("mosquitto accepts", self.accepts)
        return self

    def accepts(self):
        if not self.running():
            raise AssertionError(f"mosquitto ended with {self.process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False


class Archive(Process):
    """A mosquitto_sub with a session that the broker keeps, which notes what it gets."""

    def __init__(self, name, folder, port, topic_filter, qos, version):
        super().__init__(name, folder)
        # Mosquitto 2.0.11 sends one QoS 2 message more than it was allowed now and then, and mosquitto_sub, which
        # allows the 20 that Mosquitto has in flight, ends for that.
        settings = ("-x", "-1", "-D", "connect", "receive-maximum", "1000") if version == "mqttv5" else ()
        self.command = ("mosquitto_sub", "-h", "127.0.0.1", "-p", port, "-V", version, "-i", name, "-c", *settings,
                        "-t", topic_filter, "-q", qos, "-F", "%t %p")

    def subscribe(self):
        """Makes the session and leaves."""
        self.spawn(*self.command, "-E")
        if self.process.wait(PATIENCE) != 0:
            raise AssertionError(f"{self.name} could not subscribe: {self.log()}")
        return self

    def start(self):
        """Comes to a broker that is up, and stays: one that finds nobody at its first attempt ends."""
        self.spawn("stdbuf", "-oL", *self.command, "-d")
        wait_for(f"{self.name} is let in", lambda: "received CONNACK (0)" in self.log())
        return self

    def arrivals(self):
        """A line "TOPIC PAYLOAD" for each message, in the order of arrival."""
        return [line for line in self.log(whole=True).splitlines() if not line.startswith(("Client ", "Subscribed "))]

    def payloads(self, topic):
        """What came on `topic`, in the order of arrival."""
        return [line[len(topic) + 1:] for line in self.arrivals() if line.startswith(topic + " ")]

    def wait_for_payload(self, topic, payload):
        wait_for(f"{payload} on {topic} at {self.name}", lambda: payload in self.payloads(topic))


class Client:
    """A paho client that records what it gets. Use as a context manager, or connect() and close()."""

    def __init__(self, port, client_id="", version=V5, clean=True, expiry=0xFFFFFFFF, will=None, keepalive=60,
                 transport="tcp"):
        self.port = port
        self.version = version
        self.clean = clean
        self.expiry = expiry
        self.keepalive = keepalive
        self.changed = threading.Condition()
        self.messages = []
        self.connack = None  # (session present, reason code)
        self.disconnected = None  # the reason code
        settings = {} if version == V5 else {"clean_session": clean}
        self.paho = paho.Client(client_id=client_id, protocol=version, reconnect_on_failure=False, transport=transport,
                                **CALLBACKS, **settings)
        self.paho.on_connect = lambda client, data, flags, reason, *rest: self.note(
            connack=(bool(flags["session present"]), number(reason)))
        self.paho.on_disconnect = lambda client, data, reason, *rest: self.note(disconnected=number(reason))
        self.paho.on_message = lambda client, data, message: self.note(message=message)
        self.paho.on_subscribe = lambda client, data, identifier, granted, *rest: self.note(
            suback=(identifier, [number(one) for one in granted]))
        self.subacks = {}
        if will is not None:
            self.paho.will_set(**will)

    def note(self, connack=None, disconnected=None, message=None, suback=None):
        with self.changed:
            if connack is not None:
                self.connack = connack
            if disconnected is not None:
                self.disconnected = disconnected
            if message is not None:
                self.messages.append(message)
            if suback is not None:
                self.subacks[suback[0]] = suback[1]
            self.changed.notify_all()

    def wait(self, what, condition, seconds=PATIENCE):
        with self.changed:
            if not self.changed.wait_for(condition, seconds):
                raise AssertionError(f"not within {seconds:g} s: {what}")

    def connect(self):
        self.connack = None
        self.disconnected = None
        settings = {}
        if self.version == V5:
            settings["clean_start"] = self.clean
            if not self.clean:
                settings["properties"] = properties(PacketTypes.CONNECT, SessionExpiryInterval=self.expiry)
        self.paho.connect("127.0.0.1", self.port, self.keepalive, **settings)
        self.paho.loop_start()
        self.wait("CONNACK", lambda: self.connack is not None or self.disconnected is not None)
        if self.connack is None or self.connack[1] != 0:
            raise AssertionError(f"CONNECT was answered with {self.connack}, {self.disconnected}")
        return self

    def close(self):
        """Disconnects; a persistent session stays."""
        self.paho.disconnect()
        self.paho.loop_stop()

    def drop(self):
        """Ends the network connection without a DISCONNECT."""
        self.paho.socket().shutdown(socket.SHUT_RDWR)
        self.wait("the connection is gone", lambda: self.disconnected is not None)

    def __enter__(self):
        return self.connect()

    def __exit__(self, *exception):
        self.close()

    def subscribe(self, topic_filter, qos=0, **settings):
        """Returns the granted QoS, or the reason code."""
        result, identifier = self.paho.subscribe(topic_filter, qos, **settings)
        assert result == paho.MQTT_ERR_SUCCESS, result
        self.wait(f"SUBACK for {topic_filter}", lambda: identifier in self.subacks)
        return self.subacks[identifier][0]

    def publish(self, topic, payload="", qos=0, retain=False, **settings):
        """Returns once it is acknowledged."""
        self.settle([self.paho.publish(topic, payload, qos, retain, **settings)])

    def publish_each(self, messages):
        """Publishes each (topic, payload, QoS) without waiting in between; returns once all are acknowledged."""
        self.settle([self.paho.publish(*one) for one in messages])

    def settle(self, publishes):
        for one in publishes:
            one.wait_for_publish(PATIENCE)
            if not one.is_published():
                raise AssertionError(f"not acknowledged within {PATIENCE:g} s")

    def take(self, count, seconds=PATIENCE):
        """The first `count` messages, as soon as there are so many."""
        self.wait(f"{count} messages", lambda: len(self.messages) >= count, seconds)
        return self.messages[:count]

    def payloads(self, topic=None):
        return [text(one) for one in self.messages if topic is None or one.topic == topic]


def number(reason):
    """paho gives a reason code as a number or as an object with one."""
    return getattr(reason, "value", reason)


def text(message):
    return message.payload.decode()


class StatusReader(Client):
    """Reads the status documents of a gateway. Each document of a bridge must have books that balance."""

    def __init__(self, gateway):
        super().__init__(gateway.port, "status-reader")

    def connect(self):
        super().connect()
        self.subscribe("$SYS/furrow/#")
        return self

    def documents(self, topic):
        return [json.loads(one.payload) for one in list(self.messages) if one.topic == f"$SYS/furrow/{topic}"]

    def wait_until(self, what, condition, topic="bridge/region", seconds=PATIENCE):
        """Returns the first document, from the last one on, that fulfils `condition`; those before it only count
        as latest."""
        def latest():
            documents = self.documents(topic)
            return documents[-1] if documents and condition(documents[-1]) else None
        try:
            return wait_for(what, latest, seconds)
        except AssertionError as failure:
            documents = self.documents(topic)
            raise AssertionError(f"{failure}; last status: {documents[-1] if documents else 'none'}") from None

    def assert_books_balance(self, topic="bridge/region"):
        documents = self.documents(topic)
        assert documents, f"no document on {topic}"
        for one in documents:
            assert_balanced(one)


def undelivered(document):
    """How many messages of a bridge wait or are in flight: what was sent into a link that is gone is the latter."""
    return document["backlog"]["messages"] + document["inflight"]


def assert_balanced(document):
    """Each message that a bridge has accepted is in one place."""
    where = (document["delivered"] + undelivered(document) + document["quarantined"]
             + document["expired"] + sum(document["dropped"].values()))
    assert document["accepted"] == where, f"accepted {document['accepted']}, found {where}: {document}"


class Proxy:
    """A TCP proxy on a free loopback port: a WAN that resets connections, or is gone."""

    def __init__(self, port):
        self.target = port
        self.cut_every = None  # reset all connections after so many bytes on their way to the target
        self.on_cut = None  # called after such a reset
        self.cuts = 0
        self.bytes_since_cut = 0
        self.lock = threading.Lock()
        self.pairs = []
        self.port = free_port()
        self.open()

    def open(self):
        """Accepts connections, at the same port again after close()."""
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        with contextlib.suppress(OSError):  # the listener was closed
            while True:
                near, _ = listener.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self.target))
                except OSError:
                    near.close()
                    continue
                with self.lock:
                    self.pairs.append((near, far))
                threading.Thread(target=self.pump, args=(near, far, True), daemon=True).start()
                threading.Thread(target=self.pump, args=(far, near, False), daemon=True).start()

    def pump(self, source, sink, counted):
        with contextlib.suppress(OSError):  # cut
            while data := source.recv(4096):
                if counted and self.count(len(data)):
                    return
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def count(self, size):
        """True when these bytes are lost in a cut."""
        self.bytes_since_cut += size
        if self.cut_every is None or self.bytes_since_cut < self.cut_every:
            return False
        self.cut()
        if self.on_cut is not None:
            self.on_cut()
        return True

    def cut(self):
        """Resets every connection, at both ends, with whatever is on its way."""
        with self.lock:
            self.cuts += 1
            self.bytes_since_cut = 0
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for one in pair:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                with contextlib.suppress(OSError):  # closed by its peer
                    one.shutdown(socket.SHUT_RD)  # wakes the other thread, which holds the socket in recv()
                one.close()

    def close(self):
        """The WAN is gone: connections are reset, and new ones refused."""
        with contextlib.suppress(OSError):  # closed already
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that holds it in accept()
        self.listener.close()
        self.cut()


def bridge(port, *rules, settings=""):
    """The bridge `region` to a broker on loopback, with quick reconnects; each rule as YAML's `{filter: …}`."""
    return "bridges:\n" + bridge_entry(port, *rules, settings=settings)


def bridge_entry(port, *rules, settings="", name="region"):
    """A bridge in the list of bridges."""
    lines = [f"  - name: {name}", f"    connect: mqtt://127.0.0.1:{port}",
             "    backoff: {initial: 50ms, max: 500ms}"]
    lines += [f"    {line}" for line in settings.splitlines()]
    lines += ["    topics:"] + [f"      - {rule}" for rule in rules]
    return "\n".join(lines) + "\n"


def publish_lines(port, topic, lines, qos=1, version="mqttv311"):
    """Starts a mosquitto_pub that publishes each line; it ends with 0 once the last one is acknowledged."""
    with tempfile.TemporaryFile("w+") as file:
        file.writelines(f"{line}\n" for line in lines)
        file.seek(0)
        return subprocess.Popen(
            ["mosquitto_pub", "-h", "127.0.0.1", "-p", str(port), "-t", topic, "-q", str(qos), "-V", version, "-l"],
            stdin=file, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run_furrow(*arguments, **settings):
    """Runs a command to its end."""
    return subprocess.run([str(BINARY), *(str(one) for one in arguments)], capture_output=True, text=True,
                          timeout=PATIENCE, check=False, **settings)


class TestCase(unittest.TestCase):
    """A temporary folder and processes that end with the test."""

    maxDiff = 2000
    repeat_with = {}  # environment variables that the test depends on

    def run(self, result=None):
        result = result or self.defaultTestResult()
        failed_before = len(result.failures) + len(result.errors)
        self.processes = []
        with tempfile.TemporaryDirectory(prefix="furrow-test-") as folder:
            self.folder = pathlib.Path(folder)
            super().run(result)
            if len(result.failures) + len(result.errors) > failed_before:
                self.print_evidence()
        return result

    def print_evidence(self):
        for process in self.processes:
            print(f"--- {process.name} ---\n{process.log(whole=True)[-20000:]}", file=sys.stderr)
        script = pathlib.Path(sys.argv[0]).resolve()
        test = f"{type(self).__name__}.{self._testMethodName}"
        settings = "".join(f" {name}={value}" for name, value in self.repeat_with.items())
        print(f"to repeat: FURROW_BINARY={BINARY}{settings} {sys.executable} {script} {test}", file=sys.stderr)

    def own(self, process):
        self.processes.append(process)
        self.addCleanup(process.kill)
        return process

    def gateway(self, config="", name="barn", **settings):
        return self.own(Gateway(name, self.folder, config, **settings))

    def mosquitto(self, settings="", name="region"):
        return self.own(Mosquitto(name, self.folder, settings))

    def archive(self, port, topic_filter, qos, version="mqttv5"):
        return self.own(Archive(f"archive-{version}", self.folder, port, topic_filter, qos, version)).subscribe()

    def proxy(self, port):
        proxy = Proxy(port)
        self.addCleanup(proxy.close)
        return proxy

    def client(self, port, *arguments, **settings):
        """A connected client, closed with the test."""
        client = Client(port, *arguments, **settings).connect()
        self.addCleanup(client.close)
        return client

    def status(self, gateway):
        reader = StatusReader(gateway).connect()
        self.addCleanup(reader.close)
        return reader

    def assert_published(self, *publishers):
        for one in publishers:
            output, _ = one.communicate(timeout=3 * PATIENCE)  # thousands of messages
            self.assertEqual(one.returncode, 0, output)


class CutOffTestCase(TestCase):
    """A gateway, not yet started, whose region is away until `wan.open()`; `reader` gets what arrives there."""

    def setUp(self):
        self.region = self.mosquitto().start()
        self.reader = self.client(self.region.port, "reader")
        self.reader.subscribe("us/#", 1)
        self.wan = self.proxy(self.region.port)
        self.wan.close()
        self.barn = self.gateway(bridge(self.wan.port, "{filter: farm/#, remote_prefix: us/}"))


def main():
    if not BINARY.exists():
        sys.exit(f"{BINARY} does not exist: build it, or name another with FURROW_BINARY")
    unittest.main(module="__main__", verbosity=2, warnings="ignore")  # paho leaves sockets to the garbage collector
