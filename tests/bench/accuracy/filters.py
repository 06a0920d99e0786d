"""The filters of the table.  Each runs in a folder of its own and gives, for each mail, "ham", "unsure", "junk" or "error".

A filter is used as `with Filter(setting, folder) as one:`, then one.train(mails), one.judge(mails) -> {path: word}, one.cpu: seconds of the last judge().
"""
import concurrent.futures
import ctypes
import email.utils
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import usage  # noqa: E402
from name_server import CLIENT_IP, CLIENT_NAME  # noqa: E402

RECIPIENT = "anna@corp.example"


class Setting:
    def __init__(self, cache, postern, rules, dns_port):
        self.cache, self.postern, self.rules, self.dns_port = cache, postern, rules, dns_port

    def path(self, mail):
        return os.path.join(self.cache, mail.path)


def die_with_us():
    """In a child, before exec: no server outlives a bench that was ended."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)      # PR_SET_PDEATHSIG


class Missing(Exception):
    """The filter, or its learning, is not there."""


class Filter:
    name = ""

    def __init__(self, setting, folder):
        self.setting, self.folder, self.cpu = setting, folder, 0.0
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def _linked(self, mails, name):
        """A folder of its own with these mails; (folder, {path in it: path in the cache})."""
        where, paths = os.path.join(self.folder, name), {}
        shutil.rmtree(where, ignore_errors=True)
        os.makedirs(where)
        for number, mail in enumerate(mails):
            paths[os.path.join(where, f"{number:06}.eml")] = mail.path
            os.link(self.setting.path(mail), os.path.join(where, f"{number:06}.eml"))
        return where, paths


def recipient_of(octets):
    """Whom the mail names: our reader, else the first address in To.  Lists' fields are taken out of all mail, so that whom it does not name tells nothing."""
    header = octets.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("latin-1")
    named = [address for field in re.findall(r"(?mi)^(?:To|Cc|Bcc):((?:.*\n[ \t])*.*)$", header) for _, address in email.utils.getaddresses([field]) if "@" in address]
    return RECIPIENT if RECIPIENT in named or not named else re.sub(r"[^!-~]", "", named[0])


def run(command, **options):
    done = subprocess.run(command, capture_output=True, check=False, **options)
    if done.returncode not in (0, 1, 2):      # bogofilter answers with it
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr[-500:].decode(errors='replace')}")
    return done


class Postern(Filter):
    """`postern explain` over a folder; learning through `postern learn`."""
    name = "postern"
    _WORDS = {"ham": "ham", "junk": "junk", "quarantine": "junk", "reject": "junk"}

    def __init__(self, setting, folder):
        super().__init__(setting, folder)
        if not setting.postern or not os.access(setting.postern, os.X_OK):
            raise Missing("not built: name the program with --postern")
        data, self.config, self.trained = os.path.join(folder, "data"), os.path.join(folder, "postern.toml"), False
        os.makedirs(data)
        # The scripts of the sources, which fit the rules of the sources.
        scripts = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "scripts")
        self.environment = {"POSTERN_SCRIPTS": os.path.abspath(scripts), **os.environ}
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f'hostname = "mx.corp.example"\ndata = "{data}"\nrules = "{setting.rules}"\nuser = "root"\n'
                       '[listen]\nsmtp = []\nsubmission = []\nsubmissions = []\nimap = []\nimaps = []\npop3 = []\npop3s = []\nadmin = ""\n'
                       f'[dns]\nservers = ["127.0.0.1:{setting.dns_port}"]\n[antivirus]\nscanners = 0\n[domains."corp.example"]\ndeliver = "mailboxes"\n')

    def train(self, mails):
        # `postern learn --help` would say yes to any word.
        if not re.search(rb"(?m)^\s+learn\s", run([self.setting.postern, "--help"]).stdout):
            raise Missing("not built: there is no `postern learn`")
        for spam in (False, True):
            where, _ = self._linked([mail for mail in mails if mail.spam == spam], "learn")
            run([self.setting.postern, "--config", self.config, "learn", "spam" if spam else "ham", where], env=self.environment)
        self.trained = True

    def judge(self, mails):
        where, paths = self._linked(mails, "judge")
        command = [self.setting.postern, "--config", self.config, "--json", "explain", "--ip", CLIENT_IP, "--helo", CLIENT_NAME, "--rcpt", RECIPIENT]
        with open(os.path.join(self.folder, "answers"), "w+b") as answers, open(os.path.join(self.folder, "errors"), "w+b") as errors:
            process = subprocess.Popen(command + ([] if self.trained else ["--no-learned"]) + [where], stdout=answers, stderr=errors, env=self.environment)
            status, self.cpu = usage.cpu_of_run(process)
            errors.seek(0)
            if status not in (0, 1) or (mails and answers.seek(0, os.SEEK_END) == 0):
                raise RuntimeError(f"postern explain ended with {status}: {errors.read()[-500:].decode(errors='replace')}")
            answers.seek(0)
            out, self.details = {}, {}
            for line in answers:
                said = json.loads(line)
                path = paths[said["file"]]
                out[path] = self._WORDS.get(said.get("verdict"), "error")
                self.details[path] = said
        for path in paths.values():
            out.setdefault(path, "error")
        return out


