"""The recipes of config/recipes: `furrow check` has nothing against them but that their secrets are not on this
machine."""

import re

from furrow_testing import ROOT, TestCase, main, run_furrow

FOLDER = ROOT / "config/recipes"


class RecipesTest(TestCase):
    def test_each_passes_the_check(self):
        recipes = sorted(FOLDER.glob("*.yaml"))
        self.assertEqual(len(recipes), 11)
        for recipe in recipes:
            with self.subTest(recipe.name):
                result = run_furrow("check", recipe)
                said = [line for line in (result.stdout + result.stderr).splitlines() if ": note: " not in line]
                self.assertEqual(result.returncode, 0, said)
                warnings = [line for line in said if ": warning: " in line]
                for line in warnings:
                    self.assertRegex(line, r"read .*\.(password|crt|key): No such file")

    def test_each_is_named_in_the_document(self):
        named = set(re.findall(r"\(recipes/([a-z0-9-]+\.yaml)\)", (ROOT / "config/RECIPES.md").read_text()))
        self.assertEqual(named, {one.name for one in FOLDER.glob("*.yaml")})


if __name__ == "__main__":
    main()
