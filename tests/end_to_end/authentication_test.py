"""SPF, DKIM, DMARC, DNS lists, sender domains and greylisting, from a real DNS server through SMTP to the verdict that
the shipped rules give and the fields that the reader sees."""
import email
import os
import re
import sys
import time
import unittest

from dkim_sign import Signer
from gateway import SOURCE, SUITES, Gateway, message
from wire import Connection

PROXY = "127.0.0.2"
RSA, ED25519, OTHER = Signer("rsa"), Signer("ed25519"), Signer("ed25519")

HERE = "198.51.100.7"        # has a confirmed reverse name
ELSEWHERE = "198.51.100.8"   # has one too; no domain below but relay.example lists it


def domain(name, spf=None, dmarc=None, mx="10 mail.sender.example"):
    out = {f"{name} MX": mx}
    if spf:
        out[f"{name} TXT"] = spf
    if dmarc:
        out[f"_dmarc.{name} TXT"] = dmarc
    return out


DNS = {
    "8.100.51.198.in-addr.arpa PTR": "mail.elsewhere.example",
    "mail.elsewhere.example A": ELSEWHERE,
    **domain("plain.example", f"v=spf1 ip4:{HERE} -all"),
    **domain("soft.example", f"v=spf1 ip4:{HERE} ~all"),
    **domain("neutral.example", "v=spf1 ?all"),
    **domain("broken.example", "v=spf1 nonsense:x -all"),
    **domain("norecord.example"),
    **domain("silent.example", "SERVFAIL"),
    **domain("strict.example", f"v=spf1 ip4:{HERE} -all", "v=DMARC1; p=reject"),
    **domain("careful.example", f"v=spf1 ip4:{HERE} -all", "v=DMARC1; p=quarantine"),
    **domain("watching.example", f"v=spf1 ip4:{HERE} -all", "v=DMARC1; p=none; rua=mailto:r@watching.example"),
    **domain("parent.example", None, "v=DMARC1; p=none; sp=reject"),
    **domain("sub.parent.example", "v=spf1 -all"),
    **domain("exact.example", None, "v=DMARC1; p=quarantine; aspf=s; adkim=s"),
    **domain("bounce.exact.example", f"v=spf1 ip4:{HERE} -all"),
    **domain("relaxed.example", None, "v=DMARC1; p=reject"),
    **domain("bounce.relaxed.example", f"v=spf1 ip4:{HERE} -all"),
    **domain("signed.example", "v=spf1 -all", "v=DMARC1; p=reject"),
    "rsa._domainkey.signed.example TXT": RSA.record,
    "ed._domainkey.signed.example TXT": ED25519.record,
    "slow._domainkey.signed.example TXT": "SERVFAIL",
    "slow._domainkey.watching.example TXT": "SERVFAIL",
    "gone._domainkey.signed.example TXT": "v=DKIM1; k=ed25519; p=",
    "ed._domainkey.plain.example TXT": ED25519.record,
    **domain("relay.example", f"v=spf1 ip4:{ELSEWHERE} -all"),
    **domain("nullmx.example", mx="0 ."),
    **domain("lame.example", mx="SERVFAIL"),
    "onlya.example A": "192.0.2.80",
    "2.0.0.127.zen.spamhaus.org A": "127.0.0.2",                 # RFC 5782 5: always listed, as 127.0.0.1 never is
    "2.0.0.127.zen.spamhaus.org TXT": "test",
    "21.113.0.203.zen.spamhaus.org A": "127.0.0.2",
    "22.113.0.203.zen.spamhaus.org A": "127.0.0.10",
    "23.113.0.203.zen.spamhaus.org A": "127.255.255.254",
    "24.113.0.203.zen.spamhaus.org A": ["127.0.0.3", "127.0.0.4"],
    "*.113.0.203.in-addr.arpa PTR": "mail.lister.example",
    "mail.lister.example A": [f"203.0.113.{n}" for n in range(20, 30)],
    "31.113.0.203.in-addr.arpa PTR": "forged.lister.example",
    "forged.lister.example A": "192.0.2.1",
    "32.113.0.203.in-addr.arpa PTR": "NXDOMAIN",
}


