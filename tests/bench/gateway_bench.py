#!/usr/bin/env python3
"""Speed and memory of the whole program on real mail.  Prints figures and their ratio to the targets of the
design, section 10; asserts none.

    python3 tests/bench/gateway_bench.py             2,000 mails, under five minutes on a quiet machine
    python3 tests/bench/gateway_bench.py --quick     200 mails
    python3 tests/bench/gateway_bench.py --only smtp,explain      of smtp explain memory readers
    python3 tests/bench/gateway_bench.py --only smtp --perf FILE  also `perf record` of the row "all checks, plain"

Needs a release build (POSTERN_BUILD, default build/), the packages zstd and openssl, and the mail corpus
(POSTERN_CORPUS, default ../shared/corpus beside the source); without it the bench says so and ends.

How it is measured
  CPU      user + system time of the program and all its descendants, scanners and reaped children included, from
           /proc/PID/stat; the DNS server and the clients are not in it.  Clients share the processors with the
           program, so messages/s is a lower bound and CPU ms is the figure to trust.
  sample   fixed by seed over all archives; CRLF, mbox line dropped, dot-stuffed.  20 connections, one message a
           connection; the client's address, HELO and sender fit the mail's own domain (PROXY header), and the local
           DNS server knows that domain's MX, host, SPF with an include, DMARC and DKIM key.
  all      the shipped rules, two scanners with a signature folder of one line: what a bigger one costs is the
           business of bench_scan.
  off      an empty rules folder and scanners = 0: nothing is examined, what is left are the session and the store.
  Each row starts the program anew, so its DNS cache is cold; what the start itself costs is over before.  A slower client (TLS, a busy machine) means smaller
  groups in the store's commits, hence more syncs and wake-ups a message: compare rows of one run only.

The benches of one part, built when asked for (cmake --build build --target bench_NAME), run by hand:
  bench_filters        DKIM verification and DMARC, microseconds a message
  bench_filters_rules  the shipped rules alone, every stage
  bench_scan           virus scanning through the jail, gateway and scanners apart
  bench_store_bench    deliveries a second and CPU a delivery of the store
  bench_imap           IMAP on the store without the rest of the program; `bench_imap serve` for foreign clients
"""
import argparse
import collections
import contextlib
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import clients  # noqa: E402
import corpus  # noqa: E402
import usage  # noqa: E402
from support.gateway import PASSWORD, POSTERN, SOURCE, Gateway  # noqa: E402

USERS = [f"user{number}@example.test" for number in range(10)]
CONNECTIONS = 20
IDLE = 500

# Design 10, and what the first part asks for.
TARGETS = collections.OrderedDict([
    ("CPU ms a message, all checks", (1.5, 3.0)),
    ("CPU ms a message, judge off", (0.2, 0.4)),
    ("CPU ms a message, explain", (1.5, 3.0)),
    ("MB idle, no signatures (PSS)", (40, None)),
    ("KiB an idle IMAP connection", (4, None)),
    ("KiB an idle IMAPS connection", (20, None)),
    ("s for the headers of 10,000 messages", (0.05, None)),
    ("MB/s BODY[]", (1000, None)),
    ("APPEND/s", (5000, None)),
])
MORE_IS_BETTER = {"MB/s BODY[]", "APPEND/s"}


def say(text=""):
    print(text, flush=True)


