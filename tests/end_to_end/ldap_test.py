"""Recipients and logins of a domain whose users a directory knows, here a real slapd: asked over TLS at RCPT, remembered, and
by configuration deferred or queued while it is down; who logs in is bound to it with his password."""
import contextlib
import imaplib
import os
import shutil
import smtplib
import socket
import sys
import tempfile
import threading
import time
import unittest

import slapd
from authority import Authority
from gateway import GTUBE, PASSWORD, Gateway, free_ports, insecure, message, wait_for
from smtp_sink import Sink

ACTIVE = ('(&(objectClass=directoryUser)(!(userAccountControl:1.2.840.113556.1.4.803:=2))'
          '(|(mail=%a)(proxyAddresses=smtp:%a)(mailLocalAddress=%a)))')
PEOPLE = {
    "carol": {"mail": "carol@corp.test", "password": "carol's own", "proxyAddresses": ["SMTP:carol@corp.test", "smtp:c.smith@corp.test"],
              "userAccountControl": 512},
    "dave": {"mail": "dave@corp.test", "mailLocalAddress": "d.jones@corp.test", "password": "dave's own", "userAccountControl": 512},
    "gone": {"mail": "gone@corp.test", "password": "gone's own", "userAccountControl": 514},   # switched off
    "twin1": {"mail": "twin@corp.test", "password": "twin's own"},
    "twin2": {"mail": "twin@corp.test", "password": "twin's own"},
    "keyless": {"mail": "keyless@corp.test"},
}


