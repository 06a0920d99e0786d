"""Clients that cost little themselves: blocking sockets, one thread a connection."""
import collections
import itertools
import socket
import ssl
import threading
import time

_DOT = b"\r\n.\r\n"
_TAG = b"pQ7z"     # begins no line of a mail


def _context():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Wire:
    def __init__(self, port, tls=False):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.have = b""
        self.buffer = None
        if tls:
            self.start_tls(_context())

    def start_tls(self, context):
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def send(self, octets):
        self.socket.sendall(octets)

    def line(self):
        while b"\n" not in self.have:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError(f"closed by the server after {self.have!r}")
            self.have += more
        line, _, self.have = self.have.partition(b"\n")
        return line

    def reply(self):
        """The code of an SMTP reply of one or more lines."""
        line = self.line()
        while line[3:4] == b"-":
            line = self.line()
        return int(line[:3])

    def until_tagged(self, tag):
        """Swallows everything through the line that begins with `tag`, which must be the last one sent; the
        number of octets and that line.
        """
        octets, tail, end = len(self.have), b"\n" + self.have, b"\n" + tag
        self.have = b""
        while not (tail.endswith(b"\n") and end in tail):
            count = self._read()
            octets += count
            tail = (tail + bytes(self.buffer[:count]))[-4096:] if count < 4096 else bytes(self.buffer[count - 4096:count])
        return octets, tail[tail.rindex(end) + 1:].strip()

    def until_dots(self, count):
        """Swallows `count` dot-terminated answers, which must be the last ones sent; the number of octets."""
        octets, seen, tail = len(self.have), self.have.count(_DOT), self.have[-4:]
        self.have = b""
        while seen < count:
            got = self._read()
            octets += got
            chunk = tail + bytes(self.buffer[:got])
            seen += chunk.count(_DOT)
            tail = chunk[-4:]      # shorter than _DOT, so nothing is counted twice
        return octets

    def _read(self):
        if self.buffer is None:
            self.buffer = memoryview(bytearray(1 << 20))
        count = self.socket.recv_into(self.buffer)
        if count == 0:
            raise ConnectionError("closed by the server")
        return count

    def close(self):
        self.socket.close()


def spread(threads, work):
    """Runs `work(take)` in threads, where take() gives the next number; seconds until all have ended."""
    numbers = itertools.count()
    failures = []

    def run():
        try:
            work(numbers.__next__)
        except Exception as failure:    # shown by the caller: a bench with failures is no figure
            failures.append(failure)

    started = [threading.Thread(target=run) for _ in range(threads)]
    begin = time.monotonic()
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    took = time.monotonic() - begin
    if failures:
        raise failures[0]
    return took


class Smtp:
    """One message a connection, MAIL, RCPT and DATA pipelined as any mail server does."""

    def __init__(self, port, mails, recipients, tls):
        self.port, self.mails, self.recipients, self.tls = port, mails, recipients, tls
        self.context = _context()
        self.replies = collections.Counter()
        self.latencies = []

    def run(self, connections):
        return spread(connections, self._work)

    def _work(self, take):
        while (number := take()) < len(self.mails):
            begin = time.monotonic()
            code = self._deliver(self.mails[number], self.recipients[number % len(self.recipients)])
            self.latencies.append(time.monotonic() - begin)
            self.replies[code] += 1

    def _deliver(self, mail, recipient):
        wire = Wire(self.port)
        try:
            wire.send(f"PROXY TCP4 {mail.ip} 127.0.0.1 40000 25\r\n".encode())
            code = wire.reply()
            if code != 220:
                return code
            ehlo = f"EHLO {mail.helo}\r\n".encode()
            wire.send(ehlo)
            wire.reply()
            if self.tls:
                wire.send(b"STARTTLS\r\n")
                wire.reply()
                wire.start_tls(self.context)
                wire.send(ehlo)
                wire.reply()
            wire.send(f"MAIL FROM:<{mail.sender}> SIZE={len(mail.octets)}\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode())
            codes = [wire.reply() for _ in range(3)]
            if codes[2] != 354:
                return next(code for code in codes if code >= 400)
            wire.send(mail.data)
            code = wire.reply()
            wire.send(b"QUIT\r\n")
            wire.reply()
            return code
        finally:
            wire.close()


class Imap:
    def __init__(self, port, user, password, tls=False):
        self.wire = Wire(port, tls)
        self.wire.line()
        self.command(f'LOGIN {user} "{password}"')

    def command(self, text, literal=None):
        """Octets of the answer."""
        head = _TAG + b" " + text.encode()
        self.wire.send(head + b"\r\n" if literal is None else head + b" {%d+}\r\n" % len(literal) + literal + b"\r\n")
        octets, line = self.wire.until_tagged(_TAG)
        if not line.startswith(_TAG + b" OK"):
            raise AssertionError(f"{text}: {line!r}")
        return octets

    def timed(self, text):
        begin = time.monotonic()
        octets = self.command(text)
        return time.monotonic() - begin, octets

    def idle(self):
        self.wire.send(_TAG + b" IDLE\r\n")
        while not self.wire.line().startswith(b"+"):
            pass


def append_all(port, user, password, mails, count, connections):
    """Seconds for `count` APPENDs to INBOX, each a message of `mails`, over several connections."""
    sessions = [Imap(port, user, password) for _ in range(connections)]
    mine = iter(sessions)

    def work(take):
        session = next(mine)
        while (number := take()) < count:
            session.command("APPEND INBOX", mails[number % len(mails)].octets)

    took = spread(connections, work)
    for session in sessions:
        session.wire.close()
    return took


def pop3_all(port, user, password):
    """Seconds and octets for UIDL, and for RETR of every message, pipelined in batches (RFC 2449 6.6)."""
    wire = Wire(port)
    wire.line()
    wire.send(f"USER {user}\r\nPASS {password}\r\nSTAT\r\n".encode())
    wire.line(), wire.line()
    count = int(wire.line().split()[1])
    begin = time.monotonic()
    wire.send(b"UIDL\r\n")
    wire.until_dots(1)
    listed = time.monotonic() - begin
    begin, octets = time.monotonic(), 0
    for first in range(1, count + 1, 100):
        last = min(first + 99, count)
        wire.send(b"".join(b"RETR %d\r\n" % number for number in range(first, last + 1)))
        octets += wire.until_dots(last + 1 - first)
    took = time.monotonic() - begin
    wire.send(b"QUIT\r\n")
    wire.close()
    return count, listed, took, octets