class Bench:
    def __init__(self, given, mails):
        self.given, self.mails = given, mails
        self.results = {}
        zone = corpus.Zone(mails)
        self.stack = contextlib.ExitStack()
        self.folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="postern-bench-"))
        self.no_rules = os.path.join(self.folder, "no-rules")
        os.mkdir(self.no_rules)
        self.dns_port = self._start_dns(zone)
        sizes = sorted(len(mail.octets) for mail in mails)
        say(f"sample: {len(mails)} mails, seed {corpus.SEED}; median {statistics.median(sizes):.0f} octets, "
            f"p95 {sizes[len(sizes) * 95 // 100]}, all {sum(sizes) / 1e6:.1f} MB; {len(zone.hosts)} domains, "
            f"{sum(1 for mail in mails if mail.signatures)} mails signed, {len(zone.keys)} DKIM keys")

    def _start_dns(self, zone):
        path = os.path.join(self.folder, "zone")
        with open(path, "w", encoding="utf-8") as file:
            file.write(zone.text())
        server = subprocess.Popen([sys.executable, os.path.join(SOURCE, "tests/support/dns_server.py"), path], stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
        self.stack.callback(lambda: (server.kill(), server.wait(), server.stdout.close()))
        return int(re.search(r"\d+", server.stdout.readline()).group())

    def gateway(self, judge=True, antivirus=True, **more):
        """Not started."""
        sections = {"tls": "allow_plaintext_login = true", "smtp": 'proxy = ["127.0.0.0/8"]'}
        made = Gateway(users=USERS, sections=sections, rules=None if judge else self.no_rules, antivirus=antivirus, dns=self.dns_port,
                       start=False, **more)
        with open(made.path("postern.toml"), encoding="utf-8") as file:
            text = file.read()
        with open(made.path("postern.toml"), "w", encoding="utf-8") as file:
            file.write(text.replace("scanners = 1\n", f"scanners = {2 if judge else 0}\n"))
        return made

    # --- SMTP
    def smtp(self):
        say(f"\nSMTP, {CONNECTIONS} connections, one message each"
            "\n                              messages/s   CPU ms  = user + system  (gateway scanners)  latency ms p50   p99  replies")
        for judge, name in ((True, "all checks"), (False, "judge off")):
            with self.gateway(judge) as gateway:
                for tls in ("", "P-256", "RSA-2048"):
                    if tls == "RSA-2048":
                        use_rsa(gateway)
                    gateway.start()
                    self._smtp_row(gateway, f"{name}, {'TLS ' + tls if tls else 'plain'}", tls)
                    gateway.stop()

    def _smtp_row(self, gateway, name, tls):
        client = clients.Smtp(gateway.ports["smtp"], self.mails, USERS, bool(tls))
        recorder = self._perf(gateway) if name == "all checks, plain" else None
        before = usage.cpu_at_rest(gateway.process.pid)
        took = client.run(CONNECTIONS)
        spent = usage.Cpu(gateway.process.pid).minus(before)
        if recorder:
            recorder.send_signal(signal.SIGINT)
            recorder.wait()
        count = len(self.mails)
        waits = sorted(1e3 * each for each in client.latencies)
        ms = [1e3 * each / count for each in (spent.total, spent.user, spent.system, spent.root, spent.scanners)]
        replies = " ".join(f"{code}:{number}" for code, number in sorted(client.replies.items()))
        say(f"{name:28} {count / took:12.0f} {ms[0]:8.2f}  = {ms[1]:4.2f} + {ms[2]:4.2f}    ({ms[3]:7.2f} {ms[4]:8.2f}) "
            f"{waits[count // 2]:14.1f} {waits[count * 99 // 100]:6.1f}  {replies}")
        self.results.setdefault(f"CPU ms a message, {name.partition(',')[0]}", ms[0])

    def _perf(self, gateway):
        if not self.given.perf:
            return None
        pids = ",".join(map(str, usage.tree(gateway.process.pid)))
        recorder = subprocess.Popen(["perf", "record", "-q", "-g", "-F", "999", "-o", self.given.perf, "-p", pids])
        time.sleep(1)     # until it has attached
        return recorder

    # --- explain
    def explain(self):
        folder = os.path.join(self.folder, "mails")
        one = os.path.join(self.folder, "one")
        for each in (folder, one):
            os.mkdir(each)
        for number, mail in enumerate(self.mails):
            for where in (folder, one) if number == 0 else (folder,):
                with open(os.path.join(where, f"{number:05}.eml"), "wb") as file:
                    file.write(mail.octets.replace(b"\r\n", b"\n"))
        say("\npostern explain DIR --json --no-learned")
        with self.gateway() as gateway:
            start, _, _ = self._explain(gateway, one)
            cpu, took, lines = self._explain(gateway, folder)
        net = 1e3 * (cpu - start) / max(lines - 1, 1)
        say(f"{lines} messages in {took:.1f} s; CPU ms a message {net:.2f}, the start apart; the start with its rule tests and "
            f"signatures {1e3 * start:.0f} ms")
        self.results["CPU ms a message, explain"] = net

    def _explain(self, gateway, folder):
        begin = time.monotonic()
        with open(os.path.join(self.folder, "explained"), "w+", encoding="utf-8") as out:
            process = subprocess.Popen([POSTERN, "--config", gateway.path("postern.toml"), "explain", folder, "--json", "--no-learned",
                                        "--ip", self.mails[0].ip, "--rcpt", USERS[0]], stdout=out)
            status, cpu = usage.cpu_of_run(process)
            out.seek(0)
            lines = sum(1 for _ in out)
        if status != 0:
            say(f"! explain ended with {status}")
        return cpu, time.monotonic() - begin, lines

    # --- memory
    def memory(self):
        say("\nmemory                              processes   RSS MB   PSS MB")
        for signatures, name in ((False, "idle, no signatures"), (True, "idle, small signature folder")):
            with self.gateway(antivirus=signatures) as gateway:
                gateway.start()
                count, rss, pss = usage.settled_memory(gateway.process.pid)
                say(f"{name:35} {count:9} {rss / 1024:8.1f} {pss / 1024:8.1f}")
                if not signatures:
                    self.results["MB idle, no signatures (PSS)"] = pss / 1024
        with self.gateway(antivirus=False) as gateway:
            gateway.start()
            for service, key in (("imap", "KiB an idle IMAP connection"), ("imaps", "KiB an idle IMAPS connection")):
                self._idle(gateway, service, 50)      # threads and arenas are there before the first look
                before = usage.settled_memory(gateway.process.pid)[2]
                sessions = self._idle(gateway, service, IDLE, close=False)
                each = (usage.settled_memory(gateway.process.pid)[2] - before) / IDLE
                for session in sessions:
                    session.wire.close()
                self.results[key] = each
                say(f"{IDLE} {service} sessions in IDLE: {each:.1f} KiB each")

    def _idle(self, gateway, service, count, close=True):
        sessions = []
        for number in range(count):
            session = clients.Imap(gateway.ports[service], USERS[number % len(USERS)], PASSWORD, service == "imaps")
            session.command("SELECT INBOX")
            session.idle()
            sessions.append(session)
        if close:
            for session in sessions:
                session.wire.close()
        return sessions

    # --- readers
    def readers(self):
        count = 5 * len(self.mails)
        with self.gateway(judge=False) as gateway:
            gateway.start()
            say(f"\nIMAP and POP3, plain, one mailbox of {count} messages of the sample")
            before = usage.Cpu(gateway.process.pid)
            took = clients.append_all(gateway.ports["imap"], USERS[0], PASSWORD, self.mails, count, 10)
            spent = usage.Cpu(gateway.process.pid).minus(before).total
            say(f"{'APPEND over 10 connections':44} {took:7.3f} s {count / took:9.0f} /s      CPU ms each {1e3 * spent / count:.3f}")
            self.results["APPEND/s"] = count / took
            session = clients.Imap(gateway.ports["imap"], USERS[0], PASSWORD)
            session.command("SELECT INBOX")
            for name, what in (("flags and sizes", "(UID FLAGS RFC822.SIZE)"),
                               ("headers, 4 fields", "(UID BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)])"),
                               ("headers, 4 fields, again", "(UID BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT DATE)])"),
                               ("ENVELOPE", "(UID FLAGS ENVELOPE)"), ("BODYSTRUCTURE", "(BODYSTRUCTURE)"),
                               ("BODY[]", "(BODY.PEEK[])"), ("BODY[] again", "(BODY.PEEK[])")):
                self._fetch(gateway, session, name, what, count)
            self._pop3(gateway)

    def _fetch(self, gateway, session, name, what, count):
        before = usage.Cpu(gateway.process.pid)
        took, octets = session.timed("FETCH 1:* " + what)
        spent = usage.Cpu(gateway.process.pid).minus(before).total
        say(f"{'FETCH ' + name:44} {took:7.3f} s {octets / took / 1e6:9.0f} MB/s   CPU s {spent:.2f}")
        if name == "headers, 4 fields":
            self.results["s for the headers of 10,000 messages"] = took * 10_000 / count
        if name.startswith("BODY[]"):
            self.results["MB/s BODY[]"] = max(octets / took / 1e6, self.results.get("MB/s BODY[]", 0))

    def _pop3(self, gateway):
        before = usage.Cpu(gateway.process.pid)
        _, listed, took, octets = clients.pop3_all(gateway.ports["pop3"], USERS[0], PASSWORD)
        spent = usage.Cpu(gateway.process.pid).minus(before).total
        say(f"{'POP3 UIDL':44} {listed:7.3f} s")
        say(f"{'POP3 RETR of all':44} {took:7.3f} s {octets / took / 1e6:9.0f} MB/s   CPU s {spent:.2f}")

    # --- the end
    def ratios(self):
        say("\ntargets (design 10; in brackets what the first part asks for)        measured    target     ratio")
        for name, (target, first) in TARGETS.items():
            if name not in self.results:
                continue
            got = self.results[name]
            ratio = got / target if name in MORE_IS_BETTER else target / got if got else float("inf")
            asked = f" ({first:g})" if first else ""
            word = "reached" if ratio >= 1 else f"reached in part 1, {1 / ratio:.1f} times off" if first and got <= first else f"{1 / ratio:.1f} times off"
            say(f"{name + asked:66} {got:10.2f} {target:10g} {ratio:9.2f}  {word}")


def use_rsa(gateway):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=localhost",
                    "-keyout", gateway.path("tls.key"), "-out", gateway.path("tls.crt")], check=True, capture_output=True)


def main():
    parts = ("smtp", "explain", "memory", "readers")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200 mails instead of 2,000")
    parser.add_argument("--only", default=",".join(parts), help="some of " + ",".join(parts))
    parser.add_argument("--perf", metavar="FILE", help="record a profile of the row 'all checks, plain'")
    given = parser.parse_args()
    wanted = given.only.split(",")
    unknown = set(wanted) - set(parts)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if not os.path.exists(POSTERN):
        sys.exit(f"{POSTERN} is not built (POSTERN_BUILD names the build folder)")
    mails = corpus.sample(corpus.folder(SOURCE), 200 if given.quick else 2000)
    if not mails:
        say(f"skipped: no corpus in {corpus.folder(SOURCE)}")
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    usage.adopt_orphans()
    begin = time.monotonic()
    say(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    bench = Bench(given, mails)
    with bench.stack:
        for part in parts:
            if part in wanted:
                getattr(bench, part)()
    bench.ratios()
    say(f"\n{time.monotonic() - begin:.0f} s, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
