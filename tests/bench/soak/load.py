"""The clients of the soak, good and bad: each function is one of them, and runs until the world stops.

What is checked travels on topics of its own (`check/…`, `group/…`, `bridged/…`, `command/…`), so that a fault says
where it happened.
"""

import asyncio
import collections
import random
import socket

import wire
from client import PATIENCE, Client, Session, reset
from ledger import Ledger

LOST = (OSError, EOFError)  # what a connection may end with
WINDOW = 20  # messages a publisher has unacknowledged


class World:
    """What all clients share."""

    def __init__(self, port, far_port, seed):
        self.port = port
        self.far_port = far_port
        self.random = random.Random(seed)
        self.stopping = asyncio.Event()  # no more load; what is under way still arrives
        self.closing = asyncio.Event()  # it has arrived
        self.archive_back = asyncio.Event()  # the archive of the region has its session again
        self.ledgers = []
        self.kept = set()  # the clients whose sessions outlive their connections by more than the run
        self.counts = collections.Counter()
        self.faults = []

    def ledger(self, name, **settings):
        self.ledgers.append(Ledger(name, **settings))
        return self.ledgers[-1]

    def between(self, low, high):
        return self.random.uniform(low, high)

    async def pause(self, seconds, end=None):
        """False when it is time to stop."""
        try:
            await asyncio.wait_for((end or self.stopping).wait(), seconds)
        except asyncio.TimeoutError:
            return True
        return False

    def fault(self, text):
        self.faults.append(text)

    async def guard(self, name, client):
        """Runs a client to its end; whatever it did not expect is a fault."""
        try:
            await client
        except Exception as error:  # pylint: disable=broad-except
            self.fault(f"{name}: {type(error).__name__}: {error}")

    async def leave(self, client):
        """One of the ways in which clients go."""
        way = self.random.randrange(3)
        if way == 0:
            await client.disconnect()
        elif way == 1:
            await client.close()
        else:
            client.abort()
        self.counts[("left with DISCONNECT", "left with FIN", "left with RST")[way]] += 1


def taker(ledgers):
    """Gives each message to the ledger of its topic, if that has one."""
    def take(topic, payload, *_):
        if topic in ledgers:
            ledgers[topic].arrived(payload)
    return take


async def steady(world, client, filters):
    """A subscriber that stays: nobody may end its connection."""
    await client.open()
    if not client.clean:
        world.kept.add(client.client_id)
    await client.subscribe(*filters)

    async def run():
        while await world.pause(1, world.closing) and not client.gone.is_set():
            pass
        if client.gone.is_set():
            world.fault(f"{client.client_id} lost its connection, reason {client.reason}")
        client.abort()
    return run()


async def coming_and_going(world, make, filters, away):
    """A subscriber whose session is kept; it goes in every way, and by take-over. It is back at the end."""
    client = await make().open()
    await client.subscribe(*filters)
    world.kept.add(client.client_id)

    async def run():
        nonlocal client
        while await world.pause(world.between(3, 20)):
            if client.gone.is_set():
                world.fault(f"{client.client_id} lost its connection, reason {client.reason}")
                break
            if world.random.random() < 0.3:
                client = await take_over(world, client, make())
            else:
                await world.leave(client)
                await world.pause(world.between(1, away))
                client = await make().open()
            if not client.session_present:
                world.fault(f"the session of {client.client_id} was lost")
        await world.closing.wait()
        client.abort()
    return run()


async def take_over(world, former, client):
    former.frozen = True
    await client.open()
    await asyncio.wait_for(former.gone.wait(), PATIENCE)
    if former.level == 5 and former.reason != 0x8e:
        world.fault(f"a take-over of {client.client_id} ended with reason {former.reason}")
    former.abort()
    world.counts["take-overs"] += 1
    return client


