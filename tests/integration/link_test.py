"""How a bridge reaches its region, seen from outside: under which name, and out of which file."""

import signal
import time

from furrow_testing import TestCase, bridge, main, run_furrow, wait_for


class LinkTest(TestCase):
    def status_of(self, gateway, what, condition, name="region"):
        return self.status(gateway).wait_until(what, condition, topic=f"bridge/{name}")

    def wait_online(self, gateway, name="region"):
        return self.status_of(gateway, "online", lambda one: one["state"] == "online", name)

    def reload(self, gateway, outcome="reload.done"):
        before = len(gateway.log())
        gateway.process.send_signal(signal.SIGHUP)
        wait_for(f"the log says {outcome}", lambda: outcome in gateway.log()[before:])
        return gateway.log()[before:]


class IncludeTest(LinkTest):
    def test_bridges_of_other_files_are_read_at_start_and_at_a_reload(self):
        region = self.mosquitto()
        region.set_password("ann", "secret")
        region.start()
        barn = self.gateway('include: ["furrow.d/*.yaml"]\n')
        folder = barn.folder / "furrow.d"
        folder.mkdir()
        self.assertIn("matches no file", run_furrow("check", "-c", barn.config_path).stdout)
        barn.start()
        (folder / "secret").write_text("secret\n")
        (folder / "secret").chmod(0o600)
        text = bridge(region.port, "{filter: farm/#}", settings="username: ann\npassword_from: secret")
        (folder / "10-region.yaml").write_text(text)
        self.reload(barn)
        self.wait_online(barn)
        barn.kill()
        barn.start()
        self.wait_online(barn)
        (folder / "20-twice.yaml").write_text("status: {interval: 5s}\n")
        said = self.reload(barn, outcome="reload.refused")
        self.assertRegex(said, r"20-twice.yaml:1:10: duplicate key 'interval', first given in line \d+ of .*barn.yaml")
        self.assertEqual(run_furrow("check", "-c", barn.config_path).returncode, 2)


class RenameTest(LinkTest):
    def setUp(self):
        self.region = self.mosquitto().start()
        self.archive_of_region = self.archive(self.region.port, "us/#", 2)
        self.wan = self.proxy(self.region.port)
        self.rule = "{filter: farm/#, qos: 2, remote_prefix: us/}"
        self.barn = self.gateway(bridge(self.wan.port, self.rule)).start()
        self.wait_online(self.barn)
        self.sensor = self.client(self.barn.port, "sensor")
        for i in range(20):
            self.sensor.publish("farm/a", str(i), 2)
        self.status_of(self.barn, "delivered", lambda one: one["delivered"] == 20)
        self.wan.close()
        for i in range(20, 40):
            self.sensor.publish("farm/a", str(i), 2)

    def rename(self):
        text = self.barn.config_path.read_text()
        self.barn.config_path.write_text(text.replace("name: region", "name: us\n    renamed_from: region"))

    def assert_all_arrived(self):
        self.wan.open()
        document = self.status_of(self.barn, "all is delivered", lambda one: one["delivered"] == 40, "us")
        self.assertEqual(document["accepted"], 40)
        self.archive_of_region.start()
        self.archive_of_region.wait_for_payload("us/farm/a", "39")
        self.assertEqual(self.archive_of_region.payloads("us/farm/a"), [str(i) for i in range(40)])

    def test_a_start_under_a_new_name_and_kills_soon_after(self):
        self.barn.kill()
        self.rename()
        for delay in (0.0, 0.02, 0.05, 0.1, 0.2):
            self.barn.spawn_run()
            time.sleep(delay)
            self.barn.kill()
        self.barn.start()
        self.assertIn("bridge.renamed", self.barn.log(whole=True))
        self.assertNotIn("bridge.unconfigured", self.barn.log())
        self.assert_all_arrived()

    def test_a_reload_under_a_new_name(self):
        self.rename()
        self.reload(self.barn)
        self.assertIn("bridge.renamed", self.barn.log())
        self.status_of(self.barn, "it shows under its new name", lambda one: one["backlog"]["messages"] == 20, "us")
        self.assert_all_arrived()
        self.barn.kill()
        self.barn.start()
        self.assertNotIn("bridge.renamed", self.barn.log())
        self.assertEqual(self.wait_online(self.barn, "us")["accepted"], 40)


if __name__ == "__main__":
    main()
