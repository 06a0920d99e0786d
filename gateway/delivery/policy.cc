// Who decides over TLS with a host: the configuration, RFC 7672, RFC 8461; and what RFC 8460 calls the result.
#include "gateway/delivery/policy.h"

#include "gateway/base/text.h"
#include "gateway/smtp_client/dane.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;
using smtp_client::Outcome;
using smtp_client::TlsPolicy;
using Kind = Outcome::Kind;
using Tls = Outcome::Tls;

constexpr auto kLookUp = 30s;

TlsPolicy policy_of(config::TlsUse use) {
  switch (use) {
    case config::TlsUse::never: return TlsPolicy::never;
    case config::TlsUse::may: return TlsPolicy::may;
    case config::TlsUse::must: return TlsPolicy::must;
    case config::TlsUse::verify: return TlsPolicy::verify;
  }
  return TlsPolicy::may;
}

Outcome refused(std::string words) { return Outcome::ours(Kind::tls_failed, smtp_client::Step::connect, "4.7.5", std::move(words)); }

// "3 1 1 8a9a...", as in a zone.
std::string text_of(const io::Tlsa& record) {
  return std::to_string(record.usage) + " " + std::to_string(record.selector) + " " + std::to_string(record.matching) + " " + hex(record.data);
}

Tls tls_of(io::CertificateFault fault) {
  switch (fault) {
    case io::CertificateFault::none: return Tls::none;
    case io::CertificateFault::name: return Tls::certificate_name;
    case io::CertificateFault::expired: return Tls::certificate_expired;
    case io::CertificateFault::untrusted: return Tls::certificate_untrusted;
  }
  return Tls::none;
}

// RFC 8460 4.3.1.
std::string result_of(Tls how, TlsPolicyFound::Type policy) {
  switch (how) {
    case Tls::not_offered: return "starttls-not-supported";
    case Tls::certificate_name: return "certificate-host-mismatch";
    case Tls::certificate_expired: return "certificate-expired";
    // Against TLSA records nothing is trusted or not: it matches them or does not.
    case Tls::certificate_untrusted: return policy == TlsPolicyFound::Type::tlsa ? "validation-failure" : "certificate-not-trusted";
    case Tls::none:
    case Tls::handshake: return "validation-failure";
  }
  return "validation-failure";
}

}  // namespace

std::string Hop::to_string() const {
  auto address = endpoint.address.to_string();
  if (host == address || host.starts_with('[')) return endpoint.to_string();
  return host + " [" + address + "]:" + std::to_string(endpoint.port);
}

std::string Hop::name() const { return IpAddress::parse(host) || host.starts_with('[') ? "" : host; }

void Policy::apply(smtp_client::Target& target) const {
  target.tls = tls;
  target.tls_name = tls_name;
  target.tlsa = tlsa;
  target.also_named = also_named;
  target.observe = observe;
}

Outcome Policy::explained(Outcome failure) const {
  if (!words.empty() && !refusal && failure.kind == Kind::tls_failed) failure.reply.text = words + " is not met: " + failure.reply.text;
  return failure;
}

std::optional<TlsFailure> Policy::failure_of(const smtp_client::Connected& connected, const Hop& hop) const {
  auto made = [&](std::string result, std::string reason) {
    std::optional<TlsFailure> out(std::in_place);
    out->result = std::move(result);
    out->mx = hop.host;
    out->ip = hop.endpoint.address.to_string();
    out->reason = std::move(reason);
    return out;
  };
  if (!trouble.empty()) return made(trouble, trouble_words);
  if (connected.connection == nullptr) {
    if (connected.failure.kind != Kind::tls_failed) return std::nullopt;
    return made(result_of(connected.failure.tls, found.type), connected.failure.reply.text);
  }
  if (!connected.connection->is_tls()) return made("starttls-not-supported", "");
  auto how = tls_of(connected.connection->certificate_fault());
  if (how != Tls::none) return made(result_of(how, found.type), "");
  return std::nullopt;
}

io::Task<Policy> Policies::decide(RoutePtr route, Hop hop) {
  Policy out;
  out.tls = policy_of(route->tls);
  out.tls_name = hop.name();
  if (out.tls == TlsPolicy::never) co_return std::move(out);
  bool decided = co_await by_dane(*route, hop, out);
  // RFC 8461 2: a policy of MTA-STS never overrides what DANE refuses.
  if (!decided) co_await by_sts(*route, hop, out);
  co_return std::move(out);
}

io::Task<bool> Policies::by_dane(const Route& route, const Hop& hop, Policy& policy) {
  using Kinds = smtp_client::TlsaRecords::Kind;
  if (!parts_.validating || !hop.authentic || hop.name().empty()) co_return false;
  auto found = co_await smtp_client::find_tlsa(parts_.resolver, hop.host, hop.endpoint.port, in(kLookUp));
  if (found.kind == Kinds::none) co_return false;
  policy.found.type = TlsPolicyFound::Type::tlsa;
  policy.found.mx = {hop.host};
  policy.words = "what " + found.owner + " TLSA says";
  if (found.kind == Kinds::failed) {
    policy.refusal = refused(found.words + ": without it no mail goes to " + hop.host);
    policy.trouble = "dnssec-invalid";
    policy.trouble_words = found.words;
    co_return true;
  }
  if (found.kind == Kinds::unusable) {   // TLS all the same; others may want more
    if (policy.tls == TlsPolicy::may) policy.tls = TlsPolicy::must;
    co_return false;
  }
  policy.tls = TlsPolicy::dane;
  policy.tls_name = found.base;
  // RFC 7672 3.2.3: the certificate may name what led to the records instead of their place.
  for (const auto& name : {hop.host, route.domain}) {
    if (!name.empty() && name != found.base) policy.also_named.push_back(name);
  }
  for (const auto& record : found.records) policy.found.text.push_back(text_of(record));
  policy.tlsa = std::move(found.records);
  co_return true;
}

io::Task<void> Policies::by_sts(const Route& route, const Hop& hop, Policy& policy) {
  using Mode = smtp_client::StsPolicy::Mode;
  using Trouble = StsPolicies::Found::Trouble;
  if (parts_.sts == nullptr || !route.by_mx() || route.domain.starts_with('[')) co_return;
  auto found = co_await parts_.sts->find(route.domain);
  if (!found.policy) {
    if (found.trouble == Trouble::none) co_return;
    policy.found.type = TlsPolicyFound::Type::sts;
    policy.trouble = found.trouble == Trouble::invalid ? "sts-policy-invalid" : found.trouble == Trouble::not_trusted ? "sts-webpki-invalid" : "sts-policy-fetch-error";
    policy.trouble_words = found.words;
    co_return;
  }
  if (found.policy->mode == Mode::none) co_return;
  policy.found.type = TlsPolicyFound::Type::sts;
  policy.found.text = found.policy->lines;
  policy.found.mx = found.policy->mx;
  bool enforced = found.policy->mode == Mode::enforce;
  bool listed = found.policy->lists(hop.host);
  if (!listed) {
    policy.trouble = "validation-failure";
    policy.trouble_words = "the MTA-STS policy of " + route.domain + " does not list " + hop.host;
    if (enforced) policy.refusal = refused("the MTA-STS policy of " + route.domain + " does not list " + hop.host);
  }
  if (!enforced) {
    policy.observe = policy.tls == TlsPolicy::may;
    co_return;
  }
  policy.tls = TlsPolicy::verify;
  policy.words = "the MTA-STS policy of " + route.domain;
}

}  // namespace postern::delivery
