"""Brokers of regions that are no Mosquitto: RabbitMQ and aedes."""

import os
import pathlib
import re
import subprocess

import node_packages
from furrow_testing import PATIENCE, Process, free_port, wait_for

RABBIT = pathlib.Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # Debian's own wrapper becomes another user


class Rabbit(Process):
    """RabbitMQ with its MQTT plug-in and nothing else, alone with an epmd of its own, or a node of a cluster."""

    def __init__(self, name, folder, epmd_port=None):
        super().__init__(name, folder)
        self.epmd_port = epmd_port
        self.node = f"{name}-{os.getpid()}@localhost"
        self.cluster = []  # the nodes of it, this one too
        self.port = free_port()

    def spawn_node(self):
        plugins = self.folder / "plugins"
        plugins.write_text("[rabbitmq_mqtt].\n")
        settings = self.folder / f"{self.name}.conf"
        members = [f"cluster_formation.classic_config.nodes.{i} = {node}\n" for i, node in enumerate(self.cluster, 1)]
        settings.write_text(f"listeners.tcp = none\nmqtt.listeners.tcp.1 = 127.0.0.1:{self.port}\n" + "".join(members))
        own_epmd = " -start_epmd true" if self.epmd_port is None else ""
        self.environment = {
            "HOME": str(self.folder), "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_MNESIA_BASE": str(self.folder / f"{self.name}-data"),
            "RABBITMQ_LOG_BASE": str(self.folder / f"{self.name}-log"),
            "RABBITMQ_PID_FILE": str(self.folder / f"{self.name}.pid"),
            "RABBITMQ_CONFIG_FILE": str(settings), "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_DIST_PORT": str(free_port()), "ERL_EPMD_PORT": str(self.epmd_port or free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none" + own_epmd}
        self.popen_settings = {"start_new_session": True}
        self.spawn(RABBIT)

    def wait_started(self):
        wait_for(f"RabbitMQ {self.name} has started", lambda: "completed with" in self.log(), seconds=180)
        # A node first finds out who leads in the matter of client identifiers.
        wait_for(f"RabbitMQ {self.name} lets clients in", self.lets_in)

    def lets_in(self):
        command = ["mosquitto_pub", "-p", self.port, "-V", "mqttv311", "-t", "ready", "-m", "?", "-q", "1"]
        return subprocess.run(map(str, command), capture_output=True, timeout=PATIENCE).returncode == 0

    def start(self):
        self.spawn_node()
        self.wait_started()
        return self

    def signal(self, number):
        """To all of its processes."""
        os.killpg(self.process.pid, number)

    def kill(self):
        if self.running():
            self.signal(9)
            self.process.wait()


class Epmd(Process):
    """By which the nodes of a cluster find each other."""

    def start(self):
        self.port = free_port()
        self.spawn("epmd", "-port", self.port, "-address", "127.0.0.1")
        return self


class Aedes(Process):
    def start(self):
        self.environment = node_packages.ENVIRONMENT
        self.spawn("node", pathlib.Path(__file__).with_name("aedes_region.js"))
        self.port = int(wait_for("aedes listens", lambda: re.search(r"listening (\d+)", self.log())).group(1))
        return self
