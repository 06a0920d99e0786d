"""Mailing lists with the real program: members here and outside, moderation by moving in a mail client, requests by mail,
bounces that count, loops, DMARC, and kill -9 behind a 250."""
import email
import email.utils
import re
import signal
import subprocess
import unittest

import dkim_judges
from dkim_sign import Signer
from dns_server import DnsServer
from gateway import GTUBE, PASSWORD, Gateway, free_ports, message, wait_for
from gateway import ZONE as GATEWAY_ZONE
from smtp_sink import Sink

HERE = "198.51.100.7"       # where SPF of the authors below allows mail from
ELSEWHERE = "203.0.113.9"
DKIM = Signer("ed25519")
ZONE = {
    "signed.example A": HERE, "signed.example MX": "10 mail.sender.example", "signed.example TXT": f"v=spf1 ip4:{HERE} -all",
    "_dmarc.signed.example TXT": "v=DMARC1; p=reject", "s1._domainkey.signed.example TXT": DKIM.record,
    "strict.example A": HERE, "strict.example MX": "10 mail.sender.example", "strict.example TXT": f"v=spf1 ip4:{HERE} -all",
    "_dmarc.strict.example TXT": "v=DMARC1; p=quarantine",
    "elsewhere.example A": ELSEWHERE, "elsewhere.example MX": "10 mail.elsewhere.example",
    "9.113.0.203.in-addr.arpa PTR": "mail.elsewhere.example", "mail.elsewhere.example A": ELSEWHERE,
}


class Base(unittest.TestCase):
    config, sections = "", {}

    @classmethod
    def setUpClass(cls):
        cls.sink = Sink(refused=("gone@far.example",))
        cls.addClassCleanup(cls.sink.close)
        cls.gateway = Gateway(users=("alice@example.test", "bob@example.test", "carl@example.test"), zone=ZONE, config=cls.config,
                              sections={'routes."*"': f'via = "smtp://127.0.0.1:{cls.sink.port}"', "queue": 'retry = ["1s", "2s"]', **cls.sections})
        cls.addClassCleanup(cls.gateway.close)

    def list(self, *arguments, check=True):
        return self.gateway.command("list", *arguments, check=check)

    def make(self, name, *members, owner="alice@example.test", settings=()):
        address = f"{name}@example.test"
        self.list("add", address, "--owner", owner, *settings)
        if members:
            self.list("subscribe", address, *members)
        return address

    def shown(self, address):
        return self.gateway.json_lines("list", "show", address)[0]

    def post(self, to, subject, sender="you@sender.example", **more):
        client = {name: more.pop(name) for name in ("ip", "helo") if name in more}
        text = more.pop("text", None) or message(subject=subject, sender=sender, to=to, **more)
        return self.gateway.send(text, to=to, sender=sender, **client)

    def must(self, answer, wanted=250):
        code, text = answer
        self.assertEqual(code, wanted, text)
        return text

    def mails(self, folder, user, subject):
        try:
            octets = self.gateway.folder(folder, user)
        except AssertionError:
            return []   # no such folder yet
        return [mail for mail in map(email.message_from_bytes, octets) if subject in str(mail["Subject"])]

    def mail(self, folder, user, subject):
        try:
            return wait_for(lambda: self.mails(folder, user, subject))[0]
        except AssertionError:
            raise AssertionError(f"{subject!r} never came to {folder} of {user}:\n{self.gateway.log_text()[-4000:]}") from None

    def at_sink(self, subject, to=None):
        """What came with this subject, as (sender, message)."""
        return [(mail.sender, email.message_from_bytes(mail.message)) for mail in self.sink.got
                if subject in str(email.message_from_bytes(mail.message)["Subject"]) and (to is None or to in mail.recipients)]

    def outside(self, subject, to):
        try:
            return wait_for(lambda: self.at_sink(subject, to))[0]
        except AssertionError:
            raise AssertionError(f"{subject!r} never came to {to}:\n{self.gateway.log_text()[-4000:]}") from None

    def move(self, user, subject, source, target):
        """The answer to MOVE of the message with this subject."""
        client = self.gateway.imap(user)
        try:
            self.assertEqual(client.select(f'"{source}"')[0], "OK")
            found = client.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
            self.assertEqual(len(found), 1, f"{subject} in {source}: {found}")
            client._simple_command("NOOP")
            return client._simple_command("MOVE", found[0].decode(), f'"{target}"')
        finally:
            client.logout()

    def quiet(self):
        """Nothing is on its way any more."""
        wait_for(lambda: not self.gateway.json_lines("queue", "list"))


