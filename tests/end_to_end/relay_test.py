"""In front of a company's own server, here a real Postfix: its users get their mail there, its recipients are asked of
it, what is doubtful waits in the quarantine here, and nothing is lost while it is down or says no."""
import email
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import unittest

import postfix
from gateway import GTUBE, PASSWORD, Gateway, free_ports, message, wait_for
from smtp_sink import Sink

USERS = ("carol", "dave", "erin")
UNPROVED = {"unproved.example A": "198.51.100.7"}   # takes mail, and says nothing of who may send it


class HostBehind(postfix.Postfix):
    """A Postfix with mailboxes for USERS of corp.test."""

    def __init__(self, port):
        self.mail = tempfile.mkdtemp(prefix="postern-behind-")
        nobody = pwd.getpwnam("nobody")
        os.chmod(self.mail, 0o755)
        os.chown(self.mail, nobody.pw_uid, nobody.pw_gid)
        users = ", ".join(f"{{ {user}@corp.test = {user}/ }}" for user in USERS)
        super().__init__(f"virtual_mailbox_domains = corp.test\nvirtual_mailbox_base = {self.mail}\n"
                         f"virtual_mailbox_maps = inline:{{ {users} }}\nvirtual_uid_maps = static:{nobody.pw_uid}\n"
                         f"virtual_gid_maps = static:{nobody.pw_gid}\nvirtual_minimum_uid = 1\nmessage_size_limit = 100000\n"
                         "smtpd_authorized_xclient_hosts =\nunknown_local_recipient_reject_code = 550\n", port=port)

    def mails(self, user):
        folder = os.path.join(self.mail, user, "new")
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        out = []
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                out.append(email.message_from_bytes(file.read()))
        return out

    def close(self):
        super().close()
        shutil.rmtree(self.mail, ignore_errors=True)


