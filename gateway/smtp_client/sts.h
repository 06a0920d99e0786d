#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/dns/resolver.h"

// MTA-STS, RFC 8461: what a domain says of its mail hosts.  Pure functions.
namespace postern::smtp_client {

// The id of the record at _mta-sts.<domain> (3.1).  Nothing: there is not exactly one sound record.
std::optional<std::string> sts_id(const std::vector<dns::Record>& texts);

struct StsPolicy {
  enum class Mode { none, testing, enforce };
  Mode mode = Mode::none;
  std::vector<std::string> mx;         // names, or "*.example.org" for exactly one label; lower case
  std::chrono::seconds max_age{0};
  std::vector<std::string> lines;      // as it came, for reports
  bool lists(std::string_view host) const;
  bool operator==(const StsPolicy&) const = default;
};

// Reads the document (3.2).  The Error says what is wrong with it.
Result<StsPolicy> parse_sts_policy(std::string_view text);

}  // namespace postern::smtp_client
