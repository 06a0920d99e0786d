"""In front of an Exim: it is asked for its recipients, gets what is good octet by octet, and what it says stands in our words.
It insists on the order of the dialogue (smtp_enforce_sync), offers CHUNKING and answers in its own way."""
import os
import sys
import unittest

import exim
from gateway import GTUBE, Gateway, message, wait_for

BODY = ".\r\n..\r\n. a dot in front\r\n\r\n=C4=90=C3=A2y l=C3=A0 th=C6=B0\r\n" + "x" * 900 + "\r\n\tindented\r\n\r\n\r\n"
UNPROVED = {"unproved.example A": "198.51.100.7"}   # takes mail, and says nothing of who may send it


class BeforeExim(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.behind = exim.Exim(["carol@corp.test", "dave@corp.test", "erin@corp.test"], locked=["erin@corp.test"])
        cls.addClassCleanup(lambda: cls.behind.close())
        cls.gateway = Gateway(zone=UNPROVED, sections={'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{cls.behind.port}"',
                                                       "queue": 'retry = ["1s"]'})
        cls.addClassCleanup(cls.gateway.close)

    def send(self, subject, to="carol@corp.test", sender="you@sender.example", **more):
        return self.gateway.send(message(subject=subject, to="you", **more), to=to, sender=sender)

    def arrived(self, subject, user="carol@corp.test"):
        found = wait_for(lambda: [mail for mail in self.behind.mails(user) if mail["Subject"] == subject])
        self.assertEqual(len(found), 1)
        return found[0]

    def test_good_mail_arrives_as_it_was_sent_with_our_fields(self):
        code, text = self.send("good news", to=("carol@corp.test", "dave@corp.test"), body=BODY,
                               extra="MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n")
        self.assertEqual(code, 250, text)
        for user in ("carol@corp.test", "dave@corp.test"):
            mail = self.arrived("good news", user)
            self.assertTrue(mail["X-Postern-Verdict"].startswith("ham "), mail["X-Postern-Verdict"])
            self.assertIn("by mx.example.test", "".join(mail.get_all("Received")))
            self.assertEqual(mail.get_all("Return-Path"), ["<you@sender.example>"])
            self.assertEqual(mail.get_payload(), BODY.replace("\r\n", "\n"))
        wait_for(lambda: not self.gateway.json_lines("queue", "list"))

    def test_whom_it_does_not_know_is_refused_and_whom_it_defers_is_deferred(self):
        code, text = self.send("for nobody", to="nobody-here@corp.test")
        self.assertEqual(code, 550, text)
        code, text = self.send("locked", to="erin@corp.test")
        self.assertEqual(code, 450, text)

    def test_what_it_refuses_after_our_250_is_held_with_its_words(self):
        code, text = self.send("refuse me", sender="you@unproved.example")
        self.assertEqual(code, 250, text)
        row = wait_for(lambda: [r for r in self.gateway.json_lines("quarantine", "list", "--user", "carol@corp.test") if r["subject"] == "refuse me"])[0]
        self.assertEqual(row["class"], "undeliverable")
        self.assertIn("this server does not want it", row["reason"])

    def test_spam_is_held_and_released_to_it(self):
        code, text = self.send("buy", to="dave@corp.test", body=GTUBE + "\r\n")
        self.assertEqual(code, 250, text)
        row, = [r for r in self.gateway.json_lines("quarantine", "list", "--user", "dave@corp.test") if r["subject"] == "buy"]
        self.assertEqual(row["class"], "spam")
        self.gateway.command("quarantine", "release", row["id"], check=True)
        self.assertIn("released", " ".join(self.arrived("buy", "dave@corp.test").get_all("X-Postern-Why")))

    def test_while_it_is_away_mail_waits(self):
        self.send("before")
        self.arrived("before")
        self.behind.stop()
        try:
            code, text = self.send("meanwhile")
            self.assertEqual(code, 250, text)
            wait_for(lambda: [r for r in self.gateway.json_lines("queue", "list", "--to", "carol@corp.test") if r["why"]])
        finally:
            self.behind.begin()
        self.arrived("meanwhile")


if __name__ == "__main__":
    if os.geteuid() != 0 or not exim.works():
        print("skipped: not root, or Debian's exim4-daemon-light cannot be had")
        sys.exit(77)
    unittest.main()
