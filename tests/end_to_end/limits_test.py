"""Who may speak for whom, how often, how much: PROXY, XCLIENT, the limits of [limits], early talkers, and memory."""
import email
import ipaddress
import os
import selectors
import socket
import struct
import sys
import time
import unittest

from gateway import Gateway, message
from wire import Connection

PROXY = "127.0.0.2"       # must send a PROXY header
STRANGER = "127.0.0.3"    # in no list
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def proxy_v2(ip, command=1, port=40000):
    address = ipaddress.ip_address(ip)
    block = address.packed * 2 + struct.pack("!HH", port, 25)
    return SIGNATURE + bytes([0x20 | command, 0x11 if address.version == 4 else 0x21]) + struct.pack("!H", len(block)) + block


def send_one(connection, subject, helo="mail.sender.example"):
    """A whole session behind the greeting; the reply to the body."""
    connection.ask(f"EHLO {helo}")
    for command, code in (("MAIL FROM:<you@sender.example>", "250"), ("RCPT TO:<alice@example.test>", "250"), ("DATA", "354")):
        reply = connection.ask(command)
        if not reply.startswith(code):
            return reply
    return connection.ask(message(subject=subject) + ".")


def until(condition, what, timeout=30):
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never came true: {what}")
        time.sleep(0.02)


