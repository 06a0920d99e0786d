// DKIM: which signatures are verified, with which keys, and what the outcome means.
#include "filters/dkim.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "filters/dkim_key.h"
#include "filters/dkim_library.h"
#include "filters/dkim_signature.h"
#include "filters/tag_list.h"
#include "gateway/base/text.h"
#include "gateway/io/together.h"
#include "gateway/mail/headers.h"

namespace postern::filters {
namespace {

// libopendkim's buffers end at 64 KiB, where it drops octets in silence: nothing that long may reach it.
constexpr std::size_t kMaxLine = 60'000;
constexpr std::size_t kMaxFields = 2'000;
constexpr std::size_t kMaxHeader = 1024 * 1024;

struct Signature {
  ParsedSignature parsed;
  bool over_cap = false;
  std::optional<DkimKey> key;

  bool open() const { return parsed.shown.result == DkimResult::none; }
  void close(DkimResult result, std::string why) {
    parsed.shown.result = result;
    parsed.shown.problem = std::move(why);
  }
};

struct Message {
  Octets octets;
  std::vector<std::string_view> fields;  // those that go to the library
  std::string_view body;
  std::vector<Signature> signatures;     // all that are reported
  std::string problem;                   // why nothing can be verified
};

bool is_signature(const mail::HeaderField& field) { return iequals(field.name, "DKIM-Signature"); }

void add_signature(Message& message, std::string_view field_text, std::string_view value, Time now) {
  if (message.signatures.size() == kMaxDkimReported) return;
  Signature signature;
  signature.parsed = parse_dkim_signature(value, now);
  if (message.signatures.size() >= kMaxDkimSignatures) {
    signature.over_cap = true;
    signature.close(DkimResult::policy, "too many signatures");
  } else if (signature.parsed.well_formed) {
    message.fields.push_back(field_text);
  }
  message.signatures.push_back(std::move(signature));
}

std::string_view without_line_end(std::string_view text) {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

Message read(Octets octets, Time now) {
  Message out;
  out.octets = std::move(octets);
  std::string_view text = out.octets.view();
  mail::HeaderReader reader(text);
  mail::HeaderField field;
  std::size_t count = 0;
  while (reader.next(field)) {
    if (++count > kMaxFields || field.end > kMaxHeader) {
      out.problem = "the header is too large to be verified";
      break;
    }
    std::string_view whole = without_line_end(text.substr(field.begin, field.end - field.begin));
    if (whole.size() > kMaxLine) out.problem = "a header field is too long to be verified";
    if (whole.find('\0') != std::string_view::npos) out.problem = "the header has a NUL";
    if (is_signature(field)) {
      add_signature(out, whole, field.raw, now);
    } else if (!field.name.empty()) {
      out.fields.push_back(whole);
    }
  }
  if (out.problem.empty()) out.body = text.substr(reader.body_offset());
  return out;
}

std::string_view in_words(dns::Status status) {
  switch (status) {
    case dns::Status::timeout: return "DNS did not answer in time";
    case dns::Status::servfail: return "DNS server failure";
    case dns::Status::bad: return "the DNS answer cannot be read";
    default: return "no DNS answer";
  }
}

// RFC 6376 3.6.2.2: with several records the result is undefined; we take the one that is a key.
void take_key(Signature& signature, const dns::Answer& answer) {
  if (answer.exists_not()) return signature.close(DkimResult::permerror, "there is no key at " + signature.parsed.key_name);
  if (!answer.ok()) return signature.close(DkimResult::temperror, std::string(in_words(answer.status)) + " for the key");
  std::string problem = "there is no key at " + signature.parsed.key_name;
  for (const auto& record : answer.records) {
    auto key = parse_dkim_key(record.text);
    if (!key) {
      problem = key.error().text;
    } else if (signature.key) {
      return signature.close(DkimResult::permerror, "there are several keys at " + signature.parsed.key_name);
    } else {
      signature.key = *key;
    }
  }
  if (!signature.key) signature.close(DkimResult::permerror, problem);
}

// Whether this key may stand for this signature.  RFC 6376 3.6.1, RFC 8301 3.2.
void judge_key(Signature& signature) {
  const DkimKey& key = *signature.key;
  signature.parsed.shown.bits = key.bits;
  if (key.revoked) return signature.close(DkimResult::permerror, "the key was revoked");
  if (!key.email) return signature.close(DkimResult::permerror, "the key is not for mail");
  if (!key.sha256) return signature.close(DkimResult::permerror, "the key is not for SHA-256");
  if ((key.type == DkimKey::Type::ed25519) != signature.parsed.ed25519) {
    return signature.close(DkimResult::permerror, "the key is not of the signature's algorithm");
  }
  if (key.same_domain && signature.parsed.identity_below) {
    return signature.close(DkimResult::permerror, "the key is not for domains below d=");
  }
  if (key.type == DkimKey::Type::rsa && key.bits < 1024) {
    return signature.close(DkimResult::policy, "the key of " + std::to_string(key.bits) + " bits is too weak (RFC 8301)");
  }
}

io::Task<void> fetch_keys(Message& message, dns::Resolver& resolver, Deadline deadline) {
  std::map<std::string, std::size_t> place;  // equal keys are asked for once
  std::vector<io::Task<dns::Answer>> questions;
  for (const auto& signature : message.signatures) {
    if (!signature.open() || place.contains(signature.parsed.key_name)) continue;
    place[signature.parsed.key_name] = questions.size();
    questions.push_back(resolver.query(signature.parsed.key_name, dns::Type::txt, deadline));
  }
  std::vector<dns::Answer> answers = co_await io::together(std::move(questions));
  for (auto& signature : message.signatures) {
    if (!signature.open()) continue;
    take_key(signature, answers[place[signature.parsed.key_name]]);
    if (signature.open()) judge_key(signature);
  }
}

bool has_long_line(std::string_view body) {
  std::size_t begin = 0;
  while (body.size() - begin > kMaxLine) {
    std::size_t end = body.find('\n', begin);
    if (end == std::string_view::npos) end = body.size();
    if (end - begin > kMaxLine) return true;
    begin = end + 1;
    if (begin >= body.size()) return false;
  }
  return false;
}

// With t= of the oldest signature as drift the library finds nothing expired and nothing from the
// future (it subtracts without a sign, so more than t= would turn around).
std::uint64_t harmless_drift(const Message& message) {
  std::uint64_t drift = 1ULL << 50;
  for (const auto& signature : message.signatures) {
    if (signature.parsed.signed_at) drift = std::min(drift, *signature.parsed.signed_at);
  }
  return drift;
}

// What the outcome means for one signature.
void judge_outcome(Signature& signature, const LibrarySignature& from, std::string_view body) {
  using Outcome = LibrarySignature::Outcome;
  bool testing = signature.key->testing;
  auto failed = [&](std::string why) {
    // RFC 6376 3.6.1 t=y: a failure in testing must not be held against the signer.
    if (testing) return signature.close(DkimResult::neutral, why + " (the key is in testing)");
    signature.close(DkimResult::fail, std::move(why));
  };
  switch (from.outcome) {
    case Outcome::good: break;
    case Outcome::bad_body: return failed("the body was changed");
    case Outcome::bad_signature: return failed("the signature does not fit the header and the key");
    case Outcome::short_body: return signature.close(DkimResult::permerror, "l= is longer than the body");
    case Outcome::not_run:
    case Outcome::unusable: return signature.close(DkimResult::permerror, from.why);
  }
  if (signature.parsed.body_length) {
    std::uint64_t size = canonical_body_size(body, signature.parsed.relaxed_body);
    if (*signature.parsed.body_length < size) {
      std::uint64_t unsigned_octets = size - *signature.parsed.body_length;
      return signature.close(DkimResult::policy, "l= leaves " + std::to_string(unsigned_octets) + " octets of the body unsigned");
    }
  }
  signature.parsed.shown.result = DkimResult::pass;
}

// CPU work; on a worker.
Message run(Message message) {
  if (has_long_line(message.body)) {
    for (auto& signature : message.signatures) {
      if (signature.open()) signature.close(DkimResult::policy, "a line of the body is too long to be verified");
    }
    return message;
  }
  LibraryMessage library;
  library.fields = message.fields;
  library.body = message.body;
  library.clock_drift = harmless_drift(message);
  for (const auto& signature : message.signatures) {
    if (!signature.parsed.well_formed || signature.over_cap) continue;
    LibrarySignature item;
    item.verify = signature.open();
    if (item.verify) item.key_record = signature.key->record;
    library.signatures.push_back(std::move(item));
  }
  run_libopendkim(library);
  std::size_t at = 0;
  for (auto& signature : message.signatures) {
    if (!signature.parsed.well_formed || signature.over_cap) continue;
    const LibrarySignature& outcome = library.signatures[at++];
    if (outcome.verify) judge_outcome(signature, outcome, message.body);
  }
  return message;
}

bool any_open(const Message& message) {
  return std::any_of(message.signatures.begin(), message.signatures.end(), [](const Signature& s) { return s.open(); });
}

Dkim report(Message message) {
  Dkim out;
  for (auto& signature : message.signatures) out.signatures.push_back(std::move(signature.parsed.shown));
  return out;
}

}  // namespace

std::uint64_t canonical_body_size(std::string_view body, bool relaxed) {
  std::uint64_t size = 0;
  std::uint64_t empty_lines = 0;  // held back: trailing ones do not count
  std::size_t at = 0;
  while (at < body.size()) {
    std::size_t end = body.find("\r\n", at);
    if (end == std::string_view::npos) end = body.size();
    std::string_view line = body.substr(at, end - at);
    at = end + 2;
    std::uint64_t length = line.size();
    if (relaxed) {
      while (!line.empty() && is_wsp(line.back())) line.remove_suffix(1);
      length = 0;
      for (std::size_t i = 0; i < line.size(); ++i) {
        if (!is_wsp(line[i]) || i == 0 || !is_wsp(line[i - 1])) ++length;
      }
    }
    if (length == 0) {
      ++empty_lines;
      continue;
    }
    size += 2 * empty_lines + length + 2;
    empty_lines = 0;
  }
  if (size == 0 && !relaxed) return 2;  // RFC 6376 3.4.3: an empty body is one CRLF
  return size;
}

io::Task<Dkim> verify_dkim(Octets octets, dns::Resolver& resolver, io::WorkerPool* workers, Time now,
                           Deadline deadline) {
  Message message = read(std::move(octets), now);
  if (!message.problem.empty()) {
    for (auto& signature : message.signatures) {
      if (signature.open()) signature.close(DkimResult::permerror, message.problem);
    }
  }
  if (any_open(message)) co_await fetch_keys(message, resolver, deadline);
  if (!any_open(message)) co_return report(std::move(message));
  if (workers == nullptr) co_return report(run(std::move(message)));
  auto job = [moved = std::move(message)]() mutable { return run(std::move(moved)); };
  Message done = co_await workers->run(std::move(job));
  co_return report(std::move(done));
}

bool Dkim::temporary() const {
  bool temporary = false;
  for (const auto& signature : signatures) {
    if (signature.result == DkimResult::pass) return false;
    temporary = temporary || signature.result == DkimResult::temperror;
  }
  return temporary;
}

}  // namespace postern::filters