def results(mail):
    """method -> the whole result, unfolded, of our Authentication-Results; a list for dkim."""
    field = re.sub(r"\s+", " ", mail["Authentication-Results"])
    host, *parts = field.split("; ")
    assert host == "mx.example.test", field
    out = {"dkim": []}
    for part in parts:
        method = part.split("=")[0]
        if method == "dkim":
            out["dkim"].append(part)
        else:
            assert method not in out, field
            out[method] = part
    return out


def start(**more):
    return Gateway(zone=DNS, sections={"smtp": f'proxy = ["{PROXY}/32"]\nxclient = ["127.0.0.1/32"]\ngreet_delay = "0s"'}, **more)


def stop(gateway):
    if getattr(gateway, "reader", None) is not None:
        gateway.reader.logout()
    gateway.close()


def setUpModule():
    Base.gateway = start()


def tearDownModule():
    stop(Base.gateway)


class Base(unittest.TestCase):
    gateway = None

    def take(self, sender, text=None, ip=HERE, helo="mail.sender.example", author=None, extra=""):
        """Sends, wants a 250, and gives (folder, the mail as read)."""
        text = text or message(sender=author or sender, extra=extra)
        code, reply = self.gateway.send(text, sender=sender, ip=ip, helo=helo)
        self.assertEqual(code, 250, reply)
        case = reply.split()[-1]
        for folder in ("INBOX", "Junk", "Quarantine"):
            mail = self.newest(folder)
            if mail is not None and mail["X-Postern-Verdict"].endswith(f"id={case}"):
                return folder, mail
        raise AssertionError(f"{case} is in no folder")

    def newest(self, folder):
        """The last message of a folder of alice's; one connection serves all tests."""
        if getattr(self.gateway, "reader", None) is None:
            self.gateway.reader = self.gateway.imap()
        _, count = self.gateway.reader.select(folder, readonly=True)
        if count[0] == b"0":
            return None
        _, data = self.gateway.reader.fetch("*", "(BODY.PEEK[])")
        return email.message_from_bytes(data[0][1])

    def hits(self, mail):
        """rule -> what it said: "+2.5" or a verdict's name."""
        return {line.split()[0]: line.split()[1].rstrip(":") for line in mail.get_all("X-Postern-Why", [])}

    def refused(self, code, enhanced, words, **given):
        got, reply = self.gateway.send(given.pop("text", None) or message(sender=given.pop("author", None) or given["sender"],
                                                                          extra=given.pop("extra", "")), **given)
        self.assertEqual(got, code, reply)
        self.assertIn(enhanced, reply)
        for word in words:
            self.assertIn(word, reply)


class Spf(Base):
    def test_a_host_that_spf_allows_costs_nothing(self):
        folder, mail = self.take("you@plain.example")
        self.assertEqual(folder, "INBOX")
        self.assertEqual(results(mail)["spf"], "spf=pass smtp.mailfrom=you@plain.example")
        self.assertEqual(results(mail)["iprev"], f"iprev=pass policy.iprev={HERE}")
        self.assertEqual(results(mail)["dkim"], ["dkim=none"])
        self.assertEqual(results(mail)["dmarc"], "dmarc=none header.from=plain.example")
        self.assertEqual(self.hits(mail), {})

    def test_each_spf_result_costs_what_the_rule_says(self):
        for sender, result, cost in (("you@plain.example", "fail", "+2.5"), ("you@soft.example", "softfail", "+1.0"),
                                     ("you@neutral.example", "neutral", None), ("you@broken.example", "permerror", "+0.5"),
                                     ("you@norecord.example", "none", None), ("you@silent.example", "temperror", None)):
            with self.subTest(result):
                folder, mail = self.take(sender, ip=ELSEWHERE)
                self.assertEqual(folder, "INBOX")
                self.assertRegex(results(mail)["spf"], f"^spf={result}( reason=.*)? smtp.mailfrom={sender}$")
                self.assertEqual(self.hits(mail).get("spf"), cost)

    def test_a_bounce_is_checked_by_its_helo_name(self):
        for ip, result in ((HERE, "pass"), (ELSEWHERE, "fail")):
            folder, mail = self.take("", text=message(sender="mailer-daemon@plain.example"), ip=ip, helo="plain.example")
            self.assertEqual(folder, "INBOX")
            self.assertEqual(results(mail)["spf"], f"spf={result} smtp.helo=plain.example")
            self.assertEqual(mail["Return-Path"], "<>")


