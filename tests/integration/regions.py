"""Brokers of regions that are no Mosquitto: RabbitMQ and aedes."""

import os
import pathlib
import re

import node_packages
from furrow_testing import Process, free_port, wait_for

RABBIT = pathlib.Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # Debian's own wrapper becomes another user


class Rabbit(Process):
    """RabbitMQ with its MQTT plug-in and nothing else, a node of its own that starts its own epmd."""

    def start(self):
        self.port = free_port()
        plugins = self.folder / "plugins"
        plugins.write_text("[rabbitmq_mqtt].\n")
        settings = self.folder / "rabbit.conf"
        settings.write_text(f"listeners.tcp = none\nmqtt.listeners.tcp.1 = 127.0.0.1:{self.port}\n")
        self.environment = {
            "HOME": str(self.folder), "RABBITMQ_NODENAME": f"furrow-{os.getpid()}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "rabbit-data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "rabbit-log"), "RABBITMQ_PID_FILE": str(self.folder / "rabbit.pid"),
            "RABBITMQ_CONFIG_FILE": str(settings), "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_DIST_PORT": str(free_port()), "ERL_EPMD_PORT": str(free_port()), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none -start_epmd true"}
        self.popen_settings = {"start_new_session": True}
        self.spawn(RABBIT)
        wait_for("RabbitMQ has started", lambda: "completed with" in self.log(), seconds=180)
        return self

    def kill(self):
        if self.running():
            os.killpg(self.process.pid, 9)
            self.process.wait()


class Aedes(Process):
    def start(self):
        self.environment = node_packages.ENVIRONMENT
        self.spawn("node", pathlib.Path(__file__).with_name("aedes_region.js"))
        self.port = int(wait_for("aedes listens", lambda: re.search(r"listening (\d+)", self.log())).group(1))
        return self
