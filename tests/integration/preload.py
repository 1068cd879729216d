"""The libraries of tests/support that change what furrow sees of its machine while it runs."""

import os
import pathlib

FOLDER = pathlib.Path(os.environ.get("FURROW_PRELOAD_FOLDER",
                                     pathlib.Path(__file__).resolve().parents[2] / "build/dev/tests")).resolve()


def library(name):
    path = FOLDER / f"libfurrow_{name}.so"
    assert path.exists(), f"{path} does not exist: build furrow_{name}, or name its folder with FURROW_PRELOAD_FOLDER"
    return path


def preloaded(path):
    """The environment of a program that starts with that library."""
    return {"LD_PRELOAD": str(path), "ASAN_OPTIONS": "verify_asan_link_order=0"}
