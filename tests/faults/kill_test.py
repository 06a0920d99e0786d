"""kill -9 at random moments under load: every message that got its 250 is there, once, with its octets; UIDVALIDITY
stays and no UID is given again.  POSTERN_KILL_ROUNDS rounds (20)."""
import hashlib
import imaplib
import os
import random
import re
import signal
import sys
import threading
import time
import unittest

from gateway import Gateway

ROUNDS = int(os.environ.get("POSTERN_KILL_ROUNDS", "20"))
SENDERS = 6
RULES = {"10-real.lua": '''rule "says-spam" {
  on = "message", about = "One real rule through the real judge.",
  check = function(mail)
    count("mail-from-" .. mail.sender, "1h")
    if mail.subject == "spam" then return quarantine("said so", "spam") end
  end,
}
'''}


class Sender(threading.Thread):
    """Sends numbered messages until the connection dies; `acknowledged` holds those that got a 250."""

    def __init__(self, gateway, name, acknowledged, attempted, lock):
        super().__init__()
        self.gateway, self.prefix, self.acknowledged, self.attempted, self.lock = gateway, name, acknowledged, attempted, lock

    def run(self):
        number = 0
        try:
            with self.gateway.smtp() as client:
                while True:
                    key = f"{self.prefix}-{number}"
                    number += 1
                    size = random.choice((100, 3000, 30_000, 400_000)) if number % 7 == 0 else 2000
                    body = f"Subject: {key}\r\nMessage-ID: <{key}@sender.example>\r\n\r\n" + f"{key} line\r\n" * (size // 20)
                    with self.lock:
                        self.attempted[key] = hashlib.sha256(body.encode()).hexdigest()
                    client.mail("you@sender.example")
                    client.rcpt("alice@example.test")
                    if client.data(body)[0] == 250:
                        with self.lock:
                            self.acknowledged.add(key)
        except Exception:
            pass  # the server was killed: that is the point


class Kill(unittest.TestCase):
    def test_no_acknowledged_message_is_lost_and_none_is_doubled(self):
        rules = os.path.join(os.path.dirname(os.path.abspath(__file__)), "no-rules")
        os.makedirs(rules, exist_ok=True)
        random.seed(int(os.environ.get("POSTERN_SEED", time.time_ns())))
        with Gateway(rules=rules, rule_files=RULES, sections={"antivirus": "scanners = 0", "smtp": 'greet_delay = "0s"'}, antivirus=False,
                     start=False) as gateway:
            os.rmdir(rules)
            self.acknowledged, self.attempted, self.lock = set(), {}, threading.Lock()
            self.uids, self.validity, self.next_uid = {}, None, 1
            for number in range(ROUNDS):
                self.one_round(gateway, number)
            print(f"{ROUNDS} kill rounds: {len(self.acknowledged)} messages acknowledged, 0 lost, "
                  f"{len(self.uids) - len(self.acknowledged)} stored without an acknowledgement that arrived", flush=True)
            self.assertGreater(len(self.acknowledged), ROUNDS)
            checked = gateway.command("check", "--store", timeout=1800)   # it reads some gigabytes
            self.assertEqual(checked.returncode, 0, checked.stdout)

    def one_round(self, gateway, number):
        gateway.start()
        senders = [Sender(gateway, f"r{number}-s{i}", self.acknowledged, self.attempted, self.lock) for i in range(SENDERS)]
        for sender in senders:
            sender.start()
        time.sleep(random.uniform(0.02, 0.6))
        gateway.stop(signal.SIGKILL)
        for sender in senders:
            sender.join()
        gateway.start()
        self.verify(gateway, number)
        gateway.stop(signal.SIGKILL if random.random() < 0.5 else signal.SIGTERM)

    def verify(self, gateway, number):
        client = gateway.imap()
        client.select("INBOX", readonly=True)
        validity = client.response("UIDVALIDITY")[1][0]
        self.assertIn(self.validity, (None, validity))
        self.validity = validity
        _, data = client.uid("FETCH", f"{self.next_uid}:*", "(UID BODY.PEEK[])")
        for item in data:
            if not isinstance(item, tuple):
                continue
            uid = int(re.search(rb"UID (\d+)", item[0]).group(1))
            if uid < self.next_uid:
                continue  # n:* names the last message even below n
            self.next_uid = uid + 1
            at = item[1].index(b"Subject: r")
            key = item[1][at + 9:item[1].index(b"\r\n", at)].decode()
            self.assertEqual(hashlib.sha256(item[1][at:]).hexdigest(), self.attempted[key], f"octets of {key} in round {number}")
            self.assertNotIn(key, self.uids, f"{key} is there twice in round {number}")
            self.uids[key] = uid
        _, data = client.uid("SEARCH", None, "ALL")
        self.assertEqual(sorted(map(int, data[0].split())), sorted(self.uids.values()), f"round {number}")
        client.logout()
        lost = self.acknowledged - set(self.uids)
        self.assertEqual(lost, set(), f"lost in round {number}:\n{gateway.log_text()[-3000:]}")


if __name__ == "__main__":
    imaplib._MAXLINE = 10_000_000
    sys.exit(unittest.main())
