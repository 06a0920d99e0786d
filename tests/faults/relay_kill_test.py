"""kill -9 at random moments while mail comes in and goes on to a host behind, here Postfix's smtp-sink: every message
that got its 250 reaches the host with its octets, and comes twice only where a kill lay between the two, so that the
host's answer can have been lost.  The same where messages are handed through before their 250.  POSTERN_KILL_ROUNDS
rounds (20), a quarter of them through."""
import hashlib
import os
import pwd
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from gateway import Gateway, free_ports

ROUNDS = int(os.environ.get("POSTERN_KILL_ROUNDS", "20"))
SENDERS = 4
SINK = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin")


class Sink:
    """smtp-sink, writing each message into a file."""

    def __init__(self):
        self.port = free_ports(("sink",))["sink"]
        self.folder = tempfile.mkdtemp(prefix="postern-sink-")
        nobody = pwd.getpwnam("nobody")
        os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        self.known = {}
        self.process = subprocess.Popen([SINK, "-u", "nobody", "-d", "mail.", f"127.0.0.1:{self.port}", "100"], cwd=self.folder,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def messages(self):
        """(key, hash of the octets from Subject on, time) of each message so far; a file is written whole before the reply."""
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            if name in self.known:
                continue
            with open(path, "rb") as file:
                text = file.read()
            at = text.find(b"Subject: r")
            if at < 0 or not text.endswith(b"END\n\n"):   # it adds an empty line
                continue   # under way, or broken off by a kill
            body = text[at:-1]
            self.known[name] = (body[9:body.index(b"\n")].decode(), hashlib.sha256(body).hexdigest(), os.stat(path).st_mtime)
        return list(self.known.values())

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Sender(threading.Thread):
    def __init__(self, test, name):
        super().__init__()
        self.test, self.prefix = test, name

    def run(self):
        number = 0
        try:
            with self.test.gateway.smtp() as client:
                while True:
                    key = f"{self.prefix}-{number}"
                    number += 1
                    body = f"Subject: {key}\r\n\r\n" + f"{key} line\r\n" * random.choice((10, 100, 2000)) + "END\r\n"
                    with self.test.lock:
                        self.test.attempted[key] = hashlib.sha256(body.replace("\r\n", "\n").encode()).hexdigest()
                    client.mail("you@sender.example")
                    client.rcpt(f"user{number % 5}@corp.test")
                    if client.data(body)[0] == 250:
                        with self.test.lock:
                            self.test.acknowledged.add(key)
        except Exception:
            pass  # the server was killed: that is the point


class RelayKill(unittest.TestCase):
    rounds = ROUNDS
    mode = "queue"

    def test_no_acknowledged_message_is_lost_on_its_way(self):
        random.seed(int(os.environ.get("POSTERN_SEED", time.time_ns())))
        self.acknowledged, self.attempted, self.lock, self.kills = set(), {}, threading.Lock(), []
        rules = tempfile.mkdtemp(prefix="postern-no-rules-")
        self.addCleanup(shutil.rmtree, rules, True)
        sink = Sink()
        self.addCleanup(sink.close)
        with Gateway(rules=rules, sections={"antivirus": "scanners = 0", "smtp": 'greet_delay = "0s"', "queue": 'retry = ["1s"]',
                                            'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{sink.port}"\ntls = "never"\n'
                                                                       f'deliver_mode = "{self.mode}"'},
                     antivirus=False, start=False) as self.gateway:
            for number in range(self.rounds):
                self.one_round(number)
            self.gateway.start()
            self.drain()
            self.gateway.stop()
            self.assertEqual(self.gateway.command("check", "--store").returncode, 0, self.gateway.command("check", "--store").stdout)
        self.verify(sink)

    def one_round(self, number):
        self.gateway.start()
        senders = [Sender(self, f"r{number}-s{i}") for i in range(SENDERS)]
        for sender in senders:
            sender.start()
        time.sleep(random.uniform(0.05, 0.5))
        self.kills.append(time.time())
        self.gateway.stop(signal.SIGKILL)
        for sender in senders:
            sender.join()

    def drain(self):
        end = time.monotonic() + 120
        while self.gateway.json("status")["queue"]["waiting"] != 0 or self.gateway.json_lines("queue", "list"):
            self.assertLess(time.monotonic(), end, self.gateway.log_text()[-3000:])
            time.sleep(0.1)

    def verify(self, sink):
        copies = {}
        for key, digest, when in sink.messages():
            self.assertEqual(digest, self.attempted[key], f"octets of {key}")
            copies.setdefault(key, []).append(when)
        lost = self.acknowledged - set(copies)
        self.assertEqual(lost, set(), f"lost: {len(lost)}")
        doubled = {key: sorted(times) for key, times in copies.items() if len(times) > 1}
        for key, times in doubled.items():
            for first, second in zip(times, times[1:]):
                self.assertTrue(any(first - 1 <= kill <= second for kill in self.kills), f"{key} came twice without a kill between: {times}")
        print(f"{self.rounds} kill rounds ({self.mode}): {len(self.acknowledged)} messages acknowledged, 0 lost on their way, {len(doubled)} came twice, "
              f"{len(copies) - len(self.acknowledged & set(copies))} without an acknowledgement that arrived", flush=True)
        self.assertGreater(len(self.acknowledged), self.rounds)


class ThroughKill(RelayKill):
    """Each message is sent once and nothing of it is kept: here none may come twice."""
    rounds = max(1, ROUNDS // 4)
    mode = "through"

    def verify(self, sink):
        super().verify(sink)
        keys = [key for key, _, _ in sink.messages()]
        self.assertEqual(len(keys), len(set(keys)))


if __name__ == "__main__":
    if SINK is None or os.geteuid() != 0:
        print("skipped: no smtp-sink here, or not root")
        sys.exit(77)
    sys.exit(unittest.main())
