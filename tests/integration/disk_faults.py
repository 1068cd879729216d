"""A disk that fails or is slow while a program runs: what tests/support/disk_faults.cc does is told here."""

import pathlib
import struct

from preload import preloaded


class DiskFaults:
    """The disk below a path, as the program sees it that is started with `environment`."""

    def __init__(self, library, control, below=""):
        self.control = pathlib.Path(control)
        self.control.write_bytes(bytes(20))
        self.environment = {"FURROW_DISK_FAULTS": str(control),
                            "FURROW_DISK_FAULTS_BELOW": str(below)} | preloaded(library)

    def fail(self, **faults):
        """From now on, and with nothing but these: errnos to open for writing, write, sync, read; sync_ms."""
        numbers = [faults.pop(name, 0) for name in ("open", "write", "sync", "read", "sync_ms")]
        assert not faults, faults
        with open(self.control, "r+b") as file:  # in its place: the program has mapped it
            file.write(struct.pack("=5i", *numbers))

    def heal(self):
        self.fail()
