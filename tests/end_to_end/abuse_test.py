"""The abuse desk with the real program: hosts that refuse, a Postfix that takes everything and bounces it later, complaints
by ARF that are true and invented; what is suppressed then, who is told, and that a restart forgets nothing."""
import email
import os
import re
import sys
import unittest

import postfix
from gateway import GTUBE, Gateway, free_ports, message
from relay_test import wait_for
from smtp_sink import Sink
from urllib.request import urlopen

CONFIG = 'postmaster = "bob@example.test"'
FAR = {"relay.example.test A": "127.0.0.1", "1.0.0.127.in-addr.arpa PTR": "relay.example.test"}


def arf(header, rcpt=None, feedback="abuse"):
    """A complaint about the message with that header, as providers send it."""
    to = f"Original-Rcpt-To: <{rcpt}>\r\n" if rcpt else ""
    return message(subject="complaint about message", sender="fbl@sender.example", to="abuse@example.test", extra=(
        "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=feedback-report;\r\n\tboundary=\"part\"\r\n"), body=(
        "--part\r\nContent-Type: text/plain\r\n\r\nThis is an email abuse report.\r\n--part\r\nContent-Type: message/feedback-report\r\n\r\n"
        f"Feedback-Type: {feedback}\r\nUser-Agent: SomeGenerator/1.0\r\nVersion: 1\r\nOriginal-Mail-From: <alice@example.test>\r\n{to}"
        f"Source-IP: 192.0.2.1\r\n\r\n--part\r\nContent-Type: message/rfc822\r\n\r\n{header}\r\nbody\r\n--part--\r\n"))


def header_of(mail):
    return mail.message.decode().split("\r\n\r\n")[0] + "\r\n"


