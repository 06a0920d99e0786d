"""The quarantine at work: own lists of senders, over IMAP and by command, and what they do to the next message."""
import subprocess
import sys
import unittest

from gateway import EICAR, GTUBE, PASSWORD, Gateway, message, with_attachment

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


class Administrators(unittest.TestCase):
    """The view of an administrator over IMAP, and the commands that do the same."""
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(users=(ALICE, BOB))
        cls.gateway.command("user", "add", "root@example.test", "--admin", "--password-stdin", input=PASSWORD + "\n", check=True)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()

    def setUp(self):
        self.admin = self.gateway.imap("root@example.test")

    def tearDown(self):
        self.admin.logout()

    def send(self, subject, to=(ALICE,), body=GTUBE):
        code, text = self.gateway.send(message(subject=subject, body=body), to=to)
        self.assertEqual(code, 250, text)

    def names(self, client, pattern="*"):
        _, rows = client.list('""', f'"{pattern}"')
        return [row.decode().split('"/" ')[1].strip('"') for row in rows if row]

    def subjects(self, client, folder):
        status, data = client.select(f'"{folder}"')
        self.assertEqual(status, "OK", data)
        _, found = client.search(None, "ALL")
        out = {}
        for number in found[0].split():
            _, data = client.fetch(number.decode(), "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            out[data[0][1].decode().strip()[9:]] = number.decode()
        return out

    def test_an_administrator_reads_and_releases_and_nobody_else_sees_anything(self):
        self.send("gtube for alice")
        view = "Quarantine of others/example.test/alice"
        self.assertIn(view, self.names(self.admin))
        self.assertIn(view + "/Release", self.names(self.admin))
        self.assertIn(b'(("Quarantine of others/" "/"))', self.admin.namespace()[1][0])
        numbers = self.subjects(self.admin, view)
        self.assertIn("gtube for alice", numbers)
        _, data = self.admin.fetch(numbers["gtube for alice"], "(BODY.PEEK[])")
        self.assertIn(GTUBE.encode(), data[0][1])
        self.admin.store(numbers["gtube for alice"], "+FLAGS", "\\Flagged")
        alice = self.gateway.imap(ALICE)
        self.assertEqual([n for n in self.names(alice) if "others" in n], [])
        self.assertIn(b'NIL NIL', alice.namespace()[1][0])
        for name in (view, view + "/Release", view + "/Viruses"):
            self.assertEqual(alice.select(f'"{name}"')[0], "NO")
        alice.logout()
        # Not to his own mail, not to somebody else, and nothing of his to there.
        for target in ("INBOX", "Trash", "Quarantine of others/example.test/bob/Release"):
            status, data = self.admin._simple_command("MOVE", numbers["gtube for alice"], f'"{target}"')
            self.assertEqual((status, b"CANNOT" in data[0]), ("NO", True), (target, data))
        status, data = self.admin._simple_command("MOVE", numbers["gtube for alice"], f'"{view}/Release"')
        self.assertEqual(status, "OK", data)
        self.assertTrue([m for m in self.gateway.folder("INBOX", ALICE) if b"Subject: gtube for alice" in m])
        self.assertEqual(self.subjects(self.admin, view + "/Release"), {})
        log = self.gateway.log_text()
        for command in ("SELECT", "FETCH", "STORE", "MOVE"):
            self.assertRegex(log, rf'event=quarantine.access by=root@example.test user=alice@example.test folder="{view}" command={command} ')
        self.assertRegex(log, r"event=quarantine.release user=alice@example.test messages=1 by=root@example.test")

    def test_an_original_of_class_virus_lies_in_a_mailbox_of_its_own_and_is_released_for_its_notice(self):
        for _ in range(2):
            code, text = self.gateway.send(with_attachment(EICAR.encode()), to=(BOB, ALICE))
            self.assertEqual(code, 250, text)
        view = "Quarantine of others/example.test/bob"
        own, others = {}, {}
        for name, into in ((view, own), (view + "/Viruses", others)):
            _, data = self.admin.status(f'"{name}"', "(UIDVALIDITY MESSAGES)")
            into.update(validity=data[0].split(b"UIDVALIDITY ")[1].split()[0])
        self.assertNotEqual(own["validity"], others["validity"])
        self.assertRegex(self.gateway.log_text(), rf'event=quarantine.access by=root@example.test user=bob@example.test folder="{view}/Viruses" command=STATUS ')
        _, count = self.admin.select(f'"{view}/Viruses"')
        self.assertEqual(count[0], b"2")
        _, data = self.admin.fetch("1", "(UID BODY.PEEK[])")
        self.assertIn(b"eicar.com", data[0][1])
        status, data = self.admin._simple_command("MOVE", "1", f'"{view}/Release"')
        self.assertEqual(status, "OK", data)
        self.assertEqual(len([m for m in self.gateway.folder("INBOX", BOB) if b"eicar.com" in m]), 1)
        self.assertEqual(len(self.gateway.folder("Quarantine", BOB)), 1)
        # By way of the notice the same; Alice has lost nothing.
        self.subjects(self.admin, view)
        status, data = self.admin._simple_command("MOVE", "1", f'"{view}/Release"')
        self.assertEqual(status, "OK", data)
        self.assertEqual(len([m for m in self.gateway.folder("INBOX", BOB) if b"eicar.com" in m]), 2)
        self.assertEqual(self.gateway.folder("Quarantine", BOB), [])
        view = "Quarantine of others/example.test/alice"
        self.assertEqual(self.admin.select(f'"{view}/Viruses"')[1][0], b"2")
        # An original that an administrator throws away takes its notice with it.
        self.admin.store("1:2", "+FLAGS", "\\Deleted")
        self.admin.expunge()
        self.assertEqual([m for m in self.gateway.folder("Quarantine", ALICE) if b"virus found" in m], [])

    def test_names_of_users_that_are_not_there_and_names_below_cannot_be_used(self):
        for name in ("Quarantine of others/example.test/nobody", "Quarantine of others/example.test", "Quarantine of others/example.test/alice/Else",
                     "Quarantine of others/example.test/alice/Viruses/x", "Quarantine of others//alice", "Quarantine of others/example.test/=zz"):
            self.assertEqual(self.admin.select(f'"{name}"')[0], "NO", name)
        self.assertIn(b"CANNOT", self.admin.create('"Quarantine of others/example.test/alice/mine"')[1][0])
        self.assertEqual(self.admin.delete('"Quarantine of others/example.test/alice"')[0], "NO")

    def test_commands_take_filters_and_count_before_they_do(self):
        self.send("first of many", to=(BOB,))
        self.send("second of many", to=(BOB,))
        code, text = self.gateway.send(message(subject="of another", body=GTUBE, sender="news@other.example"), to=(BOB,))
        self.assertEqual(code, 250, text)

        def listed(*filters):
            return {row["subject"] for row in self.gateway.json_lines("quarantine", "list", "--user", BOB, "--class", "spam", *filters)}
        self.assertEqual(listed("--sender", "NEWS@other"), {"of another"})
        self.assertEqual(listed("--newer", "1h"), {"first of many", "second of many", "of another"})
        self.assertEqual(listed("--older", "1h"), set())
        arguments = ("quarantine", "release", "--user", BOB, "--class", "spam", "--sender", "news@other.example")
        self.assertEqual(self.gateway.command(*arguments, check=True).stdout, "1 message would be released; with --yes they are.\n")
        self.assertEqual(listed("--sender", "news@other"), {"of another"})
        self.assertEqual(self.gateway.command(*arguments, "--yes", check=True).stdout, "1 message released.\n")
        self.assertTrue([m for m in self.gateway.folder("INBOX", BOB) if b"Subject: of another" in m])
        self.assertEqual(self.gateway.command("quarantine", "delete", "--user", BOB, "--class", "spam", "--yes", check=True).stdout, "2 messages deleted.\n")
        self.assertEqual(listed(), set())
        done = self.gateway.command("quarantine", "delete")
        self.assertEqual(done.returncode, 1)
        self.assertIn("which messages?", done.stderr)
        self.assertEqual(self.gateway.command("quarantine", "list", "--older", "soon").returncode, 2)

    def test_show_gives_the_octets_and_a_view_that_loads_nothing(self):
        body = ("--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hello &amp; <img src=\"http://evil.example/pixel\">welcome</p><script>alert(1)</script>\r\n"
                "--b\r\nContent-Type: text/plain\r\n\r\n" + GTUBE + "\r\n--b--\r\n")
        code, text = self.gateway.send(message(subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?=", body=body, to=BOB, extra="MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"), to=BOB)
        self.assertEqual(code, 250, text)
        row = [r for r in self.gateway.json_lines("quarantine", "list", "--user", BOB) if r["subject"] == "Gr\u00fc\u00dfe"][-1]
        shown = self.gateway.command("quarantine", "show", row["id"], "--user", BOB, "--text", check=True).stdout
        for part in ("Subject: Gr\u00fc\u00dfe", "multipart/mixed", "text/html", "Hello & welcome", "X-Postern-Why: "):
            self.assertIn(part, shown)
        for part in ("evil.example", "alert", "<p>"):
            self.assertNotIn(part, shown)
        raw = subprocess.run([self.gateway.program, "--config", self.gateway.path("postern.toml"), "quarantine", "show", row["id"], "--user", BOB, "--raw"],
                             check=True, capture_output=True).stdout
        self.assertEqual(raw, [m for m in self.gateway.folder("Quarantine", BOB) if row["id"].encode() in m][0])
        self.assertRegex(self.gateway.log_text(), rf"event=quarantine.access message={row['id']} user=bob@example.test class=spam command=show by=administrator")


class Retention(unittest.TestCase):
    def test_what_is_held_for_too_long_goes_with_a_line_in_the_log(self):
        with Gateway(users=(ALICE,), sections={"quarantine": 'keep = "1ms"\nkeep_policy = "0s"'}) as gateway:
            for subject, body in (("spam", GTUBE), ("spam", GTUBE), ("good", "hello")):
                code, text = gateway.send(message(subject=subject, body=body), to=ALICE)
                self.assertEqual(code, 250, text)
            code, text = gateway.send(with_attachment(b"MZ", name="run.exe"), to=ALICE)
            self.assertEqual(code, 250, text)
            gateway.stop()
            size = gateway.log_size()
            gateway.start()
            gateway.wait_log("event=quarantine.expired user=alice@example.test class=spam why=age messages=2 ", since=size)
            self.assertEqual([row["class"] for row in gateway.json_lines("quarantine", "list")], ["policy"])
            self.assertEqual(len(gateway.folder("INBOX", ALICE)), 1)

    def test_wrong_times_are_named(self):
        with Gateway(users=(), start=False, sections={"quarantine": 'keep = "soon"\nkeep_spam = "99999d"\nkeep_ham = "1d"'}) as gateway:
            done = gateway.command("check")
            self.assertEqual(done.returncode, 2)
            for text in ("keep in [quarantine] must be a time", "keep_spam in [quarantine] is at most 100 years", "keep_ham"):
                self.assertIn(text, done.stdout)


if __name__ == "__main__":
    sys.exit(unittest.main())
