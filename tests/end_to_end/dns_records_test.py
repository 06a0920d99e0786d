"""`postern dns`: what it prints, put into a zone as it is, is what `--check` wants to find."""
import json
import os
import shutil
import sys
import tempfile
import unittest

from authority import Authority
from dns_server import DnsServer
from gateway import ZONE, Gateway
from policy_web import Web

WEB = "127.43.7.50"
BASE = "\n".join(f"{key} {value}" for key, value in ZONE.items()) + f"\nmx.example.test A 198.51.100.1\nmta-sts.example.test A {WEB}\n"


class DnsRecords(unittest.TestCase):
    def setUp(self):
        folder = tempfile.mkdtemp(prefix="postern-dns-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        authority = Authority(folder)
        self.web = Web(authority.certificate("mta-sts.example.test"), WEB)
        self.addCleanup(self.web.close)
        self.web.says("enforce", "mx.example.test")
        self.dns = DnsServer(BASE).start()
        self.addCleanup(self.dns.stop)
        self.gateway = Gateway(dns=self.dns.port, antivirus=False, sections={"antivirus": "scanners = 0", "smtp": 'trusted = ["10.9.0.0/16"]',
                                                                             "tls": f'trust = "{authority.file}"'})
        self.addCleanup(self.gateway.close)

    def check(self):
        done = self.gateway.command("dns", "example.test", "--check", "--json")
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def publish(self, rows, **replaced):
        lines = [f"{row['name']} {row['type']} {replaced.get(row['record'], row['value'])}" for row in rows
                 if row["type"] in ("MX", "TXT", "SRV") and row["name"] and row["value"]]
        self.dns.replace(BASE + "\n".join(lines) + "\n1.100.51.198.in-addr.arpa PTR mx.example.test\n")

    def test_what_is_printed_is_what_is_looked_for(self):
        status, rows = self.check()
        self.assertEqual(status, 1)
        states = {row["record"]: row["state"] for row in rows}
        self.assertEqual({states[name] for name in ("MX", "SPF", "DKIM", "DMARC", "MTA-STS", "TLSRPT", "SRV", "PTR")}, {"missing"})
        self.assertEqual(states["address"], "ok")
        self.assertTrue(all(row["advice"] for row in rows if row["state"] != "ok"))
        self.assertIn("postern dkim new example.test", next(row["advice"] for row in rows if row["record"] == "DKIM"))

        self.gateway.command("dkim", "new", "example.test", check=True)
        wanted = self.gateway.json_lines("dns", "example.test")
        self.assertEqual(sum(row["record"] == "DKIM" for row in wanted), 2)
        ports = {row["name"].split(".")[0]: row["value"].split()[2] for row in wanted if row["record"] == "SRV"}
        self.assertEqual(ports, {f"_{name}": str(self.gateway.ports[name]) for name in self.gateway.ports if name not in ("smtp", "admin")})
        self.publish(wanted)
        status, rows = self.check()
        self.assertEqual([row for row in rows if row["state"] != "ok"], [])
        self.assertEqual(status, 0)
        self.assertIn("All that is needed is there.", self.gateway.command("dns", "example.test", "--check", check=True).stdout)
        # Without a server it is the same.
        self.gateway.stop()
        status, rows = self.check()
        self.assertEqual((status, {row["state"] for row in rows}), (0, {"ok"}))

    def test_a_wrong_record_is_named_with_what_to_do(self):
        self.gateway.command("dkim", "new", "example.test", check=True)
        wanted = self.gateway.json_lines("dns", "example.test")
        self.publish(wanted, SPF="v=spf1 ip4:192.0.2.1 -all", MX="10 other.example")
        status, rows = self.check()
        self.assertEqual(status, 1)
        wrong = {row["record"]: row for row in rows if row["state"] != "ok"}
        self.assertEqual(set(wrong), {"SPF", "MX"})
        self.assertEqual(wrong["SPF"]["found"], ["v=spf1 ip4:192.0.2.1 -all"])
        self.assertIn("198.51.100.1", wrong["SPF"]["advice"])
        self.assertIn("not to us", wrong["MX"]["advice"])
        text = self.gateway.command("dns", "example.test", "--check").stdout
        self.assertIn("different  SPF", text)
        self.assertIn("2 of what is needed are not right", text)
        # The policy is fetched as others do, and one that keeps their mail away is worse than none.
        self.web.says("enforce", "old.example.test")
        _, rows = self.check()
        self.assertIn("does not name mx.example.test", next(row["advice"] for row in rows if row["record"] == "MTA-STS"))
        self.assertIn(("mta-sts.example.test", "/.well-known/mta-sts.txt"), self.web.paths)

    def test_the_zone_file_is_one(self):
        self.gateway.command("dkim", "new", "example.test", check=True)
        text = self.gateway.command("dns", "example.test", check=True).stdout
        for line in text.splitlines():
            self.assertTrue(not line or line.startswith(";") or " IN " in line, line)
        self.assertIn("example.test. IN MX 10 mx.example.test.", text)
        self.assertIn(";     mode: testing", text)
        foreign = self.gateway.command("dns", "other.example")
        self.assertEqual(foreign.returncode, 1)
        self.assertIn("none of our domains (example.test)", foreign.stderr)


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: port 443 needs root")
        sys.exit(77)
    unittest.main()
