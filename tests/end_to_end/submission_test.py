"""Submission by the programs that people really use: swaks, curl, nodemailer; STARTTLS and implicit TLS."""
import email
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import nodemailer
from gateway import EICAR, GTUBE, PASSWORD, Gateway, message, with_attachment
from wire import Connection

# Nobody listens there: what goes to the world waits in the queue, where it can be counted.
WORLD = {"far.example MX": "10 mx.far.example", "mx.far.example A": "127.0.0.9"}


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **more)


def by_alice(subject, extra="", body="A line.\r\n"):
    return message(subject=subject, sender="Alice <alice@example.test>", to="bob@example.test", extra=extra, body=body)


class Submission(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(zone=WORLD)
        cls.addClassCleanup(cls.gateway.close)
        cls.npm = tempfile.mkdtemp(prefix="postern-npm-")
        cls.addClassCleanup(shutil.rmtree, cls.npm, ignore_errors=True)

    def arrived(self, subject, user="bob@example.test"):
        found = [email.message_from_bytes(octets) for octets in self.gateway.folder("INBOX", user)]
        found = [each for each in found if each["Subject"] == subject]
        self.assertEqual(len(found), 1, subject)
        return found[0]

    def queued_for(self, address):
        return self.gateway.json_lines("queue", "list", "--to", address)

    def swaks(self, subject, *more, port="submission", to="bob@example.test", user="alice@example.test", password=PASSWORD):
        return run("swaks", "--server", "127.0.0.1", "--port", str(self.gateway.ports[port]), "--auth-user", user, "--auth-password", password,
                   "--from", user, "--to", to, "--header", f"Subject: {subject}", *more)

    def test_swaks_sends_by_starttls_and_by_implicit_tls(self):
        for port, tls, mechanism in (("submission", "--tls", "PLAIN"), ("submissions", "--tls-on-connect", "LOGIN")):
            with self.subTest(mechanism):
                subject = f"by swaks with {mechanism}"
                done = self.swaks(subject, tls, "--auth", mechanism, port=port, to="bob@example.test,you@far.example")
                self.assertEqual(done.returncode, 0, done.stdout)
                received = self.arrived(subject)["Received"]
                self.assertIn("with ESMTPSA", received)
        self.assertEqual(len(self.queued_for("you@far.example")), 2)

    def test_swaks_without_tls_is_offered_nothing(self):
        done = self.swaks("bare", "--auth", "PLAIN")
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("250-AUTH", done.stdout)

    def test_a_wrong_password_and_a_foreign_sender_are_told_apart(self):
        wrong = self.swaks("wrong", "--tls", "--auth", "PLAIN", password="guessed")
        self.assertIn("535 5.7.8 Wrong user name or password", wrong.stdout)
        foreign = self.swaks("foreign", "--tls", "--auth", "PLAIN", "--from", "bob@example.test")
        self.assertIn("553 5.7.1 alice@example.test may not send as <bob@example.test>", foreign.stdout)

    def test_curl_sends_what_has_neither_date_nor_message_id(self):
        with tempfile.NamedTemporaryFile("w", suffix=".eml") as file:
            file.write("From: Alice <alice@example.test>\r\nTo: bob@example.test\r\nSubject: by curl\r\n\r\nA line.\r\n")
            file.flush()
            done = run("curl", "-sk", f"smtps://127.0.0.1:{self.gateway.ports['submissions']}", "--mail-from", "alice@example.test",
                       "--mail-rcpt", "bob@example.test", "-u", f"alice@example.test:{PASSWORD}", "-T", file.name)
        self.assertEqual(done.returncode, 0, done.stderr)
        arrived = self.arrived("by curl")
        self.assertTrue(arrived["Date"])
        self.assertRegex(arrived["Message-ID"], r"^<\w+@mx\.example\.test>$")
        self.assertNotIn("spf=", arrived["Authentication-Results"] or "")

    def test_nodemailer_sends_an_attachment(self):
        problem = nodemailer.install(self.npm)
        if problem:
            self.skipTest(problem)
        auth = {"user": "alice@example.test", "pass": PASSWORD}
        ways = (("tls", {"port": self.gateway.ports["submissions"], "secure": True}),
                ("starttls", {"port": self.gateway.ports["submission"], "requireTLS": True, "authMethod": "LOGIN"}))
        for name, way in ways:
            with self.subTest(name):
                transport = dict(way, host="127.0.0.1", auth=auth, tls={"rejectUnauthorized": False})
                mail = {"from": "Alice Ångström <alice+node@example.test>", "to": "bob@example.test", "subject": f"by nodemailer, {name}",
                        "text": "Grüße", "attachments": [{"filename": "list.csv", "content": "a;b\n"}]}
                done = nodemailer.send(self.npm, transport, mail)
                self.assertTrue(done["ok"], done)
                arrived = self.arrived(mail["subject"])
                self.assertEqual([part.get_filename() for part in arrived.walk() if part.get_filename()], ["list.csv"])
        refused = nodemailer.send(self.npm, dict(transport, auth=dict(auth, **{"pass": "guessed"})), mail)
        self.assertEqual((refused["ok"], refused["code"]), (False, 535))

    def test_a_proxy_names_the_client_there_too(self):
        with Gateway(sections={"smtp": 'proxy = ["127.0.0.0/8"]'}) as gateway, Connection(gateway.ports["submission"]) as connection:
            connection.send("PROXY TCP4 203.0.113.9 127.0.0.1 4711 587\r\n")
            self.assertIn("220 ", connection.reply())
            connection.ask("EHLO laptop.home")
            connection.ask("STARTTLS")
            connection.start_tls()
            connection.ask("EHLO laptop.home")
            self.assertIn("535", connection.ask("AUTH PLAIN AGEAYg=="))
            gateway.wait_log("event=login.failed")
            failed = [line for line in gateway.log_text().splitlines() if "event=login.failed" in line]
            self.assertIn("ip=203.0.113.9", failed[0])
            self.assertIn("protocol=smtp", failed[0])

    def test_trusted_hosts_log_in_there_as_well(self):
        with Gateway(sections={"smtp": 'trusted = ["127.0.0.0/8"]'}) as gateway, Connection(gateway.ports["submission"]) as connection:
            connection.reply()
            connection.ask("EHLO printer.home")
            self.assertIn("530 5.7.0", connection.ask("MAIL FROM:<alice@example.test>"))

    def test_connections_are_counted_there_too(self):
        with Gateway(sections={"limits": "connections_per_address = 1"}) as gateway:
            with Connection(gateway.ports["submission"]) as first:
                self.assertIn("220 ", first.reply())   # two loops accept: the second could be served first
                with Connection(gateway.ports["submission"]) as second:
                    self.assertIn("421 4.7.0", second.reply())

    def test_what_was_answered_250_outlives_kill_9(self):
        with Gateway(zone=WORLD) as gateway:
            code, text = gateway.submit(by_alice("before the kill"), ["bob@example.test", "you@far.example"])
            self.assertEqual(code, 250, text)
            gateway.stop(how=9)
            gateway.start()
            self.assertEqual(len(gateway.folder("INBOX", "bob@example.test")), 1)
            self.assertEqual(len(gateway.json_lines("queue", "list", "--to", "you@far.example")), 1)

    def test_every_password_that_a_user_tries_is_counted_once_for_all_protocols(self):
        with Gateway() as gateway:
            codes = [gateway.submit("", [], password=f"guess {n}")[0] for n in range(3)]
            self.assertEqual(codes, [535] * 3)
            self.assertEqual(gateway.command("user", "unban", "alice@example.test").returncode, 0)


SMALL = "messages_per_hour = 3\nrecipients_per_hour = 6\nfirst_time_recipients_per_day = 2"


class Limits(unittest.TestCase):
    """A stolen account stops by itself, and an administrator decides on what it wanted to send."""

    def setUp(self):
        self.gateway = Gateway(zone=WORLD, sections={"submission": SMALL}, config='postmaster = "bob@example.test"')
        self.addCleanup(self.gateway.close)

    def submit(self, subject, to="bob@example.test", **more):
        return self.gateway.submit(by_alice(subject), to, **more)

    def subjects(self, folder, user="alice@example.test"):
        return [email.message_from_bytes(octets)["Subject"] for octets in self.gateway.folder(folder, user)]

    def user(self, address="alice@example.test"):
        return next(row for row in self.gateway.json_lines("user", "list") if row["user"] == address)

    def use_up(self):
        for number in range(3):
            self.assertEqual(self.submit(f"number {number}")[0], 250)
        self.assertEqual(self.submit("too much", ["bob@example.test", "you@far.example"])[0], 250)

    def test_the_message_too_much_is_held_and_the_account_stopped(self):
        self.use_up()
        self.assertEqual(self.subjects("Held"), ["too much"])
        self.assertEqual(self.gateway.json_lines("queue", "list"), [])
        code, text = self.submit("later")
        self.assertEqual(code, 525)
        self.assertEqual(text, "5.7.13 Sending is stopped for this account: more than 3 messages within an hour; ask your administrator")
        notes = [s for s in self.subjects("INBOX", "bob@example.test") if s.startswith("Sending by ")]
        self.assertEqual(notes, ["Sending by alice@example.test was stopped"])
        self.assertIn("more than 3 messages within an hour", self.user()["stopped"])
        self.assertEqual(self.user()["held"], 1)
        self.assertEqual(self.gateway.json("status")["users_stopped"], 1)
        self.assertIsNone(self.user("bob@example.test")["stopped"])
        # He still reads, by IMAP and POP3, and mail still comes.
        self.assertEqual(self.gateway.send(message(subject="for Alice"))[0], 250)
        self.assertIn("for Alice", self.subjects("INBOX"))
        self.gateway.pop3().quit()
        # The log and the trace name the limit.
        self.assertIn("event=submission.stopped", self.gateway.log_text())

    def test_who_is_logged_in_cannot_let_his_own_mail_go(self):
        self.use_up()
        imap = self.gateway.imap()
        imap.select("Held")
        for folder in ("INBOX", "Sent", "Archive", "Junk", "Quarantine", "Drafts"):
            for command in ("MOVE", "COPY"):
                status, said = imap.uid(command, "1:*", folder)
                self.assertEqual(status, "NO")
                self.assertIn(b"[NOPERM]", said[0])
                self.assertIn(b"an administrator lets it go", said[0])
        self.assertEqual(imap.rename("Held", "Elsewhere")[0], "NO")
        self.assertEqual(imap.delete("Held")[0], "NO")
        self.assertEqual(imap.uid("MOVE", "1:*", "Trash")[0], "OK")
        imap.select("Trash")
        self.assertEqual(imap.uid("MOVE", "1:*", "INBOX")[0], "NO")
        imap.logout()

    def test_resume_sends_what_is_held_once(self):
        self.use_up()
        self.assertIn("Sent: 1", self.gateway.command("user", "resume", "alice@example.test", "--send", check=True).stdout)
        self.assertEqual(self.subjects("Held"), [])
        self.assertEqual(self.subjects("INBOX", "bob@example.test").count("too much"), 1)
        self.assertEqual(len(self.gateway.json_lines("queue", "list", "--to", "you@far.example")), 1)
        self.assertIsNone(self.user()["stopped"])
        self.assertEqual(self.submit("again")[0], 250)
        self.assertIn("again", self.subjects("INBOX", "bob@example.test"))
        self.gateway.command("user", "resume", "alice@example.test", "--send", check=True)
        self.assertEqual(self.subjects("INBOX", "bob@example.test").count("too much"), 1)

    def test_resume_can_discard(self):
        self.use_up()
        self.assertIn("Moved to Trash: 1", self.gateway.command("user", "resume", "alice@example.test", "--discard", check=True).stdout)
        self.assertEqual((self.subjects("Held"), self.subjects("Trash")), ([], ["too much"]))
        self.assertEqual(self.gateway.command("user", "resume", "alice@example.test", "--send", "--discard").returncode, 2)

    def test_all_that_outlives_kill_9(self):
        self.use_up()
        self.gateway.stop(how=9)
        self.assertIn("more than 3", self.user()["stopped"])   # without a server too
        self.assertNotEqual(self.gateway.command("user", "resume", "alice@example.test", "--send").returncode, 0)
        self.gateway.start()
        self.assertEqual(self.submit("later")[0], 525)
        self.assertEqual(self.subjects("Held"), ["too much"])
        self.gateway.stop(how=9)
        self.gateway.command("user", "resume", "alice@example.test", check=True)
        self.gateway.start()
        self.assertEqual(self.submit("at last")[0], 250)

    def test_counts_outlive_kill_9_too(self):
        for number in range(3):
            self.assertEqual(self.submit(f"number {number}")[0], 250)
        self.gateway.stop(how=9)
        self.gateway.start()
        self.submit("the fourth")
        self.assertEqual(self.subjects("Held"), ["the fourth"])

    def test_recipients_to_whom_he_never_wrote_are_counted_by_the_day(self):
        self.assertEqual(self.submit("two", ["a@far.example", "b@far.example"])[0], 250)
        self.assertEqual(self.submit("the same two", ["a@far.example", "b@far.example"])[0], 250)
        self.assertEqual(self.subjects("INBOX"), [])
        self.submit("a third", "c@far.example")
        self.assertEqual(self.subjects("Held"), ["a third"])
        self.assertIn("never written", self.user()["stopped"])

    def test_a_user_may_have_limits_of_his_own_and_a_reload_changes_them(self):
        with open(self.gateway.path("postern.toml"), "a") as f:
            f.write('[submission.users."alice@example.test"]\nmessages_per_hour = 0\n')
        self.gateway.command("reload", check=True)
        for number in range(5):
            self.assertEqual(self.submit(f"number {number}")[0], 250)
        self.assertIsNone(self.user()["stopped"])

    def test_an_administrator_stops_and_an_open_session_hears_it(self):
        with Connection(self.gateway.ports["submissions"]) as connection:
            connection.start_tls()
            connection.reply()
            connection.ask("EHLO laptop.home")
            self.assertIn("235", connection.ask("AUTH PLAIN AGFsaWNlQGV4YW1wbGUudGVzdABjb3JyZWN0IGhvcnNl"))
            self.gateway.command("user", "stop", "alice@example.test", "--reason", "on holiday", check=True)
            self.assertIn("550 5.7.13 Sending is stopped for this account: on holiday", connection.ask("MAIL FROM:<alice@example.test>"))
        self.assertIn("on holiday", self.user()["stopped"])
        self.assertEqual(self.gateway.command("user", "stop", "nobody@example.test").returncode, 1)


class Judged(unittest.TestCase):
    """Outgoing mail is judged by rules of its own."""

    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(zone=WORLD, sections={"submission": "save_to_sent = true"})
        cls.addClassCleanup(cls.gateway.close)

    def subjects(self, folder, user):
        return [email.message_from_bytes(octets)["Subject"] for octets in self.gateway.folder(folder, user)]

    def test_a_virus_is_held_in_the_senders_mailbox(self):
        text = with_attachment(EICAR.encode()).replace("you@sender.example", "alice@example.test").replace("Subject: attached", "Subject: infected")
        waiting = self.gateway.json_lines("queue", "list")
        code, said = self.gateway.submit(text, ["bob@example.test", "you@far.example"])
        self.assertEqual(code, 250, said)
        self.assertIn("infected", self.subjects("Held", "alice@example.test"))
        self.assertEqual(self.gateway.folder("Quarantine", "bob@example.test"), [])
        self.assertEqual(len(self.gateway.json_lines("queue", "list")), len(waiting))
        done = self.gateway.command("user", "resume", "alice@example.test", "--send", check=True)
        self.assertIn("Still held, because of a virus: 1", done.stdout)
        self.assertIn("infected", self.subjects("Held", "alice@example.test"))

    def test_gtube_is_held_and_an_administrator_lets_it_go(self):
        code, said = self.gateway.submit(by_alice("gtube", body=GTUBE + "\r\n"), "bob@example.test")
        self.assertEqual(code, 250, said)
        held = [octets for octets in self.gateway.folder("Held", "alice@example.test") if b"Subject: gtube" in octets]
        self.assertIn(b"X-Postern-Why: outgoing-gtube quarantine", held[0])
        self.gateway.command("user", "resume", "alice@example.test", "--send", check=True)
        self.assertIn("gtube", self.subjects("INBOX", "bob@example.test"))

    def test_a_program_is_refused(self):
        text = with_attachment(b"MZ", name="setup.exe").replace("you@sender.example", "alice@example.test")
        code, said = self.gateway.submit(text, "bob@example.test")
        self.assertEqual(code, 550)
        self.assertIn("setup.exe is a program", said)

    def test_a_copy_lies_in_sent_and_the_rules_for_incoming_mail_are_silent(self):
        code, said = self.gateway.submit(by_alice("kept"), ["bob@example.test", "you@far.example"])
        self.assertEqual(code, 250, said)
        kept = [octets for octets in self.gateway.folder("Sent", "alice@example.test") if b"Subject: kept" in octets]
        self.assertEqual(len(kept), 1)
        arrived = [octets for octets in self.gateway.folder("INBOX", "bob@example.test") if b"Subject: kept" in octets]
        self.assertTrue(arrived[0].endswith(kept[0]))
        self.assertNotIn(b"X-Postern-Why", arrived[0])

    def test_explain_judges_as_a_login_would_be(self):
        path = self.gateway.path("mail.eml")
        with open(path, "w", newline="") as f:
            f.write(by_alice("explained", body=GTUBE + "\r\n"))
        out = self.gateway.json("explain", path, "--login", "alice@example.test", "--rcpt", "you@far.example")
        self.assertEqual(out["verdict"], "quarantine")
        self.assertEqual([hit["rule"] for hit in out["hits"]], ["outgoing-gtube"])
        self.assertEqual(out["recipients"]["you@far.example"]["folder"], "Held")
        came_in = self.gateway.json("explain", path, "--ip", "127.0.0.1", "--from", "")
        self.assertIn("gtube", [hit["rule"] for hit in came_in["hits"]])


if __name__ == "__main__":
    sys.exit(unittest.main())
