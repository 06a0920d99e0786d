// The two texts of RFC 8461: the TXT record and the policy document.  Foreign octets both.
#include "gateway/smtp_client/sts.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/smtp_client/mx.h"

namespace postern::smtp_client {
namespace {

constexpr std::size_t kMaxHostPatterns = 200;
constexpr std::size_t kMaxLine = 2000;
constexpr std::size_t kMaxKept = 400;           // of a line, for the store and reports; what we read of it is shorter
constexpr std::uint64_t kMaxAge = 31'557'600;   // 3.2: a year

bool is_id(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) { return is_alpha(c) || is_digit(c); });
}

// 3.2: of any field.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) { return is_alpha(c) || is_digit(c) || c == '_' || c == '-' || c == '.'; });
}

// "v=STSv1; id=...;" with further fields that mean nothing to us.
std::optional<std::string> id_of(std::string_view record) {
  std::optional<std::string> id;
  bool first = true;
  for (auto field : split(record, ';')) {
    field = trimmed(field);
    if (field.empty()) continue;
    auto equals = field.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    auto name = trimmed(field.substr(0, equals));
    auto value = trimmed(field.substr(equals + 1));
    if (first && (name != "v" || value != "STSv1")) return std::nullopt;
    first = false;
    if (name != "id") continue;
    if (id || !is_id(value)) return std::nullopt;
    id = value;
  }
  return id;
}

// A host name, or one below "*.".
std::optional<std::string> pattern_of(std::string_view text) {
  bool any = text.starts_with("*.");
  auto name = ascii_lowered(any ? text.substr(2) : text);
  if (name.ends_with('.')) name.pop_back();
  if (name.empty() || name.size() > 253) return std::nullopt;
  for (auto label : split(name, '.')) {
    if (label.empty() || label.size() > 63) return std::nullopt;
    for (char c : label) {
      if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_') return std::nullopt;
    }
  }
  return (any ? "*." : "") + name;
}

// Of every field but mx the first one counts (3.2).
struct Fields {
  std::optional<std::string> version, mode, max_age;
  StsPolicy policy;

  Status take(std::string_view name, std::string_view value) {
    if (name == "mx") {
      auto pattern = pattern_of(value);
      if (!pattern) return Error("mx \"" + printable(value, 80) + "\" is no host name");
      if (policy.mx.size() == kMaxHostPatterns) return Error("it names more than " + std::to_string(kMaxHostPatterns) + " hosts");
      policy.mx.push_back(std::move(*pattern));
      return {};
    }
    for (auto [known, into] : {std::pair("version", &version), std::pair("mode", &mode), std::pair("max_age", &max_age)}) {
      if (name == known && !*into) *into = value;
    }
    return {};
  }
  Status finish() {
    if (version != "STSv1") return Error("its version is not STSv1");
    if (mode == "enforce") policy.mode = StsPolicy::Mode::enforce;
    else if (mode == "testing") policy.mode = StsPolicy::Mode::testing;
    else if (mode != "none") return Error("its mode is neither enforce nor testing nor none");
    auto seconds = max_age ? parse_number(*max_age) : std::nullopt;
    if (!seconds) return Error("its max_age is no number");
    policy.max_age = std::chrono::seconds(std::min(*seconds, kMaxAge));
    if (policy.mode != StsPolicy::Mode::none && policy.mx.empty()) return Error("it names no mx");
    return {};
  }
};

}  // namespace

std::optional<std::string> sts_id(const std::vector<dns::Record>& texts) {
  std::optional<std::string> out;
  std::size_t found = 0;
  for (const auto& record : texts) {
    if (!record.text.starts_with("v=STSv1;") && !record.text.starts_with("v=STSv1 ")) continue;
    ++found;
    out = id_of(record.text);
  }
  return found == 1 ? out : std::nullopt;
}

bool StsPolicy::lists(std::string_view host) const {
  return std::any_of(mx.begin(), mx.end(), [host](const std::string& pattern) { return matches_host(pattern, host); });
}

Result<StsPolicy> parse_sts_policy(std::string_view text) {
  Fields fields;
  for (auto line : split(text, '\n')) {
    line = trimmed(line);
    if (line.empty()) continue;
    auto colon = line.find(':');
    if (colon == std::string_view::npos || !is_name(trimmed(line.substr(0, colon))) || line.size() > kMaxLine) return Error("the line \"" + printable(line, 80) + "\" is no \"key: value\"");
    auto name = trimmed(line.substr(0, colon));
    auto value = trimmed(line.substr(colon + 1));
    auto taken = fields.take(name, value);
    if (!taken) return taken.error();
    fields.policy.lines.push_back(printable(std::string(name) + ": " + std::string(value), kMaxKept));
  }
  auto done = fields.finish();
  if (!done) return done.error();
  return std::move(fields.policy);
}

}  // namespace postern::smtp_client
