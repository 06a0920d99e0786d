"""What the administrator changes and asks while the gateway runs."""
import json
import sys
import unittest

from gateway import PASSWORD, Gateway, message

RULES = """
rule "pets" { on = "deliver", check = function(mail, rcpt)
  if mail.subject == "cats" then return reject "no cats" end
  for _, group in ipairs(rcpt.groups) do
    if mail.subject == "dogs" and group == "kennel" then return tag("Dogs", "for the kennel") end
  end
end }
"""
SENDER = ("--ip", "198.51.100.7", "--helo", "mail.sender.example", "--from", "you@sender.example")


class Administration(unittest.TestCase):
    def setUp(self):
        self.gateway = Gateway(rule_files={"95-test.lua": RULES})

    def tearDown(self):
        self.gateway.close()

    def test_a_reload_gives_the_mistakes(self):
        with open(self.gateway.path("rules", "96-wrong.lua"), "w") as f:
            f.write('rule "wrong" { on = "message", chekc = 1 }\n')
        done = self.gateway.command("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("96-wrong.lua:1", done.stdout)
        answer = json.loads(self.gateway.command("reload", "--json").stdout)
        self.assertEqual(answer["ok"], False)
        self.assertIn("96-wrong.lua:1", answer["mistakes"][0])
        self.gateway.stop()
        done = self.gateway.command("reload")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no server runs", done.stderr)


if __name__ == "__main__":
    sys.exit(unittest.main())
