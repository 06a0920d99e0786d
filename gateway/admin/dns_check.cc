// Does DNS say of a domain what it should?  Each record is read as those read it who use it.
#include "gateway/admin/dns_check.h"

#include <algorithm>

#include "filters/dmarc.h"
#include "filters/spf.h"
#include "gateway/admin/dkim_sight.h"
#include "gateway/base/text.h"
#include "gateway/dns/srv.h"
#include "gateway/io/together.h"

namespace postern::admin {
namespace {

using What = DnsRecord::What;
using State = DnsFinding::State;
using dns::Type;

constexpr std::size_t kMaxAddresses = 8;   // of our host that SPF is evaluated for

// What all looks share.
struct Look {
  dns::Resolver& resolver;
  const config::Config& config;
  const signing::Keys& keys;
  std::string domain;
  Deadline deadline;
  delivery::StsPolicies::Fetch fetch;
  std::vector<IpAddress> addresses = {};   // of our host, as DNS has them
  std::string alias = {};                  // what our host is a CNAME of
  dns::Status host = dns::Status::ok;      // not ok: why there are no addresses
};

DnsFinding finding(DnsRecord wanted, State state, std::string advice) {
  DnsFinding out;
  out.wanted = std::move(wanted);
  out.state = state;
  out.advice = std::move(advice);
  return out;
}

DnsFinding no_answer(DnsRecord wanted, dns::Status status) {
  auto name = wanted.name;
  return finding(std::move(wanted), State::unknown, "DNS gave no answer for " + name + " (" + std::string(dns::status_name(status)) + "); try again");
}

DnsFinding absent(DnsRecord wanted) {
  auto advice = "add " + wanted.type + " " + wanted.name + (wanted.type == "TXT" ? ", with the text as it is printed" : " " + wanted.value);
  return finding(std::move(wanted), State::missing, std::move(advice));
}

std::vector<std::string> texts_of(const dns::Answer& answer) {
  std::vector<std::string> out;
  for (const auto& record : answer.records) out.push_back(printable(record.text, 500));
  return out;
}

io::Task<void> find_host(Look& look) {
  auto alias = co_await look.resolver.query(look.config.hostname, Type::cname, look.deadline);
  if (alias.ok()) look.alias = alias.records.front().text;
  for (auto type : {Type::a, Type::aaaa}) {
    auto answer = co_await look.resolver.query(look.config.hostname, type, look.deadline);
    if (answer.temporary()) look.host = answer.status;
    for (const auto& record : answer.records) look.addresses.push_back(record.address);
  }
}

DnsFinding check_address(Look& look, DnsRecord wanted) {
  if (look.addresses.empty() && look.host != dns::Status::ok) return no_answer(std::move(wanted), look.host);
  if (look.addresses.empty()) return finding(std::move(wanted), State::missing, look.config.hostname + " has no address: add an A or AAAA record, or nobody finds us");
  DnsFinding out = finding(std::move(wanted), State::ok, "");
  for (const auto& address : look.addresses) out.found.push_back(address.to_string());
  if (!look.alias.empty()) {
    out.state = State::different;
    out.advice = look.config.hostname + " is an alias (CNAME) of " + printable(look.alias) + "; the name in an MX record must have addresses of its own (RFC 2181 10.3)";
  }
  return out;
}

io::Task<DnsFinding> check_mx(Look& look, DnsRecord wanted) {
  auto answer = co_await look.resolver.query(wanted.name, Type::mx, look.deadline);
  if (answer.temporary()) co_return no_answer(std::move(wanted), answer.status);
  if (!answer.ok()) co_return absent(std::move(wanted));
  auto out = finding(std::move(wanted), State::different, "");
  std::string others;
  for (const auto& record : answer.records) {
    out.found.push_back(std::to_string(record.preference) + " " + (record.text.empty() ? "." : printable(record.text)));
    if (record.text == look.config.hostname) out.state = State::ok;
    else others += (others.empty() ? "" : ", ") + printable(record.text);
  }
  bool refuses = answer.records.size() == 1 && answer.records[0].text.empty();
  if (refuses) out.advice = "the MX \".\" says that the domain takes no mail (RFC 7505); replace it by \"" + out.wanted.value + "\"";
  else if (out.state == State::different) out.advice = "mail goes to " + others + " and not to us; set it to \"" + out.wanted.value + "\"";
  else if (!others.empty()) out.advice = "mail also goes to " + others + ", past us";
  co_return out;
}

// Of a text that begins with `tag`: those that are this kind of record.
std::vector<std::string> of_kind(const dns::Answer& answer, std::string_view tag) {
  std::vector<std::string> out;
  for (const auto& record : answer.records) {
    auto rest = std::string_view(record.text);
    if (!istarts_with(rest, tag)) continue;
    rest.remove_prefix(tag.size());
    if (rest.empty() || rest.front() == ' ' || rest.front() == ';' || rest.front() == '\t') out.push_back(record.text);
  }
  return out;
}

// The one record of a kind; nothing: `out` says what is the matter.
std::optional<std::string> only_one(const dns::Answer& answer, std::string_view tag, DnsFinding& out) {
  auto wanted = out.wanted;
  if (answer.temporary()) {
    out = no_answer(std::move(wanted), answer.status);
    return std::nullopt;
  }
  auto found = of_kind(answer, tag);
  if (found.empty()) {
    out = absent(std::move(wanted));
    for (const auto& text : texts_of(answer)) out.found.push_back(text);
    return std::nullopt;
  }
  for (const auto& text : found) out.found.push_back(printable(text, 500));
  if (found.size() == 1) return found.front();
  out.state = State::different;
  out.advice = "there are " + std::to_string(found.size()) + " " + std::string(name(wanted.what)) + " records at " + wanted.name +
               ": to receivers that is an error, as if there were none; keep one";
  return std::nullopt;
}

io::Task<DnsFinding> check_spf_record(Look& look, DnsRecord wanted) {
  auto out = finding(std::move(wanted), State::ok, "");
  auto answer = co_await look.resolver.query(out.wanted.name, Type::txt, look.deadline);
  if (!only_one(answer, "v=spf1", out)) co_return out;
  for (std::size_t i = 0; i < std::min(look.addresses.size(), kMaxAddresses); ++i) {
    auto address = look.addresses[i].to_string();
    filters::SpfQuery query(look.addresses[i], look.config.hostname, "postmaster@" + look.domain, look.config.hostname);
    auto spf = co_await filters::check_spf(look.resolver, std::move(query), look.deadline);
    if (spf.result == filters::SpfResult::pass) continue;
    out.state = spf.result == filters::SpfResult::temperror ? State::unknown : State::different;
    if (spf.result == filters::SpfResult::permerror) out.advice = "the record is broken: " + printable(spf.problem, 300) + "; to receivers it is as if there were none";
    else if (spf.result == filters::SpfResult::temperror) out.advice = "the record could not be evaluated: " + printable(spf.problem, 300);
    else out.advice = "it does not let " + look.config.hostname + " (" + address + ") send: " + std::string(filters::name(spf.result)) + "; add \"mx\" to it";
    co_return out;
  }
  if (look.addresses.empty()) {
    out.state = State::unknown;
    out.advice = "it cannot be tried: " + look.config.hostname + " has no address";
  }
  co_return out;
}

io::Task<DnsFinding> check_dkim_record(Look& look, DnsRecord wanted) {
  auto key = std::find_if(look.keys.begin(), look.keys.end(), [&](const signing::Key& each) { return each.record_name() == wanted.name; });
  if (key == look.keys.end()) co_return finding(std::move(wanted), State::missing, "the key was removed meanwhile");
  auto sight = co_await look_for_key(look.resolver, *key, look.deadline);
  using Kind = signing::Sight::Kind;
  bool waits = key->state == signing::State::waiting;
  std::string good = waits ? "the key signs from the next look on; `postern dkim check` looks at once" : "";
  if (sight.kind == Kind::right) co_return finding(std::move(wanted), State::ok, std::move(good));
  if (sight.kind == Kind::absent) co_return absent(std::move(wanted));
  if (sight.kind == Kind::unknown) co_return finding(std::move(wanted), State::unknown, sight.words);
  co_return finding(std::move(wanted), State::different, sight.words + "; `postern dkim show " + key->domain + "` prints the right one");
}

io::Task<DnsFinding> check_dmarc_record(Look& look, DnsRecord wanted) {
  auto out = finding(std::move(wanted), State::ok, "");
  auto answer = co_await look.resolver.query(out.wanted.name, Type::txt, look.deadline);
  auto text = only_one(answer, "v=DMARC1", out);
  if (!text) co_return out;
  auto record = filters::parse_dmarc_record(*text);
  std::string problem = record ? record->problem : "it is no DMARC record";
  if (!problem.empty()) {
    out.state = State::different;
    out.advice = "the record is broken: " + printable(problem, 300);
  } else if (record->policy == filters::DmarcPolicy::none) {
    out.advice = "p=none only watches: go on to p=quarantine once the reports look well";
  }
  co_return out;
}

// One that cannot be had is to others as if there were none; one that does not name us keeps their mail away.
io::Task<void> check_sts_policy(Look& look, std::vector<IpAddress> addresses, DnsFinding& out) {
  io::HttpsRequest request;
  request.host = "mta-sts." + look.domain;
  request.path = "/.well-known/mta-sts.txt";
  request.addresses = std::move(addresses);
  request.trust = look.config.tls.trust;
  auto answer = co_await look.fetch(std::move(request), look.deadline);
  auto found = delivery::read_sts_answer(look.domain, answer);
  using Mode = smtp_client::StsPolicy::Mode;
  if (!found.policy) {
    out.state = State::different;
    out.advice = "the policy cannot be had: " + printable(found.words, 300);
  } else if (found.policy->mode != Mode::none && !found.policy->lists(look.config.hostname)) {
    out.state = State::different;
    out.advice = "the policy does not name " + look.config.hostname + ": who heeds it does not send to us; add \"mx: " + look.config.hostname + "\"";
  } else if (found.policy->mode == Mode::testing) {
    out.advice = "mode: testing only reports; go on to enforce once the reports look well";
  } else if (found.policy->mode == Mode::none) {
    out.advice = "mode: none asks for nothing";
  }
}

io::Task<DnsFinding> check_mta_sts(Look& look, DnsRecord wanted) {
  auto out = finding(std::move(wanted), State::ok, "");
  auto answer = co_await look.resolver.query(out.wanted.name, Type::txt, look.deadline);
  auto text = only_one(answer, "v=STSv1", out);
  if (!text) co_return out;
  auto host = "mta-sts." + look.domain;
  auto v4 = co_await look.resolver.query(host, Type::a, look.deadline);
  auto v6 = co_await look.resolver.query(host, Type::aaaa, look.deadline);
  if (ifind(*text, "id=") == std::string::npos) {
    out.state = State::different;
    out.advice = "the record has no id=, which must change with the policy (RFC 8461 3.1)";
  } else if (v4.exists_not() && v6.exists_not()) {
    out.state = State::different;
    out.advice = host + " has no address: nobody can fetch the policy file";
  } else if (!v4.ok() && !v6.ok()) {
    out.state = State::unknown;
    out.advice = "DNS gave no answer for the address of " + host;
  } else {
    std::vector<IpAddress> addresses;
    for (const auto* each : {&v6, &v4}) {
      for (const auto& record : each->records) addresses.push_back(record.address);
    }
    co_await check_sts_policy(look, std::move(addresses), out);
  }
  co_return out;
}

io::Task<DnsFinding> check_tlsrpt(Look& look, DnsRecord wanted) {
  auto out = finding(std::move(wanted), State::ok, "");
  auto answer = co_await look.resolver.query(out.wanted.name, Type::txt, look.deadline);
  auto text = only_one(answer, "v=TLSRPTv1", out);
  if (text && ifind(*text, "rua=") == std::string::npos) {
    out.state = State::different;
    out.advice = "the record has no rua=: nobody is told where reports go";
  }
  co_return out;
}

io::Task<DnsFinding> check_srv(Look& look, DnsRecord wanted) {
  auto answer = co_await look.resolver.query(wanted.name, dns::kSrv, look.deadline);
  if (answer.temporary()) co_return no_answer(std::move(wanted), answer.status);
  if (!answer.ok()) co_return absent(std::move(wanted));
  auto out = finding(std::move(wanted), State::different, "");
  // "0 1 993 mx.corp.example": the port and the name are what counts.
  auto parts = words(out.wanted.value);
  for (const auto& record : answer.records) {
    out.found.push_back(printable(record.text));
    auto found = words(record.text);
    if (parts.size() == 4 && found.size() == 4 && found[3] == parts[3] && found[2] == parts[2]) out.state = State::ok;
  }
  if (out.state == State::different) out.advice = "it leads elsewhere; we listen at \"" + out.wanted.value + "\"";
  co_return out;
}

io::Task<DnsFinding> check_ptr(Look& look, DnsRecord wanted) {
  auto answer = co_await look.resolver.query(wanted.name, Type::ptr, look.deadline);
  if (answer.temporary()) co_return no_answer(std::move(wanted), answer.status);
  auto ask = "ask who lends you the address to set it to " + look.config.hostname;
  if (!answer.ok()) co_return finding(std::move(wanted), State::missing, "there is none; " + ask);
  auto out = finding(std::move(wanted), State::different, ask);
  out.found = texts_of(answer);
  if (std::find(out.found.begin(), out.found.end(), look.config.hostname) != out.found.end()) {
    out.state = State::ok;
    out.advice.clear();
  }
  co_return out;
}

io::Task<DnsFinding> check_one(Look& look, DnsRecord wanted) {
  DnsFinding out;
  if (wanted.what == What::address) co_return check_address(look, std::move(wanted));
  if (wanted.what == What::mx) out = co_await check_mx(look, std::move(wanted));
  else if (wanted.what == What::spf) out = co_await check_spf_record(look, std::move(wanted));
  else if (wanted.what == What::dkim) out = co_await check_dkim_record(look, std::move(wanted));
  else if (wanted.what == What::dmarc) out = co_await check_dmarc_record(look, std::move(wanted));
  else if (wanted.what == What::mta_sts) out = co_await check_mta_sts(look, std::move(wanted));
  else if (wanted.what == What::tlsrpt) out = co_await check_tlsrpt(look, std::move(wanted));
  else if (wanted.what == What::srv) out = co_await check_srv(look, std::move(wanted));
  else out = co_await check_ptr(look, std::move(wanted));
  co_return out;
}

}  // namespace

std::string_view name(State state) {
  switch (state) {
    case State::ok: return "ok";
    case State::missing: return "missing";
    case State::different: return "different";
    case State::unknown: return "unknown";
  }
  return "?";
}

io::Task<std::vector<DnsFinding>> check_records(dns::Resolver& resolver, const config::Config& config, const signing::Keys& keys,
                                                std::string domain, DnsWishes wishes, Deadline deadline,
                                                delivery::StsPolicies::Fetch fetch) {
  Look look{resolver, config, keys, std::move(domain), deadline, std::move(fetch)};
  co_await find_host(look);
  // Of the addresses that DNS gives our host, which may not be ours but those of a router before us.
  auto ptr = std::find_if(wishes.records.begin(), wishes.records.end(), [](const DnsRecord& each) { return each.what == What::ptr; });
  bool sends = std::any_of(wishes.records.begin(), wishes.records.end(), [](const DnsRecord& each) { return each.what == What::spf && each.needed; });
  wishes.records.erase(ptr, wishes.records.end());
  for (const auto& address : look.addresses) {
    DnsRecord wanted;
    wanted.what = What::ptr;
    wanted.name = address.ptr_name();
    wanted.type = "PTR";
    wanted.value = config.hostname;
    wanted.about = "the name of the address " + address.to_string();
    wanted.needed = sends;
    wishes.records.push_back(std::move(wanted));
  }
  std::vector<io::Task<DnsFinding>> looks;
  for (auto& record : wishes.records) looks.push_back(check_one(look, std::move(record)));
  std::vector<DnsFinding> out = co_await io::together(std::move(looks));
  co_return std::move(out);
}

}  // namespace postern::admin
