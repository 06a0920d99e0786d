"""A hundred thousand messages for one dead destination: mail for others flows past them, a kill and a restart bring them
all back within seconds, and `postern queue` works through them page by page.  POSTERN_QUEUED messages (100000)."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from gateway import Gateway, free_ports

QUEUED = int(os.environ.get("POSTERN_QUEUED", "100000"))
SOURCE, SINK = (shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("smtp-source", "smtp-sink"))
ZONE = {"away.example A": "127.0.0.9"}   # nothing listens there


def resident(pid):
    """Octets of memory in use."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmRSS"))


class FullQueue(unittest.TestCase):
    def setUp(self):
        rules = tempfile.mkdtemp(prefix="postern-no-rules-")
        self.addCleanup(shutil.rmtree, rules, True)
        port = free_ports(("sink",))["sink"]
        sink = subprocess.Popen([SINK, "-u", "nobody", f"127.0.0.1:{port}", "100"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(sink.wait)
        self.addCleanup(sink.kill)
        self.gateway = Gateway(zone=ZONE, rules=rules, antivirus=False, sections={
            "antivirus": "scanners = 0", "smtp": 'greet_delay = "0s"\ntrusted = ["127.0.0.0/8"]\nxclient = []', "queue": 'delay_notice = "0s"',
            'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{port}"\nrecipients = "any"\ntls = "never"'})
        self.addCleanup(self.gateway.close)

    def send(self, to, count):
        subprocess.run([SOURCE, "-s", "20", "-m", str(count), "-l", "600", "-f", "you@sender.example", "-t", to,
                        f"127.0.0.1:{self.gateway.ports['smtp']}"], check=True, stdout=subprocess.DEVNULL, timeout=1800)

    def queue(self):
        return self.gateway.json("status")["queue"]

    def wait(self, what, seconds=300):
        end = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), end, self.gateway.log_text()[-3000:])
            time.sleep(0.05)

    def others_flow(self):
        """Seconds until ten messages for a living host have left."""
        begun, sent = time.monotonic(), self.queue()["sent"]
        self.send("ann@corp.test", 10)
        self.wait(lambda: self.queue()["sent"] >= sent + 10)
        return time.monotonic() - begun

    def test_they_wait_and_everything_else_works(self):
        gateway = self.gateway
        before, begun = resident(gateway.process.pid), time.monotonic()
        self.send("nobody@away.example", QUEUED)
        rate = QUEUED / (time.monotonic() - begun)
        self.wait(lambda: self.queue()["waiting"] == QUEUED)
        memory = (resident(gateway.process.pid) - before) / QUEUED
        flowed = self.others_flow()
        gateway.stop(signal.SIGKILL)

        begun = time.monotonic()
        gateway.start()
        ready = time.monotonic() - begun
        first = self.others_flow() + ready
        self.wait(lambda: self.queue()["waiting"] == QUEUED)
        loaded = time.monotonic() - begun
        self.assertEqual(self.queue()["failed"], 0)

        begun = time.monotonic()
        row, = gateway.json_lines("queue", "summary")
        self.assertEqual((row["destination"], row["entries"], row["recipients"]), ("away.example", QUEUED, QUEUED))
        self.assertIn("refused", row["why"])
        summed = time.monotonic() - begun
        listed = gateway.json_lines("queue", "list", "--destination", "away.example")
        self.assertEqual(len({row["id"] for row in listed}), QUEUED)
        self.assertEqual(gateway.json("queue", "hold", "--to", "nobody@"), {"changed": QUEUED})
        self.wait(lambda: self.queue()["waiting"] == 0)
        self.others_flow()
        begun = time.monotonic()
        self.assertEqual(gateway.json("queue", "delete", "all"), {"changed": QUEUED})
        deleted = time.monotonic() - begun
        self.assertEqual(gateway.json_lines("queue", "list"), [])
        gateway.stop()
        self.assertEqual(gateway.command("check", "--store", timeout=600).returncode, 0)
        print(f"{QUEUED} queued at {rate:.0f}/s, {memory:.0f} octets of memory each (the store's caches included); others' ten messages took "
              f"{flowed:.2f} s; after a kill ready in {ready:.2f} s, others' first ten sent after {first:.2f} s, all loaded after {loaded:.2f} s; "
              f"summary {summed:.2f} s, delete all {deleted:.2f} s", flush=True)


if __name__ == "__main__":
    if SOURCE is None or SINK is None or os.geteuid() != 0:
        print("skipped: no smtp-source and smtp-sink here, or not root")
        sys.exit(77)
    sys.exit(unittest.main())
