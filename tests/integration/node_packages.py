"""Packages of npm, installed into the build folder, once: afterwards a test needs neither npm nor a network."""

import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import time

from furrow_testing import PATIENCE, ROOT, skip_all

FOLDER = pathlib.Path(os.environ.get("FURROW_NODE_FOLDER", ROOT / "build/node"))
# npm takes away what it was not named, so each run names all of them.
VERSIONS = {"aedes": "0.51.3", "axe-core": "4.10.3", "mqtt": "5.14.1", "node-red": "4.0.9",
            "puppeteer-core": "24.10.0"}
RETRY_SECONDS = 600  # until it is tried again after a failure: the tests of one run share that, too
ENVIRONMENT = {"NODE_PATH": str(FOLDER / "node_modules")}


def is_installed(name):
    manifest = FOLDER / "node_modules" / name / "package.json"
    return manifest.exists() and json.loads(manifest.read_text(encoding="utf-8"))["version"] == VERSIONS[name]


def install():
    """Ends the program as skipped where that is not possible."""
    if shutil.which("node") is None:
        skip_all("node is not installed")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of tests that run beside each other, one fetches what all of them want
        if all(is_installed(name) for name in VERSIONS):
            return
        failed = FOLDER / "failed"
        if not failed.exists() or failed.stat().st_mtime < time.time() - RETRY_SECONDS:
            failed.write_text(fetch(), encoding="utf-8")
        if reason := failed.read_text(encoding="utf-8"):
            skip_all(reason)


def fetch():
    """Returns why that is not possible, or nothing. A registry that does not answer gets a minute, not npm's ten."""
    if shutil.which("npm") is None:
        return "npm is not installed"
    packages = [f"{name}@{version}" for name, version in VERSIONS.items()]
    result = subprocess.run(
        ["npm", "install", "--prefix", FOLDER, "--no-save", "--package-lock=false", "--ignore-scripts", "--no-audit",
         "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000", *packages],
        capture_output=True, text=True, timeout=4 * PATIENCE, check=False)
    if result.returncode == 0:
        return ""
    said = (result.stderr.strip().splitlines() or ["no reason given"])[0]
    return f"npm could not install {' '.join(packages)}: {said}"
