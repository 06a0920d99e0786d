"""What goes out is signed, from the first key to its successor; dkimpy, Mail::DKIM and our own verifier judge it."""
import email
import json
import os
import re
import sys
import tempfile
import time
import unittest

import dkim_judges
from dns_server import DnsServer
from gateway import SOURCE, ZONE, Gateway, message
from smtp_sink import Sink

sys.path.append(os.path.join(SOURCE, "tests/bench"))
import corpus   # noqa: E402

OURS = "10.9.0.1"    # a server of ours
BASE = "\n".join(f"{key} {value}" for key, value in ZONE.items())


class World:
    """A gateway that signs nothing yet, a host for what goes out, and a DNS server to publish in."""

    def __init__(self, **more):
        self.sink = Sink(refused=("nobody@corp.test",))
        self.dns = DnsServer(BASE).start()
        self.published = {}
        sections = {'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{self.sink.port}"\nrecipients = "any"',
                    "smtp": 'xclient = ["127.0.0.0/8"]\ntrusted = ["10.9.0.0/16"]'}
        self.gateway = Gateway(dns=self.dns.port, sections=dict(sections, **more.pop("sections", {})), **more)

    def close(self):
        self.gateway.close()
        self.dns.stop()
        self.sink.close()

    def publish(self, rows, text=None):
        for row in rows:
            record = row["record"]
            self.published[record["name"]] = text or record["text"]
        self.dns.replace(BASE + "".join(f"\n{name} TXT {value}" for name, value in self.published.items()))

    def keys(self, *arguments):
        return self.gateway.json_lines("dkim", *arguments)

    def send(self, text, sender="alice@example.test", to="ann@corp.test", ip=OURS):
        return self.gateway.send(text, to=to, sender=sender, ip=ip)

    def sent(self, text, mark, **more):
        code, reply = self.send(text, **more)
        assert code == 250, reply
        return self.sink.one(mark).message

    def start_signing(self, domain="example.test"):
        rows = self.keys("new", domain)
        self.publish(rows)
        return self.keys("check", domain)


def signatures(octets):
    return [" ".join(value.split()) for value in email.message_from_bytes(octets).get_all("DKIM-Signature") or []]


def own(subject, body="A line.\r\n", sender="alice@example.test", extra=""):
    return message(subject=subject, body=body, sender=f"Alice <{sender}>", to="ann@corp.test", extra=extra)


