"""Retained messages: more than a queue holds, to clients, over a kill, and to the gateway of a barn."""

import socket

import wire
from furrow_testing import PATIENCE, TestCase, bridge, main

COUNT = 2500  # the queue of a session holds 1,000
SESSION_EXPIRY = 0x11


class RetainedTest(TestCase):
    def start_with_values(self, name="barn"):
        gateway = self.gateway(name=name).start()
        self.client(gateway.port, "keeper").publish_each(
            [(f"value/{i}", str(i), 1, True) for i in range(COUNT)])
        return gateway

    def assert_all_values(self, messages):
        self.assertEqual({one.topic: one.payload for one in messages},
                         {f"value/{i}": str(i).encode() for i in range(COUNT)})

    def test_a_subscription_gets_all_of_them(self):
        barn = self.start_with_values()
        for qos in (0, 1, 2):
            with self.subTest(qos=qos):
                reader = self.client(barn.port, f"reader-{qos}")
                reader.subscribe("value/#", qos)
                self.assert_all_values(reader.take(COUNT))

    def test_a_session_gets_all_of_them_when_the_gateway_is_killed_in_the_middle(self):
        barn = self.start_with_values()
        expiry = wire.property_field(SESSION_EXPIRY, 3600)
        with socket.create_connection(("127.0.0.1", barn.port), PATIENCE) as reader:
            reader.sendall(wire.connect(b"reader", clean=False, properties=expiry))
            reader.sendall(wire.subscribe(1, [(b"value/#", 1)]))
            reader.settimeout(PATIENCE)
            received = b""
            while b"value/" not in received:  # and acknowledges nothing
                received += reader.recv(65536)
            barn.crash()
        barn.start()
        back = self.client(barn.port, "reader", clean=False)
        back.wait("all values", lambda: len({one.topic for one in back.messages}) == COUNT)
        self.assert_all_values(back.messages)

    def test_the_gateway_of_a_barn_gets_all_of_them_from_a_furrow_at_the_region(self):
        region = self.start_with_values("region")
        barn = self.gateway(bridge(region.port, "{filter: value/#, direction: down, qos: 1}")).start()
        self.status(barn).wait_until("all values came down", lambda one: one["received"] == COUNT)
        reader = self.client(barn.port, "reader")
        reader.subscribe("value/#", 0)
        self.assert_all_values(reader.take(COUNT))


if __name__ == "__main__":
    main()