class Posts(Base):
    def test_a_members_post_reaches_members_here_and_outside_under_the_lists_fields(self):
        team = self.make("team", "bob@example.test", "you@sender.example", "out@far.example", "quiet@far.example", settings=("--name", "Đội bóng"))
        self.list("subscribe", team, "quiet@far.example", "--no-mail")
        self.must(self.post(team, "first post", extra="List-Id: <other.example>\r\nDisposition-Notification-To: you@sender.example\r\n"))
        here = self.mail("INBOX", "bob@example.test", "first post")
        sender, there = self.outside("first post", "out@far.example")
        own_sender, _ = self.outside("first post", "you@sender.example")
        for mail in (here, there):
            self.assertEqual(mail["From"], "you@sender.example")
            self.assertEqual(mail["Subject"], "first post")
            self.assertEqual(mail["List-Id"].split()[-1], "<team.example.test>")
            self.assertEqual(str(email.header.make_header(email.header.decode_header(mail["List-Id"]))).split(" <")[0], "Đội bóng")
            self.assertEqual(mail.get_all("List-Id").__len__(), 1)
            self.assertEqual(mail["List-Post"], "<mailto:team@example.test>")
            self.assertEqual(mail["List-Unsubscribe"], "<mailto:team-unsubscribe@example.test>")
            self.assertEqual(mail["List-Owner"], "<mailto:team-owner@example.test>")
            self.assertEqual(mail["List-Help"], "<mailto:team-request@example.test?subject=help>")
            self.assertIsNone(mail["List-Subscribe"])          # it is closed
            self.assertIsNone(mail["List-Unsubscribe-Post"])   # there is no link to click
            self.assertIsNone(mail["Disposition-Notification-To"])
            self.assertEqual(mail["Precedence"], "list")
            self.assertEqual(mail["Sender"], "<team-bounces@example.test>")
            self.assertEqual(mail["Reply-To"], None)
            self.assertIn("team@example.test", mail.get_all("Delivered-To"))
            self.assertIn("spf=pass", mail["Authentication-Results"])
        self.assertEqual(here["Return-Path"], "<team-bounces@example.test>")
        self.assertRegex(sender, r"^team-bounces\+[A-Z2-7]{8}=[A-Z2-7]{2}=far\.example=out@example\.test$")
        self.assertNotEqual(sender, own_sender)
        self.quiet()
        self.assertEqual(len(self.at_sink("first post")), 2)
        self.assertEqual(len(self.mails("INBOX", "bob@example.test", "first post")), 1)

    def test_a_user_of_ours_posts_and_prefix_reply_to_and_archive_are_as_set(self):
        club = self.make("club", "bob@example.test", "carl@example.test", settings=("--prefix", "[club]", "--reply-to", "list", "--archive", "yes"))
        code, text = self.gateway.submit(message(subject="Re: [club] old", sender="bob@example.test", to=club), to=club, user="bob@example.test")
        self.assertEqual(code, 250, text)
        self.must(self.gateway.submit(message(subject="new one", sender="bob@example.test", to=club), to=club, user="bob@example.test"))
        self.assertEqual(self.mail("INBOX", "carl@example.test", "old")["Subject"], "Re: [club] old")
        mail = self.mail("INBOX", "carl@example.test", "new one")
        self.assertEqual(mail["Subject"], "[club] new one")
        self.assertEqual(mail["Reply-To"], "<club@example.test>")
        self.assertEqual(mail["From"], "bob@example.test")
        self.assertEqual(self.mail("Lists/club", "alice@example.test", "new one")["List-Id"], "<club.example.test>")

    def test_an_alias_a_forward_and_another_list_are_members_and_nobody_gets_it_twice(self):
        self.gateway.command("alias", "add", "both@example.test", "bob@example.test", "far@far.example", check=True)
        inner = self.make("inner", "carl@example.test", "bob@example.test", "you@sender.example")
        outer = self.make("outer", "both@example.test", "bob@example.test", "far@far.example", inner, "you@sender.example")
        self.must(self.post(outer, "to the outer list"))
        self.mail("INBOX", "carl@example.test", "to the outer list")
        self.outside("to the outer list", "far@far.example")
        self.quiet()
        self.assertEqual(len(self.at_sink("to the outer list", "far@far.example")), 1)
        carls = self.mail("INBOX", "carl@example.test", "to the outer list")
        self.assertEqual(carls["List-Id"], "<inner.example.test>")
        self.assertEqual({a for a in carls.get_all("Delivered-To") if a in (inner, outer)}, {inner, outer})

    def test_spam_and_what_a_machine_writes_never_reach_members(self):
        clean = self.make("clean", "bob@example.test", "you@sender.example", settings=("--post", "anyone"))
        self.must(self.post(clean, "buy this", body=GTUBE + "\r\n"))
        held = [row for row in self.gateway.json_lines("quarantine", "list") if row["subject"] == "buy this"]
        self.assertEqual([row["user"] for row in held], ["alice@example.test"])
        for extra in ("Auto-Submitted: auto-replied\r\n", "Delivered-To: clean@example.test\r\n", "List-Id: X <clean.example.test>\r\n"):
            self.must(self.post(clean, "in circles", extra=extra), 554)
        self.must(self.post(clean, "a bounce", sender=""), 550)
        # Beside another recipient, whose copy is good, the list's is held.
        self.must(self.gateway.send(message(subject="away until monday", extra="Auto-Submitted: auto-replied\r\n"), to=(clean, "carl@example.test")))
        self.mail("INBOX", "carl@example.test", "away until monday")
        self.quiet()
        for subject in ("buy this", "in circles", "a bounce", "away until monday"):
            self.assertEqual(self.mails("INBOX", "bob@example.test", subject), [])
        self.assertEqual(len(self.mails("Quarantine", "alice@example.test", "away until monday")), 1)

    def test_who_asked_for_it_hears_that_his_post_was_expanded(self):
        dsn = self.make("dsn", "bob@example.test", "you@sender.example")
        with self.gateway.smtp() as smtp:
            self.assertEqual(smtp.mail("you@sender.example", ["ENVID=abc"])[0], 250)
            self.assertEqual(smtp.rcpt(dsn, ["NOTIFY=SUCCESS"])[0], 250)
            self.assertEqual(smtp.data(message(subject="tell me"))[0], 250)
        report = wait_for(lambda: [m for _, m in self.at_sink("", "you@sender.example") if m.get_content_type() == "multipart/report"])[0]
        self.assertIn("Action: expanded", report.as_string())
        self.assertIn("dsn@example.test", report.as_string())


