"""Runs the golden SMTP sessions of dialogues/smtp/*.txt and dialogues/submission/*.txt against the real program.

    C: text        sends the line with CRLF
    R: text        sends octets as they are: \\r \\n \\0 \\xNN \\\\ are escapes, and {*N:text} repeats text N times
    B: text        as R, but one octet at a time
    S: pattern     reads one whole reply; * stands for anything.  Lines of a multiline reply are joined with |
    X:             the server closes the connection
    T:             starts TLS
    # text         a comment
Each file is one connection, from 198.51.100.7 unless a line `from ADDRESS` comes first; `direct` leaves XCLIENT out.
Those of dialogues/submission/ are on the port for submission, always direct.
"""
import fnmatch
import glob
import os
import re
import sys
import unittest

from gateway import SOURCE, Gateway
from wire import Connection


def unescape(text):
    text = re.sub(r"\{\*(\d+):([^}]*)\}", lambda m: m.group(2) * int(m.group(1)), text)
    return re.sub(rb"\\(x[0-9a-fA-F]{2}|.)", lambda m: {b"r": b"\r", b"n": b"\n", b"0": b"\0", b"\\": b"\\"}.get(
        m.group(1)) or bytes([int(m.group(1)[1:], 16)]), text.encode())


def run(path, gateway, port="smtp"):
    connection = Connection(gateway.ports[port])
    with open(path, encoding="utf-8") as f:
        lines = f.read().splitlines()
    address = "198.51.100.7"
    if lines[0].startswith("from "):
        address = lines.pop(0)[5:]
    if port == "smtp" and "direct" not in lines:
        connection.reply()
        connection.socket.sendall(f"XCLIENT ADDR={address}\r\n".encode())
    for number, line in enumerate(lines, 1):
        kind, _, text = line.partition(":")
        text = text[1:]
        try:
            if kind == "C":
                connection.socket.sendall(text.encode() + b"\r\n")
            elif kind == "R":
                connection.socket.sendall(unescape(text))
            elif kind == "B":
                for octet in unescape(text):
                    connection.socket.sendall(bytes([octet]))
            elif kind == "S":
                got = connection.reply()
                pattern = re.sub(r"([\[\]?])", r"[\1]", text)
                if not fnmatch.fnmatchcase(got, pattern):
                    return f"{os.path.basename(path)}:{number}: wanted {text!r}, got {got!r}"
            elif kind == "X":
                if not connection.closed():
                    return f"{os.path.basename(path)}:{number}: the connection is still open"
            elif kind == "T":
                connection.start_tls()
            elif line and not line.startswith("#") and line != "direct":
                return f"{os.path.basename(path)}:{number}: what is {line!r}?"
        except (EOFError, ConnectionError, TimeoutError) as trouble:
            return f"{os.path.basename(path)}:{number}: {line!r}: {trouble!r}"
    connection.socket.close()
    return None


class Dialogues(unittest.TestCase):
    def test_every_dialogue_runs_as_written(self):
        files = sorted(glob.glob(os.path.join(SOURCE, "tests/dialogues/smtp/*.txt")))
        self.assertGreater(len(files), 20)
        with Gateway(sections={"smtp": 'max_size = "64KB"', "limits": "errors_per_session = 6"}) as gateway:
            for path in files:
                with self.subTest(os.path.basename(path)):
                    problem = run(path, gateway)
                    if problem:
                        self.fail(problem + "\n" + gateway.log_text()[-1500:])

    def test_every_dialogue_of_submission_runs_as_written(self):
        files = sorted(glob.glob(os.path.join(SOURCE, "tests/dialogues/submission/*.txt")))
        self.assertGreater(len(files), 5)
        with Gateway() as gateway:
            for path in files:
                with self.subTest(os.path.basename(path)):
                    problem = run(path, gateway, "submission")
                    if problem:
                        self.fail(problem + "\n" + gateway.log_text()[-1500:])


if __name__ == "__main__":
    sys.exit(unittest.main())
