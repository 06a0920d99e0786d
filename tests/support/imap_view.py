"""An IMAP client that keeps its picture of the selected mailbox from what the server tells, and says where the server
breaks RFC 3501: sequence numbers that do not fit, UIDs that do not ascend, EXPUNGE where it must not come."""
import re
import select
import socket

NO_EXPUNGE = {"FETCH", "STORE", "SEARCH"}   # RFC 3501 7.4.1; with UID in front it may come


class Broken(AssertionError):
    pass


class Message:
    def __init__(self):
        self.uid = None
        self.flags = None    # without \Recent


class View:
    def __init__(self, port, user, password, name):
        self.name = name
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.buffer = b""
        self.tag = 0
        self.messages = []
        self.highest = 0          # uid ever seen
        self.expunged = set()     # uids
        self.bodies = []          # (uid, octets) of the last command
        self.found = []           # of the last SEARCH
        self.now = "greeting"
        self.trail = []
        self._line()
        self.command("LOGIN", f'"{user}" "{password}"')

    def close(self):
        self.socket.close()

    # --- reading
    def _more(self):
        octets = self.socket.recv(1 << 16)
        if not octets:
            raise Broken(f"{self.name}: the server closed during {self.now}; last: {self.trail[-5:]}")
        self.buffer += octets

    def _line(self):
        """One response line; literals are taken out and kept beside it."""
        text, literals = b"", []
        while True:
            while b"\r\n" not in self.buffer:
                self._more()
            line, self.buffer = self.buffer.split(b"\r\n", 1)
            literal = re.search(rb"\{(\d+)\}$", line)
            text += line
            if not literal:
                break
            size = int(literal.group(1))
            while len(self.buffer) < size:
                self._more()
            literals.append(self.buffer[:size])
            self.buffer = self.buffer[size:]
        self.trail = self.trail[-30:] + [text.decode("latin-1")]
        return self.trail[-1], literals

    def fail(self, what):
        raise Broken(f"{self.name}: {what}, during {self.now}; last lines:\n" + "\n".join(self.trail))

    # --- commands
    def command(self, verb, arguments="", wanted=("OK",)):
        self.tag += 1
        self.now = f"{verb} {arguments}".strip()
        self.bodies, self.found = [], []
        self.trail.append("C: " + self.now)
        self.socket.sendall(f"t{self.tag} {self.now}\r\n".encode())
        return self._finish(verb, wanted)

    def _finish(self, verb, wanted):
        while True:
            line, literals = self._line()
            if line.startswith(f"t{self.tag} "):
                status = line.split()[1]
                if status not in wanted:
                    self.fail(f"answered {line!r}")
                return line
            self.take(line, literals, verb)

    def select(self, mailbox):
        self.messages = []
        return self.command("SELECT", mailbox)

    def idle(self, seconds):
        """Stays in IDLE until something is told or the time is over."""
        self.tag += 1
        self.now = "IDLE"
        self.trail.append("C: IDLE")
        self.socket.sendall(f"t{self.tag} IDLE\r\n".encode())
        while True:
            line, literals = self._line()
            if line.startswith("+"):
                break
            self.take(line, literals, "IDLE")
        if self.buffer or select.select([self.socket], [], [], seconds)[0]:
            self.take(*self._line(), "IDLE")
        self.socket.sendall(b"DONE\r\n")
        self._finish("IDLE", ("OK",))

    # --- what the server tells
    def take(self, line, literals, verb):
        words = line.split()
        if words[0] != "*":
            self.fail(f"no response: {line!r}")
        if words[1] == "SEARCH":
            self.found = list(map(int, words[2:]))
        elif words[1] == "BYE":
            self.fail(line)
        elif len(words) > 2 and words[1].isdigit():
            self._take_numbered(int(words[1]), words[2].upper(), line, literals, verb)

    def _take_numbered(self, number, kind, line, literals, verb):
        if kind == "EXISTS":
            if number < len(self.messages):
                self.fail(f"EXISTS {number} without EXPUNGE, there were {len(self.messages)}")
            self.messages += [Message() for _ in range(number - len(self.messages))]
        elif kind == "EXPUNGE":
            if verb in NO_EXPUNGE:
                self.fail("EXPUNGE is not allowed here")
            if not 1 <= number <= len(self.messages):
                self.fail(f"EXPUNGE {number} of {len(self.messages)}")
            self.expunged.add(self.messages.pop(number - 1).uid)
        elif kind == "FETCH":
            if not 1 <= number <= len(self.messages):
                self.fail(f"FETCH {number} of {len(self.messages)}")
            self._take_fetch(self.messages[number - 1], number, line, literals)

    def _take_fetch(self, message, number, line, literals):
        uid = re.search(r"\bUID (\d+)", line)
        if uid:
            self._learn_uid(message, number, int(uid.group(1)))
        flags = re.search(r"FLAGS \(([^)]*)\)", line)
        if flags:
            message.flags = frozenset(flags.group(1).split()) - {"\\Recent"}
        for octets in literals:
            self.bodies.append((message.uid, octets))

    def _learn_uid(self, message, number, uid):
        if message.uid not in (None, uid):
            self.fail(f"message {number} had uid {message.uid} and has {uid} now")
        if message.uid is None and uid in self.expunged:
            self.fail(f"uid {uid} was expunged and is back")
        message.uid = uid
        self.highest = max(self.highest, uid)
        before = [m.uid for m in self.messages[:number - 1] if m.uid]
        after = [m.uid for m in self.messages[number:] if m.uid]
        if (before and max(before) >= uid) or (after and min(after) <= uid):
            self.fail(f"uid {uid} of message {number} does not ascend: {before} {after}")

    def picture(self):
        return [(m.uid, m.flags) for m in self.messages]
