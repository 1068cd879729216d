"""Loopback ports for servers that a test starts."""

import socket

KEPT = []


def free_port():
    """A port on which nobody listens. It is this program's until it ends, however often a server there stops and
    starts: a socket that is bound and does not listen keeps it from whoever asks for any port, while a server that asks
    for this one with SO_REUSEADDR, as all do, gets it."""
    keeper = socket.socket()
    keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    keeper.bind(("127.0.0.1", 0))
    KEPT.append(keeper)
    return keeper.getsockname()[1]
