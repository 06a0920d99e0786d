#!/usr/bin/env python3
"""Relay: source -> Postern -> smtp-sink beside source -> Postfix -> smtp-sink, in one run.  Prints figures and ratios;
asserts none.

    python3 tests/bench/relay_bench.py [--messages 4000] [--size 4096]

Needs a release build (POSTERN_BUILD, default build/), Debian's postfix (smtp-source, smtp-sink) and root.  Both are
durable: fsync before 250.  Postern judges nothing here (no rules, no scanner), as Postfix does not.  20 connections, one
message a connection; over is it when the sink has all.  CPU: user + system of the program and all its descendants, the
source's and the sink's not.  The two alternate, the middle of three is shown.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import support.postfix as postfix  # noqa: E402
import usage  # noqa: E402
from support.gateway import Gateway, free_ports  # noqa: E402

CONNECTIONS = 20


class Sink:
    def __init__(self):
        self.port = free_ports(("sink",))["sink"]
        self.taken = 0
        self.process = subprocess.Popen(["/usr/sbin/smtp-sink", "-u", "nobody", "-c", f"127.0.0.1:{self.port}", "1000"],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        rest = b""
        while chunk := os.read(self.process.stdout.fileno(), 4096):
            rest = (rest + chunk)[-200:]
            found = re.findall(rb"mesg=(\d+)", rest)
            if found:
                self.taken = int(found[-1])

    def wait(self, count, timeout=300):
        end = time.monotonic() + timeout
        while self.taken < count:
            if time.monotonic() > end:
                raise SystemExit(f"the sink has {self.taken} of {count}")
            time.sleep(0.005)

    def close(self):
        self.process.kill()
        self.process.wait()


def run(port, sink, pid, given):
    """Messages a second until the source is done and until the sink has all, CPU ms a message."""
    begun, cpu = time.monotonic(), usage.Cpu(pid).total
    subprocess.run(["/usr/sbin/smtp-source", *(["-d"] if given.keep else []), "-s", str(CONNECTIONS), "-m", str(given.messages), "-l", str(given.size),
                    "-f", "you@sender.example", "-t", "ann@corp.test", f"127.0.0.1:{port}"], check=True, stdout=subprocess.DEVNULL)
    taken = time.monotonic() - begun
    sink.wait(given.messages)
    whole = time.monotonic() - begun
    time.sleep(0.3)   # its last commits
    return given.messages / taken, given.messages / whole, (usage.Cpu(pid).total - cpu) * 1000 / given.messages


def postern(given):
    sink = Sink()
    rules = tempfile.mkdtemp()
    try:
        with Gateway(rules=rules, antivirus=False, sections={
                "antivirus": "scanners = 0", "smtp": 'greet_delay = "0s"',
                'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{sink.port}"\nrecipients = "any"'}) as gateway:
            return run(gateway.ports["smtp"], sink, gateway.process.pid, given)
    finally:
        sink.close()
        os.rmdir(rules)


def plain_postfix(given):
    sink = Sink()
    server = postfix.Postfix(f"relay_domains = corp.test\nrelay_transport = relay:[127.0.0.1]:{sink.port}\n")
    try:
        with open(os.path.join(server.folder, "queue/pid/master.pid"), encoding="ascii") as file:
            pid = int(file.read())
        return run(server.port, sink, pid, given)
    finally:
        server.close()
        sink.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--keep", action="store_true", help="many messages a connection")
    given = parser.parse_args()
    rows = {"Postern": [], "Postfix": []}
    for _ in range(3):
        rows["Postern"].append(postern(given))
        rows["Postfix"].append(plain_postfix(given))
    middle = {name: [statistics.median(values) for values in zip(*runs)] for name, runs in rows.items()}
    print(f"{given.messages} messages of {given.size} octets, {CONNECTIONS} connections")
    print(f"{'':10}{'taken/s':>10}{'through/s':>11}{'CPU ms':>9}")
    for name, (taken, through, cpu) in middle.items():
        print(f"{name:10}{taken:10.0f}{through:11.0f}{cpu:9.3f}")
    ours, theirs = middle["Postern"], middle["Postfix"]
    print(f"{'ratio':10}{ours[0] / theirs[0]:10.1f}{ours[1] / theirs[1]:11.1f}{theirs[2] / ours[2]:9.1f}   (target: 10 in messages a CPU second)")


if __name__ == "__main__":
    main()