class Front(unittest.TestCase):
    """A proxy in front of the gateway, and networks that are not one."""

    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(sections={
            "smtp": f'proxy = ["{PROXY}/32"]\nxclient = ["127.0.0.1/32"]\ngreet_delay = "0s"',
            "limits": 'connections_per_address = 3\nconnections_per_network = 0\nconnection_rate_per_address = "0"'})

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()

    def connect(self, source):
        return Connection(self.gateway.ports["smtp"], source)

    def received(self, subject):
        found = [m for m in map(email.message_from_bytes, self.gateway.folder("INBOX")) if m["Subject"] == subject]
        self.assertEqual(len(found), 1, subject)
        return found[0]

    def test_the_address_of_a_proxy_header_is_the_clients_in_received_and_for_spf(self):
        for name, header in (("v1", b"PROXY TCP4 198.51.100.7 127.0.0.1 40000 25\r\n"), ("v2", proxy_v2("198.51.100.7"))):
            with self.subTest(name), self.connect(PROXY) as connection:
                connection.send(header)
                self.assertRegex(connection.reply(), r"^220 ")
                self.assertRegex(send_one(connection, f"proxied {name}"), r"^250 ")
                got = self.received(f"proxied {name}")
                self.assertIn("[198.51.100.7]", got["Received"])
                self.assertNotIn(PROXY, got["Received"])
                self.assertIn("spf=pass", got["Authentication-Results"])

    def test_ipv6_clients_come_through_a_proxy_too(self):
        for name, header in (("six v1", b"PROXY TCP6 2001:db8::7 ::1 40000 25\r\n"), ("six v2", proxy_v2("2001:db8::7"))):
            with self.subTest(name), self.connect(PROXY) as connection:
                connection.send(header)
                self.assertRegex(connection.reply(), r"^220 ")
                self.assertRegex(send_one(connection, name), r"^250 ")
                self.assertIn("[IPv6:2001:db8::7]", self.received(name)["Received"])

    def test_a_proxy_header_may_come_octet_by_octet_and_with_the_first_command_behind_it(self):
        for header in (b"PROXY TCP4 198.51.100.7 127.0.0.1 40000 25\r\n", proxy_v2("198.51.100.7")):
            with self.connect(PROXY) as connection:
                connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for octet in header:
                    connection.send(bytes([octet]))
                connection.send(b"EHLO mail.sender.example\r\n")
                self.assertRegex(connection.reply(), r"^220 ")
                self.assertRegex(connection.reply(), r"^250-")

    def test_a_proxy_that_speaks_for_itself_is_the_client(self):
        for header in (b"PROXY UNKNOWN\r\n", proxy_v2("198.51.100.7", command=0)):
            with self.connect(PROXY) as connection:
                connection.send(header)
                self.assertRegex(connection.reply(), r"^220 ")

    def test_a_missing_or_broken_proxy_header_closes_without_a_word(self):
        long_block = SIGNATURE + b"\x21\x11" + struct.pack("!H", 60000)
        for header in (b"EHLO client.example\r\n", b"PROXY TCP4 nonsense 127.0.0.1 1 25\r\n", b"PROXY TCP4 198.51.100.7\r\n",
                       b"PROXY TCP4 198.51.100.7 127.0.0.1 40000 25\n", b"PROXY " + b"x" * 200 + b"\r\n",
                       SIGNATURE + b"\x31\x11\0\x0c" + b"\0" * 12, SIGNATURE + b"\x22\x11\0\x0c" + b"\0" * 12,
                       SIGNATURE + b"\x21\x11\0\x04" + b"\0" * 4, long_block):
            with self.subTest(header[:40]), self.connect(PROXY) as connection:
                connection.send(header)
                self.assertTrue(connection.closed())

    def test_who_is_no_proxy_cannot_claim_an_address(self):
        with self.connect(STRANGER) as connection:
            self.assertRegex(connection.reply(), r"^220 ")
            self.assertRegex(connection.ask("PROXY TCP4 198.51.100.7 127.0.0.1 40000 25"), r"^500 ")

    def test_xclient_is_neither_offered_to_nor_obeyed_from_other_networks(self):
        with self.connect(STRANGER) as connection:
            connection.reply()
            self.assertNotIn("XCLIENT", connection.ask("EHLO mail.sender.example"))
            self.assertRegex(connection.ask("XCLIENT ADDR=198.51.100.7"), r"^50[02] ")
            send_one(connection, "not believed")
        with self.connect("127.0.0.1") as connection:
            connection.reply()
            self.assertIn("XCLIENT", connection.ask("EHLO mail.sender.example"))
        got = b"".join(self.gateway.folder("INBOX") + self.gateway.folder("Junk"))
        at = got.index(b"Subject: not believed")
        self.assertIn(b"[127.0.0.3]", got[got.rindex(b"Received:", 0, at):at])

    def test_connections_are_counted_by_the_address_that_the_proxy_names(self):
        header = b"PROXY TCP4 192.0.2.9 127.0.0.1 40000 25\r\n"
        held = [self.connect(PROXY) for _ in range(4)]
        try:
            greetings = []
            for connection in held:
                connection.send(header)
                greetings.append(connection.reply()[:3])
            self.assertEqual(greetings, ["220", "220", "220", "421"])
            with self.connect(PROXY) as other:
                other.send(header.replace(b"192.0.2.9", b"192.0.2.10"))
                self.assertRegex(other.reply(), r"^220 ")
        finally:
            for connection in held:
                connection.socket.close()