class Moderation(Base):
    def test_a_strangers_post_waits_and_one_move_sends_it_once(self):
        news = self.make("news", "bob@example.test", "out@far.example", settings=("--moderator", "alice@example.test", "--moderator", "carl@example.test"))
        self.must(self.post(news, "may I"))
        waiting = self.mail("Lists/news/Pending", "alice@example.test", "may I")
        self.assertIn("you@sender.example is no member", waiting.as_string())
        self.mail("INBOX", "alice@example.test", "A message to news@example.test waits for you")
        self.must(self.post(news, "may I too"))
        self.mail("Lists/news/Pending", "carl@example.test", "may I too")
        self.assertEqual(len(self.mails("INBOX", "carl@example.test", "waits for you")), 1)   # one notice for both
        self.assertEqual(self.mails("INBOX", "bob@example.test", "may I"), [])
        self.assertEqual(self.move("alice@example.test", "may I too", "Lists/news/Pending", "INBOX")[0], "NO")
        self.assertEqual(self.move("alice@example.test", "may I too", "Lists/news/Pending", "Lists/news/Approve")[0], "OK")
        self.outside("may I too", "out@far.example")
        mail = self.mail("INBOX", "bob@example.test", "may I too")
        self.assertNotIn("X-Postern-Why", mail)
        self.quiet()
        # It waits for the other no more; what it waits for there is left.
        wait_for(lambda: len(self.mails("Lists/news/Pending", "carl@example.test", "may I")) == 1)
        self.assertEqual(len(self.at_sink("may I too")), 1)
        self.assertEqual(len(self.mails("Lists/news/Approve", "alice@example.test", "may I too")), 1)
        self.assertEqual(self.move("alice@example.test", "may I too", "Lists/news/Approve", "INBOX")[0], "OK")   # it is an ordinary one now
        self.assertEqual(self.move("carl@example.test", "may I", "Lists/news/Pending", "Trash")[0], "OK")
        self.assertEqual(self.move("carl@example.test", "may I", "Trash", "Lists/news/Approve")[0], "OK")        # thrown away is thrown away
        self.quiet()
        self.assertEqual(self.at_sink("may I")[0][1]["Subject"], "may I too")
        self.assertEqual(len(self.at_sink("may I")), 1)

    def test_two_moderators_at_once_send_it_once(self):
        duo = self.make("duo", "out@far.example", settings=("--moderator", "alice@example.test", "--moderator", "carl@example.test"))
        subjects = [f"at once {i}" for i in range(5)]
        for subject in subjects:
            self.must(self.post(duo, subject))
        clients = {}
        for user in ("alice@example.test", "carl@example.test"):
            clients[user] = self.gateway.imap(user)
            self.assertEqual(clients[user].select('"Lists/duo/Pending"')[0], "OK")
        for client in clients.values():   # sent before either is answered
            client.send(b'x1 COPY 1:* "Lists/duo/Approve"\r\n')
        for client in clients.values():
            line = b""
            while not line.startswith(b"x1 "):
                line = client.readline()
            self.assertIn(line.split()[1], (b"OK", b"NO"))   # NO: the other was faster
            client.shutdown()
        for subject in subjects:
            self.outside(subject, "out@far.example")
        self.quiet()
        for subject in subjects:
            self.assertEqual(len(self.at_sink(subject)), 1)

    def test_a_forged_member_waits_whoever_may_write(self):
        for name, settings in (("friends", ()), ("public", ("--post", "anyone"))):
            address = self.make(name, "bob@example.test", "you@sender.example", settings=settings)
            self.must(self.gateway.send(message(subject=f"forged to {name}", sender="bob@example.test"), to=address, sender="x@elsewhere.example",
                                        ip=ELSEWHERE, helo="mail.elsewhere.example"))
            waiting = self.mail(f"Lists/{name}/Pending", "alice@example.test", f"forged to {name}")
            self.assertIn("nothing shows that bob@example.test wrote it", waiting.as_string())
        # Who is nobody's member may write to the second one, and by its rules alone.
        self.must(self.post("public@example.test", "from a stranger", sender="x@elsewhere.example", ip=ELSEWHERE, helo="mail.elsewhere.example"))
        self.mail("INBOX", "bob@example.test", "from a stranger")

    def test_a_post_that_would_reach_nobody_is_not_lost(self):
        empty = self.make("empty", "you@sender.example")
        self.list("subscribe", empty, "you@sender.example", "--no-mail")
        self.must(self.post(empty, "is anybody there"))
        waiting = self.mail("Lists/empty/Pending", "alice@example.test", "is anybody there")
        self.assertIn("nobody would get it", waiting.as_string())
        self.mail("INBOX", "alice@example.test", "A message to empty@example.test waits")
        self.list("subscribe", empty, "bob@example.test")
        self.assertEqual(self.move("alice@example.test", "is anybody there", "Lists/empty/Pending", "Lists/empty/Approve")[0], "OK")
        self.mail("INBOX", "bob@example.test", "is anybody there")

    def test_only_moderators_write_where_it_is_set_so(self):
        board = self.make("board", "bob@example.test", "you@sender.example", settings=("--post", "moderators"))
        self.must(self.post(board, "a member writes"))
        self.mail("Lists/board/Pending", "alice@example.test", "a member writes")
        self.must(self.gateway.submit(message(subject="the owner writes", sender="alice@example.test", to=board), to=board))
        self.assertEqual(self.mail("INBOX", "bob@example.test", "the owner writes")["List-Post"], "NO")


