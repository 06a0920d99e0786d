"""Finds mails that say nearly the same.

A mail is the set of its word triples (shingles), digits and addresses made equal.  One permutation hashing gives a sketch of
128 minima, bands of three of them give the pairs to look at, and each such pair is then compared exactly (Jaccard).  So a pair above
DUPLICATE is missed once in 10^9 and one at RELATED twice in a thousand.
"""
import hashlib
import re
import zlib
from email import policy
from email.parser import BytesParser
from html import unescape

DUPLICATE = 0.8     # from here on the same mail: one is kept
RELATED = 0.4       # from here on of one campaign or thread: never parted
_BINS = 128
_ROWS = 3
_MAX_BUCKET = 200   # members of a bucket that a newcomer is compared with
_MASK = 0xFFFFFFFF


def text_of(raw):
    """Subject and readable text, small letters; what differs from copy to copy is made equal."""
    try:
        message = BytesParser(policy=policy.compat32).parsebytes(raw)
    except (ValueError, LookupError, IndexError, TypeError):
        return raw.decode("latin-1").lower()
    pieces = [str(message.get("Subject", ""))]
    for part in message.walk():
        if part.get_content_maintype() != "text":
            continue
        try:
            octets = part.get_payload(decode=True) or b""
        except (ValueError, AssertionError):
            octets = b""
        text = octets.decode("utf-8", "replace") if b"\xc3" in octets or b"\xe2" in octets else octets.decode("latin-1")
        if part.get_content_subtype() == "html":
            text = unescape(re.sub(r"<[^>]*>", " ", re.sub(r"(?is)<(style|script)\b.*?</\1>", " ", text)))
        pieces.append(text)
    text = " ".join(pieces).lower()
    text = re.sub(r"https?://([\w.-]*)\S*", r"link \1", text)
    text = re.sub(r"\S+@\S+", "address", text)
    return re.sub(r"\d+", "0", text)


def shingles(text):
    words = re.findall(r"[^\W_]+", text)[:5000]
    if len(words) < 3:
        return frozenset({_mix(zlib.crc32(" ".join(words).encode()))})
    return frozenset(_mix(zlib.crc32(" ".join(words[i:i + 3]).encode())) for i in range(len(words) - 2))


def _mix(value):
    """crc32 is linear; this is not (the finaliser of a common 32-bit hash)."""
    value = ((value ^ (value >> 16)) * 0x85EBCA6B) & _MASK
    value = ((value ^ (value >> 13)) * 0xC2B2AE35) & _MASK
    return value ^ (value >> 16)


def sketch(found):
    bins = [None] * _BINS
    for value in found:
        place = value % _BINS
        if bins[place] is None or value < bins[place]:
            bins[place] = value
    # An empty bin takes its right neighbour's value, so that short mails have a sketch too.
    last = next((value for value in bins if value is not None), 0)
    for i in reversed(range(_BINS)):
        if bins[i] is None:
            bins[i] = (last + 0x9E3779B1) & _MASK
        last = bins[i]
    return bins


def likeness(one, other):
    common = len(one & other)
    return common / (len(one) + len(other) - common)


class Groups:
    """Union-find."""

    def __init__(self, count):
        self.parent = list(range(count))

    def find(self, i):
        while self.parent[i] != i:
            self.parent[i] = self.parent[self.parent[i]]
            i = self.parent[i]
        return i

    def join(self, i, j):
        i, j = self.find(i), self.find(j)
        self.parent[max(i, j)] = min(i, j)


def likes(sets):
    """(i, j, likeness) with i < j for the pairs at RELATED and above that the sketches find."""
    buckets, seen = {}, set()
    for i, found in enumerate(sets):
        values = sketch(found)
        for band in range(0, _BINS - _ROWS + 1, _ROWS):
            bucket = buckets.setdefault((band, *values[band:band + _ROWS]), [])
            for j in bucket[:_MAX_BUCKET]:
                if (j, i) not in seen:
                    seen.add((j, i))
                    how_like = likeness(found, sets[j])
                    if how_like >= RELATED:
                        yield j, i, how_like
            bucket.append(i)


def group(sets):
    """(kept, group): indices that are no duplicate of an earlier one, and for every index the first of its group."""
    groups, duplicate = Groups(len(sets)), set()
    for i, j, how_like in likes(sets):
        groups.join(i, j)
        if how_like >= DUPLICATE and i not in duplicate:
            duplicate.add(j)
    return [i for i in range(len(sets)) if i not in duplicate], [groups.find(i) for i in range(len(sets))]


def content_hash(text):
    return hashlib.sha256(" ".join(re.findall(r"[^\W_]+", text)).encode()).hexdigest()
