"""A region that is a cluster of three RabbitMQ nodes: the bridge goes on at the next node when its own is killed, or
hangs with its connections open, and comes back to the first when that is well."""

import signal

from furrow_testing import Archive, TestCase, bridge, main, publish_lines, skip_all, undelivered, wait_for
from regions import RABBIT, Epmd, Rabbit

COUNT = 300


class ClusterTest(TestCase):
    def setUp(self):
        epmd = self.own(Epmd("epmd", self.folder)).start()
        self.nodes = [self.own(Rabbit(f"node{i}", self.folder, epmd.port)) for i in (1, 2, 3)]
        # One after the other: nodes that start together may each found a cluster of their own for client identifiers,
        # and then two of three may never let anybody in (rabbitmq_mqtt 3.10, mqtt_node.erl).
        for i, one in enumerate(self.nodes):
            one.cluster = [node.node for node in self.nodes[:i + 1]]
            one.start()
        # At the node that stays: RabbitMQ keeps what waits for a client at the node of that client.
        self.archive = self.own(Archive("archive", self.folder, self.nodes[2].port, "us/#", 1, "mqttv311")).start()
        addresses = ", ".join(f"mqtt://127.0.0.1:{one.port}" for one in self.nodes)
        settings = "mqtt_version: 3.1.1\nack_timeout: 5s\nkeepalive: 5s\nfailback: 2s"
        text = bridge(0, "{filter: farm/#, remote_prefix: us/}", settings=settings)
        self.barn = self.gateway(text.replace("mqtt://127.0.0.1:0", f"[{addresses}]")).start()
        self.status_reader = self.status(self.barn)
        self.wait_for_node(0)
        self.published = 0

    def wait_for_node(self, place):
        self.status_reader.wait_until(
            f"online at node {place + 1}",
            lambda one: one["state"] == "online" and one["remote"].endswith(f":{self.nodes[place].port}"), seconds=120)

    def publish(self, count=COUNT):
        numbers = range(self.published, self.published + count)
        self.published += count
        return publish_lines(self.barn.port, "farm/a", numbers)

    def wait_until_all_arrived(self):
        wait_for("all of it is in the region", lambda: len(set(self.archive.payloads("us/farm/a"))) == self.published)
        self.status_reader.wait_until("nothing waits",
                                      lambda one: undelivered(one) == 0)
        self.status_reader.assert_books_balance()

    def test_a_node_is_killed_and_comes_back_and_hangs(self):
        # Never two nodes at a time: RabbitMQ asks most of them whether a client identifier is free, and with one of
        # three lets nobody in, if the nodes found each other in that when they started.
        before = self.publish()
        self.nodes[0].kill()
        self.assert_published(before, self.publish())
        self.wait_for_node(1)
        self.wait_until_all_arrived()

        self.nodes[0].spawn_node()
        self.nodes[0].wait_started()
        self.wait_for_node(0)
        self.assert_published(self.publish())
        self.wait_until_all_arrived()

        # Only its silence tells: the kernel goes on to acknowledge.
        self.nodes[0].signal(signal.SIGSTOP)
        self.assert_published(self.publish())
        self.wait_for_node(1)
        self.nodes[0].signal(signal.SIGCONT)
        self.wait_for_node(0)
        self.wait_until_all_arrived()


if __name__ == "__main__":
    if not RABBIT.exists():
        skip_all("rabbitmq-server is not installed")
    main()
