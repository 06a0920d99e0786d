"""What a process and all its descendants use: processor time and memory, from /proc."""
import ctypes
import os
import time

_TICK = os.sysconf("SC_CLK_TCK")
_PR_SET_CHILD_SUBREAPER = 36


def _fields(pid):
    """The fields of /proc/PID/stat behind the name, or None when the process has gone.  proc(5)"""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None


def tree(root):
    """`root` and every living descendant."""
    children = {}
    for name in os.listdir("/proc"):
        fields = _fields(name) if name.isdigit() else None
        if fields:
            children.setdefault(int(fields[1]), []).append(int(name))
    out, todo = [], [root]
    while todo:
        pid = todo.pop()
        out.append(pid)
        todo += children.get(pid, [])
    return out


class Cpu:
    """User and system seconds of a tree so far, reaped children included."""

    def __init__(self, root):
        self.root, self.scanners, self.user, self.system = 0.0, 0.0, 0.0, 0.0
        for pid in tree(root):
            fields = _fields(pid)
            if not fields:
                continue
            user, system = (int(fields[11]) + int(fields[13])) / _TICK, (int(fields[12]) + int(fields[14])) / _TICK
            self.user += user
            self.system += system
            if pid == root:
                self.root += user + system
            else:
                self.scanners += user + system

    def minus(self, earlier):
        for name in ("root", "scanners", "user", "system"):
            setattr(self, name, getattr(self, name) - getattr(earlier, name))
        return self

    @property
    def total(self):
        return self.user + self.system


def cpu_at_rest(root, seconds=10):
    """Cpu of a tree that has done nothing for 0.3 s: what it still does after its start is no message's cost."""
    end = time.monotonic() + seconds
    before = Cpu(root)
    while time.monotonic() < end:
        time.sleep(0.3)
        now = Cpu(root)
        if now.total == before.total:
            break
        before = now
    return before


def memory(root):
    """(processes, sum of RSS, sum of PSS) of the tree, in KiB.  PSS shares out what processes have in common."""
    rss = pss = 0
    pids = tree(root)
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Rss:"):
                    rss += int(line.split()[1])
                elif line.startswith("Pss:"):
                    pss += int(line.split()[1])
    return len(pids), rss, pss


def settled_memory(root, seconds=10):
    """As memory(), once three looks in a row agree within 1 % or `seconds` have passed: workers go to rest."""
    seen = [memory(root)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.3)
        seen.append(memory(root))
        last = [each[2] for each in seen[-3:]]
        if len(last) == 3 and max(last) - min(last) <= max(last) // 100:
            break
    return seen[-1]


def adopt_orphans():
    """From now on a descendant whose parent has ended becomes our child, so that its time can be asked for."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def cpu_of_run(process):
    """Waits for `process` (a Popen) and what it left behind; (exit status, user + system seconds)."""
    strangers = set(tree(os.getpid())) - set(tree(process.pid))
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = used.ru_utime + used.ru_stime
    for pid in set(tree(os.getpid())) - strangers:
        try:
            used = os.wait4(pid, 0)[2]
            seconds += used.ru_utime + used.ru_stime
        except ChildProcessError:
            pass      # a grandchild, or reaped by the process itself
    return process.returncode, seconds
