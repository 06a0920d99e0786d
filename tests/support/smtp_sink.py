"""A mail host on loopback that takes everything and keeps it, octet for octet.

    with Sink() as sink: sink.port, sink.wait(3), sink.got[0].message
"""
import collections
import socketserver
import threading

Mail = collections.namedtuple("Mail", "sender recipients message")


class Handler(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        try:
            self.talk()
        except ConnectionError:   # the gateway was killed
            pass

    def talk(self):
        sink = self.server.sink
        self.say("220 sink.test ESMTP")
        sender, recipients = "", []
        while line := self.rfile.readline():
            words = line.decode("latin-1").strip()
            verb = words.split(":")[0].split(" ")[0].upper()
            if verb == "EHLO":
                self.say("250-sink.test\r\n250-PIPELINING\r\n250-SMTPUTF8\r\n250 8BITMIME")
            elif verb == "MAIL":
                sender, recipients = words.split("<")[1].split(">")[0], []
                self.say("250 2.1.0 ok")
            elif verb == "RCPT":
                address = words.split("<")[1].split(">")[0]
                if address in sink.refused:
                    self.say("550 5.1.1 no such user")
                    continue
                if sink.deferred.get(address, 0) > 0:
                    sink.deferred[address] -= 1
                    self.say("451 4.7.1 not now")
                    continue
                recipients.append(address)
                self.say("250 2.1.5 ok")
            elif verb == "DATA":
                self.say("354 go on")
                lines = []
                while (line := self.rfile.readline()) and line != b".\r\n":
                    lines.append(line[1:] if line.startswith(b".") else line)
                if not line:
                    return   # half of a message is none
                self.say("250 2.0.0 taken")
                sink.take(Mail(sender, recipients, b"".join(lines)))
            elif verb == "QUIT":
                self.say("221 2.0.0 bye")
                return
            else:
                self.say("250 2.0.0 ok")


class Sink:
    def __init__(self, refused=(), deferred=None):
        self.refused = set(refused)
        self.deferred = dict(deferred or {})   # {address: how often it hears 451 first}
        self.got = []
        self.changed = threading.Condition()
        socketserver.ThreadingTCPServer.daemon_threads = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.sink = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def take(self, mail):
        with self.changed:
            self.got.append(mail)
            self.changed.notify_all()

    def wait(self, count, timeout=60):
        """The mails, once there are so many."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.got) >= count, timeout):
                raise AssertionError(f"{len(self.got)} of {count} mails came to the sink")
            return list(self.got)

    def one(self, mark, timeout=60):
        """The one that has `mark` in it."""
        with self.changed:
            if not self.changed.wait_for(lambda: any(mark in mail.message for mail in self.got), timeout):
                raise AssertionError(f"{mark} never came to the sink")
            return next(mail for mail in self.got if mark in mail.message)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