async def publisher(world, name, topic, ledgers, *, qos, level, rate, port=None, churn=True, alias=0, padding=0):
    """Publishes numbered messages, over as many connections as it takes, until all are acknowledged."""
    session = Session()
    slots = asyncio.Semaphore(WINDOW)
    client = None
    next_churn = 0.0
    number = 0
    now = asyncio.get_running_loop().time
    tail = b" " + bytes(padding)
    if port is None:
        world.kept.add(name)

    def acknowledged(done):
        slots.release()
        if not done.cancelled() and done.result() >= 0x80:
            world.fault(f"{name}: PUBLISH was answered with {done.result():#x}")

    async def connect():
        nonlocal client, next_churn
        while client is None or client.gone.is_set():
            if client is not None:
                client.abort()
                client = None
                await asyncio.sleep(0.5)
            next_churn = now() + world.between(20, 90)
            try:
                client = await Client(port or world.port, name, level, clean=False, expiry=3600, session=session).open()
            except LOST:
                if port is None:
                    raise  # furrow is always there
                await asyncio.sleep(0.5)

    while not world.stopping.is_set() or session.outgoing:
        await connect()
        if world.stopping.is_set():
            await asyncio.sleep(0.1)
            continue
        if churn and now() > next_churn:
            await world.leave(client)
            continue
        try:
            await asyncio.wait_for(slots.acquire(), 1)
        except asyncio.TimeoutError:
            continue  # no acknowledgement in this time: perhaps the connection is gone
        number += 1
        for ledger in ledgers:
            ledger.expect(name, number)
        payload = f"{name} {number}".encode() + tail
        try:
            done = await client.publish(topic, payload, qos, alias=alias)
        except LOST:
            if qos == 0:
                slots.release()
                continue
            done = next(reversed(session.outgoing.values()))[1]
        world.counts["published"] += 1
        if done is None:
            slots.release()
        else:
            done.add_done_callback(acknowledged)
        await asyncio.sleep(world.between(0.5, 1.5) / rate)
    await client.disconnect()


async def wills(world, ledger):
    """Clients that die: the will of each comes, and of none that says good-bye."""
    number = 0
    while await world.pause(world.between(0.5, 2)):
        dies = world.random.random() < 0.5
        if dies:
            number += 1
            ledger.expect("will", number)
        level = world.random.choice((4, 5))
        will = (b"will/one", b"will %d" % number if dies else b"never 1", 1, 0)
        client = await Client(world.port, f"mortal-{world.random.randrange(20)}", level, will=will).open()
        await asyncio.sleep(world.between(0, 0.3))
        if not dies:
            await client.disconnect()
        elif world.random.random() < 0.3 and level == 5:
            await client.disconnect(4)
        else:
            client.abort()
        world.counts["wills"] += dies


async def retained(world):
    """200 topics with values that change and go."""
    client = await Client(world.port, "keeper", 5).open()
    while await world.pause(0.05):
        if len(client.session.outgoing) >= WINDOW:
            continue
        value = b"" if world.random.random() < 0.2 else bytes(world.random.randrange(1, 400))
        await client.publish(f"state/{world.random.randrange(200)}", value, world.random.randrange(3), retain=True)
    await client.disconnect()


async def retained_reader(world):
    while await world.pause(world.between(1, 4)):
        topics = set()
        client = await Client(world.port, "", world.random.choice((4, 5)), alias_maximum=5,
                              on_message=lambda topic, payload, qos, retain, topics=topics: topics.add(topic)).open()
        await client.subscribe(("state/#", world.random.randrange(3)))
        await asyncio.sleep(0.5)
        if len(topics) > 200:
            world.fault(f"{len(topics)} topics under state/#, 200 exist")
        world.counts["retained messages read"] += len(topics)
        await world.leave(client)


async def visitors(world):
    """Sessions that are left with messages in their queues, and expire or come back."""
    while await world.pause(world.between(0.2, 1)):
        client = await Client(world.port, f"visitor-{world.random.randrange(60)}", 5, expiry=20, clean=False).open()
        await client.subscribe(("check/#", world.random.randrange(3)), ("flood", 1))
        await asyncio.sleep(world.between(0, 1))
        await world.leave(client)
        world.counts["visits"] += 1


