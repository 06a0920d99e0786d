"""The mails of the bench, their envelopes, and a DNS zone that answers what the checks ask about them.

The archives hold raw mails with LF ends, some with an mbox "From " line; nothing of them is kept.
"""
import base64
import email.utils
import glob
import os
import random
import re
import subprocess
import tarfile
import tempfile

SEED = 2026
_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z]{2,24}$")
_TAG = {name: re.compile(rb"(?:^|;)\s*" + name.encode() + rb"\s*=\s*([^;]*)") for name in ("s", "d", "b", "a")}


class Mail:
    def __init__(self, name, raw):
        self.name = name
        text = re.sub(rb"\r\n?", b"\n", raw)
        if text.startswith(b"From "):
            text = text.partition(b"\n")[2]
        if not text.endswith(b"\n"):
            text += b"\n"
        self.octets = text.replace(b"\n", b"\r\n")
        stuffed = (b"\r\n" + self.octets).replace(b"\r\n.", b"\r\n..")[2:]
        self.data = stuffed + b".\r\n"     # what follows 354
        header = re.sub(rb"\n[ \t]+", b" ", text.partition(b"\n\n")[0])
        self.author_domain = domain_of(address_in(header, b"From"))
        self.sender = address_in(header, b"Return-Path") or address_in(header, b"From")
        self.signatures = [signature(field) for field in re.findall(rb"(?mi)^DKIM-Signature:(.*)$", header)]
        self.ip, self.helo = "198.18.255.254", "mail.nowhere.example"   # until Zone gives the sender's host


def address_in(header, field):
    found = re.search(rb"(?mi)^" + field + rb":(.*)$", header)
    address = email.utils.parseaddr(found.group(1).decode("ascii", "ignore"))[1] if found else ""
    local, _, domain = address.rpartition("@")
    return address if re.fullmatch(r"[A-Za-z0-9._+=-]{1,64}", local) and _DOMAIN.match(domain.lower()) else ""


def domain_of(address):
    return address.rpartition("@")[2].lower()


def signature(field):
    tags = {name: found.group(1).strip().decode("ascii", "ignore") if (found := tag.search(field)) else "" for name, tag in _TAG.items()}
    try:
        bits = 8 * len(base64.b64decode(re.sub(r"\s", "", tags["b"]) + "=="))
    except ValueError:
        bits = 0
    return f"{tags['s']}._domainkey.{tags['d']}".lower(), tags["a"], bits


def folder(source):
    return os.environ.get("POSTERN_CORPUS") or os.path.join(os.path.dirname(source), "shared", "corpus")


def sample(where, count):
    """`count` mails of all archives, the same ones each time; [] when there is no corpus."""
    mails = []
    for archive in sorted(glob.glob(os.path.join(where, "*.tar.zst"))):
        unpacked = subprocess.run(["zstd", "-dcq", archive], stdout=subprocess.PIPE, check=True).stdout
        with tempfile.TemporaryFile() as file:
            file.write(unpacked)
            file.seek(0)
            with tarfile.open(fileobj=file) as members:
                mails += [(member.name, members.extractfile(member).read()) for member in members if member.isfile()]
    mails.sort()
    return [Mail(name, raw) for name, raw in random.Random(SEED).sample(mails, min(count, len(mails)))]


class Zone:
    """Every sender's domain exists, has one host with a proper name, an SPF record with one include that allows
    it, a DMARC record that only watches, and a DKIM key of the size that the signature was made with.  The keys
    are ours, so that verification costs what it costs and then fails, as it does for mail that was changed on its way.
    """

    def __init__(self, mails):
        self.lines = ["2.0.0.127.zen.spamhaus.org A 127.0.0.2", "zen.spamhaus.org SOA 300", "arpa SOA 300"]
        self.hosts = {}
        self.top = set()
        keys, self.keys = {}, {}
        for mail in mails:
            for name, algorithm, bits in mail.signatures:
                kind = "ed25519" if algorithm == "ed25519-sha256" else bits
                if _DOMAIN.match(name) and (kind == "ed25519" or bits in (1024, 2048, 4096)):
                    self.keys[name] = keys.get(kind) or keys.setdefault(kind, public_key(kind))
            domain = domain_of(mail.sender)
            if domain:
                mail.ip, mail.helo = self.host(domain), "mail." + domain
            if mail.author_domain:
                self.host(mail.author_domain)
        self.lines += [f"{name} TXT {key}" for name, key in sorted(self.keys.items())]

    def host(self, domain):
        """The address of the one host of `domain`."""
        if domain not in self.hosts:
            number = len(self.hosts) + 1
            ip = f"198.18.{number // 250}.{number % 250 + 1}"
            self.hosts[domain] = ip
            reverse = ".".join(reversed(ip.split("."))) + ".in-addr.arpa"
            top = domain.rpartition(".")[2]
            if top not in self.top:
                self.top.add(top)
                self.lines.append(f"{top} SOA 300")      # so that "no such name" can be remembered, RFC 2308
            self.lines += [f"{domain} MX 10 mail.{domain}", f"{domain} A {ip}", f"mail.{domain} A {ip}", f"{reverse} PTR mail.{domain}",
                           f"{domain} TXT v=spf1 include:_spf.{domain} ~all", f"_spf.{domain} TXT v=spf1 ip4:{ip} -all",
                           f"_dmarc.{domain} TXT v=DMARC1; p=none"]
        return self.hosts[domain]

    def text(self):
        return "\n".join(self.lines) + "\n"


def public_key(kind):
    make = ["genpkey", "-algorithm", "ed25519"] if kind == "ed25519" else ["genrsa", str(kind)]
    private = subprocess.run(["openssl", *make], capture_output=True, check=True).stdout
    public = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "DER"], input=private, capture_output=True, check=True).stdout
    if kind == "ed25519":
        return "v=DKIM1; k=ed25519; p=" + base64.b64encode(public[-32:]).decode()    # RFC 8463 4: the bare key
    return "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
