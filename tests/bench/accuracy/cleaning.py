"""Takes from a mail of the corpus what tells from which collection, which mailbox or which year it comes.

What is left is what a gateway would have seen had the author sent it to anna@corp.example within the last day.  README.md says why.
"""
import base64
import binascii
import datetime
import email.utils
import quopri
import re

RECIPIENT = b"anna@corp.example"

# Fields that a provider, a list server, a filter or a mail store of that time added; the names of leaky-headers.txt come on top.
_DROPPED_PREFIXES = (
    b"arc-", b"authentication-results", b"x-authentication", b"received-spf", b"dkim-signature", b"domainkey-signature", b"dkim-filter",
    b"x-spam", b"x-ms-", b"x-microsoft-", b"x-eop", b"x-sid-", b"x-forefront-", b"x-incoming", b"x-gm-", b"x-google-", b"x-received",
    b"list-", b"x-list-", b"x-mailman-", b"x-egroups-", b"x-yahoo-", b"x-topics", b"resent-", b"x-mozilla", b"x-pyzor", b"x-rbl", b"x-razor")
_DROPPED = {
    b"delivered-to", b"x-original-to", b"x-apparently-to", b"x-envelope-to", b"envelope-to", b"delivery-date", b"x-original-date", b"x-mailfrom",
    b"mailing-list", b"precedence", b"errors-to", b"x-beenthere", b"x-loop", b"archived-at", b"message-id-hash", b"x-originatororg",
    b"x-clientproxiedby", b"x-mailscanner", b"status", b"x-status", b"x-keywords", b"x-uid", b"content-length", b"lines", b"x-message-info",
    b"x-message-delivery", b"x-message-flag", b"sender-ip", b"x-sender-ip", b"x-vms-to", b"old-return-path", b"x-uidl", b"x-url", b"x-unsubscribe"}

# Hosts that took the mail for the collection or sent it round: their Received fields, the newest ones, tell the collection.
_RECEIVERS = re.compile(
    rb"(?i)(?:^|\.)(?:outlook\.com|office365\.com|exchangelabs\.com|lfdr\.de|emwd\.com|ettus\.com|slashnull\.org|jmason\.org|zzzzason\.org|netnoteinc\.com|"
    rb"taint\.org|webnote\.net|tuatha\.org|xent\.com|egwn\.net|freshrpms\.net|sourceforge\.net|pro-ns\.net|minder\.net|ssz\.com|lerctr\.org|linux\.ie)$|^localhost")
_RECEIVED_BY = re.compile(rb"(?i)\bby\s+([\w.-]+)")

# Addresses that stand for the reader of a collection.
_READERS = re.compile(
    rb"(?i)phishing@pot|phish\.me\.again@gmail\.com|"
    rb"[\w.+=-]+@(?:[\w-]+\.)*(?:lists\.ettus\.com|lfdr\.de|spamassassin\.taint\.org|netnoteinc\.com|jmason\.org|zzzzason\.org|pro-ns\.net|localhost)\b")
_LISTLIKE = re.compile(rb"(?i)-bounces?\b|-admin@|-request@|\bowner-|sentto-|-owner@|return-\d+-")
# A list's footer: a rule of underscores and what follows in its part, when that speaks of a list; also where a reply quotes it.
_FOOTER = re.compile(rb"(?im)^[> \t]*_{25,}[ \t]*\r?\n(?=(?:.*\n){0,3}.*(?:mailing list|listinfo))(?:(?!--[\w=]).*(?:\n|\Z)){1,6}")
_HTML_FOOTER = re.compile(rb"(?is)_{25,}\s*<br[^>]*>(?=.{0,300}(?:mailing list|listinfo)).{0,2000}?(?=</blockquote>|</div>|</p>|</pre>|</body>|\Z)")
# Ids that the collection's servers gave: an id that its sender gave stays.
_LATE_ID = re.compile(rb"(?i)@(?:[\w-]+\.)*(?:slashnull\.org|jmason\.org|zzzzason\.org|netnoteinc\.com|taint\.org|minder\.net|ssz\.com|pro-ns\.net|webnote\.net)>")
_ID_FIELDS = (b"message-id", b"references", b"in-reply-to")

