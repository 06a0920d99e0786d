"""What rules and limits do to deliveries where nothing may be lost or waved through."""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from gateway import Gateway, message

ALICE, BOB, ARCHIVE = "alice@example.test", "bob@example.test", "archive@example.test"

RULES = """
rule "to-bob" { on = "deliver", check = function(mail) if mail.subject == "for bob" then return redirect("Bob+desk@Example.TEST", "bob does these") end end }
rule "to-nobody" { on = "deliver", check = function(mail) if mail.subject == "for nobody" then return redirect("gone@example.test", "she did these") end end }
rule "shut-out" { on = "mail", check = function(mail) if mail.sender == "bad@sender.example" then return reject "we know you" end end }
rule "typo" { on = "mail", check = function(mail) if mail.sender == "odd@sender.example" then return reject(mail.sender.nothing) end end }
rule "tagged" { on = "message", check = function(mail) if mail.subject == "tagged" then return tag("Quarantine", "have a look") end end }
"""

JOURNAL = """
rule "journal" {
  on = "message", required = true,
  check = function(mail)
    local to = mail.header["X-Journal-To"]
    if to then return journal(to, "the law wants it") end
  end,
}
rule "then" {
  on = "message",
  check = function(mail)
    if mail.subject == "spam, kept" then return quarantine("spam", "spam") end
    if mail.subject == "virus, not kept" then return quarantine("virus", "virus") end
    if mail.subject == "refused, not kept" then return reject "no" end
  end,
}
rule "of-bob" {
  on = "deliver",
  check = function(mail, rcpt)
    if mail.subject == "of bob" and rcpt.address == "bob@example.test" then return journal("Archive@example.test", "bob's mail") end
  end,
}
test "a journal copy can be expected" {
  given = { header = { ["X-Journal-To"] = "a@example.test" } },
  want = { journal = "a@example.test", verdict = "ham" },
}
"""


class Verdicts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(rule_files={"95-test.lua": RULES}, sections={"limits": "recipients_per_message = 100"})

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()

    def subjects(self, folder, user):
        return [line for octets in self.gateway.folder(folder, user) for line in octets.decode().splitlines() if line.startswith("Subject:")]

    def held(self, subject):
        return [row for row in self.gateway.json_lines("quarantine", "list") if row["subject"] == subject]

    def test_a_redirected_copy_goes_to_the_account_that_the_address_leads_to(self):
        code, text = self.gateway.send(message(subject="for bob"))
        self.assertEqual(code, 250, text)
        self.assertIn("Subject: for bob", self.subjects("INBOX", "bob@example.test"))
        self.assertNotIn("Subject: for bob", self.subjects("INBOX", "alice@example.test"))

    def test_a_copy_redirected_to_nobody_is_held_and_not_waved_through(self):
        code, text = self.gateway.send(message(subject="for nobody"))
        self.assertEqual(code, 250, text)
        self.assertNotIn("Subject: for nobody", self.subjects("INBOX", "alice@example.test"))
        rows = self.held("for nobody")
        self.assertEqual([(row["user"], row["class"]) for row in rows], [("alice@example.test", "policy")])
        self.assertEqual(rows[0]["reason"], "redirected to gone@example.test, which is no account here")
        octets = self.gateway.folder("Quarantine", "alice@example.test")[-1].decode()
        self.assertIn("X-Postern-Why: to-nobody error: redirected to gone@example.test", octets)
        self.assertIn("95-test.lua:3", octets)

    def test_what_a_tag_puts_into_the_quarantine_is_held_and_can_be_released(self):
        code, text = self.gateway.send(message(subject="tagged"))
        self.assertEqual(code, 250, text)
        rows = self.held("tagged")
        self.assertEqual([(row["user"], row["class"], row["reason"]) for row in rows], [("alice@example.test", "spam", "have a look")])
        self.gateway.command("quarantine", "release", rows[0]["id"], check=True)
        self.assertIn("Subject: tagged", self.subjects("INBOX", "alice@example.test"))

    def test_the_log_tells_which_rule_refused_before_there_was_a_message_and_why(self):
        code, text = self.gateway.send(message(), sender="bad@sender.example")
        self.assertEqual(code, 550)
        self.assertRegex(text, r"^5\.7\.1 we know you \(id \w+\)$")
        self.assertRegex(self.gateway.log_text(), r'event=smtp\.refused .*stage=mail action=reject rule=shut-out at=\S*95-test\.lua:4 why="we know you"')
        code, text = self.gateway.send(message(), sender="odd@sender.example")
        self.assertEqual(code, 451)
        self.assertRegex(text, r"^4\.7\.0 cannot be judged at the moment, please try again later \(id \w+\)$")
        self.assertRegex(self.gateway.log_text(), r'event=smtp\.refused .*stage=mail action=defer rule=typo at=\S*95-test\.lua:5 why=".*nothing')

    def test_the_recipients_that_fit_get_the_message_when_there_are_too_many(self):
        with self.gateway.smtp() as client:
            client.mail("you@sender.example")
            codes = []
            client.send(b"".join(b"RCPT TO:<alice+%d@example.test>\r\n" % n for n in range(115)))
            for _ in range(115):
                codes.append(client.getreply()[0])
            self.assertEqual(codes, [250] * 100 + [452] * 15)
            code, text = client.data(message(subject="many"))
            self.assertEqual(code, 250, text)


