"""Every file of Debian's clamav-testfiles, sent as an attachment through SMTP, ends in the quarantine as a virus."""
import glob
import os
import shutil
import sys
import unittest

from gateway import SUITES, Gateway, with_attachment

FILES = sorted(glob.glob("/usr/share/clamav-testfiles/*"))
DATABASE = os.path.join(SUITES, "av", "test.hdb")
SIGNATURE = "ClamAV-Test-File"


class ClamavTestFiles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(antivirus=False, start=False)
        shutil.copy(DATABASE, cls.gateway.path("signatures"))
        cls.gateway.start()

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()

    def test_every_file_is_quarantined_as_a_virus_and_none_reaches_a_reader(self):
        self.assertEqual(len(FILES), 44)
        cases = {}
        with self.gateway.smtp() as client:
            for path in FILES:
                name = os.path.basename(path)
                with open(path, "rb") as f:
                    sent = with_attachment(f.read(), name).replace("Subject: attached", f"Subject: {name}")
                with self.subTest(name):
                    client.mail("you@sender.example")
                    self.assertEqual(client.rcpt("alice@example.test")[0], 250)
                    code, text = client.data(sent)
                    self.assertEqual(code, 250, text)
                    cases[name] = text.decode().split()[-1]
        rows = {row["id"]: row for row in self.gateway.json_lines("quarantine", "list")}
        for name, case in cases.items():
            with self.subTest(name):
                self.assertIn(case, rows)
                self.assertEqual((rows[case]["class"], rows[case]["user"]), ("virus", "alice@example.test"), rows[case])
                self.assertIn(SIGNATURE, rows[case]["reason"])
        self.assertEqual(len(rows), len(FILES))
        for folder in ("INBOX", "Junk"):
            self.assertEqual(self.gateway.folder(folder), [], folder)
        notices = self.gateway.folder("Quarantine")
        self.assertEqual(len(notices), len(FILES))
        for notice in notices:
            self.assertNotIn(b"filename=", notice)
            self.assertIn(SIGNATURE.encode(), notice)


if __name__ == "__main__":
    if not FILES or not os.path.exists(DATABASE):
        print(f"{'/usr/share/clamav-testfiles' if not FILES else DATABASE} is not there: skipped")
        sys.exit(77)
    sys.exit(unittest.main())