class Requests(Base):
    def members(self, address):
        return {member["address"] for member in self.shown(address)["members"]}

    def test_who_is_known_unsubscribes_with_one_mail(self):
        leave = self.make("leave", "bob@example.test", "you@sender.example")
        self.must(self.post("leave-unsubscribe@example.test", "whatever"))
        self.outside("You are unsubscribed from leave@example.test", "you@sender.example")
        self.assertEqual(self.members(leave), {"bob@example.test"})

    def test_who_is_not_known_confirms_it_and_nobody_else_can(self):
        sure = self.make("sure", "x@elsewhere.example", "you@sender.example")
        answer = dict(sender="x@elsewhere.example", ip=ELSEWHERE, helo="mail.elsewhere.example")
        self.must(self.post("sure-unsubscribe@example.test", "out", **answer))
        _, mail = self.outside("Please confirm: unsubscribe from sure@example.test", "x@elsewhere.example")
        token = email.utils.parseaddr(mail["From"])[1]
        self.assertEqual(self.members(sure), {"x@elsewhere.example", "you@sender.example"})
        self.must(self.post("sure-unsubscribe@example.test", "out", **answer))   # asked again: not answered again
        changed = token.replace("elsewhere", "elsewhera")
        for wrong in (changed, token.replace("unsubscribe", "subscribe"), token.replace("unsubscribe", "bounces")):
            self.must(self.post(wrong, "confirmed", **answer), 550)
        self.must(self.post(token, "confirmed", **answer))
        wait_for(lambda: self.members(sure) == {"you@sender.example"})
        self.assertEqual(len(self.at_sink("Please confirm: unsubscribe from sure@example.test")), 1)

    def test_an_open_list_takes_who_confirms(self):
        opened = self.make("opened", "bob@example.test", settings=("--subscription", "open"))
        self.must(self.post("opened-request@example.test", "subscribe"))
        sender, mail = self.outside("Please confirm: subscribe to opened@example.test", "you@sender.example")
        self.assertEqual(sender, "")
        self.assertEqual(mail["Auto-Submitted"], "auto-generated")
        self.assertEqual(self.members(opened), {"bob@example.test"})
        token = email.utils.parseaddr(mail["From"])[1]
        self.assertTrue(token.startswith("opened-subscribe+"), token)
        self.must(self.post(token, "Re: Please confirm", extra="Auto-Submitted: auto-replied\r\n"), 554)   # a machine confirms nothing
        self.must(self.post(token, "Re: Please confirm"))
        self.outside("You are subscribed to opened@example.test", "you@sender.example")
        self.assertEqual(self.members(opened), {"bob@example.test", "you@sender.example"})
        self.list("unsubscribe", opened, "you@sender.example")
        self.list("set", opened, "--subscription", "closed")
        self.must(self.post(token, "Re: Please confirm"))   # the token is older than the closing
        self.mail("INBOX", "alice@example.test", "you@sender.example asks for opened@example.test")
        self.assertEqual(self.members(opened), {"bob@example.test"})
        self.list("subscribe", opened, "you@sender.example")
        self.must(self.post("opened-request@example.test", "help"))
        self.assertIn("opened-unsubscribe@example.test", self.outside("About the mailing list opened@", "you@sender.example")[1].get_payload())

    def test_of_a_closed_list_the_owners_are_asked(self):
        closed = self.make("closed", "bob@example.test")
        self.must(self.post("closed-subscribe@example.test", "let me in"))
        mail = self.mail("INBOX", "alice@example.test", "you@sender.example asks for closed@example.test")
        self.assertIn("postern list subscribe closed@example.test 'you@sender.example'", mail.get_payload())   # to be pasted into a shell
        self.assertEqual(self.members(closed), {"bob@example.test"})
        self.must(self.post("closed-owner@example.test", "dear owner"))
        self.mail("INBOX", "alice@example.test", "dear owner")

    def test_what_is_no_address_of_a_list_is_refused_at_rcpt(self):
        self.make("known", "bob@example.test")
        for address in ("known-admin@example.test", "unknown-owner@example.test", "known-bounces+AAAAAAAA=AA=far.example=x@example.test",
                        "known-subscribe+nonsense@example.test"):
            self.must(self.post(address, "x"), 550)


