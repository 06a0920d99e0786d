"""Signs a message for tests with the openssl program: RFC 6376, relaxed/relaxed, rsa-sha256 or (RFC 8463) ed25519-sha256."""
import base64
import hashlib
import os
import re
import subprocess
import tempfile


def canonical_body(body):
    lines = [re.sub(r"[ \t]+", " ", line).rstrip(" ") for line in body.split("\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return "".join(line + "\r\n" for line in lines)


def canonical_field(field):
    name, value = field.split(":", 1)
    value = re.sub(r"[ \t]+", " ", value.replace("\r\n", "")).strip(" ")
    return f"{name.strip().lower()}:{value}"


class Signer:
    """A fresh key: `record` is what stands in DNS at SELECTOR._domainkey.DOMAIN."""

    def __init__(self, algorithm="rsa"):
        self.algorithm = algorithm
        options = ["-algorithm", "ed25519"] if algorithm == "ed25519" else ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
        self.key = subprocess.run(["openssl", "genpkey", *options], check=True, capture_output=True).stdout
        der = subprocess.run(["openssl", "pkey", "-pubout", "-outform", "DER"], input=self.key, check=True, capture_output=True).stdout
        # RFC 8463 4: of ed25519 the bare key, the last 32 octets of the structure.
        public = der[-32:] if algorithm == "ed25519" else der
        self.record = f"v=DKIM1; k={algorithm}; p={base64.b64encode(public).decode()}"

    def sign(self, message, domain, selector="s1", fields=("From", "To", "Subject", "Date", "Message-ID")):
        """The message with a DKIM-Signature field in front."""
        header, body = message.split("\r\n\r\n", 1)
        present = re.split(r"\r\n(?![ \t])", header)
        digest = base64.b64encode(hashlib.sha256(canonical_body(body).encode()).digest()).decode()
        field = (f"DKIM-Signature: v=1; a={self.algorithm}-sha256; c=relaxed/relaxed; d={domain}; s={selector};\r\n"
                 f"\th={':'.join(fields)};\r\n\tbh={digest};\r\n\tb=")
        signed = "".join(canonical_field(next(p for p in reversed(present) if p.lower().startswith(name.lower() + ":"))) + "\r\n"
                         for name in fields) + canonical_field(field)
        return field + base64.b64encode(self._signature(signed.encode())).decode() + "\r\n" + message

    def _signature(self, octets):
        with tempfile.TemporaryDirectory() as folder:
            key, data = os.path.join(folder, "key"), os.path.join(folder, "data")
            with open(key, "wb") as f:
                f.write(self.key)
            # RFC 8463 3: ed25519 signs the hash.
            with open(data, "wb") as f:
                f.write(hashlib.sha256(octets).digest() if self.algorithm == "ed25519" else octets)
            command = (["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", data] if self.algorithm == "ed25519"
                       else ["openssl", "dgst", "-sha256", "-sign", key, data])
            return subprocess.run(command, check=True, capture_output=True).stdout
