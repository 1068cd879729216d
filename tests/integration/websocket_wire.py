"""WebSocket as bytes, for clients that must be able to do what no library does. Standard library only."""

import socket
import struct

from furrow_testing import PATIENCE

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HOST = "127.0.0.1:8083"  # an address, which is all that is asked of it


def request(path="/mqtt", method="GET", version="1.1", more="", **fields):
    """A request as browsers send it; a field is left out with None, and `_` in its name stands for `-`."""
    all_fields = {"Host": HOST, "Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
                  "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13", "Sec-WebSocket-Protocol": "mqtt"}
    all_fields |= {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{name}: {value}\r\n" for name, value in all_fields.items() if value is not None]
    return f"{method} {path} HTTP/{version}\r\n{''.join(lines)}{more}\r\n".encode()


def frame(opcode, payload=b"", fin=True, mask=b"\x37\xfa\x21\x3d", first_bits=0):
    """A frame; of a server with an empty mask."""
    size = len(payload)
    flag = 0x80 if mask else 0
    header = bytes([(0x80 if fin else 0) | first_bits | opcode])
    if size < 126:
        header += bytes([flag | size])
    elif size < 65536:
        header += bytes([flag | 126]) + struct.pack(">H", size)
    else:
        header += bytes([flag | 127]) + struct.pack(">Q", size)
    if mask:
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
    return header + mask + payload


class RawWebSocket:
    """A connection that is given bytes, and reads the head of an answer and frames."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""

    def send(self, *parts):
        for part in parts:
            self.socket.sendall(part)
        return self

    def send_byte_by_byte(self, data):
        for byte in data:
            self.socket.sendall(bytes([byte]))
        return self

    def more(self):
        """False at the end."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.data += data
        return bool(data)

    def take(self, size):
        while len(self.data) < size:
            if not self.more():
                raise EOFError(f"closed after {self.data!r}")
        part, self.data = self.data[:size], self.data[size:]
        return part

    def head(self):
        """The status of the answer, and its head."""
        while b"\r\n\r\n" not in self.data:
            if not self.more():
                raise EOFError(f"closed after {self.data!r}")
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        return int(head.split(b" ", 2)[1]), head.decode()

    def rest(self):
        """Everything until the end."""
        while self.more():
            pass
        return self.data

    def open(self, **fields):
        self.send(request(**fields))
        status, head = self.head()
        assert status == 101, head
        return self

    def frame(self):
        """The next frame as (opcode, payload)."""
        first, size = self.take(2)
        assert first & 0x70 == 0 and size < 128, "a reserved bit, or a mask of a server"
        if size == 126:
            size = int.from_bytes(self.take(2), "big")
        elif size == 127:
            size = int.from_bytes(self.take(8), "big")
        return first & 0x0f, self.take(size)

    def stream(self, size):
        """The first `size` bytes of MQTT, whatever frames they are in, and the payloads of pongs in between."""
        data, pongs = b"", []
        while len(data) < size:
            opcode, payload = self.frame()
            assert opcode in (BINARY, PONG), (opcode, payload)
            if opcode == PONG:
                pongs.append(payload)
            else:
                data += payload
        return data, pongs

    def close(self):
        self.socket.close()