class Relay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.port = free_ports(("behind",))["behind"]
        cls.behind = HostBehind(cls.port)
        cls.addClassCleanup(lambda: cls.behind.close())
        cls.gateway = Gateway(zone=UNPROVED, sections={'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{cls.port}"',
                                        "queue": 'retry = ["1s", "2s"]'})
        cls.addClassCleanup(cls.gateway.close)

    def send(self, subject, to="carol@corp.test", **more):
        return self.gateway.send(message(subject=subject, to=to, **{k: v for k, v in more.items() if k in ("body", "extra")}), to=to,
                                 **{k: v for k, v in more.items() if k not in ("body", "extra")})

    def arrived(self, subject, user="carol", timeout=60):
        """The one mail of that subject in the user's mailbox at the host behind."""
        try:
            found = wait_for(lambda: [mail for mail in self.behind.mails(user) if mail["Subject"] == subject], timeout)
        except AssertionError:
            raise AssertionError(f"{subject!r} never came to {user}:\n{self.gateway.log_text()[-4000:]}\n{self.behind.log()[-2000:]}") from None
        self.assertEqual(len(found), 1)
        return found[0]

    def held(self, user, **wanted):
        rows = self.gateway.json_lines("quarantine", "list", "--user", user)
        return [row for row in rows if all(row[key] == value for key, value in wanted.items())]

    def waiting(self, to):
        return self.gateway.json_lines("queue", "list", "--to", to)

    def test_mail_for_a_known_user_goes_on_with_our_fields(self):
        code, text = self.send("good news")
        self.assertEqual(code, 250, text)
        mail = self.arrived("good news")
        self.assertTrue(mail["X-Postern-Verdict"].startswith("ham "), mail["X-Postern-Verdict"])
        self.assertIn("spf=pass", mail["Authentication-Results"])
        self.assertIn("by mx.example.test", "".join(mail.get_all("Received")))
        # Those are for who delivers; there is Postfix's own one.
        self.assertEqual(mail.get_all("Return-Path"), ["<you@sender.example>"])
        self.assertNotIn("carol", " ".join(mail.get_all("X-Delivered-To") or []))
        self.assertIsNone(mail["X-Spam-Flag"])
        wait_for(lambda: not self.waiting("carol@corp.test"))

    def test_two_recipients_get_one_transaction(self):
        self.behind.mark()
        code, text = self.gateway.send(message(subject="for two"), to=("carol@corp.test", "dave@corp.test"))
        self.assertEqual(code, 250, text)
        self.arrived("for two", "carol")
        self.arrived("for two", "dave")
        self.assertTrue(self.behind.wait(r"nrcpt=2 "))

    def test_an_unknown_recipient_is_refused_at_rcpt(self):
        code, text = self.send("for nobody", to="nobody-here@corp.test")
        self.assertEqual(code, 550, text)
        self.assertIn("no such user", text)

    def test_a_local_domain_stays_local(self):
        code, text = self.gateway.send(message(subject="local"), to="alice@example.test")
        self.assertEqual(code, 250, text)
        self.assertEqual(len([m for m in self.gateway.folder("INBOX") if b"Subject: local" in m]), 1)

    def test_spam_is_held_here_and_sent_on_when_it_is_released(self):
        code, text = self.send("buy", to="dave@corp.test", body=GTUBE + "\r\n")
        self.assertEqual(code, 250, text)
        row = self.held("dave@corp.test", subject="buy")[0]
        self.assertEqual(row["class"], "spam")
        self.gateway.command("quarantine", "release", row["id"], check=True)
        mail = self.arrived("buy", "dave")
        self.assertIsNone(mail["X-Spam-Flag"])
        self.assertTrue(mail["X-Postern-Verdict"].startswith("ham "))
        self.assertIn("released", " ".join(mail.get_all("X-Postern-Why")))
        self.assertEqual(mail.get_payload().strip(), GTUBE)

    def test_its_user_releases_by_moving_it_over_imap(self):
        code, text = self.send("drag me", to="erin@corp.test", body=GTUBE + "\r\n")
        self.assertEqual(code, 250, text)
        self.gateway.command("user", "password", "erin@corp.test", "--password-stdin", input=PASSWORD + "\n", check=True)
        client = self.gateway.imap("erin@corp.test")
        try:
            self.assertTrue([row for row in client.list('""', "Release")[1] if b"Release" in row])
            client.select("Quarantine")
            status, said = client.uid("MOVE", "1", "Release")
            self.assertEqual(status, "OK", said)
        finally:
            client.logout()
        self.arrived("drag me", "erin")
        self.assertEqual(self.held("erin@corp.test", subject="drag me"), [])

    def test_a_message_goes_on_once_however_often_it_is_released(self):
        code, text = self.send("only once", to="dave@corp.test", body=GTUBE + "\r\n")
        self.assertEqual(code, 250, text)
        self.gateway.command("user", "password", "dave@corp.test", "--password-stdin", input=PASSWORD + "\n", check=True)
        client = self.gateway.imap("dave@corp.test")
        try:
            client.select("Quarantine")
            _, found = client.uid("SEARCH", "SUBJECT", '"only once"')
            for _ in range(2):   # as old clients do it
                self.assertEqual(client.uid("COPY", found[0].decode(), "Release")[0], "OK")
            client.select("Release")
            _, found = client.uid("SEARCH", "SUBJECT", '"only once"')
            self.assertEqual(client.uid("MOVE", found[0].split()[0].decode(), "INBOX")[0], "OK")
        finally:
            client.logout()
        self.arrived("only once", "dave")
        self.assertEqual(self.waiting("dave@corp.test"), [])
        self.arrived("only once", "dave")

    def test_an_account_that_the_administrator_makes_has_the_folder_too(self):
        self.gateway.command("user", "add", "frank@corp.test", "--password-stdin", input=PASSWORD + "\n", check=True)
        client = self.gateway.imap("frank@corp.test")
        self.assertTrue([row for row in client.lsub('""', "Release")[1] if b"Release" in row])
        client.logout()

    def test_what_the_host_refuses_after_our_250_is_held_for_who_was_to_get_it(self):
        code, text = self.send("too big", sender="you@unproved.example", body="A line of text.\r\n" * 8000)
        self.assertEqual(code, 250, text)
        row = wait_for(lambda: self.held("carol@corp.test", subject="too big"))[0]
        self.assertEqual(row["class"], "undeliverable")
        self.assertIn("carol@corp.test", row["reason"])
        notes = wait_for(lambda: [m for m in self.gateway.folder("INBOX", "postmaster@example.test") if b"could not be handed on" in m]
                         if self.set_postmaster_password() else None)
        self.assertIn(b"the next host takes 100000", notes[-1])

    def set_postmaster_password(self):
        return self.gateway.command("user", "password", "postmaster@example.test", "--password-stdin", input=PASSWORD + "\n").returncode == 0

    def test_a_known_sender_gets_a_report(self):
        code, text = self.send("also too big", body="A line of text.\r\n" * 8000)
        self.assertEqual(code, 250, text)
        # SPF passed: the report goes to him, by the MX of his domain, which does not answer here.
        row = wait_for(lambda: self.waiting("you@sender.example"))[0]
        self.assertEqual(row["sender"], "")
        shown = self.gateway.json_lines("queue", "show", row["id"])[0]
        report = email.message_from_string(shown["text"])
        self.assertEqual(report.get_content_type(), "multipart/report")
        status = report.get_payload()[1].as_string()
        self.assertIn("Final-Recipient: rfc822; carol@corp.test", status)
        self.assertIn("Action: failed", status)
        self.assertEqual(self.held("carol@corp.test", subject="also too big"), [])
        self.gateway.command("queue", "delete", row["id"], check=True)