_MONTHS = [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"]
_DAYS = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"]
_DATE = re.compile(rb"(?:\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun)(,\s*))?\b(\d{1,2})(\s+)(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(\s+)((?:19|20)\d\d|\d\d)\b")


def without_envelope(raw):
    """LF ends, and no mbox "From " line (or the ">From " of one that was quoted)."""
    text = re.sub(rb"\r\n?", b"\n", raw)
    while text.startswith((b"From ", b">From ")):
        text = text.partition(b"\n")[2]
    return text if text.endswith(b"\n") else text + b"\n"


def fields(header):
    """[(name, text with its continuation lines and last LF)]; a line that is no field belongs to the one before."""
    out = []
    for line in header.splitlines(keepends=True):
        name = re.match(rb"([!-9;-~]+)[ \t]*:", line)
        if name and line[:1] not in b" \t":
            out.append((name.group(1).lower(), line))
        elif out:
            out[-1] = (out[-1][0], out[-1][1] + line)
    return out


def _value(text):
    return re.sub(rb"\s+", b" ", text.partition(b":")[2]).strip()


def _first(found, name):
    return next((_value(text) for each, text in found if each == name), b"")


def _arrival(found):
    """When the mail came (UTC): the newest Received says it, which its sender could not invent, else Date."""
    for name in (b"received", b"date"):
        for each, text in found:
            value = _value(text)[-80:] if name == b"received" else _value(text)
            date = _DATE.search(value) if each == name else None
            day = _day(date) if date else None
            if not day:
                continue
            clock = re.match(rb"\s+(\d\d):(\d\d)(?::\d\d)?(?:\s*([+-])(\d\d)(\d\d))?", value[date.end():])
            hour, minute = (int(clock.group(1)), int(clock.group(2))) if clock else (12, 0)
            if hour > 23 or minute > 59:
                continue
            zone = (1 if clock.group(3) == b"+" else -1) * datetime.timedelta(hours=int(clock.group(4)), minutes=int(clock.group(5))) if clock and clock.group(3) else datetime.timedelta(0)
            try:
                return datetime.datetime(day.year, day.month, day.day, hour, minute, tzinfo=datetime.timezone.utc) - zone
            except OverflowError:
                continue
    return None


def _day(date):
    year = int(date.group(7))
    if year < 100:
        year += 1900 if year >= 70 else 2000
    try:
        return datetime.date(year, _MONTHS.index(date.group(5)) + 1, int(date.group(3)))
    except ValueError:
        return None


def _moved(text, days):
    """The dates of a field moved by `days`; a day of the week that was right is right again, a wrong one stays."""
    def move(date):
        day = _day(date)
        try:
            new = day + datetime.timedelta(days) if day else None
        except OverflowError:
            new = None
        if not new:
            return date.group(0)
        week = date.group(1) or b""
        if week and _DAYS.index(week) == day.weekday():
            week = _DAYS[new.weekday()]
        number = b"%d" % new.day
        if len(date.group(3)) == 2:
            number = number.rjust(2, b"0")
        year = (b"%d" % new.year)[-len(date.group(7)):]
        return week + (date.group(2) or b"") + number + date.group(4) + _MONTHS[new.month - 1] + date.group(6) + year
    return _DATE.sub(move, text)


def _without_received(found):
    """All up to the last of the newest Received fields that a receiver of the collection wrote."""
    places = [i for i, (name, _) in enumerate(found) if name == b"received"]
    cut = 0
    for number, place in enumerate(places):
        by = _RECEIVED_BY.search(_value(found[place][1]))
        if by and _RECEIVERS.search(by.group(1)):
            cut = number + 1
        elif by:
            break
    gone = set(places[:cut])
    return [field for i, field in enumerate(found) if i not in gone]


def _is_of_list(found):
    return any(name in (b"list-id", b"list-post", b"x-beenthere", b"mailing-list") for name, _ in found)


def _subject_without_tag(text):
    """Without the tag that a list puts in front, also behind Re:."""
    return re.sub(rb"(?i)^(Subject:\s*(?:(?:re|fw|fwd|aw)(?:\[\d+\])?:\s*)*)\[[^\]\n]{1,40}\][ \t]*", rb"\1", text)


def _author(found):
    """From as its author wrote it: a list that put itself there left him in Reply-To."""
    text = _first(found, b"from")
    address = email.utils.parseaddr(text.decode("latin-1"))[1].encode("latin-1")
    if not re.search(rb"(?i)\bvia\b", text) or not _READERS.search(address):
        return None
    reply = _first(found, b"reply-to")
    other = email.utils.parseaddr(reply.decode("latin-1"))[1].encode("latin-1")
    return reply if b"@" in other and not _READERS.search(other) else None


def _clean_text(text):
    text = _HTML_FOOTER.sub(b"", _FOOTER.sub(b"", text))
    return re.sub(rb"(?i)\blists\.ettus\.com\b", b"lists.corp.example", _READERS.sub(RECIPIENT, text))


def _clean_part(part):
    """A text part that is packed is unpacked, cleaned and packed again where something was to clean."""
    header, gap, body = part.partition(b"\n\n")
    code = re.search(rb"(?im)^Content-Transfer-Encoding:[ \t]*\"?([\w-]+)", header)
    kind = re.search(rb"(?im)^Content-Type:\s*([\w-]+)/", header)
    code = code.group(1).lower() if code else b""
    if kind and kind.group(1).lower() not in (b"text", b"message", b"multipart"):
        return part
    if code == b"base64":
        try:
            plain = base64.b64decode(re.sub(rb"[^A-Za-z0-9+/=]", b"", body), validate=True)
        except (ValueError, binascii.Error):
            return part
        better = _clean_text(plain.replace(b"\r\n", b"\n"))
        return header + gap + base64.encodebytes(better) + b"\n" if better != plain.replace(b"\r\n", b"\n") else part
    if code == b"quoted-printable":
        plain = quopri.decodestring(body)
        better = _clean_text(plain)
        return header + gap + quopri.encodestring(better) if better != plain else part
    return header + gap + _clean_text(body)


def _clean_body(header, body):
    boundary = re.search(rb"(?i)\bboundary\s*=\s*\"?([^\"\n;]{1,70})", header)
    if not boundary:
        own = b"".join(line for name, line in fields(header) if name.startswith(b"content-"))
        return _clean_part(own + b"\n" + body).partition(b"\n\n")[2] if own else _clean_text(body)
    marks = set(re.findall(rb"(?i)\bboundary\s*=\s*\"?([^\"\n;]{1,70})", header + body[:200_000]))
    lines = re.compile(rb"(?m)^(--(?:" + b"|".join(re.escape(mark.strip()) for mark in sorted(marks) if mark.strip()) + rb")(?:--)?[ \t]*\n)")
    pieces = lines.split(body)
    return b"".join(piece if i % 2 else (_clean_part(piece) if i else _clean_text(piece)) for i, piece in enumerate(pieces))


def _unwrapped(found, body):
    """A list server packs a mail and its footer into a multipart of its own; without the footer the mail stands for itself again."""
    boundary = re.search(rb"(?i)multipart/mixed.*?\bboundary\s*=\s*\"?(={15}\d+={2})", b"".join(text for name, text in found if name == b"content-type"), re.S)
    if not boundary:
        return found, body
    parts = [part for part in re.split(rb"(?m)^--" + re.escape(boundary.group(1)) + rb"(?:--)?[ \t]*\n", body)]
    filled = [part for part in parts[1:-1] if part.partition(b"\n\n")[2].strip()]
    if len(filled) != 1:
        return found, body
    header, _, inner = filled[0].partition(b"\n\n")
    own = fields(header + b"\n")
    return [field for field in found if not field[0].startswith(b"content-")] + own, inner


def clean(raw, leaky, now):
    """The mail as if it came within the 24 hours before `now`, a time in UTC.  `leaky`: names of fields, small letters."""
    header, _, body = without_envelope(raw).partition(b"\n\n")
    header += b"\n"
    found = fields(header)
    arrival = _arrival(found)
    days = (now - arrival).days if arrival else 0
    of_list = _is_of_list(found)
    author = _author(found)
    from_address = email.utils.parseaddr((author or _first(found, b"from")).decode("latin-1"))[1].encode("latin-1")
    out = []
    for name, text in _without_received(found):
        if name in leaky or name in _DROPPED or name.startswith(_DROPPED_PREFIXES):
            continue
        if name in (b"date", b"received"):
            text = _moved(text, days)
        if name == b"subject" and of_list:
            text = _subject_without_tag(text)
        if name in _ID_FIELDS:
            if name == b"message-id" and _LATE_ID.search(text):
                continue
            out.append((name, _LATE_ID.sub(b"@mail.corp.example>", re.sub(rb"(?i)@lists\.ettus\.com>", b"@mail.corp.example>", text))))
            continue
        if name == b"from" and author:
            text = b"From: " + author + b"\n"
        elif name == b"reply-to" and (author or _READERS.search(text)):
            continue
        elif name == b"sender" and (of_list or _LISTLIKE.search(text)):
            continue
        elif name == b"return-path" and (of_list or _LISTLIKE.search(text)) and b"@" in from_address:
            text = b"Return-Path: <" + from_address + b">\n"
        out.append((name, _READERS.sub(RECIPIENT, text)))
    body = _clean_body(b"".join(text for _, text in out), body)
    out, body = _unwrapped(out, body)
    return b"".join(text for _, text in out) + b"\n" + body
