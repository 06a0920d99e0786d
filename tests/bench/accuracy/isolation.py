"""A network namespace of our own: nothing that runs here can reach or resolve anything.  The phishing mails hold live links."""
import errno
import fcntl
import os
import socket
import struct
import sys

_MARK = "POSTERN_ACCURACY_ISOLATED"
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def enter():
    """Runs this program anew inside a namespace; comes back only there.  Ends the program where there can be none."""
    if os.environ.get(_MARK) != "yes":
        os.environ[_MARK] = "yes"
        options = ["-n"] if os.geteuid() == 0 else ["-r", "-n"]
        try:
            os.execvp("unshare", ["unshare", *options, "--", sys.executable, "-B", *sys.argv])
        except OSError as problem:
            sys.exit(f"accuracy: no network namespace can be made ({problem}), and without one no mail is judged")
    _loopback_up()
    _check()


def _loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def _check():
    """Only loopback is there, and no way to anywhere else."""
    names = {name for _, name in socket.if_nameindex()}
    # sit0, tunl0 and their like appear in each namespace; they lead nowhere while they are down.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        up = {name for name in names
              if struct.unpack("16sh14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, struct.pack("16sh14x", name.encode(), 0)))[1] & _IFF_UP}
        if up != {"lo"}:
            sys.exit(f"accuracy: the namespace has more than loopback ({', '.join(sorted(up))})")
        try:
            any_socket.connect(("198.51.100.1", 53))      # sends nothing
        except OSError as problem:
            if problem.errno == errno.ENETUNREACH:
                return
    sys.exit("accuracy: there is a way out of the namespace")
