"""Clients that vanish at each octet, and messages that no proper program makes: each gets a reply, the program lives,
nothing is stored half, and what was taken comes back over IMAP with its octets."""
import re
import resource
import sys
import tempfile
import time
import unittest

import imaplib

from gateway import Gateway, message
from wire import Connection

imaplib._MAXLINE = 20_000_000


class Gone(unittest.TestCase):
    def test_a_client_that_is_gone_after_any_octet_leaves_nothing_half_behind(self):
        with Gateway(sections={"smtp": 'xclient = ["127.0.0.0/8"]\ngreet_delay = "0s"'}) as gateway:
            sent = {}
            whole = 0        # octets up to and with the line of the dot
            cut = 0
            while True:
                text = message(subject=f"cut {cut}", body="One.\r\n..Two.\r\n")
                session = [b"EHLO mail.sender.example\r\n", b"MAIL FROM:<you@sender.example>\r\n",
                           b"RCPT TO:<alice@example.test>\r\n", b"DATA\r\n", text.encode() + b".\r\n", b"QUIT\r\n"]
                whole = sum(map(len, session[:-1]))
                if cut > whole + len(session[-1]):
                    break
                if cut >= whole:
                    sent[f"cut {cut}"] = text.replace("\r\n..", "\r\n.").encode()
                self.cut_session(gateway, session, cut, reset=cut % 2 == 1 and cut < whole)
                cut += 1
            self.assertGreater(cut, 250)
            end = time.monotonic() + 30
            while gateway.json("status")["smtp"]["open"] > 0:
                self.assertLess(time.monotonic(), end, "a session did not end when its client was gone")
                time.sleep(0.05)
            stored = [m for name in ("INBOX", "Junk", "Quarantine") for m in gateway.folder(name)]
            got = {re.search(rb"Subject: (cut \d+)\r\n", m).group(1).decode(): m[m.index(b"From: you@"):] for m in stored}
            self.assertEqual(len(stored), len(got), "a message is there twice")
            self.assertEqual(got, sent)
            self.assertEqual(gateway.send(message(subject="alive"))[0], 250)

    @staticmethod
    def cut_session(gateway, session, cut, reset):
        """Plays the session until `cut` octets are sent, waiting for each reply but the last."""
        connection = Connection(gateway.ports["smtp"])
        connection.reply()
        assert connection.ask("XCLIENT ADDR=198.51.100.7").startswith("220")
        for piece in session:
            connection.send(piece[:cut])
            if cut <= len(piece):
                break
            cut -= len(piece)
            connection.reply()
        if reset:
            connection.reset()
        else:
            connection.socket.close()


def nested(depth):
    head, tail = "", ""
    for level in range(depth):
        head += f"Content-Type: multipart/mixed; boundary=\"b{level}\"\r\n\r\n--b{level}\r\n"
        tail = f"\r\n--b{level}--\r\n" + tail
    return head, "deepest\r\n" + tail


def embedded(depth):
    return "".join(f"Content-Type: message/rfc822\r\n\r\nSubject: level {n}\r\n" for n in range(depth)) + "\r\ndeepest\r\n"