class Dkim(Base):
    def signed(self, signer, selector, author="you@signed.example", extra="", body="A line.\r\n", d="signed.example"):
        return signer.sign(message(sender=author, extra=extra, body=body), d, selector)

    def test_a_signature_of_either_kind_passes_and_outweighs_spf(self):
        for signer, selector in ((RSA, "rsa"), (ED25519, "ed")):
            with self.subTest(selector):
                text = self.signed(signer, selector, body="Two  spaces \r\n\r\n.dot\r\n\r\n\r\n")
                folder, mail = self.take("bounce@relay.example", text=text, ip=ELSEWHERE)
                self.assertEqual(folder, "INBOX")
                self.assertEqual(len(results(mail)["dkim"]), 1)
                b = re.sub(r"\s", "", re.search(r"\tb=([^;]*?)\r\n(?=\S)", text).group(1))[:8]
                self.assertRegex(results(mail)["dkim"][0], rf"^dkim=pass header\.d=signed\.example "
                                 rf"header\.s={selector} header\.a={signer.algorithm}-sha256 header\.b=\"?{re.escape(b)}\"?$")
                self.assertEqual(results(mail)["dmarc"], "dmarc=pass header.from=signed.example")
                self.assertEqual(self.hits(mail), {})
                # SPF of the author's own domain says -all: a forwarded message.
                folder, mail = self.take("you@signed.example", text=text, ip=ELSEWHERE)
                self.assertTrue(results(mail)["spf"].startswith("spf=fail "))
                self.assertEqual(self.hits(mail), {})

    def test_two_signatures_are_both_reported(self):
        text = RSA.sign(self.signed(ED25519, "ed"), "signed.example", "rsa")
        _, mail = self.take("bounce@relay.example", text=text, ip=ELSEWHERE)
        self.assertEqual([r.split()[0] for r in results(mail)["dkim"]], ["dkim=pass"] * 2)

    def test_a_changed_body_or_field_breaks_the_signature_and_costs_half_a_point(self):
        whole = self.signed(ED25519, "ed", author="you@plain.example", d="plain.example")
        for text in (whole.replace("A line.", "Another line."), whole.replace("Subject: hello", "Subject: hallo")):
            folder, mail = self.take("you@plain.example", text=text)
            self.assertEqual(folder, "INBOX")
            self.assertTrue(results(mail)["dkim"][0].startswith("dkim=fail "), results(mail))
            self.assertEqual(self.hits(mail), {"dkim": "+0.5"})
        _, mail = self.take("you@plain.example", text=whole)
        self.assertEqual(self.hits(mail), {})

    def test_a_mailing_list_may_break_a_signature(self):
        text = self.signed(ED25519, "ed", author="you@plain.example", d="plain.example", extra="List-Id: <talk.example.org>\r\n")
        _, mail = self.take("you@plain.example", text=text.replace("A line.", "A line.\r\n-- the list"))
        self.assertTrue(results(mail)["dkim"][0].startswith("dkim=fail "))
        self.assertEqual(self.hits(mail), {})

    def test_a_key_that_is_absent_revoked_or_of_another_is_no_pass(self):
        for selector, signer, wanted in (("nokey", RSA, "permerror"), ("gone", ED25519, "permerror"), ("ed", OTHER, "fail"), ("ed", RSA, "permerror")):
            with self.subTest(f"{selector} {wanted}"):
                text = self.signed(signer, selector, author="you@watching.example")
                folder, mail = self.take("you@watching.example", text=text)
                self.assertRegex(results(mail)["dkim"][0], rf"^dkim={wanted} ")
                self.assertEqual(folder, "INBOX")

    def test_a_key_that_cannot_be_fetched_is_a_temperror_which_a_strict_domain_waits_for(self):
        self.refused(451, "4.7.1", ["DMARC cannot be checked now", "signed.example"], sender="bounce@relay.example",
                     text=self.signed(RSA, "slow"), ip=ELSEWHERE)
        text = RSA.sign(message(sender="you@watching.example"), "watching.example", "slow")
        folder, mail = self.take("bounce@relay.example", text=text, ip=ELSEWHERE)
        self.assertEqual(folder, "INBOX")
        self.assertTrue(results(mail)["dkim"][0].startswith("dkim=temperror "))
        self.assertTrue(results(mail)["dmarc"].startswith("dmarc=temperror "))

    def test_the_examples_of_rfc_8463_pass(self):
        path = os.path.join(SUITES, "dkim", "mail-auth", "001.txt")
        if not os.path.exists(path):
            self.skipTest(f"{path} is not there")
        with open(path, encoding="utf-8") as f:
            records, text = f.read().split("\n\n", 1)
        zone = dict(domain("football.example.com", f"v=spf1 ip4:{HERE} -all"),
                    **{f"{name} TXT": value for name, value in (line.split(" TXT ", 1) if " TXT " in line else line.split(" ", 1)
                                                                for line in records.splitlines())})
        with Gateway(zone=zone) as gateway:
            code, reply = gateway.send(text.replace("\n", "\r\n"), sender="joe@football.example.com")
            self.assertEqual(code, 250, reply)
            mail = email.message_from_bytes(sum((gateway.folder(f) for f in ("INBOX", "Junk", "Quarantine")), [])[0])
            self.assertEqual([r.split()[0] for r in results(mail)["dkim"]], ["dkim=pass"] * 2)
            self.assertRegex(results(mail)["dkim"][0], r"header\.i=@football\.example\.com header\.s=brisbane header\.a=ed25519-sha256 header\.b=\"?/gCrinpc")
            self.assertRegex(results(mail)["dkim"][1], r"header\.s=test header\.a=rsa-sha256 header\.b=\"?F45dVWDf")


