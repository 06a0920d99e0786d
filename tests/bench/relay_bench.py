#!/usr/bin/env python3
"""Relay: source -> Postern -> smtp-sink beside source -> Postfix -> smtp-sink, in one run.  Prints figures and ratios;
asserts none.

    python3 tests/bench/relay_bench.py [--messages 4000] [--size 4096]
    python3 tests/bench/relay_bench.py --corpus 2000      mails of the corpus (POSTERN_CORPUS) instead, the same for both
    python3 tests/bench/relay_bench.py --queue 100000     so many for a destination that is dead: how fast they are taken, the memory
                                                          that each takes, and after a kill the time to the first delivery

Needs a release build (POSTERN_BUILD, default build/), Debian's postfix (smtp-source, smtp-sink) and root.  Both are
durable: fsync before 250.  Postern judges nothing here (no rules, no scanner), as Postfix does not.  20 connections, one
message a connection; over is it when the sink has all.  CPU: user + system of the program and all its descendants, the
source's and the sink's not.  The two alternate, the middle of three is shown; of the queue there is one run.  "dialogue alone"
is what smtp-sink needs to take the messages and smtp-source to send them on over connections that it keeps: nothing is stored,
looked at or logged there, so no relay can be cheaper by much.
"""
import argparse
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import clients  # noqa: E402
import corpus  # noqa: E402
import support.postfix as postfix  # noqa: E402
import usage  # noqa: E402
from support.gateway import SOURCE, Gateway, free_ports  # noqa: E402

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


def source(port, count, size, to, *more):
    subprocess.run(["/usr/sbin/smtp-source", *more, "-s", str(min(CONNECTIONS, count)), "-m", str(count), "-l", str(size), "-f", "you@sender.example",
                    "-t", to, f"127.0.0.1:{port}"], check=True, stdout=subprocess.DEVNULL)


def feed(port, given):
    if not given.mails:
        source(port, given.messages, given.size, "ann@corp.test", *(["-d"] if given.keep else []))
        return
    client = clients.Smtp(port, given.mails, ["ann@corp.test"], False)
    client.run(CONNECTIONS)
    if client.replies != {250: len(given.mails)}:
        raise SystemExit(f"not all were taken: {client.replies}")


def run(port, sink, pid, given):
    """Messages a second until the source is done and until the sink has all, CPU ms a message."""
    begun, cpu = time.monotonic(), usage.Cpu(pid).total
    feed(port, given)
    taken = time.monotonic() - begun
    sink.wait(given.messages)
    whole = time.monotonic() - begun
    time.sleep(0.3)   # its last commits
    return given.messages / taken, given.messages / whole, (usage.Cpu(pid).total - cpu) * 1000 / given.messages


def gateway(rules, sink, smtp, **more):
    return Gateway(rules=rules, antivirus=False, sections={
        "antivirus": "scanners = 0", "smtp": 'greet_delay = "0s"\n' + smtp,
        'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{sink.port}"\nrecipients = "any"'}, **more)


def relay(sink, further=""):
    return postfix.Postfix(f"relay_domains = corp.test\nrelay_transport = relay:[127.0.0.1]:{sink.port}\n" + further)


def master(server):
    with open(os.path.join(server.folder, "queue/pid/master.pid"), encoding="ascii") as file:
        return int(file.read())


def postern(given):
    sink = Sink()
    rules = tempfile.mkdtemp()
    try:
        # The corpus' senders come with the PROXY header of tests/bench/clients.py.
        with gateway(rules, sink, 'xclient = []\nproxy = ["127.0.0.0/8"]' if given.mails else "") as running:
            return run(running.ports["smtp"], sink, running.process.pid, given)
    finally:
        sink.close()
        os.rmdir(rules)


def plain_postfix(given):
    sink = Sink()
    server = relay(sink, "smtpd_upstream_proxy_protocol = haproxy\n" if given.mails else "")
    try:
        return run(server.port, sink, master(server), given)
    finally:
        server.close()
        sink.close()


def dialogue_alone(given):
    """CPU ms a message of both sides of a relay that does nothing but speak."""
    sink = Sink()
    try:
        source(sink.port, given.messages, given.size, "ann@corp.test", *(["-d"] if given.keep else []))
        taking = usage.Cpu(sink.process.pid).total
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        source(sink.port, given.messages, given.size, "ann@corp.test", "-d")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        sending = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return (taking + sending) * 1000 / given.messages
    finally:
        sink.close()


def first_delivery(port, sink):
    """Seconds until a new message has reached the sink."""
    begun, had = time.monotonic(), sink.taken
    source(port, 1, 600, "ann@corp.test")
    sink.wait(had + 1)
    return time.monotonic() - begun


