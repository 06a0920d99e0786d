"""The quarantine at work: own lists of senders, over IMAP and by command, and what they do to the next message."""
import sys
import unittest

from gateway import EICAR, GTUBE, Gateway, message, with_attachment

ALICE, BOB = "alice@example.test", "bob@example.test"


class Senders(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(users=(ALICE, BOB), zone={"_dmarc.other.example TXT": "v=DMARC1; p=none"})

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()

    def tearDown(self):
        for user in (ALICE, BOB):
            for row in self.gateway.json_lines("user", "lists", user):
                self.gateway.command("quarantine", "forget", row["sender"], "--user", user, check=True)

    def lists(self, user=ALICE):
        return {row["sender"]: row["list"] for row in self.gateway.json_lines("user", "lists", user)}

    def subjects(self, folder, user=ALICE):
        return [line[9:] for octets in self.gateway.folder(folder, user) for line in octets.decode().splitlines() if line.startswith("Subject: ")]

    def send(self, subject, body="A line.\r\n", to=(ALICE,), **more):
        code, text = self.gateway.send(message(subject=subject, body=body, **more), to=to)
        self.assertEqual(code, 250, text)

    def move(self, subject, source, target, user=ALICE):
        client = self.gateway.imap(user)
        client.select(f'"{source}"')
        _, found = client.search(None, "SUBJECT", f'"{subject}"')
        status, data = client._simple_command("MOVE", found[0].split()[-1].decode(), f'"{target}"')
        client.logout()
        self.assertEqual(status, "OK", data)

    def test_list_shows_both_folders_below_the_quarantine(self):
        client = self.gateway.imap(ALICE)
        for command in (client.list, client.lsub):
            _, rows = command('"Quarantine"', "*")
            _, rows = command('""', '"Quarantine/%"')
            self.assertEqual(sorted(row.decode().split('"/" ')[1] for row in rows), ['"Quarantine/Always allow"', '"Quarantine/Always block"'])
        status, data = client.append('"Quarantine/Always allow"', None, None, message(subject="dragged").encode())
        self.assertEqual(status, "NO")
        self.assertIn(b"move a message", data[0])
        client.logout()

    def test_a_sender_that_is_always_allowed_gets_through_as_spam_and_others_and_viruses_do_not(self):
        self.send("gtube one", GTUBE)
        self.assertIn("gtube one", self.subjects("Quarantine"))
        self.move("gtube one", "Quarantine", "Quarantine/Always allow")
        self.assertIn("gtube one", self.subjects("INBOX"))
        self.assertNotIn("gtube one", self.subjects("Quarantine"))
        self.assertEqual(self.lists(), {"you@sender.example": "allow"})
        self.assertRegex(self.gateway.log_text(), r"event=quarantine.sender user=alice@example.test sender=you@sender.example word=allow message=\S+ by=move")
        # SPF of sender.example proves the next one; Bob has said nothing.
        self.send("gtube two", GTUBE, to=(ALICE, BOB))
        self.assertIn("gtube two", self.subjects("INBOX"))
        self.assertIn("gtube two", self.subjects("Quarantine", BOB))
        octets = [m for m in self.gateway.folder("INBOX", ALICE) if b"Subject: gtube two" in m][0].decode()
        self.assertIn("X-Postern-Why: own-lists accept: your list allows you@sender.example", octets)
        self.assertIn("X-Postern-Verdict: ham", octets)
        # From a host that SPF does not allow it is not he.
        code, text = self.gateway.send(message(subject="gtube forged", body=GTUBE), to=ALICE, ip="192.0.2.9", helo="evil.example")
        self.assertEqual(code, 250, text)
        self.assertIn("gtube forged", self.subjects("Quarantine"))
        code, text = self.gateway.send(with_attachment(EICAR.encode()), to=ALICE)
        self.assertEqual(code, 250, text)
        self.assertEqual(self.gateway.json_lines("quarantine", "list", "--user", ALICE, "--class", "virus")[-1]["sender"], "you@sender.example")

    def test_a_blocked_sender_is_held_and_a_move_back_takes_it_back(self):
        self.send("news one")
        self.move("news one", "INBOX", "Quarantine/Always block")
        self.assertEqual(self.lists(), {"you@sender.example": "block"})
        self.assertNotIn("news one", self.subjects("INBOX"))
        self.send("news two", to=(ALICE, BOB))
        self.assertIn("news two", self.subjects("INBOX", BOB))
        row = [r for r in self.gateway.json_lines("quarantine", "list", "--user", ALICE) if r["subject"] == "news two"][0]
        self.assertEqual((row["class"], row["reason"]), ("policy", "your list blocks you@sender.example"))
        self.move("news one", "Quarantine/Always block", "INBOX")
        self.assertEqual(self.lists(), {})
        self.send("news three")
        self.assertIn("news three", self.subjects("INBOX"))

    def test_what_is_held_in_always_block_is_still_in_quarantine_for_the_administrator(self):
        self.send("gtube kept", GTUBE)
        self.move("gtube kept", "Quarantine", "Quarantine/Always block")
        rows = [r for r in self.gateway.json_lines("quarantine", "list", "--user", ALICE) if r["subject"] == "gtube kept"]
        self.assertEqual(len(rows), 1)
        self.gateway.command("quarantine", "release", rows[0]["id"], check=True)
        self.assertIn("gtube kept", self.subjects("INBOX"))

    def test_the_administrator_edits_lists_also_by_domain_and_they_stay_over_a_restart(self):
        self.gateway.command("quarantine", "block", "Sender.Example", "--user", ALICE, check=True)
        self.gateway.command("quarantine", "allow", "You@sender.example", "--user", ALICE, check=True)
        self.assertEqual(self.lists(), {"@sender.example": "block", "you@sender.example": "allow"})
        shown = self.gateway.command("user", "lists", ALICE, check=True).stdout
        self.assertRegex(shown, r"(?m)^allow +you@sender.example")
        self.gateway.stop()
        self.assertEqual(self.lists(), {"@sender.example": "block", "you@sender.example": "allow"})
        self.gateway.start()
        self.send("gtube by hand", GTUBE)
        self.assertIn("gtube by hand", self.subjects("INBOX"))
        self.send("other author", sender="else@sender.example")
        self.assertIn("other author", self.subjects("Quarantine"))
        with open(self.gateway.path("a.eml"), "w", newline="") as f:
            f.write(message(subject="explained", sender="else@sender.example"))
        told = self.gateway.json("explain", self.gateway.path("a.eml"), "--ip", "198.51.100.7", "--helo", "mail.sender.example",
                                 "--from", "you@sender.example", "--rcpt", ALICE, "--rcpt", BOB)
        self.assertEqual({a: r["verdict"] for a, r in told["recipients"].items()}, {ALICE: "quarantine", BOB: "ham"})

    def test_bad_input_names_what_is_wrong(self):
        for arguments, text in ((("block", ALICE, "--user", ALICE), "is the user himself"),
                                (("allow", "no sender", "--user", ALICE), "no sender"),
                                (("allow", "a@sender.example", "--user", "nobody@example.test"), "no such user"),
                                (("forget", "a@sender.example", "--user", ALICE), "not on a list")):
            done = self.gateway.command("quarantine", *arguments)
            self.assertEqual(done.returncode, 1, arguments)
            self.assertIn(text, done.stderr)
        self.assertEqual(self.gateway.command("user", "lists", "nobody@example.test").returncode, 1)
        self.assertEqual(self.gateway.command("quarantine", "allow", "a@sender.example").returncode, 2)


if __name__ == "__main__":
    sys.exit(unittest.main())