class Bogofilter(Filter):
    """As it comes, without a configuration file: spam from 0.99 on, ham up to 0.45, unsure between them."""
    name = "bogofilter"
    package = "bogofilter"

    def __init__(self, setting, folder):
        super().__init__(setting, folder)
        self.trained = False

    def train(self, mails):
        for spam in (False, True):
            paths = "".join(self.setting.path(mail) + "\n" for mail in mails if mail.spam == spam)
            run(["bogofilter", "-C", "-d", self.folder, "-s" if spam else "-n", "-b"], input=paths.encode())
        self.trained = True

    def judge(self, mails):
        if not self.trained:
            raise Missing("knows nothing before it was trained")
        before = sum(os.times()[2:4])
        done = run(["bogofilter", "-C", "-d", self.folder, "-T", "-b"], input="".join(self.setting.path(mail) + "\n" for mail in mails).encode())
        self.cpu = sum(os.times()[2:4]) - before
        known, out = {self.setting.path(mail): mail.path for mail in mails}, {mail.path: "error" for mail in mails}
        for line in done.stdout.decode().splitlines():
            found = re.match(r"(.*) ([SHU]) [\d.e+-]+$", line)
            if found:
                out[known[found.group(1)]] = {"S": "junk", "H": "ham", "U": "unsure"}[found.group(2)]
        return out


class Rspamd(Filter):
    """Debian's configuration, with Redis; add header, rewrite subject and reject are junk, greylist is unsure."""
    name = "rspamd"
    package = "rspamd"
    _WORDS = {"no action": "ham", "greylist": "unsure", "soft reject": "unsure", "add header": "junk", "rewrite subject": "junk", "reject": "junk", "discard": "junk",
              "quarantine": "junk"}
    _SCAN, _CONTROL = 11333, 11334      # the namespace is ours, so no port is taken

    def __init__(self, setting, folder):
        super().__init__(setting, folder)
        self.processes = []
        conf = os.path.join(folder, "conf")
        shutil.copytree("/etc/rspamd", conf)
        for name in ("local.d", "override.d"):      # Debian's defaults, not what was changed on this machine
            shutil.rmtree(os.path.join(conf, name), ignore_errors=True)
            os.makedirs(os.path.join(conf, name))
        for name in ("db", "run", "log"):
            os.makedirs(os.path.join(folder, name))
        self._write("local.d/redis.conf", f'servers = "{folder}/redis.sock";\n')
        compiled = os.path.join(setting.cache, "rspamd-patterns")      # takes a minute of processor time, once
        os.makedirs(compiled, exist_ok=True)
        self._write("override.d/options.inc", f'dns {{ nameserver = ["127.0.0.1:{setting.dns_port}"]; }}\nhs_cache_dir = "{compiled}/";\n')
        for name in ("proxy", "fuzzy"):             # no mail server talks to it, and no fuzzy storage can be reached
            self._write(f"override.d/worker-{name}.inc", "enabled = false;\n")

    def _write(self, name, text):
        with open(os.path.join(self.folder, "conf", name), "w", encoding="ascii") as file:
            file.write(text)

    def __enter__(self):
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "preexec_fn": die_with_us}
        self.processes.append(subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.folder + "/redis.sock", "--save", "", "--dir", self.folder], **quiet))
        variables = [f"--var={name}={self.folder}/{value}" for name, value in
                     (("CONFDIR", "conf"), ("LOCAL_CONFDIR", "conf"), ("DBDIR", "db"), ("RUNDIR", "run"), ("LOGDIR", "log"))]
        self.processes.append(subprocess.Popen(["rspamd", "-f", "--insecure", "-c", self.folder + "/conf/rspamd.conf", *variables], **quiet))
        end = time.monotonic() + 120
        while True:
            try:
                if self._ask(self._SCAN, "GET", "/ping")[0] == 200 and self._ask(self._CONTROL, "GET", "/ping")[0] == 200:
                    return self
            except OSError:
                pass
            if self.processes[-1].poll() is not None or time.monotonic() > end:
                log = os.path.join(self.folder, "log", "rspamd.log")
                text = open(log, encoding="utf-8", errors="replace").read()[-2000:] if os.path.exists(log) else ""
                self.__exit__()
                raise RuntimeError("rspamd did not start: " + text)
            time.sleep(0.2)

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        super().__exit__()

    @staticmethod
    def _ask(port, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _octets(self, mail):
        with open(self.setting.path(mail), "rb") as file:
            return file.read().replace(b"\n", b"\r\n")

    def train(self, mails):
        """One by one, ham and spam mixed as `mails` are.  It learns no mail with too few words, nor one twice."""
        self.unlearnt, said = 0, b""
        for mail in mails:
            status, answer = self._ask(self._CONTROL, "POST", "/learnspam" if mail.spam else "/learnham", self._octets(mail))
            if status != 200:
                self.unlearnt, said = self.unlearnt + 1, answer
        if self.unlearnt > len(mails) // 10:
            raise RuntimeError(f"rspamd did not learn {self.unlearnt} of {len(mails)} mails, the last because of {said[:200]!r}")

    def judge(self, mails):
        def one(mail):
            octets = self._octets(mail)
            sender = re.search(rb"(?mi)^Return-Path:\s*<?([^\s<>]*)>?\s*$", octets.partition(b"\r\n\r\n")[0])
            # A public address: loopback and private ones would be trusted and spared most checks.
            headers = {"IP": CLIENT_IP, "Helo": CLIENT_NAME, "Hostname": CLIENT_NAME, "Rcpt": recipient_of(octets),
                       "From": sender.group(1).decode("latin-1") if sender else ""}
            status, said = self._ask(self._SCAN, "POST", "/checkv2", octets, headers)
            if status != 200:
                return mail.path, "error", {}
            said = json.loads(said)
            word = self._WORDS.get(said.get("action"), "error")
            # Its greylisting would let spam wait as well, once: what counts is what becomes of it then.
            if said.get("action") == "soft reject" and said.get("score", 0) >= said.get("thresholds", {}).get("add header", 6):
                word = "junk"
            return mail.path, word, said
        roots = [process.pid for process in self.processes]
        before = [usage.cpu_at_rest(pid, 300) for pid in roots]      # it compiles its patterns beside its work
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(one, mails))
        self.cpu = sum(usage.Cpu(pid).minus(earlier).total for pid, earlier in zip(roots, before))
        self.details = {path: said for path, _, said in answers}
        return {path: word for path, word, _ in answers}


