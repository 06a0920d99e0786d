"""A signed zone on a real authoritative server (NSD), and a real validating resolver (Unbound) that trusts it.

    with SignedZone("far.example", "mx A 192.0.2.1\\n...", others=port) as dns:
        dns.port                  # of the resolver on 127.0.0.1

What the zone does not hold, the resolver asks of the server on 127.0.0.1 at `others`, unsigned.  `forged`: {record as it stands in
the signed zone: what stands there instead}, behind the signature's back."""
import glob
import os
import shutil
import socket
import subprocess
import tempfile
import time

NSD = shutil.which("nsd", path="/usr/sbin:/usr/bin")
UNBOUND = shutil.which("unbound", path="/usr/sbin:/usr/bin")
SIGN = shutil.which("ldns-signzone")
THERE = all((NSD, UNBOUND, SIGN))

_NSD = """\
server:
  ip-address: 127.0.0.1@{port}
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd"
  zonelistfile: "{folder}/zonelist"
  xfrdir: "{folder}"
  logfile: "{folder}/nsd.log"
remote-control:
  control-enable: no
zone:
  name: {zone}
  zonefile: zone.signed
"""

_UNBOUND = """\
server:
  interface: 127.0.0.1
  port: {port}
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  logfile: "{folder}/unbound.log"
  verbosity: 1
  do-ip6: no
  do-daemonize: no
  num-threads: 1
  do-not-query-localhost: no
  module-config: "validator iterator"
  trust-anchor-file: "{folder}/anchor"
  val-log-level: 2
remote-control:
  control-enable: no
stub-zone:
  name: {zone}
  stub-addr: 127.0.0.1@{authority}
  stub-prime: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{others}
"""


def _free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        return udp.getsockname()[1]


class SignedZone:
    def __init__(self, zone, records, others, forged=None):
        self.zone = zone
        self.folder = tempfile.mkdtemp(prefix="postern-dnssec-")
        self.processes = []
        try:
            self._sign(records, forged or {})
            self.authority = _free_port()
            self._start(NSD, "nsd.conf", _NSD, ["-d"], port=self.authority)
            self.port = _free_port()
            self._start(UNBOUND, "unbound.conf", _UNBOUND, ["-d"], port=self.port, authority=self.authority, others=others)
            self._wait()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def path(self, name):
        return os.path.join(self.folder, name)

    def _write(self, name, text):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(text)

    def _sign(self, records, forged):
        self._write("zone", f"$ORIGIN {self.zone}.\n$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n{records}\n")
        for flags in (["-k"], []):
            subprocess.run(["ldns-keygen", "-a", "ECDSAP256SHA256", "-r", "/dev/urandom", *flags, self.zone], cwd=self.folder, check=True, capture_output=True)
        keys = [os.path.basename(name)[:-len(".private")] for name in glob.glob(self.path("K*.private"))]
        subprocess.run([SIGN, "-o", self.zone, "-f", "zone.signed", "zone", *keys], cwd=self.folder, check=True, capture_output=True)
        anchors = ""
        for name in glob.glob(self.path("K*.ds")):
            with open(name, encoding="ascii") as file:
                anchors += file.read()
        self._write("anchor", anchors)
        with open(self.path("zone.signed"), encoding="ascii") as file:
            text = file.read()
        for true, false in forged.items():
            if true not in text:
                raise AssertionError(f"{true!r} is not in the signed zone")
            text = text.replace(true, false)
        self._write("zone.signed", text)

    def _start(self, program, name, template, options, **values):
        self._write(name, template.format(folder=self.folder, zone=self.zone, **values))
        self.processes.append(subprocess.Popen([program, *options, "-c", self.path(name)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def _wait(self):
        """Until the resolver vouches for the zone."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.asked(self.zone, 6) == (0, True):
                return
            time.sleep(0.1)
        logs = "".join(open(self.path(name), errors="replace").read()[-3000:] for name in ("nsd.log", "unbound.log") if os.path.exists(self.path(name)))
        raise AssertionError(f"the resolver never vouched for {self.zone}:\n{logs}")

    def asked(self, name, type_):
        """rcode and AD bit of an answer; None: there is none."""
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        query = b"\x12\x34\x01\x20\0\1\0\0\0\0\0\0" + labels + b"\0" + type_.to_bytes(2, "big") + b"\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(2)
            try:
                udp.sendto(query, ("127.0.0.1", self.port))
                answer = udp.recv(4096)
            except OSError:
                return None
        return answer[3] & 15, bool(answer[3] & 0x20)

    def close(self):
        for process in self.processes:
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
