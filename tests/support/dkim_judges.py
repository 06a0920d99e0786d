"""Other people's DKIM verifiers: dkimpy (RSA and Ed25519) and Mail::DKIM (Debian's has RSA alone), which ask the tests' DNS server."""
import base64
import json
import subprocess

DKIMPY = r"""
import base64, json, sys
import dkim
given = json.load(sys.stdin)
out = []
for text in given["messages"]:
    message = base64.b64decode(text)
    verifier = dkim.DKIM(message)
    count = sum(1 for name, _ in verifier.headers if name.lower() == b"dkim-signature")
    results = []
    for index in range(count):
        try:
            good = dkim.DKIM(message).verify(idx=index, dnsfunc=lambda name, timeout=5: given["records"].get(name.decode().rstrip(".").lower(), "").encode() or None)
            results.append("pass" if good else "fail")
        except Exception as problem:
            results.append(f"{type(problem).__name__}: {problem}")
    out.append(results)
print(json.dumps(out))
"""

MAIL_DKIM = r"""
use strict; use warnings;
use JSON::PP; use MIME::Base64; use Mail::DKIM::Verifier; use Mail::DKIM::DNS; use Net::DNS::Resolver;
my $given = decode_json(do { local $/; <STDIN> });
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(nameservers => ["127.0.0.1"], port => $given->{port}, recurse => 1));
my @out;
for my $text (@{$given->{messages}}) {
  my $verifier = Mail::DKIM::Verifier->new();
  $verifier->PRINT(decode_base64($text));
  $verifier->CLOSE;
  push @out, [map { ($_->algorithm // "") . " " . ($_->result_detail // "") } $verifier->signatures];
}
print encode_json(\@out);
"""


def _run(command, given):
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"{command[0]}: {done.stderr}")
    return json.loads(done.stdout)


def dkimpy(messages, records):
    """For each message what became of each signature: "pass", or why not.  `records`: {name: text}."""
    return _run(["/usr/bin/python3", "-c", DKIMPY], {"messages": [base64.b64encode(m).decode() for m in messages], "records": records})


def mail_dkim(messages, dns_port):
    """The same by Mail::DKIM, as "rsa-sha256 pass"."""
    return _run(["perl", "-e", MAIL_DKIM], {"messages": [base64.b64encode(m).decode() for m in messages], "port": dns_port})


def missing():
    """Which of them is not here; "" when both are."""
    for name, command in (("python3-dkim", ["/usr/bin/python3", "-c", "import dkim, nacl"]), ("libmail-dkim-perl", ["perl", "-MMail::DKIM::Verifier", "-e", "1"])):
        if subprocess.run(command, capture_output=True).returncode != 0:
            return name
    return ""
