"""The local broker seen by MQTT.js, the client of browsers and Node-RED, in MQTT 3.1.1 and 5.

The stories are in mqttjs_stories.js. npm installs the client into the build folder, once.
"""

import json
import os
import pathlib
import shutil
import subprocess

from furrow_testing import PATIENCE, ROOT, TestCase, main, skip_all

VERSION = "5.14.1"
STORIES = pathlib.Path(__file__).with_name("mqttjs_stories.js")
FOLDER = pathlib.Path(os.environ.get("FURROW_NODE_FOLDER", ROOT / "build/node"))


def install():
    """Once a build folder; afterwards it needs neither npm nor a network."""
    manifest = FOLDER / "node_modules/mqtt/package.json"
    if manifest.exists() and json.loads(manifest.read_text(encoding="utf-8"))["version"] == VERSION:
        return
    if shutil.which("npm") is None:
        skip_all("npm is not installed")
    FOLDER.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(
        ["npm", "install", "--prefix", FOLDER, "--no-save", "--package-lock=false", "--ignore-scripts", "--no-audit",
         "--no-fund", f"mqtt@{VERSION}"], capture_output=True, text=True, timeout=2 * PATIENCE, check=False)
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[0]
        skip_all(f"npm could not install mqtt {VERSION}: {reason}")


class MqttJsTest(TestCase):
    def run_node(self, *arguments):
        return subprocess.run(["node", STORIES, *(str(one) for one in arguments)], capture_output=True, text=True,
                              timeout=PATIENCE, check=False, env=os.environ | {"NODE_PATH": FOLDER / "node_modules"})

    def tell_all(self, version):
        stories = self.run_node("0", version)
        self.assertEqual(stories.returncode, 0, stories.stderr)
        for story in stories.stdout.split():
            with self.subTest(story):
                gateway = self.gateway(name=f"barn-{story}").start()
                result = self.run_node(gateway.port, version, story)
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                self.assertEqual(gateway.stop(), 0)

    def test_3_1_1(self):
        self.tell_all("3.1.1")

    def test_5(self):
        self.tell_all("5")


if __name__ == "__main__":
    if shutil.which("node") is None:
        skip_all("node is not installed")
    install()
    main()
