"""Twenty IMAP sessions on one mailbox while mail comes in and each of them flags and expunges: all see the same in the
end, and none is told what RFC 3501 forbids on the way.  And POP3, which wants its maildrop alone."""
import os
import poplib
import random
import re
import sys
import threading
import time
import unittest

from gateway import PASSWORD, Gateway, message
from imap_view import View

SESSIONS = 20
SENDERS = 3
MESSAGES = 60             # of each sender
LEAST_COMMANDS = 40       # of each session
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "$Work", "$Later")
ALICE = "alice@example.test"


class Actor(threading.Thread):
    """One session that does what a reader may do, in an order of its own."""

    def __init__(self, view, seed, subjects, lock, ending):
        super().__init__()
        self.view, self.random, self.subjects, self.lock, self.ending = view, random.Random(seed), subjects, lock, ending
        self.commands = 0
        self.problem = None
        # Some only look: they are told of nothing unless the server may tell it.
        kinds = [self.look, self.look, self.flag, self.search, self.read, self.rest, self.wait, self.remove]
        self.kinds = {0: [self.look, self.search], 1: [self.wait], 2: [self.flag, self.look]}.get(seed % 7, kinds)

    def run(self):
        try:
            while not (self.ending.is_set() and self.commands >= LEAST_COMMANDS):
                self.random.choice(self.kinds)()
                self.commands += 1
        except Exception as problem:
            self.problem = problem

    def some(self):
        """A sequence number or a short range of them."""
        first = self.random.randint(1, len(self.view.messages))
        return f"{first}:{self.random.randint(1, len(self.view.messages))}" if self.random.random() < 0.3 else str(first)

    def look(self):
        if not self.view.messages:
            return self.rest()
        if self.random.random() < 0.5:
            self.view.command("FETCH", "1:* (UID FLAGS)", ("OK", "NO"))
        else:
            self.view.command("UID FETCH", "1:* (FLAGS)", ("OK", "NO"))

    def flag(self):
        if not self.view.messages:
            return self.rest()
        how = self.random.choice(("+FLAGS", "-FLAGS", "FLAGS"))
        if self.random.random() < 0.5:
            self.view.command("STORE", f"{self.some()} {how} ({self.random.choice(FLAGS)})", ("OK", "NO"))
        else:
            uid = self.random.randint(1, self.view.highest + 1)
            self.view.command("UID STORE", f"{uid} {how} ({self.random.choice(FLAGS)})", ("OK", "NO"))

    def search(self):
        if self.random.random() < 0.5:
            self.view.command("SEARCH", self.random.choice(("ALL", "SEEN", "NOT FLAGGED", "KEYWORD $Work", "SUBJECT mail")))
            if any(not 1 <= n <= len(self.view.messages) for n in self.view.found):
                self.view.fail(f"SEARCH found {self.view.found} of {len(self.view.messages)}")
        else:
            self.view.command("UID SEARCH", "ALL")

    def read(self):
        if not self.view.messages:
            return self.rest()
        self.view.command("FETCH", f"{self.random.randint(1, len(self.view.messages))} (UID BODY.PEEK[])", ("OK", "NO"))
        for uid, octets in self.view.bodies:
            subject = re.search(rb"Subject: (mail [\d.]+)\r\n", octets).group(1)
            with self.lock:
                if self.subjects.setdefault(uid, subject) != subject:
                    self.view.fail(f"uid {uid} is {subject} and was {self.subjects[uid]}")

    def rest(self):
        self.view.command(self.random.choice(("NOOP", "CHECK")))

    def wait(self):
        self.view.idle(0.1)

    def remove(self):
        if not self.view.messages or self.random.random() < 0.6:
            return self.rest()
        number = self.random.randint(1, len(self.view.messages))
        self.view.command("STORE", f"{number} +FLAGS (\\Deleted)", ("OK", "NO"))
        uid = self.view.messages[number - 1].uid
        if uid and self.random.random() < 0.5:
            self.view.command("UID EXPUNGE", str(uid))
        else:
            self.view.command("EXPUNGE")


