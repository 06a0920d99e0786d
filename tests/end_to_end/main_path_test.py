"""A message from the internet is judged and read over IMAP and POP3; the quarantine releases by MOVE."""
import base64
import email
import json
import os
import smtplib
import sys
import unittest
import urllib.error
import urllib.request

from gateway import EICAR, GTUBE, Gateway, message, with_attachment


class MainPath(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(users=("alice@example.test", "bob@example.test", "carol@example.test", "dave@example.test"))

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()

    def one(self, folder, user, subject):
        found = [m for m in self.gateway.folder(folder, user) if email.message_from_bytes(m)["Subject"] == subject]
        self.assertEqual(len(found), 1, f"{subject!r} in {folder} of {user}:\n{self.gateway.log_text()[-3000:]}")
        return found[0]

    def test_a_clean_message_lies_in_inbox_with_our_fields_and_its_octets(self):
        sent = message(subject="clean", body="First line.\r\n..dotted\r\n.\r\nlast\r\n")
        code, text = self.gateway.send(sent)
        self.assertEqual(code, 250, text)
        got = self.one("INBOX", "alice@example.test", "clean")
        self.assertTrue(got.endswith(sent.encode()), got)
        mail = email.message_from_bytes(got)
        self.assertEqual(mail["Return-Path"], "<you@sender.example>")
        self.assertEqual(mail["Delivered-To"], "alice@example.test")
        self.assertIn("mx.example.test", mail["Received"])
        self.assertIn("spf=pass", mail["Authentication-Results"])
        self.assertRegex(mail["X-Postern-Verdict"], r"^ham score=-?\d+\.\d id=\w+$")
        self.assertIn(mail["X-Postern-Verdict"].split("id=")[1], text)

    def test_forged_fields_of_ours_are_removed(self):
        code, text = self.gateway.send(message(subject="forged", extra=(
            "Authentication-Results: mx.example.test; spf=pass smtp.mailfrom=evil\r\n"
            "X-Postern-Verdict: ham score=-99 id=FORGED\r\nX-Spam-Flag: NO\r\nAuthentication-Results: other.example; spf=fail\r\n")))
        self.assertEqual(code, 250, text)
        got = self.one("INBOX", "alice@example.test", "forged")
        self.assertNotIn(b"FORGED", got)
        self.assertNotIn(b"mailfrom=evil", got)
        self.assertIn(b"other.example", got)

    def test_each_recipient_gets_one_copy_and_tags_lead_to_the_user(self):
        code, text = self.gateway.send(message(subject="to many"), to=["bob@example.test", "bob+shop@example.test", "carol@example.test"])
        self.assertEqual(code, 250, text)
        self.one("INBOX", "bob@example.test", "to many")
        self.one("INBOX", "carol@example.test", "to many")

    def test_eicar_goes_to_quarantine_as_a_notice_and_an_administrator_releases_the_original(self):
        code, text = self.gateway.send(with_attachment(EICAR.encode()), to="bob@example.test")
        self.assertEqual(code, 250, text)
        rows = [r for r in self.gateway.json_lines("quarantine", "list", "--class", "virus") if r["user"] == "bob@example.test"]
        self.assertEqual(len(rows), 1)
        case = rows[0]["id"]
        client = self.gateway.imap("bob@example.test")
        client.select("Quarantine")
        _, found = client.search(None, "SUBJECT", case)
        self.assertEqual(len(found[0].split()), 1)
        number = found[0].split()[0].decode()
        _, data = client.fetch(number, "(BODY.PEEK[])")
        self.assertNotIn(base64.b64encode(EICAR.encode()), data[0][1])
        self.assertIn(b"Eicar", data[0][1])
        status, answer = client.copy(number, "INBOX")
        self.assertEqual(status, "NO")
        self.assertIn(b"NOPERM", answer[0])
        client.logout()
        self.gateway.command("quarantine", "release", case, check=True)
        original = self.one("INBOX", "bob@example.test", "attached")
        self.assertEqual(email.message_from_bytes(original).get_payload()[1].get_payload(decode=True), EICAR.encode())
        rows = [r for r in self.gateway.json_lines("quarantine", "list") if r["id"] == case]
        self.assertEqual(rows, [])

    def test_gtube_is_quarantined_and_a_move_to_inbox_releases_it_unchanged(self):
        sent = message(subject="gtube", body=GTUBE + "\r\n")
        code, text = self.gateway.send(sent, to="carol@example.test")
        self.assertEqual(code, 250, text)
        held = self.one("Quarantine", "carol@example.test", "gtube")
        self.assertIn(b"X-Postern-Verdict: quarantine", held)
        self.assertIn(b"X-Spam-Flag: YES", held)
        client = self.gateway.imap("carol@example.test")
        client.select("Quarantine")
        _, found = client.search(None, "SUBJECT", "gtube")
        status, answer = client._simple_command("MOVE", found[0].split()[0].decode(), "INBOX")
        self.assertEqual(status, "OK", answer)
        client.logout()
        self.assertEqual(self.one("INBOX", "carol@example.test", "gtube"), held)
        self.assertEqual([m for m in self.gateway.folder("Quarantine", "carol@example.test") if b"Subject: gtube" in m], [])
        self.assertIn("quarantine.release", self.gateway.log_text())

    def test_quarantine_to_sent_is_refused_and_to_trash_is_no_release(self):
        self.gateway.send(message(subject="thrown away", body=GTUBE + "\r\n"), to="dave@example.test")
        client = self.gateway.imap("dave@example.test")
        client.select("Quarantine")
        status, answer = client._simple_command("MOVE", "1", "Sent")
        self.assertEqual(status, "NO")
        self.assertIn(b"CANNOT", answer[0])
        before = self.gateway.log_text().count("quarantine.release")
        status, answer = client._simple_command("MOVE", "1", "Trash")
        self.assertEqual(status, "OK", answer)
        self.assertEqual(self.gateway.log_text().count("quarantine.release"), before)
        client.select("Trash")
        status, answer = client._simple_command("MOVE", "1", "INBOX")
        self.assertEqual(status, "OK", answer)
        self.assertEqual(self.gateway.log_text().count("quarantine.release"), before + 1)
        client.logout()

    def test_pop3_reads_what_imap_reads(self):
        self.gateway.send(message(subject="for pop", body="x\r\n.y\r\n"), to="dave@example.test")
        imap = self.one("INBOX", "dave@example.test", "for pop")
        client = self.gateway.pop3("dave@example.test")
        count, _ = client.stat()
        bodies = [b"\r\n".join(client.retr(n + 1)[1]) + b"\r\n" for n in range(count)]
        self.assertIn(imap, bodies)
        client.quit()

    def test_unknown_users_are_refused_at_rcpt_and_status_counts(self):
        code, text = self.gateway.send(message(), to="nobody@example.test")
        self.assertEqual(code, 550)
        self.assertIn("5.1.1", text)
        status = self.gateway.json("status")
        self.assertTrue(status["running"])
        self.assertGreaterEqual(status["smtp"]["recipients_refused"], 1)
        self.assertEqual(status["antivirus"]["state"], "ready")
        self.assertTrue(status["store"]["writable"])

    def test_metrics_and_health_answer(self):
        base = f"http://127.0.0.1:{self.gateway.ports['admin']}"
        metrics = urllib.request.urlopen(base + "/metrics", timeout=10).read().decode()
        self.assertIn("postern_antivirus_ready 1", metrics)
        self.assertIn('postern_messages_total{verdict="ham"}', metrics)
        self.assertEqual(urllib.request.urlopen(base + "/healthz", timeout=10).status, 200)
        with self.assertRaises(urllib.error.HTTPError):
            urllib.request.urlopen(base + "/etc/passwd", timeout=10)

    def test_an_idle_client_hears_of_a_delivery(self):
        client = self.gateway.imap("alice@example.test")
        client.select("INBOX")
        client.send(b"x IDLE\r\n")
        self.assertTrue(client.readline().startswith(b"+"))
        self.gateway.send(message(subject="ping"))
        line = client.readline()
        self.assertIn(b"EXISTS", line)
        client.send(b"DONE\r\n")
        while not client.readline().startswith(b"x OK"):
            pass
        client.logout()

    def test_a_starttls_dialogue_is_recorded_in_received(self):
        with smtplib.SMTP("127.0.0.1", self.gateway.ports["smtp"], local_hostname="mail.sender.example", timeout=30) as client:
            client.starttls()
            client.ehlo()
            client.docmd("XCLIENT", "ADDR=198.51.100.7 HELO=mail.sender.example PROTO=ESMTP")
            client.ehlo()
            client.sendmail("you@sender.example", ["alice@example.test"], message(subject="encrypted"))
        got = email.message_from_bytes(self.one("INBOX", "alice@example.test", "encrypted"))
        self.assertIn("ESMTPS", got["Received"])
        self.assertIn("TLSv1.3", got["Received"])

    def test_explain_says_what_the_gateway_would_do_and_prints_one_line_a_file(self):
        folder = self.gateway.path("samples")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "1-clean.eml"), "w") as f:
            f.write("From you@sender.example Tue Nov 24 10:00:00 2026\n" + message(subject="a").replace("\r\n", "\n"))
        with open(os.path.join(folder, "2-gtube.eml"), "w") as f:
            f.write(message(subject="b", body=GTUBE + "\r\n").replace("\r\n", "\n"))
        with open(os.path.join(folder, "3-eicar.eml"), "w") as f:
            f.write(with_attachment(EICAR.encode()).replace("\r\n", "\n"))
        done = self.gateway.command("explain", folder, "--ip", "198.51.100.7", "--helo", "mail.sender.example", "--from", "you@sender.example",
                                    "--rcpt", "alice@example.test", "--json", check=True)
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([os.path.basename(r["file"]) for r in rows], ["1-clean.eml", "2-gtube.eml", "3-eicar.eml"])
        self.assertTrue(done.stdout.startswith('{"file"'))
        self.assertEqual([r["verdict"] for r in rows], ["ham", "quarantine", "quarantine"])
        self.assertEqual(rows[0]["facts"]["spf"]["result"], "pass")
        self.assertIsNone(rows[0]["facts"]["virus"])
        self.assertIn("Eicar", rows[2]["facts"]["virus"])
        self.assertEqual(rows[1]["recipients"]["alice@example.test"]["folder"], "Quarantine")
        for hit in rows[1]["hits"]:
            self.assertRegex(hit["at"], r"^rules/.*\.lua:\d+$")


if __name__ == "__main__":
    sys.exit(unittest.main())