class Bounces(Base):
    def test_bounces_are_counted_and_then_the_member_is_left_out(self):
        sad = self.make("sad", "bob@example.test", "gone@far.example", "you@sender.example", settings=("--bounces", "2"))
        self.must(self.post(sad, "comes back"))
        wait_for(lambda: [m for m in self.shown(sad)["members"] if m.get("bounces") == 1])
        self.must(self.post(sad, "comes back again"))   # on the same day: counted once
        wait_for(lambda: len(self.gateway.folder("Lists/sad/Bounces")) == 2)
        self.assertEqual([(m["address"], m["mail"]) for m in self.shown(sad)["members"] if "bounces" in m], [("gone@far.example", True)])
        self.list("set", sad, "--bounces", "1")
        once = self.make("once", "gone@far.example", "bob@example.test", "you@sender.example", settings=("--bounces", "1"))
        self.must(self.post(once, "only once"))
        mail = self.mail("INBOX", "alice@example.test", "gone@far.example gets once@example.test no more")
        self.assertIn("postern list subscribe once@example.test 'gone@far.example'", mail.get_payload())
        words = [m["suspended"] for m in self.shown(once)["members"] if "suspended" in m]
        self.assertEqual(len(words), 1)
        self.assertRegex(words[0], r"^his mail came back on 1 days, at last with \w+$")
        self.must(self.post(once, "without him"))
        self.mail("INBOX", "bob@example.test", "without him")
        self.quiet()
        self.assertEqual(len(self.gateway.folder("Lists/once/Bounces")), 1)
        self.list("subscribe", once, "gone@far.example")
        self.assertEqual([m for m in self.shown(once)["members"] if not m["mail"]], [])

    def test_a_report_from_elsewhere_counts_and_an_answer_of_a_machine_does_not(self):
        back = self.make("back", "out@far.example", "you@sender.example", settings=("--bounces", "1"))
        self.must(self.post(back, "sent out"))
        sender, _ = self.outside("sent out", "out@far.example")
        away = message(subject="I am away", sender="out@far.example", to=sender, extra="Auto-Submitted: auto-replied\r\n")
        self.must(self.gateway.send(away, to=sender, sender="", ip=ELSEWHERE, helo="mail.elsewhere.example"))
        self.mail("Lists/back/Bounces", "alice@example.test", "I am away")
        self.assertEqual([m for m in self.shown(back)["members"] if not m["mail"]], [])
        report = message(subject="Undelivered", sender="mailer-daemon@elsewhere.example", to=sender, extra=(
            'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n'), body=(
                "--b\r\nContent-Type: text/plain\r\n\r\nIt did not work.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
                "Reporting-MTA: dns; far.example\r\n\r\nFinal-Recipient: rfc822; out@far.example\r\nAction: failed\r\nStatus: 5.1.1\r\n--b--\r\n"))
        self.must(self.gateway.send(report, to=sender, sender="x@elsewhere.example", ip=ELSEWHERE, helo="mail.elsewhere.example"), 550)
        self.must(self.gateway.send(report, to=sender, sender="", ip=ELSEWHERE, helo="mail.elsewhere.example"))
        wait_for(lambda: [m for m in self.shown(back)["members"] if "suspended" in m and m["address"] == "out@far.example"])


