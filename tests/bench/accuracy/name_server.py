"""DNS for the bench: whoever sends has an MX, our client has its name, no list lists anybody, nobody has SPF, DKIM or DMARC.

So no filter learns anything from the network, and none waits for it.  Prints its port.
"""
import socket
import struct
import sys

CLIENT_IP, CLIENT_NAME = "198.51.100.7", "mail.transit.example"
_A, _PTR, _MX = 1, 12, 15
# Domains whose MX was asked: only their hosts have an address, for a list that is asked about mail.x.example must not list it.
_senders = set()
_MAX_SENDERS = 100_000


def _labels(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def answer(question):
    """The answer to a packet with one question, or None when it is none."""
    if len(question) < 17:
        return None
    at, labels = 12, []
    while at < len(question) and question[at] != 0:
        size = question[at]
        if size > 63 or at + 1 + size >= len(question):
            return None
        labels.append(question[at + 1:at + 1 + size].decode("latin-1").lower())
        at += 1 + size
    if at + 5 > len(question):
        return None
    kind = struct.unpack(">H", question[at + 1:at + 3])[0]
    name = ".".join(labels)
    record = None
    if kind == _MX and labels:
        record = struct.pack(">H", 10) + b"\x04mail\xc0\x0c"
        if len(_senders) < _MAX_SENDERS:
            _senders.add(name)
    elif kind == _A and (name == CLIENT_NAME or (labels[:1] == ["mail"] and ".".join(labels[1:]) in _senders)):
        record = socket.inet_aton(CLIENT_IP)
    elif kind == _PTR and name == ".".join(reversed(CLIENT_IP.split("."))) + ".in-addr.arpa":
        record = _labels(CLIENT_NAME)
    exists = record or name in _senders
    flags = 0x8580 if exists else 0x8583      # authoritative answer; or no such name
    out = question[:2] + struct.pack(">HHHHH", flags, 1, 1 if record else 0, 0, 0) + question[12:at + 5]
    if record:
        out += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 3600, len(record)) + record
    return out


def main():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    print(server.getsockname()[1], flush=True)
    while True:
        packet, peer = server.recvfrom(4096)
        reply = answer(packet)
        if reply:
            server.sendto(reply, peer)


if __name__ == "__main__":
    sys.exit(main())
