"""The local broker seen by MQTT.js, the client of browsers and Node-RED, in MQTT 3.1.1 and 5.

The stories are in mqttjs_stories.js. npm installs the client into the build folder, once.
"""

import os
import pathlib
import subprocess

import node_packages
from furrow_testing import PATIENCE, TestCase, main

STORIES = pathlib.Path(__file__).with_name("mqttjs_stories.js")


class MqttJsTest(TestCase):
    LISTENERS = {"mqtt": "", "ws": "listeners: [{bind: 127.0.0.1:0, protocol: websocket}]\n"}

    def run_node(self, *arguments):
        return subprocess.run(["node", STORIES, *(str(one) for one in arguments)], capture_output=True, text=True,
                              timeout=PATIENCE, check=False, env=os.environ | node_packages.ENVIRONMENT)

    def tell_all(self, version, protocol="mqtt"):
        stories = self.run_node("0", version)
        self.assertEqual(stories.returncode, 0, stories.stderr)
        for story in stories.stdout.split():
            with self.subTest(story):
                gateway = self.gateway(self.LISTENERS[protocol], name=f"barn-{story}").start()
                result = self.run_node(gateway.port, version, story, protocol)
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                self.assertEqual(gateway.stop(), 0)

    def test_3_1_1(self):
        self.tell_all("3.1.1")

    def test_5(self):
        self.tell_all("5")

    def test_5_by_websocket(self):
        self.tell_all("5", "ws")


if __name__ == "__main__":
    node_packages.install()
    main()
