"""Aliases and forwards: by the commands, live; with a real Postfix as the outside world that gets what is sent on, bounces it,
sends it back in a circle; and with Mail::SPF as the judge of the rewritten sender."""
import email
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import unittest

import postfix
from gateway import GTUBE, PASSWORD, Gateway, message, wait_for

FAR = "127.43.9.25"
ZONE = {
    "far.example MX": "10 mx.far.example", "mx.far.example A": FAR,
    "orig.example MX": "10 mx.far.example", "orig.example A": FAR,
    "orig.example TXT": "v=spf1 ip4:198.51.100.7 -all",
    "example.test TXT": "v=spf1 ip4:127.0.0.0/8 -all",
    "example.test A": "127.0.0.1", "relay.example.test A": FAR,
    "9.43.127.in-addr.arpa PTR": "mx.far.example", "25.9.43.127.in-addr.arpa PTR": "mx.far.example", "1.0.0.127.in-addr.arpa PTR": "mx.example.test",
    "mx.example.test A": "127.0.0.1",
}
SPF = """
use Mail::SPF; use Net::DNS::Resolver;
my ($port, $sender, $ip) = @ARGV;
my $server = Mail::SPF::Server->new(dns_resolver => Net::DNS::Resolver->new(nameservers => ['127.0.0.1'], port => $port));
my $request = Mail::SPF::Request->new(scope => 'mfrom', identity => $sender, ip_address => $ip, helo_identity => 'mx.example.test');
print $server->process($request)->code;
"""


class Far(postfix.Postfix):
    """The outside world: mailboxes in far.example and orig.example; what it sends itself goes to the gateway."""

    def __init__(self, gateway, more=""):
        self.mail = tempfile.mkdtemp(prefix="postern-far-")
        nobody = pwd.getpwnam("nobody")
        os.chmod(self.mail, 0o755)
        os.chown(self.mail, nobody.pw_uid, nobody.pw_gid)
        users = ", ".join(f"{{ {user} = {user}/ }}" for user in ("bob@far.example", "full@far.example", "you@orig.example"))
        super().__init__(f"virtual_mailbox_domains = far.example, orig.example\nvirtual_mailbox_base = {self.mail}\n"
                         f"virtual_mailbox_maps = inline:{{ {users} }}\nvirtual_uid_maps = static:{nobody.pw_uid}\n"
                         f"virtual_gid_maps = static:{nobody.pw_gid}\nvirtual_minimum_uid = 1\nsmtpd_authorized_xclient_hosts =\n"
                         f"default_transport = smtp\nrelayhost = [127.0.0.1]:{gateway.ports['smtp']}\ndisable_dns_lookups = yes\n"
                         "smtp_bind_address = 127.43.9.25\n"
                         "transport_maps = inline:{ { full@far.example = error:5.2.2 this mailbox is full } }\n" + more, port=25, address=FAR)

    def mails(self, user):
        folder = os.path.join(self.mail, user, "new")
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        out = []
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                out.append(email.message_from_bytes(file.read()))
        return out

    def close(self):
        super().close()
        shutil.rmtree(self.mail, ignore_errors=True)


