"""Counts, Wilson intervals and the table."""
import collections
import math

import prepare

# (junk or worse, fresh install): what the project wants; "<" at most, ">" at least, in %.
TARGETS = {
    "easy-ham": (("<", 0.1), ("<", 0.5)), "hard-ham": (("<", 2.0), None), "usrp-users": (("<", 0.1), ("<", 0.5)), "all ham": (None, ("<", 0.5)),
    "spam-1": ((">", 98.0), None), "spam-2": ((">", 98.0), None), "spam of 2002": ((">", 98.0), (">", 80.0)), "phishing_pot": ((">", 98.0), (">", 60.0)),
}
_SUMS = {"all ham": lambda mail: not mail.spam, "spam of 2002": lambda mail: mail.spam and mail.era == "2002"}
ROWS = ["easy-ham", "hard-ham", "usrp-users", "all ham", "spam-1", "spam-2", "spam of 2002", "phishing_pot"]


def wilson(hits, count, z=1.96):
    """The 95 % interval of a share (Wilson 1927), in %."""
    if count == 0:
        return 0.0, 100.0
    share, square = hits / count, z * z / count
    middle, half = share + square / 2, z * math.sqrt(share * (1 - share) / count + square / (4 * count))
    return max(0.0, 100 * (middle - half) / (1 + square)), min(100.0, 100 * (middle + half) / (1 + square))


def count(mails, words):
    """{row: Counter of words} of the mails that were judged."""
    out = collections.defaultdict(collections.Counter)
    for mail in mails:
        if mail.path not in words:
            continue
        for row in [mail.part] + [name for name, holds in _SUMS.items() if holds(mail)]:
            out[row][words[mail.path]] += 1
    return out


def as_json(counts):
    out = {}
    for row, words in counts.items():
        size = sum(words.values())
        low, high = wilson(words["junk"], size)
        out[row] = {"mails": size, "junk": words["junk"], "unsure": words["unsure"], "errors": words["error"],
                    "junk_percent": round(100 * words["junk"] / size, 3), "low": round(low, 3), "high": round(high, 3)}
    return out


def text(results):
    """`results`: [{"filter", "how", "problem" or "counts"}]; one block for each part of the corpus."""
    lines = []
    for result in results:
        if result.get("problem"):
            lines.append(f"{result['filter']}, {result['how']}: {result['problem']}")
    lines.append(f"{'':<14} {'filter':<40} {'mails':>6} {'junk or worse':>14} {'95 % interval':>16} {'unsure':>7} {'errors':>7}  wanted")
    for row in (each for each in ROWS if any(each in result.get("counts", {}) for result in results)):
        for result in results:
            cell = result.get("counts", {}).get(row)
            if not cell:
                continue
            wanted = TARGETS.get(row, (None, None))[1 if result["fresh"] else 0]
            met = wanted and cell["errors"] == 0 and (cell["junk_percent"] <= wanted[1] if wanted[0] == "<" else cell["junk_percent"] >= wanted[1])
            said = f"{'at most' if wanted[0] == '<' else 'at least'} {wanted[1]:g} %: {'yes' if met else 'no'}" if wanted else ""
            lines.append(f"{row:<14} {result['filter'] + ', ' + result['how']:<40} {cell['mails']:>6} {cell['junk']:>6} {cell['junk_percent']:>5.1f} % "
                         f"{cell['low']:>7.1f} - {cell['high']:<5.1f}% {cell['unsure']:>7} {cell['errors']:>7}  {said}")
        lines.append("")
    return "\n".join(lines)


assert set(ROWS) <= set(prepare.ORDER) | set(_SUMS)
