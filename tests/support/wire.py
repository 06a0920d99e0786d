"""A bare SMTP client: what it sends and when is up to the test, sane or not."""
import select
import socket
import struct

from gateway import insecure


class Connection:
    """`source`: the loopback address that the gateway sees, such as 127.0.0.2."""

    def __init__(self, port, source=None, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(source, 0) if source else None)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def line(self):
        while b"\n" not in self.buffer:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode(errors="replace")

    def reply(self):
        """One reply; the lines of a longer one are joined with |."""
        lines = []
        while True:
            lines.append(self.line())
            if lines[-1][3:4] != "-":
                return "|".join(lines)

    def send(self, octets):
        self.socket.sendall(octets if isinstance(octets, bytes) else octets.encode())

    def ask(self, line):
        """Sends a command and gives the reply."""
        self.send((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
        return self.reply()

    def closed(self):
        """Does the server close, without another word?"""
        try:
            rest = self.buffer + self.socket.recv(65536)
        except ConnectionError:
            return True
        return rest == b""

    def has_input(self):
        return bool(self.buffer) or bool(select.select([self.socket], [], [], 0)[0])

    def start_tls(self):
        assert not self.buffer, self.buffer
        self.socket = insecure().wrap_socket(self.socket)

    def reset(self):
        """Ends the connection with RST, as a crashed host does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
