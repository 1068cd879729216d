#!/usr/bin/env python3
"""Which test shows which normative statement of MQTT.

    table.py                    the whole table
    table.py MQTT-3.1.0-1 …     these statements: what they demand, and how to run their tests
    table.py --check            fails when a statement has neither a test nor a reason, or when the list has a hole

statements.tsv has the statements; a test names what it shows with SHOWS("…").
"""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
TESTS = HERE.parent

# How many statements each section of the specification has, so that none can be missing from the list.
SECTIONS = {
    "": "1.5.4:3 1.5.5:1 1.5.7:1 2.1.3:1 2.2.1:6 2.2.2:1 3.1.0:2 3.1.2:30 3.1.3:12 3.1.4:6 3.2.0:2 3.2.2:22 3.3.1:13"
        " 3.3.2:20 3.3.4:10 3.4.2:3 3.5.2:3 3.6.1:1 3.6.2:3 3.7.2:3 3.8.1:1 3.8.3:5 3.8.4:8 3.9.2:2 3.9.3:2 3.10.1:1"
        " 3.10.3:2 3.10.4:6 3.11.2:2 3.11.3:2 3.12.4:1 3.14.0:1 3.14.1:1 3.14.2:4 3.14.4:3 3.15.1:1 3.15.2:3 4.1.0:2"
        " 4.2.0:1 4.3.1:1 4.3.2:5 4.3.3:13 4.4.0:2 4.5.0:2 4.6.0:6 4.7.0:1 4.7.1:2 4.7.2:1 4.7.3:4 4.8.2:6 4.9.0:3"
        " 4.12.0:7 4.12.1:2 4.13.1:1 4.13.2:1 6.0.0:4",
    "v3.1.1:": "1.5.3:3 2.2.2:2 2.3.1:7 3.1.0:2 3.1.2:24 3.1.3:11 3.1.4:5 3.2.0:1 3.2.2:6 3.3.1:12 3.3.2:3 3.3.4:1"
               " 3.3.5:2 3.6.1:1 3.8.1:1 3.8.3:4 3.8.4:6 3.9.3:2 3.10.1:1 3.10.3:2 3.10.4:6 3.12.4:1 3.14.1:1 3.14.4:3"
               " 4.1.0:2 4.3.1:1 4.3.2:2 4.3.3:2 4.4.0:1 4.5.0:2 4.6.0:6 4.7.1:3 4.7.2:1 4.7.3:4 4.8.0:2 6.0.0:4"
               " 7.0.0:2 7.1.1:1 7.1.2:1",
}
WITHDRAWN = {"MQTT-2.2.1-1"}  # an id that the published MQTT 5.0 does not use

TEST = re.compile(r"TEST(?:_F)?\((\w+),\s*(\w+)\)")
SHOWS = re.compile(r'SHOWS\(\s*((?:"[^"]*"\s*)+)\)')


def expected_ids():
    for version, sections in SECTIONS.items():
        for section in sections.split():
            number, count = section.split(":")
            for i in range(1, int(count) + 1):
                if (name := f"MQTT-{number}-{i}") not in WITHDRAWN or version:
                    yield version + name


def read_statements():
    """id → (binds, demand, reason)"""
    statements = {}
    for line in (HERE / "statements.tsv").read_text().splitlines():
        if line.startswith("#"):
            continue
        name, binds, demand, *reason = line.split("\t")
        if name in statements:
            sys.exit(f"{name} is there twice")
        statements[name] = (binds, demand, reason[0] if reason else "")
    return statements


def read_tests():
    """id → tests, as program.Suite.Name, by which CTest knows them"""
    shown = {}
    for path in sorted([*HERE.glob("*_test.cc"), *TESTS.glob("unit/*/**/*_test.cc")]):
        folder = path.relative_to(TESTS).parts
        program = "conformance" if folder[0] == "conformance" else "unit_" + folder[1].replace("-", "_")
        text = path.read_text()
        tests = list(TEST.finditer(text))
        for test, after in zip(tests, [*tests[1:], None]):
            body = text[test.end():after.start() if after else len(text)]
            for shows in SHOWS.finditer(body):
                for name in shows[1].replace('"', " ").split():
                    shown.setdefault(name, []).append(f"{program}.{test[1]}.{test[2]}")
    return shown


def check(statements, shown):
    wrong = [f"{name} is not in statements.tsv" for name in expected_ids() if name not in statements]
    wrong += [f"{name} is no statement of the specification" for name in statements.keys() - set(expected_ids())]
    wrong += [f"{tests[0]} shows {name}, which is no statement" for name, tests in shown.items()
              if name not in statements]
    for name, (binds, _, reason) in statements.items():
        if binds not in ("server", "client", "both"):
            wrong.append(f"{name} binds {binds}")
        if binds != "client" and not reason and name not in shown:
            wrong.append(f"{name} has neither a test nor a reason")
        if reason and name in shown:
            wrong.append(f"{name} has a reason why it cannot be tested, and a test: {shown[name][0]}")
    return wrong


def describe(name, statements, shown):
    binds, demand, reason = statements[name]
    tests = shown.get(name, [])
    untested = reason or ("binds the client" if binds == "client" else "NOT SHOWN")
    return "\n".join([f"{name}  {demand}", *("    " + test for test in tests or [untested])])


def main(arguments):
    statements, shown = read_statements(), read_tests()
    if arguments == ["--check"]:
        wrong = check(statements, shown)
        tested = sum(name in shown for name in statements)
        reasons = sum(bool(reason) for _, _, reason in statements.values())
        print(*wrong, f"{len(statements)} statements, {tested} shown by a test, {reasons} with a reason why not,"
              f" {len(statements) - tested - reasons} that bind the client or are missing", sep="\n")
        return 1 if wrong else 0
    if unknown := [name for name in arguments if name not in statements]:
        sys.exit(f"no such statement: {' '.join(unknown)}")
    for name in arguments or statements:
        print(describe(name, statements, shown))
    if arguments and (tests := sorted({test for name in arguments for test in shown.get(name, [])})):
        print(f"\nctest --preset dev -R '^({'|'.join(tests)})$'")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