class World(unittest.TestCase):
    """Each test has a slapd and a gateway of its own: they are stopped, frozen and killed."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="postern-ldap-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.authority = Authority(self.folder)
        self.password = os.path.join(self.folder, "password")
        self.set_password(slapd.READER_PASSWORD)
        self.sink = Sink()
        self.addCleanup(self.sink.server.server_close)
        self.addCleanup(self.sink.server.shutdown)

    def set_password(self, text):
        with open(self.password, "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.chmod(self.password, 0o600)

    def directory(self, people=None, names=("127.0.0.1",), **more):
        certificate, key = self.authority.certificate(*names)
        out = slapd.Slapd(people or PEOPLE, certificate, key, **more)
        self.addCleanup(out.close)
        return out

    def section(self, *urls, **more):
        keys = {"urls": "[" + ", ".join(f'"{url}"' for url in urls) + "]", "base": f'"{slapd.BASE}"', "bind_dn": f'"{slapd.READER}"',
                "password_file": f'"{self.password}"', "ca_file": f'"{self.authority.file}"', "recipient_filter": f"'{ACTIVE}'", "timeout": '"1s"'}
        keys.update(more)
        return "\n".join(f"{key} = {value}" for key, value in keys.items() if value is not None)

    def gateway(self, section, domain="", start=True, users=("alice@example.test",), **more):
        sections = {'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{self.sink.port}"\nrecipients = "ldap"\nldap = "corp"\n{domain}',
                    "ldap.corp": section, "queue": 'retry = ["1s"]'}
        sections.update(more)
        out = Gateway(users=users, sections=sections, start=start)
        self.addCleanup(out.close)
        return out

    def rcpt(self, gateway, address):
        with gateway.smtp() as smtp:
            self.assertEqual(smtp.mail("you@sender.example")[0], 250)
            code, text = smtp.docmd("RCPT", f"TO:<{address}>")
            return code, text.decode()

    def login(self, gateway, user, password):
        """None, or what the server said."""
        try:
            gateway.imap(user, password).logout()
        except imaplib.IMAP4.error as refused:
            return str(refused)
        return None


class Recipients(World):
    def test_who_the_directory_knows_is_taken_and_others_are_not(self):
        directory = self.directory()
        for url in (f"ldaps://127.0.0.1:{directory.tls_port}", f"ldap://127.0.0.1:{directory.port}"):
            with self.subTest(url=url):
                gateway = self.gateway(self.section(url))
                for known in ("carol@corp.test", "Carol@Corp.TEST", "c.smith@corp.test", "d.jones@corp.test", "carol+list@corp.test"):
                    self.assertEqual(self.rcpt(gateway, known)[0], 250, known)
                for unknown in ("nobody@corp.test", "gone@corp.test", "smith@corp.test"):
                    code, text = self.rcpt(gateway, unknown)
                    self.assertEqual((code, "no such user" in text), (550, True), text)
                self.assertEqual(self.rcpt(gateway, "postmaster@corp.test")[0], 250)
                code, text = gateway.send(message(subject="hello", to="carol@corp.test"), to="carol@corp.test")
                self.assertEqual(code, 250, text)
                wait_for(lambda: [mail for mail in self.sink.got if b"Subject: hello" in mail.message and mail.recipients == ["carol@corp.test"]])
                self.sink.got.clear()
                self.assertEqual(gateway.json("status")["ldap"]["corp"]["problem"], "")
                gateway.close()
        log = directory.log()
        self.assertIn("STARTTLS", log)
        self.assertNotIn("userPassword", log)
        self.assertIn(f'BIND dn="{slapd.READER}"', log)

    def test_nothing_in_an_address_is_a_filter(self):
        directory = self.directory()
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}"))
        for address in ("*@corp.test", "c*@corp.test", '"carol@corp.test)(uid=*"@corp.test', '"x)(|(uid=*)"@corp.test', '"\\\\2a"@corp.test',
                        '"(&)"@corp.test', '"a b"@corp.test', "%a@corp.test"):
            code, text = self.rcpt(gateway, address)
            self.assertEqual(code, 550, f"{address}: {text}")
        self.assertEqual(self.rcpt(gateway, "carol@corp.test")[0], 250)
        self.assertEqual(gateway.json("status")["ldap"]["corp"]["troubles"], 0)

    def test_answers_are_remembered_apart_for_yes_and_no(self):
        directory = self.directory()
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}"))
        for _ in range(3):
            self.assertEqual(self.rcpt(gateway, "carol@corp.test")[0], 250)
            self.assertEqual(self.rcpt(gateway, "nobody@corp.test")[0], 550)
        self.assertEqual(directory.searches(), 2)
        directory.stop()
        self.assertEqual(self.rcpt(gateway, "carol@corp.test")[0], 250)
        self.assertEqual(self.rcpt(gateway, "nobody@corp.test")[0], 550)
        # A yes survives a restart, a no does not.
        self.assertEqual(gateway.stop(), 0)
        gateway.start()
        self.assertEqual(self.rcpt(gateway, "carol@corp.test")[0], 250)
        code, text = self.rcpt(gateway, "nobody@corp.test")
        self.assertEqual((code, "the directory of this domain cannot be asked now" in text), (450, True), text)
        self.assertIn("127.0.0.1", gateway.json("status")["ldap"]["corp"]["problem"])
        directory.begin()
        wait_for(lambda: self.rcpt(gateway, "nobody@corp.test")[0] == 550, 30)
        self.assertEqual(gateway.json("status")["ldap"]["corp"]["problem"], "")
        self.assertIn("event=ldap.back", gateway.log_text())

    def test_while_it_is_down_a_domain_may_want_everybody_queued(self):
        port = free_ports(("ldaps",))["ldaps"]
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{port}"), domain='when_down = "queue"')
        code, text = gateway.send(message(subject="taken unasked", to="who@corp.test"), to="who@corp.test")
        self.assertEqual(code, 250, text)
        wait_for(lambda: [mail for mail in self.sink.got if mail.recipients == ["who@corp.test"]])

    def test_the_next_server_answers_for_the_first(self):
        directory = self.directory()
        dead = free_ports(("dead",))["dead"]
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{dead}", f"ldaps://127.0.0.1:{directory.tls_port}"))
        self.assertEqual(self.rcpt(gateway, "carol@corp.test")[0], 250)
        self.assertEqual(self.rcpt(gateway, "nobody@corp.test")[0], 550)
        self.assertEqual(gateway.json("status")["ldap"]["corp"]["problem"], "")

    def test_a_server_that_hangs_holds_up_nobody_for_long(self):
        directory = self.directory()
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}"))
        self.assertEqual(self.rcpt(gateway, "carol@corp.test")[0], 250)
        directory.freeze()
        began = time.monotonic()
        self.assertEqual(self.rcpt(gateway, "dave@corp.test")[0], 450)
        self.assertLess(time.monotonic() - began, 8)   # the kept connection, and a new one
        began = time.monotonic()
        self.assertEqual(self.rcpt(gateway, "nobody@corp.test")[0], 450)
        self.assertLess(time.monotonic() - began, 1)   # at once, right behind a question that nobody answered
        self.assertEqual(self.rcpt(gateway, "carol@corp.test")[0], 250)
        directory.thaw()
        wait_for(lambda: self.rcpt(gateway, "dave@corp.test")[0] == 250, 30)

    def test_a_server_that_is_killed_between_question_and_answer_is_a_server_that_is_down(self):
        directory = self.directory()
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}", timeout='"10s"'))
        self.assertEqual(self.rcpt(gateway, "carol@corp.test")[0], 250)
        directory.freeze()
        codes = []
        asking = threading.Thread(target=lambda: codes.append(self.rcpt(gateway, "dave@corp.test")[0]))
        asking.start()
        time.sleep(0.5)   # it has the question, most likely; whenever it dies the answer is the same
        directory.stop(9)
        asking.join(30)
        self.assertEqual(codes, [450])
        directory.begin()
        wait_for(lambda: self.rcpt(gateway, "dave@corp.test")[0] == 250, 30)
        self.assertEqual(gateway.stop(), 0)

    def test_a_restarted_server_is_asked_over_a_new_connection_without_a_word(self):
        directory = self.directory()
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}"))
        self.assertEqual(self.rcpt(gateway, "carol@corp.test")[0], 250)
        directory.stop()
        directory.begin()
        self.assertEqual(self.rcpt(gateway, "dave@corp.test")[0], 250)
        self.assertNotIn("ldap.trouble", gateway.log_text())

    def test_what_is_no_ldap_server_is_one_that_is_down(self):
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def babble():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.sendall(b"220 mail.corp.test ESMTP\r\n" * 1000)
                    connection.close()
        threading.Thread(target=babble, daemon=True).start()
        gateway = self.gateway(self.section(f"ldap://127.0.0.1:{listener.getsockname()[1]}", tls='"never"', ca_file=None))
        self.assertEqual(self.rcpt(gateway, "carol@corp.test")[0], 450)
        self.assertNotEqual(gateway.json("status")["ldap"]["corp"]["problem"], "")


class Mistakes(World):
    def problem(self, gateway, words):
        self.assertEqual(self.rcpt(gateway, "carol@corp.test")[0], 450)
        said = gateway.json("status")["ldap"]["corp"]["problem"]
        self.assertIn(words, said)
        self.assertIn("event=ldap.trouble", gateway.log_text())
        return said

    def test_a_wrong_password_of_ours_is_loud_and_a_reload_tries_the_new_one(self):
        directory = self.directory()
        self.set_password("not it")
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}"))
        self.problem(gateway, "bind_dn or the password in ")
        for _ in range(5):   # asked once: it may be locked
            self.assertEqual(self.rcpt(gateway, "carol@corp.test")[0], 450)
        self.assertEqual(directory.log().count(f'BIND dn="{slapd.READER}" method=128'), 1)
        self.set_password(slapd.READER_PASSWORD)
        gateway.command("reload", check=True)
        self.assertEqual(self.rcpt(gateway, "carol@corp.test")[0], 250)

    def test_a_base_that_is_not_there_makes_nobody_unknown(self):
        directory = self.directory()
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}", base='"dc=crop,dc=test"'))
        self.problem(gateway, 'there is no base "dc=crop,dc=test"')

    def test_a_certificate_of_another_name_or_authority_is_none(self):
        directory = self.directory(names=("other.test",))
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}"))
        self.problem(gateway, "127.0.0.1")
        self.assertEqual(directory.searches(), 0)
        self.assertNotIn("BIND", directory.log())
        gateway.close()
        foreign = Authority(tempfile.mkdtemp(dir=self.folder))
        gateway = self.gateway(self.section(f"ldap://127.0.0.1:{directory.port}", ca_file=f'"{foreign.file}"'))
        self.problem(gateway, "127.0.0.1")
        self.assertNotIn("BIND", directory.log())
        gateway.close()
        gateway = self.gateway(self.section(f"ldap://127.0.0.1:{directory.port}", tls='"must"', ca_file=None))
        self.assertEqual(self.rcpt(gateway, "carol@corp.test")[0], 250)

    def test_check_finds_what_cannot_work(self):
        gateway = self.gateway(self.section("ldaps://localhost", recipient_filter="'(mail=%a'"), start=False, users=())
        done = gateway.command("check")
        self.assertEqual(done.returncode, 2)
        self.assertIn("recipient_filter in [ldap.corp] needs a ')'", done.stdout + done.stderr)
        os.chmod(self.password, 0o644)
        gateway = self.gateway(self.section("ldaps://localhost"), start=False, users=())
        done = gateway.command("check")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("the password for [ldap.corp]", done.stdout + done.stderr)


class Logins(World):
    def test_a_user_reads_his_quarantine_with_his_password_of_the_directory(self):
        directory = self.directory()
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}"))
        code, text = gateway.send(message(subject="buy", to="dave@corp.test", body=GTUBE + "\r\n"), to="dave@corp.test")
        self.assertEqual(code, 250, text)
        client = gateway.imap("dave@corp.test", "dave's own")
        self.assertEqual(client.select("Quarantine")[1], [b"1"])
        self.assertEqual(client.uid("MOVE", "1", "Release")[0], "OK")
        client.logout()
        wait_for(lambda: [mail for mail in self.sink.got if mail.recipients == ["dave@corp.test"]])
        # By another address of his he is somebody else, whose mail never comes here under that name.
        self.assertIsNone(self.login(gateway, "Dave@corp.test", "dave's own"))
        pop = gateway.pop3("dave@corp.test", "dave's own")
        pop.quit()

    def test_who_comes_before_his_first_held_message_finds_his_folders(self):
        directory = self.directory()
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}"))
        client = gateway.imap("carol@corp.test", "carol's own")
        names = b" ".join(client.list()[1])
        for folder in (b"Quarantine", b"Release"):
            self.assertIn(folder, names)
        client.logout()
        self.assertIn("carol@corp.test", [row["user"] for row in gateway.json_lines("user", "list")])

    def test_nobody_else_gets_in(self):
        directory = self.directory()
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}"))
        for user, password in (("carol@corp.test", "dave's own"), ("nobody@corp.test", "x"), ("gone@corp.test", "gone's own"),
                               ("twin@corp.test", "twin's own"), ("keyless@corp.test", "x"), ("carol@example.test", "carol's own")):
            said = self.login(gateway, user, password)
            self.assertIn("AUTHENTICATIONFAILED", said or "let in", user)
            gateway.command("user", "unban", "127.0.0.1")
        for user in ("*@corp.test", "c*@corp.test", "carol@corp.test)(uid=*", "(carol@corp.test"):   # imaplib does not quote these
            with self.subTest(user=user), self.assertRaises(smtplib.SMTPAuthenticationError):
                with smtplib.SMTP_SSL("127.0.0.1", gateway.ports["submissions"], context=insecure(), timeout=60) as smtp:
                    smtp.login(user, "carol's own")
            gateway.command("user", "unban", "127.0.0.1")
        self.assertEqual([row["user"] for row in gateway.json_lines("user", "list") if row["user"].endswith("@corp.test")], [])
        self.assertIn("finds more than one entry for twin@corp.test", gateway.log_text())

    def test_an_empty_password_is_refused_before_any_bind(self):
        directory = self.directory(more="allow bind_anon_cred")   # where it would be taken, RFC 4513 5.1.2
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}"))
        self.assertIn("AUTHENTICATIONFAILED", self.login(gateway, "carol@corp.test", "") or "let in")
        self.assertEqual(directory.binds_as("carol"), 0)
        self.assertEqual(directory.searches(), 0)

    def test_wrong_passwords_are_counted_and_their_sender_is_shut_out(self):
        directory = self.directory()
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}"))
        self.assertIsNone(self.login(gateway, "carol@corp.test", "carol's own"))
        before = directory.binds_as("carol")
        said = ""
        for number in range(20):
            said = self.login(gateway, "carol@corp.test", f"guess {number}")
            if "Too many failed logins" in said:
                break
        self.assertIn("Too many failed logins", said)
        self.assertIn(directory.binds_as("carol") - before, (12, 13))   # the count fades
        self.assertIn("127.0.0.1", gateway.json("status")["logins_refused"])
        self.assertIn("Too many", self.login(gateway, "carol@corp.test", "carol's own"))
        gateway.command("user", "unban", "127.0.0.1", check=True)
        # The same mistake again is neither counted nor asked.
        before = directory.binds_as("carol")
        for _ in range(3):
            self.assertIn("AUTHENTICATIONFAILED", self.login(gateway, "carol@corp.test", "once more"))
        self.assertEqual(directory.binds_as("carol") - before, 1)

    def test_a_good_login_is_remembered_and_a_wrong_one_is_not_for_long(self):
        directory = self.directory()
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}"))
        for _ in range(3):
            self.assertIsNone(self.login(gateway, "carol@corp.test", "carol's own"))
        self.assertEqual(directory.binds_as("carol"), 1)
        directory.set_password("carol", "brand new")
        self.assertIsNone(self.login(gateway, "carol@corp.test", "brand new"))
        directory.stop()
        self.assertIsNone(self.login(gateway, "carol@corp.test", "carol's own"))   # five minutes
        said = self.login(gateway, "dave@corp.test", "dave's own")
        self.assertIn("UNAVAILABLE", said)
        self.assertIn("cannot be asked now", said)
        # Nobody is counted for that.
        self.assertEqual(gateway.json("status")["logins_refused"], [])

    def test_who_has_a_password_here_uses_that(self):
        directory = self.directory()
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}"))
        gateway.command("user", "add", "carol@corp.test", "--password-stdin", input=PASSWORD + "\n", check=True)
        self.assertIsNone(self.login(gateway, "carol@corp.test", PASSWORD))
        self.assertIn("AUTHENTICATIONFAILED", self.login(gateway, "carol@corp.test", "carol's own"))
        self.assertEqual(directory.binds_as("carol"), 0)
        gateway.command("user", "set", "carol@corp.test", "--no-password", check=True)
        self.assertIsNone(self.login(gateway, "carol@corp.test", "carol's own"))
        self.assertIn("AUTHENTICATIONFAILED", self.login(gateway, "carol@corp.test", PASSWORD))

    def test_mailboxes_of_our_own_may_have_their_passwords_in_the_directory(self):
        directory = self.directory()
        gateway = self.gateway(self.section(f"ldaps://127.0.0.1:{directory.tls_port}"),
                               **{'domains."corp.test"': 'deliver = "mailboxes"\nldap = "corp"'})
        gateway.command("user", "add", "carol@corp.test", "--no-password", check=True)
        self.assertIsNone(self.login(gateway, "carol@corp.test", "carol's own"))
        # Dave is in the directory, and nobody has made a mailbox for him.
        self.assertIn("AUTHENTICATIONFAILED", self.login(gateway, "dave@corp.test", "dave's own"))
        self.assertIn("he has no mailbox here", gateway.log_text())
        code, text = gateway.submit(message(subject="out", sender="carol@corp.test"), "alice@example.test", user="carol@corp.test", password="carol's own")
        self.assertEqual(code, 250, text)


if __name__ == "__main__":
    if slapd.PROGRAM is None or not os.path.isdir("/etc/ldap/schema"):
        print("skipped: no slapd here")
        sys.exit(77)
    unittest.main()
