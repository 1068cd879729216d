"""How a bridge reaches its region, seen from outside: out of which file."""

import signal

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


if __name__ == "__main__":
    main()