class Desk(unittest.TestCase):
    """far.example is a host that knows everybody but those whom it refuses."""

    def begin(self, abuse="suppress_after = 1", port=None, refused=()):
        self.sink = Sink(refused=refused)
        self.addCleanup(self.sink.close)
        self.gateway = Gateway(zone=FAR, config=CONFIG, sections={
            'routes."far.example"': f'via = "smtp://127.0.0.1:{port or self.sink.port}"\ntls = "never"', "queue": 'retry = ["1s"]', "abuse": abuse,
            "smtp": 'xclient = ["127.0.0.0/8"]\ntrusted = ["10.9.0.0/16"]'})
        self.addCleanup(self.gateway.close)

    def submit(self, subject, to, body="A line.\r\n"):
        return self.gateway.submit(message(subject=subject, sender="Alice <alice@example.test>", to=str(to), body=body), to)

    def send(self, subject, to, **more):
        code, text = self.submit(subject, to, **more)
        self.assertEqual(code, 250, text)
        return re.search(r"Accepted as (\w+)", text).group(1)

    def sent(self, subject, to):
        """What really arrived there."""
        self.send(subject, to)
        return self.sink.one(f"Subject: {subject}\r\n".encode())

    def report(self, text):
        code, said = self.gateway.send(text, to="bob@example.test", sender="fbl@sender.example")
        self.assertEqual(code, 250, said)

    def suppressed(self, *filters):
        return self.gateway.json_lines("suppression", "list", *filters)

    def mails(self, subject, user="bob@example.test"):
        mails = [email.message_from_bytes(octets) for octets in self.gateway.folder("INBOX", user)]
        return [mail for mail in mails if mail["Subject"] == subject]

    def figures(self):
        return self.gateway.json("status")["abuse"]

    def test_who_is_refused_by_his_host_is_suppressed_until_he_is_lifted(self):
        self.begin(refused=["gone@far.example"])
        id = self.send("first", ["gone@far.example", "you@far.example"])
        row = wait_for(self.suppressed)[0]
        self.assertEqual((row["address"], row["user"], row["cause"], row["message"]), ("gone@far.example", None, "bounces", id))
        self.assertIn("550 5.1.1 no such user", row["words"])
        self.assertEqual(len(wait_for(lambda: self.gateway.folder("INBOX"))), 1)   # the bounce, as always
        code, text = self.submit("second", "Gone@far.example")
        self.assertEqual(code, 550)
        self.assertRegex(text, r"^5\.1\.1 <Gone@far\.example>: no such address there since 20\d\d-\d\d-\d\d, it bounced again and again: 550 5\.1\.1 no such user"
                               r".*; your administrator can lift this \(postern suppression remove\) \(id \w+\)$")
        self.send("others", "you@far.example")
        self.assertIn("gone@far.example", self.gateway.command("suppression", "list", check=True).stdout)
        self.assertEqual(self.figures()["suppressed"], 1)
        self.assertEqual(self.figures()["recipients_refused"], 1)
        self.gateway.command("suppression", "remove", "gone@far.example", check=True)
        self.assertEqual(self.suppressed(), [])
        self.sink.refused.clear()
        self.sent("third", "gone@far.example")
        self.assertEqual(self.gateway.command("suppression", "remove", "gone@far.example").returncode, 1)

    def test_three_bounces_within_an_hour_are_not_enough(self):
        self.begin(abuse="alarm_bounces = 3", refused=["gone@far.example"])
        for number in range(3):
            self.send(f"number {number}", "gone@far.example")
        wait_for(lambda: self.figures()["bounces"] == 3)
        self.assertEqual(self.suppressed(), [])
        self.assertEqual(len(self.mails("Alarm: mail by alice@example.test")), 1)

    def test_that_the_host_takes_him_again_clears_it(self):
        self.begin(refused=["gone@far.example"])
        self.send("first", "gone@far.example")
        wait_for(self.suppressed)
        self.sink.refused.clear()
        code, text = self.gateway.send(message(subject="by a server of ours"), to="gone@far.example", ip="10.9.0.1")
        self.assertEqual(code, 250, text)
        self.sink.one(b"by a server of ours")
        wait_for(lambda: self.suppressed() == [])
        self.send("second", "gone@far.example")

    def test_a_true_complaint_ends_what_the_user_sends_there(self):
        self.begin()
        mail = self.sent("an offer", "ann@far.example")
        self.report(arf(header_of(mail), "ann@far.example"))
        row = wait_for(self.suppressed)[0]
        self.assertEqual((row["address"], row["user"], row["cause"], row["until"]), ("ann@far.example", "alice@example.test", "complaint", None))
        code, text = self.submit("another offer", "ann@far.example")
        self.assertEqual(code, 550)
        self.assertIn("5.7.1 <ann@far.example>: wants no more mail of yours since ", text)
        code, text = self.gateway.submit(message(sender="bob@example.test", to="ann@far.example"), "ann@far.example", user="bob@example.test")
        self.assertEqual(code, 250, text)
        self.assertEqual(len(self.mails("complaint about message")), 1)   # delivered as any mail
        self.assertEqual((self.figures()["complaints"], self.figures()["reports_unproved"]), (1, 0))
        self.gateway.command("suppression", "remove", "ann@far.example", "--user", "alice@example.test", check=True)
        self.send("at last", "ann@far.example")

    def test_an_invented_complaint_does_nothing_but_arrive(self):
        self.begin()
        mail = self.sent("an offer", "ann@far.example")
        true = header_of(mail)
        ours = re.search(r"id (\w+)", true).group(1)
        invented = (true.replace(ours, "0123456789ABC"), re.sub(r"Message-ID: .*", "Message-ID: <guessed@x>", true), re.sub(r"by mx\.example\.test", "by mx.other.test", true),
                    "Subject: nothing\r\n")
        for number, header in enumerate(invented):
            self.report(arf(header, "ann@far.example"))
            self.assertEqual(self.figures()["reports_unproved"], number + 1, header)
        self.assertEqual(self.suppressed(), [])
        self.assertEqual(self.figures()["complaints"], 0)
        self.assertEqual(len(self.mails("complaint about message")), len(invented))
        self.gateway.wait_log("event=abuse.unproved")

    def test_two_complaints_are_an_alarm_and_with_alarm_stops_the_end(self):
        self.begin(abuse="alarm_stops = true")
        for number in range(2):
            self.report(arf(header_of(self.sent(f"offer {number}", "ann@far.example" if number else "eve@far.example"))))
        note = self.mails("Alarm: mail by alice@example.test")
        self.assertEqual(len(note), 1)
        text = note[0].get_payload()
        self.assertIn("2 complaints within an hour", text)
        self.assertIn("He may send no more (alarm_stops = true).", text)
        code, text = self.submit("a third", "zoe@far.example")
        self.assertEqual(code, 525)
        self.assertIn("2 complaints within an hour", text)
        self.gateway.command("user", "resume", "alice@example.test", check=True)
        self.send("at last", "zoe@far.example")

    def test_mail_that_the_rules_hold_is_an_alarm(self):
        self.begin(abuse="alarm_held = 2")
        self.send("one", "ann@far.example", body=GTUBE + "\r\n")
        self.assertEqual(self.mails("Alarm: mail by alice@example.test"), [])
        self.send("two", "ann@far.example", body=GTUBE + "\r\n")
        self.send("three", "ann@far.example", body=GTUBE + "\r\n")
        note = self.mails("Alarm: mail by alice@example.test")
        self.assertEqual(len(note), 1)
        self.assertIn("2 messages held, refused or called spam within an hour", note[0].get_payload())
        self.assertIn("postern user stop alice@example.test", note[0].get_payload())
        alarm = self.figures()["alarms_today"][0]
        self.assertEqual((alarm["user"], alarm["what"]), ("alice@example.test", "2 messages held, refused or called spam within an hour"))
        self.assertIn("alarms_today", self.gateway.command("status", check=True).stdout)
        self.assertIn("event=abuse.alarm user=alice@example.test", self.gateway.log_text())
        with urlopen(f"http://127.0.0.1:{self.gateway.ports['admin']}/metrics") as page:
            metrics = page.read().decode()
        self.assertIn("postern_abuse_alarms_total 1\n", metrics)
        self.assertIn('postern_abuse_troubles_total{trouble="held"} 3\n', metrics)
        self.send("and still he may send", "ann@far.example")

    def test_the_table_outlives_kill_9_and_a_damaged_row_is_left_out(self):
        self.begin(abuse="suppress_after = 1\nalarm_held = 2", refused=["gone@far.example"])
        self.send("bounces", "gone@far.example")
        wait_for(self.suppressed)
        self.report(arf(header_of(self.sent("an offer", "ann@far.example")), "ann@far.example"))
        self.send("held", "ann2@far.example", body=GTUBE + "\r\n")
        before = self.suppressed()
        self.assertEqual(len(before), 2)
        self.gateway.stop(how=9)
        self.assertEqual(self.suppressed(), before)   # without a server too
        self.gateway.command("suppression", "add", "rival@far.example", "--user", "alice@example.test", "--reason", "a rival", "--for", "1d", check=True)
        self.gateway.start()
        self.assertEqual(self.submit("again", "gone@far.example")[0], 550)
        self.assertEqual(self.submit("again", "ann@far.example")[0], 550)
        self.assertIn("a rival", self.submit("again", "rival@far.example")[1])
        self.send("held too", "ann2@far.example", body=GTUBE + "\r\n")
        self.assertEqual(len(self.mails("Alarm: mail by alice@example.test")), 1)   # one before the kill, one after it

    def test_commands_say_what_is_wrong(self):
        self.begin()
        for arguments, status, words in ((("add", "nobody"), 1, "nobody"), (("add", "x@example.test"), 1, "our own domains"), (("add", "x@far.example", "--for", "soon"), 2, "no time"),
                                         (("add", "x@far.example", "--user", "eve@example.test"), 1, "no such user"), (("remove", "x@far.example"), 1, "not suppressed"),
                                         (("add",), 2, ""), ((), 2, "")):
            done = self.gateway.command("suppression", *arguments)
            self.assertEqual(done.returncode, status, (arguments, done.stderr))
            self.assertIn(words, done.stderr)
        self.gateway.command("suppression", "add", "X@Far.example", "--reason", "a rival", check=True)
        self.assertEqual([row["address"] for row in self.suppressed("x@far.example")], ["x@far.example"])
        self.assertEqual(self.suppressed("y@far.example"), [])
        self.assertEqual(self.suppressed("--user", "alice@example.test"), [])
        self.assertIn("mail there is not sent since", self.submit("to a rival", "x@far.example")[1])


