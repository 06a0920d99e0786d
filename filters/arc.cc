// ARC: which keys are asked for and when, what is hashed, and what the outcome means.
#include "filters/arc.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "filters/arc_crypto.h"
#include "filters/arc_signature.h"
#include "filters/dkim_key.h"
#include "gateway/base/text.h"
#include "gateway/io/together.h"
#include "gateway/mail/arc_chain.h"
#include "gateway/mail/dkim_canonical.h"
#include "gateway/mail/dkim_fields.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxFields = 2'000;
constexpr std::size_t kMaxHeader = 1024 * 1024;

// What stands behind a key's name in DNS.
struct Key {
  std::optional<ArcKey> key;
  std::string problem;      // why there is none
  bool temporary = false;
};

struct Set {
  ArcSignature seal;
  ArcSignature message_signature;
  std::string seal_hash;    // of what the seal covers; made in the first round
};

// Moves between the loop and a worker; views point into `octets`.
struct Work {
  Octets octets;
  Time now;
  mail::ArcChain chain;
  std::unique_ptr<mail::SignedFields> fields;
  std::vector<Set> sets;
  std::map<std::string, std::shared_ptr<const Key>> keys;
  std::optional<std::string> body_hashes[2];   // simple, relaxed
  std::uint64_t body_sizes[2] = {0, 0};
  Arc out;
  std::size_t open = 0;      // sets [0, open) have yet to be verified
  bool walking = true;       // no message signature has failed yet
  unsigned verified = 0;     // the lowest instance whose message signature verifies

  bool decided() const { return out.result != ArcResult::pass; }
  void close(ArcResult result, unsigned instance, std::string why) {
    out.result = result;
    out.instance = instance;
    out.problem = std::move(why);
  }
  void fail(unsigned instance, std::string why) { close(ArcResult::fail, instance, std::move(why)); }
};

std::string of_set(std::string_view what, std::size_t instance) {
  return std::string(what) + " of set " + std::to_string(instance) + ": ";
}

ArcSet shown(const Set& set, std::size_t instance) {
  ArcSet out;
  out.instance = static_cast<unsigned>(instance);
  if (set.seal.problem.empty()) {
    out.domain = set.seal.domain;
    out.selector = set.seal.selector;
  }
  if (set.message_signature.problem.empty()) out.signing_domain = set.message_signature.domain;
  out.covers_all = set.message_signature.covers_from && !set.message_signature.body_length;
  return out;
}

