"""An MQTT client on asyncio, small enough to lie, stall and vanish when it is told to.

It has its own few lines of MQTT, because what judges furrow must not share its mistakes.
"""

import asyncio
import collections
import socket
import struct

import wire

PATIENCE = 60.0  # seconds; the machine may be busy with other things


class Refused(Exception):
    """The server answered, and the answer was no."""


class Session:
    """What a client keeps over its connections."""

    def __init__(self):
        self.last_identifier = 0
        self.outgoing = collections.OrderedDict()  # identifier → [the packet to send next, the future of its end]
        self.incoming = set()  # QoS 2 messages that came and are not released

    def identifier(self):
        while True:
            self.last_identifier = self.last_identifier % 65535 + 1
            if self.last_identifier not in self.outgoing:
                return self.last_identifier


class Client:
    """One connection. `on_message(topic, payload, QoS, retain)` is called once for each message of QoS 2."""

    def __init__(self, port, client_id, level=5, *, clean=True, expiry=0, will=None, session=None, on_message=None,
                 alias_maximum=0, keepalive=30):
        self.port = port
        self.client_id = client_id
        self.level = level
        self.clean = clean
        self.will = will
        self.keepalive = keepalive
        self.session = session or Session()
        self.on_message = on_message or (lambda *message: None)
        self.alias_maximum = alias_maximum
        self.aliases = {}  # those of the server
        self.own_aliases = {}
        self.subscribing = {}
        self.resent = set()  # identifiers of what an earlier connection had begun
        self.session_present = False
        self.reason = None  # of the server's DISCONNECT
        self.frozen = False  # True: takes and acknowledges nothing any more, but sees the end
        self.tasks = []
        self.gone = asyncio.Event()
        self.properties = b""
        if level == 5:
            self.properties = wire.property_field(wire.SESSION_EXPIRY, expiry)
            if alias_maximum:
                self.properties += wire.property_field(wire.TOPIC_ALIAS_MAXIMUM, alias_maximum)

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writer.write(wire.connect(self.client_id.encode(), self.level, clean=self.clean, keepalive=self.keepalive,
                                       properties=self.properties, will=self.will))
        try:
            first, body = await asyncio.wait_for(self.read_packet(), PATIENCE)
        except (OSError, EOFError):
            self.abort()
            raise
        if first != wire.CONNACK or body[1] != 0:
            self.abort()
            raise Refused(f"CONNECT of {self.client_id} was answered with {first:#x} {body!r}")
        self.session_present = body[0] == 1
        if not self.session_present:
            self.session.incoming.clear()
        self.resent = set(self.session.outgoing)
        for exchange in self.session.outgoing.values():
            self.writer.write(exchange[0])
        self.tasks = [asyncio.create_task(self.receive()), asyncio.create_task(self.ping())]
        return self

    async def read_packet(self):
        first = (await self.reader.readexactly(1))[0]
        size, shift = 0, 0
        while True:
            digit = (await self.reader.readexactly(1))[0]
            size |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                return first, await self.reader.readexactly(size)

    async def receive(self):
        try:
            while True:
                self.handle(*await self.read_packet())
        except (OSError, EOFError):
            pass
        except Exception as error:  # what the server sent cannot be right
            self.reason = f"{type(error).__name__}: {error}"
            reset(self.writer)
        self.gone.set()

    async def ping(self):
        while not self.gone.is_set():
            await asyncio.sleep(self.keepalive / 2)
            self.writer.write(wire.PINGREQ)

    def handle(self, first, body):
        kind = first & 0xf0
        if kind == wire.DISCONNECT:
            self.reason = body[0] if body else 0
        elif self.frozen:
            pass
        elif kind == wire.PUBLISH:
            self.handle_publish(first, wire.Fields(body))
        elif kind in (wire.PUBACK, wire.PUBREC, wire.PUBCOMP):
            reason = body[2] if len(body) > 2 else 0
            self.handle_acknowledgement(kind, int.from_bytes(body[:2], "big"), reason)
        elif first == wire.PUBREL:
            identifier = int.from_bytes(body[:2], "big")
            self.session.incoming.discard(identifier)
            self.writer.write(wire.acknowledgement(wire.PUBCOMP, identifier))
        elif kind == wire.SUBACK:
            self.subscribing.pop(int.from_bytes(body[:2], "big")).set_result(body)

    def handle_publish(self, first, fields):
        qos = first >> 1 & 3
        topic = fields.field().decode()
        identifier = fields.number(2) if qos else 0
        for name, value in fields.properties() if self.level == 5 else ():
            if name == wire.TOPIC_ALIAS:
                if not 0 < value <= self.alias_maximum:
                    raise AssertionError(f"topic alias {value}, {self.alias_maximum} are allowed")
                if topic:
                    self.aliases[value] = topic
                topic = self.aliases[value]
        if qos < 2 or identifier not in self.session.incoming:
            self.on_message(topic, fields.data, qos, bool(first & 1))
        if qos == 1:
            self.writer.write(wire.acknowledgement(wire.PUBACK, identifier))
        elif qos == 2:
            self.session.incoming.add(identifier)
            self.writer.write(wire.acknowledgement(wire.PUBREC, identifier))

    def handle_acknowledgement(self, kind, identifier, reason):
        exchange = self.session.outgoing.get(identifier)
        if kind == wire.PUBREC and reason < 0x80:
            release = wire.acknowledgement(wire.PUBREL, identifier)
            if exchange is not None:
                exchange[0] = release
            self.writer.write(release)
        elif exchange is not None:
            del self.session.outgoing[identifier]
            if kind == wire.PUBCOMP and reason == 0x92 and identifier in self.resent:
                reason = 0  # it was complete, and the connection ended before this was said [MQTT 5.0 §4.3.3]
            if not exchange[1].done():
                exchange[1].set_result(reason)

    async def subscribe(self, *filters):
        """`filters` are (filter, options) each. Returns when they are granted."""
        identifier = self.session.identifier()
        self.subscribing[identifier] = granted = asyncio.get_running_loop().create_future()
        self.writer.write(wire.subscribe(identifier, [(name.encode(), options) for name, options in filters],
                                         self.level))
        body = await asyncio.wait_for(granted, PATIENCE)
        if max(body[-len(filters):]) >= 0x80:
            raise Refused(f"SUBSCRIBE of {self.client_id} was answered with {body!r}")

    async def publish(self, topic, payload, qos=0, retain=False, alias=0):
        """Returns the future of its end, which comes over as many connections as it takes; QoS 0: None."""
        def encode(topic, identifier, properties, dup=False):
            return wire.publish(topic.encode(), payload, qos, identifier, self.level, retain, dup, properties)

        properties = wire.property_field(wire.TOPIC_ALIAS, alias) if alias else b""
        done = None
        identifier = 0
        if qos:
            identifier = self.session.identifier()
            done = asyncio.get_running_loop().create_future()
            # Sent again, it is sent with its topic: an alias ends with its connection.
            self.session.outgoing[identifier] = [encode(topic, identifier, b"", dup=True), done]
        known = alias and self.own_aliases.get(alias) == topic
        if alias:
            self.own_aliases[alias] = topic
        self.writer.write(encode("" if known else topic, identifier, properties))
        await self.writer.drain()
        return done

    async def disconnect(self, reason=0):
        """A clean end. MQTT 5: with reason 4 the will is published."""
        self.writer.write(wire.packet(wire.DISCONNECT, bytes([reason]) if self.level == 5 and reason else b""))
        await self.close()

    async def close(self):
        """An end without a word: FIN."""
        self.stop_tasks()
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass  # it was reset before

    def abort(self):
        """RST."""
        self.stop_tasks()
        reset(self.writer)

    def stop_tasks(self):
        self.gone.set()
        for task in self.tasks:
            task.cancel()
        for future in self.subscribing.values():
            future.cancel()


def reset(writer):
    """Ends a connection with RST."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