class Aliases(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(users=("alice@example.test", "bob@example.test", "carl@example.test"))
        cls.addClassCleanup(cls.gateway.close)

    def alias(self, *arguments, check=True):
        return self.gateway.command("alias", *arguments, check=check)

    def subjects(self, user):
        return [email.message_from_bytes(m)["Subject"] for m in self.gateway.folder("INBOX", user)]

    def test_an_alias_is_made_used_changed_and_removed_while_the_gateway_runs(self):
        self.assertEqual(self.gateway.send(message(), to="team@example.test")[0], 550)
        self.alias("add", "team@example.test", "alice@example.test")
        self.alias("add", "Team@example.test", "bob@example.test")
        self.assertEqual(self.gateway.json_lines("alias", "list"), [{"alias": "team@example.test", "targets": ["alice@example.test", "bob@example.test"]}])
        code, text = self.gateway.send(message(subject="for two"), to=("team@example.test", "alice@example.test"))
        self.assertEqual(code, 250, text)
        for user in ("alice@example.test", "bob@example.test"):
            self.assertEqual(self.subjects(user).count("for two"), 1)
            mail = email.message_from_bytes([m for m in self.gateway.folder("INBOX", user) if b"for two" in m][0])
            self.assertEqual(mail.get_all("Delivered-To"), [user])
        self.alias("remove", "team@example.test", "alice@example.test")
        self.gateway.send(message(subject="for one"), to="team@example.test")
        self.assertNotIn("for one", self.subjects("alice@example.test"))
        self.assertIn("for one", self.subjects("bob@example.test"))
        self.assertEqual(self.gateway.stop(), 0)
        self.gateway.start()
        self.assertEqual(self.gateway.send(message(subject="again"), to="team@example.test")[0], 250)
        self.alias("remove", "team@example.test")
        self.assertEqual(self.gateway.send(message(), to="team@example.test")[0], 550)

    def test_what_cannot_work_is_refused_with_its_reason(self):
        self.alias("add", "a@example.test", "carl@example.test")
        self.alias("add", "b@example.test", "a@example.test")
        self.alias("add", "c@example.test", "b@example.test")
        for arguments, words in ((("add", "a@example.test", "c@example.test"), "a@example.test -> c@example.test -> b@example.test -> a@example.test"),
                                 (("add", "d@example.test", "d@example.test"), "loop"),
                                 (("add", "d@example.test", "nobody@example.test"), "no such user here"),
                                 (("add", "d@elsewhere.example", "alice@example.test"), "in none of our domains"),
                                 (("add", "alice@example.test", "bob@example.test"), "is an account"),
                                 (("remove", "a@example.test"), "target of the alias b@example.test"),
                                 (("show", "zzz@example.test"), "no such alias")):
            done = self.alias(*arguments, check=False)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn(words, done.stderr)
        done = self.gateway.command("user", "remove", "carl@example.test")
        self.assertEqual(done.returncode, 1)
        self.assertIn("target of the alias a@example.test", done.stderr)
        done = self.gateway.command("user", "add", "a@example.test", "--password-stdin", input=PASSWORD + "\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("is an alias", done.stderr)
        shown = self.gateway.json_lines("alias", "show", "c@example.test")[0]
        self.assertEqual(shown["reaches"], ["carl@example.test"])
        self.assertEqual(self.gateway.send(message(subject="down the chain"), to="c+tag@example.test")[0], 250)
        self.assertIn("down the chain", self.subjects("carl@example.test"))

    def test_each_is_judged_by_his_own_thresholds(self):
        rules = {"85-strict.lua": 'rule "strict" { on = "deliver", about = "x", check = function(mail, rcpt)\n'
                                  'if rcpt.account == "bob@example.test" then return quarantine("bob wants none of it", "policy") end end }\n'
                                  'test "t" { given = { rcpt = "bob@example.test" }, want = { verdict = "quarantine" } }\n'}
        with Gateway(rule_files=rules) as gateway:
            gateway.command("alias", "add", "both@example.test", "alice@example.test", "bob@example.test", check=True)
            code, text = gateway.send(message(subject="judged"), to="both@example.test")
            self.assertEqual(code, 250, text)
            self.assertEqual(len(gateway.folder("INBOX")), 1)
            self.assertEqual(gateway.folder("INBOX", "bob@example.test"), [])
            self.assertEqual(len(gateway.folder("Quarantine", "bob@example.test")), 1)

    def test_commands_work_without_a_server(self):
        with Gateway(start=False) as gateway:
            gateway.command("alias", "add", "x@example.test", "alice@example.test", "u@far.example", check=True)
            gateway.command("forward", "set", "bob@example.test", "u@far.example", "--keep", check=True)
            gateway.start()
            self.assertEqual(gateway.json_lines("alias", "list")[0]["targets"], ["alice@example.test", "u@far.example"])
            self.assertEqual(gateway.json_lines("forward", "list"), [{"account": "bob@example.test", "targets": ["u@far.example"], "keep": True}])


class Forwards(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(zone=ZONE, sections={"queue": 'retry = ["1s", "2s"]'})
        cls.addClassCleanup(cls.gateway.close)
        cls.far = Far(cls.gateway)
        cls.addClassCleanup(lambda: cls.far.close())

    def send(self, subject, to="alice@example.test", **more):
        return self.gateway.send(message(subject=subject, sender="you@orig.example", **more), to=to, sender="you@orig.example")

    def at_far(self, subject, user="bob@far.example"):
        try:
            return wait_for(lambda: [m for m in self.far.mails(user) if m["Subject"] == subject])
        except AssertionError:
            raise AssertionError(f"{subject!r} never came to {user}:\n{self.gateway.log_text()[-5000:]}\n{self.far.log()[-3000:]}") from None

    def test_good_mail_is_sent_on_with_a_sender_that_spf_knows(self):
        self.gateway.command("forward", "set", "alice@example.test", "bob@far.example", check=True)
        code, text = self.send("good news")
        self.assertEqual(code, 250, text)
        mail = self.at_far("good news")[0]
        sender = mail["Return-Path"].strip("<>")
        self.assertRegex(sender, r"^SRS0=[A-Z2-7]{8}=[A-Z2-7]{2}=orig\.example=you@example\.test$")
        self.assertEqual(mail.get_all("Delivered-To")[-1], "alice@example.test")
        self.assertIn("spf=pass", mail["Authentication-Results"])
        self.assertNotIn("X-Postern-Why", mail)
        self.assertEqual(self.gateway.folder("INBOX"), [])
        for who, wanted in ((sender, "pass"), ("you@orig.example", "fail")):
            theirs = subprocess.run(["perl", "-e", SPF, str(self.gateway.dns_port), who, "127.0.0.1"], capture_output=True, text=True, timeout=60)
            self.assertEqual(theirs.stdout, wanted, theirs.stderr)
            ours = self.gateway.json("spf", "--ip", "127.0.0.1", "--helo", "mx.example.test", "--from", who)
            self.assertEqual(ours["result"], wanted)

    def test_a_copy_stays_where_that_is_wanted_and_spam_never_leaves(self):
        self.gateway.command("forward", "set", "bob@example.test", "bob@far.example", "--keep", check=True)
        self.assertEqual(self.send("both", to="bob@example.test")[0], 250)
        self.at_far("both")
        self.assertEqual(len([m for m in self.gateway.folder("INBOX", "bob@example.test") if b"Subject: both" in m]), 1)
        self.assertEqual(self.send("buy", to="bob@example.test", body=GTUBE + "\r\n")[0], 250)
        self.assertEqual(len([m for m in self.gateway.folder("Quarantine", "bob@example.test") if b"Subject: buy" in m]), 1)
        self.gateway.command("alias", "add", "out@example.test", "bob@far.example", check=True)
        self.assertEqual(self.send("buy more", to="out@example.test", body=GTUBE + "\r\n")[0], 250)
        held = [row for row in self.gateway.json_lines("quarantine", "list") if row["subject"] == "buy more"]
        self.assertEqual([row["user"] for row in held], ["postmaster@example.test"])
        self.assertEqual(self.send("last", to="out@example.test")[0], 250)
        self.at_far("last")
        self.assertEqual([m["Subject"] for m in self.far.mails("bob@far.example") if "buy" in m["Subject"]], [])

    def test_a_bounce_finds_the_way_back_to_who_wrote(self):
        self.gateway.command("alias", "add", "full@example.test", "full@far.example", check=True)
        code, text = self.send("no room", to="full@example.test")
        self.assertEqual(code, 250, text)
        bounce = wait_for(lambda: [m for m in self.far.mails("you@orig.example") if m.get_content_type() == "multipart/report"])[0]
        self.assertEqual(bounce["Return-Path"], "<>")
        self.assertIn("this mailbox is full", bounce.as_string())
        self.assertIn("no room", bounce.as_string())

    def test_nobody_else_can_use_the_way_back(self):
        for address, sender in (("SRS0=AAAAAAAA=AA=orig.example=you@example.test", ""), ("SRS1=AAAAAAAA=x.example==AA=AA=y=z@example.test", "")):
            code, text = self.gateway.send(message(), to=address, sender=sender)
            self.assertEqual(code, 550, text)


class Circles(unittest.TestCase):
    def circle(self, more=""):
        gateway = Gateway(zone=ZONE, sections={"queue": 'retry = ["1s", "2s"]'})
        self.addCleanup(gateway.close)
        far = Far(gateway, "virtual_alias_domains = back.example\nvirtual_alias_maps = inline:{ { bob@far.example = alice@example.test } }\n" + more)
        self.addCleanup(far.close)
        gateway.command("forward", "set", "alice@example.test", "bob@far.example", check=True)
        return gateway, far

    def test_two_who_forward_to_each_other_leave_one_copy(self):
        gateway, far = self.circle()
        code, text = gateway.send(message(subject="round", sender="you@orig.example"), to="alice@example.test", sender="you@orig.example")
        self.assertEqual(code, 250, text)
        wait_for(lambda: [m for m in gateway.folder("INBOX") if b"Subject: round" in m])
        wait_for(lambda: not gateway.json_lines("queue", "list"))
        mail = email.message_from_bytes(gateway.folder("INBOX")[0])
        self.assertEqual(len(gateway.folder("INBOX")), 1)
        self.assertEqual(mail.get_all("Delivered-To"), ["alice@example.test"] * 2)   # of the mailbox, and of the way out

    def test_where_the_other_hides_who_had_it_the_received_fields_end_it(self):
        folder = tempfile.mkdtemp(prefix="postern-checks-")
        self.addCleanup(shutil.rmtree, folder, True)
        os.chmod(folder, 0o755)
        with open(os.path.join(folder, "checks"), "w", encoding="ascii") as file:
            file.write("/^Delivered-To:/ IGNORE\n")
        os.chmod(os.path.join(folder, "checks"), 0o644)
        gateway, far = self.circle(f"header_checks = regexp:{folder}/checks\n")
        code, text = gateway.send(message(subject="round and round", sender="you@orig.example"), to="alice@example.test", sender="you@orig.example")
        self.assertEqual(code, 250, text)
        # Whoever refuses it in the end, the bounce finds who wrote.
        bounce = wait_for(lambda: [m for m in far.mails("you@orig.example") if m.get_content_type() == "multipart/report"], 300)[0]
        self.assertRegex(bounce.as_string(), "in circles|[Tt]oo many hops")
        self.assertEqual(bounce["To"].strip("<>"), "you@orig.example")
        wait_for(lambda: not gateway.json_lines("queue", "list"))
        self.assertEqual(gateway.folder("INBOX"), [])


if __name__ == "__main__":
    if postfix.PROGRAM is None or os.geteuid() != 0:
        print("skipped: no Postfix here, or not root")
        sys.exit(77)
    if subprocess.run(["perl", "-MMail::SPF", "-e", "1"], capture_output=True).returncode != 0:
        print("skipped: no Mail::SPF here")
        sys.exit(77)
    unittest.main()