// Everything that can be said without keys.
Work read(Octets octets, Time now) {
  Work out;
  out.octets = std::move(octets);
  out.now = now;
  out.chain = mail::read_arc_chain(out.octets.view());
  out.out.ended = out.chain.ended;
  if (out.chain.empty()) return out;
  out.out.result = ArcResult::pass;   // while nothing speaks against it
  if (!out.chain.problem.empty()) {
    out.fail(out.chain.broken, out.chain.problem);
    return out;
  }
  out.fields = std::make_unique<mail::SignedFields>(out.octets.view(), kMaxFields);
  bool too_large = out.fields->truncated() || out.fields->header_size() > kMaxHeader;
  for (std::size_t i = 0; i < out.chain.sets.size(); ++i) {
    const auto& from = out.chain.sets[i];
    Set set;
    set.seal = parse_arc_seal(from.seal->raw);
    set.message_signature = parse_arc_message_signature(from.message_signature->raw, now);
    out.out.sets.push_back(shown(set, i + 1));
    out.sets.push_back(std::move(set));
  }
  out.open = out.sets.size();
  if (too_large) out.fail(0, "the header is too large to be verified");
  for (std::size_t i = out.sets.size(); i > 0 && !out.decided(); --i) {
    const Set& set = out.sets[i - 1];
    auto instance = static_cast<unsigned>(i);
    bool newest = i == out.sets.size();
    if (newest && !set.message_signature.problem.empty()) out.fail(instance, of_set("the message signature", i) + set.message_signature.problem);
    else if (!set.seal.problem.empty()) out.fail(instance, of_set("the seal", i) + set.seal.problem);
  }
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

// Why this key may not stand for a seal.  RFC 6376 3.6.1, RFC 8301 3.2.  t= has no meaning here: there is no i= to
// compare, and "testing" would only say not to blame the signer.
std::string objection(const DkimKey& key) {
  if (key.revoked) return "the key was revoked";
  if (!key.email) return "the key is not for mail";
  if (!key.sha256) return "the key is not for SHA-256";
  if (key.type == DkimKey::Type::rsa && key.bits < 1024) return "the key of " + std::to_string(key.bits) + " bits is too weak (RFC 8301)";
  return {};
}

// RFC 6376 3.6.2.2: with several records the result is undefined; we take the one that is a key.
Key read_key(const dns::Answer& answer, const std::string& name) {
  Key out;
  if (answer.temporary()) {
    out.temporary = true;
    out.problem = std::string(in_words(answer.status)) + " for the key";
    return out;
  }
  out.problem = "there is no key at " + name;
  std::optional<DkimKey> found;
  for (const auto& record : answer.records) {
    auto key = parse_dkim_key(record.text);
    if (key && found) {
      out.problem = "there are several keys at " + name;
      return out;
    }
    if (key) found = std::move(*key);
    else out.problem = key.error().text;
  }
  if (!found) return out;
  out.problem = objection(*found);
  if (!out.problem.empty()) return out;
  auto key = ArcKey::read(*found);
  if (key) out.key = std::move(*key);
  else out.problem = key.error().text;
  return out;
}

bool wants_message_signature(const Work& work, std::size_t instance) {
  return work.walking && work.sets.size() - instance < kMaxArcMessageSignatures && work.sets[instance - 1].message_signature.problem.empty();
}

// The keys of the next wave: sets (open - kArcWave, open].
io::Task<void> fetch_keys(Work& work, dns::Resolver& resolver, Deadline deadline) {
  std::vector<std::string> names;
  auto want = [&](const std::string& name) {
    if (work.keys.contains(name) || std::find(names.begin(), names.end(), name) != names.end()) return;
    names.push_back(name);
  };
  std::size_t last = work.open > kArcWave ? work.open - kArcWave : 0;
  for (std::size_t i = work.open; i > last; --i) {
    want(work.sets[i - 1].seal.key_name);
    if (wants_message_signature(work, i)) want(work.sets[i - 1].message_signature.key_name);
  }
  std::vector<io::Task<dns::Answer>> questions;
  for (const auto& name : names) questions.push_back(resolver.query(name, dns::Type::txt, deadline));
  std::vector<dns::Answer> answers = co_await io::together(std::move(questions));
  for (std::size_t i = 0; i < names.size(); ++i) work.keys[names[i]] = std::make_shared<const Key>(read_key(answers[i], names[i]));
}

// RFC 8617 5.1.1: all sets up to this one, the seal itself without its b=.
void hash_seals(Work& work) {
  ArcHash hash;
  auto message = work.octets.view();
  std::string text;
  for (std::size_t i = 0; i < work.sets.size(); ++i) {
    const auto& set = work.chain.sets[i];
    text.clear();
    mail::canonical_field(message, *set.results, true, text);
    mail::canonical_field(message, *set.message_signature, true, text);
    hash.add(text);
    text.clear();
    mail::canonical_signature(message, *set.seal, true, text);
    work.sets[i].seal_hash = hash.with(text);
    text.clear();
    mail::canonical_field(message, *set.seal, true, text);
    hash.add(text);
  }
}

// Why the signature does not verify with its key; "" when it does.
std::string verify(const Key& key, const ArcSignature& signature, std::string_view hash, bool& temporary) {
  temporary = key.temporary;
  if (!key.key) return key.problem;
  if (key.key->is_ed25519() != signature.ed25519) return "the key is not of the signature's algorithm";
  return key.key->signed_it(hash, signature.signature) ? "" : "it does not fit the header and the key";
}

void hash_body(Work& work, bool relaxed) {
  auto& place = work.body_hashes[relaxed ? 1 : 0];
  if (place) return;
  ArcHash hash;
  std::uint64_t size = 0;
  auto sink = [&](std::string_view piece) {
    size += piece.size();
    hash.add(piece);
  };
  if (relaxed) mail::relaxed_body(work.fields->body(), sink);
  else mail::simple_body(work.fields->body(), sink);
  place = hash.with();
  work.body_sizes[relaxed ? 1 : 0] = size;
}

std::string verify_message_signature(Work& work, std::size_t instance, bool& temporary) {
  const ArcSignature& signature = work.sets[instance - 1].message_signature;
  if (!signature.problem.empty()) return signature.problem;
  std::size_t way = signature.relaxed_body ? 1 : 0;
  hash_body(work, signature.relaxed_body);
  if (signature.body_length && *signature.body_length > work.body_sizes[way]) return "l= is longer than the body";
  if (signature.body_length && *signature.body_length < work.body_sizes[way]) {
    return "l= leaves " + std::to_string(work.body_sizes[way] - *signature.body_length) + " octets of the body unsigned";
  }
  if (*work.body_hashes[way] != signature.body_hash) return "the body was changed";
  std::string text;
  auto message = work.octets.view();
  for (const auto* field : work.fields->pick(signature.names)) mail::canonical_field(message, *field, signature.relaxed_header, text);
  mail::canonical_signature(message, *work.chain.sets[instance - 1].message_signature, signature.relaxed_header, text);
  return verify(*work.keys.at(signature.key_name), signature, ArcHash().with(text), temporary);
}

// RFC 8617 5.2 steps 4 to 6 for the sets of one wave.  CPU work; on a worker.
Work verify_wave(Work work) {
  std::size_t count = work.sets.size();
  if (work.open == count) hash_seals(work);
  std::size_t last = work.open > kArcWave ? work.open - kArcWave : 0;
  for (; work.open > last; --work.open) {
    std::size_t i = work.open;
    auto instance = static_cast<unsigned>(i);
    bool temporary = false;
    bool newest = i == count;
    if (newest || wants_message_signature(work, i)) {
      auto problem = verify_message_signature(work, i, temporary);
      if (problem.empty()) {
        work.verified = instance;
      } else if (newest) {
        work.close(temporary ? ArcResult::temperror : ArcResult::fail, instance, of_set("the message signature", i) + problem);
        return work;
      } else {
        work.walking = false;
      }
    } else {
      work.walking = false;
    }
    const ArcSignature& seal = work.sets[i - 1].seal;
    auto problem = verify(*work.keys.at(seal.key_name), seal, work.sets[i - 1].seal_hash, temporary);
    if (!problem.empty()) {
      work.close(temporary ? ArcResult::temperror : ArcResult::fail, instance, of_set("the seal", i) + problem);
      return work;
    }
  }
  return work;
}

Arc report(Work work) {
  Arc out = std::move(work.out);
  if (out.result != ArcResult::pass) return out;
  out.oldest_pass = work.verified == 1 ? 0 : work.verified;
  for (std::size_t i = 0; i < out.sets.size(); ++i) {
    auto parts = mail::split_arc_results(work.chain.sets[i].results->raw);
    if (parts) out.sets[i].results = mail::parse_authres_payload(parts->payload);
  }
  return out;
}

}  // namespace