class Signing(unittest.TestCase):
    def world(self, **more):
        world = World(**more)
        self.addCleanup(world.close)
        return world

    def judge(self, world, messages):
        """Every signature of every message passes, by everybody."""
        for octets, results in zip(messages, dkim_judges.dkimpy(messages, world.published)):
            self.assertEqual(results, ["pass", "pass"], octets[:3000])
        for octets, results in zip(messages, dkim_judges.mail_dkim(messages, world.dns.port)):
            self.assertEqual([r for r in results if r.startswith("rsa")], ["rsa-sha256 pass"], octets[:3000])

    def test_a_key_signs_once_its_record_is_seen_and_everybody_verifies_it(self):
        w = self.world()
        rows = w.keys("new", "example.test")
        self.assertEqual([(r["algorithm"], r["state"]) for r in rows], [("rsa", "waiting"), ("ed25519", "waiting")])
        self.assertEqual([len(r["record"]["strings"]) for r in rows], [2, 1])
        self.assertEqual(signatures(w.sent(own("too early"), b"too early")), [])
        self.assertIn("no record", w.keys("check", "example.test")[0]["problem"])
        w.publish(rows[:1], text="v=DKIM1; k=rsa; p=" + rows[1]["record"]["text"].split("p=")[1])
        self.assertIn("key", {r["selector"]: r for r in w.keys("check", "example.test")}[rows[0]["selector"]]["problem"])
        w.publish(rows)
        self.assertEqual({r["state"] for r in w.keys("check", "example.test")}, {"active"})
        octets = w.sent(own("signed now"), b"signed now")
        found = signatures(octets)
        self.assertEqual(len(found), 2)
        self.assertTrue(all("d=example.test;" in each and "c=relaxed/relaxed;" in each for each in found), found)
        self.judge(w, [octets])
        with tempfile.TemporaryDirectory() as rules:
            with open(os.path.join(rules, "10.lua"), "w", encoding="utf-8") as file:
                file.write('rule "dkim" { on = "message", about = "Reads it.", check = function(mail) return score(1, mail.dkim.result) end }\n')
            facts = json.loads(w.gateway.command("explain", "--json", "-", "--rules", rules, "--rcpt", "bob@example.test", input=octets.decode(),
                                                 check=True).stdout)["facts"]
        self.assertEqual({(d["domain"], d["result"]) for d in facts["dkim"]}, {("example.test", "pass")})
        status = w.gateway.json("status")["dkim"]
        self.assertEqual(status["signed"], 1)
        self.assertEqual(set(status["keys"]["example.test"].values()), {"active"})
        # Over a restart, and by a command without a server.
        w.gateway.stop()
        self.assertEqual({r["state"] for r in w.keys("list")}, {"active"})
        w.gateway.start()
        self.judge(w, [w.sent(own("after the restart"), b"after the restart")])
        # Nobody is shown a private key.
        shown = w.gateway.command("dkim", "show", "example.test").stdout + w.gateway.log_text()
        self.assertNotIn("PRIVATE", shown)
        self.assertIn("v=DKIM1; k=ed25519; p=", shown)

    def test_every_form_of_message_is_verified(self):
        w = self.world()
        w.start_signing()
        plain = own("mark-0").encode()
        header = plain.partition(b"\r\n\r\n")[0].replace(b"mark-0", b"mark-%d")
        forms = [b"", b"\r\n\r\n\r\n", b" \t\r\n", b"trailing \t \r\n\r\n text  \r\n\r\n\r\n\r\n", b"x" * 5000 + b"\r\n", b".\r\n..\r\n.dot\r\n",
                 "Ti\u1ebfng Vi\u1ec7t\r\n".encode(), b"latin \xe9\xff\r\n"]
        headers = [b"", b"To: b@corp.test\r\nTo: c@corp.test\r\n", b"Cc: one@corp.test,\r\n\ttwo@corp.test,\r\n three@corp.test\r\n",
                   b"References: <a@b>\r\n <c@d>\r\nIn-Reply-To:\r\n", b"Content-Type: text/plain;\r\n charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nMIME-Version: 1.0\r\n",
                   b"List-Id: <l.example.test>\r\nList-Unsubscribe: <https://example.test/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
                   b"X-Postern-Verdict: ham forged\r\nAuthentication-Results: mx.example.test; spf=pass\r\n", b"subject: twice\r\n"]
        marks = []
        for i in range(max(len(forms), len(headers)) * 2):
            body, more = forms[i % len(forms)], headers[(i * 3) % len(headers)]
            code, text = w.send((header % i) + b"\r\n" + more + b"\r\n" + body)
            self.assertEqual(code, 250, text)
            marks.append(b"mark-%d\r\n" % i)
        self.judge(w, [w.sink.one(mark).message for mark in marks])

    def test_only_what_is_ours_is_signed(self):
        w = self.world()
        w.start_signing()
        self.assertEqual(signatures(w.sent(own("a stranger says"), b"a stranger says", ip="198.51.100.7", sender="you@sender.example")), [])
        self.assertEqual(signatures(w.sent(own("foreign author", sender="x@sender.example"), b"foreign author", sender="you@sender.example")), [])
        below = w.sent(own("from below", sender="alice@sub.example.test"), b"from below")
        self.assertEqual(["d=example.test;" in each for each in signatures(below)], [True, True])
        # For a mailbox here there is nothing to prove.
        code, text = w.send(own("for bob"), to="bob@example.test")
        self.assertEqual(code, 250, text)
        self.assertEqual([signatures(m) for m in w.gateway.folder("INBOX", "bob@example.test") if b"for bob" in m], [[]])

    def test_what_a_user_submits_is_signed_with_the_fields_that_were_added(self):
        w = self.world()
        w.start_signing()
        code, text = w.gateway.submit("From: Alice <alice@example.test>\r\nTo: ann@corp.test\r\nSubject: submitted\r\n\r\nbody\r\n", to="ann@corp.test")
        self.assertEqual(code, 250, text)
        octets = w.sink.one(b"Subject: submitted").message
        self.assertIn(b"\r\nMessage-ID: ", octets)
        self.assertEqual(["Date:Date:Message-ID:Message-ID:" in "".join(each.split()) for each in signatures(octets)], [True, True])
        self.judge(w, [octets])

    def test_our_reports_are_signed(self):
        w = self.world()
        w.start_signing()
        code, text = w.send(own("for nobody", sender="x@sender.example"), to="nobody@corp.test", sender="carol@corp.test")
        self.assertEqual(code, 250, text)
        report = w.sink.one(b"multipart/report").message
        self.assertEqual(["d=example.test;" in each for each in signatures(report)], [True, True])
        self.judge(w, [report])

    def test_a_rotation_goes_from_key_to_key_without_a_gap(self):
        w = self.world()
        first = w.start_signing()
        old = {r["algorithm"]: r["selector"] for r in first}
        made = w.keys("rotate", "example.test")
        new = {r["algorithm"]: r["selector"] for r in made}
        self.assertFalse(set(old.values()) & set(new.values()))
        self.assertTrue(all(f"s={old[a]};" in s for a, s in zip(("rsa", "ed25519"), signatures(w.sent(own("before"), b"before")))))
        refused = w.gateway.command("dkim", "rotate", "example.test")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("still waits", refused.stderr)
        w.publish([r for r in made if r["algorithm"] == "rsa"])
        states = {r["selector"]: r["state"] for r in w.keys("check", "example.test")}
        self.assertEqual(states, {old["rsa"]: "retired", new["rsa"]: "active", old["ed25519"]: "active", new["ed25519"]: "waiting"})
        w.publish(made)
        w.keys("check")
        octets = w.sent(own("behind"), b"behind")
        self.assertTrue(all(f"s={new[a]};" in s for a, s in zip(("rsa", "ed25519"), signatures(octets))))
        self.judge(w, [octets, w.sink.one(b"before").message])
        removed = w.gateway.command("dkim", "remove", "example.test", new["rsa"])
        self.assertEqual(removed.returncode, 1)
        self.assertIn("--force", removed.stderr)
        w.gateway.command("dkim", "remove", "example.test", old["rsa"], check=True)
        self.assertNotIn(old["rsa"], {r["selector"] for r in w.keys("list", "example.test")})

    def test_the_operator_may_force_a_key_and_mistakes_are_named(self):
        w = self.world()
        [row] = w.keys("new", "example.test", "--selector", "Mail", "--algorithm", "ed25519")
        self.assertEqual(row["record"]["name"], "mail._domainkey.example.test")
        self.assertEqual(w.gateway.command("dkim", "use", "example.test", "mail").returncode, 1)
        [row] = w.keys("use", "example.test", "mail", "--force")
        self.assertTrue(row["forced"])
        self.assertEqual(len(signatures(w.sent(own("forced"), b"forced"))), 1)
        for arguments, words in ((("new", "other.example"), "none of our domains"), (("new", "example.test", "--selector", "a_b"), "no selector"),
                                 (("new", "example.test", "--selector", "mail", "--algorithm", "rsa"), "already"), (("show", "corp.test"), "no DKIM key"),
                                 (("remove", "example.test", "nothing"), "no DKIM key")):
            done = w.gateway.command("dkim", *arguments)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertIn(words, done.stderr, arguments)

    def test_mail_of_many_people_is_verified(self):
        mails = corpus.sample(corpus.folder(SOURCE), 60)
        if not mails:
            self.skipTest("no corpus here")
        with tempfile.TemporaryDirectory() as rules:
            w = self.world(rules=rules, antivirus=False, sections={"antivirus": "scanners = 0"})
            w.start_signing()
            marks = []
            for number, mail in enumerate(mails):
                header, _, body = mail.octets.partition(b"\r\n\r\n")
                dropped = (b"from:", b"dkim-signature:", b"domainkey-signature:", b"received:", b"return-path:")
                kept = [field for field in re.split(rb"\r\n(?![ \t])", header) if not field.lower().startswith(dropped)]
                mark = b"X-Mark: %d-%d\r\n" % (number, time.time_ns())
                code, text = w.send(mark + b"From: Alice <alice@example.test>\r\n" + b"".join(field + b"\r\n" for field in kept) + b"\r\n" + body)
                if code == 250:
                    marks.append(mark)
            self.assertGreater(len(marks), len(mails) // 2)
            self.judge(w, [w.sink.one(mark).message for mark in marks])


if __name__ == "__main__":
    if missing := dkim_judges.missing():
        print(f"skipped: no {missing} here")
        sys.exit(77)
    unittest.main()