def queued_postern(given):
    """Taken a second, octets of memory each and of the second half alone, seconds to readiness and to the first delivery after a kill."""
    sink = Sink()
    rules = tempfile.mkdtemp()
    try:
        with gateway(rules, sink, 'xclient = []\ntrusted = ["127.0.0.0/8"]', zone={"away.example A": "127.0.0.9"}) as running:
            before = usage.settled_memory(running.process.pid)[2]
            begun = time.monotonic()
            half = given.queue // 2
            source(running.ports["smtp"], half, 600, "nobody@away.example")
            took = time.monotonic() - begun
            middle = usage.settled_memory(running.process.pid)[2]
            begun = time.monotonic()
            source(running.ports["smtp"], given.queue - half, 600, "nobody@away.example")
            rate = given.queue / (took + time.monotonic() - begun)
            after = usage.settled_memory(running.process.pid)[2]
            memory = (after - before) * 1024 / given.queue
            second = (after - middle) * 1024 / (given.queue - half)
            running.stop(signal.SIGKILL)
            begun = time.monotonic()
            running.start()
            ready = time.monotonic() - begun
            return rate, memory, second, ready, ready + first_delivery(running.ports["smtp"], sink)
    finally:
        sink.close()
        os.rmdir(rules)


def queued_postfix(given):
    sink = Sink()
    dead = free_ports(("dead",))["dead"]
    server = relay(sink, f"transport_maps = inline:{{ away.example=relay:[127.0.0.1]:{dead} }}\nminimal_backoff_time = 300s\nmaximal_backoff_time = 4000s\n"
                         "queue_run_delay = 300s\nrelay_domains = corp.test, away.example\n")
    try:
        before = usage.settled_memory(master(server))[2]
        begun = time.monotonic()
        source(server.port, given.queue, 600, "nobody@away.example")
        rate = given.queue / (time.monotonic() - begun)
        memory = (usage.settled_memory(master(server))[2] - before) * 1024 / given.queue
        server.stop()
        begun = time.monotonic()
        server.begin()
        ready = time.monotonic() - begun
        return rate, memory, None, ready, ready + first_delivery(server.port, sink)
    finally:
        server.close()
        sink.close()


def compare_queues(given):
    print(f"{given.queue} messages for a destination that is dead")
    print(f"{'':10}{'taken/s':>10}{'octets of memory each':>23}{'in the second half':>20}{'ready s':>9}{'first delivery s':>18}", flush=True)
    for name, queued in (("Postern", queued_postern), ("Postfix", queued_postfix)):
        rate, memory, second, ready, first = queued(given)
        shown = "" if second is None else f"{second:.0f}"
        print(f"{name:10}{rate:10.0f}{memory:23.0f}{shown:>20}{ready:9.2f}{first:18.2f}", flush=True)
    print("Postern's memory is that of the whole program: the store's buffers are in the first figure, and full before the second half begins\n"
          "(from some 50,000 messages on).  Postfix keeps 20,000 messages in memory at most.  Postfix takes some 500 a second: minutes.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=4000)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--keep", action="store_true", help="many messages a connection")
    parser.add_argument("--corpus", type=int, default=0, metavar="MAILS")
    parser.add_argument("--queue", type=int, default=0, metavar="MESSAGES")
    given = parser.parse_args()
    if given.queue:
        compare_queues(given)
        return
    given.mails = corpus.sample(corpus.folder(SOURCE), given.corpus) if given.corpus else []
    if given.corpus and not given.mails:
        raise SystemExit(f"no corpus at {corpus.folder(SOURCE)}")
    given.messages = len(given.mails) or given.messages
    rows = {"Postern": [], "Postfix": []}
    for _ in range(3):
        rows["Postern"].append(postern(given))
        rows["Postfix"].append(plain_postfix(given))
    middle = {name: [statistics.median(values) for values in zip(*runs)] for name, runs in rows.items()}
    sizes = sorted(len(mail.octets) for mail in given.mails) or [given.size]
    print(f"{given.messages} messages of {sizes[len(sizes) // 2]} octets (median; 95 of 100 below {sizes[len(sizes) * 95 // 100]}), {CONNECTIONS} connections")
    print(f"{'':10}{'taken/s':>10}{'through/s':>11}{'CPU ms':>9}")
    for name, (taken, through, cpu) in middle.items():
        print(f"{name:10}{taken:10.0f}{through:11.0f}{cpu:9.3f}")
    if not given.mails:
        print(f"{'dialogue alone':31}{dialogue_alone(given):9.3f}")
    ours, theirs = middle["Postern"], middle["Postfix"]
    print(f"{'ratio':10}{ours[0] / theirs[0]:10.1f}{ours[1] / theirs[1]:11.1f}{theirs[2] / ours[2]:9.1f}   (target: 10 in messages a CPU second)")


if __name__ == "__main__":
    main()