class Dmarc(Base):
    def test_from_is_rewritten_only_where_the_authors_dmarc_demands_it(self):
        members = ("out@far.example", "you@sender.example", "you@strict.example", "you@signed.example")
        plain = self.make("plain", *members)
        marked = self.make("marked", *members, settings=("--prefix", "[marked]",))
        # No DMARC: as it is, whatever is changed.
        self.must(self.post(marked, "no policy"))
        self.assertEqual(self.outside("no policy", "out@far.example")[1]["From"], "you@sender.example")
        # Only SPF speaks for the author, which ends here.
        self.must(self.post(plain, "spf alone", sender="you@strict.example"))
        _, mail = self.outside("spf alone", "out@far.example")
        self.assertEqual(mail["From"], '"you via plain@example.test" <plain@example.test>')
        self.assertEqual(mail["Reply-To"], "you@strict.example")
        self.assertEqual(mail["X-Original-From"], "you@strict.example")
        # His signature still holds where nothing is changed that it seals.
        signed = DKIM.sign(message(subject="sealed", sender='"Ann B." <you@signed.example>'), "signed.example")
        self.must(self.post(plain, "sealed", sender="you@signed.example", text=signed))
        _, mail = self.outside("sealed", "out@far.example")
        self.assertEqual(mail["From"], '"Ann B." <you@signed.example>')
        raw = next(m.message for m in self.sink.got if b"Subject: sealed" in m.message and "out@far.example" in m.recipients)
        self.assertEqual(self.verdict(raw)["dmarc"]["result"], "pass")
        # The prefix breaks it.
        signed = DKIM.sign(message(subject="broken seal", sender='"Ann B." <you@signed.example>'), "signed.example")
        self.must(self.post(marked, "broken seal", sender="you@signed.example", text=signed))
        _, mail = self.outside("broken seal", "out@far.example")
        self.assertEqual(mail["From"], '"Ann B. via marked@example.test" <marked@example.test>')
        self.assertEqual(mail["Subject"], "[marked] broken seal")
        # A seal on a Sender that is not there: then there is none from us either.
        fields = ("From", "To", "Subject", "Date", "Message-ID", "Sender")
        text = message(subject="sealed sender", sender="you@signed.example", extra="Sender: you@signed.example\r\n")
        self.must(self.post(plain, "sealed sender", sender="you@signed.example", text=DKIM.sign(text, "signed.example", fields=fields)))
        _, mail = self.outside("sealed sender", "out@far.example")
        self.assertEqual((mail["From"], mail["Sender"]), ("you@signed.example", "you@signed.example"))

    def verdict(self, raw):
        """What a receiver elsewhere finds: SPF of nobody allows us."""
        path = self.gateway.path("received.eml")
        with open(path, "wb") as file:
            file.write(raw)
        return self.gateway.json("explain", path, "--ip", ELSEWHERE, "--helo", "mail.elsewhere.example", "--from", "x@elsewhere.example",
                                 "--rcpt", "bob@example.test")["facts"]