class Dmarc(Base):
    def test_p_reject_refuses_a_forgery_and_stores_nothing(self):
        before = sum(len(self.gateway.folder(f, "bob@example.test")) for f in ("INBOX", "Junk", "Quarantine"))
        self.refused(550, "5.7.1", ["DMARC of strict.example"], sender="you@strict.example", ip=ELSEWHERE, to="bob@example.test")
        # SPF of the envelope passes, but for a domain that is not the author's.
        self.refused(550, "5.7.1", ["DMARC of strict.example"], sender="you@relay.example", author="boss@strict.example", ip=ELSEWHERE,
                     to="bob@example.test")
        # What cannot be looked up of a foreign domain does not shield him.
        self.refused(550, "5.7.1", ["DMARC of strict.example"], sender="you@silent.example", author="boss@strict.example", ip=ELSEWHERE,
                     to="bob@example.test")
        foreign = RSA.sign(message(sender="boss@strict.example"), "signed.example", "slow")
        self.refused(550, "5.7.1", ["DMARC of strict.example"], sender="you@relay.example", text=foreign, ip=ELSEWHERE, to="bob@example.test")
        after = sum(len(self.gateway.folder(f, "bob@example.test")) for f in ("INBOX", "Junk", "Quarantine"))
        self.assertEqual(after, before)

    def test_p_quarantine_quarantines_as_spam(self):
        folder, mail = self.take("you@careful.example", ip=ELSEWHERE)
        self.assertEqual(folder, "Quarantine")
        self.assertEqual(results(mail)["dmarc"], "dmarc=fail header.from=careful.example policy.dmarc=quarantine")
        self.assertEqual(mail["X-Spam-Flag"], "YES")
        self.assertEqual(self.hits(mail)["dmarc"], "quarantine")
        case = mail["X-Postern-Verdict"].split("id=")[1]
        row = next(r for r in self.gateway.json_lines("quarantine", "list") if r["id"] == case)
        self.assertEqual(row["class"], "spam")
        self.assertIn("DMARC of careful.example", row["reason"])

    def test_p_none_costs_a_point(self):
        folder, mail = self.take("you@watching.example", ip=ELSEWHERE)
        self.assertEqual(folder, "INBOX")
        self.assertEqual(results(mail)["dmarc"], "dmarc=fail header.from=watching.example policy.dmarc=none")
        self.assertEqual(self.hits(mail), {"spf": "+2.5", "dmarc": "+1.0"})
        self.assertRegex(mail["X-Postern-Verdict"], r"^ham score=3\.5 ")

    def test_a_domain_that_is_aligned_passes(self):
        for policy in ("strict", "careful", "watching"):
            folder, mail = self.take(f"you@{policy}.example")
            self.assertEqual((folder, self.hits(mail)), ("INBOX", {}))
            self.assertEqual(results(mail)["dmarc"], f"dmarc=pass header.from={policy}.example")

    def test_a_mailing_list_that_may_be_one_is_quarantined_not_refused(self):
        folder, mail = self.take("bounce@relay.example", author="you@strict.example", ip=ELSEWHERE, extra="List-Id: <talk.example.org>\r\n")
        self.assertEqual(folder, "Quarantine")
        self.assertEqual(self.hits(mail), {"dmarc": "quarantine"})

    def test_alignment_is_relaxed_unless_the_domain_wants_it_strict(self):
        folder, mail = self.take("x@bounce.relaxed.example", author="you@relaxed.example")
        self.assertEqual(results(mail)["dmarc"], "dmarc=pass header.from=relaxed.example")
        folder, mail = self.take("x@bounce.exact.example", author="you@exact.example")
        self.assertEqual(folder, "Quarantine")
        self.assertEqual(results(mail)["dmarc"], "dmarc=fail header.from=exact.example policy.dmarc=quarantine")

    def test_a_subdomain_follows_the_policy_for_subdomains(self):
        self.refused(550, "5.7.1", ["DMARC of sub.parent.example"], sender="you@sub.parent.example")


