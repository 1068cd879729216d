"""Clients that keep their half of a session over any crash, and a witness on the wire between two brokers.

A *stream* is the numbered messages of one publisher to one topic at one QoS; a payload says `STREAM NUMBER` and then
anything. All endpoints of a test share one loop on the thread of the test, so that a check which fails there fails the
test.
"""

import collections
import dataclasses
import selectors
import socket
import struct
import time

import wire
from furrow_testing import PATIENCE

# What was acknowledged so short a time before a break may come again, in seconds. furrow promises one; a busy machine
# is late.
RECENT = 5.0


class Loop:
    """Many sockets on one thread."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()

    def turn(self, seconds):
        for key, events in self.selector.select(max(seconds, 0)):
            key.data(events)

    def run_to(self, moment):
        while (left := moment - time.monotonic()) > 0:
            self.turn(left)

    def run_until(self, what, condition, progress=lambda: None):
        """Fails when there has been no progress for so long that there will be none."""
        before, end = None, 0
        while not condition():
            if (now := progress()) != before or not end:
                before, end = now, time.monotonic() + PATIENCE
            if time.monotonic() > end:
                raise AssertionError(f"not within {PATIENCE:g} s: {what() if callable(what) else what}")
            self.turn(0.02)


class Connection:
    """A socket on the loop: what comes goes to `on_data`, what is sent waits until there is room."""

    def __init__(self, loop, sock, on_data, on_close):
        self.loop = loop
        self.sock = sock
        self.on_data = on_data
        self.on_close = on_close
        self.output = bytearray()
        self.closed = False
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        loop.selector.register(sock, selectors.EVENT_READ, self.handle)

    def send(self, data):
        if not self.closed:
            self.output += data
            self.flush()

    def flush(self):
        try:
            del self.output[:self.sock.send(self.output)]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        self.loop.selector.modify(
            self.sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if self.output else 0), self.handle)

    def handle(self, events):
        if events & selectors.EVENT_READ and not self.closed:
            self.read()
        if events & selectors.EVENT_WRITE and not self.closed:
            self.flush()

    def read(self):
        try:
            data = self.sock.recv(16384)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.on_data(data)
        else:
            self.close()

    def close(self, reset=False):
        if self.closed:
            return
        self.closed = True
        self.loop.selector.unregister(self.sock)
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.on_close()


@dataclasses.dataclass
class Stream:
    name: str
    topic: str
    qos: int
    retain: bool = False
    sent: int = 0  # the number of the last message
    acknowledged: int = 0  # the highest number that the broker has taken over
    resent: collections.Counter = dataclasses.field(default_factory=collections.Counter)

    def payload(self, number, padding=0):
        return f"{self.name} {number} {'x' * padding}".encode()


def stream_and_number(payload):
    stream, number, _ = payload.split(b" ", 2)
    return stream.decode(), int(number)


class Arrivals:
    """What a receiver makes of what comes: at QoS 2 a packet identifier stands for one message until its PUBREL."""

    def __init__(self, name, qos=2, source=None):
        self.name = name
        self.qos = qos  # the highest at which anything comes
        self.source = source  # the arrivals where everything passes before it comes here; None: the publishers
        self.numbers = collections.defaultdict(list)  # stream: numbers in order of arrival
        self.incomplete = {}  # packet identifier of QoS 2: the message whose PUBREL has not come
        self.unacknowledged = {}  # packet identifier of QoS 1: message
        self.recent = collections.deque()  # (moment, message of QoS 1) as they are acknowledged
        self.total = 0
        # Message: how many connections or sessions ended with it under way, so that all its copies may come again.
        self.excused = collections.Counter()

    def publish(self, one):
        """Takes a wire.Publish."""
        message = stream_and_number(one.payload)
        if one.qos == 1:
            self.unacknowledged[one.identifier] = message
        elif one.qos == 2:
            if one.identifier in self.incomplete:
                before = self.incomplete[one.identifier]
                if before != message:
                    raise AssertionError(f"{self.name}: {message} uses packet identifier {one.identifier} of {before}, "
                                         "whose PUBREL has not come")
                return
            self.incomplete[one.identifier] = message
        self.numbers[message[0]].append(message[1])
        self.total += 1

    def acknowledge(self, identifier):
        """Sends a PUBACK; returns the message."""
        message = self.unacknowledged.pop(identifier, None)
        if message is not None:
            self.recent.append((time.monotonic(), message))
        return message

    def note_break(self):
        """The connection ended: what was in flight at QoS 1, or had been so recently, may come again."""
        while self.recent and self.recent[0][0] < time.monotonic() - RECENT:
            self.recent.popleft()
        self.excused.update({*self.unacknowledged.values(), *[message for _, message in self.recent]})
        self.unacknowledged.clear()

    def release(self, identifier):
        self.incomplete.pop(identifier, None)

    def forget(self):
        """The session is lost: what was incomplete may come once more."""
        self.excused.update(self.incomplete.values())
        self.incomplete.clear()

    def has_all(self, streams):
        return all(len(set(self.numbers[one.name])) >= one.sent for one in streams)

    def repeated(self, streams):
        """How many messages came more often than they were sent."""
        return sum(len(self.numbers[one.name]) - one.sent for one in streams)

    def sent_times(self, stream):
        """How often each number was sent here, for all that the receiver can tell."""
        if self.source is not None and stream.qos == 1:
            return collections.Counter(self.source.numbers[stream.name])
        once = collections.Counter(range(1, stream.sent + 1))
        return once if min(stream.qos, self.qos) == 2 else once + stream.resent

    def faults(self, streams):
        """What of the promise does not hold, in words: all there, first arrivals in order, QoS 2 once and QoS 1
        seldom again."""
        found = []
        for stream in streams:
            counts = collections.Counter(self.numbers[stream.name])
            missing = sorted(set(range(1, stream.sent + 1)) - set(counts))
            if missing:
                found.append(f"{self.name}: {stream.name} lacks {missing[:10]} of {stream.sent}")
            elif list(counts) != sorted(counts):
                before, after = next(pair for pair in zip(counts, list(counts)[1:]) if pair[0] > pair[1])
                found.append(f"{self.name}: {stream.name} has {before} before {after}")
            came_before = self.sent_times(stream)
            too_often = [number for number, count in counts.items()
                         if count > came_before[number] * (1 + self.excused[stream.name, number])]
            if too_often:
                found.append(f"{self.name}: {stream.name} has {too_often[:10]} too often")
        return found


class Peer:
    """A client of either version; its session outlives connections and brokers."""

    def __init__(self, loop, name, level, clean=False):
        self.loop = loop
        self.name = name
        self.level = level
        self.clean = clean
        self.connection = None
        self.online = False
        self.known = False  # the broker has said that it has the session

    def connect(self, port):
        """Does nothing when it is connected, or nobody listens."""
        if self.connection is not None:
            return
        try:
            sock = socket.create_connection(("127.0.0.1", port))
        except OSError:
            return
        self.input = b""
        self.connection = Connection(self.loop, sock, self.handle_data, self.handle_close)
        keep = b"" if self.clean or self.level < 5 else wire.property_field(wire.SESSION_EXPIRY, 0xFFFFFFFF)
        self.send(wire.connect(self.name.encode(), self.level, clean=self.clean, keepalive=0, properties=keep))

    def drop(self):
        """Ends the network connection without a DISCONNECT."""
        if self.connection is not None:
            self.connection.close()

    def send(self, data):
        if self.connection is not None:
            self.connection.send(data)

    def handle_data(self, data):
        packets, self.input = wire.split(self.input + data)
        for first_byte, body in packets:
            if self.connection is None:
                return
            self.handle(first_byte & 0xf0, first_byte, body)

    def handle_close(self):
        self.connection = None
        self.online = False

    def handle(self, kind, first_byte, body):
        if kind == wire.CONNACK:
            present, code = body[:2]
            if code != 0:
                raise AssertionError(f"{self.name}: CONNECT is refused with {code:#x}")
            if self.known and not present:
                raise AssertionError(f"{self.name}: the session is lost")
            self.known = not self.clean
            self.online = True
            self.handle_online()
        elif kind == wire.PUBLISH:
            self.handle_publish(wire.parse_publish(first_byte, body, self.level))
        elif kind == wire.DISCONNECT and body[:1] not in (b"", b"\0", b"\x8b"):  # 0x8b: the broker shuts down
            raise AssertionError(f"{self.name}: DISCONNECT {body[0]:#x}")
        else:
            self.handle_answer(kind, *struct.unpack(">H", body[:2]), body[2:])

    def handle_online(self):
        pass


class Publisher(Peer):
    """Publishes its streams with up to `window` in flight; what is unacknowledged comes again in a new connection."""

    def __init__(self, loop, name, level, streams, window, random):
        super().__init__(loop, name, level)
        self.streams = streams
        self.window = window
        self.random = random
        self.producing = True
        self.waiting = {}  # packet identifier: (stream, number, PUBLISH without and with DUP), not yet acknowledged
        self.released = []  # packet identifiers of QoS 2 whose PUBCOMP has not come
        self.last_identifier = 0

    @property
    def settled(self):
        return not self.waiting and not self.released

    def handle_online(self):
        for identifier in self.released:
            self.send(wire.acknowledgement(wire.PUBREL, identifier))
        for stream, number, _, again in self.waiting.values():
            stream.resent[number] += 1
            self.send(again)
        self.fill()

    def fill(self):
        while self.online and self.producing and len(self.waiting) + len(self.released) < self.window:
            self.publish(self.random.choice(self.streams))

    def publish(self, stream):
        while True:
            self.last_identifier = self.last_identifier % 0xffff + 1
            if self.last_identifier not in self.waiting and self.last_identifier not in self.released:
                break
        stream.sent += 1
        payload = stream.payload(stream.sent, self.random.choice((0, 20, 200, 2000)))
        plain, again = [wire.publish(stream.topic.encode(), payload, stream.qos, self.last_identifier, self.level,
                                     retain=stream.retain, dup=dup) for dup in (False, True)]
        self.waiting[self.last_identifier] = (stream, stream.sent, plain, again)
        self.send(plain)

    def handle_answer(self, kind, identifier, rest):
        if kind in (wire.PUBACK, wire.PUBREC):
            if rest[:1] >= b"\x80":
                raise AssertionError(f"{self.name}: a message is refused with {rest[0]:#x}")
            if identifier in self.waiting:  # else it was sent again, and is acknowledged again
                stream, number, *_ = self.waiting.pop(identifier)
                stream.acknowledged = max(stream.acknowledged, number)
                if kind == wire.PUBREC:
                    self.released.append(identifier)
            if kind == wire.PUBREC:
                self.send(wire.acknowledgement(wire.PUBREL, identifier))
        elif kind == wire.PUBCOMP and identifier in self.released:
            self.released.remove(identifier)
        self.fill()


class Subscriber(Peer):
    """Notes what comes, and acknowledges it."""

    def __init__(self, loop, name, level, topic_filter, qos, source=None):
        super().__init__(loop, name, level)
        self.topic_filter = topic_filter
        self.qos = qos
        self.subscribed = False
        self.arrivals = Arrivals(name, qos, source)

    def handle_online(self):
        if not self.subscribed:
            self.send(wire.subscribe(1, [(self.topic_filter.encode(), self.qos)], self.level))

    def handle_close(self):
        super().handle_close()
        self.arrivals.note_break()

    def handle_publish(self, one):
        self.arrivals.publish(one)
        self.arrivals.acknowledge(one.identifier)
        if one.qos:
            self.send(wire.acknowledgement(wire.PUBACK if one.qos == 1 else wire.PUBREC, one.identifier))

    def handle_answer(self, kind, identifier, rest):
        if kind == wire.SUBACK:
            if rest[-1] != self.qos:
                raise AssertionError(f"{self.name}: SUBACK {rest[-1]:#x}")
            self.subscribed = True
        elif kind == wire.PUBREL & 0xf0:
            self.arrivals.release(identifier)
            self.send(wire.acknowledgement(wire.PUBCOMP, identifier))


class Reader(Peer):
    """Reads topics at QoS 0 in a session of one connection: the retained value of each, and everything that comes."""

    def __init__(self, loop, name, filters):
        super().__init__(loop, name, 5, clean=True)
        self.filters = filters
        self.retained = {}
        self.values = collections.defaultdict(list)

    def handle_online(self):
        self.send(wire.subscribe(1, [(one.encode(), 0) for one in self.filters]))

    def handle_publish(self, one):
        if one.retain:
            self.retained[one.topic] = one.payload
        self.values[one.topic].append(one.payload)

    def handle_answer(self, kind, identifier, rest):
        pass


class Tap:
    """A WAN that can be cut, and a witness there: a proxy between a bridge and its far broker that reads what passes.

    Its `arrivals` are those of a far broker that takes whatever reaches this place. They do not depend on what the real
    one does with it, or forgets.
    """

    def __init__(self, loop, name, target):
        self.loop = loop
        self.target = target
        self.arrivals = Arrivals(name)
        self.taken = set()  # messages that the far broker has acknowledged
        self.refused = set()  # or has answered with an error
        self.sessions = 0
        self.connects = 0
        self.is_open = True
        self.links = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.port = self.listener.getsockname()[1]
        loop.selector.register(self.listener, selectors.EVENT_READ, self.accept)

    def accept(self, _):
        try:
            near, _ = self.listener.accept()
        except BlockingIOError:
            return
        try:
            if not self.is_open:
                raise ConnectionRefusedError
            far = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            near.close()
            return
        self.connects += 1
        self.links.append(TapLink(self, near, far))

    def note_answer(self, kind, identifier, is_error):
        """A PUBACK or PUBREC; one with an error ends an exchange of QoS 2."""
        arrivals = self.arrivals
        message = arrivals.acknowledge(identifier) if kind == wire.PUBACK else arrivals.incomplete.get(identifier)
        if is_error:
            self.refused.add(message)
            arrivals.release(identifier)
            arrivals.excused[message] += 1  # it is to come again
        else:
            self.taken.add(message)

    def cut(self):
        """Resets every connection, with whatever is on its way."""
        for link in list(self.links):
            link.close(reset=True)

    def shut(self):
        """The WAN is gone: connections are reset, and new ones end at once."""
        self.is_open = False
        self.cut()

    def open(self):
        self.is_open = True

    def close(self):
        self.listener.close()
        self.cut()


class TapLink:
    """One connection through a tap."""

    def __init__(self, tap, near, far):
        self.tap = tap
        self.level = 0
        self.up_input = self.down_input = b""
        self.near = Connection(tap.loop, near, self.handle_up, self.close)
        self.far = Connection(tap.loop, far, self.handle_down, self.close)

    def close(self, reset=False):
        if self in self.tap.links:
            self.tap.links.remove(self)
            self.near.close(reset)
            self.far.close(reset)
            self.tap.arrivals.note_break()

    def handle_up(self, data):
        packets, self.up_input = wire.split(self.up_input + data)
        for first_byte, body in packets:
            kind = first_byte & 0xf0
            if kind == wire.CONNECT:
                fields = wire.Fields(body)
                fields.field()
                self.level = fields.number(1) & 0x7f
            elif kind == wire.PUBLISH:
                one = wire.parse_publish(first_byte, body, self.level)
                self.tap.arrivals.publish(one)
            elif kind == wire.PUBREL & 0xf0:
                self.tap.arrivals.release(*struct.unpack(">H", body[:2]))
        self.far.send(data)

    def handle_down(self, data):
        packets, self.down_input = wire.split(self.down_input + data)
        for first_byte, body in packets:
            kind = first_byte & 0xf0
            if kind == wire.CONNACK and not body[0]:
                self.tap.arrivals.forget()
                self.tap.sessions += 1
            elif kind in (wire.PUBACK, wire.PUBREC):
                self.tap.note_answer(kind, *struct.unpack(">H", body[:2]), is_error=body[2:3] >= b"\x80")
        self.near.send(data)
