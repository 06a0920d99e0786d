"""Dovecot's LMTP server on loopback, with Maildirs in a folder of its own.  Standard library only; needs root."""
import email
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from gateway import free_ports

PROGRAM = shutil.which("dovecot", path="/usr/sbin:" + os.environ.get("PATH", ""))


class Dovecot:
    """`users`: their addresses.  Others it does not know."""

    def __init__(self, users, port=None):
        self.port = port or free_ports(("lmtp",))["lmtp"]
        self.folder = tempfile.mkdtemp(prefix="postern-dovecot-")
        self.process = None
        nobody = pwd.getpwnam("nobody")
        os.chmod(self.folder, 0o755)
        os.mkdir(os.path.join(self.folder, "mail"))
        os.chown(os.path.join(self.folder, "mail"), nobody.pw_uid, nobody.pw_gid)
        with open(os.path.join(self.folder, "users"), "w", encoding="ascii") as file:
            for user in users:
                file.write(f"{user}:{{PLAIN}}unused:{nobody.pw_uid}:{nobody.pw_gid}::{self.folder}/mail/{user}::\n")
        self.config = os.path.join(self.folder, "dovecot.conf")
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f"""base_dir = {self.folder}/run
log_path = {self.folder}/log
protocols = lmtp
listen = 127.0.0.1
ssl = no
mail_location = maildir:~
first_valid_uid = 1
recipient_delimiter = +
lmtp_save_to_detail_mailbox = no
passdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
userdb {{
  driver = passwd-file
  args = {self.folder}/users
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.port}
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
""")
        try:
            self.begin()
        except BaseException:
            self.close()
            raise

    def begin(self):
        self.process = subprocess.Popen([PROGRAM, "-F", "-c", self.config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as connection:
                    if connection.recv(200).startswith(b"220 "):
                        return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(f"dovecot did not start:\n{self.log()[-3000:]}")

    def log(self):
        path = os.path.join(self.folder, "log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def mails(self, user):
        out = []
        folder = os.path.join(self.folder, "mail", user, "new")
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            with open(os.path.join(folder, name), "rb") as file:
                out.append(email.message_from_bytes(file.read()))
        return out

    def stop(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
