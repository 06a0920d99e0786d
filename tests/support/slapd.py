"""OpenLDAP's slapd on loopback, started from nothing with a folder, a port and a schema of its own.  Standard library only."""
import os
import shutil
import signal
import subprocess
import tempfile
import time

from gateway import free_ports

PROGRAM = shutil.which("slapd", path="/usr/sbin:/usr/lib/openldap:" + os.environ.get("PATH", ""))
BASE = "dc=corp,dc=test"
READER = f"cn=postern,{BASE}"
READER_PASSWORD = "reader secret"
ROOT = f"cn=root,{BASE}"
ROOT_PASSWORD = "root secret"

# What Exchange and Active Directory have, under numbers that nobody else uses here.
SCHEMA = """
attributetype ( 1.3.6.1.4.1.99999.1.1 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.99999.1.2 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.99999.2.1 NAME 'directoryUser' SUP top AUXILIARY MAY ( proxyAddresses $ userAccountControl ) )
"""


class Slapd:
    """`people`: {uid: {"mail": [...], "password": ..., "proxyAddresses": [...], "userAccountControl": 512}}."""

    def __init__(self, people, certificate=None, key=None, more=""):
        self.folder = tempfile.mkdtemp(prefix="postern-slapd-")
        ports = free_ports(("ldap", "ldaps"))
        self.port, self.tls_port = ports["ldap"], ports["ldaps"]
        self.certificate = certificate
        self.process = None
        try:
            self._configure(people, certificate, key, more)
            self.begin()
        except BaseException:
            self.close()
            raise

    def _configure(self, people, certificate, key, more):
        os.mkdir(os.path.join(self.folder, "db"))
        with open(os.path.join(self.folder, "own.schema"), "w", encoding="ascii") as file:
            file.write(SCHEMA)
        schema = "".join(f"include /etc/ldap/schema/{name}.schema\n" for name in ("core", "cosine", "inetorgperson", "misc"))
        tls = f"TLSCertificateFile {certificate}\nTLSCertificateKeyFile {key}\n" if certificate else ""
        self.config = os.path.join(self.folder, "slapd.conf")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"{schema}include {self.folder}/own.schema\npidfile {self.folder}/pid\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\n{tls}"
                       f"{more}\ndatabase mdb\nsuffix {BASE}\ndirectory {self.folder}/db\nrootdn {ROOT}\nrootpw \"{ROOT_PASSWORD}\"\nmaxsize 10485760\n"
                       "access to attrs=userPassword by anonymous auth by * none\n"
                       f"access to * by dn=\"{READER}\" read by * none\n")
        ldif = [f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\ndc: corp\no: Corp\n",
                f"dn: {READER}\nobjectClass: person\ncn: postern\nsn: postern\nuserPassword: {READER_PASSWORD}\n",
                f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n"]
        ldif += [self.entry(uid, facts) for uid, facts in people.items()]
        subprocess.run([PROGRAM, "-T", "add", "-f", self.config], input="\n".join(ldif), text=True, check=True)

    @staticmethod
    def dn(uid):
        return f"uid={uid},ou=people,{BASE}"

    @classmethod
    def entry(cls, uid, facts):
        lines = [f"dn: {cls.dn(uid)}"] + [f"objectClass: {name}" for name in ("inetOrgPerson", "inetLocalMailRecipient", "directoryUser")]
        lines += [f"uid: {uid}", f"cn: {uid}", f"sn: {uid}"]
        for name, values in facts.items():
            attribute = "userPassword" if name == "password" else name
            lines += [f"{attribute}: {value}" for value in (values if isinstance(values, list) else [values])]
        return "\n".join(lines) + "\n"

    def begin(self):
        urls = f"ldap://127.0.0.1:{self.port}/" + (f" ldaps://127.0.0.1:{self.tls_port}/" if self.certificate else "")
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen([PROGRAM, "-f", self.config, "-h", urls, "-d", "stats"], stdout=log, stderr=log)
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            if "slapd starting" in self.log():
                return
            time.sleep(0.02)
        raise AssertionError(f"slapd did not start:\n{self.log()[-3000:]}")

    def log(self):
        path = os.path.join(self.folder, "log")
        if not os.path.exists(path):
            return ""
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def searches(self):
        return self.log().count(" SRCH base=")

    def binds_as(self, uid):
        return self.log().count(f'BIND dn="{self.dn(uid)}" method=128')

    def modify(self, ldif):
        subprocess.run(["ldapmodify", "-x", "-H", f"ldap://127.0.0.1:{self.port}", "-D", ROOT, "-w", ROOT_PASSWORD], input=ldif, text=True, check=True,
                       capture_output=True)

    def set_password(self, uid, password):
        self.modify(f"dn: {self.dn(uid)}\nchangetype: modify\nreplace: userPassword\nuserPassword: {password}\n")

    def remove(self, uid):
        self.modify(f"dn: {self.dn(uid)}\nchangetype: delete\n")

    def freeze(self):
        """It keeps its connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)
        threads = f"/proc/{self.process.pid}/task"
        while not all(self._is_stopped(f"{threads}/{thread}/stat") for thread in os.listdir(threads)):
            time.sleep(0.01)

    @staticmethod
    def _is_stopped(path):
        try:
            with open(path, encoding="ascii") as file:
                return file.read().rsplit(")", 1)[1].split()[0] == "T"
        except FileNotFoundError:   # the thread has ended
            return True

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self, how=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(how)
            self.process.send_signal(signal.SIGCONT)
            self.process.wait(30)
            self.process = None
            with open(os.path.join(self.folder, "log"), "ab") as log:
                log.truncate(0)   # "slapd starting" is to be the next one's

    def close(self):
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
