"""MTA-STS and TLSRPT: what a domain says over HTTPS of its mail hosts holds, is kept over restarts, and is counted.  The web server
is a real one with TLS; the mail hosts listen on port 25 of loopback addresses."""
import os
import shutil
import sys
import tempfile
import unittest

from authority import Authority
from gateway import Gateway, message, wait_for
from mail_host import MailHost
from policy_web import Web

WEB = "127.43.7.40"
HOST = "127.43.7.41"
OTHER = "127.43.7.42"
ZONE = {
    "far.example MX": "10 mx1.far.example", "mx1.far.example A": HOST, "mx2.far.example A": OTHER,
    "_mta-sts.far.example TXT": "v=STSv1; id=1;", "mta-sts.far.example A": WEB,
}


class MtaSts(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="postern-sts-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.authority = Authority(self.folder)
        self.web = Web(self.authority.certificate("mta-sts.far.example"), WEB)
        self.addCleanup(lambda: self.web and self.web.close())

    def host(self, address=HOST, name="mx1.far.example", tls=True):
        host = MailHost(address, 25, certificate=self.authority.certificate(name) if tls else None)
        self.addCleanup(host.close)
        return host

    def gateway(self, zone=None):
        gateway = Gateway(zone=dict(ZONE, **(zone or {})), sections={
            "smtp": 'xclient = ["127.0.0.0/8"]\ntrusted = ["10.9.0.0/16"]', "queue": 'retry = ["1s"]', "tls": f'trust = "{self.authority.file}"'})
        self.addCleanup(gateway.close)
        return gateway

    def send(self, gateway, subject):
        code, text = gateway.send(message(subject=subject, to="ann@far.example"), to="ann@far.example", ip="10.9.0.1")
        self.assertEqual(code, 250, text)

    def why(self, gateway):
        return wait_for(lambda: [r["why"] for r in gateway.json_lines("queue", "list") if r["why"]])[0]

    def report(self, gateway, kind="sts"):
        """Of today, that policy of far.example."""
        found = [p for r in gateway.json_lines("tlsrpt") for p in r["policies"] if p["policy"]["policy-type"] == kind]
        return found[0] if found else None

    def test_an_enforced_policy_that_is_met_lets_mail_pass_and_is_asked_once(self):
        self.web.says("enforce", "*.far.example")
        host = self.host()
        gateway = self.gateway()
        for i in range(3):
            self.send(gateway, f"number {i}")
        wait_for(lambda: len(host.got) == 3)
        self.assertEqual({m["tls"] for m in host.got}, {True})
        self.assertEqual(self.web.paths, [("mta-sts.far.example", "/.well-known/mta-sts.txt")])
        report = wait_for(lambda: self.report(gateway))
        self.assertEqual(report["policy"]["policy-domain"], "far.example")
        self.assertIn("mode: enforce", report["policy"]["policy-string"])
        self.assertGreater(report["summary"]["total-successful-session-count"], 0)
        self.assertEqual(report["summary"]["total-failure-session-count"], 0)
        self.assertGreater(gateway.json("status")["tls_outward"]["sts"]["successful"], 0)

    def test_a_certificate_of_another_name_stops_the_mail_in_words_and_is_counted(self):
        self.web.says("enforce", "mx1.far.example")
        host = self.host(name="elsewhere.example")
        gateway = self.gateway()
        self.send(gateway, "stopped")
        why = self.why(gateway)
        self.assertIn("the MTA-STS policy of far.example is not met: TLS handshake", why)
        self.assertIn("hostname mismatch", why)
        self.assertEqual(host.got, [])
        report = wait_for(lambda: self.report(gateway))
        detail = report["failure-details"][0]
        self.assertEqual(detail["result-type"], "certificate-host-mismatch")
        self.assertEqual((detail["receiving-mx-hostname"], detail["receiving-ip"]), ("mx1.far.example", HOST))

    def test_a_host_that_the_policy_does_not_list_is_not_spoken_with_and_the_next_one_is(self):
        self.web.says("enforce", "mx2.far.example")
        first, second = self.host(), self.host(OTHER, "mx2.far.example")
        gateway = self.gateway()
        self.send(gateway, "to nobody yet")
        self.assertIn("the MTA-STS policy of far.example does not list mx1.example".replace("mx1.example", "mx1.far.example"), self.why(gateway))
        self.assertEqual(first.connections, 0)
        gateway.close()
        gateway = self.gateway({"far.example MX": ["10 mx1.far.example", "20 mx2.far.example"]})
        self.send(gateway, "to the second")
        wait_for(lambda: second.subjects() == ["to the second"])
        self.assertEqual(first.connections, 0)

    def test_a_policy_in_testing_lets_mail_pass_and_counts_what_failed(self):
        self.web.says("testing", "mx1.far.example")
        host = self.host(tls=False)
        gateway = self.gateway()
        self.send(gateway, "passes")
        wait_for(lambda: host.subjects() == ["passes"])
        report = wait_for(lambda: self.report(gateway))
        self.assertEqual(report["failure-details"][0]["result-type"], "starttls-not-supported")

    def test_a_kept_policy_holds_after_a_restart_without_web_server_and_record(self):
        self.web.says("enforce", "mx1.far.example")
        host = self.host()
        gateway = self.gateway()
        self.send(gateway, "first")
        wait_for(lambda: host.subjects() == ["first"])
        self.assertEqual(gateway.stop(), 0)
        self.web.close()
        self.web = None
        host.close()
        plain = self.host(tls=False)
        gateway.start()
        self.send(gateway, "second")
        self.assertIn("STARTTLS is not offered", self.why(gateway))
        self.assertEqual(plain.got, [])

    def test_a_redirect_and_an_untrusted_web_server_are_no_policy(self):
        self.web.policy = None
        host = self.host(tls=False)
        gateway = self.gateway()
        self.send(gateway, "opportunistic")
        wait_for(lambda: host.subjects() == ["opportunistic"])
        self.assertEqual(len(self.web.paths), 1)
        self.assertIn("only 200 counts", gateway.log_text())
        report = wait_for(lambda: self.report(gateway))
        self.assertEqual(report["failure-details"][0]["result-type"], "sts-policy-fetch-error")


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: ports 25 and 443 need root")
        sys.exit(77)
    unittest.main()