async def group_visitors(world, ledgers):
    """Members of a shared subscription that come and go, and take what they have not acknowledged with them."""
    while await world.pause(world.between(0.5, 2)):
        client = await Client(world.port, f"member-{world.random.randrange(5)}", 5, on_message=taker(ledgers)).open()
        await client.subscribe(("$share/crew/group/#", 1))
        await asyncio.sleep(world.between(0.5, 5))
        await world.leave(client)
        world.counts["members of the group"] += 1


async def churn(world):
    """Connect and leave, as fast as that."""
    while await world.pause(0.05):
        client = await Client(world.port, f"passing-{world.random.randrange(1000)}", world.random.choice((4, 5))).open()
        await world.leave(client)
        world.counts["connections in passing"] += 1


async def half_open(world):
    """A connection with a part of a CONNECT, or nothing, and silence."""
    whole = wire.connect(b"half", properties=wire.property_field(wire.SESSION_EXPIRY, 60))
    while await world.pause(world.between(0.2, 2)):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        writer.write(whole[:world.random.randrange(len(whole))])
        try:
            await asyncio.wait_for(reader.read(100), world.between(1, 30))
        except (*LOST, asyncio.TimeoutError):
            pass
        reset(writer)
        world.counts["half-open connections"] += 1


async def slow_connect(world):
    """A CONNECT a byte at a time is a client like any other."""
    while await world.pause(world.between(1, 3)):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        for byte in wire.connect(b"slow", level=4):
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
        answer = await asyncio.wait_for(reader.readexactly(4), PATIENCE)
        if answer != b"\x20\x02\x00\x00":
            world.fault(f"a slow CONNECT was answered with {answer!r}")
        reset(writer)
        world.counts["slow connections"] += 1


async def malformed(world):
    """Packets with flipped bits and cut ends after a good CONNECT."""
    packets = [wire.publish(b"noise/one", b"payload", 1, 7), wire.subscribe(9, [(b"noise/#", 1)]),
               wire.publish(b"noise/two", bytes(300), 2, 8), wire.acknowledgement(wire.PUBREL, 8), wire.PINGREQ]
    while await world.pause(world.between(0.05, 0.3)):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.port)
        data = bytearray(b"".join(world.random.choices(packets, k=3)))
        for _ in range(world.random.randrange(1, 5)):
            data[world.random.randrange(len(data))] ^= 1 << world.random.randrange(8)
        writer.write(wire.connect(b"noise", level=5) + bytes(data))
        try:
            await asyncio.wait_for(reader.read(1000), 5)
            await asyncio.sleep(world.between(0, 0.2))
        except (*LOST, asyncio.TimeoutError):
            pass
        reset(writer)
        world.counts["malformed packets"] += 1


async def never_reads(world, qos):
    """A subscriber that takes nothing of what it asked for."""
    loop = asyncio.get_running_loop()
    while await world.pause(world.between(1, 5)):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", world.port))
            await loop.sock_sendall(sock, wire.connect(f"deaf-{qos}".encode(), keepalive=0)
                                    + wire.subscribe(1, [(b"flood", qos)]))
            await world.pause(world.between(20, 60))
        world.counts["subscribers that never read"] += 1


async def far_subscriber(world, ledgers):
    """The archive of the region, with a session there, over every stop of the far broker."""
    session = Session()

    def make():
        return Client(world.far_port, "archive", 5, clean=False, expiry=3600, session=session,
                      on_message=taker(ledgers))
    client = await make().open()
    await client.subscribe(("bridged/#", 2))

    async def run():
        nonlocal client
        while await world.pause(0.5, world.closing):
            if client.gone.is_set():
                client.abort()
                try:
                    client = await make().open()
                    world.archive_back.set()
                except LOST:
                    pass  # it is still away
        client.abort()
    return run()


async def outages(world, far, wan, period, length):
    """Stops the far broker and starts it again. The gateway comes back behind the archive: Mosquitto 2.0.11 confuses
    the order of what comes while it resumes a session."""
    while await world.pause(period):
        await asyncio.to_thread(far.stop)
        wan.close()
        await world.pause(length)
        world.archive_back.clear()
        await asyncio.to_thread(far.start)
        await world.archive_back.wait()
        wan.open()
        world.counts["outages of the region"] += 1
