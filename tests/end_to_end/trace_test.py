"""`postern why` and `postern trace`: whatever happened to a message or at the door is told, while the gateway runs and
when it does not."""
import json
import re
import subprocess
import sys
import unittest

from gateway import GTUBE, Gateway, message, wait_for
from smtp_sink import Sink

ALICE, BOB = "alice@example.test", "bob@example.test"
RULES = {"95-test.lua": '''
rule "no-strangers" {
  on = "mail", about = "for the test",
  check = function(mail) if mail.sender == "stranger@sender.example" then return reject("strangers are not heard") end end,
}
rule "no-lottery" {
  on = "message", about = "for the test",
  check = function(mail) if mail.subject == "You have won" then return reject("nobody wins a lottery by mail") end end,
}
rule "no-host" {
  on = "connect", about = "for the test",
  check = function(conn) if tostring(conn.ip) == "203.0.113.66" then return reject("this host is not heard") end end,
}
'''}


def id_in(text):
    found = re.search(r"\b(?:id |as )([0-9A-Z]{13})\b", text)
    assert found, text
    return found.group(1)


class Trace(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sink = Sink(deferred={"carol@corp.test": 1}, refused={"gone@corp.test"}).__enter__()
        cls.addClassCleanup(cls.sink.__exit__, None, None, None)
        cls.gateway = Gateway(rule_files=RULES, sections={
            'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{cls.sink.port}"\nrecipients = "any"',
            'domains."viet.test"': 'deliver = "mailboxes"\nlanguage = "vi"',
            "queue": 'retry = ["1s", "1s"]'})
        cls.addClassCleanup(cls.gateway.close)

    def why(self, id):
        return self.gateway.json("why", id), self.gateway.command("why", id, check=True).stdout

    def events(self, told, kind):
        return [event for event in told["events"] if event["event"] == kind]

    def trace(self, *arguments):
        return self.gateway.json_lines("trace", *arguments)

    def move(self, subject, source, target):
        client = self.gateway.imap(ALICE)
        client.select(f'"{source}"')
        _, found = client.search(None, "SUBJECT", f'"{subject}"')
        status, data = client._simple_command("MOVE", found[0].split()[-1].decode(), f'"{target}"')
        client.logout()
        self.assertEqual(status, "OK", data)

    def test_a_message_that_was_taken(self):
        code, text = self.gateway.send(message(subject="=?utf-8?q?Ho=C3=A1_=C4=91=C6=A1n_th=C3=A1ng_11?="), to=(ALICE, BOB))
        self.assertEqual(code, 250, text)
        id = id_in(text)
        told, words = self.why(id)
        self.assertEqual(told["what"], "message")
        self.assertEqual(told["judged"]["facts"]["spf"]["result"], "pass")
        self.assertEqual([(c["account"], c["mailbox"]) for c in self.events(told, "stored")[0]["copies"]], [(ALICE, "INBOX"), (BOB, "INBOX")])
        for text in ("came from 198.51.100.7", "SPF pass for sender.example", "judged ham", f"stored for {ALICE} in INBOX, UID ",
                     f"answer \"Accepted as {id}\""):
            self.assertIn(text, words)
        lines = self.trace("--subject", "hoa don", "--from", "@sender.example", "--ip", "198.51.100.0/24")
        self.assertEqual([line["id"] for line in lines], [id])
        self.assertEqual(lines[0]["to"], [ALICE, BOB])
        self.assertEqual(lines[0]["subject"], "Hoá đơn tháng 11")
        self.assertEqual([line["id"] for line in self.trace("--message-id", lines[0]["message_id"])], [id])
        by_message_id, _ = self.why(lines[0]["message_id"])
        self.assertEqual(by_message_id["id"], id)
        # As somebody reads it out.
        self.assertEqual(self.why(id.lower().replace("0", "o"))[0]["id"], id)
        session, words = self.why(told["judged"]["session"])
        self.assertEqual(session["messages"], [id])
        self.assertIn(f"brought the messages {id}", words)

    def test_a_recipient_that_is_unknown(self):
        code, text = self.gateway.send(message(), to="nobody@example.test")
        self.assertEqual(code, 550)
        self.assertIn("no such user here", text)
        id = id_in(text)
        wait_for(lambda: self.gateway.command("why", id).returncode == 0)
        told, words = self.why(id)
        self.assertEqual(told["what"], "session")
        self.assertEqual(self.events(told, "refused")[0]["to"], "nobody@example.test")
        self.assertIn("refused the recipient <nobody@example.test> of a message from <you@sender.example>: \"550 <nobody@example.test>: no such user here", words)
        self.assertIn(id, [line["id"] for line in self.trace("--to", "nobody@example.test")])

    def test_a_recipient_that_is_unknown_beside_one_that_is_not(self):
        with self.gateway.smtp() as smtp:
            smtp.mail("you@sender.example")
            self.assertEqual(smtp.rcpt("typo@example.test")[0], 550)
            self.assertEqual(smtp.rcpt(ALICE)[0], 250)
            code, text = smtp.data(message(subject="half of it"))
        self.assertEqual(code, 250)
        id = id_in(text.decode())
        told = wait_for(lambda: [t for t in [self.why(id)[0]] if self.events(t, "refused")])[0]
        self.assertEqual(self.events(told, "refused")[0]["to"], "typo@example.test")

    def test_refused_by_rules(self):
        code, text = self.gateway.send(message(), sender="stranger@sender.example")
        self.assertEqual(code, 550)
        self.assertIn("strangers are not heard (id ", text)
        id = id_in(text)
        wait_for(lambda: self.gateway.command("why", id).returncode == 0)
        self.assertRegex(self.why(id)[1], r"refused the sender <stranger@sender.example>: .*by rule no-strangers \(rules/95-test.lua:\d+\)")
        code, text = self.gateway.send(message(subject="You have won"))
        self.assertEqual(code, 550, text)
        told, words = self.why(id_in(text))
        self.assertEqual(told["judged"]["verdict"], "reject")
        self.assertRegex(words, r"rule   reject +no-lottery \(rules/95-test.lua:\d+\): nobody wins a lottery by mail")
        self.assertIn("judged reject", words)
        self.assertEqual([line["verdict"] for line in self.trace("--subject", "you have won")], ["reject"])
        done = subprocess.run([sys.executable, "-c", f"""
import smtplib
c = smtplib.SMTP("127.0.0.1", {self.gateway.ports["smtp"]}, local_hostname="x.test")
c.ehlo()
print(c.docmd("XCLIENT", "ADDR=203.0.113.66 HELO=x.test"))
"""], capture_output=True, text=True)
        id = id_in(done.stdout)
        wait_for(lambda: self.gateway.command("why", id).returncode == 0)
        self.assertRegex(self.why(id)[1], r"refused at the door: .*by rule no-host .*client 203.0.113.66")
        self.assertEqual([line["id"] for line in self.trace("--ip", "203.0.113.66")], [id])

    def test_released_from_the_quarantine_and_thrown_away(self):
        code, text = self.gateway.send(message(subject="gtube traced", body=GTUBE + "\r\n"))
        id = id_in(text)
        self.move("gtube traced", "Quarantine", "INBOX")
        self.move("gtube traced", "INBOX", "Trash")
        client = self.gateway.imap(ALICE)
        client.select("Trash")
        client.store("1:*", "+FLAGS", r"(\Deleted)")
        client.expunge()
        client.logout()
        told, words = self.why(id)
        self.assertEqual([event["event"] for event in told["events"]], ["stored", "released", "moved", "expunged"])
        self.assertIn("judged quarantine", words)
        self.assertIn(f"released from Quarantine to INBOX of {ALICE}", words)
        self.assertIn(f"moved from INBOX to Trash of {ALICE}", words)
        self.assertIn(f"expunged from Trash of {ALICE}", words)

    def test_handed_on_at_the_second_attempt(self):
        code, text = self.gateway.send(message(subject="going on", to="carol@corp.test"), to="carol@corp.test")
        self.assertEqual(code, 250, text)
        id = id_in(text)
        told = wait_for(lambda: [t for t in [self.why(id)[0]] if self.events(t, "sent")])[0]
        self.assertIn("451 4.7.1 not now", self.events(told, "deferred")[0]["reply"])
        self.assertIn("250", self.events(told, "sent")[0]["reply"])
        self.assertEqual(told["queue"], [])
        words = self.why(id)[1]
        self.assertLess(words.index("queued for corp.test"), words.index("not yet handed on to <carol@corp.test>"))
        self.assertLess(words.index("not yet handed on"), words.index("handed on to <carol@corp.test> at"))

    def test_given_up_and_reported(self):
        code, text = self.gateway.send(message(subject="to nobody", to="gone@corp.test"), to="gone@corp.test")
        self.assertEqual(code, 250, text)
        id = id_in(text)
        told = wait_for(lambda: [t for t in [self.why(id)[0]] if self.events(t, "failed")])[0]
        self.assertIn("550 5.1.1 no such user", self.events(told, "failed")[0]["reply"])
        report = self.events(told, "reported")[0]
        self.assertEqual((report["to"], report["what"]), ("gone@corp.test", "failed"))
        by = report["by"] if isinstance(report["by"], str) else report["by"][0]
        self.assertIn("queued for sender.example", self.why(by)[1])

    def test_our_refusals_speak_the_language_of_the_domain(self):
        code, text = self.gateway.send(message(), to="khong@viet.test")
        self.assertEqual(code, 550)
        self.assertIn("khong co nguoi dung nay o day (id ", text)
        with self.gateway.smtp() as smtp:
            smtp.mail("you@sender.example", ["SMTPUTF8", "BODY=8BITMIME"])
            self.assertIn("không có người dùng này ở đây (id ", smtp.rcpt("khong@viet.test")[1].decode())

    def test_without_a_running_server_and_for_what_is_not_known(self):
        code, text = self.gateway.send(message(subject="before the stop"))
        id = id_in(text)
        code, text = self.gateway.send(message(), to="late@example.test")
        refused = id_in(text)
        self.gateway.stop()
        try:
            self.assertIn("judged ham", self.why(id)[1])
            self.assertIn("late@example.test", self.why(refused)[1])   # nothing that waited was lost at the end
            self.assertEqual([line["id"] for line in self.trace("--subject", "before the stop")], [id])
        finally:
            self.gateway.start()
        self.assertEqual([line["id"] for line in self.trace("--subject", "before the stop", "--since", "1h")], [id])
        self.assertEqual(self.trace("--subject", "before the stop", "--until", "1h"), [])
        for arguments, status, text in ((("why", "0000000000000"), 1, "nothing is known of it"),
                                        (("why", "nonsense"), 1, "an id has 13"),
                                        (("why", "<x@y>"), 1, "no message with this Message-ID"),
                                        (("trace", "--ip", "300.1.1.1"), 1, "no address or network"),
                                        (("trace", "--since", "yesterday"), 2, "no time such as"),
                                        (("trace", "--limit", "0"), 2, "limit")):
            done = self.gateway.command(*arguments)
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(text, done.stderr + done.stdout)

    def test_no_secret_and_no_control_character_is_told(self):
        code, text = self.gateway.send(message(subject="evil \x1b[31m red", body="the secret body\r\n"))
        id = id_in(text)
        words = self.why(id)[1]
        self.assertNotIn("\x1b", words)
        self.assertNotIn("\x1b", self.gateway.command("trace", check=True).stdout)
        self.assertNotIn("the secret body", json.dumps(self.why(id)[0]))


if __name__ == "__main__":
    unittest.main()
