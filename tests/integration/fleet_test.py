"""`furrow fleet`: the gateways that tell a region whether they are there, by TCP and by TLS."""

import json
import subprocess

import pki
from furrow_testing import BINARY, TestCase, bridge, free_port, main, run_furrow, wait_for

RULE = "{filter: farm/#}"


class FleetTest(TestCase):
    def start(self, name, port):
        return self.gateway(bridge(port, RULE), name, status='remote_topic: "fleet/{gateway}"').start()

    def rows(self, *arguments):
        shown = run_furrow("fleet", *arguments)
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        self.assertLessEqual(max(len(one) for one in shown.stdout.splitlines()), 80)
        return {line.split()[0]: line.split()[1:] for line in shown.stdout.splitlines() if not line.startswith(" ")}

    def test_the_table(self):
        region = self.mosquitto().start()
        url = f"mqtt://127.0.0.1:{region.port}"
        self.assertEqual(run_furrow("fleet", "--url", url).stdout, "no gateway has said anything there\n")
        here = self.start("barn-1", region.port)
        gone = self.start("barn-2", region.port)
        wait_for("both", lambda: {"barn-1", "barn-2"} <= set(self.rows("--url", url)))
        gone.kill()
        rows = wait_for("one is gone", lambda: next(
            (rows for rows in [self.rows("--url", url)] if rows["barn-2"][0] == "offline"), None))
        self.assertEqual(rows["barn-1"][0], "online")
        self.assertEqual(rows["barn-1"][2:4], ["1/1", "0"])
        documents = json.loads(run_furrow("fleet", "--url", url, "--json", "--topic", "fleet/barn-1").stdout)
        self.assertEqual([one["id"] for one in documents], ["barn-1"])
        self.assertEqual(here.stop(), 0)

    def test_it_goes_on(self):
        region = self.mosquitto().start()
        with subprocess.Popen([str(BINARY), "fleet", "--url", f"mqtt://127.0.0.1:{region.port}", "--watch"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as fleet:
            self.addCleanup(fleet.kill)
            self.assertEqual(fleet.stdout.readline(), "no gateway has said anything there\n")
            self.start("barn-1", region.port)
            while not (line := fleet.stdout.readline()).startswith("barn-1 "):
                self.assertNotEqual(line, "", "it has ended")
            self.assertIn(" online ", line)
            fleet.kill()

    def test_a_region_with_tls(self):
        authority = pki.Authority(self.folder / "pki")
        certificate, key = authority.issue("region", "DNS:localhost,IP:127.0.0.1")
        port = free_port()
        # A furrow is a region like any other.
        self.gateway(f"listeners: [{{bind: 127.0.0.1:0}}, {{bind: 127.0.0.1:{port}, "
                     f"tls: {{certificate: {certificate}, key: {key}}}}}]\n", "region").start()
        shown = run_furrow("fleet", "--url", f"mqtts://localhost:{port}", "--ca", authority.certificate)
        self.assertEqual((shown.returncode, shown.stdout), (0, "no gateway has said anything there\n"), shown.stderr)
        strange = run_furrow("fleet", "--url", f"mqtts://localhost:{port}")
        self.assertEqual(strange.returncode, 1)
        self.assertIn("certificate", strange.stderr)

    def test_what_is_asked_wrongly(self):
        for arguments, why in ((["--url", "http://127.0.0.1"], "--url: "),
                               (["--url", "ws://127.0.0.1"], "mqtt:// or mqtts://"),
                               (["--url", "mqtt://127.0.0.1", "--topic", "fleet/#/x"], "--topic: "),
                               ([], "--url is required")):
            with self.subTest(arguments=arguments):
                shown = run_furrow("fleet", *arguments)
                self.assertEqual((shown.returncode, shown.stdout), (2, ""))
                self.assertIn(why, shown.stderr)
        nobody = run_furrow("fleet", "--url", f"mqtt://127.0.0.1:{free_port()}")
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("connection refused", nobody.stderr)


if __name__ == "__main__":
    main()