def bad_messages():
    """name -> octets.  Each has the name as its subject."""
    def of(name, head=b"", body=b"body\r\n"):
        base = message(subject=name, body="").encode()
        return name, base[:-2] + head + b"\r\n" + body

    multipart = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_b\"\r\n"
    yield of("NULs", b"X-Nul: a\0b\r\n", b"a\0b\0\0\r\n\0\r\n")
    yield of("many headers", b"".join(b"X-%d: value\r\n" % n for n in range(100_000)))
    yield of("one long header", b"X-Long: " + b"word " * 200_000 + b"\r\n")
    yield of("a header of many folds", b"X-Folded: a\r\n" + b" folded\r\n" * 100_000)
    yield of("many parts", multipart, b"--=_b\r\n\r\nx\r\n" * 100_000 + b"--=_b--\r\n")
    yield of("many empty delimiters", multipart, b"--=_b\r\n" * 100_000)
    for depth in (30, 31, 1000):
        head, body = nested(depth)
        first, rest = head.split("\r\n\r\n", 1)
        yield of(f"{depth} deep", b"MIME-Version: 1.0\r\n" + first.encode() + b"\r\n", (rest + body).encode())
    first, rest = embedded(200).split("\r\n\r\n", 1)
    yield of("embedded 200 deep", first.encode() + b"\r\n", rest.encode())
    yield of("a line of 10 MB", body=b"x" * 10_000_000 + b"\r\n")
    yield of("a line of 10 MB in HTML", b"Content-Type: text/html\r\n", b"<a href=x>" * 1_000_000 + b"\r\n")
    yield of("truncated base64", multipart, b"--=_b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
             b"Content-Disposition: attachment; filename=\"a.pdf\"\r\n\r\nJVBERi0xLjQKJeLjz9MKMyAwIG9iag\r\nJVB=RR==E\r\nJ")
    yield of("base64 that is none", b"Content-Transfer-Encoding: base64\r\n", b"\x80\x81*?%=====\r\n" * 1000)
    yield of("quoted-printable that is none", b"Content-Transfer-Encoding: quoted-printable\r\n", b"=\r\n=X\r\n==\r\n=0\r\n=" * 1000 + b"\r\n")
    yield of("UTF-8 rubbish", b"X-Rubbish: \xff\xfe\x80 \xc3\x28 \xf5\x90\x80\x80\r\n"
             b"To: \"\xed\xa0\x80\" <\xff@\xc0\xaf.example>, =?utf-8?B?//79?= <a@b>\r\n", b"\xff\xfe\xc3\r\n" * 100)
    yield of("encoded words that are none", b"Comments: =?x?B?=?= =?utf-8?Q?=ZZ?= =?" + b"?" * 5000 + b"=\r\n")
    yield of("a charset that is none", b"Content-Type: text/plain; charset=\"\xff\\\"x-unknown-9\"\r\n", b"\xe4\xf6\r\n")
    yield of("a parameter of many pieces", b"Content-Type: text/plain;" + b"".join(b"\r\n n*%d=x;" % n for n in range(20_000)) + b" z=1\r\n")
    yield of("many addresses", b"Cc: " + b",\r\n ".join(b"a%d@b.example" % n for n in range(50_000)) + b"\r\n")
    yield of("open comments", b"Reply-To: " + b"(" * 50_000 + b"\r\n")
    yield of("no field at all", b"this is no field\r\n: neither\r\n \r\n")
    yield "an empty message", b""
    yield "only line ends", b"\r\n" * 1000
    yield "no header", b"\r\nSubject: no header\r\n"


