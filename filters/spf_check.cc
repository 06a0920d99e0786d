// check_host() of RFC 7208 4 and 5 as a coroutine.
#include "filters/spf_check.h"

#include <algorithm>

#include "gateway/base/text.h"

namespace postern::filters {
namespace {

constexpr int kMaxTerms = 10;               // 4.6.4: include a mx ptr exists redirect
constexpr int kMaxVoids = 2;                // 4.6.4
constexpr std::size_t kMaxNames = 10;       // 4.6.4: of one MX or PTR answer
constexpr int kMaxSpeculated = 20;          // questions that may turn out needless
constexpr std::size_t kMaxExplanation = 500;
constexpr std::size_t kMaxExplanationText = 1'000;

// 4.3: a name with at least two labels that DNS can be asked for, no address literal.
bool is_checkable(std::string_view domain) {
  if (domain.size() > 253 || domain.find('.') == std::string_view::npos || domain.starts_with('[')) return false;
  auto labels = split(domain, '.');
  return std::none_of(labels.begin(), labels.end(), [](auto label) { return label.empty() || label.size() > 63; });
}

std::string without_dot(std::string name) {
  if (name.ends_with('.')) name.pop_back();
  return ascii_lowered(name);
}

std::string unknown(std::string_view name, dns::Type type, const dns::Answer& answer) {
  return "DNS did not tell " + std::string(dns::type_name(type)) + " of " + printable(name) + " (" + std::string(dns::status_name(answer.status)) + ")";
}

// The text of the one SPF record; nothing if there is none; an error if there are several (4.5).
Result<std::optional<std::string>> select_record(std::string_view domain, const dns::Answer& answer) {
  std::optional<std::string> found;
  for (const auto& record : answer.records) {
    if (!is_spf_record(record.text)) continue;
    if (found) return Error(printable(domain) + " publishes more than one SPF record (RFC 7208 4.5)");
    found = record.text;
  }
  return found;
}

bool is_at_or_below(std::string_view name, std::string_view domain) {
  return name == domain || (name.size() > domain.size() && name.ends_with(domain) && name[name.size() - domain.size() - 1] == '.');
}

}  // namespace

SpfCheck::SpfCheck(dns::Resolver& resolver, const SpfQuery& query, Deadline deadline, const SpfOptions& options)
    : options_(options), lookups_(resolver, deadline) {
  auto at = query.sender.rfind('@');
  values_.ip = query.ip;
  values_.helo = query.helo;
  values_.receiver = query.receiver;
  values_.now = to_unix(options.clock->now());
  values_.sender_domain = query.sender.empty() ? query.helo : query.sender.substr(at == std::string::npos ? 0 : at + 1);
  values_.sender_domain = without_dot(values_.sender_domain);
  if (at != std::string::npos) values_.local = query.sender.substr(0, at);
  if (values_.local.empty()) values_.local = "postmaster";
}

io::Task<Spf> SpfCheck::run() {
  Spf out;
  out.domain = values_.sender_domain;
  if (!is_checkable(values_.sender_domain)) co_return out;
  auto outcome = co_await check_host(values_.sender_domain);
  out.result = outcome.result;
  out.problem = std::move(outcome.problem);
  out.mechanism = std::move(outcome.mechanism);
  if (out.result == SpfResult::fail && !outcome.explanation_domain.empty()) {
    auto text = co_await explain(std::move(outcome.explanation_domain), std::move(outcome.decided_by));
    out.explanation = std::move(text);
  }
  co_return out;
}

io::Task<SpfCheck::Outcome> SpfCheck::check_host(std::string domain) {
  Outcome out;
  const dns::Answer* answer = co_await lookups_.get(domain, dns::Type::txt);
  if (answer->temporary()) {
    out.result = SpfResult::temperror;
    out.problem = unknown(domain, dns::Type::txt, *answer);
    co_return out;
  }
  auto text = select_record(domain, *answer);
  if (text && !*text) co_return out;  // none
  auto record = text ? parse_spf_record(**text) : Result<SpfRecord>(text.error());
  if (!record) {
    out.result = SpfResult::permerror;
    out.problem = text ? "SPF record of " + printable(domain) + ": " + record.error().text : record.error().text;
    co_return out;
  }
  const SpfRecord& kept = records_.insert_or_assign(domain, std::move(*record)).first->second;
  if (options_.speculate) speculate(domain, kept);
  // A copy: a record that includes itself may replace what stands in the map.
  SpfRecord mine = kept;
  auto outcome = co_await evaluate(std::move(domain), mine);
  co_return outcome;
}

io::Task<SpfCheck::Outcome> SpfCheck::evaluate(std::string domain, const SpfRecord& record) {
  Outcome out;
  for (const auto& directive : record.directives) {
    Match match = co_await matches(domain, directive);
    if (match == Match::no) continue;
    if (match == Match::yes) {
      out.result = directive.verdict;
      out.mechanism = directive.text;
      if (out.result == SpfResult::fail && !record.explanation.empty()) {
        auto name = co_await target_of(domain, record.explanation);
        out.explanation_domain = std::move(name);
        out.decided_by = domain;
      }
    } else {
      out.result = match == Match::temperror ? SpfResult::temperror : SpfResult::permerror;
      out.problem = problem_;
    }
    co_return out;
  }
  if (!record.redirect.empty()) {
    auto outcome = co_await redirected(std::move(domain), record);
    co_return outcome;
  }
  out.result = SpfResult::neutral;  // 4.7
  out.mechanism = "default";
  co_return out;
}

// 6.1.  Its exp= is that of the record that is redirected to.
io::Task<SpfCheck::Outcome> SpfCheck::redirected(std::string domain, const SpfRecord& record) {
  Outcome out;
  out.result = SpfResult::permerror;
  if (!count_term("redirect=" + record.redirect)) {
    out.problem = problem_;
    co_return out;
  }
  auto target = co_await target_of(std::move(domain), record.redirect);
  if (!is_checkable(target)) {
    out.problem = "redirect to \"" + printable(target) + "\", which is no domain";
    co_return out;
  }
  auto outcome = co_await check_host(target);
  if (outcome.result != SpfResult::none) co_return outcome;
  out.problem = "redirect to " + printable(target) + ", which has no SPF record";
  co_return out;
}

io::Task<SpfCheck::Match> SpfCheck::matches(std::string domain, const SpfDirective& directive) {
  Match match = Match::no;
  if (!directive.asks_dns()) {
    bool yes = directive.mechanism == SpfMechanism::all || (!directive.never && Network(directive.network, directive.prefix).contains(values_.ip));
    if (yes) match = Match::yes;
    co_return match;
  }
  if (!count_term(directive.text)) co_return Match::permerror;
  std::string target = domain;
  if (!directive.domain.empty()) {
    auto expanded = co_await target_of(std::move(domain), directive.domain);
    target = std::move(expanded);
  }
  if (directive.mechanism == SpfMechanism::include) {
    match = co_await matches_include(std::move(target));
  } else if (directive.mechanism == SpfMechanism::a) {
    match = co_await matches_addresses(std::move(target), directive);
  } else if (directive.mechanism == SpfMechanism::mx) {
    match = co_await matches_mx(std::move(target), directive);
  } else if (directive.mechanism == SpfMechanism::ptr) {
    match = co_await matches_ptr(std::move(target));
  } else {
    match = co_await matches_exists(std::move(target));
  }
  co_return match;
}

// 5.2
io::Task<SpfCheck::Match> SpfCheck::matches_include(std::string target) {
  Outcome inner;
  if (is_checkable(target)) {
    auto outcome = co_await check_host(target);
    inner = std::move(outcome);
  }
  if (inner.result == SpfResult::pass) co_return Match::yes;
  if (inner.result == SpfResult::temperror || inner.result == SpfResult::permerror) {
    problem_ = inner.problem;
    co_return inner.result == SpfResult::temperror ? Match::temperror : Match::permerror;
  }
  if (inner.result == SpfResult::none) {
    problem_ = "include of " + printable(target) + ", which has no SPF record";
    co_return Match::permerror;
  }
  co_return Match::no;
}

// 5.3
io::Task<SpfCheck::Match> SpfCheck::matches_addresses(std::string target, const SpfDirective& directive) {
  const dns::Answer* answer = co_await lookups_.get(target, address_type());
  if (answer->temporary()) {
    problem_ = unknown(target, address_type(), *answer);
    co_return Match::temperror;
  }
  if (!count_void(*answer, target)) co_return Match::permerror;
  co_return contains_client(*answer, directive.prefix4, directive.prefix6) ? Match::yes : Match::no;
}

// 5.4.  Void answers for the hosts are not counted: the domain that publishes the record may not own them.
io::Task<SpfCheck::Match> SpfCheck::matches_mx(std::string target, const SpfDirective& directive) {
  const dns::Answer* hosts = co_await lookups_.get(target, dns::Type::mx);
  if (hosts->temporary()) {
    problem_ = unknown(target, dns::Type::mx, *hosts);
    co_return Match::temperror;
  }
  if (!count_void(*hosts, target)) co_return Match::permerror;
  if (hosts->records.size() > kMaxNames) {
    problem_ = printable(target) + " has more than 10 MX (RFC 7208 4.6.4)";
    co_return Match::permerror;
  }
  for (const auto& host : hosts->records) {
    if (!host.text.empty()) lookups_.begin(host.text, address_type());
  }
  for (const auto& host : hosts->records) {
    if (host.text.empty()) continue;  // RFC 7505: the null MX
    const dns::Answer* answer = co_await lookups_.get(host.text, address_type());
    if (answer->temporary()) {
      problem_ = unknown(host.text, address_type(), *answer);
      co_return Match::temperror;
    }
    if (contains_client(*answer, directive.prefix4, directive.prefix6)) co_return Match::yes;
  }
  co_return Match::no;
}

// 5.5: an unknown answer is no match, since the owner of the address, not the sender, would be to blame.
io::Task<SpfCheck::Match> SpfCheck::matches_ptr(std::string target) {
  co_await validate_names();
  bool found = std::any_of(values_.validated.begin(), values_.validated.end(), [&](const auto& name) { return is_at_or_below(name, target); });
  co_return found ? Match::yes : Match::no;
}

// 5.7: A even for an IPv6 client.
io::Task<SpfCheck::Match> SpfCheck::matches_exists(std::string target) {
  const dns::Answer* answer = co_await lookups_.get(target, dns::Type::a);
  if (answer->temporary()) {
    problem_ = unknown(target, dns::Type::a, *answer);
    co_return Match::temperror;
  }
  if (!count_void(*answer, target)) co_return Match::permerror;
  co_return answer->ok() ? Match::yes : Match::no;
}

// 5.5: the names of the address of which one of the addresses is the client's.
io::Task<void> SpfCheck::validate_names() {
  if (std::exchange(names_validated_, true)) co_return;
  const dns::Answer* names = co_await lookups_.get(values_.ip.ptr_name(), dns::Type::ptr);
  auto count = std::min(names->records.size(), kMaxNames);
  for (std::size_t i = 0; i < count; ++i) lookups_.begin(names->records[i].text, address_type());
  for (std::size_t i = 0; i < count; ++i) {
    const std::string& name = names->records[i].text;
    const dns::Answer* answer = co_await lookups_.get(name, address_type());
    if (contains_client(*answer, 32, 128)) values_.validated.push_back(name);
  }
}

// 6.2: whatever goes wrong, there is just no explanation.
io::Task<std::string> SpfCheck::explain(std::string name, std::string domain) {
  const dns::Answer* answer = co_await lookups_.get(std::move(name), dns::Type::txt);
  if (!answer->ok() || answer->records.size() != 1) co_return std::string();
  std::string text = answer->records.front().text;
  if (text.size() > kMaxExplanationText || !is_macro_string(text, MacroPlace::explanation)) co_return std::string();
  if (uses_validated_name(text)) co_await validate_names();
  values_.domain = std::move(domain);
  auto out = expand_macros(text, values_);
  // The sender's local part may be anything; this goes into replies and logs.
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  out.resize(std::min(out.size(), kMaxExplanation));
  co_return out;
}

io::Task<std::string> SpfCheck::target_of(std::string domain, std::string spec) {
  if (uses_validated_name(spec)) co_await validate_names();
  values_.domain = std::move(domain);
  co_return expand_domain(spec, values_);
}

bool SpfCheck::count_term(std::string_view text) {
  if (++terms_ <= kMaxTerms) return true;
  problem_ = "more than 10 terms that ask DNS, the eleventh is \"" + printable(text, 80) + "\" (RFC 7208 4.6.4)";
  return false;
}

bool SpfCheck::count_void(const dns::Answer& answer, std::string_view name) {
  if (!answer.exists_not() || ++voids_ <= kMaxVoids) return true;
  problem_ = "more than 2 names that do not exist, the third is " + printable(name) + " (RFC 7208 4.6.4)";
  return false;
}

bool SpfCheck::contains_client(const dns::Answer& answer, int prefix4, int prefix6) const {
  int prefix = values_.ip.is_v4() ? prefix4 : prefix6;
  return std::any_of(answer.records.begin(), answer.records.end(),
                     [&](const auto& record) { return Network(record.address, prefix).contains(values_.ip); });
}

// Only what needs no %{p}; empty otherwise.
std::string SpfCheck::quick_target(const std::string& domain, const std::string& spec) {
  if (spec.empty()) return domain;
  if (uses_validated_name(spec)) return {};
  values_.domain = domain;
  return expand_domain(spec, values_);
}

// Asks now what the evaluation will ask soon: all terms up to the one that surely decides.
void SpfCheck::speculate(const std::string& domain, const SpfRecord& record) {
  int terms = terms_;
  for (const auto& directive : record.directives) {
    if (directive.mechanism == SpfMechanism::all) return;
    if (!directive.asks_dns()) {
      if (!directive.never && Network(directive.network, directive.prefix).contains(values_.ip)) return;
      continue;
    }
    auto target = quick_target(domain, directive.domain);
    if (++terms > kMaxTerms || target.empty() || speculated_ >= kMaxSpeculated) return;
    ++speculated_;
    switch (directive.mechanism) {
      case SpfMechanism::include: speculate_policy(target); break;
      case SpfMechanism::a: lookups_.begin(target, address_type()); break;
      case SpfMechanism::mx: lookups_.begin(target, dns::Type::mx); break;
      case SpfMechanism::exists: lookups_.begin(target, dns::Type::a); break;
      case SpfMechanism::ptr: lookups_.begin(values_.ip.ptr_name(), dns::Type::ptr); break;
      default: break;
    }
  }
  if (record.redirect.empty() || speculated_ >= kMaxSpeculated) return;
  ++speculated_;
  speculate_policy(quick_target(domain, record.redirect));
}

// The record of an include, and when it is there what that will ask.
void SpfCheck::speculate_policy(const std::string& name) {
  if (!is_checkable(name)) return;
  lookups_.begin(name, dns::Type::txt, [this, name](const dns::Answer& answer) {
    auto text = select_record(name, answer);
    if (!text || !*text) return;
    auto record = parse_spf_record(**text);
    if (record) speculate(name, *record);
  });
}

}  // namespace postern::filters