@unittest.skipIf(dkim_judges.missing(), f"no {dkim_judges.missing()} here")
class Signed(unittest.TestCase):
    def test_what_the_list_passes_on_is_signed_for_its_domain_and_verified_by_others(self):
        with Sink() as sink:
            base = "\n".join(f"{key} {value}" for key, value in dict(GATEWAY_ZONE, **ZONE).items())
            dns = DnsServer(base).start()
            self.addCleanup(dns.stop)
            with Gateway(dns=dns.port, sections={'routes."*"': f'via = "smtp://127.0.0.1:{sink.port}"'}) as gateway:
                records = {row["record"]["name"]: row["record"]["text"] for row in gateway.json_lines("dkim", "new", "example.test")}
                dns.replace(base + "".join(f"\n{name} TXT {text}" for name, text in records.items()))
                self.assertEqual({row["state"] for row in gateway.json_lines("dkim", "check", "example.test")}, {"active"})
                gateway.command("list", "add", "team@example.test", "--owner", "alice@example.test", check=True)
                gateway.command("list", "subscribe", "team@example.test", "alice@example.test", "out@far.example", "you@signed.example", "you@strict.example", check=True)
                posts = {"ours": ("alice@example.test", None), "rewritten": ("you@strict.example", "strict"), "theirs": ("you@signed.example", "signed")}
                for subject, (author, outside) in posts.items():
                    text = message(subject=f"signed {subject}", sender=author, to="team@example.test")
                    if outside == "signed":
                        text = DKIM.sign(text, "signed.example")
                    answer = gateway.send(text, to="team@example.test", sender=author) if outside else gateway.submit(text, to="team@example.test")
                    self.assertEqual(answer[0], 250, answer[1])
                    raw = wait_for(lambda: [m.message for m in sink.got if f"Subject: signed {subject}\r\n".encode() in m.message and "out@far.example" in m.recipients])[0]
                    fields = email.message_from_bytes(raw).get_all("DKIM-Signature")
                    self.assertEqual([re.search(r"d=([^;]+);", field).group(1) for field in fields], ["example.test"] * 2 + ["signed.example"] * (outside == "signed"))
                    self.assertIn("list-id", fields[0].lower())
                    known = dict(records, **{"s1._domainkey.signed.example": DKIM.record})
                    self.assertEqual(dkim_judges.dkimpy([raw], known), [["pass"] * len(fields)])


class Commands(Base):
    def test_what_cannot_work_is_refused_with_its_reason(self):
        one = self.make("one", "bob@example.test")
        two = self.make("two", one)
        self.gateway.command("alias", "add", "three@example.test", two, check=True)
        for arguments, words in ((("subscribe", one, one), "that would be a loop: one@example.test -> one@example.test"),
                                 (("subscribe", one, "three@example.test"), "one@example.test -> three@example.test -> two@example.test -> one@example.test"),
                                 (("subscribe", one, "nobody@example.test"), "no such user here"),
                                 (("add", one, "--owner", "alice@example.test"), "mailing list"),
                                 (("add", "bob@example.test", "--owner", "alice@example.test"), "is an account"),
                                 (("add", "one-owner@example.test", "--owner", "alice@example.test"), "an address of the list one@example.test"),
                                 (("add", "x@example.test"), "needs an owner"),
                                 (("add", "x@example.test", "--owner", "zoe@example.test"), "is no account here"),
                                 (("add", "x/y@example.test", "--owner", "alice@example.test"), "the name of a list has"),
                                 (("set", one, "--post", "everybody"), "anyone, members or moderators"),
                                 (("set", one, "--archive", "perhaps"), "neither yes nor no"),
                                 (("set", one, "--prefix", "x" * 41), "at most 40"),
                                 (("unsubscribe", one, "carl@example.test"), "is no member"),
                                 (("remove", one), "named by the list two@example.test"),
                                 (("show", "zzz@example.test"), "no such mailing list")):
            done = self.list(*arguments, check=False)
            self.assertEqual(done.returncode, 1, f"{arguments}: {done.stdout}{done.stderr}")
            self.assertIn(words, done.stderr)
        for arguments, words in ((("user", "add", "one-request@example.test", "--password-stdin"), "an address of the list one@example.test"),
                                 (("user", "remove", "alice@example.test"), "list one@example.test"),
                                 (("alias", "add", "one@example.test", "bob@example.test"), "a mailing list")):
            done = self.gateway.command(*arguments, input=PASSWORD + "\n")
            self.assertEqual(done.returncode, 1, f"{arguments}: {done.stdout}{done.stderr}")
            self.assertIn(words, done.stderr)

    def test_lists_are_made_without_a_server_and_kept(self):
        with Gateway(start=False) as gateway:
            gateway.command("list", "add", "early@example.test", "--owner", "alice@example.test", "--name", "Early", "--post", "anyone", check=True)
            gateway.command("list", "subscribe", "early@example.test", "bob@example.test", "u@far.example", check=True)
            gateway.start()
            row = gateway.json_lines("list", "list")[0]
            self.assertEqual((row["list"], row["members"], row["post"], row["folder"]), ("early@example.test", 2, "anyone", "Lists/early"))
            self.assertIn("u@far.example", gateway.command("list", "show", "early@example.test", check=True).stdout)
            self.assertIn("Lists/early/Approve", str(gateway.imap().list()))
            gateway.command("list", "remove", "early@example.test", check=True)
            self.assertEqual(gateway.send(message(), to="early@example.test")[0], 550)