class Down(unittest.TestCase):
    def test_while_the_host_is_down_known_recipients_are_queued_and_others_deferred(self):
        port = free_ports(("behind",))["behind"]
        behind = HostBehind(port)
        try:
            with Gateway(sections={'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{port}"',
                                   "queue": 'retry = ["1s"]'}) as gateway:
                gateway.send(message(subject="before"), to="carol@corp.test")
                wait_for(lambda: behind.mails("carol"))
                wait_for(lambda: not gateway.json_lines("queue", "list"))
                behind.stop()
                code, text = gateway.send(message(subject="meanwhile"), to="carol@corp.test")
                self.assertEqual(code, 250, text)
                code, text = gateway.send(message(subject="who"), to="dave@corp.test")
                self.assertEqual(code, 450, text)
                row = wait_for(lambda: [r for r in gateway.json_lines("queue", "list") if r["why"]])[0]
                self.assertIn("127.0.0.1", row["why"] + row["destination"] + "127.0.0.1")
                self.assertEqual(row["recipients"][0]["address"], "carol@corp.test")
                # A restart forgets neither the entry nor that carol is known.
                gateway.command("queue", "hold", row["id"], check=True)
                self.assertEqual(gateway.stop(), 0)
                gateway.start()
                code, text = gateway.send(message(subject="after the restart"), to="carol@corp.test")
                self.assertEqual(code, 250, text)
                behind.begin()
                wait_for(lambda: [m for m in behind.mails("carol") if m["Subject"] == "after the restart"])
                held = gateway.json_lines("queue", "list")
                self.assertEqual([(r["id"], r["held"]) for r in held], [(row["id"], True)])
                gateway.command("queue", "retry", row["id"], check=True)
                wait_for(lambda: [m for m in behind.mails("carol") if m["Subject"] == "meanwhile"])
                wait_for(lambda: not gateway.json_lines("queue", "list"))
                self.assertEqual(sorted(m["Subject"] for m in behind.mails("carol")), ["after the restart", "before", "meanwhile"])
        finally:
            behind.close()

    def test_what_nobody_takes_in_its_time_is_held_for_its_recipient(self):
        port = free_ports(("behind",))["behind"]
        with Gateway(zone=UNPROVED, sections={'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{port}"\nrecipients = "any"',
                               "queue": 'retry = ["1s"]\nexpire = "2s"'}) as gateway:
            gateway.command("user", "add", "carol@corp.test", "--password-stdin", input=PASSWORD + "\n", check=True)
            code, text = gateway.send(message(subject="too late"), to="carol@corp.test", sender="you@unproved.example")
            self.assertEqual(code, 250, text)
            row = wait_for(lambda: gateway.json_lines("quarantine", "list", "--class", "undeliverable"))[0]
            self.assertIn("longest time", row["reason"])
            wait_for(lambda: not gateway.json_lines("queue", "list"))
            self.assertEqual(gateway.json("status")["queue"]["failed"], 1)


