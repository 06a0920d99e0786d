"""dkimpy's ARC, for tests in C++.

arc_judge.py missing                                 prints the package that is not here, or nothing
arc_judge.py verify KEYS MESSAGE...                  a line a message: "pass", "fail why", "none", "ended"; KEYS: lines "name record"
arc_judge.py seal MESSAGE KEY DOMAIN SELECTOR NAME   the three fields; NAME: whose Authentication-Results
"""
import importlib
import logging
import sys


def missing():
    for package, module in (("python3-dkim", "dkim"), ("python3-authres", "authres"), ("python3-nacl", "nacl")):
        try:
            importlib.import_module(module)
        except ImportError:
            return package
    return ""


def read(path):
    with open(path, "rb") as file:
        return file.read()


def verify(keys_path, *messages):
    import dkim
    keys = dict(line.split(b" ", 1) for line in read(keys_path).split(b"\n") if line)
    for path in messages:
        status, _, why = dkim.ARC(read(path)).verify(dnsfunc=lambda name, timeout=5: keys.get(name.rstrip(b".").lower()))
        print("ended" if status is None else status.decode() + (" " + str(why) if status == b"fail" else ""))


def seal(message, key, domain, selector, name):
    import dkim
    fields = dkim.arc_sign(read(message), selector.encode(), domain.encode(), read(key), name.encode(), timestamp=1764000000)
    sys.stdout.buffer.write(b"".join(fields))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    if sys.argv[1] == "missing":
        print(missing())
    else:
        {"verify": verify, "seal": seal}[sys.argv[1]](*sys.argv[2:])