class SpamAssassin(Filter):
    """spamd with local tests alone (-L), Debian's configuration, a Bayes database of its own; 5 points are junk, there is no unsure."""
    name = "spamassassin"
    package = "spamassassin"

    def __init__(self, setting, folder):
        super().__init__(setting, folder)
        self.process, self.prefs = None, os.path.join(folder, "user_prefs")
        with open(self.prefs, "w", encoding="ascii") as file:
            file.write(f"bayes_path {folder}/bayes\nbayes_auto_learn 0\nuse_auto_whitelist 0\n")

    def __enter__(self):
        return self

    def train(self, mails):
        for spam in (False, True):
            paths = os.path.join(self.folder, "paths")
            with open(paths, "w", encoding="utf-8") as file:
                file.writelines(self.setting.path(mail) + "\n" for mail in mails if mail.spam == spam)
            run(["sa-learn", "-L", "-p", self.prefs, "--spam" if spam else "--ham", "--no-sync", "-f", paths])
        run(["sa-learn", "-L", "-p", self.prefs, "--sync"])

    def judge(self, mails):
        socket_path = os.path.join(self.folder, "spamd.sock")
        environment = {**os.environ, "HOME": self.folder}
        os.makedirs(os.path.join(self.folder, ".spamassassin"), exist_ok=True)
        shutil.copy(self.prefs, os.path.join(self.folder, ".spamassassin", "user_prefs"))
        self.process = subprocess.Popen(["spamd", "-L", "-m", "2", "--min-children=2", "--socketpath=" + socket_path, "-u", "root", "-H", self.folder],
                                        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_us)
        end = time.monotonic() + 120
        while not os.path.exists(socket_path):
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("spamd did not start")
            time.sleep(0.2)

        def one(mail):
            with open(self.setting.path(mail), "rb") as file:
                done = subprocess.run(["spamc", "-U", socket_path, "-c", "-s", "10000000"], stdin=file, capture_output=True, check=False, env=environment)
            found = re.match(rb"(-?[\d.]+)/(-?[\d.]+)", done.stdout)
            return mail.path, "error" if not found or found.group(2) == b"0" else "junk" if done.returncode == 1 else "ham"
        before = usage.cpu_at_rest(self.process.pid, 60)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            out = dict(pool.map(one, mails))
        self.cpu = usage.Cpu(self.process.pid).minus(before).total
        return out

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            self.process.wait()
        super().__exit__()


ALL = {each.name: each for each in (Postern, Bogofilter, Rspamd, SpamAssassin)}
