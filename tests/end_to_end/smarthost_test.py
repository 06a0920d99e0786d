"""Mail to the world by a route of the administrator's: a smarthost that wants TLS and a login, one for a sender, one for
a destination; what it refuses us is never anybody's bounce."""
import os
import shutil
import tempfile
import unittest

from authority import Authority
from gateway import Gateway, message, wait_for
from mail_host import MailHost

OURS = "10.9.0.1"   # a network of ours, which may send to the world
SMTP = 'xclient = ["127.0.0.0/8"]\ntrusted = ["10.9.0.0/16"]'


class Smarthost(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="postern-smarthost-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.authority = Authority(self.folder)
        self.certificate = self.authority.certificate("smart.example")
        self.password = os.path.join(self.folder, "password")
        self.set_password("open sesame")

    def set_password(self, text, mode=0o600):
        with open(self.password, "w", encoding="ascii") as file:
            file.write(text + "\n")
        os.chmod(self.password, mode)

    def host(self, **settings):
        host = MailHost(**settings)
        self.addCleanup(host.close)
        return host

    def gateway(self, routes, config=""):
        sections = {"smtp": SMTP, "queue": 'retry = ["1s"]', "tls": f'trust = "{self.authority.file}"'}
        sections.update(routes)
        gateway = Gateway(zone={"smart.example A": "127.0.0.1", "other.example A": "127.0.0.1"}, sections=sections, config=config, start=False)
        self.addCleanup(gateway.close)
        return gateway

    def send(self, gateway, subject, to="ann@far.example", sender="alice@example.test"):
        code, text = gateway.send(message(subject=subject, to=to, sender=sender), to=to, sender=sender, ip=OURS)
        self.assertEqual(code, 250, text)

    def test_all_mail_goes_through_the_smarthost_with_tls_and_login(self):
        for implicit in (False, True):
            with self.subTest(implicit=implicit):
                smart = self.host(certificate=self.certificate, users={"us": "open sesame"}, implicit=implicit)
                scheme = "smtps" if implicit else "smtp"
                gateway = self.gateway({'routes."*"': f'via = "{scheme}://smart.example:{smart.port}"\nlogin = "us"\npassword_file = "{self.password}"'})
                self.assertEqual(gateway.command("check").returncode, 0)
                gateway.start()
                self.send(gateway, "one")
                self.send(gateway, "two", to="bob@elsewhere.example")
                wait_for(lambda: len(smart.got) == 2)
                self.assertEqual({m["login"] for m in smart.got}, {"us"})
                self.assertEqual({m["tls"] for m in smart.got}, {True})
                self.assertEqual(sorted(smart.subjects()), ["one", "two"])
                self.assertNotIn("sesame", gateway.log_text())
                gateway.close()

    def test_a_refused_password_holds_the_mail_and_a_mended_one_sends_it(self):
        smart = self.host(certificate=self.certificate, users={"us": "open sesame"})
        self.set_password("wrong")
        gateway = self.gateway({'routes."*"': f'via = "smtp://smart.example:{smart.port}"\nlogin = "us"\npassword_file = "{self.password}"'})
        gateway.start()
        self.send(gateway, "patience")
        row = wait_for(lambda: [r for r in gateway.json_lines("queue", "list") if r["why"]])[0]
        self.assertIn("535 5.7.8 authentication failed (in reply to AUTH)", row["why"])
        self.assertEqual(gateway.json("status")["queue"]["failed"], 0)
        self.assertEqual(smart.got, [])
        self.set_password("open sesame")
        gateway.command("reload", check=True)
        wait_for(lambda: smart.subjects() == ["patience"])
        wait_for(lambda: not gateway.json_lines("queue", "list"))

    def test_no_password_goes_to_a_host_of_another_name(self):
        smart = self.host(certificate=self.certificate, users={"us": "open sesame"})
        gateway = self.gateway({'routes."*"': f'via = "smtp://other.example:{smart.port}"\nlogin = "us"\npassword_file = "{self.password}"'})
        gateway.start()
        self.send(gateway, "to a stranger")
        row = wait_for(lambda: [r for r in gateway.json_lines("queue", "list") if r["why"]])[0]
        self.assertIn("hostname mismatch", row["why"])
        self.assertEqual((smart.got, smart.failed_logins), ([], 0))

    def test_destination_sender_and_the_rest_have_routes_of_their_own(self):
        by_name, by_sender, rest = (self.host() for _ in range(3))
        gateway = self.gateway({'routes."partner.example"': f'via = "smtp://127.0.0.1:{by_name.port}"',
                                'senders."example.test"': f'via = "smtp://127.0.0.1:{by_sender.port}"',
                                'routes."*"': f'via = ["smtp://127.0.0.1:1", "smtp://127.0.0.1:{rest.port}"]'})
        gateway.start()
        self.send(gateway, "to the partner", to="ann@partner.example")
        self.send(gateway, "from us")
        self.send(gateway, "from others", sender="you@sender.example")
        wait_for(lambda: by_name.got and by_sender.got and rest.got)
        self.assertEqual([host.subjects() for host in (by_name, by_sender, rest)], [["to the partner"], ["from us"], ["from others"]])
        # A restart reads whose it is from the store.
        by_sender.close()
        self.send(gateway, "later")
        wait_for(lambda: [r for r in gateway.json_lines("queue", "list") if r["why"]])
        self.assertEqual(gateway.stop(), 0)
        gateway.start()
        row = wait_for(lambda: [r for r in gateway.json_lines("queue", "list") if r["why"]])[0]
        self.assertIn(str(by_sender.port), row["why"])

    def test_a_password_that_others_may_read_keeps_the_gateway_from_starting(self):
        self.set_password("open sesame", 0o644)
        gateway = self.gateway({'routes."*"': f'via = "smtp://smart.example"\nlogin = "us"\npassword_file = "{self.password}"'})
        checked = gateway.command("check")
        self.assertEqual(checked.returncode, 1)
        self.assertIn("others may read or change", checked.stdout)
        self.assertEqual(gateway.command("serve").returncode, 2)

    def test_a_rate_holds_back_what_is_above_it(self):
        host = self.host()
        gateway = self.gateway({'routes."*"': f'via = "smtp://127.0.0.1:{host.port}"\nrate = "3/1h"'})
        gateway.start()
        for i in range(5):
            self.send(gateway, f"number {i}")
        wait_for(lambda: len(host.got) == 3)
        self.assertEqual(len(wait_for(lambda: gateway.json_lines("queue", "list") if len(host.got) == 3 else None)), 2)
        self.assertEqual(len(host.got), 3)


if __name__ == "__main__":
    unittest.main()
