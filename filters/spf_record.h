#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "filters/facts.h"
#include "gateway/base/ip.h"
#include "gateway/base/result.h"

// SPF records, RFC 7208 4.5, 4.6, 12.  Pure: the grammar, and nothing of DNS.
namespace postern::filters {

enum class SpfMechanism { all, include, a, mx, ptr, ip4, ip6, exists };

struct SpfDirective {
  SpfResult verdict = SpfResult::pass;   // by the qualifier: pass fail softfail neutral
  SpfMechanism mechanism = SpfMechanism::all;
  std::string domain;                    // domain-spec with its macros; empty = the domain being checked
  int prefix4 = 32;                      // a, mx
  int prefix6 = 128;
  IpAddress network;                     // ip4, ip6
  int prefix = 0;
  bool never = false;                    // ip6 with an IPv4-mapped network: no client is like that (RFC 7208 5)
  std::string text;                      // as published

  bool asks_dns() const { return mechanism != SpfMechanism::all && mechanism != SpfMechanism::ip4 && mechanism != SpfMechanism::ip6; }
};

struct SpfRecord {
  std::vector<SpfDirective> directives;
  std::string redirect;      // domain-spec, or empty
  std::string explanation;   // domain-spec of exp=, or empty
};

// "v=spf1" alone or with a space behind it, either case.
bool is_spf_record(std::string_view txt);

// Strict: one mistake anywhere makes the whole record a permerror (4.6); the error says which term and what was meant.
// `txt` must satisfy is_spf_record.
Result<SpfRecord> parse_spf_record(std::string_view txt);

}  // namespace postern::filters
