"""Unpacks, cleans, thins out and splits the corpus into a cache folder; README.md says how and why."""
import collections
import dataclasses
import datetime
import glob
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile

import cleaning
import duplicates

HERE = os.path.dirname(os.path.abspath(__file__))
# Name of a folder in the archives: (part of the table, era, class).  An era is mail of the same years: what tells ham from spam must do so within one.
PARTS = {
    "spamassassin/ham/easy-ham-1": ("easy-ham", "2002", "ham"),
    "spamassassin/ham/hard-ham-1": ("hard-ham", "2002", "ham"),
    "spamassassin/spam/spam-1": ("spam-1", "2002", "spam"),
    "spamassassin/spam/spam-2": ("spam-2", "2002", "spam"),
    "phishing_pot/spam": ("phishing_pot", "modern", "spam"),
    "usrp-users/ham": ("usrp-users", "modern", "ham"),
}
ORDER = ["easy-ham", "hard-ham", "usrp-users", "spam-1", "spam-2", "phishing_pot"]
FOLDS = 5
_FRESH = datetime.timedelta(hours=1)      # mails are dated within the last day, and filters look at the clock


@dataclasses.dataclass
class Mail:
    path: str       # below the cache
    part: str
    era: str
    spam: bool
    half: str       # "train" or "test"
    fold: int       # 0..FOLDS-1, of both halves
    group: str      # mails of one group are of one half and one fold


def unpack(folder):
    """(part, era, class, name, raw) of all archives, in a fixed order."""
    out = []
    for archive in sorted(glob.glob(os.path.join(folder, "*.tar.zst"))):
        plain = subprocess.run(["zstd", "-dcq", archive], stdout=subprocess.PIPE, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(plain)) as members:
            for member in members:
                place = PARTS.get(os.path.dirname(member.name).removeprefix("./"))
                if member.isfile() and place:
                    out.append((*place, os.path.basename(member.name), members.extractfile(member).read()))
    return sorted(out, key=lambda each: (ORDER.index(each[0]), each[3]))


def leaky_names(folder):
    with open(os.path.join(folder, "leaky-headers.txt"), encoding="ascii") as file:
        return {line.split()[0].encode() for line in file if line.strip()}


def _version(folder):
    """Changes when the cache must be made anew: other archives, other code."""
    digest = hashlib.sha256()
    for name in ("prepare.py", "cleaning.py", "duplicates.py"):
        with open(os.path.join(HERE, name), "rb") as file:
            digest.update(file.read())
    for archive in sorted(glob.glob(os.path.join(folder, "*"))):
        digest.update(f"{os.path.basename(archive)} {os.path.getsize(archive)}".encode())
    return digest.hexdigest()


def _number(group, what):
    """A number of the group that has nothing to do with any other one of it."""
    return int.from_bytes(hashlib.sha256(f"{what} {group}".encode()).digest()[:8], "big")


def prepare(folder, cache, say=lambda text: print(text, file=sys.stderr)):
    """[Mail], and facts about the preparation; what is in `cache` is used again as long as it is right."""
    now = datetime.datetime.now(datetime.timezone.utc)
    version = _version(folder)
    manifest = os.path.join(cache, "manifest.json")
    try:
        with open(manifest, encoding="utf-8") as file:
            known = json.load(file)
        if known["version"] == version and now - datetime.datetime.fromisoformat(known["made"]) < _FRESH:
            return [Mail(**mail) for mail in known["mails"]], known["facts"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    say("preparing the corpus (half a minute of processor time)")
    raw = unpack(folder)
    leaky = leaky_names(folder)
    cleaned = [cleaning.clean(octets, leaky, now) for _, _, _, _, octets in raw]
    texts = [duplicates.text_of(octets) for octets in cleaned]
    kept, group = duplicates.group([duplicates.shingles(text) for text in texts])
    names = {first: duplicates.content_hash(texts[first]) for first in set(group)}
    shutil.rmtree(os.path.join(cache, "mails"), ignore_errors=True)
    mails = []
    for i in kept:
        part, era, kind, name, _ = raw[i]
        name_of_group = names[group[i]]
        half = "train" if _number(name_of_group, "half") % 2 == 0 else "test"
        path = os.path.join("mails", half, kind, era, part + "-" + re.sub(r"[^\w.-]", "_", name))
        os.makedirs(os.path.dirname(os.path.join(cache, path)), exist_ok=True)
        with open(os.path.join(cache, path), "wb") as file:
            file.write(cleaned[i])
        mails.append(Mail(path, part, era, kind == "spam", half, _number(name_of_group, "fold") % FOLDS, name_of_group))
    facts = _facts(raw, mails, group)
    with open(manifest + ".new", "w", encoding="utf-8") as file:
        json.dump({"version": version, "made": now.isoformat(), "facts": facts, "mails": [dataclasses.asdict(mail) for mail in mails]}, file)
    os.replace(manifest + ".new", manifest)
    return mails, facts


def _facts(raw, mails, group):
    sizes = collections.Counter(group)
    count = lambda each: dict(collections.Counter(each))
    return {"unpacked": count(entry[0] for entry in raw), "kept": count(mail.part for mail in mails),
            "train": count(mail.part for mail in mails if mail.half == "train"), "test": count(mail.part for mail in mails if mail.half == "test"),
            "groups_of_two_or_more": sum(1 for size in sizes.values() if size > 1), "largest_groups": [size for _, size in sizes.most_common(5)]}


def leaks(mails, cache):
    """Fields that still tell the modern sets apart: [(name, share in ham, share in spam)], for the eye of who changes cleaning.py."""
    found = {False: collections.Counter(), True: collections.Counter()}
    sizes = collections.Counter(mail.spam for mail in mails if mail.era == "modern")
    for mail in mails:
        if mail.era != "modern":
            continue
        with open(os.path.join(cache, mail.path), "rb") as file:
            header = file.read().partition(b"\n\n")[0]
        found[mail.spam].update({name.decode() for name, _ in cleaning.fields(header + b"\n")})
    rows = []
    for name in set(found[False]) | set(found[True]):
        ham, spam = found[False][name] / max(1, sizes[False]), found[True][name] / max(1, sizes[True])
        if abs(ham - spam) > 0.3:
            rows.append((name, ham, spam))
    return sorted(rows, key=lambda row: -abs(row[1] - row[2]))
