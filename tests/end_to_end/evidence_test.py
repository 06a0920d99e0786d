"""What the content of a message says, from the socket to the verdict: files that are not what they say, signs, links inside of
links; and the Authenticated Received Chain, sealed by us where we send on, judged by dkimpy and by ourselves when it comes back."""
import base64
import email
import json
import os
import subprocess
import tempfile
import unittest

from dns_server import DnsServer
from gateway import SOURCE, ZONE, Gateway, message
from smtp_sink import Sink

BASE = "\n".join(f"{key} {value}" for key, value in ZONE.items())
PROGRAM = base64.b64encode(b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0" + bytes(200)).decode()


def with_file(subject, name, octets, kind="application/pdf"):
    return message(subject=subject, extra="MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n",
                   body=f"--b\r\n\r\nSee the invoice.\r\n--b\r\nContent-Type: {kind}\r\nContent-Disposition: attachment; filename={name}\r\n"
                        f"Content-Transfer-Encoding: base64\r\n\r\n{octets}\r\n--b--\r\n")


class Content(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway()
        cls.addClassCleanup(cls.gateway.close)

    def test_a_program_that_calls_itself_a_pdf_is_held_with_the_reason(self):
        code, text = self.gateway.send(with_file("the bill", "bill.pdf", PROGRAM))
        self.assertEqual(code, 250, text)
        row, = [r for r in self.gateway.json_lines("quarantine", "list") if r["subject"] == "the bill"]
        self.assertEqual(row["class"], "policy")
        self.assertIn("a program that pretends to be something else", row["reason"])

    def test_a_real_document_passes(self):
        code, text = self.gateway.send(with_file("a real one", "bill.pdf", base64.b64encode(b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n").decode()))
        self.assertEqual(code, 250, text)
        self.assertEqual(len([m for m in self.gateway.folder("INBOX") if b"Subject: a real one" in m]), 1)

    def test_rules_see_signs_language_and_links_inside_of_links(self):
        with tempfile.TemporaryDirectory() as rules:
            with open(os.path.join(rules, "10.lua"), "w", encoding="utf-8") as file:
                file.write('rule "r" { on = "message", check = function(mail)\n'
                           '  local out = { mail.language, tostring(mail.signs.no_date), tostring(mail.signs.subject_capitals) }\n'
                           '  for _, link in ipairs(mail.links) do out[#out + 1] = link.domain .. (link.inside and " inside" or "") end\n'
                           '  return score(1, table.concat(out, ", "))\nend }\n')
            text = message(subject="READ THIS NOW OR ELSE", body="This is the text that you were waiting for, and it is about the house.\r\n"
                           "http://go.sender.example/?url=http%3A%2F%2Fevil.example%2Flogin\r\n")
            told = self.gateway.command("explain", "--json", "-", "--rules", rules, "--rcpt", "alice@example.test", input=text, check=True)
            why = json.loads(told.stdout)["hits"][0]["why"]
        self.assertEqual(why, "en, false, true, sender.example, evil.example inside")


class Chain(unittest.TestCase):
    @staticmethod
    def judge(*arguments):
        return subprocess.run(["/usr/bin/python3", "-B", os.path.join(SOURCE, "tests/support/arc_judge.py"), *arguments], check=True,
                              capture_output=True, text=True).stdout.strip()

    def test_what_a_user_has_sent_on_is_sealed_and_the_seal_is_good(self):
        if missing := self.judge("missing"):
            self.skipTest(f"{missing} is not installed")
        with Sink() as sink:
            dns = DnsServer(BASE).start()
            self.addCleanup(dns.stop)
            gateway = Gateway(dns=dns.port, sections={'routes."far.example"': f'via = "smtp://127.0.0.1:{sink.port}"', "queue": 'retry = ["1s"]'})
            self.addCleanup(gateway.close)
            rows = gateway.json_lines("dkim", "new", "example.test")
            published = {row["record"]["name"]: row["record"]["text"] for row in rows}
            dns.replace(BASE + "".join(f"\n{name} TXT {value}" for name, value in published.items()))
            self.assertEqual({row["state"] for row in gateway.json_lines("dkim", "check", "example.test")}, {"active"})
            gateway.command("forward", "set", "alice@example.test", "ann@far.example", "--keep", check=True)
            code, text = gateway.send(message(subject="send me on"))
            self.assertEqual(code, 250, text)
            octets = sink.one(b"Subject: send me on").message
            mail = email.message_from_bytes(octets)
            self.assertIn("i=1", mail["ARC-Seal"])
            self.assertIn("d=example.test", mail["ARC-Seal"])
            self.assertIn("cv=none", mail["ARC-Seal"])
            self.assertIn("spf=pass", mail["ARC-Authentication-Results"])
            with tempfile.TemporaryDirectory() as folder:
                keys, sealed = os.path.join(folder, "keys"), os.path.join(folder, "sealed")
                with open(keys, "w", encoding="ascii") as file:
                    file.writelines(f"{name} {value}\n" for name, value in published.items())
                with open(sealed, "wb") as file:
                    file.write(octets)
                self.assertEqual(self.judge("verify", keys, sealed), "pass")
            # It comes back, from somebody else.
            code, text = gateway.send(octets.decode(), to="bob@example.test", sender="you@sender.example")
            self.assertEqual(code, 250, text)
            back = email.message_from_bytes([m for m in gateway.folder("INBOX", "bob@example.test") if b"Subject: send me on" in m][0])
            self.assertIn("arc=pass", back["Authentication-Results"])
            # Changed on the way it is worth nothing.
            code, text = gateway.send(octets.decode().replace("Subject: send me on", "Subject: send me money"), to="bob@example.test", sender="you@sender.example")
            self.assertEqual(code, 250, text)
            changed = email.message_from_bytes([m for m in gateway.folder("INBOX", "bob@example.test") if b"Subject: send me money" in m][0])
            self.assertIn("arc=fail", changed["Authentication-Results"])


if __name__ == "__main__":
    unittest.main()
