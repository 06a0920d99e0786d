"""DANE: a signed zone on NSD, Unbound as validating resolver, a real Postfix with TLS as mail host on port 25 of loopback addresses,
and one without TLS."""
import os
import shutil
import sys
import tempfile
import unittest

import postfix
import signed_zone
from authority import Authority, key_digest
from dns_server import DnsServer
from gateway import ZONE, Gateway, message, wait_for
from mail_host import MailHost

ADDRESSES = {name: f"127.43.7.{number}" for name, number in (("right", 51), ("wrong", 52), ("bare", 53), ("none", 54), ("forged", 55), ("authority", 56), ("elsewhere", 57))}
OTHER_KEY = "0" * 63 + "1"
FORGED = "0" * 63 + "2"


class TlsPostfix(postfix.Postfix):
    """Takes mail for anybody at the addresses given, with STARTTLS, and throws it away."""

    def __init__(self, addresses, certificate):
        self.addresses = addresses
        super().__init__("smtpd_tls_security_level = may\nsmtpd_tls_loglevel = 1\n"
                         f"smtpd_tls_cert_file = {certificate[0]}\nsmtpd_tls_key_file = {certificate[1]}\n")

    def _write(self, name, text):
        if name == "master.cf":
            text += "tlsmgr unix - - n 1000? 1 tlsmgr\n" + "".join(f"{address}:25 inet n - n - - smtpd\n" for address in self.addresses)
        super()._write(name, text)


class Dane(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="postern-dane-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        authority = Authority(cls.folder)
        certificate = authority.certificate("mx-right.far.example", "mx-authority.far.example")
        with open(authority.file, encoding="ascii") as file, open(certificate[0], "a", encoding="ascii") as chain:
            chain.write(file.read())   # RFC 7672 3.1.2: the authority comes along
        key = key_digest(certificate[0])
        records = [f"mx-{name} A {address}" for name, address in ADDRESSES.items()]
        records += [f"{name} MX 10 mx-{name}" for name in ADDRESSES]
        records += [f"_25._tcp.mx-right TLSA 3 1 1 {key}", f"_25._tcp.mx-wrong TLSA 3 1 1 {OTHER_KEY}", f"_25._tcp.mx-bare TLSA 3 1 1 {key}",
                    f"_25._tcp.mx-forged TLSA 3 1 1 {FORGED}", f"_25._tcp.mx-authority TLSA 2 1 1 {key_digest(authority.file)}",
                    f"_25._tcp.mx-elsewhere TLSA 2 1 1 {key_digest(authority.file)}"]
        plain = "\n".join(f"{name} {value}" for name, value in ZONE.items()) + "\nunsigned.example MX 10 mx-wrong.far.example\n"
        others = DnsServer(plain).start()
        cls.addClassCleanup(others.stop)
        cls.dns = signed_zone.SignedZone("far.example", "\n".join(records), others.port, forged={FORGED: key})
        cls.addClassCleanup(cls.dns.close)
        cls.bare = MailHost(ADDRESSES["bare"], 25)
        cls.addClassCleanup(cls.bare.close)
        cls.postfix = TlsPostfix([address for name, address in ADDRESSES.items() if name != "bare"], certificate)
        cls.addClassCleanup(cls.postfix.close)
        cls.gateway = cls.started(cls.dns.port, True)

    @classmethod
    def started(cls, port, validating):
        gateway = Gateway(dns=port, sections={"smtp": 'xclient = ["127.0.0.0/8"]\ntrusted = ["10.9.0.0/16"]', "queue": 'retry = ["1s"]',
                                              "dns": f"validating = {str(validating).lower()}"})
        cls.addClassCleanup(gateway.close)
        return gateway

    def send(self, domain, gateway=None):
        gateway = gateway or self.gateway
        self.postfix.mark()
        code, text = gateway.send(message(subject=domain, to=f"ann@{domain}"), to=f"ann@{domain}", ip="10.9.0.1")
        self.assertEqual(code, 250, text)

    def arrives(self, domain):
        self.postfix.wait(f"to=<ann@{domain}>")
        wait_for(lambda: not self.gateway.json_lines("queue", "list", "--to", domain))

    def waits(self, domain):
        """The words that the queue has for it."""
        row = wait_for(lambda: [r for r in self.gateway.json_lines("queue", "list", "--to", domain) if r["why"]])[0]
        self.assertNotIn(f"to=<ann@{domain}>", self.postfix.log())
        self.gateway.command("queue", "delete", row["id"], check=True)
        return row["why"]

    def result(self, domain):
        def found():
            for report in self.gateway.json_lines("tlsrpt"):
                for policy in report["policies"]:
                    if policy["policy"]["policy-domain"] == domain:
                        return policy
        return wait_for(found)

    def test_a_certificate_that_the_records_name_gets_the_mail(self):
        self.send("right.far.example")
        self.arrives("right.far.example")
        result = self.result("right.far.example")
        self.assertEqual(result["policy"]["policy-type"], "tlsa")
        self.assertTrue(result["policy"]["policy-string"][0].startswith("3 1 1 "))
        self.assertEqual(result["summary"]["total-failure-session-count"], 0)

    def test_an_authority_that_the_records_name_vouches_for_the_host(self):
        self.send("authority.far.example")
        self.arrives("authority.far.example")

    def test_below_an_authority_the_certificate_must_bear_the_name(self):
        self.send("elsewhere.far.example")
        self.assertIn("hostname mismatch", self.waits("elsewhere.far.example").lower())
        self.assertEqual(self.result("elsewhere.far.example")["failure-details"][0]["result-type"], "certificate-host-mismatch")

    def test_a_certificate_that_they_do_not_name_stops_it(self):
        self.send("wrong.far.example")
        why = self.waits("wrong.far.example")
        self.assertIn("what _25._tcp.mx-wrong.far.example TLSA says is not met: TLS handshake", why)
        self.assertEqual(self.result("wrong.far.example")["failure-details"][0]["result-type"], "validation-failure")

    def test_a_host_without_tls_gets_nothing(self):
        self.send("bare.far.example")
        self.assertIn("STARTTLS is not offered", self.waits("bare.far.example"))
        self.assertEqual(self.bare.got, [])

    def test_forged_records_stop_it(self):
        self.send("forged.far.example")
        self.assertIn("DNS gives no answer for _25._tcp.mx-forged.far.example TLSA: servfail", self.waits("forged.far.example"))
        self.assertEqual(self.result("forged.far.example")["failure-details"][0]["result-type"], "dnssec-invalid")

    def test_without_records_any_certificate_will_do(self):
        self.send("none.far.example")
        self.arrives("none.far.example")

    def test_an_mx_that_nobody_vouches_for_brings_no_dane(self):
        self.send("unsigned.example")
        self.arrives("unsigned.example")

    def test_a_resolver_that_is_not_called_validating_is_not_believed(self):
        gateway = self.started(self.dns.port, False)
        self.send("wrong.far.example", gateway)
        self.postfix.wait("to=<ann@wrong.far.example>")


if __name__ == "__main__":
    if postfix.PROGRAM is None or not signed_zone.THERE or os.geteuid() != 0:
        print("skipped: Postfix, NSD, Unbound or ldnsutils is missing, or not root")
        sys.exit(77)
    unittest.main()
