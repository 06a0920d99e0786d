"""A certificate authority of the test's own."""
import hashlib
import os
import subprocess


def _openssl(*arguments, input=None):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, input=input).stdout


class Authority:
    """`folder` must exist; the certificate of the authority is in `file`."""

    def __init__(self, folder, name="Test authority"):
        self.folder = folder
        self.file = os.path.join(folder, "authority.crt")
        self.key = os.path.join(folder, "authority.key")
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", f"/CN={name}",
                 "-addext", "basicConstraints=critical,CA:TRUE", "-keyout", self.key, "-out", self.file)

    def certificate(self, *names, days=30):
        """Paths of a certificate for `names`, or IPv4 addresses, and of its key."""
        stem = os.path.join(self.folder, names[0])
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={names[0]}",
                 "-keyout", stem + ".key", "-out", stem + ".csr")
        with open(stem + ".ext", "w", encoding="ascii") as file:
            file.write("subjectAltName=" + ",".join(("IP:" if name[0].isdigit() else "DNS:") + name for name in names) + "\n")
        _openssl("x509", "-req", "-in", stem + ".csr", "-CA", self.file, "-CAkey", self.key, "-CAcreateserial", "-days", str(days),
                 "-extfile", stem + ".ext", "-out", stem + ".crt")
        return stem + ".crt", stem + ".key"


def key_digest(certificate):
    """For a TLSA record 3 1 1: SHA-256 of the certificate's public key, in hex."""
    pem = _openssl("x509", "-in", certificate, "-noout", "-pubkey")
    return hashlib.sha256(_openssl("pkey", "-pubin", "-outform", "DER", input=pem)).hexdigest()
