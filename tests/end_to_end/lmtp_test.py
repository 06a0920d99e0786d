"""LMTP in: a real Postfix in front hands over, XFORWARD names the sender's host, and nothing bounces for a rule."""
import email
import os
import smtplib
import subprocess
import sys
import unittest

import postfix
from gateway import EICAR, Gateway, free_ports, message, with_attachment

RULE = """
rule "no-spam-word" {
  on = "message",
  about = "Reject what says so in its subject.",
  check = function(mail) if mail.subject == "refuse me" then return reject "the subject says so" end end,
}

test "the subject decides" {
  given = { subject = "refuse me" },
  want = { verdict = "reject", rule = "no-spam-word" },
}

rule "not-bob" {
  on = "rcpt",
  about = "Bob takes nothing from friend@sender.example.",
  check = function(mail, rcpt)
    if mail.sender == "friend@sender.example" and rcpt.address == "bob@example.test" then return reject "not for Bob" end
  end,
}

test "Bob is left alone" {
  given = { sender = "friend@sender.example", rcpt = "bob@example.test" },
  want = { verdict = "reject", rule = "not-bob" },
}
"""


class Lmtp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = free_ports(("lmtp",))["lmtp"]
        cls.gateway = Gateway(sections={"listen": f'lmtp = ["127.0.0.1:{cls.port}"]'}, rule_files={"55-ours.lua": RULE})
        cls.addClassCleanup(cls.gateway.close)
        cls.postfix = postfix.Postfix(f"relay_domains = example.test\nrelay_transport = lmtp:inet:127.0.0.1:{cls.port}\n"
                                      "lmtp_send_xforward_command = yes\n")
        cls.addClassCleanup(cls.postfix.close)

    def setUp(self):
        self.postfix.mark()

    def through_postfix(self, text, to=("alice@example.test",), sender="you@sender.example", ip="198.51.100.7"):
        with smtplib.SMTP("127.0.0.1", self.postfix.port, local_hostname="mail.sender.example", timeout=60) as client:
            client.ehlo()
            code, said = client.docmd("XCLIENT", f"ADDR={ip} NAME=mail.sender.example HELO=mail.sender.example")
            self.assertEqual(code, 220, said)
            client.sendmail(sender, list(to), text)

    def one(self, folder, user, subject):
        found = [email.message_from_bytes(m) for m in self.gateway.folder(folder, user)]
        found = [m for m in found if m["Subject"] == subject]
        self.assertEqual(len(found), 1, f"{subject!r} in {folder} of {user}:\n{self.gateway.log_text()[-3000:]}\n{self.postfix.log()[-2000:]}")
        return found[0]

    def test_two_recipients_each_hear_their_own_reply_and_the_sender_is_judged(self):
        self.through_postfix(message(subject="by lmtp"), to=("alice@example.test", "bob@example.test"))
        for user in ("alice", "bob"):
            self.postfix.wait(rf"to=<{user}@example\.test>.*status=sent \(250 2\.0\.0 <{user}@example\.test> Accepted as ")
            mail = self.one("INBOX", f"{user}@example.test", "by lmtp")
            self.assertIn("spf=pass", mail["Authentication-Results"])
            ours = mail.get_all("Received")[0]
            self.assertIn("with LMTP", ours)
            self.assertIn("relay.example.test", ours)
            self.assertEqual(mail["Return-Path"], "<you@sender.example>")
        self.assertRegex(self.gateway.log_text(), r"event=smtp\.message .*ip=198\.51\.100\.7 ")

    def test_a_virus_and_a_rejected_message_are_held_and_nothing_bounces(self):
        self.through_postfix(with_attachment(EICAR.encode()), to=("bob@example.test",))
        self.through_postfix(message(subject="refuse me"))
        self.through_postfix(message(subject="to a friend"), to=("alice@example.test", "bob@example.test"), sender="friend@sender.example")
        self.postfix.wait(r"status=sent \(250 2\.0\.0 .* Accepted as ", count=4)
        rows = self.gateway.json_lines("quarantine", "list")
        held = {(row["user"], row["class"]) for row in rows}
        self.assertLessEqual({("bob@example.test", "virus"), ("alice@example.test", "policy"), ("bob@example.test", "policy")}, held)
        reasons = " ".join(row["reason"] for row in rows)
        self.assertIn("the subject says so", reasons)
        self.assertIn("not for Bob", reasons)
        self.one("INBOX", "alice@example.test", "to a friend")
        self.assertNotIn("status=bounced", self.postfix.log())

    def test_an_unknown_recipient_is_refused_beside_a_known_one(self):
        self.through_postfix(message(subject="half known"), to=("alice@example.test", "nobody@example.test"))
        self.postfix.wait(r"to=<nobody@example\.test>.*status=bounced .*550 5\.1\.1")
        self.postfix.wait(r"to=<alice@example\.test>.*status=sent")
        self.one("INBOX", "alice@example.test", "half known")

    def test_swaks_speaks_lmtp_with_us(self):
        done = subprocess.run(["swaks", "--protocol", "LMTP", "--server", "127.0.0.1", "--port", str(self.port), "--from", "ann@sender.example",
                               "--to", "alice@example.test,bob@example.test", "--header", "Subject: swaks lmtp"], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("<bob@example.test> Accepted as", done.stdout)
        self.one("INBOX", "bob@example.test", "swaks lmtp")

    def test_a_hundred_messages_over_kept_connections_all_arrive(self):
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=60) as client:
            for number in range(100):
                client.sendmail("you@sender.example", ["bob@example.test"], message(subject=f"number {number}"))
        self.postfix.wait(r"to=<bob@example\.test>.*status=sent .*\(250", count=100)
        subjects = [email.message_from_bytes(m)["Subject"] for m in self.gateway.folder("INBOX", "bob@example.test")]
        self.assertEqual(sorted(s for s in subjects if s.startswith("number ")), sorted(f"number {n}" for n in range(100)))


if __name__ == "__main__":
    if os.geteuid() != 0 or not postfix.PROGRAM:
        print("skipped: Postfix is not installed, or we are not root")
        sys.exit(77)
    unittest.main()