class Postmaster(unittest.TestCase):
    """Where the first domain's mail goes on, so do our notes to its postmaster."""

    def gateway_before(self, sink, config=""):
        gateway = Gateway(config=config, sections={'domains."example.test"': f'deliver = "smtp://127.0.0.1:{sink.port}"', "queue": 'retry = ["1s"]\nexpire = "3s"',
                                                   "submission": "messages_per_hour = 1"})
        self.addCleanup(gateway.close)
        return gateway

    def stop_alice(self, gateway):
        for subject in ("one", "two"):
            code, text = gateway.submit(message(subject=subject, sender="alice@example.test"), ["bob@example.test"])
            self.assertEqual(code, 250, text)
        gateway.wait_log("event=submission.stopped")

    def test_he_is_told_whom_the_limits_stopped(self):
        for config, address in (("", "postmaster@example.test"), ('postmaster = "boss@example.test"', "boss@example.test")):
            with self.subTest(config), Sink() as sink:
                self.stop_alice(self.gateway_before(sink, config))
                note = sink.one(b"Subject: Sending by alice@example.test was stopped")
                self.assertEqual((note.sender, note.recipients), ("", [address]))

    def test_a_note_that_his_server_refuses_lies_in_his_quarantine(self):
        with Sink(refused=["postmaster@example.test"]) as sink:
            gateway = self.gateway_before(sink)
            self.stop_alice(gateway)
            row = wait_for(lambda: gateway.json_lines("quarantine", "list", "--user", "postmaster@example.test"))[0]
            self.assertEqual((row["class"], row["subject"]), ("undeliverable", "Sending by alice@example.test was stopped"))
            self.assertEqual(gateway.json_lines("queue", "list"), [])


class Outward(unittest.TestCase):
    """A server of ours sends to the world through us, by MX: here to smtp-sink on port 25 of a loopback address."""

    ADDRESS = "127.43.7.25"

    def test_a_trusted_network_may_send_to_any_domain_and_others_may_not(self):
        folder = tempfile.mkdtemp(prefix="postern-sink-")
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        sink = subprocess.Popen(["/usr/sbin/smtp-sink", "-u", "nobody", "-d", "mail.", f"{self.ADDRESS}:25", "10"], cwd=folder,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        zone = {"far.example MX": ["10 dead.far.example", "20 mx.far.example"], "mx.far.example A": self.ADDRESS,
                "none.example MX": "0 ."}
        try:
            with Gateway(zone=zone, sections={"smtp": 'xclient = ["127.0.0.0/8"]\ntrusted = ["10.9.0.0/16"]'}) as gateway:
                code, text = gateway.send(message(subject="out"), to="ann@far.example")
                self.assertEqual(code, 550, text)
                self.assertIn("relaying denied", text)
                code, text = gateway.send(message(subject="out"), to="ann@far.example", ip="10.9.0.1")
                self.assertEqual(code, 250, text)
                name = wait_for(lambda: os.listdir(folder))[0]
                wait_for(lambda: gateway.json("status")["queue"]["sent"] == 1)
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    text = file.read()
                self.assertIn("X-Mail-Args: <you@sender.example>", text)
                self.assertIn("X-Rcpt-Args: <ann@far.example>", text)
                self.assertIn("Subject: out", text)
                self.assertNotIn("X-Postern", text)
                # What the domain does not want comes back to the server of ours that sent it.
                code, text = gateway.send(message(subject="unwanted"), to="ann@none.example", ip="10.9.0.1", sender="alice@example.test")
                self.assertEqual(code, 250, text)
                report = wait_for(lambda: [m for m in gateway.folder("INBOX") if b"multipart/report" in m])[0]
                self.assertIn(b"Status: 5.1.10", report)
        finally:
            sink.kill()
            sink.wait()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    if postfix.PROGRAM is None or os.geteuid() != 0:
        print("skipped: no Postfix here, or not root")
        sys.exit(77)
    unittest.main()
