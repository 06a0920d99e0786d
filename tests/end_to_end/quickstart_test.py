"""What ./quickstart promises: it starts, and the five things that it prints work when they are pasted.

Its ports are fixed, so all of it runs in a network namespace of its own."""
import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from gateway import POSTERN, SOURCE

CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1


def enter_own_network():
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    return True


class Quickstart(unittest.TestCase):
    def setUp(self):
        self.here = tempfile.mkdtemp(prefix="postern-quickstart-")
        shutil.copy(os.path.join(SOURCE, "quickstart"), self.here)
        shutil.copytree(os.path.join(SOURCE, "rules"), os.path.join(self.here, "rules"))
        os.mkdir(os.path.join(self.here, "build"))
        os.symlink(POSTERN, os.path.join(self.here, "build", "postern"))
        self.pid = None

    def tearDown(self):
        if self.pid is not None:
            os.kill(self.pid, signal.SIGKILL)
        shutil.rmtree(self.here, ignore_errors=True)

    def run_shell(self, text, check=True):
        done = subprocess.run(["bash", "-c", text], cwd=self.here, text=True, capture_output=True, timeout=120,
                              env=dict(os.environ, POSTERN_BUILT="yes"))
        if check:
            self.assertEqual(done.returncode, 0, f"{text}\n{done.stdout}\n{done.stderr}\n{self.log()}")
        return done.stdout

    def log(self):
        path = os.path.join(self.here, "demo", "log")
        if not os.path.exists(path):
            return ""
        with open(path, errors="replace") as f:
            return f.read()[-3000:]

    def alive(self):
        try:
            with open(f"/proc/{self.pid}/stat") as f:
                return f.read().rsplit(")", 1)[1].split()[0] != "Z"
        except FileNotFoundError:
            return False

    def test_the_five_things_work_when_they_are_pasted(self):
        printed = self.run_shell("./quickstart --background")
        with open(os.path.join(self.here, "demo", "pid")) as f:
            self.pid = int(f.read())
        things = re.split(r"^\d\. .*\n", printed, flags=re.M)[1:]
        self.assertEqual(len(things), 5, printed)
        # Commands are the indented lines.
        pasted = ["\n".join(line for line in thing.splitlines() if line.startswith("   ")) for thing in things]

        read = self.run_shell(pasted[0])
        self.assertEqual(read.count("250 2.0.0 Accepted"), 2)   # once by a stranger, once by a user with his password
        self.assertIn("235 2.7.0", read)
        self.assertRegex(read, r'ENVELOPE \(.*"hello"')

        self.assertIn("250 2.0.0 Accepted", self.run_shell(pasted[1]))
        quarantined = self.run_shell(pasted[2])
        self.assertRegex(quarantined, r"Eicar")
        self.assertNotIn("X5O!P%@AP", quarantined)

        with_rule = self.run_shell(pasted[3])
        self.assertIn("event=rules.loaded", self.log())
        self.assertRegex(with_rule.split("250 2.0.0 Accepted")[1], r'ENVELOPE \(.*"hello"')

        explained = self.run_shell(pasted[4])
        self.assertRegex(explained, r"(?m)^verdict  ham, score ")

        self.run_shell(re.search(r"Stop: (.*)", printed).group(1))
        end = time.monotonic() + 30
        while self.alive() and time.monotonic() < end:
            time.sleep(0.05)
        self.assertFalse(self.alive())
        self.pid = None


if __name__ == "__main__":
    if not enter_own_network():
        print("no network namespace to be had: skipped")
        sys.exit(77)
    sys.exit(unittest.main())