class NoRules(unittest.TestCase):
    def test_a_folder_without_a_rule_is_warned_of(self):
        with tempfile.TemporaryDirectory() as nothing, Gateway(rules=nothing, users=()) as gateway:
            gateway.wait_log("level=warning event=rules.none")
            done = gateway.command("check")
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn(f"{gateway.path('rules')}: there is no rule: mail is delivered unjudged", done.stdout)


class Ends(unittest.TestCase):
    def test_it_ends_cleanly_while_rules_are_reloaded_and_sessions_are_open(self):
        with Gateway() as gateway:
            for _ in range(5):
                smtp = socket.create_connection(("127.0.0.1", gateway.ports["smtp"]))
                imap = socket.create_connection(("127.0.0.1", gateway.ports["imap"]))
                smtp.recv(100), imap.recv(100)
                gateway.process.send_signal(signal.SIGHUP)
                self.assertEqual(gateway.stop(), 0, gateway.log_text()[-2000:])
                smtp.close(), imap.close()
                gateway.start()

    def test_a_reload_says_what_wants_a_restart(self):
        with Gateway() as gateway:
            with open(gateway.path("postern.toml")) as f:
                text = f.read()
            with open(gateway.path("postern.toml"), "w") as f:
                f.write(text.replace('hostname = "mx.example.test"', 'hostname = "mx2.example.test"'))
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait_log('event=reload.later what="hostname changed: in force after a restart"')
            with open(gateway.path("postern.toml"), "w") as f:
                f.write(text.replace(f"127.0.0.1:{gateway.ports['imap']}", "127.0.0.1:1"))
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait_log('event=reload.later what="[listen] changed: in force after a restart"')

    def test_a_domain_that_a_reload_puts_first_has_a_postmaster(self):
        with Gateway() as gateway:
            self.assertEqual(gateway.send(message(), to="postmaster@added.test")[0], 550)
            with open(gateway.path("postern.toml")) as f:
                text = f.read()
            with open(gateway.path("postern.toml"), "w") as f:
                f.write(text.replace('[domains.', '[domains."added.test"]\ndeliver = "mailboxes"\n[domains.', 1))
            size = gateway.log_size()
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait_log("event=directory.postmaster account=postmaster@added.test", since=size)
            code, text = gateway.send(message(), to="postmaster@added.test")
            self.assertEqual(code, 250, text)

    def test_a_silent_imap_client_is_sent_away_after_idle_timeout(self):
        with Gateway(sections={"imap": 'idle_timeout = "1s"'}) as gateway:
            client = gateway.imap()
            self.assertIn(b"BYE idle", client.readline())
            client.shutdown()


class Owner(unittest.TestCase):
    @unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
    def test_commands_without_a_server_leave_no_file_of_roots_in_the_data_folder(self):
        with Gateway(start=False) as gateway:
            os.chmod(gateway.directory, 0o755)
            subprocess.run(["chown", "-R", "65534:65534", gateway.path("data")], check=True)
            gateway.command("check", "--store", check=True)
            gateway.command("user", "list", check=True)
            for folder, _, files in os.walk(gateway.path("data")):
                for name in [folder] + [os.path.join(folder, file) for file in files]:
                    self.assertEqual(os.stat(name).st_uid, 65534, name)


