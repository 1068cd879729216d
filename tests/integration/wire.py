"""MQTT as bytes, for clients that must be able to say what no library says. 3.1.1 and 5; standard library only."""

import collections
import struct

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP = 0x10, 0x20, 0x30, 0x40, 0x50, 0x62, 0x70
SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, DISCONNECT = 0x82, 0x90, 0xa2, 0xb0, 0xe0
PINGREQ = b"\xc0\x00"
PINGRESP = b"\xd0\x00"

SESSION_EXPIRY, SERVER_KEEPALIVE, RECEIVE_MAXIMUM, TOPIC_ALIAS_MAXIMUM, TOPIC_ALIAS = 0x11, 0x13, 0x21, 0x22, 0x23

# Properties of MQTT 5 §2.2.2.2 by their size; the others are strings, but for the two below.
SIZES = {0x01: 1, 0x02: 4, 0x11: 4, 0x13: 2, 0x17: 1, 0x18: 4, 0x19: 1, 0x21: 2, 0x22: 2, 0x23: 2, 0x24: 1, 0x25: 1,
         0x27: 4, 0x28: 1, 0x29: 1, 0x2a: 1}
SUBSCRIPTION_IDENTIFIER, USER_PROPERTY = 0x0b, 0x26


def variable_byte_integer(value):
    data = b""
    while True:
        value, digit = divmod(value, 128)
        data += bytes([digit | (128 if value else 0)])
        if not value:
            return data


def field(data):
    """A string or binary data with its length before it."""
    return struct.pack(">H", len(data)) + data


def packet(first_byte, body):
    return bytes([first_byte]) + variable_byte_integer(len(body)) + body


def property_field(identifier, value):
    """A property whose value is a number of fixed size."""
    return bytes([identifier]) + value.to_bytes(SIZES[identifier], "big")


def property_block(data, level):
    return variable_byte_integer(len(data)) + data if level == 5 else b""


def connect(client_id=b"hostile", level=5, name=b"MQTT", clean=True, keepalive=60, properties=b"", will=None):
    """`will` is (topic, payload, QoS, retain)."""
    flags = 0x02 if clean else 0
    payload = field(client_id)
    if will is not None:
        topic, message, qos, retain = will
        flags |= 0x04 | qos << 3 | retain << 5
        payload += property_block(b"", level) + field(topic) + field(message)
    return packet(CONNECT, field(name) + bytes([level, flags]) + struct.pack(">H", keepalive)
                  + property_block(properties, level) + payload)


def publish(topic, payload=b"", qos=0, identifier=0, level=5, retain=False, dup=False, properties=b""):
    return packet(PUBLISH | dup << 3 | qos << 1 | retain,
                  field(topic) + (struct.pack(">H", identifier) if qos else b"")
                  + property_block(properties, level) + payload)


def subscribe(identifier, filters, level=5, properties=b""):
    """`filters` are (filter, options) each; the options of 3.1.1 are the QoS."""
    return packet(SUBSCRIBE, struct.pack(">H", identifier) + property_block(properties, level)
                  + b"".join(field(name) + bytes([options]) for name, options in filters))


def acknowledgement(first_byte, identifier):
    return packet(first_byte, struct.pack(">H", identifier))


class Fields:
    """Reads the body of a packet from its beginning."""

    def __init__(self, data):
        self.data = data

    def take(self, size):
        part, self.data = self.data[:size], self.data[size:]
        if len(part) < size:
            raise ValueError("a packet that is too short")
        return part

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def field(self):
        return self.take(self.number(2))

    def variable_byte_integer(self):
        value, shift = 0, 0
        while True:
            digit = self.number(1)
            value |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                return value

    def properties(self):
        """Every property as (identifier, value), in order."""
        block = Fields(self.take(self.variable_byte_integer()))
        found = []
        while block.data:
            identifier = block.number(1)
            if identifier == SUBSCRIPTION_IDENTIFIER:
                value = block.variable_byte_integer()
            elif identifier == USER_PROPERTY:
                value = (block.field(), block.field())
            elif identifier in SIZES:
                value = block.number(SIZES[identifier])
            else:
                value = block.field()
            found.append((identifier, value))
        return found


Publish = collections.namedtuple("Publish", "topic payload qos retain dup identifier")


def parse_publish(first_byte, body, level=5):
    """A PUBLISH that split() found."""
    fields = Fields(body)
    topic = fields.field().decode()
    qos = first_byte >> 1 & 3
    identifier = fields.number(2) if qos else 0
    if level == 5:
        fields.properties()
    return Publish(topic, fields.data, qos, bool(first_byte & 1), bool(first_byte & 8), identifier)


def split(data):
    """The complete packets at the beginning of `data` as (first byte, body), and the bytes that are left."""
    packets = []
    while len(data) >= 2:
        size, shift, start = 0, 0, 1
        while start < len(data):
            size |= (data[start] & 127) << shift
            shift += 7
            start += 1
            if data[start - 1] < 128:
                break
        else:
            break
        if len(data) < start + size:
            break
        packets.append((data[0], data[start:start + size]))
        data = data[start + size:]
    return packets, data