class Reputation(Base):
    def test_a_listed_host_is_refused_at_the_door_and_may_only_quit(self):
        for ip in ("203.0.113.21", "203.0.113.24"):
            with self.subTest(ip), Connection(self.gateway.ports["smtp"], PROXY) as connection:
                connection.send(f"PROXY TCP4 {ip} 127.0.0.1 40000 25\r\n")
                self.assertRegex(connection.reply(), rf"^554 5\.7\.1 {re.escape(ip)} is listed by zen\.spamhaus\.org")
                self.assertRegex(connection.ask("EHLO mail.lister.example"), r"^503 ")
                self.assertRegex(connection.ask("QUIT"), r"^221 ")
                self.assertTrue(connection.closed())

    def test_a_dial_up_range_costs_three_points(self):
        folder, mail = self.take("you@norecord.example", ip="203.0.113.22")
        self.assertEqual(folder, "INBOX")
        self.assertEqual(self.hits(mail), {"dnsbl": "+3.0"})

    def test_a_list_that_refuses_our_question_and_one_that_knows_nothing_list_nobody(self):
        for ip in ("203.0.113.23", "203.0.113.25"):
            _, mail = self.take("you@norecord.example", ip=ip)
            self.assertEqual(self.hits(mail), {})
        lists = self.gateway.json("status")["dns_lists"]
        self.assertEqual([(entry["zone"], entry["off"]) for entry in lists], [("zen.spamhaus.org", False)])

    def test_a_name_that_does_not_lead_back_and_none_at_all_cost_points(self):
        for ip, result, cost in (("203.0.113.31", "fail", "+0.5"), ("203.0.113.32", "permerror", "+1.0")):
            _, mail = self.take("you@norecord.example", ip=ip)
            self.assertEqual(results(mail)["iprev"], f"iprev={result} policy.iprev={ip}")
            self.assertEqual(self.hits(mail), {"reverse-name": cost})

    def test_a_list_that_lists_everything_or_lacks_its_test_point_is_switched_off(self):
        for zone in ({"*.zen.spamhaus.org A": "127.0.0.2"}, {"21.113.0.203.zen.spamhaus.org A": "127.0.0.2"}):
            with Gateway(zone=zone) as gateway:
                code, reply = gateway.send(message(), ip="203.0.113.21")
                self.assertEqual(code, 250, reply)
                self.assertTrue(gateway.json("status")["dns_lists"][0]["off"])
                self.assertIn("event=dnslist.off", gateway.log_text())


