#!/usr/bin/env python3
"""A DNS server for end-to-end tests: UDP and TCP on an ephemeral loopback port, standard library only.

    dns_server.py ZONEFILE [--port N]

Prints "port=N" when it listens, serves until SIGTERM, reads the zone again on SIGHUP, and writes each question
to standard error.  The zone has one entry a line, as gateway/dns/zone.h describes:

    example.test 300 MX 10 mx.example.test      TTL may be left out (300)
    example.test TXT v=spf1 -all                the rest of the line
    *.example.test A 192.0.2.1                  RFC 4592
    example.test SOA 60                         TTL of negative answers, or all seven fields
    broken.test TXT SERVFAIL                    also TIMEOUT NXDOMAIN NODATA RUBBISH WRONGID TRUNCATE
    dead.test * TIMEOUT                         every type without a record of its own

In Python: `with DnsServer("example.test A 192.0.2.1") as dns: dns.port, dns.add(lines), dns.asked`.
"""
import argparse
import ipaddress
import select
import signal
import socket
import struct
import sys
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "TLSA": 52}
NAMES = {number: name for name, number in TYPES.items()}
FAULTS = {"SERVFAIL", "TIMEOUT", "NXDOMAIN", "NODATA", "RUBBISH", "WRONGID", "TRUNCATE"}
ON_THE_WIRE = {"WRONGID", "TRUNCATE"}
MAX_UDP = 1232


def encode_name(name):
    name = name.rstrip(".")
    if not name:
        return b"\0"
    return b"".join(bytes([len(label)]) + label for label in name.encode("latin-1").split(b".")) + b"\0"


def encode_value(type_, value):
    if type_ in ("A", "AAAA"):
        return ipaddress.ip_address(value).packed
    if type_ in ("NS", "CNAME", "PTR"):
        return encode_name(value)
    if type_ == "MX":
        preference, host = value.split()
        return struct.pack("!H", int(preference)) + encode_name(host)
    if type_ == "SRV":
        *numbers, host = value.split()
        return struct.pack("!3H", *map(int, numbers)) + encode_name(host)
    if type_ == "TXT":
        text = value.encode("utf-8")
        pieces = [text[i:i + 255] for i in range(0, len(text), 255)] or [b""]
        return b"".join(bytes([len(piece)]) + piece for piece in pieces)
    if type_ == "TLSA":
        usage, selector, matching, data = value.split()
        return bytes([int(usage), int(selector), int(matching)]) + bytes.fromhex(data)
    fields = value.split()
    if len(fields) == 1:
        fields = ["ns.invalid", "hostmaster.invalid", "1", "3600", "600", "86400", fields[0]]
    return encode_name(fields[0]) + encode_name(fields[1]) + struct.pack("!5I", *map(int, fields[2:]))