class Messages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(sections={"smtp": 'xclient = ["127.0.0.0/8"]\ngreet_delay = "0s"'})

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()

    def setUp(self):
        self.pid = self.gateway.process.pid

    def tearDown(self):
        self.assertIsNone(self.gateway.process.poll(), self.gateway.log_text()[-3000:])

    def stored(self):
        """folder -> what FETCH gives for each message, as octets."""
        out = []
        client = self.gateway.imap()
        for folder in ("INBOX", "Junk", "Quarantine"):
            client.select(folder, readonly=True)
            status, data = client.search(None, "ALL")
            for number in data[0].split():
                status, data = client.fetch(number.decode(), "(BODY.PEEK[])")
                self.assertEqual(status, "OK")
                out.append(data[0][1])
                # What else readers ask for must answer, whatever it says.
                for items in ("(ENVELOPE BODYSTRUCTURE RFC822.SIZE)", "(BODY.PEEK[1] BODY.PEEK[1.MIME] BODY.PEEK[HEADER.FIELDS (SUBJECT)])"):
                    status, data = client.fetch(number.decode(), items)
                    self.assertEqual(status, "OK", data)
            for criterion in (("BODY", "deepest"), ("SUBJECT", "rubbish")):
                self.assertEqual(client.search(None, *criterion)[0], "OK")
        client.logout()
        return out

    def test_messages_that_no_proper_program_makes_are_answered_and_come_back_unchanged(self):
        taken = {}
        slowest = ("", 0.0)
        for name, octets in bad_messages():
            with self.subTest(name), Connection(self.gateway.ports["smtp"], timeout=60) as client:
                client.reply()
                client.ask("XCLIENT ADDR=198.51.100.7 HELO=mail.sender.example")
                for command in ("EHLO mail.sender.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<alice@example.test>", "DATA"):
                    self.assertIn(client.ask(command)[0], "23")
                began = time.monotonic()
                stuffed = re.sub(rb"(?m)^\.", b"..", octets)
                client.send(stuffed + (b"" if stuffed.endswith(b"\r\n") or not stuffed else b"\r\n") + b".\r\n")
                reply = client.reply()
                slowest = max(slowest, (name, time.monotonic() - began), key=lambda pair: pair[1])
                print(f"{name}: {reply}", flush=True)
                self.assertRegex(reply, r"^(250 2|45[012] 4|55[0-4] 5)\.\d\.\d ")
                if reply.startswith("250"):
                    taken[reply.split()[-1]] = (name, octets)
                self.assertTrue(client.ask("NOOP").startswith("250"))
        print(f"slowest: {slowest[0]}, {slowest[1]:.2f} s", flush=True)
        stored = self.stored()
        self.assertEqual(len(stored), len(taken))
        for case, (name, octets) in taken.items():
            with self.subTest(name):
                wanted = octets if octets.endswith(b"\r\n") or not octets else octets + b"\r\n"
                # RFC 3501 has no NUL: BODY[] shows it as another octet.
                wanted = wanted.replace(b"\0", b"\x80")
                found = [m for m in stored if f"id={case}\r\n".encode() in m[:4000]]
                self.assertEqual(len(found), 1)
                self.assertTrue(found[0].endswith(wanted), (found[0][:3000], wanted[:1000]))
                prefix = found[0][:len(found[0]) - len(wanted)]
                self.assertTrue(prefix.startswith(b"Return-Path: <you@sender.example>\r\n"))
                self.assertTrue(prefix.endswith(b"\r\n"))

    def test_rubbish_in_the_envelope_is_answered_and_forges_no_field(self):
        rubbish = (b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\x01\x1b[2J", b"a" * 3000, b"<>", b"\"\\\"", b"\xe2\x80\xae", b"a,b;c")
        for utf8 in (b"", b" SMTPUTF8"):
            for octets in rubbish:
                with self.subTest(octets[:20]), Connection(self.gateway.ports["smtp"]) as client:
                    client.reply()
                    client.ask(b"XCLIENT ADDR=198.51.100.7")
                    self.assertRegex(client.ask(b"EHLO " + octets + b".example"), r"^(250-|501 )")
                    client.ask(b"EHLO mail.sender.example")
                    self.assertRegex(client.ask(b"MAIL FROM:<" + octets + b"@sender.example>" + utf8), r"^(250|50[0-4]|55[0-5]) ")
                    client.ask(b"RSET")
                    self.assertRegex(client.ask(b"MAIL FROM:<you@" + octets + b".example>" + utf8), r"^(250|45[01]|50[0-4]|55[0-5]) ")
                    client.ask(b"RSET")
                    self.assertRegex(client.ask(b"MAIL FROM:<you@sender.example>" + utf8), r"^250 ")
                    self.assertRegex(client.ask(b"RCPT TO:<" + octets + b"@example.test>"), r"^(50[0-4]|55[0-3]) ")
                    self.assertRegex(client.ask(b"RCPT TO:<alice+" + octets + b"@example.test>"), r"^(250|50[0-4]|55[0-3]) ")
                    self.assertRegex(client.ask(b"VRFY " + octets), r"^(252|50[0-4]) ")
        self.assertEqual(self.gateway.send(message(subject="still here"), to="bob@example.test")[0], 250)

    def test_a_helo_of_rubbish_reaches_the_fields_only_as_text(self):
        for octets in (b"\xff\xfe", b"\xff\xfe.example", b"\xc3\xa4" * 120 + b"\xc3", b"a\x1b[2J.example", b"a;spf=pass", b"\xc3\xa4.example", b"x" * 250):
            with self.subTest(octets), Connection(self.gateway.ports["smtp"]) as client:
                client.reply()
                client.ask(b"XCLIENT ADDR=198.51.100.7")
                if not client.ask(b"EHLO " + octets).startswith("250"):
                    continue
                client.ask("MAIL FROM:<>")
                client.ask("RCPT TO:<bob@example.test>")
                client.ask("DATA")
                self.assertRegex(client.ask(message(subject="rubbish helo") + "."), r"^250 ")
        for folder in ("INBOX", "Junk", "Quarantine"):
            for octets in self.gateway.folder(folder, "bob@example.test"):
                fields = octets[:octets.index(b"From: you@")]
                fields.decode("utf-8")
                self.assertNotRegex(fields, rb"[\0-\x08\x0b\x0c\x0e-\x1f\x7f]")
                self.assertNotRegex(fields, rb"(?m)^\s*spf=pass")
                for line in fields.split(b"\r\n"):
                    self.assertLessEqual(len(line), 998)

    def test_command_lines_of_10_mb_and_with_nuls_are_answered(self):
        with Connection(self.gateway.ports["smtp"], timeout=60) as client:
            client.reply()
            self.assertRegex(client.ask(b"EHLO " + b"x" * 10_000_000), r"^500 ")
            self.assertRegex(client.ask(b"EHLO a\0b"), r"^50[01] ")
            self.assertRegex(client.ask(b"\0" * 100), r"^500 ")
            self.assertRegex(client.ask(b"EHLO client.example"), r"^250-")


class Budget(unittest.TestCase):
    RULES = {"10-read.lua": '''rule "reads" {
  on = "message", about = "Reads what takes long to make, then works a little.",
  check = function(mail)
    local sum = #mail.links + #mail.text + #mail.attachments
    for i = 1, mail.subject == "busy" and 1e9 or 1e4 do sum = sum + i end
  end,
}
'''}

    def test_links_that_are_none_are_looked_for_in_little_time(self):
        """A megabyte each; what is quadratic here stops an event loop for minutes."""
        with tempfile.TemporaryDirectory() as nothing:
            gateway = Gateway(rules=nothing, rule_files=self.RULES, antivirus=False, users=(), start=False, sections={"antivirus": "scanners = 0"})
        with gateway:
            for piece, html in (("awww.", False), (")", False), ("://", False), ("<", True), ("<a ", True), ("<a href=x>", True), ("<a href='", True)):
                with self.subTest(piece):
                    body = ("http://" if piece == ")" else "") + piece * (1_000_000 // len(piece))
                    with open(gateway.path("m.eml"), "w", newline="") as f:
                        f.write(message(body=body + "\r\n", extra="Content-Type: text/html\r\n" if html else ""))
                    before = resource.getrusage(resource.RUSAGE_CHILDREN)
                    gateway.command("explain", gateway.path("m.eml"), check=True)
                    after = resource.getrusage(resource.RUSAGE_CHILDREN)
                    self.assertLess(after.ru_utime - before.ru_utime, 2.0)

    def test_a_header_of_one_token_is_read_in_little_time(self):
        with tempfile.TemporaryDirectory() as nothing:
            gateway = Gateway(rules=nothing, rule_files=self.RULES, antivirus=False, users=(), start=False, sections={"antivirus": "scanners = 0"})
        megabyte = 1_000_000
        fields = [(b"From: a@", token) for token in (b":", b"@", b"<", b"(", b"\"", b"x:\r\n ", b",", b"=?", b"[")]
        fields += [(b"Subject: ", token) for token in (b"=?", b"=?x?q?", b"=?utf-8?q?a?=", b"\xcc\xa3\xcc\x81", b"\xff")]
        fields += [(b"Content-Type: text/plain", token) for token in (b";a=b", b";name*5=x", b";", b"(", b"\"")]
        fields += [(b"Content-Disposition: attachment", token) for token in (b";filename*0*=a'", b";a")]
        fields += [(b"Content-Transfer-Encoding: ", token) for token in (b"'", b"(")]
        bodies = [(b"Content-Type: text/plain; charset=tcvn\r\n\r\n", b"\xb4\xb0"), (b"Content-Type: text/html\r\n\r\n", b"<!----!>"),
                  (b"Content-Type: text/html\r\n\r\n", b"\xef\xbb\xbf")]
        with gateway:
            for begin, token in fields + bodies:
                with self.subTest(begin=begin, token=token):
                    with open(gateway.path("m.eml"), "wb") as f:
                        f.write(begin + token * (megabyte // len(token)) + b"\r\n\r\nbody\r\n")
                    before = resource.getrusage(resource.RUSAGE_CHILDREN)
                    gateway.command("explain", gateway.path("m.eml"), check=True)
                    after = resource.getrusage(resource.RUSAGE_CHILDREN)
                    self.assertLess(after.ru_utime - before.ru_utime, 2.0)

    def test_the_time_that_decoding_takes_is_charged_to_no_rule(self):
        with tempfile.TemporaryDirectory() as nothing:
            gateway = Gateway(rules=nothing, rule_files=self.RULES, antivirus=False,
                              sections={"antivirus": "scanners = 0", "budgets": 'cpu = "10ms"'})
        with gateway:
            links = message(subject="large", body="<a href=x>" * 200_000 + "\r\n", extra="Content-Type: text/html\r\n")
            code, text = gateway.send(links)
            self.assertEqual(code, 250, f"{text}\n{gateway.log_text()[-1500:]}")
            code, text = gateway.send(message(subject="busy"))
            self.assertEqual(code, 451, text)
            self.assertIn("CPU budget of 10 ms spent", gateway.log_text())


if __name__ == "__main__":
    sys.exit(unittest.main())