class SenderDomain(Base):
    def test_a_sender_that_nobody_could_answer_is_refused(self):
        self.refused(550, "5.7.1", ["nullmx.example", "null MX"], sender="you@nullmx.example")
        self.refused(550, "5.7.1", ["nowhere.example", "does not exist"], sender="you@nowhere.example")

    def test_a_domain_that_cannot_be_looked_up_is_deferred(self):
        self.refused(451, "4.7.1", ["lame.example"], sender="you@lame.example")

    def test_a_domain_with_only_an_address_and_the_null_sender_are_taken(self):
        self.assertEqual(self.take("you@onlya.example")[0], "INBOX")   # RFC 5321 5.1
        self.assertEqual(self.take("", text=message(sender="postmaster@plain.example"))[0], "INBOX")


class Greylist(Base):
    def test_greylisting_is_off_by_default(self):
        _, mail = self.take("you@watching.example", ip=ELSEWHERE)   # 3.5 points: doubtful
        self.assertNotIn("greylist", self.hits(mail))


class GreylistOn(Base):
    @classmethod
    def setUpClass(cls):
        # The sample with a shorter wait, and so without its own tests, which know the longer one.
        with open(os.path.join(SOURCE, "rules", "samples", "60-greylist.lua"), encoding="utf-8") as f:
            sample = f.read().split('\ntest "')[0].replace("local wait   = 5 * 60", "local wait   = 2")
        assert "local wait   = 2 " in sample
        cls.gateway = start(rule_files={"60-greylist.lua": sample})

    @classmethod
    def tearDownClass(cls):
        stop(cls.gateway)

    def test_the_sample_makes_a_doubtful_message_of_an_unknown_host_come_twice(self):
        self.refused(451, "4.7.1", ["greylisted", "five minutes"], sender="you@watching.example", ip=ELSEWHERE)
        self.refused(451, "4.7.1", ["greylisted", "later"], sender="you@watching.example", ip=ELSEWHERE)
        self.assertEqual(self.take("you@plain.example")[0], "INBOX")   # harmless: does not wait
        end = time.monotonic() + 20
        while time.monotonic() < end:
            code, reply = self.gateway.send(message(sender="you@watching.example"), sender="you@watching.example", ip=ELSEWHERE)
            if code == 250:
                break
            self.assertEqual(code, 451, reply)
            time.sleep(0.2)
        self.assertEqual(code, 250, reply)
        self.take("other@watching.example", ip=ELSEWHERE)   # the network is known now


if __name__ == "__main__":
    sys.exit(unittest.main())