class Zone:
    def __init__(self, text=""):
        self.records = {}    # name -> type -> [(ttl, data, value)]
        self.faults = {}     # (name, type or "*") -> fault
        self.existing = set()
        self.add(text)

    def add(self, text):
        for number, line in enumerate(text.splitlines(), 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            try:
                self.add_line(line)
            except (ValueError, KeyError, IndexError) as mistake:
                raise ValueError(f"zone line {number}: {line!r}: {mistake}") from mistake

    def add_line(self, line):
        name, rest = line.split(None, 1)
        ttl = 300
        type_, value = rest.split(None, 1)
        if type_.isdigit():
            ttl = int(type_)
            type_, value = value.split(None, 1)
        name, type_ = name.lower().rstrip("."), type_.upper()
        labels = name.split(".")
        self.existing.update(".".join(labels[i:]) for i in range(len(labels)))
        self.records.setdefault(name, {})
        if value in FAULTS:
            self.faults[name, type_] = value
        else:
            self.records[name].setdefault(type_, []).append((ttl, encode_value(type_, value), value))

    def owner_of(self, name):
        """The name whose records answer for `name`: itself, a wildcard, or None."""
        if name in self.existing:
            return name if name in self.records else None
        labels = name.split(".")
        for i in range(1, len(labels)):
            parent = ".".join(labels[i:])
            if parent in self.existing:
                return "*." + parent if "*." + parent in self.records else None
        return None

    def soa_of(self, name):
        labels = name.split(".")
        for i in range(len(labels)):
            parent = ".".join(labels[i:])
            if "SOA" in self.records.get(parent, {}):
                return parent, self.records[parent]["SOA"][0]
        return None

    def find(self, name, type_):
        """rcode, answers [(owner, type, ttl, data)], fault, the name where the chain ended."""
        answers = []
        for _ in range(9):
            owner = self.owner_of(name)
            if owner is None:
                return (0 if name in self.existing else 3), answers, None, name
            records = self.records[owner]
            fault = self.faults.get((owner, type_))
            if fault is None:
                fault = self.faults.get((owner, "*"))
                if type_ in records and fault not in ON_THE_WIRE:
                    fault = None
            if fault and fault not in ON_THE_WIRE:
                return {"SERVFAIL": 2, "NXDOMAIN": 3}.get(fault, 0), answers, fault, name
            if type_ in records:
                answers += [(name, type_, ttl, data) for ttl, data, _ in records[type_]]
                return 0, answers, fault, name
            if "CNAME" not in records:
                return 0, answers, fault, name
            ttl, data, value = records["CNAME"][0]
            answers.append((name, "CNAME", ttl, data))
            name = value.lower().rstrip(".")
        return 2, answers, "SERVFAIL", name


class DnsServer:
    """Serves in a thread of its own between start() and stop(), or as a context manager."""

    def __init__(self, zone="", port=0, on_question=None):
        self.zone = Zone(zone)
        self.asked = []      # "name TYPE udp|tcp"
        self.on_question = on_question
        self.lock = threading.Lock()
        self.udp, self.tcp = self._bind(port)
        self.port = self.udp.getsockname()[1]
        self.wake_in, self.wake_out = socket.socketpair()
        self.thread = None

    @staticmethod
    def _bind(port):
        for _ in range(50):
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            udp.bind(("127.0.0.1", port))
            try:
                tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tcp.bind(udp.getsockname())
                tcp.listen(64)
                return udp, tcp
            except OSError:
                udp.close()
                tcp.close()
        raise OSError("no port that is free for both UDP and TCP")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def start(self):
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()
        return self

    def stop(self):
        self.wake_out.send(b"x")
        if self.thread:
            self.thread.join()
        self.wake_in.close()
        self.wake_out.close()

    def add(self, text):
        with self.lock:
            self.zone.add(text)

    def replace(self, text):
        zone = Zone(text)
        with self.lock:
            self.zone = zone

    def serve(self):
        peers = {}           # socket -> octets received
        while True:
            ready, _, _ = select.select([self.udp, self.tcp, self.wake_in, *peers], [], [])
            if self.wake_in in ready:
                break
            if self.udp in ready:
                query, sender = self.udp.recvfrom(4096)
                reply = self.reply(query, False)
                if reply:
                    self.udp.sendto(reply, sender)
            if self.tcp in ready:
                peers[self.tcp.accept()[0]] = b""
            for peer in [peer for peer in peers if peer in ready]:
                if not self._serve_peer(peer, peers):
                    del peers[peer]
                    peer.close()
        for each in [self.udp, self.tcp, *peers]:
            each.close()

    def _serve_peer(self, peer, peers):
        try:
            octets = peer.recv(65536)
            if not octets:
                return False
            peers[peer] += octets
            while len(peers[peer]) >= 2:
                length = struct.unpack("!H", peers[peer][:2])[0]
                if len(peers[peer]) < 2 + length:
                    break
                query, peers[peer] = peers[peer][2:2 + length], peers[peer][2 + length:]
                reply = self.reply(query, True)
                if reply:
                    peer.sendall(struct.pack("!H", len(reply)) + reply)
        except OSError:
            return False
        return True

    def reply(self, query, tcp):
        """The reply packet, or None for silence."""
        if len(query) < 17:
            return None
        labels, at = [], 12
        while at < len(query) and query[at]:
            labels.append(query[at + 1:at + 1 + query[at]])
            at += 1 + query[at]
        if at + 5 > len(query):
            return None
        question = query[12:at + 5]
        name = b".".join(labels).decode("latin-1").lower()
        type_ = NAMES.get(struct.unpack("!H", query[at + 1:at + 3])[0], "?")
        with self.lock:
            self.asked.append(f"{name} {type_} {'tcp' if tcp else 'udp'}")
            rcode, answers, fault, last = self.zone.find(name, type_)
            soa = self.zone.soa_of(last) if not any(a[1] == type_ for a in answers) and rcode in (0, 3) else None
        if self.on_question:
            self.on_question(self.asked[-1])
        if fault == "TIMEOUT":
            return None
        body = b"".join(self._record(*answer) for answer in answers)
        count = len(answers)
        if fault == "RUBBISH":
            body, count = b"\xc0" * 7 + b"rubbish", 1
        authority = self._record(soa[0], "SOA", soa[1][0], soa[1][1]) if soa else b""
        most = MAX_UDP if query[10:12] != b"\0\0" else 512    # without EDNS, RFC 1035 4.2.1
        truncated = not tcp and (fault == "TRUNCATE" or 12 + len(question) + len(body) + len(authority) > most)
        if truncated:
            body, authority, count, soa = b"", b"", 0, None
        identity = bytes([query[0] ^ 0x55]) + query[1:2] if fault == "WRONGID" else query[:2]
        flags = 0x8580 | rcode | (0x0200 if truncated else 0)
        return identity + struct.pack("!5H", flags, 1, count, 1 if soa else 0, 0) + question + body + authority

    @staticmethod
    def _record(owner, type_, ttl, data):
        return encode_name(owner) + struct.pack("!HHIH", TYPES[type_], 1, ttl, len(data)) + data


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("zone")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()

    def read():
        with open(given.zone, encoding="utf-8") as file:
            return file.read()

    server = DnsServer(read(), given.port, lambda question: print(question, file=sys.stderr, flush=True))
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    signal.signal(signal.SIGINT, lambda *_: ending.set())
    signal.signal(signal.SIGHUP, lambda *_: server.replace(read()))
    server.start()
    print(f"port={server.port}", flush=True)
    ending.wait()
    server.stop()


if __name__ == "__main__":
    main()
