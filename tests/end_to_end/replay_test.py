"""`postern replay`: kept mail before other rules, with what was known when it came."""
import os
import shutil
import unittest

from gateway import GTUBE, Gateway, message

ALICE, BOB = "alice@example.test", "bob@example.test"
CURIOUS = {"95-test.lua": '''
rule "curious" {
  on = "message", about = "asks what there is to ask",
  check = function(mail)
    if dns.a("known.test") and count("seen", "1h") > 2 and recall("often") then return tag("Junk", "seen often") end
    if count("seen", "1h") > 1 then remember("often", "1h") end
    if dns.listed(mail.conn.ip, "list.test") then return score(1, "listed") end
  end,
}
'''}


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(rule_files=CURIOUS, zone={"known.test A": "192.0.2.7", "2.0.0.127.list.test A": "127.0.0.2",
                                                        "7.100.51.198.list.test A": "127.0.0.2"})
        cls.addClassCleanup(cls.gateway.close)
        cls.send("for two", to=(ALICE, BOB))
        for number in range(6):
            cls.send(f"one of many {number}")
        cls.send("gtube", GTUBE + "\r\n")
        cls.send("from nowhere", ip="192.0.2.99", helo="nowhere.example")

    @classmethod
    def send(cls, subject, body="A line.\r\n", **more):
        code, text = cls.gateway.send(message(subject=subject, body=body), **more)
        assert code == 250, text

    def rules(self, name, text):
        folder = self.gateway.path(name)
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.gateway.path("rules"), folder)
        with open(os.path.join(folder, "96-new.lua"), "w") as file:
            file.write(text)
        return folder

    def replay(self, *arguments):
        lines = self.gateway.json_lines("replay", *arguments)
        return lines[:-1], lines[-1]

    def test_the_same_rules_change_nothing_also_when_the_world_is_another_now(self):
        changed, sums = self.replay()
        self.assertEqual((changed, sums["would_change"], sums["with_unknown"]), ([], 0, 0))
        self.assertEqual((sums["messages"], sums["skipped"]["untold"]), (9, 0))
        self.assertIn("0 of 9 messages would change", self.gateway.command("replay", check=True).stdout)
        self.gateway.stop()
        try:
            self.assertEqual(self.replay("--since", "1h")[1]["would_change"], 0)
        finally:
            self.gateway.start()

    def test_other_rules_say_what_would_change_and_why(self):
        folder = self.rules("new", '''
rule "no-numbers" {
  on = "message", about = "t",
  check = function(mail) if mail.subject == "one of many 3" then return quarantine("number 3", "policy") end end,
}
rule "bob" {
  on = "deliver", about = "t",
  check = function(mail, rcpt) if rcpt.address == "bob@example.test" then return tag("Junk", "for bob") end end,
}
''')
        changed, sums = self.replay("--rules", folder)
        by_subject = {line["subject"]: line for line in changed}
        self.assertEqual(set(by_subject), {"one of many 3", "for two"})
        line = by_subject["one of many 3"]
        self.assertEqual((line["new"], line["rule"], line["at"]), ("quarantine", "no-numbers", "rules/96-new.lua:4"))
        self.assertEqual(by_subject["for two"]["recipients"], {BOB: {"old": "INBOX", "new": "Junk"}})
        words = self.gateway.command("replay", "--rules", folder, check=True).stdout
        self.assertIn('-> quarantine  no-numbers (rules/96-new.lua:4): number 3  "one of many 3"', words)
        self.assertIn("2 of 9 messages would change", words)

    def test_what_nobody_asked_is_unknown(self):
        folder = self.rules("asks", '''
rule "asks" {
  on = "message", about = "t",
  check = function(mail) if dns.txt("new.test") == nil then return tag("Junk", "no answer") end end,
}
''')
        changed, sums = self.replay("--rules", folder)
        self.assertEqual(sums["with_unknown"], 9)
        self.assertIn("dns new.test TXT", changed[0]["unknown"])

    def test_bad_rules_and_bad_times_are_refused(self):
        folder = self.rules("bad", "rule \"x\" { on = 'nowhere', about = 't', check = function() end }")
        done = self.gateway.command("replay", "--rules", folder)
        self.assertEqual(done.returncode, 1)
        self.assertIn("96-new.lua:1", done.stderr)
        self.assertEqual(self.gateway.command("replay", "--since", "soon").returncode, 2)


if __name__ == "__main__":
    unittest.main()
