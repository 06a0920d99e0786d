// Who a client is: reverse DNS confirmed forward (RFC 8601 3), and the name it gives in HELO.
#include "filters/reputation.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/io/together.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxReverseNames = 10;  // as RFC 7208 5.5: more only serve to tire us

enum class Leads { back, elsewhere, unknown };

io::Task<Leads> leads_back(dns::Resolver& resolver, std::string name, IpAddress ip, Deadline deadline) {
  dns::Type type = ip.is_v4() ? dns::Type::a : dns::Type::aaaa;
  dns::Answer answer = co_await resolver.query(std::move(name), type, deadline);
  if (answer.temporary()) co_return Leads::unknown;
  for (const auto& record : answer.records) {
    if (record.address == ip) co_return Leads::back;
  }
  co_return Leads::elsewhere;
}

// RFC 5321 4.1.2 Domain; the underscore that many real hosts carry is let pass.
bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > 255) return false;
  for (std::string_view label : split(name, '.')) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    for (char c : label) {
      if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_') return false;
    }
  }
  return true;
}

std::optional<IpAddress> parse_literal(std::string_view text) {
  if (text.size() < 3 || text.front() != '[' || text.back() != ']') return std::nullopt;
  text = text.substr(1, text.size() - 2);
  bool v6 = istarts_with(text, "IPv6:");
  if (v6) text.remove_prefix(5);
  if (v6 != (text.find(':') != std::string_view::npos)) return std::nullopt;
  return IpAddress::parse(text);
}

}  // namespace

io::Task<Reputation> look_up_reputation(dns::Resolver& resolver, IpAddress ip, Deadline deadline) {
  Reputation out;
  dns::Answer names = co_await resolver.query(ip.ptr_name(), dns::Type::ptr, deadline);
  if (names.temporary()) {
    out.reverse = Reputation::Reverse::temperror;
    co_return out;
  }
  if (names.records.empty()) co_return out;
  out.ptr = names.records.front().text;

  std::size_t count = std::min(names.records.size(), kMaxReverseNames);
  std::vector<io::Task<Leads>> questions;
  for (std::size_t i = 0; i < count; ++i) {
    questions.push_back(leads_back(resolver, names.records[i].text, ip, deadline));
  }
  std::vector<Leads> leads = co_await io::together(std::move(questions));
  bool unknown = false;
  for (std::size_t i = 0; i < count; ++i) {
    if (leads[i] == Leads::back) {
      out.name = names.records[i].text;
      out.reverse = Reputation::Reverse::confirmed;
      co_return out;
    }
    unknown = unknown || leads[i] == Leads::unknown;
  }
  out.reverse = unknown ? Reputation::Reverse::temperror : Reputation::Reverse::unconfirmed;
  co_return out;
}

HeloShape inspect_helo(std::string_view helo, const IpAddress& client, const std::vector<std::string>& our_names) {
  HeloShape out;
  if (helo.empty()) {
    out.problem = "no HELO was given";
    return out;
  }
  if (helo.front() == '[') {
    auto address = parse_literal(helo);
    out.literal = out.valid = address.has_value();
    out.literal_is_client = address && *address == client;
    if (!address) out.problem = "HELO is no valid address literal";
    else if (!out.literal_is_client) out.problem = "HELO is the address of another host";
    return out;
  }
  std::string_view name = helo;
  if (name.size() > 1 && name.back() == '.') name.remove_suffix(1);
  if (IpAddress::parse(name)) {
    out.bare_address = true;
    out.problem = "HELO is an address without brackets";
    return out;
  }
  out.ours = std::any_of(our_names.begin(), our_names.end(), [&](const std::string& ours) { return iequals(ours, name); });
  if (!is_host_name(name)) {
    out.problem = "HELO is no host name";
  } else if (name.find('.') == std::string_view::npos) {
    out.problem = "HELO is a name without a domain";
  } else {
    out.valid = true;
    if (out.ours) out.problem = "HELO is our own name";
  }
  return out;
}

io::Task<HeloName> look_up_helo(dns::Resolver& resolver, std::string helo, IpAddress client, Deadline deadline) {
  std::vector<io::Task<dns::Answer>> questions;
  questions.push_back(resolver.query(helo, dns::Type::a, deadline));
  questions.push_back(resolver.query(helo, dns::Type::aaaa, deadline));
  questions.push_back(resolver.query(helo, dns::Type::mx, deadline));
  std::vector<dns::Answer> answers = co_await io::together(std::move(questions));
  HeloName out;
  bool unknown = false;
  for (const auto& answer : answers) {
    if (answer.ok()) out.resolves = HeloName::Resolves::yes;
    unknown = unknown || answer.temporary();
    for (const auto& record : answer.records) {
      if (record.type != dns::Type::mx && record.address == client) out.is_client = true;
    }
  }
  if (out.resolves == HeloName::Resolves::no && unknown) out.resolves = HeloName::Resolves::temperror;
  co_return out;
}

}  // namespace postern::filters
