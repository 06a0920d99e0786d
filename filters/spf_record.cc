// The grammar of SPF records, RFC 7208 12, with explanations of common mistakes.
#include "filters/spf_record.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "filters/spf_macro.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

// Longer ones are never meant; the bound keeps expansion cheap (a macro may grow a hundredfold).
constexpr std::size_t kMaxDomainSpec = 1'000;

constexpr std::array<std::pair<std::string_view, SpfMechanism>, 8> kMechanisms{{{"all", SpfMechanism::all},
                                                                                {"include", SpfMechanism::include},
                                                                                {"a", SpfMechanism::a},
                                                                                {"mx", SpfMechanism::mx},
                                                                                {"ptr", SpfMechanism::ptr},
                                                                                {"ip4", SpfMechanism::ip4},
                                                                                {"ip6", SpfMechanism::ip6},
                                                                                {"exists", SpfMechanism::exists}}};

Error mistake(std::string_view term, std::string_view why) { return Error("\"" + printable(term, 80) + "\": " + std::string(why)); }

std::optional<SpfMechanism> mechanism_named(std::string_view name) {
  for (const auto& [known, mechanism] : kMechanisms) {
    if (iequals(name, known)) return mechanism;
  }
  return std::nullopt;
}

bool is_modifier_name(std::string_view name) {
  return !name.empty() && is_alpha(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.'; });
}

// 5.6: no leading zeros ("0" itself is right), no sign, at most `limit`.
std::optional<int> parse_prefix(std::string_view digits, int limit) {
  auto number = parse_number(digits);
  if (!number || *number > static_cast<std::uint64_t>(limit) || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
  return static_cast<int>(*number);
}

bool all_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

// Takes a prefix length off the end of `rest` if one stands there behind `mark`.  False: it is out of range.
bool take_prefix(std::string_view& rest, std::string_view mark, int limit, int& prefix) {
  auto at = rest.rfind(mark);
  if (at == std::string_view::npos || !all_digits(rest.substr(at + mark.size()))) return true;
  auto number = parse_prefix(rest.substr(at + mark.size()), limit);
  if (!number) return false;
  prefix = *number;
  rest = rest.substr(0, at);
  return true;
}

// ":domain-spec" or nothing.
Status read_domain(std::string_view term, std::string_view rest, bool needed, SpfDirective& out) {
  if (rest.empty() && !needed) return {};
  if (rest.empty()) return mistake(term, "needs \":\" and a domain");
  if (rest.front() != ':') return mistake(term, "has something other than \":\" behind the name of the mechanism");
  rest.remove_prefix(1);
  if (rest.empty()) return mistake(term, "has no domain behind the \":\"");
  if (rest.size() > kMaxDomainSpec) return mistake(term, "the domain is too long");
  if (IpAddress::parse(rest)) return mistake(term, "is an address where a domain belongs (ip4: or ip6: is meant)");
  if (!is_domain_spec(rest)) return mistake(term, "is no valid domain (RFC 7208 7.1)");
  out.domain = rest;
  return {};
}

Status read_network(std::string_view term, std::string_view rest, SpfDirective& out) {
  bool v4 = out.mechanism == SpfMechanism::ip4;
  if (!rest.starts_with(':')) return mistake(term, "needs \":\" and an address");
  rest.remove_prefix(1);
  auto slash = rest.find('/');
  std::string address(rest.substr(0, slash));
  out.prefix = v4 ? 32 : 128;
  if (slash != std::string_view::npos) {
    auto prefix = all_digits(rest.substr(slash + 1)) ? parse_prefix(rest.substr(slash + 1), out.prefix) : std::nullopt;
    if (!prefix) return mistake(term, "has a wrong prefix length");
    out.prefix = *prefix;
  }
  // By family, since IpAddress makes IPv4 of IPv4-mapped addresses.
  std::array<std::uint8_t, 16> octets{};
  if (inet_pton(v4 ? AF_INET : AF_INET6, address.c_str(), octets.data()) != 1) return mistake(term, v4 ? "is no IPv4 address" : "is no IPv6 address");
  if (v4) {
    out.network = *IpAddress::parse(address);
    return {};
  }
  for (int bit = out.prefix; bit < 128; ++bit) octets[static_cast<std::size_t>(bit / 8)] &= static_cast<std::uint8_t>(~(0x80 >> (bit % 8)));
  out.network = IpAddress::v6(octets);
  out.never = out.network.is_v4();
  return {};
}

SpfResult take_qualifier(std::string_view& term) {
  char c = term.empty() ? '\0' : term.front();
  if (c == '+' || c == '-' || c == '~' || c == '?') term.remove_prefix(1);
  switch (c) {
    case '-': return SpfResult::fail;
    case '~': return SpfResult::softfail;
    case '?': return SpfResult::neutral;
    default: return SpfResult::pass;
  }
}

Result<SpfDirective> parse_directive(std::string_view term) {
  SpfDirective out;
  out.text = term;
  std::string_view rest = term;
  out.verdict = take_qualifier(rest);
  auto name = rest.substr(0, rest.find_first_of(":/"));
  rest.remove_prefix(name.size());
  auto mechanism = mechanism_named(name);
  if (!mechanism) {
    std::vector<std::string_view> known;
    for (const auto& entry : kMechanisms) known.push_back(entry.first);
    auto meant = iequals(name, "ipv4") ? "ip4" : iequals(name, "ipv6") ? "ip6" : nearest(name, known);
    return mistake(term, "is no mechanism" + (meant.empty() ? std::string() : " (" + std::string(meant) + "?)"));
  }
  out.mechanism = *mechanism;
  Status read;
  switch (*mechanism) {
    case SpfMechanism::all:
      if (!rest.empty()) read = mistake(term, "\"all\" takes nothing behind it");
      break;
    case SpfMechanism::a:
    case SpfMechanism::mx:
      if (!take_prefix(rest, "//", 128, out.prefix6) || !take_prefix(rest, "/", 32, out.prefix4)) {
        read = mistake(term, "has a wrong prefix length");
      } else {
        read = read_domain(term, rest, false, out);
      }
      break;
    case SpfMechanism::ptr:
      read = read_domain(term, rest, false, out);
      break;
    case SpfMechanism::include:
    case SpfMechanism::exists:
      read = read_domain(term, rest, true, out);
      break;
    case SpfMechanism::ip4:
    case SpfMechanism::ip6:
      read = read_network(term, rest, out);
      break;
  }
  if (!read) return read.error();
  return out;
}

Status add_modifier(std::string_view term, std::size_t equals, SpfRecord& record) {
  auto name = term.substr(0, equals);
  auto value = term.substr(equals + 1);
  bool redirect = iequals(name, "redirect");
  if (!redirect && !iequals(name, "exp")) {
    if (!is_macro_string(value, MacroPlace::explanation)) return mistake(term, "has a malformed macro");
    return {};
  }
  auto& place = redirect ? record.redirect : record.explanation;
  if (!place.empty()) return mistake(term, "stands twice in the record");
  if (value.size() > kMaxDomainSpec || !is_domain_spec(value)) return mistake(term, "is no valid domain (RFC 7208 7.1)");
  place = value;
  return {};
}

}  // namespace

bool is_spf_record(std::string_view txt) { return istarts_with(txt, "v=spf1") && (txt.size() == 6 || txt[6] == ' '); }

Result<SpfRecord> parse_spf_record(std::string_view txt) {
  SpfRecord out;
  for (char c : txt) {
    if (c < 0x20 || c > 0x7e) return Error("the record has an octet that is neither a visible ASCII character nor a space (RFC 7208 3.1)");
  }
  for (auto term : split(txt.substr(6), ' ')) {
    if (term.empty()) continue;
    auto equals = term.find_first_of(":/=");
    if (equals != std::string_view::npos && term[equals] == '=' && is_modifier_name(term.substr(0, equals))) {
      auto added = add_modifier(term, equals, out);
      if (!added) return added.error();
      continue;
    }
    auto directive = parse_directive(term);
    if (!directive) return directive.error();
    out.directives.push_back(std::move(*directive));
  }
  return out;
}

}  // namespace postern::filters
