"""Real clients against the running gateway: swaks, curl, mbsync, fetchmail, mutt, imaplib."""
import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
import time
import unittest

from gateway import PASSWORD, Gateway, message


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **more)


def on_terminal(command, environment, seconds=60):
    """Runs a program that wants a terminal and gives what it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True)
    os.close(theirs)
    screen = b""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ready, _, _ = select.select([ours], [], [], 0.2)
        try:
            piece = os.read(ours, 65536) if ready else b""
        except OSError:   # the program is gone and with it the terminal's other side
            break
        screen += piece
        if not ready and process.poll() is not None:
            break
    process.kill()
    process.wait()
    os.close(ours)
    return screen


def needs(program):
    return unittest.skipUnless(shutil.which(program), f"{program} is not installed")


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # swaks and curl come from loopback itself: ours, so that SPF of their made-up sender does not matter.
        cls.gateway = Gateway(sections={"smtp": 'trusted = ["127.0.0.0/8"]'})
        for number in range(5):
            code, text = cls.gateway.send(message(subject=f"number {number}", body=f"body {number}\r\n" * 100))
            assert code == 250, text

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()

    @needs("swaks")
    def test_swaks_sends_in_plaintext_and_with_starttls(self):
        for extra in ([], ["--tls"]):
            done = run("swaks", "--server", f"127.0.0.1:{self.gateway.ports['smtp']}", "--from", "you@sender.example", "--to",
                       "bob@example.test", "--ehlo", "mail.sender.example", *extra)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        folders = [self.gateway.folder(name, "bob@example.test") for name in ("INBOX", "Junk", "Quarantine")]
        self.assertGreaterEqual(sum(map(len, folders)), 2)

    def test_curl_sends(self):
        path = self.gateway.path("curl.eml")
        with open(path, "w") as f:
            f.write(message(subject="by curl"))
        done = run("curl", "-sS", f"smtp://127.0.0.1:{self.gateway.ports['smtp']}/mail.sender.example", "--mail-from", "you@sender.example",
                   "--mail-rcpt", "bob@example.test", "-T", path, "--ssl", "-k")
        self.assertEqual(done.returncode, 0, done.stderr)
        folders = sum((self.gateway.folder(name, "bob@example.test") for name in ("INBOX", "Junk", "Quarantine")), [])
        self.assertTrue(any(b"Subject: by curl" in m for m in folders))

    def test_curl_reads_over_imaps_and_pop3s(self):
        login = f"alice@example.test:{PASSWORD}"
        done = run("curl", "-sSk", f"imaps://127.0.0.1:{self.gateway.ports['imaps']}/INBOX;MAILINDEX=1", "-u", login)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Subject: number 0", done.stdout)
        done = run("curl", "-sSk", f"pop3s://127.0.0.1:{self.gateway.ports['pop3s']}/2", "-u", login)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Subject: number 1", done.stdout)

    def test_a_wrong_password_is_refused(self):
        done = run("curl", "-sSk", f"imaps://127.0.0.1:{self.gateway.ports['imaps']}/INBOX", "-u", "alice@example.test:wrong")
        self.assertNotEqual(done.returncode, 0)

    @needs("mbsync")
    def test_mbsync_fetches_everything_and_carries_flags_back(self):
        home = self.gateway.path("mbsync")
        os.makedirs(os.path.join(home, "mail"))
        rc = os.path.join(home, "rc")
        with open(rc, "w") as f:
            f.write(f"IMAPAccount a\nHost localhost\nPort {self.gateway.ports['imaps']}\nUser alice@example.test\nPass \"{PASSWORD}\"\n"
                    f"SSLType IMAPS\nCertificateFile {self.gateway.path('tls.crt')}\n\nIMAPStore far\nAccount a\n\n"
                    f"MaildirStore near\nPath {home}/mail/\nInbox {home}/mail/INBOX\nSubFolders Verbatim\n\n"
                    "Channel c\nFar :far:\nNear :near:\nPatterns *\nCreate Near\nSync All\nExpunge Both\nSyncState *\n")
        done = run("mbsync", "-c", rc, "-a", env=dict(os.environ, HOME=home))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        inbox = os.path.join(home, "mail", "INBOX")
        files = [(part, name) for part in ("new", "cur") for name in sorted(os.listdir(os.path.join(inbox, part)))]
        self.assertEqual(len(files), 5, done.stdout + done.stderr)
        self.assertTrue(os.path.isdir(os.path.join(home, "mail", "Quarantine")))
        part, name = files[0]
        os.rename(os.path.join(inbox, part, name), os.path.join(inbox, "cur", name.split(":")[0] + ":2,FS"))
        done = run("mbsync", "-c", rc, "-a", env=dict(os.environ, HOME=home))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        client = self.gateway.imap()
        client.select("INBOX", readonly=True)
        self.assertEqual(len(client.search(None, "FLAGGED", "SEEN")[1][0].split()), 1)
        client.logout()

    @needs("fetchmail")
    def test_fetchmail_takes_pop3_mail_away(self):
        self.gateway.command("user", "add", "erin@example.test", "--password-stdin", input=PASSWORD + "\n", check=True)
        for number in range(3):
            self.gateway.send(message(subject=f"fetch {number}", to="erin@example.test"), to="erin@example.test")
        home = self.gateway.path("fetchmail")
        os.makedirs(home, mode=0o700)
        rc = os.path.join(home, "rc")
        with open(rc, "w", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(f'poll 127.0.0.1 protocol pop3 port {self.gateway.ports["pop3"]} user "erin@example.test" password "{PASSWORD}" '
                    f'sslproto "auto" no sslcertck mda "cat >> {home}/out"\n')
        done = run("fetchmail", "-f", rc, "--pidfile", os.path.join(home, "pid"), "-a", env=dict(os.environ, HOME=home, FETCHMAILHOME=home))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        with open(os.path.join(home, "out")) as f:
            self.assertEqual(f.read().count("Subject: fetch"), 3)
        self.assertEqual(self.gateway.folder("INBOX", "erin@example.test"), [])

    @needs("mutt")
    def test_mutt_saves_a_message(self):
        home = self.gateway.path("mutt")
        os.makedirs(home)
        url = f"imaps://alice%40example.test@localhost:{self.gateway.ports['imaps']}/INBOX"
        with open(os.path.join(home, "rc"), "w") as f:
            f.write(f'set imap_pass="{PASSWORD}"\nset ssl_ca_certificates_file="{self.gateway.path("tls.crt")}"\n'
                    f'set mbox_type=mbox\nset confirmappend=no\nset confirmcreate=no\nset record=""\nset move=no\nset copy=no\nset folder=""\n'
                    f'set wait_key=no\npush "<copy-message>{home}/saved<enter><quit>"\n')
        screen = on_terminal(["mutt", "-n", "-F", f"{home}/rc", "-f", url], dict(os.environ, HOME=home, TERM="xterm"))
        saved = os.path.join(home, "saved")
        self.assertTrue(os.path.exists(saved), screen[-2000:])
        with open(saved) as f:
            self.assertIn("Subject: number", f.read())

    def test_imaplib_flags_search_append_and_expunge(self):
        client = self.gateway.imap("bob@example.test")
        self.assertEqual(client.create("Projects/2026")[0], "OK")
        self.assertEqual(client.append("Projects/2026", r"(\Seen)", None, message(subject="appended").encode())[0], "OK")
        client.select("Projects/2026")
        self.assertEqual(client.search(None, "SEEN")[1][0], b"1")
        self.assertEqual(client.store("1", "+FLAGS", r"(\Deleted)")[0], "OK")
        self.assertEqual(client.expunge()[1], [b"1"])
        client.close()
        self.assertEqual(client.delete("Projects/2026")[0], "OK")
        client.logout()


if __name__ == "__main__":
    sys.exit(unittest.main())
