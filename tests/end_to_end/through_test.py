"""Mail handed through to the one server behind, here a real Postfix, before its sender hears 250: what the server says is
what he hears, and nothing is kept here but what is held."""
import os
import sys
import unittest

import postfix
from gateway import GTUBE, Gateway, free_ports, message
from relay_test import HostBehind, wait_for


class Through(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = free_ports(("behind",))["behind"]
        cls.behind = HostBehind(cls.port)
        cls.addClassCleanup(lambda: cls.behind.close())
        cls.gateway = Gateway(sections={'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{cls.port}"\ndeliver_mode = "through"'})
        cls.addClassCleanup(cls.gateway.close)

    def send(self, subject, to="carol@corp.test", body="A line.\r\n"):
        return self.gateway.send(message(subject=subject, to=str(to), body=body), to=to)

    def arrived(self, subject, user="carol"):
        return wait_for(lambda: [mail for mail in self.behind.mails(user) if mail["Subject"] == subject])

    def test_1_the_server_has_it_before_the_sender_hears_so(self):
        self.behind.mark()
        code, text = self.send("good", ("carol@corp.test", "dave@corp.test"))
        self.assertEqual(code, 250, text)
        self.assertTrue(self.behind.wait("nrcpt=2 "))
        self.assertEqual(self.gateway.json_lines("queue", "list"), [])
        mail, = self.arrived("good")
        self.assertTrue(mail["X-Postern-Verdict"].startswith("ham "))
        self.assertEqual(self.gateway.json("status")["queue"]["waiting"], 0)

    def test_2_what_it_refuses_is_refused_and_held_for_nobody(self):
        code, text = self.send("too big", body="A line of text.\r\n" * 8000)
        self.assertGreaterEqual(code, 550, text)
        self.assertEqual(self.gateway.json_lines("queue", "list"), [])
        self.assertEqual(self.gateway.json_lines("quarantine", "list", "--user", "carol@corp.test"), [])

    def test_3_what_is_doubtful_is_held_here_as_ever(self):
        code, text = self.send("buy", "dave@corp.test", body=GTUBE + "\r\n")
        self.assertEqual(code, 250, text)
        row, = self.gateway.json_lines("quarantine", "list", "--user", "dave@corp.test")
        self.gateway.command("quarantine", "release", row["id"], check=True)
        self.arrived("buy", "dave")

    def test_4_a_message_for_two_domains_is_queued(self):
        code, text = self.send("both", ("carol@corp.test", "alice@example.test"))
        self.assertEqual(code, 250, text)
        self.arrived("both")
        self.assertEqual(len([m for m in self.gateway.folder("INBOX") if b"Subject: both" in m]), 1)

    def test_5_while_it_is_down_nothing_is_taken(self):
        self.assertEqual(self.send("known")[0], 250)
        self.arrived("known")
        self.behind.stop()
        code, text = self.send("too early")
        self.assertEqual(code, 451, text)
        self.assertEqual(self.gateway.json_lines("queue", "list"), [])
        self.behind.begin()
        wait_for(lambda: self.send("again")[0] == 250)
        self.arrived("again")
        self.assertEqual([mail for mail in self.behind.mails("carol") if mail["Subject"] == "too early"], [])


if __name__ == "__main__":
    if postfix.PROGRAM is None or os.geteuid() != 0:
        print("skipped: no Postfix here, or not root")
        sys.exit(77)
    sys.exit(unittest.main())
