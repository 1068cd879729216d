"""A newcomer's first steps: the tour, and the configuration of the README."""

import re
import signal
import subprocess
import urllib.request

from furrow_testing import BINARY, ROOT, TestCase, main, run_furrow


class FirstStepsTest(TestCase):
    def test_the_tour_ends_with_nothing_lost_or_duplicated(self):
        done = run_furrow("demo", "--outage", "3s", "--for", "9", cwd=self.folder)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, 0, said)
        result = re.search(r"sent (\d+), arrived (\d+), lost 0, duplicated 0\s*$", said)
        self.assertIsNotNone(result, said)
        self.assertEqual(result.group(1), result.group(2))
        self.assertGreater(int(result.group(1)), 0)
        self.assertRegex(said, r"bridge backoff\n(.*\n)*.*bridge draining\n(.*\n)*.*bridge online\n")
        for sent, arrived, waiting in re.findall(r"sent +(\d+) +arrived +(\d+) +in the gateway +(\d+)", said):
            self.assertGreaterEqual(int(sent), int(arrived) + int(waiting), said)
        self.assertNotRegex(said, "\x1b|#", "a pipe gets no colours and no bar")
        self.assertEqual(list(self.folder.iterdir()), [], "the demo left something behind")

    def test_without_an_end_ctrl_c_ends_the_tour(self):
        with subprocess.Popen([BINARY, "demo"], stdout=subprocess.PIPE, text=True) as tour:
            said = ""
            while "Ctrl-C" not in said:
                said += tour.stdout.readline()
            page = re.search(r"status page is at (http://127\.0\.0\.1:\d+/)\n", said)
            if page:  # it is left out where there is no Node.js
                request = urllib.request.Request(page.group(1), headers={"Accept-Encoding": "gzip"})
                with urllib.request.urlopen(request) as answer:
                    self.assertEqual(answer.headers["Content-Type"].split(";")[0], "text/html")
            said += next(line for line in tour.stdout if "arrived" in line)
            tour.send_signal(signal.SIGINT)
            said += tour.stdout.read()
        self.assertEqual(tour.returncode, 0, said)
        self.assertRegex(said, r"sent (\d+), arrived \1, lost 0, duplicated 0\s*$")

    def test_the_source_tour_of_the_readme_matches_the_tree(self):
        tour = re.search(r"## Source tour\n(.*?)\n## ", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
        folder = ROOT
        for path in re.findall(r"`([\w/.-]+\.(?:h|cc))`|\]\(([^)]+)\)", tour):
            path = path[0] or path[1]
            with self.subTest(path=path):
                found = ROOT / path if "/" in path else folder / path  # a bare name: beside the one before it
                self.assertTrue(found.exists())
                folder = found.parent

    def test_the_configuration_of_the_readme_bridges_both_ways(self):
        """As it stands there, but for its addresses."""
        region = self.mosquitto().start()
        example = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL).group(1)
        barn = self.gateway()
        barn.config_path.write_text(
            example.replace("0.0.0.0:1883", "127.0.0.1:0")
            .replace("region.example.org:1883", f"127.0.0.1:{region.port}"))
        barn.extra_arguments = ["--data", barn.data]
        barn.start()
        far = self.client(region.port, "far")
        far.subscribe("#", 1)
        near = self.client(barn.port, "near")
        near.subscribe("command/#", 1)
        self.status(barn).wait_until("the bridge is online", lambda one: one["state"] == "online")
        near.publish("farm/north/moisture", "21", 1)
        far.publish("us-east/barn-7/command/pump", "on", 1)
        near.wait("the command", lambda: near.payloads("command/pump") == ["on"])
        far.wait("the reading", lambda: far.payloads("us-east/barn-7/farm/north/moisture") == ["21"])


if __name__ == "__main__":
    main()
