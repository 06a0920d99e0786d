"""The digest and its links: the real program, a browser's requests by curl over TLS, releases by mail, first passwords."""
import email
import email.policy
import os
import re
import socket
import ssl
import subprocess
import time
import unittest

from gateway import EICAR, GTUBE, Gateway, free_ports, insecure, message, with_attachment
from mail_host import MailHost

ALICE, BOB = "alice@example.test", "bob@example.test"
PORT = free_ports(("links",))["links"]
URL = f"https://localhost:{PORT}"


def new_gateway(**more):
    sections = {"listen": f'links = ["127.0.0.1:{PORT}"]', "digest": 'valid = "3d"', **more.pop("sections", {})}
    config = f'public_url = "{URL}"\n' + more.pop("config", "")
    return Gateway(sections=sections, config=config, **more)


class Base(unittest.TestCase):
    options = {}

    @classmethod
    def setUpClass(cls):
        cls.gateway = new_gateway(**cls.options)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()

    def hold(self, subject, body=GTUBE, to=ALICE):
        code, text = self.gateway.send(message(subject=subject, body=body), to=to)
        self.assertEqual(code, 250, text)

    def subjects(self, folder, user=ALICE):
        return [email.message_from_bytes(octets, policy=email.policy.default)["Subject"] for octets in self.gateway.folder(folder, user)]

    def digest(self, user=ALICE):
        """Sent now; the newest mail in INBOX."""
        self.gateway.command("quarantine", "digest", user, "--now", check=True)
        return email.message_from_bytes(self.gateway.folder("INBOX", user)[-1], policy=email.policy.default)

    def offers(self, mail):
        """subject -> (link, address)."""
        text = mail.get_body(("plain",)).get_content()
        out = {}
        for block in re.split(r"\n(?=\d+\. )", text)[1:]:
            out[re.match(r"\d+\. (.*)", block).group(1).strip()] = (re.search(r"https://\S+", block).group(), re.search(r"release-\S+@\S+", block).group())
        return out

    def curl(self, url, *arguments):
        """(status, head, body); the certificate is checked."""
        done = subprocess.run(["curl", "-sS", "--max-time", "20", "--cacert", self.gateway.path("tls.crt"), "-D", "-", *arguments, url], capture_output=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        return int(head.split()[1]), head.decode(), body.decode()

    def reply(self, address, sender="anybody@sender.example"):
        return self.gateway.send(message(subject="Re: release", to="somebody"), to=address, sender=sender)

    def raw(self, octets, tls=True, timeout=20):
        """What comes back on a connection for these octets."""
        with socket.create_connection(("127.0.0.1", PORT), timeout=timeout) as plain:
            with insecure().wrap_socket(plain) if tls else plain as connection:
                connection.sendall(octets)
                out = b""
                try:
                    while piece := connection.recv(65536):
                        out += piece
                except (ConnectionResetError, ssl.SSLError):
                    pass
                return out


class Digest(Base):
    def test_a_link_shows_with_get_and_releases_with_post(self):
        self.hold("gtube link")
        mail = self.digest()
        self.assertEqual(mail["Auto-Submitted"], "auto-generated")
        self.assertEqual(mail.get_content_type(), "multipart/alternative")
        link, address = self.offers(mail)["gtube link"]
        self.assertTrue(link.startswith(URL + "/release/"))
        self.assertIn(link, mail.get_body(("html",)).get_content())
        self.assertIn("mailto:" + address, mail.get_body(("html",)).get_content())
        for _ in range(2):
            status, head, body = self.curl(link)
            self.assertEqual(status, 200)
            self.assertIn("gtube link", body)
            self.assertRegex(head, r"(?i)content-security-policy: default-src 'none'.*frame-ancestors 'none'")
            self.assertRegex(head, r"(?i)cache-control: no-store")
            self.assertRegex(head, r"(?i)referrer-policy: no-referrer")
        status, _, _ = self.curl(link, "-I")
        self.assertEqual(status, 200)
        self.assertIn("gtube link", self.subjects("Quarantine"))
        client = self.gateway.imap(ALICE)
        client.select("INBOX")
        status, _, body = self.curl(link, "--data", "do=yes")
        self.assertEqual((status, "Released" in body), (200, True))
        client.noop()
        _, found = client.search(None, "SUBJECT", '"gtube link"')
        self.assertEqual(len(found[0].split()), 1)
        client.logout()
        self.assertNotIn("gtube link", self.subjects("Quarantine"))
        status, _, body = self.curl(link, "--data", "do=yes")
        self.assertEqual((status, "Nothing to release" in body), (200, True))
        self.assertEqual(self.subjects("INBOX").count("gtube link"), 1)
        self.assertRegex(self.gateway.log_text(), r"event=quarantine.link action=release by=link ip=127.0.0.1 user=alice@example.test message=\S+ class=spam outcome=released")

    def test_a_mail_to_the_address_releases_and_is_gone(self):
        self.hold("gtube mail")
        _, address = self.offers(self.digest())["gtube mail"]
        with self.gateway.smtp() as smtp:   # who only asks whether the address exists
            smtp.mail("x@sender.example")
            self.assertEqual(smtp.rcpt(address)[0], 250)
        self.assertIn("gtube mail", self.subjects("Quarantine"))
        before = len(self.subjects("INBOX"))
        code, text = self.reply(address)
        self.assertEqual((code, text), (250, "2.0.0 Released"))
        self.assertEqual(len(self.subjects("INBOX")), before + 1)
        self.assertIn("gtube mail", self.subjects("INBOX"))
        self.assertEqual(self.reply(address), (250, "2.0.0 There was nothing to release any more"))
        self.assertEqual(self.reply(address.upper())[0], 250)   # as some mailers write it
        code, text = self.gateway.submit(message(sender=ALICE, to="r@example.test"), address, user=ALICE)
        self.assertEqual(code, 250, text)
        self.assertRegex(self.gateway.log_text(), r"event=quarantine.link action=release by=mail ip=198.51.100.7 user=alice@example.test")

    def test_wrong_tokens_release_nothing(self):
        self.hold("gtube wrong")
        link, address = self.offers(self.digest())["gtube wrong"]
        for at in (-1, -20, len(URL) + 12):
            letters = list(link)
            letters[at] = "a" if letters[at] != "a" else "b"
            status, _, _ = self.curl("".join(letters), "--data", "do=yes")
            self.assertEqual(status, 404)
        local, domain = address.split("@")
        code, text = self.reply(f"{local[:-1]}{'a' if local[-1] != 'a' else 'b'}@{domain}")
        self.assertEqual(code, 550)
        self.assertIn("was not made here", text)
        self.assertEqual(self.curl(URL + "/release/")[0], 404)
        self.assertEqual(self.curl(URL + "/password/" + link.rsplit("/", 1)[1])[0], 404)
        self.assertIn("gtube wrong", self.subjects("Quarantine"))

    def test_the_listener_serves_nothing_else(self):
        for path in ("/", "/metrics", "/healthz", "/release", "/favicon.ico", "/admin", "/%2e%2e/etc/passwd"):
            self.assertEqual(self.curl(URL + path)[0], 404, path)
        self.hold("gtube methods")
        link, _ = self.offers(self.digest())["gtube methods"]
        for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
            self.assertEqual(self.curl(link, "-X", method)[0], 405, method)
        self.assertIn("gtube methods", self.subjects("Quarantine"))
        admin = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{self.gateway.ports['admin']}/release/x"], capture_output=True, text=True)
        self.assertEqual(admin.stdout, "404")

    def test_a_virus_is_never_offered(self):
        code, text = self.gateway.send(with_attachment(EICAR.encode()), to=BOB)
        self.assertEqual(code, 250, text)
        self.assertEqual(len(self.gateway.folder("Quarantine", BOB)), 1)
        self.assertIn("Nothing is new", self.gateway.command("quarantine", "digest", BOB, "--now", check=True).stdout)
        self.hold("gtube beside", to=BOB)
        self.assertEqual(list(self.offers(self.digest(BOB))), ["gtube beside"])

    def test_print_shows_and_sends_nothing(self):
        self.hold("gtube print", to=BOB)
        before = len(self.subjects("INBOX", BOB))
        shown = self.gateway.command("quarantine", "digest", BOB, check=True).stdout
        self.assertIn("gtube print", shown)
        self.assertEqual(len(self.subjects("INBOX", BOB)), before)
        self.assertIn("gtube print", self.offers(self.digest(BOB)))
        self.assertEqual(self.gateway.json("quarantine", "digest", BOB)["new"], 0)
        for user, words in (("nobody@example.test", "no such user"), ("nobody@elsewhere.example", "none of our domains"), ("nobody", "no '@'")):
            refused = self.gateway.command("quarantine", "digest", user)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(words, refused.stderr)

    def test_tokens_are_in_no_log_and_no_trace(self):
        self.hold("gtube secret")
        link, address = self.offers(self.digest())["gtube secret"]
        invitation = self.gateway.json("user", "invite", BOB)["link"]
        self.curl(link)
        self.curl(link[:-1] + "a")
        self.curl(invitation)
        self.reply(address)
        self.gateway.send(message(), to=[address, ALICE])
        self.gateway.send(message(), to=[address, "nobody@elsewhere.example"])
        log = self.gateway.log_text().lower()
        for secret in (link, invitation, address):
            token = secret.rsplit("/", 1)[-1].split("@")[0].removeprefix("release-")
            self.assertGreater(len(token), 30)
            self.assertNotIn(token[:30], log)
        self.gateway.stop()   # what is on disk besides bodies
        try:
            rows = subprocess.run(["grep", "-rlai", "-e", "release-" + address.split("@")[0][8:40], self.gateway.path("data")], capture_output=True, text=True).stdout
            for line in rows.split():
                self.assertIn("segment", line)
        finally:
            self.gateway.start()

    def test_tokens_outlive_a_restart_and_kill(self):
        self.hold("gtube restart")
        link, _ = self.offers(self.digest())["gtube restart"]
        self.gateway.stop(9)
        self.gateway.start()
        self.assertEqual(self.gateway.json("quarantine", "digest", ALICE)["new"], 0)
        self.assertEqual(self.curl(link)[0], 200)
        self.assertIn("Released", self.curl(link, "--data", "do=yes")[2])

    def test_whenever_the_program_is_killed_each_message_stands_in_one_digest(self):
        subjects = [f"gtube kill {number}" for number in range(6)]
        for number, subject in enumerate(subjects):
            self.hold(subject, to=BOB)
            command = subprocess.Popen([self.gateway.program, "--config", self.gateway.path("postern.toml"), "quarantine", "digest", BOB, "--now"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.02 * number)
            self.gateway.stop(9)
            command.wait(60)
            self.gateway.start()
        self.gateway.command("quarantine", "digest", BOB, "--now", check=True)
        mails = [email.message_from_bytes(octets, policy=email.policy.default) for octets in self.gateway.folder("INBOX", BOB)]
        told = [subject for mail in mails if mail["Auto-Submitted"] for subject in self.offers(mail)]
        for subject in subjects:
            self.assertEqual(told.count(subject), 1, told)

    def test_who_is_invited_sets_his_password_once(self):
        self.gateway.command("user", "add", "carol@example.test", "--password-stdin", input="first password\n", check=True)
        link = self.gateway.command("user", "invite", "carol@example.test", check=True).stdout.strip()
        status, _, body = self.curl(link)
        self.assertEqual((status, "carol@example.test" in body), (200, True))
        self.assertEqual(self.curl(link, "--data-urlencode", "password=one one one", "--data-urlencode", "again=two two two")[0], 422)
        self.gateway.imap("carol@example.test", "first password").logout()
        status, _, body = self.curl(link, "--data-urlencode", "password=mật khẩu mới", "--data-urlencode", "again=mật khẩu mới")
        self.assertEqual((status, "Your password is set" in body), (200, True))
        client = self.gateway.imap("alice@example.test")
        client.logout()
        with self.assertRaises(Exception):
            self.gateway.imap("carol@example.test", "first password")
        self.assertEqual(self.curl(link, "--data", "password=another one&again=another one")[0], 410)
        self.assertRegex(self.gateway.log_text(), r"event=user.password user=carol@example.test by=link ip=127.0.0.1")
        self.assertNotIn("khẩu", self.gateway.log_text())
        self.gateway.command("user", "set", "carol@example.test", "--no-password", check=True)
        self.assertEqual(self.curl(link, "--data", "password=another one&again=another one")[0], 410)   # nor when it is taken away
        second = self.gateway.command("user", "invite", "carol@example.test", check=True).stdout.strip()
        self.assertEqual(self.curl(second, "--data", "password=another one&again=another one")[0], 200)
        self.gateway.command("user", "set", "carol@example.test", "--no-password", check=True)
        self.assertEqual(self.curl(second, "--data", "password=a third one&again=a third one")[0], 410)
        refused = self.gateway.command("user", "invite", "carol@example.test", "--send")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("is the mailbox that the password opens", refused.stderr)
        self.gateway.command("user", "invite", "carol@example.test", "--to", ALICE, check=True)
        mail = email.message_from_bytes(self.gateway.folder("INBOX")[-1], policy=email.policy.default)
        self.assertIn("carol@example.test", mail["Subject"])
        self.assertEqual(self.curl(re.search(r"https://\S+", mail.get_content()).group())[0], 200)
        self.assertIn("no such user", self.gateway.command("user", "invite", "nobody@example.test").stderr)


class Schedule(Base):
    # Every minute: the test need not wait for long.
    options = {"config": 'language = "vi"', "sections": {"digest": "at = [" + ", ".join(f'"{h:02}:{m:02}"' for h in range(24) for m in range(60)) + "]"}}

    def test_the_digest_comes_by_itself_in_the_language_of_the_configuration(self):
        self.hold("gtube timed")
        self.gateway.wait_log("event=digest.sent", timeout=90)
        mails = [m for m in (email.message_from_bytes(o, policy=email.policy.default) for o in self.gateway.folder("INBOX")) if m["Auto-Submitted"]]
        self.assertEqual(len(mails), 1)
        self.assertEqual(mails[0]["Subject"], "1 thư mới trong khu cách ly của bạn")
        self.assertIn("Cho qua", mails[0].get_body(("plain",)).get_content())
        self.assertIn("Cho thư này qua", self.curl(self.offers(mails[0])["gtube timed"][0])[2])


class BadInput(Base):
    def alive(self):
        self.assertEqual(self.curl(URL + "/")[0], 404)

    def test_broken_requests_are_refused_and_the_next_visitor_is_served(self):
        for octets, status in ((b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000, b"431"), (b"GET /" + b"a" * 4000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"414"),
                               (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n", b"431"), (b"\x00\xff\r\n\r\n", b"400"), (b"GET / HTTP/9.9\r\n\r\n", b"505"),
                               (b"POST /release/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n", b"413"),
                               (b"POST /release/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", b"501"),
                               (b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n", b"404")):
            answer = self.raw(octets)
            self.assertTrue(answer.startswith(b"HTTP/1.1 " + status), (octets[:60], answer[:60]))
            self.assertIn(b"no-store", answer)
        for octets in (b"", b"GET", b"GET / HTTP/1.1\r\nHo", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nhalf"):
            with socket.create_connection(("127.0.0.1", PORT), timeout=20) as plain:
                with insecure().wrap_socket(plain) as connection:
                    connection.sendall(octets)
        self.raw(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", tls=False)   # to the port of TLS
        self.raw(os.urandom(5000), tls=False)
        self.alive()

    def test_slow_visitors_are_sent_away_and_hold_up_nobody(self):
        slow = [socket.create_connection(("127.0.0.1", PORT), timeout=30) for _ in range(10)]
        wrapped = [insecure().wrap_socket(each) for each in slow[:5]]   # the others do not even begin with TLS
        begin = time.monotonic()
        ended = set()
        while len(ended) < len(wrapped) and time.monotonic() - begin < 60:   # each is given ten seconds
            for number, each in enumerate(wrapped):
                if number in ended:
                    continue
                try:
                    each.sendall(b"x")
                    each.settimeout(0.01)
                    if each.recv(100):
                        ended.add(number)
                except (TimeoutError, ssl.SSLWantReadError):
                    pass
                except OSError:
                    ended.add(number)
            self.alive()
            time.sleep(0.3)
        self.assertEqual(len(ended), len(wrapped))
        for each in wrapped + slow[5:]:
            each.close()

    def test_thousands_of_wrong_tokens_are_counted_and_the_rest_goes_on(self):
        self.hold("gtube meanwhile")
        link, address = self.offers(self.digest())["gtube meanwhile"]
        context = insecure()
        answers = []
        for number in range(3000):
            token = f"{number:05}".translate(str.maketrans("0123456789", "abcdefghij")) + "a" * 40
            try:
                with socket.create_connection(("127.0.0.1", PORT), timeout=20, source_address=("127.0.0.2", 0)) as plain, context.wrap_socket(plain) as connection:
                    connection.sendall(f"POST /release/{token} HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\ndo=yes".encode())
                    answers.append(connection.recv(100).split()[1])
            except OSError:   # more than 600 a minute: no handshake for them
                answers.append(b"closed")
        self.assertEqual(set(answers), {b"404", b"429", b"closed"})
        self.assertEqual(answers.count(b"404"), 30)
        self.assertGreater(answers.count(b"closed"), 1000)
        self.assertIn("Released", self.curl(link, "--data", "do=yes")[2])
        with self.gateway.smtp() as smtp:
            smtp.mail("x@sender.example")
            codes = []
            for number in range(2000):
                code, _ = smtp.docmd(f"RCPT TO:<release-{'a' * 40}{'b' * (number % 20)}@example.test>")
                codes.append(code)
                if code != 550:
                    break
        self.assertLess(len(codes), 50)   # errors_per_session ended it
        self.assertEqual(self.reply(address)[0], 250)


class Behind(Base):
    """The users' mailboxes lie on another server; here is only their quarantine."""

    @classmethod
    def setUpClass(cls):
        cls.host = MailHost()
        cls.gateway = new_gateway(sections={'domains."corp.test"': f'deliver = "smtp://127.0.0.1:{cls.host.port}"\nlanguage = "vi"'})

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.host.close()

    def arrived(self, words):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            for got in list(self.host.got):
                data = got["data"] if isinstance(got["data"], bytes) else got["data"].encode()
                mail = email.message_from_bytes(data, policy=email.policy.default)
                if words in str(mail["Subject"]):
                    return mail
            time.sleep(0.05)
        raise AssertionError(f"nothing with {words!r} arrived: {self.host.got}")

    def test_an_invitation_a_digest_and_a_release_go_to_the_server_behind(self):
        dave = "dave@corp.test"
        told = self.gateway.command("user", "invite", dave, "--send", check=True).stdout
        self.assertIn(f"Sent to {dave}", told)
        invitation = self.arrived("Đặt mật khẩu")
        link = re.search(r"https://\S+", invitation.get_content()).group()
        self.assertEqual(self.curl(link, "--data-urlencode", "password=his own choice", "--data-urlencode", "again=his own choice")[0], 200)
        self.hold("gtube behind", to=dave)
        client = self.gateway.imap(dave, "his own choice")
        status, count = client.select("Quarantine")
        self.assertEqual((status, count), ("OK", [b"1"]))
        client.logout()
        self.gateway.command("quarantine", "digest", dave, "--now", check=True)
        mail = self.arrived("cách ly")
        self.assertEqual(mail["Auto-Submitted"], "auto-generated")
        _, address = self.offers(mail)["gtube behind"]
        self.assertTrue(address.endswith("@mx.example.test"))   # that server would look for a user of that name
        self.assertEqual(self.reply(address), (250, "2.0.0 Released"))
        released = self.arrived("gtube behind")
        self.assertIn("released from the quarantine", released.get_all("X-Postern-Why"))


class Configuration(unittest.TestCase):
    def test_links_without_public_url_are_a_mistake_and_check_says_so(self):
        with Gateway(users=(), start=False, sections={"listen": f'links = ["127.0.0.1:{PORT}"]'}) as gateway:
            done = gateway.command("check")
            self.assertEqual(done.returncode, 2)
            self.assertIn("links in [listen] needs public_url", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
