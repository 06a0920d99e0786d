"""Backups of the running gateway: under load, interrupted, on a full disk; restored whole, by user, folder and message.

Every store that comes out of a restore is read through by `postern check --store`."""
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

from gateway import PASSWORD, Gateway, message

NO_RULES = {"10-one.lua": '''rule "gtube" { on = "message", check = function(mail)
  if mail.subject == "held" then return quarantine("said so", "spam") end end }
'''}
ALICE, BOB = "alice@example.test", "bob@example.test"


def gateway(**more):
    sections = {"antivirus": "scanners = 0", "smtp": 'greet_delay = "0s"\nxclient = ["127.0.0.0/8"]',
                # Nobody listens there: what goes on waits in the queue.
                'domains."onward.test"': 'deliver = "smtp://127.0.0.1:1"\nrecipients = "any"\nwhen_down = "queue"'}
    empty = os.path.join(os.path.dirname(os.path.abspath(__file__)), "no-rules-for-backup")
    os.makedirs(empty, exist_ok=True)
    try:
        return Gateway(rules=empty, rule_files=NO_RULES, sections=sections, antivirus=False, **more)
    finally:
        os.rmdir(empty)


def body_of(key, octets):
    return f"Subject: {key}\r\nMessage-ID: <{key}@sender.example>\r\n\r\n" + f"{key} line\r\n" * (octets // 20)


class Sender(threading.Thread):
    """Sends numbered messages to alice, bob and the queue until told to stop; notes what was acknowledged."""

    def __init__(self, gateway, name):
        super().__init__(daemon=True)
        self.gateway, self.prefix = gateway, name
        self.acknowledged, self.sums, self.stop, self.failure = {}, {}, threading.Event(), None

    def run(self):
        number = 0
        try:
            with self.gateway.smtp() as client:
                while not self.stop.is_set():
                    key = f"{self.prefix}-{number}"
                    number += 1
                    text = body_of(key, random.choice((200, 3000, 30_000)) if number % 5 else 1_200_000 if number % 50 == 0 else 2000)
                    self.sums[key] = hashlib.sha256(text.encode()).hexdigest()
                    to = ("alice@example.test", "bob@example.test", "who@onward.test")[number % 3]
                    client.mail("you@sender.example")
                    client.rcpt(to)
                    if client.data(text)[0] == 250:
                        self.acknowledged[key] = to
        except Exception as failure:  # the test decides whether it may
            self.failure = failure

    def end(self):
        self.stop.set()
        self.join()
        return dict(self.acknowledged)


class Reader(threading.Thread):
    """Sets flags and expunges what it finds in bob's Trash, over and over."""

    def __init__(self, gateway):
        super().__init__(daemon=True)
        self.gateway, self.stop, self.failure = gateway, threading.Event(), None

    def run(self):
        try:
            client = self.gateway.imap(BOB)
            while not self.stop.is_set():
                client.select("INBOX")
                client.uid("STORE", "1:20", "+FLAGS", r"(\Seen $Work)")   # numbers of none are no mistake then
                client.append("Trash", r"(\Deleted)", None, b"Subject: rubbish\r\n\r\n" + b"x" * 5000)
                client.select("Trash")
                client.expunge()
            client.logout()
        except Exception as failure:
            self.failure = failure

    def end(self):
        self.stop.set()
        self.join()
        if self.failure:
            raise self.failure


def keys_in(g, user, folder="INBOX"):
    """{key: sha256 of what was sent}, and the UIDVALIDITY."""
    client = g.imap(user)
    status, _ = client.select(f'"{folder}"', readonly=True)
    if status != "OK":
        client.logout()
        return {}, None
    validity = int(client.response("UIDVALIDITY")[1][0])
    out = {}
    _, data = client.uid("FETCH", "1:*", "(UID BODY.PEEK[])")
    for item in data or []:
        if not isinstance(item, tuple):
            continue
        at = item[1].index(b"Subject: ")
        key = item[1][at + 9:item[1].index(b"\r\n", at)].decode()
        assert key not in out, f"{key} is twice in {folder} of {user}"
        out[key] = hashlib.sha256(item[1][at:]).hexdigest()
    client.logout()
    return out, validity


class Case(unittest.TestCase):
    def backup(self, g, *more, directory="backups"):
        return g.json("backup", g.path(directory), *more)

    def verify(self, g, *more, directory="backups"):
        done = g.command("backup", g.path(directory), "--verify", *more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def check(self, g):
        """The server does not run."""
        done = g.command("check", "--store")
        self.assertEqual(done.returncode, 0, done.stdout)

    def restore_whole(self, g, *more, directory="backups"):
        """Stops the gateway and puts a backup in the place of its data."""
        g.stop()
        shutil.rmtree(g.path("data"))
        os.mkdir(g.path("data"))
        answer = g.json("restore", g.path(directory), *more)
        self.check(g)
        g.start()
        return answer


class UnderLoad(Case):
    def test_a_backup_under_load_holds_all_that_was_acknowledged_before_it(self):
        with gateway() as g:
            senders = [Sender(g, f"s{i}") for i in range(4)]
            reader = Reader(g)
            for thread in senders + [reader]:
                thread.start()
            before, pauses = [], []
            for _ in range(4):
                time.sleep(0.7)
                acknowledged = {k: v for s in senders for k, v in dict(s.acknowledged).items()}
                made = self.backup(g)
                pauses.append(made["pause_us"])
                before.append((made["backup"], acknowledged))
            last = {k: v for s in senders for k, v in s.end().items()}
            reader.end()
            for sender in senders:
                self.assertIsNone(sender.failure)
            self.assertGreater(len(before[-1][1]), len(before[0][1]))
            print(f"{len(last)} messages acknowledged during 4 backups; the store stood still {[p / 1000 for p in pauses]} ms", flush=True)
            status = g.json("status")
            self.assertEqual(status["backup"]["pause_us"], pauses[-1])
            sums = {k: v for s in senders for k, v in s.sums.items()}
            validity = {user: keys_in(g, user)[1] for user in (ALICE, BOB)}
            for name, acknowledged in random.sample(before, 2):
                self.verify(g, "--generation", name)
                answer = self.restore_whole(g, "--generation", name)
                there = {}
                for user in (ALICE, BOB):
                    found, now = keys_in(g, user)
                    self.assertGreater(now, validity[user])
                    validity[user] = now
                    for key, digest in found.items():
                        self.assertEqual(digest, sums[key], key)
                        there[key] = user
                queue = g.json_lines("queue", "list")
                self.assertEqual(len(queue), answer["queued"])
                for entry in queue:
                    self.assertTrue(entry["held"])
                    shown = g.json("queue", "show", entry["id"])
                    key = re.search(r"Subject: (\S+)", shown["text"]).group(1)
                    self.assertNotIn(key, there)
                    there[key] = "who@onward.test"
                missing = {k: v for k, v in acknowledged.items() if there.get(k) != v}
                self.assertEqual(missing, {}, name)

    def test_one_user_comes_back_under_load_and_nothing_is_doubled(self):
        with gateway() as g:
            for number in range(60):
                self.assertEqual(g.send(body_of(f"m-{number}", 3000))[0], 250)
            client = g.imap()
            client.create("Projects/2026")
            client.select("INBOX")
            client.store("56:60", "+FLAGS", r"(\Flagged $Work)")
            _, dates = client.fetch("56:60", "(INTERNALDATE)")
            client._simple_command("MOVE", "56:60", "Projects/2026")
            client.logout()
            self.assertEqual(g.send(message(subject="held"))[0], 250)
            self.backup(g)
            client = g.imap()
            client.select("INBOX")
            client.store("11:55", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.delete("Projects/2026")
            client.select("Quarantine")
            client.store("1:*", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.logout()
            senders = [Sender(g, f"s{i}") for i in range(2)]
            for sender in senders:
                sender.start()
            date = time.strftime("%Y-%m-%d", time.gmtime())
            for again in range(2):   # the second finds all of it there
                done = g.json("restore", g.path("backups"), "--user", "Alice@Example.Test")
                self.assertEqual(done["restored"], 0 if again else 51, done)
                self.assertEqual(done["present"], 61 if again else 10, done)
                self.assertEqual(done["damaged"], [])
            for sender in senders:
                sender.end()
                self.assertIsNone(sender.failure)
            found, _ = keys_in(g, ALICE, f"Restored-{date}/INBOX")
            self.assertEqual(found, {f"m-{n}": hashlib.sha256(body_of(f"m-{n}", 3000).encode()).hexdigest() for n in range(10, 55)})
            found, _ = keys_in(g, ALICE, f"Restored-{date}/Projects/2026")
            self.assertEqual(sorted(found), [f"m-{n}" for n in range(55, 60)])
            client = g.imap()
            client.select(f'"Restored-{date}/Projects/2026"')
            _, data = client.fetch("1:*", "(FLAGS INTERNALDATE)")
            for line, original in zip(data, dates):
                self.assertIn(b"\\Flagged", line)
                self.assertIn(b"$Work", line)
                self.assertEqual(re.search(rb'INTERNALDATE "([^"]+)"', line).group(1), re.search(rb'INTERNALDATE "([^"]+)"', original).group(1))
            # Held is held still: only moving it to the INBOX releases it.
            client.select(f'"Restored-{date}/Quarantine"')
            released = g.log_text().count("quarantine.release")
            self.assertEqual(client._simple_command("MOVE", "1", "Sent")[0], "NO")
            self.assertEqual(client._simple_command("MOVE", "1", "INBOX")[0], "OK")
            self.assertEqual(g.log_text().count("quarantine.release"), released + 1)
            client.logout()
            # With --all also what is there, but not what this very command restored before.
            done = g.json("restore", g.path("backups"), "--user", ALICE, "--folder", "inbox", "--all")
            self.assertEqual((done["restored"], done["present"]), (10, 45), done)
            g.stop()
            self.check(g)

    def test_one_folder_and_one_message(self):
        with gateway() as g:
            for number in range(5):
                self.assertEqual(g.send(body_of(f"m-{number}", 1000))[0], 250)
            self.backup(g)
            client = g.imap()
            client.select("INBOX")
            _, data = client.fetch("3", "(BODY.PEEK[HEADER])")
            ours = re.search(rb"X-Postern-Verdict: .*id=(\w+)", data[0][1]).group(1).decode()
            client.store("1:*", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.logout()
            date = time.strftime("%Y-%m-%d", time.gmtime())
            done = g.json("restore", g.path("backups"), "--user", ALICE, "--message", ours)
            self.assertEqual(done["folders"], {f"Restored-{date}/INBOX": 1})
            self.assertEqual(list(keys_in(g, ALICE, f"Restored-{date}/INBOX")[0]), ["m-2"])
            done = g.json("restore", g.path("backups"), "--user", ALICE, "--folder", "INBOX", "--message", "<m-4@sender.example>")
            self.assertEqual(done["restored"], 1)
            self.assertEqual(sorted(keys_in(g, ALICE, f"Restored-{date}/INBOX")[0]), ["m-2", "m-4"])
            for wrong, said in ((("--user", ALICE, "--message", "NOSUCH"), "no such message"), (("--user", "eve@example.test"), "no user"),
                                (("--user", ALICE, "--folder", "Nowhere"), "no folder"), (("--user", ALICE, "--generation", "x"), "there is no backup x")):
                refused = g.command("restore", g.path("backups"), *wrong)
                self.assertEqual(refused.returncode, 1, wrong)
                self.assertIn(said, refused.stderr)
            self.assertEqual(g.command("restore", g.path("backups"), "--folder", "INBOX").returncode, 2)

    def test_a_removed_user_is_made_again_without_a_password(self):
        with gateway() as g:
            self.assertEqual(g.send(body_of("m-1", 1000), to=BOB)[0], 250)
            self.backup(g)
            g.command("user", "remove", BOB, check=True)
            done = g.command("restore", g.path("backups"), "--user", BOB)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("without a password", done.stdout)
            with self.assertRaises(Exception):
                g.imap(BOB)
            g.command("user", "password", BOB, "--password-stdin", input=PASSWORD + "\n", check=True)
            date = time.strftime("%Y-%m-%d", time.gmtime())
            self.assertEqual(list(keys_in(g, BOB, f"Restored-{date}/INBOX")[0]), ["m-1"])


class Folders(Case):
    def test_a_second_backup_is_small_and_old_ones_go_without_harm(self):
        with gateway() as g:
            for number in range(30):
                self.assertEqual(g.send(body_of(f"m-{number}", 200_000))[0], 250)
            first = self.backup(g)
            self.assertEqual(g.send(body_of("m-30", 2000))[0], 250)
            second = self.backup(g)
            self.assertEqual(second["new_segments"], 1)
            self.assertLess(second["new_octets"], first["new_octets"] / 10)
            third = self.backup(g, "--keep", "2")
            self.assertEqual(third["dropped"], [first["backup"]])
            listed = g.json_lines("backup", g.path("backups"), "--list")
            self.assertEqual([row["backup"] for row in listed], [second["backup"], third["backup"]])
            for row in listed:
                self.verify(g, "--generation", row["backup"])
            metrics = g.json("status")["backup"]
            self.assertEqual(metrics["folder"], g.path("backups"))
            self.restore_whole(g, "--generation", second["backup"])
            self.assertEqual(len(keys_in(g, ALICE)[0]), 31)
            # The original is a plain copy's concern no more: the backup stays whole whatever becomes of it.
            self.verify(g)

    def test_without_a_server_the_store_is_opened_for_it(self):
        with gateway() as g:
            self.assertEqual(g.send(body_of("m-1", 2000))[0], 250)
            g.stop()
            self.backup(g)
            self.verify(g)
            g.command("user", "remove", BOB, check=True)
            done = g.json("restore", g.path("backups"), "--user", BOB)
            self.assertTrue(done["user_made"])
            self.check(g)
            shutil.rmtree(g.path("data"))
            none = g.command("backup", g.path("others"))
            self.assertEqual(none.returncode, 1)
            self.assertIn("there is no store", none.stderr)
            self.assertFalse(os.path.exists(g.path("others")))
            g.command("restore", g.path("backups"), check=True)   # the data folder is made
            for folder, _, files in os.walk(g.path("data")):
                self.assertEqual(os.stat(folder).st_mode & 0o777, 0o700, folder)
                for name in files:
                    self.assertEqual(os.stat(os.path.join(folder, name)).st_mode & 0o077, 0, name)
            self.check(g)
            g.start()
            self.assertEqual(list(keys_in(g, ALICE)[0]), ["m-1"])

    def test_wrong_folders_are_refused_with_a_sentence(self):
        with gateway() as g:
            os.mkdir(g.path("home"))
            with open(g.path("home", "letter"), "w") as letter:
                letter.write("dear")
            for arguments, said in ((("backup", g.path("home")), "holds other things"), (("backup", g.path("data")), "holds other things"),
                                    (("backup", g.path("nowhere", "deep")), "No such file"),
                                    (("backup", g.path("home"), "--verify"), "no folder of backups"),
                                    (("backup", g.path("home"), "--list"), "no folder of backups"),
                                    (("restore", g.path("home")), "a server runs"),
                                    (("restore", g.path("home"), "--user", ALICE), "no folder of backups")):
                done = g.command(*arguments)
                self.assertEqual(done.returncode, 1, arguments)
                self.assertIn(said, done.stderr, arguments)
            self.assertEqual(os.listdir(g.path("home")), ["letter"])
            self.backup(g)
            g.stop()
            done = g.command("restore", g.path("backups"))
            self.assertEqual(done.returncode, 1)
            self.assertIn("is not empty", done.stderr)
            self.check(g)

    def test_damage_in_a_backup_is_told_and_not_restored(self):
        with gateway() as g:
            self.assertEqual(g.send(body_of("m-1", 20_000))[0], 250)
            self.assertEqual(g.send(body_of("m-2", 20_000))[0], 250)
            self.backup(g)
            segments = g.path("backups", "segments")
            # A copy of its own, as on another disk: the store must not suffer.
            shutil.copytree(g.path("backups"), g.path("copy"))
            segment = max((os.path.join(g.path("copy", "segments"), n) for n in os.listdir(segments)), key=os.path.getsize)
            with open(segment, "r+b") as f:
                f.seek(5000)
                f.write(b"#")
            done = g.command("backup", g.path("copy"), "--verify")
            self.assertEqual(done.returncode, 1)
            self.assertIn("wrong checksum", done.stdout)
            self.assertIn(os.path.basename(segment), done.stdout)
            client = g.imap()
            client.select("INBOX")
            client.store("1:*", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.logout()
            done = g.command("restore", g.path("copy"), "--user", ALICE, "--json")
            self.assertEqual(done.returncode, 1)
            self.assertIn('"restored":1', done.stdout)
            self.assertIn("wrong checksum", done.stdout)
            g.stop()
            shutil.rmtree(g.path("data"))
            done = g.command("restore", g.path("copy"))
            self.assertEqual(done.returncode, 1)
            self.assertIn("is damaged", done.stderr)
            # Half of it is there and is no store.
            self.assertIn("was interrupted", g.command("user", "list").stderr)
            g.command("restore", g.path("backups"), check=True)
            self.check(g)


class Interrupted(Case):
    def run_and_kill(self, g, after, *arguments):
        process = subprocess.Popen([g.program, "--config", g.path("postern.toml"), *arguments], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait()

    def fill(self, g):
        for number in range(40):
            self.assertEqual(g.send(body_of(f"m-{number}", 400_000))[0], 250)
        return {f"m-{n}": hashlib.sha256(body_of(f"m-{n}", 400_000).encode()).hexdigest() for n in range(40)}

    def test_a_killed_backup_is_none_and_the_next_is_made(self):
        with gateway() as g:
            self.fill(g)
            complete = 0
            for number in range(8):
                status = self.run_and_kill(g, random.uniform(0.0, 0.25), "backup", g.path("backups"))
                complete += status == 0
                if not os.path.exists(g.path("backups", "postern-backup")):
                    continue
                listed = g.json_lines("backup", g.path("backups"), "--list")
                self.assertGreaterEqual(len(listed), complete)
                for row in listed:
                    self.verify(g, "--generation", row["backup"])
                self.assertEqual(g.send(body_of(f"k-{number}", 100_000))[0], 250)
            self.backup(g, "--keep", "1")
            self.verify(g)
            left = [n for n in os.listdir(g.path("backups")) + os.listdir(g.path("backups", "segments")) if n.endswith(".partial")]
            self.assertEqual(left, [])
            g.stop()
            self.check(g)
            self.assertFalse(os.path.exists(g.path("data", "frozen")))

    def test_a_server_that_is_killed_takes_the_backup_with_it(self):
        with gateway() as g:
            wanted = self.fill(g)
            process = subprocess.Popen([g.program, "--config", g.path("postern.toml"), "backup", g.path("backups")],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            g.wait_log("event=store.frozen")
            g.stop(signal.SIGKILL)
            _, said = process.communicate(timeout=60)
            rows = g.json_lines("backup", g.path("backups"), "--list")
            if process.returncode != 0:   # or it was quicker
                self.assertEqual(rows, [], said)
            g.start()
            self.backup(g)
            self.verify(g)
            self.assertFalse(os.path.exists(g.path("data", "frozen")))
            self.assertEqual(keys_in(g, ALICE)[0], wanted)

    def test_a_killed_restore_is_begun_again(self):
        with gateway() as g:
            wanted = self.fill(g)
            self.backup(g)
            g.stop()
            shutil.rmtree(g.path("data"))
            killed = 0
            for _ in range(8):
                if self.run_and_kill(g, random.uniform(0.0, 0.15), "restore", g.path("backups")) == 0:
                    break
                killed += 1
                if os.path.exists(g.path("data", "restoring")):
                    for _ in range(2):
                        self.assertIn("was interrupted", g.command("user", "list").stderr)
            else:
                g.command("restore", g.path("backups"), check=True)
            print(f"killed {killed} times", flush=True)
            self.check(g)
            g.start()
            self.assertEqual(keys_in(g, ALICE)[0], wanted)

    def test_a_killed_restore_of_a_user_goes_on_where_it_ended(self):
        with gateway() as g:
            wanted = self.fill(g)
            self.backup(g)
            client = g.imap()
            client.select("INBOX")
            client.store("1:*", "+FLAGS", r"(\Deleted)")
            client.expunge()
            client.logout()
            for _ in range(4):
                self.run_and_kill(g, random.uniform(0.0, 0.2), "restore", g.path("backups"), "--user", ALICE)
            g.command("restore", g.path("backups"), "--user", ALICE, check=True)
            date = time.strftime("%Y-%m-%d", time.gmtime())
            self.assertEqual(keys_in(g, ALICE, f"Restored-{date}/INBOX")[0], wanted)
            g.stop()
            self.check(g)

    def test_a_full_disk_below_the_backups_leaves_the_complete_ones_and_the_gateway_alone(self):
        with gateway() as g:
            disk = g.path("disk")
            os.mkdir(disk)
            if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk]).returncode != 0:
                self.skipTest("cannot mount a tmpfs here")
            try:
                self.assertEqual(g.send(body_of("m-1", 500_000))[0], 250)
                first = self.backup(g, directory="disk/backups")   # copied: another file system
                self.assertFalse(first["linked"])
                for number in range(20):
                    self.assertEqual(g.send(body_of(f"f-{number}", 1_500_000))[0], 250)
                done = g.command("backup", os.path.join(disk, "backups"))
                self.assertEqual(done.returncode, 1)
                self.assertIn("No space left", done.stderr)
                self.assertEqual([r["backup"] for r in g.json_lines("backup", os.path.join(disk, "backups"), "--list")], [first["backup"]])
                self.verify(g, directory="disk/backups")
                self.assertEqual(g.send(body_of("m-2", 500_000))[0], 250)
                subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
                second = self.backup(g, directory="disk/backups")
                self.assertLess(second["new_octets"], second["octets"])
                self.verify(g, directory="disk/backups")
                self.restore_whole(g, directory="disk/backups")
                self.assertEqual(len(keys_in(g, ALICE)[0]), 22)
            finally:
                g.stop()
                subprocess.run(["umount", disk])


if __name__ == "__main__":
    import imaplib
    imaplib._MAXLINE = 10_000_000
    sys.exit(unittest.main())
