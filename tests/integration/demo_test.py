"""The newcomer's tour ends well."""

import re

from furrow_testing import TestCase, main, run_furrow


class DemoTest(TestCase):
    def test_nothing_is_lost_or_duplicated(self):
        done = run_furrow("demo", "--outage", "2", "--for", "8", cwd=self.folder)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, 0, said)
        result = re.search(r"sent (\d+), arrived (\d+), lost 0, duplicated 0\s*$", said)
        self.assertIsNotNone(result, said)
        self.assertEqual(result.group(1), result.group(2))
        self.assertGreater(int(result.group(1)), 0)
        self.assertEqual(list(self.folder.iterdir()), [], "the demo left something behind")


if __name__ == "__main__":
    main()