@unittest.skipIf(postfix.PROGRAM is None or os.geteuid() != 0, "no Postfix here, or not root")
class Late(unittest.TestCase):
    """far.example is a real Postfix that takes everything and bounces it afterwards, to us."""

    def test_a_bounce_that_comes_back_later_counts_as_well(self):
        desk = Desk()
        self.addCleanup(desk.doCleanups)
        port = free_ports(("behind",))["behind"]
        desk.begin(port=port)
        behind = postfix.Postfix("mydestination = far.example\ndefault_transport = smtp\nsmtp_tls_security_level = none\n"
                                 f"relayhost = [127.0.0.1]:{desk.gateway.ports['smtp']}\n", port=port)
        self.addCleanup(behind.close)
        id = desk.send("to nobody", "nobody-here@far.example")
        behind.wait(r"status=bounced")
        row = wait_for(desk.suppressed)[0]
        self.assertEqual((row["address"], row["user"], row["cause"], row["message"]), ("nobody-here@far.example", "alice@example.test", "bounces", id))
        self.assertIn("unknown user", row["words"])
        self.assertEqual(desk.submit("again", "nobody-here@far.example")[0], 550)
        desk.gateway.wait_log("late=yes")
        # The report is with its reader, wherever the rules put it.
        found = [mail for folder in ("INBOX", "Junk", "Quarantine") for mail in desk.gateway.folder(folder)]
        self.assertEqual([email.message_from_bytes(mail).get_content_type() for mail in found], ["multipart/report"])


if __name__ == "__main__":
    sys.exit(unittest.main())
