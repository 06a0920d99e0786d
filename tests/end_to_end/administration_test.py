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

    def edit(self, old, new):
        path = self.gateway.path("postern.toml")
        with open(path) as f:
            text = f.read()
        self.assertIn(old, text)
        with open(path, "w") as f:
            f.write(text.replace(old, new))

    def errors_until_bye(self):
        client = self.gateway.imap("alice@example.test")
        try:
            for count in range(1, 20):
                client.send(b"x NONSENSE\r\n")
                if client.readline().startswith(b"* BYE"):
                    return count
        finally:
            client.shutdown()

    def explain(self, subject, *recipients):
        with open(self.gateway.path("a.eml"), "w", newline="") as f:
            f.write(message(subject=subject))
        arguments = ("explain", self.gateway.path("a.eml"), *SENDER)
        for each in recipients:
            arguments += ("--rcpt", each)
        return self.gateway.json(*arguments)["recipients"], self.gateway.command(*arguments).stdout

    def test_a_reload_changes_the_errors_that_an_imap_session_may_make(self):
        self.assertEqual(self.errors_until_bye(), 10)
        self.edit("[limits]", "[limits]\nerrors_per_session = 3")
        done = self.gateway.command("reload", check=True)
        self.assertEqual(done.stdout, "Reloaded.\n")
        self.assertEqual(self.errors_until_bye(), 3)
        self.gateway.wait_log('why="too many errors"')
        self.assertRegex(self.gateway.log_text(), r'event=imap.end .*why="too many errors"')

    def test_a_reload_names_what_waits_for_a_restart(self):
        for name in ("submissions", "imaps", "pop3s"):   # they would not be without
            self.edit(f'{name} = ["127.0.0.1:{self.gateway.ports[name]}"]', f"{name} = []")
        self.edit(f'certificate = "{self.gateway.path("tls.crt")}"\nkey = "{self.gateway.path("tls.key")}"',
                  'certificate = ""\nkey = ""')
        done = self.gateway.command("reload", check=True)
        self.assertRegex(done.stdout, r"warning: .*\[tls\] certificate.* changed: in force after a restart\n")
        self.assertRegex(self.gateway.log_text(), r"event=reload.later what=.*\[tls\] certificate")
        self.gateway.imap("alice@example.test").logout()

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

    def test_explain_shows_no_folder_for_what_is_refused(self):
        recipients, words = self.explain("cats", "alice@example.test")
        self.assertEqual(recipients, {"alice@example.test": {"verdict": "reject", "folder": None}})
        self.assertRegex(words, r"(?m)^alice@example.test  reject$")

    def test_explain_asks_the_server_for_the_groups_of_a_recipient(self):
        self.gateway.command("user", "add", "dan@example.test", "--group", "kennel", "--password-stdin", input=PASSWORD + "\n", check=True)
        self.assertRegex(self.gateway.log_text(), r'event=user.changed command="user add" user=dan@example.test')
        recipients, _ = self.explain("dogs", "dan+x@example.test", "bob@example.test")
        self.assertEqual({name: row["folder"] for name, row in recipients.items()}, {"dan+x@example.test": "Dogs", "bob@example.test": "INBOX"})

    def test_the_log_says_why_a_pop3_session_ended(self):
        client = self.gateway.pop3()
        for _ in range(20):
            client._putcmd("NONSENSE")
            client._getline()
        client.close()
        self.gateway.wait_log("event=pop3.end")
        self.assertRegex(self.gateway.log_text(), r'event=pop3.end .*why="too many errors"')


if __name__ == "__main__":
    sys.exit(unittest.main())