class ManyImap(unittest.TestCase):
    def test_all_sessions_see_the_same_in_the_end_and_nothing_wrong_on_the_way(self):
        seed = int(os.environ.get("POSTERN_SEED", time.time_ns() % 100_000))
        print(f"POSTERN_SEED={seed}", flush=True)
        with Gateway(antivirus=False, sections={"tls": "allow_plaintext_login = true", "antivirus": "scanners = 0",
                                                "smtp": 'greet_delay = "0s"'}) as gateway:
            for number in range(5):
                self.assertEqual(gateway.send(message(subject=f"mail 0.{number}"))[0], 250)
            views = [View(gateway.ports["imap"], ALICE, PASSWORD, f"session {n}") for n in range(SESSIONS)]
            for view in views:
                view.select("INBOX")
                view.command("FETCH", "1:* (UID FLAGS)")
            ending, lock, subjects = threading.Event(), threading.Lock(), {}
            actors = [Actor(view, seed * 7 + n, subjects, lock, ending) for n, view in enumerate(views)]
            senders = [threading.Thread(target=self.send, args=(gateway, n + 1)) for n in range(SENDERS)]
            for thread in actors + senders:
                thread.start()
            for sender in senders:
                sender.join(60)
            ending.set()
            for actor in actors:
                actor.join(60)
            for actor in actors:
                if actor.problem:
                    raise actor.problem
            self.compare(gateway, views)
            self.assertIsNone(gateway.process.poll())
            print(f"{sum(a.commands for a in actors)} commands, {len(views[0].messages)} messages left, "
                  f"highest uid {max(v.highest for v in views)}", flush=True)

    def send(self, gateway, sender):
        with gateway.smtp() as client:
            for number in range(MESSAGES):
                client.mail("you@sender.example")
                client.rcpt(ALICE)
                code, text = client.data(message(subject=f"mail {sender}.{number}"))
                assert code == 250, text

    def compare(self, gateway, views):
        for view in views:
            view.command("NOOP")
        known = [dict(view.picture()) for view in views]      # before anything is asked: what was told
        for view in views:
            view.command("FETCH", "1:* (UID FLAGS)")
        fresh = View(gateway.ports["imap"], ALICE, PASSWORD, "fresh")
        fresh.select("INBOX")
        fresh.command("FETCH", "1:* (UID FLAGS)")
        self.assertGreater(len(fresh.messages), 0)
        uids = [m.uid for m in fresh.messages]
        self.assertEqual(uids, sorted(set(uids)))
        self.assertEqual(max(view.highest for view in views), 5 + SENDERS * MESSAGES)   # each message got one UID
        for view, told in zip(views, known):
            self.assertEqual(view.picture(), fresh.picture(), view.name)
            for uid, flags in told.items():
                if uid is not None and flags is not None:
                    self.assertEqual(flags, dict(fresh.picture())[uid], f"{view.name} was not told of the flags of uid {uid}")
        for view in views + [fresh]:
            view.close()


class Pop3(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(antivirus=False, sections={"antivirus": "scanners = 0"})
        for number in range(3):
            assert cls.gateway.send(message(subject=f"drop {number}"))[0] == 250

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()

    def refused(self):
        with self.assertRaises(poplib.error_proto) as caught:
            self.gateway.pop3()
        return str(caught.exception)

    def until_free(self):
        end = time.monotonic() + 20
        while True:
            try:
                return self.gateway.pop3()
            except poplib.error_proto as problem:
                self.assertIn("[IN-USE]", str(problem))
                self.assertLess(time.monotonic(), end, "the maildrop stays in use")
                time.sleep(0.05)

    def test_a_maildrop_is_for_one_session_and_free_again_after_quit_and_after_a_broken_connection(self):
        first = self.gateway.pop3()
        self.assertIn("[IN-USE]", self.refused())
        self.gateway.pop3("bob@example.test").quit()    # another maildrop is free
        first.dele(1)
        first.quit()
        second = self.until_free()
        self.assertEqual(second.stat()[0], 2)
        second.dele(1)
        second.close()                                  # no QUIT: nothing is deleted, RFC 1939 6
        third = self.until_free()
        self.assertEqual(third.stat()[0], 2)
        third.quit()

    def test_an_imap_session_reads_and_expunges_beside_a_pop3_session(self):
        pop = self.until_free()
        count = pop.stat()[0]
        client = self.gateway.imap()
        client.select("INBOX")
        client.store("1", "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.logout()
        self.assertEqual(pop.stat()[0], count)          # the view of its login, RFC 1939 8
        with self.assertRaises(poplib.error_proto):
            pop.retr(1)
        self.assertIn(b"Subject: drop 2", b"\n".join(pop.retr(count)[1]))
        pop.quit()
        again = self.until_free()
        self.assertEqual(again.stat()[0], count - 1)
        again.quit()


if __name__ == "__main__":
    sys.exit(unittest.main())
