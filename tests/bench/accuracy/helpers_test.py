#!/usr/bin/env python3
"""What the accuracy bench stands on: cleaning, near duplicates, intervals and its name server, on invented mail."""
import datetime
import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cleaning  # noqa: E402
import duplicates  # noqa: E402
import filters  # noqa: E402
import name_server  # noqa: E402
import table  # noqa: E402

NOW = datetime.datetime(2026, 12, 2, 12, 0, tzinfo=datetime.timezone.utc)


def cleaned(text, leaky=()):
    return cleaning.clean(text.encode(), set(leaky), NOW).decode()


class Cleaning(unittest.TestCase):
    def test_the_collections_own_trace_goes_and_the_senders_stays(self):
        out = cleaned("From x@example.org Thu Aug 22 2002\nReceived: from dogma.slashnull.org by phobos.labs.netnoteinc.com; Thu, 22 Aug 2002 17:19:26 +0100\n"
                      "Received: from a by dogma.slashnull.org; Thu, 22 Aug 2002 17:11:28 +0100\nReceived: from b by mail.sender.example; 22 Aug 2002 16:00:00 -0000\n"
                      "X-Spam-Status: No\nX-EOPDirect: true\nX-Leak: 1\nDate: Thu, 22 Aug 2002 16:11:27 -0000\nFrom: a@sender.example\nTo: zzzz@spamassassin.taint.org\n"
                      "Subject: hello\n\nbody\n", [b"x-leak"])
        self.assertEqual(out, "Received: from b by mail.sender.example; 01 Dec 2026 16:00:00 -0000\nDate: Tue, 01 Dec 2026 16:11:27 -0000\n"
                              "From: a@sender.example\nTo: anna@corp.example\nSubject: hello\n\nbody\n")

    def test_a_date_that_was_forged_stays_as_far_off_as_it_was(self):
        out = cleaned("Received: from a by mail.sender.example; Thu, 22 Aug 2002 17:11:28 +0100\nDate: Mon, 12 Aug 02 16:11:27 -0000\nSubject: x\n\ny\n")
        self.assertIn("Date: Sat, 21 Nov 26 16:11:27", out)
        wrong_day = cleaned("Received: from a by mail.sender.example; Thu, 22 Aug 2002 17:11:28 +0100\nDate: Fri, 22 Aug 2002 16:11:27 -0000\nSubject: x\n\ny\n")
        self.assertIn("Date: Fri, 1 Dec 2026".replace(" 1 ", " 01 "), wrong_day)

    def test_a_list_leaves_no_tag_no_footer_and_no_wrapping(self):
        out = cleaned("From: Ann via USRP-users <usrp-users@lists.ettus.com>\nReply-To: Ann <ann@home.example>\nSubject: Re: [USRP-users] hello\nList-Id: <usrp-users.lists.ettus.com>\n"
                      "Content-Type: multipart/mixed; boundary=\"===============123==\"\nDate: Thu, 22 Aug 2019 16:11:27 -0000\n\n--===============123==\nContent-Type: text/plain\n\nwords\n"
                      "--===============123==\nContent-Type: text/plain\n\n_______________________________________________\nUSRP-users mailing list -- usrp-users@lists.ettus.com\n"
                      "To unsubscribe send an email\n\n--===============123==--\n")
        self.assertEqual(out, "From: Ann <ann@home.example>\nSubject: Re: hello\nDate: Tue, 01 Dec 2026 16:11:27 -0000\nContent-Type: text/plain\n\nwords\n")

    def test_what_is_packed_is_cleaned_too(self):
        out = cleaned("Subject: x\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\ncGhpc2hpbmdAcG90IGhlbGxv\n")
        self.assertIn("YW5uYUBjb3JwLmV4YW1wbGUgaGVsbG8=", out)

    def test_hostile_input_comes_back(self):
        for raw in (b"", b"\n", b"\xff\xfe\x00", b"From \n", b"Date: Mon, 99 Feb 9999\n\n", b":\n: x\n\n", b"Content-Type: multipart/mixed; boundary=\"(((\"\n\n--(((\n"):
            self.assertIsInstance(cleaning.clean(raw, set(), NOW), bytes)


class Duplicates(unittest.TestCase):
    @staticmethod
    def mail(words):
        return f"Subject: s\n\n{' '.join(words)}\n".encode()

    def test_a_copy_goes_a_cousin_stays_in_its_group_and_a_stranger_outside(self):
        words = [f"word{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(200)]
        mails = [self.mail(words), self.mail(words[:-2] + ["other", "end"]), self.mail(words[:130] + [w[::-1] for w in words[130:]]), self.mail([w[::-1] for w in words])]
        kept, group = duplicates.group([duplicates.shingles(duplicates.text_of(mail)) for mail in mails])
        self.assertEqual(kept, [0, 2, 3])
        self.assertEqual(group[:3], [0, 0, 0])
        self.assertEqual(group[3], 3)

    def test_numbers_addresses_and_markup_make_no_difference(self):
        plain = b"Subject: s\n\nyour order 12345 for anna@corp.example is ready and waits for you\n"
        html = b"Subject: s\nContent-Type: text/html\n\n<p>your order <b>99</b> for bob@x.example</p> is <i>ready</i> and waits for you\n"
        self.assertEqual(duplicates.shingles(duplicates.text_of(plain)), duplicates.shingles(duplicates.text_of(html)))


class Table(unittest.TestCase):
    def test_intervals_are_wilsons(self):
        low, high = table.wilson(0, 1000)
        self.assertEqual((low, round(high, 3)), (0.0, 0.383))
        low, high = table.wilson(50, 100)
        self.assertEqual((round(low, 2), round(high, 2)), (40.38, 59.62))
        self.assertEqual(table.wilson(0, 0), (0.0, 100.0))


class Names(unittest.TestCase):
    @staticmethod
    def ask(name, kind):
        return name_server.answer(b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0" + name_server._labels(name) + struct.pack(">HH", kind, 1))

    def test_senders_exist_and_lists_list_nobody(self):
        self.assertEqual(struct.unpack(">H", self.ask("sender.example", 15)[6:8])[0], 1)
        self.assertTrue(self.ask(name_server.CLIENT_NAME, 1).endswith(bytes([198, 51, 100, 7])))
        self.assertTrue(self.ask("mail.sender.example", 1).endswith(bytes([198, 51, 100, 7])))      # its MX
        for name, kind, code in (("7.100.51.198.zen.spamhaus.org", 1, 3), ("mail.sender.example.dbl.example", 1, 3), ("_dmarc.sender.example", 16, 3), ("sender.example", 16, 0)):
            reply = self.ask(name, kind)
            self.assertEqual((reply[3] & 15, reply[7]), (code, 0))

    def test_a_mail_goes_to_whom_it_names(self):
        for header, who in (("To: Anna <anna@corp.example>", "anna@corp.example"), ("To: a@x.example, b@x.example\nCc: anna@corp.example", "anna@corp.example"),
                            ("To: Talk <talk@lists.example>", "talk@lists.example"), ("To: undisclosed recipients", "anna@corp.example"), ("", "anna@corp.example")):
            self.assertEqual(filters.recipient_of((header + "\nSubject: x\n\nbody\n").encode()), who)

    def test_rubbish_gets_no_answer(self):
        for packet in (b"", b"\0" * 12, b"\0" * 12 + b"\x3f" * 5, b"\0" * 12 + b"\xc0\x0c\0\0\0\0"):
            self.assertIsNone(name_server.answer(packet))


if __name__ == "__main__":
    unittest.main()
