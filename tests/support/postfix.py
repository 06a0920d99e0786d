"""A Postfix of its own in a temporary folder: real, started as Debian ships it, on a loopback port."""
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
import time

PROGRAM = shutil.which("postfix", path="/usr/sbin:/usr/bin")

_MASTER = """\
{address}:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.example.test
mydestination =
local_recipient_maps =
alias_maps =
mynetworks = 127.0.0.0/8
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_peername_lookup = no
default_transport = discard:
minimal_backoff_time = 2s
maximal_backoff_time = 4s
queue_run_delay = 2s
"""


class Postfix:
    """`settings`: further lines of main.cf; `address` and `port`: of its smtpd, 0 for any port.  Needs root, as Postfix does."""

    def __init__(self, settings, port=0, address="127.0.0.1"):
        self.folder = tempfile.mkdtemp(prefix="postern-postfix-")
        self._seen = 0
        os.chmod(self.folder, 0o755)
        with socket.socket() as found:
            found.bind((address, 0))
            self.port = port or found.getsockname()[1]
        for name in ("conf", "queue", "data"):
            os.mkdir(os.path.join(self.folder, name))
        user = pwd.getpwnam("postfix")
        os.chown(os.path.join(self.folder, "data"), user.pw_uid, user.pw_gid)
        self._write("master.cf", _MASTER.format(address=address, port=self.port))
        self._write("main.cf", _MAIN.format(folder=self.folder, address=address) + settings)
        try:
            self.begin()
        except BaseException:
            self.close()
            raise

    def _write(self, name, text):
        with open(os.path.join(self.folder, "conf", name), "w", encoding="ascii") as file:
            file.write(text)

    def _run(self, word, check=True):
        done = subprocess.run([PROGRAM, "-c", os.path.join(self.folder, "conf"), word], capture_output=True, text=True, timeout=300)
        if check and done.returncode != 0:
            raise AssertionError(f"postfix {word}: {done.stdout}{done.stderr}{self.log()}")

    def log(self):
        """What was logged since mark()."""
        try:
            with open(os.path.join(self.folder, "maillog"), "rb") as file:
                file.seek(self._seen)
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def mark(self):
        self._seen = os.path.getsize(os.path.join(self.folder, "maillog"))

    def wait(self, pattern, count=1, timeout=60):
        """The lines of the log that match, once there are `count`."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            found = [line for line in self.log().splitlines() if re.search(pattern, line)]
            if len(found) >= count:
                return found
            time.sleep(0.05)
        raise AssertionError(f"Postfix never logged {pattern!r} {count} times:\n{self.log()[-4000:]}")

    def begin(self):
        seen = self.log().count("daemon started")
        self._run("start")
        self.wait(r"daemon started", count=seen + 1)

    def stop(self):
        self._run("stop", check=False)   # returns when the master has ended

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
