// DMARC, RFC 7489.
#include "filters/dmarc.h"

#include <algorithm>
#include <utility>

#include "filters/public_suffix.h"
#include "filters/tag_list.h"
#include "gateway/base/text.h"
#include "gateway/io/together.h"
#include "gateway/mail/address.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/idna.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxFromAddresses = 200;
constexpr std::size_t kMaxRecord = 8192;
constexpr std::size_t kMaxRecordTags = 64;

std::optional<DmarcPolicy> policy_of(std::string_view word) {
  if (iequals(word, "none")) return DmarcPolicy::none;
  if (iequals(word, "quarantine")) return DmarcPolicy::quarantine;
  if (iequals(word, "reject")) return DmarcPolicy::reject;
  return std::nullopt;
}

// A "rua" with a URI in it shows that the record was meant, RFC 7489 6.6.3.
bool has_report_address(std::optional<std::string_view> rua) {
  if (!rua) return false;
  for (std::string_view uri : split(*rua, ',')) {
    uri = trimmed(uri);
    std::size_t colon = uri.find(':');
    if (colon != std::string_view::npos && colon > 0 && uri.size() > colon + 1) return true;
  }
  return false;
}

// The tags behind v=; malformed ones are skipped and of two equal ones the first counts.
class LenientTags {
 public:
  explicit LenientTags(std::string_view text) {
    for (std::string_view piece : split(text.substr(0, kMaxRecord), ';')) {
      std::size_t equals = piece.find('=');
      if (equals == std::string_view::npos || tags_.size() == kMaxRecordTags) continue;
      tags_.emplace_back(trimmed(piece.substr(0, equals)), trimmed(piece.substr(equals + 1)));
    }
  }
  std::optional<std::string_view> find(std::string_view name) const {
    for (const auto& [tag, value] : tags_) {
      if (iequals(tag, name)) return value;
    }
    return std::nullopt;
  }
  bool begins_with_version() const { return !tags_.empty() && tags_.front() == std::pair<std::string_view, std::string_view>("v", "DMARC1"); }

 private:
  std::vector<std::pair<std::string_view, std::string_view>> tags_;
};

bool aligned(std::string_view authenticated, std::string_view author, bool strict) {
  if (authenticated.empty()) return false;
  if (iequals(authenticated, author)) return true;
  return !strict && organizational_domain(authenticated) == organizational_domain(author);
}

DmarcDiscovery read_answer(const dns::Answer& answer, const std::string& domain) {
  DmarcDiscovery out;
  if (answer.temporary()) {
    out.state = DmarcDiscovery::State::temperror;
    out.problem = "DNS gave no answer for the DMARC record of " + domain;
    return out;
  }
  std::size_t count = 0;
  for (const auto& entry : answer.records) {
    auto record = parse_dmarc_record(entry.text);
    if (!record) continue;
    if (++count == 1) out.record = *record;
  }
  if (count == 0) return out;
  out.state = DmarcDiscovery::State::found;
  if (count > 1) {
    // RFC 7489 6.6.3 5: DMARC is not applied; the organisational domain is not asked either.
    out.state = DmarcDiscovery::State::several;
    out.problem = domain + " has several DMARC records";
  } else if (!out.record.problem.empty()) {
    out.state = DmarcDiscovery::State::permerror;
    out.problem = domain + ": " + out.record.problem;
  }
  return out;
}

DmarcPolicy one_step_less(DmarcPolicy policy) {
  return policy == DmarcPolicy::reject ? DmarcPolicy::quarantine : DmarcPolicy::none;
}

// Alignment and what follows from it, once the record is there.
void evaluate(Dmarc& out, const DmarcRecord& record, const Spf& spf, const Dkim& dkim, unsigned sample) {
  bool unknown = false;
  if (aligned(spf.domain, out.domain, record.strict_spf)) {
    out.spf_aligned = spf.result == SpfResult::pass;
    unknown = spf.result == SpfResult::temperror;
  }
  for (const auto& signature : dkim.signatures) {
    if (!aligned(signature.domain, out.domain, record.strict_dkim)) continue;
    out.dkim_aligned = out.dkim_aligned || signature.result == DkimResult::pass;
    unknown = unknown || signature.result == DkimResult::temperror;
  }
  bool below = !iequals(out.domain, out.record_domain);
  out.published = below ? record.subdomain_policy.value_or(record.policy) : record.policy;
  if (out.spf_aligned || out.dkim_aligned) {
    out.result = DmarcResult::pass;
    return;
  }
  out.result = unknown ? DmarcResult::temperror : DmarcResult::fail;
  if (unknown) out.problem = "SPF or DKIM of " + out.domain + " could not be checked now";
  bool in_sample = sample < static_cast<unsigned>(record.percent);
  out.policy = in_sample ? out.published : one_step_less(out.published);
}

io::Task<DmarcDiscovery> discover(dns::Resolver& resolver, std::string domain, Deadline deadline) {
  dns::Answer answer = co_await resolver.query("_dmarc." + domain, dns::Type::txt, deadline);
  DmarcDiscovery out = read_answer(answer, domain);
  out.author = out.record_domain = domain;
  std::string above = organizational_domain(domain);
  if (out.state == DmarcDiscovery::State::none && above != domain) {
    dns::Answer second = co_await resolver.query("_dmarc." + above, dns::Type::txt, deadline);
    out = read_answer(second, above);
    out.author = domain;
    out.record_domain = above;
  }
  co_return out;
}

