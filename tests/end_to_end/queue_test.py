"""The outgoing queue from the administrator's side, and what senders may ask of it: DSN (RFC 3461) with a real Postfix
behind, delay notices, and every order of `postern queue`."""
import email
import os
import sys
import unittest

import postfix
from gateway import Gateway, free_ports, message
from relay_test import UNPROVED, HostBehind, wait_for

# Whose mail hosts do not answer: nothing listens on port 25 of that address.
ZONE = {"away.example A": "127.0.0.9", "gone.example A": "127.0.0.9", "far.example A": "127.0.0.9"}


def submit(gateway, to, mail_options=(), rcpt_options=(), sender="you@sender.example", subject="hi", extra=""):
    with gateway.smtp() as client:
        code, text = client.mail(sender, list(mail_options))
        assert code == 250, text
        for recipient in [to] if isinstance(to, str) else to:
            code, text = client.rcpt(recipient, list(rcpt_options))
            assert code == 250, text
        code, text = client.data(message(subject=subject, to=str(to), extra=extra))
        assert code == 250, text


def report_in(text):
    mail = email.message_from_string(text) if isinstance(text, str) else email.message_from_bytes(text)
    assert mail.get_content_type() == "multipart/report", text
    return mail.get_payload()[1].as_string()


class Wishes(unittest.TestCase):
    """alice is a user here, carol@corp.test one of the server behind."""

    @classmethod
    def setUpClass(cls):
        port = free_ports(("behind",))["behind"]
        cls.behind = HostBehind(port)
        cls.addClassCleanup(lambda: cls.behind.close())
        cls.gateway = Gateway(zone=UNPROVED, sections={'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{port}"',
                                                       "queue": 'retry = ["1s"]'})
        cls.addClassCleanup(cls.gateway.close)

    def report_to(self, sender):
        """The report that waits for the sender, whose own server does not answer."""
        row = wait_for(lambda: self.gateway.json_lines("queue", "list", "--to", sender))[0]
        self.assertEqual(row["sender"], "")
        text = self.gateway.json_lines("queue", "show", row["id"])[0]["text"]
        self.gateway.command("queue", "delete", row["id"], check=True)
        return report_in(text)

    def test_delivery_into_a_mailbox_here_is_told_to_who_asked(self):
        submit(self.gateway, "alice@example.test", ["ENVID=QQ1", "RET=HDRS"], ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;orig@elsewhere.example"])
        status = self.report_to("you@sender.example")
        self.assertIn("Action: delivered", status)
        self.assertIn("Original-Envelope-Id: QQ1", status)
        self.assertIn("Original-Recipient: rfc822; orig@elsewhere.example", status)
        self.assertIn("Final-Recipient: rfc822; alice@example.test", status)

    def test_the_server_behind_hears_what_was_asked_and_reports_itself(self):
        self.behind.mark()
        submit(self.gateway, "carol@corp.test", ["ENVID=QQ2"], ["NOTIFY=SUCCESS"], subject="wish")
        wait_for(lambda: [mail for mail in self.behind.mails("carol") if mail["Subject"] == "wish"])
        # Postfix makes its "delivered" report and sends it to the sender: by our side nobody is told.
        self.assertTrue(self.behind.wait("sender delivery status notification"), self.behind.log()[-2000:])
        self.assertEqual(self.gateway.json_lines("queue", "list", "--to", "you@sender.example"), [])

    def test_no_success_is_told_in_the_name_of_who_may_be_forged(self):
        self.behind.mark()
        submit(self.gateway, ("alice@example.test", "carol@corp.test"), [], ["NOTIFY=SUCCESS"], sender="you@unproved.example", subject="forged")
        wait_for(lambda: [mail for mail in self.behind.mails("carol") if mail["Subject"] == "forged"])
        wait_for(lambda: not self.gateway.json_lines("queue", "list"))
        self.assertNotIn("sender delivery status notification", self.behind.log())

    def test_never_is_never(self):
        submit(self.gateway, "carol@corp.test", [], ["NOTIFY=NEVER"], subject="never", extra="X-Pad: " + "x" * 100 + "\r\n")
        wait_for(lambda: [mail for mail in self.behind.mails("carol") if mail["Subject"] == "never"])
        self.assertEqual(self.gateway.json_lines("queue", "list", "--to", "you@sender.example"), [])


class Orders(unittest.TestCase):
    """Everything goes to domains whose servers do not answer."""

    def setUp(self):
        self.gateway = Gateway(zone=ZONE, sections={"smtp": 'trusted = ["198.51.100.0/24"]',
                                                    "queue": 'retry = ["10m"]\ndelay_notice = "1s"'})
        self.addCleanup(self.gateway.close)

    def rows(self, *arguments):
        return self.gateway.json_lines("queue", "list", *arguments)

    def test_filters_counts_and_orders(self):
        g = self.gateway
        for number in range(3):
            submit(g, f"user{number}@away.example", rcpt_options=["NOTIFY=NEVER"])
        submit(g, ("ann@gone.example", "bob@gone.example"), sender="boss@sender.example", rcpt_options=["NOTIFY=NEVER"])
        submit(g, "eve@far.example", sender="", rcpt_options=["NOTIFY=NEVER"])
        self.assertEqual(len(wait_for(lambda: len(self.rows()) == 5 and self.rows())), 5)
        self.assertEqual(len(self.rows("--destination", "away.example")), 3)
        self.assertEqual(self.rows("--destination", "way.example"), [])
        self.assertEqual([row["destination"] for row in self.rows("--to", "bob@")], ["gone.example"])
        self.assertEqual([row["sender"] for row in self.rows("--from", "BOSS")], ["boss@sender.example"])
        self.assertEqual([row["destination"] for row in self.rows("--from", "<>")], ["far.example"])
        self.assertEqual(self.rows("--older", "1h"), [])
        self.assertEqual(len(self.rows("--older", "1ms")), 5)

        counts = {row["destination"]: row for row in g.json_lines("queue", "summary")}
        self.assertEqual((counts["away.example"]["entries"], counts["gone.example"]["recipients"]), (3, 2))
        self.assertIn("away.example", g.command("queue", "summary", check=True).stdout)
        wait_for(lambda: all(row["why"] for row in g.json_lines("queue", "summary")))

        self.assertEqual(g.json("queue", "hold", "--destination", "away.example"), {"changed": 3})
        self.assertEqual(g.json("queue", "hold", "--destination", "away.example"), {"changed": 0})
        self.assertEqual(len(self.rows("--held")), 3)
        self.assertEqual(g.json("queue", "thaw", "all"), {"changed": 3})
        self.assertEqual(self.rows("--held"), [])
        first, second, third = (row["id"] for row in self.rows("--destination", "away.example"))
        self.assertEqual(g.json("queue", "hold", first, second), {"changed": 2})
        self.assertEqual(g.json("queue", "retry", first), {"changed": 1})
        self.assertEqual([row["id"] for row in self.rows("--held")], [second])
        self.assertEqual(g.json("queue", "delete", "--held"), {"changed": 1})
        self.assertEqual(g.json("queue", "delete", third), {"changed": 1})
        self.assertEqual([row["id"] for row in self.rows("--destination", "away.example")], [first])
        shown = g.json_lines("queue", "show", first)[0]
        self.assertEqual(shown["recipients"][0]["notify"], "NEVER")
        self.assertIn("Subject: hi", shown["text"])
        self.assertIn("NOTIFY=NEVER", g.command("queue", "show", first, check=True).stdout)
        self.assertEqual(g.json("queue", "delete", "all"), {"changed": 3})
        self.assertEqual(self.rows(), [])

        g.stop()   # the same on the store, without a server
        self.assertEqual(g.json("queue", "retry", "all"), {"changed": 0})
        self.assertEqual(g.json_lines("queue", "summary"), [])

    def test_what_is_not_clear_is_refused_and_changes_nothing(self):
        g = self.gateway
        submit(g, "ann@away.example", rcpt_options=["NOTIFY=NEVER"])
        row = wait_for(self.rows)[0]
        for arguments, status, words in (((), 2, "say which"), (("12x",), 1, "no id"), (("999",), 1, "no entry 999"), ((row["id"], "999"), 1, "no entry 999"),
                                         ((row["id"], "--held"), 2, "not both"), (("all", "--held"), 2, "not both"), (("--older", "soon"), 1, "no time"), (("--held", "--due"), 2, ""),
                                         (("all", "--frob"), 2, "")):
            done = g.command("queue", "delete", *arguments)
            self.assertEqual(done.returncode, status, (arguments, done.stdout, done.stderr))
            self.assertIn(words, done.stderr)
        self.assertEqual(len(self.rows()), 1)
        g.stop()
        done = g.command("queue", "bounce", row["id"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("no server runs", done.stderr)
        self.assertEqual(len(self.rows()), 1)

    def test_the_sender_is_told_of_a_delay_and_of_what_the_administrator_gives_up(self):
        g = self.gateway
        submit(g, "ann@away.example", sender="alice@example.test", rcpt_options=["NOTIFY=DELAY,FAILURE"])
        told = wait_for(lambda: g.folder("INBOX"), 120)
        status = report_in(told[0])
        self.assertIn("Action: delayed", status)
        self.assertIn("Will-Retry-Until:", status)
        row = self.rows("--destination", "away.example")[0]
        self.assertTrue(row["recipients"][0]["told_of_delay"])
        self.assertEqual(g.json("queue", "hold", "all"), {"changed": 1})
        self.assertEqual(g.json("queue", "bounce", "--held"), {"changed": 1})
        wait_for(lambda: len(g.folder("INBOX")) == 2)
        status = report_in(g.folder("INBOX")[1])
        self.assertIn("Action: failed", status)
        self.assertIn("given up by the administrator", status)
        self.assertEqual(self.rows(), [])


if __name__ == "__main__":
    if postfix.PROGRAM is None or os.geteuid() != 0:
        print("skipped: no Postfix here, or not root")
        sys.exit(77)
    sys.exit(unittest.main())
