"""A mail host that takes what it is sent: SMTP on one address, with or without TLS and AUTH.  Standard library only."""
import base64
import contextlib
import socket
import ssl
import threading


class MailHost:
    """`certificate`: (file, key), None: no TLS; `implicit`: the handshake comes first; `users`: {name: password}, then AUTH is wanted.

    `got`: the messages, as {"sender", "recipients", "tls", "login", "data"}."""

    def __init__(self, address="127.0.0.1", port=0, certificate=None, implicit=False, users=None, name="host.test"):
        self.got = []
        self.failed_logins = 0
        self.connections = 0
        self.peers = []
        self.users = dict(users or {})
        self.name = name
        self.implicit = implicit
        self.context = None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """The connections that are open end too."""
        for each in [self.listener, *self.peers]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)   # wakes accept(), which would keep the port
        self.listener.close()

    def __del__(self):
        for each in self.peers:
            each.close()

    def subjects(self):
        return [line[9:] for message in list(self.got) for line in message["data"].splitlines() if line.startswith("Subject: ")]

    def _accept(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.peers.append(peer.dup())
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        session = _Session(self, peer)
        with contextlib.suppress(OSError, ValueError, EOFError):
            peer.settimeout(60)
            if self.implicit:
                session.start_tls()
            session.run()
        session.file.close()
        session.peer.close()


class _Session:
    def __init__(self, host, peer):
        self.host = host
        self.peer = peer
        self.file = peer.makefile("rb")
        self.tls = False
        self.login = None
        self.envelope = None

    def start_tls(self):
        self.file.close()
        self.peer = self.host.context.wrap_socket(self.peer, server_side=True)
        self.file = self.peer.makefile("rb")
        self.tls = True

    def say(self, text):
        self.peer.sendall((text + "\r\n").encode())

    def hear(self):
        line = self.file.readline()
        if not line:
            raise EOFError
        return line.decode("utf-8", "replace").rstrip("\r\n")

    def run(self):
        self.say(f"220 {self.host.name} ESMTP")
        while True:
            line = self.hear()
            verb = line.split(" ")[0].upper()
            if verb == "QUIT":
                self.say("221 2.0.0 bye")
                return
            handler = getattr(self, "on_" + verb.lower(), None)
            if handler:
                handler(line)
            else:
                self.say("250 2.0.0 ok")

    def on_ehlo(self, _):
        lines = [self.host.name, "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"]
        if self.host.context and not self.tls:
            lines.append("STARTTLS")
        if self.host.users and self.tls:
            lines.append("AUTH PLAIN LOGIN")
        self.say("\r\n".join(f"250{' ' if i == len(lines) - 1 else '-'}{text}" for i, text in enumerate(lines)))

    def on_starttls(self, _):
        if not self.host.context:
            self.say("502 5.5.1 no")
            return
        self.say("220 2.0.0 go")
        self.start_tls()

    def on_auth(self, line):
        words = line.split(" ")
        _, name, password = base64.b64decode(words[2]).decode().split("\0") if len(words) > 2 else ("", "", "")
        if self.host.users.get(name) == password and password:
            self.login = name
            self.say("235 2.7.0 welcome")
        else:
            self.host.failed_logins += 1
            self.say("535 5.7.8 authentication failed")

    def on_mail(self, line):
        if self.host.users and not self.login:
            self.say("530 5.7.0 authentication required")
            return
        self.envelope = {"sender": line[line.index("<") + 1:line.index(">")], "recipients": [], "tls": self.tls, "login": self.login}
        self.say("250 2.1.0 ok")

    def on_rcpt(self, line):
        if not self.envelope:
            self.say("503 5.5.1 MAIL first")
            return
        self.envelope["recipients"].append(line[line.index("<") + 1:line.index(">")])
        self.say("250 2.1.5 ok")

    def on_data(self, _):
        if not self.envelope or not self.envelope["recipients"]:
            self.say("503 5.5.1 RCPT first")
            return
        self.say("354 go")
        lines = []
        while True:
            line = self.hear()
            if line == ".":
                break
            lines.append(line[1:] if line.startswith(".") else line)
        self.host.got.append(dict(self.envelope, data="\n".join(lines)))
        self.envelope = None
        self.say("250 2.0.0 taken")
