"""Rules are edited while the gateway runs: good ones come into force, bad ones leave the old in force."""
import re
import sys
import unittest

from gateway import Gateway, message

HELLO = '''rule "hello" {
  on = "message",
  about = "Test.",
  check = function(mail)
    if mail.subject == "hello" then return tag("Junk", "said hello") end
  end,
}
'''


class Reload(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()

    def write(self, name, text):
        size = self.gateway.log_size()
        with open(self.gateway.path("rules", name), "w") as f:
            f.write(text)
        return size

    def folder_of(self, subject):
        code, text = self.gateway.send(message(subject=subject))
        self.assertEqual(code, 250, text)
        return [name for name in ("INBOX", "Junk", "Quarantine")
                if any(f"Subject: {subject}\r\n".encode() in m for m in self.gateway.folder(name))]

    def test_1_a_new_rule_comes_into_force_by_itself(self):
        size = self.write("55-hello.lua", HELLO)
        self.gateway.wait_log("event=rules.loaded", since=size)
        self.assertEqual(self.folder_of("hello"), ["Junk"])

    def test_2_a_rule_that_does_not_load_is_named_and_the_old_stays(self):
        size = self.write("56-broken.lua", 'rule "broken" {\n  on = "message",\n  chekc = function() end,\n}\n')
        self.gateway.wait_log("event=rules.refused", since=size)
        self.assertIn("56-broken.lua:", self.gateway.log_text()[size:])
        self.assertEqual(self.folder_of("still hello"), ["INBOX"])
        done = self.gateway.command("check")
        self.assertEqual(done.returncode, 1)
        self.assertIn("56-broken.lua", done.stdout)
        size = self.write("56-broken.lua", "")
        self.gateway.wait_log("event=rules.loaded", since=size)

    def test_2_check_names_the_rules_that_are_shipped_and_not_there(self):
        self.assertNotIn("Shipped and not", self.gateway.command("check").stdout)
        path = self.gateway.path("rules", "80-recipients.lua")
        with open(path) as f:
            shipped = f.read()
        size = self.write("80-recipients.lua", "")
        self.gateway.wait_log("event=rules.loaded", since=size)
        done = self.gateway.command("check", check=True)
        names = re.findall(r'^rule "([^"]+)"', shipped, re.M)
        self.assertTrue(names)
        for name in names:
            self.assertIn(f"{name} (80-recipients.lua)", done.stdout)
        size = self.write("80-recipients.lua", shipped)
        self.gateway.wait_log("event=rules.loaded", since=size)
        self.assertNotIn("Shipped and not", self.gateway.command("check").stdout)

    def test_3_a_failing_test_keeps_the_rules_out(self):
        size = self.write("57-test.lua", 'test "it fails" { given = { subject = "fine" }, want = { verdict = "reject" } }\n')
        self.gateway.wait_log("event=rules.refused", since=size)
        done = self.gateway.command("test")
        self.assertEqual(done.returncode, 1)
        self.assertIn("57-test.lua:1", done.stdout)
        self.assertIn("wanted reject, found ham", done.stdout)
        size = self.write("57-test.lua", "")
        self.gateway.wait_log("event=rules.loaded", since=size)
        self.assertEqual(self.gateway.command("test").returncode, 0)

    def test_4_an_error_in_a_rule_defers_with_its_line_in_the_log(self):
        size = self.write("58-error.lua", 'rule "nil-trap" {\n  on = "message", about = "Test.",\n  check = function(mail)\n'
                                          '    if mail.subject == "trap" then\n      local x = nil\n      return x.y\n    end\n  end,\n}\n')
        self.gateway.wait_log("event=rules.loaded", since=size)
        code, text = self.gateway.send(message(subject="trap"))
        self.assertEqual(code, 451, text)
        self.assertIn("4.7.0", text)
        self.assertIn("at=rules/58-error.lua:6", self.gateway.log_text())
        code, text = self.gateway.send(message(subject="no trap"))
        self.assertEqual(code, 250, text)
        size = self.write("58-error.lua", "")
        self.gateway.wait_log("event=rules.loaded", since=size)


if __name__ == "__main__":
    sys.exit(unittest.main())
