"""An Exim on loopback, with Maildirs in a folder of its own.  Debian's exim4 and postfix exclude each other as packages, so
Exim's program comes out of its package without being installed.  Standard library only; needs root, apt and its user
Debian-exim, which is made."""
import email
import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile

from gateway import BUILD, free_ports, wait_for

USER = "Debian-exim"   # compiled in

_SETTINGS = """\
primary_hostname = behind.corp.test
exim_path = {program}
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
pid_file_path = {folder}/exim.pid
local_interfaces = 127.0.0.1
keep_environment =
host_lookup =
tls_advertise_hosts =
deliver_drop_privilege
message_size_limit = 100000
acl_smtp_rcpt = rcpt
acl_smtp_data = data
begin acl
rcpt:
  deny message = 5.1.1 unknown user
       !recipients = {users}
  defer message = 4.2.0 the mailbox of $local_part is locked
       recipients = {locked}
  accept
data:
  deny message = 5.6.0 this server does not want it
       condition = ${{if eq{{$h_subject:}}{{refuse me}}}}
  accept
begin routers
boxes:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  maildir_format
  return_path_add
  directory = {folder}/mail/${{lookup{{$local_part}}lsearch{{{folder}/users}}}}
begin retry
* * F,1h,1m
"""


def program():
    """Of Debian's package, unpacked beside the build; None: it cannot be had."""
    folder = os.path.join(BUILD, "exim")
    path = os.path.join(folder, "usr/sbin/exim4")
    if os.path.exists(path):
        return path
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o777)   # apt fetches as a user of its own
        if subprocess.run(["apt-get", "download", "-qq", "exim4-daemon-light"], cwd=work, capture_output=True, check=False).returncode != 0:
            return None
        package, = glob.glob(os.path.join(work, "exim4-daemon-light_*.deb"))
        subprocess.run(["dpkg", "-x", package, folder + ".new"], check=True)
    os.rename(folder + ".new", folder)
    return path


def works():
    """Whether it is there with all libraries that it wants."""
    path = program()
    if path is None or "not found" in subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout:
        return False
    try:
        pwd.getpwnam(USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER], check=True)
    return True


class Exim:
    """`users`: the addresses that it knows; `locked`: those of them that it defers."""

    def __init__(self, users, locked=(), port=None):
        self.port = port or free_ports(("exim",))["exim"]
        self.folder = tempfile.mkdtemp(prefix="postern-exim-")
        self.process = None
        user = pwd.getpwnam(USER)
        os.chmod(self.folder, 0o755)
        for name in ("mail", "spool", "."):
            path = os.path.join(self.folder, name)
            os.makedirs(path, exist_ok=True)
            os.chown(path, user.pw_uid, user.pw_gid)
        with open(os.path.join(self.folder, "conf"), "w", encoding="ascii") as file:
            file.write(_SETTINGS.format(program=program(), folder=self.folder, users=" : ".join(users), locked=" : ".join(locked)))
        with open(os.path.join(self.folder, "users"), "w", encoding="ascii") as file:   # a name that came over SMTP is no path to it
            file.writelines(f"{name}: {name}\n" for name in (user.split("@")[0] for user in users))
        self.begin()

    def begin(self):
        seen = self.log().count("daemon started")
        with open(os.path.join(self.folder, "out"), "ab") as out:
            self.process = subprocess.Popen([program(), "-C", os.path.join(self.folder, "conf"), "-bdf", "-oX", str(self.port)],
                                            stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)
        wait_for(lambda: self.log().count("daemon started") > seen)

    def log(self):
        out = ""
        for name in ("mainlog", "rejectlog", "paniclog", "out"):
            path = os.path.join(self.folder, name)
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    out += file.read()
        return out

    def mails(self, user):
        out = []
        for path in sorted(glob.glob(os.path.join(self.folder, "mail", user.split("@")[0], "new", "*"))):
            with open(path, "rb") as file:
                out.append(email.message_from_bytes(file.read()))
        return out

    def stop(self):
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGTERM)   # with the one that serves our kept connection
            self.process.wait()
            self.process = None

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