std::string_view name(ArcResult result) {
  switch (result) {
    case ArcResult::none: return "none";
    case ArcResult::pass: return "pass";
    case ArcResult::fail: return "fail";
    case ArcResult::temperror: return "temperror";
  }
  return "?";
}

io::Task<Arc> validate_arc(Octets message, dns::Resolver& resolver, io::WorkerPool* workers, Time now, Deadline deadline) {
  Work work = read(std::move(message), now);
  while (!work.decided() && work.open > 0) {
    co_await fetch_keys(work, resolver, deadline);
    if (workers == nullptr) {
      work = verify_wave(std::move(work));
      continue;
    }
    auto job = [moved = std::move(work)]() mutable { return verify_wave(std::move(moved)); };
    Work done = co_await workers->run(std::move(job));
    work = std::move(done);
  }
  co_return report(std::move(work));
}

mail::AuthResult arc_auth_result(const Arc& arc, const std::string& remote_ip) {
  mail::AuthResult out;
  out.method = "arc";
  out.result = name(arc.result);
  out.reason = arc.problem;
  if (arc.result == ArcResult::pass) out.properties.push_back({"header.oldest-pass", std::to_string(arc.oldest_pass)});
  if (!remote_ip.empty()) out.properties.push_back({"smtp.remote-ip", remote_ip});
  return out;
}

}  // namespace postern::filters
