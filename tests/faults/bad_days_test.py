"""DNS dead or raving, the scanner killed, hanging or without signatures, a certificate gone, a mistyped configuration,
a second opener, a graceful end: each is said, and no mail is lost or waved through."""
import contextlib
import imaplib
import io
import os
import signal
import socket
import subprocess
import sys
import time
import unittest
import zipfile

from gateway import EICAR, PASSWORD, Gateway, message, with_attachment


def scanner_pids(gateway):
    """Children of children of the gateway: the forked scanners."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as f:
                parents[int(entry)] = int(f.read().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            pass
    loaders = [p for p, parent in parents.items() if parent == gateway.process.pid]
    below = set(loaders)
    while True:
        more = {p for p, parent in parents.items() if parent in below} - below
        if not more:
            break
        below |= more
    return sorted(below - set(loaders))


class Dns(unittest.TestCase):
    def test_a_dead_resolver_lets_no_message_fail_for_ever_nor_be_trusted(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            with Gateway(dns=silent.getsockname()[1], sections={"dns": 'timeout = "300ms"'}) as gateway:
                code, text = gateway.send(message(subject="in the dark"))
                self.assertEqual(code, 451, text)
                self.assertIn("cannot be looked up at the moment", text)

    def test_a_resolver_that_raves_is_not_believed(self):
        zone = {"sender.example TXT": "RUBBISH", "sender.example MX": "RUBBISH", "sender.example A": "RUBBISH"}
        with Gateway(zone=zone, sections={"dns": 'timeout = "300ms"'}) as gateway:
            code, text = gateway.send(message(subject="raving"))
            self.assertEqual(code, 451, text)
            self.assertIsNone(gateway.process.poll())

    def test_a_policy_that_is_out_of_reach_is_waited_for(self):
        zone = {"sender.example MX": "10 mx.sender.example", "_dmarc.sender.example TXT": "SERVFAIL"}
        with Gateway(zone=zone, sections={"dns": 'timeout = "300ms"'}) as gateway:
            code, text = gateway.send(message(subject="which policy"))
            self.assertEqual(code, 451, text)
            self.assertIn("DMARC cannot be checked now", text)


def zip_in_zip(depth):
    octets, name = b"harmless", "letter.txt"
    for _ in range(depth):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, octets)
        octets, name = packed.getvalue(), "inner.zip"
    return octets


def multiparts(depth):
    body = "Content-Type: text/plain\r\n\r\ndeep\r\n"
    for i in range(depth):
        body = f"Content-Type: multipart/mixed; boundary=b{i}\r\n\r\n--b{i}\r\n{body}--b{i}--\r\n"
    header, body = body.split("\r\n\r\n", 1)
    return message(subject="deep", body=body, extra=f"MIME-Version: 1.0\r\n{header}\r\n")


class Scanner(unittest.TestCase):
    def test_what_nobody_can_look_through_is_quarantined_not_put_off_for_ever(self):
        cases = {
            "zips in zips": with_attachment(zip_in_zip(17), "deep.zip"),
            "multiparts in multiparts": multiparts(40),
        }
        with Gateway() as gateway:
            for name, sent in cases.items():
                with self.subTest(name):
                    code, text = gateway.send(sent)
                    self.assertEqual(code, 250, text)
                    rows = gateway.json_lines("quarantine", "list")
                    row = next(r for r in rows if r["id"] == text.split()[-1])
                    self.assertEqual(row["class"], "policy", row)
                    self.assertIn("limit exceeded", row["reason"])

    def test_a_killed_scanner_is_replaced_and_no_virus_passes(self):
        with Gateway() as gateway:
            self.assertEqual(gateway.send(message(subject="first"))[0], 250)
            pids = scanner_pids(gateway)
            self.assertTrue(pids)
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
            code, text = gateway.send(with_attachment(EICAR.encode()))
            self.assertEqual(code, 250, text)
            self.assertEqual(len(gateway.json_lines("quarantine", "list", "--class", "virus")), 1)

    def test_a_hanging_scanner_is_found_out_and_the_message_is_not_waved_through(self):
        with Gateway(sections={"antivirus": 'timeout = "1s"'}) as gateway:
            self.assertEqual(gateway.send(message(subject="first"))[0], 250)
            for pid in scanner_pids(gateway):
                os.kill(pid, signal.SIGSTOP)
            code, text = gateway.send(with_attachment(EICAR.encode()))
            # The second scanner that hangs settles it, or one that was started anew finds the virus.
            self.assertEqual(code, 250, text)
            self.assertEqual(len(gateway.json_lines("quarantine", "list")), 1)
            self.assertEqual(gateway.folder("INBOX")[1:], [])

    def test_without_signatures_start_and_status_say_so_and_mail_is_deferred(self):
        with Gateway(antivirus=False) as gateway:
            code, text = gateway.send(message(subject="unscanned"))
            self.assertEqual(code, 451, text)
            self.assertNotEqual(gateway.json("status")["antivirus"]["state"], "ready")
            self.assertEqual(gateway.folder("INBOX"), [])
            with open(gateway.path("signatures", "eicar.hdb"), "w") as f:
                f.write("44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-Signature\n")
            for _ in range(300):
                if gateway.json("status")["antivirus"]["state"] == "ready":
                    break
                time.sleep(0.1)
            self.assertEqual(gateway.send(message(subject="scanned now"))[0], 250)


class Start(unittest.TestCase):
    def fails(self, gateway, status, words):
        done = gateway.command("serve")
        self.assertEqual(done.returncode, status, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_a_mistyped_key_is_told_with_its_line_and_a_suggestion(self):
        with Gateway(start=False, users=(), config='hostnme = "x"') as gateway:
            self.fails(gateway, 2, ["postern.toml:", "hostnme", "hostname"])
            done = gateway.command("check")
            self.assertEqual(done.returncode, 2)
            self.assertIn("hostnme", done.stdout)

    def test_a_deliver_that_names_no_host_is_refused(self):
        with Gateway(start=False, users=(), sections={'domains."old.example"': 'deliver = "smtp//10.0.0.5:25"'}) as gateway:
            self.fails(gateway, 2, ["smtp://HOST:PORT", "postern.toml:"])

    def test_a_missing_certificate_is_named(self):
        with Gateway(start=False, users=()) as gateway:
            os.unlink(gateway.path("tls.crt"))
            self.fails(gateway, 2, [gateway.path("tls.crt")])

    def test_a_broken_certificate_at_reload_leaves_the_old_one_in_use(self):
        with Gateway() as gateway:
            with open(gateway.path("tls.crt"), "w") as f:
                f.write("rubbish")
            size = gateway.log_size()
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait_log("event=reload ", since=size)
            self.assertIn("reload.certificate", gateway.log_text())
            client = gateway.imap()
            client.logout()

    def test_a_second_server_names_the_first(self):
        with Gateway() as gateway:
            with open(gateway.path("postern.toml")) as f:
                text = f.read()
            for port in gateway.ports.values():
                text = text.replace(f"127.0.0.1:{port}", "127.0.0.1:0")
            second = gateway.path("second.toml")
            with open(second, "w") as f:
                f.write(text)
            done = subprocess.run([gateway.program, "--config", second, "serve"], text=True, capture_output=True, timeout=60)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(str(gateway.process.pid), done.stderr)

    def test_a_second_server_on_the_same_ports_takes_no_connection_from_the_first(self):
        with Gateway() as gateway:
            # Its key is a pipe: the second server waits there, its ports bound and the store not yet asked for.
            pipe, config = gateway.path("key.pipe"), gateway.path("second.toml")
            os.mkfifo(pipe)
            with open(gateway.path("postern.toml")) as f:
                text = f.read().replace(gateway.path("tls.key"), pipe)
            with open(config, "w") as f:
                f.write(text)
            second = subprocess.Popen([gateway.program, "--config", config, "serve"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                with open(pipe, "w"):   # opens when the second server opens its end
                    for _ in range(40):
                        for service, wanted in (("smtp", b"220 "), ("imap", b"* OK ")):
                            with socket.create_connection(("127.0.0.1", gateway.ports[service]), timeout=10) as client:
                                self.assertTrue(client.recv(100).startswith(wanted))
                # Whether it looks into the file once or twice is its own affair: it finds it empty each time.
                end = time.monotonic() + 60
                while second.poll() is None and time.monotonic() < end:
                    with contextlib.suppress(OSError):   # ENXIO: nobody has it open
                        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
                    time.sleep(0.02)
                self.assertNotIn(second.poll(), (None, 0))
            finally:
                second.kill()
                second.wait()

    def test_a_graceful_end_says_421_to_who_waits_and_exits_0(self):
        gateway = Gateway()
        try:
            client = gateway.smtp()
            gateway.process.send_signal(signal.SIGTERM)
            self.assertTrue(client.getreply()[0] == 421)
            self.assertEqual(gateway.process.wait(20), 0)
        finally:
            gateway.close()


class Logins(unittest.TestCase):
    def test_guessing_is_slowed_down_and_then_refused_and_unban_ends_it(self):
        with Gateway() as gateway:
            refused = False
            for number in range(25):
                try:
                    gateway.imap("alice@example.test", f"wrong {number}").logout()
                except imaplib.IMAP4.error as error:
                    refused = "too many" in str(error).lower()
                if refused:
                    break
            self.assertTrue(refused, gateway.log_text()[-2000:])
            gateway.command("user", "unban", "alice@example.test")
            gateway.command("user", "unban", "127.0.0.1")
            gateway.imap("alice@example.test", PASSWORD).logout()


if __name__ == "__main__":
    sys.exit(unittest.main())
