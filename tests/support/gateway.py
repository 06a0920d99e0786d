"""Starts the real program on loopback with a configuration, a DNS zone and users of its own.

    with Gateway(zone={"sender.example A": "192.0.2.1"}) as gateway:
        gateway.send(...)

Every instance has its own folder and ports and leaves nothing behind.  Standard library only.
"""
import base64
import contextlib
import fcntl
import imaplib
import itertools
import json
import os
import poplib
import random
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import time

SOURCE = os.environ.get("POSTERN_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("POSTERN_BUILD") or os.path.join(SOURCE, "build")
SUITES = os.environ.get("POSTERN_SUITES") or os.path.join(os.path.dirname(SOURCE), "shared", "suites")
POSTERN = os.path.join(BUILD, "postern")

EICAR = "X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD" + "-ANTIVIRUS-TEST-FILE!$H+H*"
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
PASSWORD = "correct horse"

# What shipped rules ask of DNS for the sender that the tests use.
ZONE = {
    "sender.example A": "198.51.100.7",
    "sender.example MX": "10 mail.sender.example",
    "sender.example TXT": "v=spf1 ip4:198.51.100.7 -all",
    "mail.sender.example A": "198.51.100.7",
    "7.100.51.198.in-addr.arpa PTR": "mail.sender.example",
}

PORTS = range(10000, 30000)   # below those that the kernel gives to clients
_claimed = []                 # open files: other tests leave these ports alone while this one runs


def _claim(port):
    """Whether nobody listens there and no test beside this one wants to."""
    os.makedirs("/tmp/postern-ports", exist_ok=True)
    claim = open(f"/tmp/postern-ports/{port}", "w")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
    except OSError:
        claim.close()
        return False
    _claimed.append(claim)
    return True


def free_ports(names):
    """Different ones, by name."""
    candidates = itertools.cycle(random.sample(PORTS, 1000))
    return {name: next(port for port in candidates if _claim(port)) for name in names}


def wait_for(what, timeout=90):
    """The first value of what() that counts as true."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} never came true")


class Gateway:
    def __init__(self, zone=None, users=("alice@example.test", "bob@example.test"), config="", sections=None, rules=None,
                 rule_files=None, antivirus=True, program=POSTERN, start=True, dns="server", environment=None, keep=False):
        self.directory = tempfile.mkdtemp(prefix="postern-test-")
        self.program = program
        self.process = None
        self.dns_process = None
        self.keep = keep
        self.environment = dict(os.environ, **(environment or {}))
        self.ports = free_ports(("smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s", "admin"))
        self.zone = dict(ZONE, **(zone or {}))
        try:
            self.dns_port = self._start_dns() if dns == "server" else dns
            self._make_files(rules, rule_files, antivirus)
            self._write_config(config, sections or {})
            for user in users:
                self.command("user", "add", user, "--password-stdin", input=PASSWORD + "\n", check=True)
            if start:
                self.start()
        except BaseException:
            self.close()   # nobody else can: there is no object yet
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # --- files
    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def _start_dns(self):
        zone = self.path("zone")
        with open(zone, "w") as f:
            for key, values in self.zone.items():
                for value in values if isinstance(values, list) else [values]:
                    f.write(f"{key} {value}\n")
        self.dns_process = subprocess.Popen([sys.executable, os.path.join(SOURCE, "tests/support/dns_server.py"), zone],
                                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        return int(re.search(r"\d+", self.dns_process.stdout.readline()).group())

    def _make_files(self, rules, rule_files, antivirus):
        os.mkdir(self.path("data"))
        shutil.copytree(rules or os.path.join(SOURCE, "rules"), self.path("rules"))
        for name, text in (rule_files or {}).items():
            with open(self.path("rules", name), "w") as f:
                f.write(text)
        os.mkdir(self.path("signatures"))
        if antivirus:
            with open(self.path("signatures", "eicar.hdb"), "w") as f:
                f.write("44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-Signature\n")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", self.path("tls.key"), "-out", self.path("tls.crt")], check=True, capture_output=True)

    def _write_config(self, config, sections):
        defaults = {
            "listen": "\n".join(f'{name} = ["127.0.0.1:{port}"]' for name, port in self.ports.items() if name != "admin")
                      + f'\nadmin = "127.0.0.1:{self.ports["admin"]}"',
            "tls": f'certificate = "{self.path("tls.crt")}"\nkey = "{self.path("tls.key")}"',
            "dns": f'servers = ["127.0.0.1:{self.dns_port}"]\ntimeout = "2s"',
            'domains."example.test"': 'deliver = "mailboxes"',
            "smtp": 'xclient = ["127.0.0.0/8"]',
            "limits": "connections_per_address = 0\nconnections_per_network = 0\nconnection_rate_per_address = \"0\"\n"
                      "error_rate_per_address = \"0\"\nerror_rate_per_network = \"0\"\n"
                      "recipient_rate_per_address = \"0\"\nrecipient_rate_per_network = \"0\"\n"
                      "reader_connections_per_address = 0",
            "antivirus": f'database = "{self.path("signatures")}"\nscanners = 1',
        }
        for name, text in sections.items():
            given = {line.split("=")[0].strip() for line in text.splitlines()}
            kept = [line for line in defaults.get(name, "").splitlines() if line.split("=")[0].strip() not in given]
            defaults[name] = "\n".join(kept + [text])
        with open(self.path("postern.toml"), "w") as f:
            f.write(f'hostname = "mx.example.test"\ndata = "{self.path("data")}"\nrules = "{self.path("rules")}"\n{config}\n')
            for name, text in defaults.items():
                f.write(f"[{name}]\n{text}\n")

    # --- running
    def start(self, wait=True, before=()):
        """`before`: words of a program that is to run the gateway."""
        self.log = open(self.path("log"), "ab")
        self.process = subprocess.Popen([*before, self.program, "--config", self.path("postern.toml"), "serve"], stderr=self.log,
                                        env=self.environment)
        if wait:
            self.wait_log("event=ready", since=os.path.getsize(self.path("log")))

    def wait_log(self, text, since=0, timeout=60):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            with open(self.path("log"), errors="replace") as f:
                f.seek(since)
                if text in f.read():
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"the log never said {text!r}:\n{self.log_text()[-4000:]}")

    def log_size(self):
        return os.path.getsize(self.path("log"))

    def log_text(self):
        with open(self.path("log"), errors="replace") as f:
            return f.read()

    def stop(self, how=signal.SIGTERM, timeout=30):
        if self.process is None:
            return None
        self.process.send_signal(how)
        status = self.process.wait(timeout)
        self.process = None
        self.log.close()
        return status

    def close(self):
        with contextlib.suppress(Exception):
            self.stop(signal.SIGKILL)
        if not getattr(self, "log", None) is None and not self.log.closed:
            self.log.close()
        if self.dns_process:
            self.dns_process.kill()
            self.dns_process.wait()
            self.dns_process.stdout.close()
        if not self.keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def command(self, *arguments, input=None, check=False, timeout=120):
        done = subprocess.run([self.program, "--config", self.path("postern.toml"), *arguments], input=input, text=True,
                              capture_output=True, timeout=timeout, env=self.environment)
        if check and done.returncode != 0:
            raise AssertionError(f"postern {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def json(self, *arguments):
        return json.loads(self.command(*arguments, "--json", check=True).stdout)

    def json_lines(self, *arguments):
        return [json.loads(line) for line in self.command(*arguments, "--json", check=True).stdout.splitlines()]

    # --- clients
    def smtp(self, ip="198.51.100.7", helo="mail.sender.example"):
        """A connection that is judged as if it came from `ip`."""
        client = smtplib.SMTP("127.0.0.1", self.ports["smtp"], local_hostname=helo, timeout=60)
        client.ehlo()
        code, text = client.docmd("XCLIENT", f"ADDR={ip} HELO={helo}")
        if code != 220:
            raise smtplib.SMTPConnectError(code, text)
        client.ehlo()
        return client

    def submit(self, message, to, user="alice@example.test", sender=None, password=PASSWORD):
        """As a mail program of `user` would: the (code, text) of the reply to the body, or of the first refusal before it."""
        with smtplib.SMTP_SSL("127.0.0.1", self.ports["submissions"], local_hostname="laptop.home", context=insecure(), timeout=60) as smtp:
            try:
                smtp.login(user, password)
            except smtplib.SMTPAuthenticationError as refused:
                return refused.smtp_code, refused.smtp_error.decode()
            steps = [lambda: smtp.mail(user if sender is None else sender)]
            steps += [lambda one=one: smtp.rcpt(one) for one in ([to] if isinstance(to, str) else to)]
            for step in steps:
                code, text = step()
                if code != 250:
                    return code, text.decode()
            code, text = smtp.data(message)
            return code, text.decode()

    def send(self, message, to=("alice@example.test",), sender="you@sender.example", **client):
        """The (code, text) of the reply to the body, or of the first refusal before it."""
        with self.smtp(**client) as smtp:
            code, text = smtp.mail(sender)
            if code != 250:
                return code, text.decode()
            for recipient in [to] if isinstance(to, str) else to:
                code, text = smtp.rcpt(recipient)
                if code != 250:
                    return code, text.decode()
            code, text = smtp.data(message)
            return code, text.decode()

    def imap(self, user="alice@example.test", password=PASSWORD):
        client = imaplib.IMAP4_SSL("127.0.0.1", self.ports["imaps"], ssl_context=insecure())
        try:
            client.login(user, password)
        except imaplib.IMAP4.error:
            client.shutdown()
            raise
        return client

    def pop3(self, user="alice@example.test", password=PASSWORD):
        client = poplib.POP3_SSL("127.0.0.1", self.ports["pop3s"], context=insecure(), timeout=60)
        try:
            client.user(user)
            client.pass_(password)
        except poplib.error_proto:
            client.close()
            raise
        return client

    def folder(self, name, user="alice@example.test"):
        """All messages of a folder, as octets."""
        client = self.imap(user)
        try:
            status, count = client.select(f'"{name}"', readonly=True)
            assert status == "OK", count
            out = []
            for number in range(1, int(count[0]) + 1):
                _, data = client.fetch(str(number), "(BODY.PEEK[])")
                out.append(data[0][1])
            return out
        finally:
            client.logout()


def insecure():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def message(subject="hello", body="A line.\r\n", sender="you@sender.example", to="alice@example.test", extra=""):
    number = f"{time.time_ns()}.{os.getpid()}"
    return (f"From: {sender}\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
            f"Message-ID: <{number}@sender.example>\r\n{extra}\r\n{body}")


def with_attachment(octets, name="eicar.com"):
    body = base64.encodebytes(octets).decode().replace("\n", "\r\n")
    return message(subject="attached", body=(
        "--b\r\nContent-Type: text/plain\r\n\r\nSee the file.\r\n--b\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Disposition: attachment; filename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}--b--\r\n"),
        extra="MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n")