class Counted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(sections={
            "smtp": 'xclient = ["127.0.0.1/32"]\nmax_size = "64KB"\ngreet_delay = "1s"',
            "limits": 'connections_per_address = 4\nconnections_per_network = 6\nconnection_rate_per_address = "8/10m"\n'
                      'recipients_per_message = 100\nerrors_per_session = 5'})

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()

    def connect(self, source="127.0.0.1"):
        return Connection(self.gateway.ports["smtp"], source)

    def as_client(self, ip):
        connection = self.connect()
        connection.reply()
        connection.ask("EHLO mail.sender.example")
        return connection, connection.ask(f"XCLIENT ADDR={ip} HELO=mail.sender.example")

    def open_now(self):
        return self.gateway.json("status")["smtp"]["open"]

    def test_1_connections_per_address_and_network_are_counted_and_given_back(self):
        held = []
        try:
            # The rate counts 127.0.0.1 too, so the clients come from many addresses.
            for number, (source, wanted) in enumerate([("127.1.0.1", "220")] * 4 + [("127.1.0.1", "421"), ("127.1.0.2", "220"),
                                                                                  ("127.1.0.3", "220"), ("127.1.0.4", "421"),
                                                                                  ("127.2.0.1", "220")]):
                held.append(self.connect(source))
                reply = held[-1].reply()
                self.assertEqual(reply[:3], wanted, f"{number} {source}: {reply}")
                if wanted == "421":
                    self.assertIn("4.7.0 Too many connections from 127.1.0.", reply)
                    self.assertTrue(held[-1].closed())
        finally:
            for connection in held:
                connection.socket.close()
        until(lambda: self.open_now() == 0, "all sessions have ended")
        with self.connect("127.1.0.5") as connection:
            self.assertEqual(connection.reply()[:3], "220")

    def test_2_an_address_that_connects_too_often_hears_421(self):
        codes = []
        for _ in range(9):
            with self.connect("127.3.0.1") as connection:
                codes.append(connection.reply())
                if codes[-1].startswith("220"):
                    connection.ask("QUIT")
        self.assertEqual([c[:3] for c in codes], ["220"] * 8 + ["421"])
        self.assertIn("Connecting too often", codes[-1])
        with self.connect("127.3.0.2") as connection:
            self.assertEqual(connection.reply()[:3], "220")

    def test_3_the_rate_holds_for_the_address_that_xclient_names(self):
        # The connections themselves come from one address: this many are all that its own rate allows.
        for wanted in ["220"] * 8:
            connection, reply = self.as_client("203.0.113.5")
            self.assertEqual(reply[:3], wanted, reply)
            connection.socket.close()
        with self.connect("127.0.0.1") as connection:
            self.assertEqual(connection.reply()[:3], "421")

    def test_4_the_recipient_behind_the_hundredth_is_deferred_and_the_message_still_goes_to_the_others(self):
        with self.connect("127.4.0.1") as connection:
            connection.reply()
            self.assertIn("LIMITS RCPTMAX=100", connection.ask("EHLO mail.sender.example"))
            connection.ask("MAIL FROM:<you@sender.example>")
            for number in range(100):
                self.assertEqual(connection.ask(f"RCPT TO:<alice+{number}@example.test>")[:3], "250")
            self.assertRegex(connection.ask("RCPT TO:<bob@example.test>"), r"^452 4\.5\.3 ")
            self.assertEqual(connection.ask("DATA")[:3], "354")
            self.assertEqual(connection.ask(message(subject="a hundred") + ".")[:3], "250")
        mail = [m for name in ("INBOX", "Junk", "Quarantine") for m in self.gateway.folder(name)]
        self.assertEqual(sum(b"Subject: a hundred" in m for m in mail), 1)
        self.assertEqual([m for m in self.gateway.folder("INBOX", "bob@example.test") if b"a hundred" in m], [])

    def test_5_who_speaks_before_the_greeting_is_refused_once_and_who_waits_is_not(self):
        with self.connect("127.5.0.1") as connection:
            connection.send(b"EHLO client.example\r\n")
            self.assertRegex(connection.reply(), r"^554 5\.5\.1 ")
            self.assertTrue(connection.closed())
        with self.connect("127.5.0.1") as connection:
            self.assertFalse(connection.has_input())
            self.assertRegex(connection.reply(), r"^220 ")
            self.assertRegex(connection.ask("EHLO client.example"), r"^250-")
        with self.connect("127.5.0.1") as connection:   # patience is remembered
            connection.send(b"EHLO client.example\r\n")
            self.assertRegex(connection.reply(), r"^220 ")

    def test_6_too_many_errors_end_the_session_with_421(self):
        with self.connect("127.6.0.1") as connection:
            connection.reply()
            for _ in range(4):
                self.assertRegex(connection.ask("NONSENSE"), r"^500 ")
            self.assertRegex(connection.ask("NONSENSE"), r"^500 ")
            self.assertRegex(connection.reply(), r"^421 4\.7\.0 ")
            self.assertTrue(connection.closed())

    def test_7_a_size_above_the_limit_is_refused_when_declared_and_when_streamed(self):
        with self.connect("127.7.0.1") as connection:
            connection.reply()
            self.assertIn("SIZE 65536", connection.ask("EHLO mail.sender.example"))
            self.assertRegex(connection.ask("MAIL FROM:<you@sender.example> SIZE=65537"), r"^552 5\.3\.4 ")
            self.assertRegex(connection.ask("MAIL FROM:<you@sender.example> SIZE=65536"), r"^250 ")
            connection.ask("RCPT TO:<alice@example.test>")
            for size, wanted in ((65537, r"^552 5\.3\.4 "), (65536, r"^250 ")):
                head = message(subject=f"size {size}", body="")
                self.assertEqual(connection.ask("DATA")[:3], "354")
                lines = size - len(head)
                body = head + "x" * (lines % 50 + 48) + "\r\n" + ("y" * 48 + "\r\n") * (lines // 50 - 1)
                self.assertEqual(len(body), size)
                self.assertRegex(connection.ask(body + "."), wanted)
                connection.ask("RSET")
                connection.ask("MAIL FROM:<you@sender.example>")
                connection.ask("RCPT TO:<alice@example.test>")


def refused_readers(gateway, service):
    return gateway.json("status")[service]["refused"]


class Readers(unittest.TestCase):
    def test_readers_of_an_address_are_counted_over_both_protocols_and_refused_in_their_own_words(self):
        with Gateway(sections={"limits": "reader_connections_per_address = 3"}) as gateway:
            held = []
            try:
                for service, wanted in (("imap", "* OK "), ("pop3", "+OK "), ("imap", "* OK "),
                                        ("imap", "* BYE [UNAVAILABLE] Too many connections from 127.1.0.1"),
                                        ("pop3", "-ERR [SYS/TEMP] Too many connections from 127.1.0.1")):
                    held.append(Connection(gateway.ports[service], "127.1.0.1"))
                    line = held[-1].line()
                    self.assertTrue(line.startswith(wanted), line)
                self.assertTrue(held[3].closed() and held[4].closed())
                with Connection(gateway.ports["imaps"], "127.1.0.1") as silent:
                    self.assertTrue(silent.closed())   # before TLS there is nothing to say it in
                with Connection(gateway.ports["imap"], "127.1.0.2") as other:
                    self.assertTrue(other.line().startswith("* OK "))
                self.assertEqual((refused_readers(gateway, "imap"), refused_readers(gateway, "pop3")), (2, 1))
                self.assertEqual(gateway.send(message(subject="senders are counted apart"))[0], 250)
            finally:
                for connection in held:
                    connection.socket.close()
            until(lambda: gateway.json("status")["imap"]["open"] == 0, "all readers have gone")
            with Connection(gateway.ports["pop3"], "127.1.0.1") as connection:
                self.assertTrue(connection.line().startswith("+OK "))

    def test_readers_from_everywhere_leave_room_for_senders_and_for_each_other(self):
        few = 'import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (416, 416)); os.execv(sys.argv[1], sys.argv[1:])'
        with Gateway(start=False, antivirus=False, sections={"antivirus": "scanners = 0"}) as gateway:
            gateway.start(before=[sys.executable, "-c", few])
            held = []
            try:
                for number in range(81):   # more than the 80 that 416 descriptors leave
                    held.append(Connection(gateway.ports["imap"], f"127.1.1.{number + 1}"))
                    if not held[-1].line().startswith("* OK "):
                        break
                self.assertEqual(len(held), 61)
                with Connection(gateway.ports["pop3"]) as connection:
                    self.assertTrue(connection.line().startswith("+OK "))
                code, text = gateway.send(message(subject="there is room"))
                self.assertEqual(code, 250, text + gateway.log_text()[-3000:])
            finally:
                for connection in held:
                    connection.socket.close()


def tree(pid):
    """The process and all below it."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat") as f:
                children.setdefault(int(f.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
        except (FileNotFoundError, ProcessLookupError):
            pass
    out, todo = [], [pid]
    while todo:
        out.append(todo.pop())
        todo += children.get(out[-1], [])
    return out


def anonymous_memory(pid):
    """Octets of the whole process tree that no file backs."""
    total = 0
    for each in tree(pid):
        try:
            with open(f"/proc/{each}/smaps_rollup") as f:
                total += sum(int(line.split()[1]) * 1024 for line in f if line.startswith("Anonymous:"))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def message_files(pid):
    """Unlinked files that the process has open: the bodies that are coming in."""
    count = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += os.readlink(f"/proc/{pid}/fd/{fd}").endswith("(deleted)")
        except FileNotFoundError:
            pass
    return count


class Memory(unittest.TestCase):
    SESSIONS = 300
    EACH = 3 << 20
    BOUND = 160 << 20     # of 900 MB sent: about half a megabyte a session

    def test_many_slow_senders_of_large_bodies_cost_disk_and_not_memory(self):
        with Gateway(sections={"smtp": 'xclient = ["127.0.0.0/8"]\ngreet_delay = "0s"'}) as gateway:
            self.assertEqual(gateway.send(message(subject="before"))[0], 250)
            before, files = anonymous_memory(gateway.process.pid), message_files(gateway.process.pid)
            held = [self.begin(gateway) for _ in range(self.SESSIONS)]
            try:
                self.send_all([connection.socket for connection in held])
                until(lambda: message_files(gateway.process.pid) >= files + self.SESSIONS, "every body lies in a file")
                grown = anonymous_memory(gateway.process.pid) - before
                print(f"{self.SESSIONS} senders of {self.EACH >> 20} MB each: {grown >> 20} MB of memory", flush=True)
                self.assertLess(grown, self.BOUND)
                self.assertEqual(gateway.send(message(subject="between"))[0], 250)
                for connection in held[:3]:
                    connection.send(b"\r\n.\r\n")
                    self.assertRegex(connection.reply(), r"^250 ", gateway.log_text()[-1500:])
            finally:
                for connection in held:
                    connection.socket.close()
            until(lambda: message_files(gateway.process.pid) <= files, "the files of the broken sessions are gone")
            self.assertEqual(gateway.send(message(subject="after"))[0], 250)
            subjects = [email.message_from_bytes(m)["Subject"] for m in gateway.folder("INBOX")]
            self.assertEqual(sorted(subjects), ["after", "before", "between"] + ["slow"] * 3)

    @staticmethod
    def begin(gateway):
        connection = Connection(gateway.ports["smtp"], timeout=60)
        connection.reply()
        connection.ask("XCLIENT ADDR=198.51.100.7 HELO=mail.sender.example")
        for command in ("EHLO mail.sender.example", "MAIL FROM:<you@sender.example>", "RCPT TO:<alice@example.test>", "DATA"):
            reply = connection.ask(command)
            assert reply[0] in "23", reply
        connection.send(message(subject="slow", body="", extra="Content-Type: application/octet-stream\r\n"))
        return connection

    def send_all(self, sockets):
        """Feeds all sockets in turn, none faster than the others."""
        piece = (b"z" * 998 + b"\r\n") * 64
        left = {s: self.EACH for s in sockets}
        offset = dict.fromkeys(sockets, 0)
        with selectors.DefaultSelector() as selector:
            for s in sockets:
                s.setblocking(False)
                selector.register(s, selectors.EVENT_WRITE)
            end = time.monotonic() + 50
            while left:
                self.assertLess(time.monotonic(), end, "the gateway reads too slowly")
                for key, _ in selector.select(5):
                    s = key.fileobj
                    sent = s.send(piece[offset[s]:])
                    offset[s] = (offset[s] + sent) % len(piece)
                    left[s] -= sent
                    if left[s] <= 0:
                        del left[s]
                        selector.unregister(s)
                        s.settimeout(60)


if __name__ == "__main__":
    sys.exit(unittest.main())