Dmarc judge_author(const DmarcDiscovery& discovery, const Spf& spf, const Dkim& dkim, unsigned sample) {
  Dmarc out;
  out.domain = discovery.author;
  out.record_domain = discovery.record_domain;
  out.problem = discovery.problem;
  switch (discovery.state) {
    case DmarcDiscovery::State::found:
      out.strict_spf = discovery.record.strict_spf;
      out.strict_dkim = discovery.record.strict_dkim;
      evaluate(out, discovery.record, spf, dkim, sample);
      break;
    case DmarcDiscovery::State::temperror: out.result = DmarcResult::temperror; break;
    case DmarcDiscovery::State::permerror: out.result = DmarcResult::permerror; break;
    case DmarcDiscovery::State::none:
    case DmarcDiscovery::State::several: break;
  }
  bool no_record = out.result == DmarcResult::none || discovery.state == DmarcDiscovery::State::temperror;
  if (no_record) out.record_domain.clear();
  return out;
}

// The greater, the worse for the message.
int severity(const Dmarc& dmarc) {
  switch (dmarc.result) {
    case DmarcResult::pass: return 0;
    case DmarcResult::none: return 1;
    case DmarcResult::permerror: return 2;
    case DmarcResult::fail: return dmarc.policy == DmarcPolicy::none ? 3 : 4 + static_cast<int>(dmarc.policy) * 2;
    case DmarcResult::temperror: return 5;  // worse than p=none, but never hides what a failure asks for
  }
  return 0;
}

}  // namespace

Authors author_domains(std::string_view message) {
  Authors out;
  mail::HeaderReader reader(message);
  mail::HeaderField field;
  bool any_field = false, any_address = false;
  while (reader.next(field)) {
    if (!iequals(field.name, "From")) continue;
    any_field = true;
    auto list = mail::parse_address_list(field.raw, kMaxFromAddresses);
    if (list.size() == kMaxFromAddresses) out.problem = "From names too many addresses";
    for (const auto& address : list) {
      if (address.kind != mail::HeaderAddress::Kind::mailbox) continue;
      any_address = true;
      // "Doe, John <john@example.com>" gives an entry without a domain; the one that has it counts.
      if (address.domain.empty() || address.domain.front() == '[') continue;
      auto domain = mail::domain_to_ascii(address.domain);
      if (!domain || !is_dns_name(*domain)) {
        out.problem = "the domain of From is invalid";
        continue;
      }
      if (std::find(out.domains.begin(), out.domains.end(), *domain) != out.domains.end()) continue;
      if (out.domains.size() == kMaxAuthorDomains) {
        out.problem = "From names too many domains";
        break;
      }
      out.domains.push_back(*domain);
    }
  }
  if (!out.problem.empty() || !out.domains.empty()) return out;
  if (!any_field) {
    out.problem = "there is no From";
  } else {
    out.problem = any_address ? "the address in From has no domain" : "there is no address in From";
  }
  return out;
}

std::optional<DmarcRecord> parse_dmarc_record(std::string_view text) {
  LenientTags tags(text);
  if (!tags.begins_with_version()) return std::nullopt;
  DmarcRecord out;
  auto policy = tags.find("p");
  auto subdomain = tags.find("sp");
  auto wanted = policy ? policy_of(*policy) : std::nullopt;
  auto below = subdomain ? policy_of(*subdomain) : std::nullopt;
  bool valid = wanted && (!subdomain || below);
  if (valid) {
    out.policy = *wanted;
    out.subdomain_policy = below;
  } else if (!has_report_address(tags.find("rua"))) {
    out.problem = wanted ? "sp= of the DMARC record is no policy" : "p= of the DMARC record is no policy";
  }
  out.strict_dkim = iequals(tags.find("adkim").value_or("r"), "s");
  out.strict_spf = iequals(tags.find("aspf").value_or("r"), "s");
  auto percent = parse_number(tags.find("pct").value_or("100"));
  if (percent && *percent <= 100) out.percent = static_cast<int>(*percent);
  return out;
}

std::string organizational_domain(std::string_view domain) {
  std::string registrable = registrable_domain(domain);
  return registrable.empty() ? ascii_lowered(domain) : registrable;
}

unsigned dmarc_sample(std::string_view message, std::uint64_t salt) {
  std::uint64_t hash = 0xcbf29ce484222325ULL ^ salt;  // FNV-1a
  for (char c : message.substr(0, 16 * 1024)) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  hash ^= hash >> 32;  // its low bits alone are poor
  return static_cast<unsigned>(hash % 100);
}

io::Task<std::vector<DmarcDiscovery>> discover_dmarc(dns::Resolver& resolver, std::vector<std::string> domains,
                                                     Deadline deadline) {
  std::vector<io::Task<DmarcDiscovery>> questions;
  for (auto& domain : domains) questions.push_back(discover(resolver, std::move(domain), deadline));
  std::vector<DmarcDiscovery> out = co_await io::together(std::move(questions));
  co_return out;
}

Dmarc judge_dmarc(const Authors& authors, const std::vector<DmarcDiscovery>& records, const Spf& spf, const Dkim& dkim,
                  unsigned sample) {
  Dmarc out;
  for (const auto& record : records) {
    Dmarc other = judge_author(record, spf, dkim, sample);
    if (out.domain.empty() || severity(other) > severity(out)) out = std::move(other);
  }
  out.only_author = authors.domains.size() == 1 && authors.problem.empty();
  if (authors.problem.empty()) return out;
  // What is wrong with From must not hide the forgery of an author that it does name, nor be hidden by one that passes.
  if (out.result == DmarcResult::pass || out.result == DmarcResult::none || out.result == DmarcResult::permerror) {
    out.result = DmarcResult::permerror;
    out.record_domain.clear();
    out.problem = authors.problem;
  } else if (out.problem.empty()) {
    out.problem = authors.problem;
  }
  return out;
}

}  // namespace postern::filters