class Kill(Base):
    def test_kill_behind_the_250_loses_nothing_and_doubles_nothing(self):
        names = [f"m{i}@far.example" for i in range(30)]
        crash = self.make("crash", "bob@example.test", "you@sender.example", *names)
        for round_number in range(3):
            subjects = [f"round {round_number} post {i}." for i in range(6)]
            for subject in subjects:
                self.must(self.post(crash, subject))
            self.gateway.stop(signal.SIGKILL)
            self.gateway.start()
            for subject in subjects:
                self.mail("INBOX", "bob@example.test", subject)
            self.quiet()
            for subject in subjects:
                self.assertEqual(len(self.mails("INBOX", "bob@example.test", subject)), 1)
                got = [recipient for mail in self.sink.got if subject in str(email.message_from_bytes(mail.message)["Subject"]) for recipient in mail.recipients]
                # Twice only where the sink had said 250 and the gateway could not write it down any more.
                self.assertEqual(set(got), set(names) | {"you@sender.example"})


class OneClick(Base):
    """RFC 8058: where there are links, each member has his own, which a mail client's button posts to."""
    PORT = free_ports(("links",))["links"]
    config = f'public_url = "https://localhost:{PORT}"'
    sections = {"listen": f'links = ["127.0.0.1:{PORT}"]'}

    def curl(self, url, *arguments):
        done = subprocess.run(["curl", "-sS", "--max-time", "20", "--cacert", self.gateway.path("tls.crt"), "-o", "/dev/null", "-w", "%{http_code}", *arguments, url],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        return int(done.stdout)

    def members(self, address):
        return sorted(member["address"] for member in self.shown(address)["members"])

    def test_one_click_takes_the_member_off_and_nobody_else(self):
        address = self.make("clicks", "ann@far.example", "ben@far.example", "bob@example.test", settings=("--post", "anyone"))
        self.must(self.post(address, "one click"))
        links = {}
        for member in ("ann@far.example", "ben@far.example"):
            mail = self.outside("one click", member)[1]
            self.assertEqual(mail["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click")
            links[member] = re.search(r"<(https://localhost:\d+/unsubscribe/\w+)>", "".join(mail["List-Unsubscribe"].split())).group(1)
        self.assertNotEqual(*links.values())
        self.assertEqual(self.curl(links["ann@far.example"]), 200)   # to look is not to leave
        self.assertEqual(len(self.members(address)), 3)
        click = ("--data", "List-Unsubscribe=One-Click")
        self.assertEqual(self.curl(links["ann@far.example"], *click), 200)
        self.assertEqual(self.members(address), ["ben@far.example", "bob@example.test"])
        self.assertEqual(self.curl(links["ann@far.example"], *click), 200)   # again does no harm
        self.assertEqual(self.curl(links["ben@far.example"][:-1] + ("a" if links["ben@far.example"][-1] != "a" else "b"), *click), 404)
        self.assertEqual(self.members(address), ["ben@far.example", "bob@example.test"])
        self.assertRegex(self.gateway.log_text(), r"event=list\.unsubscribed list=clicks@example\.test member=ann@far\.example by=link")
        for link in links.values():
            self.assertNotIn(link.rsplit("/", 1)[1], self.gateway.log_text())


if __name__ == "__main__":
    unittest.main()
