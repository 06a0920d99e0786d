"""Where one user's mail goes, whatever his domain says: on to hosts of his own, here a real Dovecot by LMTP, or into a mailbox
here; and a domain behind Dovecot, which is asked for its recipients.  The quarantine is here in any case."""
import os
import sys
import unittest

import dovecot
from gateway import GTUBE, PASSWORD, Gateway, free_ports, message, wait_for
from smtp_sink import Sink


class Users(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.behind = dovecot.Dovecot(["alice@example.test", "carol@corp.test", "office@example.test"])
        cls.addClassCleanup(cls.behind.close)
        cls.sink = Sink()
        cls.addClassCleanup(cls.sink.server.server_close)
        cls.addClassCleanup(cls.sink.server.shutdown)
        cls.lmtp = f"lmtp://127.0.0.1:{cls.behind.port}"
        cls.gateway = Gateway(users=("alice@example.test", "bob@example.test", "office@example.test", "carol@corp.test"),
                              sections={'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{cls.sink.port}"',
                                        'domains."example.test"': 'deliver = "mailboxes"\ncatch_all = "office@example.test"',
                                        "queue": 'retry = ["1s"]'})
        cls.addClassCleanup(cls.gateway.close)

    def setUp(self):
        for user in ("alice@example.test", "carol@corp.test", "office@example.test"):
            self.deliver(user, "domain")

    def deliver(self, user, where):
        return self.gateway.command("user", "set", user, "--deliver", where, check=True)

    def send(self, subject, to, **more):
        code, text = self.gateway.send(message(subject=subject, to="you", **more), to=to)
        self.assertEqual(code, 250, text)

    def at_dovecot(self, subject, user, timeout=60):
        found = wait_for(lambda: [mail for mail in self.behind.mails(user) if mail["Subject"] == subject], timeout)
        self.assertEqual(len(found), 1)
        return found[0]

    def in_inbox(self, subject, user="bob@example.test"):
        return len([m for m in self.gateway.folder("INBOX", user) if f"Subject: {subject}\r\n".encode() in m])

    def test_one_user_s_mail_goes_on_and_the_others_stays(self):
        self.deliver("alice@example.test", self.lmtp)
        self.send("for two", ("alice@example.test", "bob@example.test", "alice+tag@example.test"))
        mail = wait_for(lambda: [m for m in self.behind.mails("alice@example.test") if m["Subject"] == "for two"])[0]
        self.assertTrue(mail["X-Postern-Verdict"].startswith("ham "))
        self.assertEqual(self.in_inbox("for two"), 1)
        self.assertEqual(self.in_inbox("for two", "alice@example.test"), 0)
        row, = [row for row in self.gateway.json_lines("user", "list") if row["user"] == "alice@example.test"]
        self.assertEqual(row["deliver"], self.lmtp)

    def test_the_next_host_takes_what_the_first_does_not(self):
        dead = free_ports(("dead",))["dead"]
        self.deliver("alice@example.test", f"smtp://127.0.0.1:{dead}, {self.lmtp}")
        self.send("second choice", "alice@example.test")
        self.at_dovecot("second choice", "alice@example.test")

    def test_his_quarantine_stays_here_and_a_release_goes_to_his_hosts(self):
        self.deliver("alice@example.test", self.lmtp)
        self.send("buy", "alice@example.test", body=GTUBE + "\r\n")
        client = self.gateway.imap()
        try:
            self.assertTrue([row for row in client.list('""', "Release")[1] if row and b"Release" in row])
            client.select("Quarantine")
            _, found = client.uid("SEARCH", "SUBJECT", "buy")
            self.assertEqual(client.uid("MOVE", found[0].decode(), "Release")[0], "OK")
        finally:
            client.logout()
        mail = self.at_dovecot("buy", "alice@example.test")
        self.assertIn("released", " ".join(mail.get_all("X-Postern-Why")))

    def test_what_waits_outlives_a_restart_and_follows_the_user(self):
        dead = free_ports(("dead",))["dead"]
        self.deliver("alice@example.test", f"smtp://127.0.0.1:{dead}")
        self.send("patience", "alice@example.test")
        row = wait_for(lambda: [row for row in self.gateway.json_lines("queue", "list", "--destination", "alice@example.test") if row["why"]])[0]
        self.assertEqual(row["recipients"][0]["address"], "alice@example.test")
        self.assertEqual(self.gateway.stop(), 0)
        self.gateway.start()
        self.assertNotIn("patience", [mail["Subject"] for mail in self.behind.mails("alice@example.test")])
        self.deliver("alice@example.test", self.lmtp)
        self.gateway.command("queue", "retry", row["id"], check=True)
        self.at_dovecot("patience", "alice@example.test")
        wait_for(lambda: not self.gateway.json_lines("queue", "list"))

    def test_what_waits_comes_into_the_mailbox_that_he_gets_instead(self):
        dead = free_ports(("dead",))["dead"]
        for where in ("mailboxes", "domain"):   # his domain has mailboxes too
            self.deliver("alice@example.test", f"smtp://127.0.0.1:{dead}")
            subject = f"coming home to {where}"
            self.send(subject, "alice@example.test")
            waiting = lambda: self.gateway.json_lines("queue", "list", "--destination", "alice@example.test")
            row = wait_for(lambda: [row for row in waiting() if row["why"]])[0]
            self.deliver("alice@example.test", where)
            self.gateway.command("queue", "retry", row["id"], check=True)
            wait_for(lambda: self.in_inbox(subject, "alice@example.test"))
            wait_for(lambda: not waiting())
            self.assertEqual(self.in_inbox(subject, "alice@example.test"), 1)

    def test_what_his_host_does_not_want_is_held_for_him(self):
        self.deliver("bob@example.test", self.lmtp)   # whom Dovecot does not know
        self.addCleanup(self.deliver, "bob@example.test", "domain")
        code, text = self.gateway.send(message(subject="unwanted", to="bob@example.test"), to="bob@example.test", sender="")
        self.assertEqual(code, 250, text)
        row = wait_for(lambda: [row for row in self.gateway.json_lines("quarantine", "list", "--user", "bob@example.test")
                                if row["class"] == "undeliverable"])[0]
        self.assertIn("User doesn't exist", row["reason"])

    def test_a_user_of_a_domain_behind_may_have_a_mailbox_here(self):
        self.deliver("carol@corp.test", "mailboxes")
        before = len(self.sink.got)
        self.send("stays", ("carol@corp.test", "other@corp.test", "carol+x@corp.test"))
        self.assertEqual(self.in_inbox("stays", "carol@corp.test"), 1)
        wait_for(lambda: len(self.sink.got) > before)
        self.assertEqual([mail.recipients for mail in self.sink.got[before:]], [["other@corp.test"]])
        self.deliver("carol@corp.test", self.lmtp)
        self.send("elsewhere", "carol@corp.test")
        self.at_dovecot("elsewhere", "carol@corp.test")
        self.deliver("carol@corp.test", "domain")
        self.send("as all", "carol@corp.test")
        wait_for(lambda: [mail for mail in self.sink.got if b"Subject: as all" in mail.message])

    def test_whom_else_it_leads_to_his_hosts_hear_of_him(self):
        self.deliver("office@example.test", self.lmtp)
        self.gateway.command("alias", "add", "sales@example.test", "office@example.test")
        for address, subject in (("whoever@example.test", "caught"), ("sales@example.test", "by alias")):
            self.send(subject, address)
            self.at_dovecot(subject, "office@example.test")

    def test_submission_sends_on_to_him_too_and_he_is_no_stranger(self):
        self.deliver("alice@example.test", self.lmtp)
        code, text = self.gateway.submit(message(subject="from bob", sender="bob@example.test"), "alice@example.test", user="bob@example.test")
        self.assertEqual(code, 250, text)
        self.at_dovecot("from bob", "alice@example.test")

    def test_what_cannot_be_is_refused_in_words(self):
        for where in ("mailbox", "10.0.0.5", "smtp://a.example,,", "http://a.example"):
            done = self.gateway.command("user", "set", "alice@example.test", "--deliver", where)
            self.assertEqual(done.returncode, 1)
            self.assertIn("is no place to deliver to", done.stderr)
        self.assertIn("nothing is to be changed", self.gateway.command("user", "set", "alice@example.test").stderr)
        self.assertIn("no such user", self.gateway.command("user", "set", "nobody@corp.test", "--deliver", "mailboxes").stderr)
        self.gateway.command("forward", "set", "alice@example.test", "a@far.example", check=True)
        self.assertIn("forward remove", self.gateway.command("user", "set", "alice@example.test", "--deliver", self.lmtp).stderr)
        self.gateway.command("forward", "remove", "alice@example.test", check=True)
        self.deliver("alice@example.test", self.lmtp)
        self.assertIn("--deliver mailboxes", self.gateway.command("forward", "set", "alice@example.test", "a@far.example").stderr)

    def test_a_user_is_made_with_his_hosts(self):
        self.gateway.command("user", "add", "new@corp.test", "--password-stdin", "--deliver", "mailboxes", input=PASSWORD + "\n", check=True)
        self.send("welcome", "new@corp.test")
        self.assertEqual(self.in_inbox("welcome", "new@corp.test"), 1)


class Behind(unittest.TestCase):
    def test_a_domain_in_front_of_dovecot(self):
        behind = dovecot.Dovecot(["dora@corp.test"])
        self.addCleanup(behind.close)
        with Gateway(sections={'domains."corp.test"': f'deliver = "lmtp://127.0.0.1:{behind.port}"', "queue": 'retry = ["1s"]'}) as gateway:
            code, text = gateway.send(message(subject="nobody"), to="nobody@corp.test")
            self.assertEqual((code, "no such user" in text), (550, True), text)
            code, text = gateway.send(message(subject="over LMTP", to="dora@corp.test"), to="dora@corp.test")
            self.assertEqual(code, 250, text)
            mail = wait_for(lambda: [m for m in behind.mails("dora@corp.test") if m["Subject"] == "over LMTP"])[0]
            self.assertEqual(mail["Return-Path"], "<you@sender.example>")
            self.assertEqual(mail["Delivered-To"], "dora@corp.test")
            behind.stop()
            code, text = gateway.send(message(subject="later", to="dora@corp.test"), to="dora@corp.test")
            self.assertEqual(code, 250, text)
            wait_for(lambda: [row for row in gateway.json_lines("queue", "list") if row["why"]])
            behind.begin()
            gateway.command("queue", "retry", "all", check=True)
            wait_for(lambda: [m for m in behind.mails("dora@corp.test") if m["Subject"] == "later"])


if __name__ == "__main__":
    if dovecot.PROGRAM is None or os.geteuid() != 0:
        print("skipped: no Dovecot here, or not root")
        sys.exit(77)
    unittest.main()