class CommandLine(unittest.TestCase):
    def test_global_options_count_on_both_sides_and_empty_values_are_values(self):
        with Gateway(start=False, antivirus=False, sections={"antivirus": "scanners = 0"}) as gateway:
            config = ["--config", gateway.path("postern.toml")]
            sample = message(subject="x")
            for arguments in (config + ["--json", "explain", "-", "--from", ""], ["explain", "-", "--from", ""] + config + ["--json"],
                              config + ["explain", "--from=", "-", "--json"]):
                done = subprocess.run([gateway.program, *arguments], input=sample, text=True, capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(done.stdout.startswith('{"verdict":'), done.stdout)
            done = subprocess.run([gateway.program, "user", "list", "--json"] + config, capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, len(done.stdout.splitlines())), (0, 2), done.stderr)
            for wrong in (["nonsense"], ["explain"], ["spf", "--ip", "x", "--helo", "h", "--from", ""], []):
                done = subprocess.run([gateway.program, *wrong, *config], capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 2, (wrong, done.stderr))

    def test_a_second_server_ends_with_1_and_names_the_first(self):
        with Gateway() as gateway:
            done = subprocess.run([gateway.program, "--config", gateway.path("postern.toml"), "serve"], capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(f"process {gateway.process.pid}", done.stderr)
            self.assertTrue(gateway.json("status")["running"])


class Journal(unittest.TestCase):
    """journal("address", "why"): what is taken is kept there as well."""

    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(rule_files={"05-journal.lua": JOURNAL}, users=(ALICE, BOB, ARCHIVE),
                              zone={"archive.example MX": "10 mx.archive.example", "mx.archive.example A": "127.0.0.99"},
                              config=f'postmaster = "{BOB}"\n')
        cls.gateway.command("alias", "add", "records@example.test", ARCHIVE, BOB, check=True)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()

    def send(self, subject, to=None, recipients=(ALICE,)):
        return self.gateway.send(message(subject=subject, extra=f"X-Journal-To: {to}\r\n" if to else ""), to=recipients)

    def kept(self, subject, user=ARCHIVE, folder="INBOX"):
        return [octets.decode() for octets in self.gateway.folder(folder, user) if f"Subject: {subject}\r\n" in octets.decode()]

    def test_the_copy_has_the_message_and_names_every_recipient(self):
        self.assertEqual(self.send("kept", ARCHIVE, (ALICE, BOB))[0], 250)
        copy, = self.kept("kept")
        for field in ("X-Postern-Journal-From: <you@sender.example>", f"X-Postern-Journal-To: <{ALICE}>", f"X-Postern-Journal-To: <{BOB}>",
                      "X-Postern-Why: journal journal: the law wants it"):
            self.assertIn(field + ("" if "Why" in field else "\r\n"), copy)
        own, = self.kept("kept", ALICE)
        self.assertNotIn("X-Postern-Journal", own)
        self.assertEqual(copy[copy.index("From: you@"):], own[own.index("From: you@"):])

    def test_what_is_held_is_kept_too_but_neither_a_virus_nor_what_is_refused(self):
        self.assertEqual(self.send("spam, kept", ARCHIVE)[0], 250)
        self.assertEqual(len(self.kept("spam, kept")), 1)
        self.assertEqual(self.kept("spam, kept", ALICE), [])
        self.assertEqual(self.send("virus, not kept", ARCHIVE)[0], 250)
        self.assertEqual(self.kept("virus, not kept"), [])
        self.assertEqual(self.send("refused, not kept", ARCHIVE)[0], 550)
        self.assertEqual(self.kept("refused, not kept"), [])

    def test_an_alias_keeps_it_with_all_whom_it_names(self):
        self.assertEqual(self.send("to records", "records@example.test")[0], 250)
        self.assertEqual((len(self.kept("to records")), len(self.kept("to records", BOB))), (1, 1))

    def test_what_one_recipient_asks_for_is_kept_once(self):
        self.assertEqual(self.send("of bob", recipients=(ALICE, BOB))[0], 250)
        self.assertEqual(len(self.kept("of bob")), 1)
        self.assertEqual(self.send("of bob", recipients=(ALICE,))[0], 250)
        self.assertEqual(len(self.kept("of bob")), 1)

    def test_postmaster_gets_what_should_be_kept_by_nobody(self):
        self.assertEqual(self.send("to nobody", "gone@example.test")[0], 250)
        copy, = self.kept("to nobody", BOB)
        self.assertIn("gone@example.test, an address that nobody has", copy)
        self.assertRegex(self.gateway.log_text(), r"event=deliver\.journal .*rule=journal at=\S*05-journal\.lua:6")

    def test_a_copy_for_elsewhere_is_sent_by_nobody(self):
        self.assertEqual(self.send("to the world", "vault@archive.example")[0], 250)
        entry, = self.gateway.json_lines("queue", "list", "--to", "vault@archive.example")
        self.assertEqual(entry["sender"], "")
        self.assertIn("X-Postern-Journal-To: <alice@example.test>", self.gateway.json_lines("queue", "show", entry["id"])[0]["text"])
        self.assertEqual(len(self.kept("to the world", ALICE)), 1)

if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
