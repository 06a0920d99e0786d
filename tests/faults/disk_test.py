"""Disk full: deliveries hear 452, reads go on, and mail flows again when there is space.  On a small tmpfs of its own."""
import os
import subprocess
import sys
import unittest

from gateway import Gateway, message


class FullDisk(unittest.TestCase):
    def test_a_full_disk_defers_mail_keeps_reading_and_recovers(self):
        gateway = Gateway(start=False, users=(), antivirus=False, sections={"antivirus": "scanners = 0", "limits": 'free_disk = "16MB"'})
        data = gateway.path("data")
        if os.getuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", data]).returncode != 0:
            gateway.close()
            print("cannot mount a tmpfs here: skipped")
            sys.exit(77)
        try:
            gateway.command("user", "add", "alice@example.test", "--password-stdin", input="correct horse\n", check=True)
            gateway.start()
            self.assertEqual(gateway.send(message(subject="before"))[0], 250)
            with open(os.path.join(data, "ballast"), "wb") as ballast:
                free = os.statvfs(data)
                ballast.write(b"x" * (free.f_bavail * free.f_frsize - (8 << 20)))
            code, text = gateway.send(message(subject="while full", body="x" * 70 + "\r\n"))
            for _ in range(50):
                if code == 452:
                    break
                code, text = gateway.send(message(subject="while full", body=("x" * 70 + "\r\n") * 5000))
            self.assertEqual(code, 452, text)
            self.assertIn("4.3.1", text)
            self.assertTrue(any(b"Subject: before" in m for m in gateway.folder("INBOX")))
            os.unlink(os.path.join(data, "ballast"))
            for _ in range(100):
                code, text = gateway.send(message(subject="after"))
                if code == 250:
                    break
                gateway.command("status")
            self.assertEqual(code, 250, text)
            self.assertTrue(any(b"Subject: after" in m for m in gateway.folder("INBOX")))
        finally:
            gateway.stop()
            subprocess.run(["umount", data])
            gateway.close()


if __name__ == "__main__":
    sys.exit(unittest.main())
