// The policy document of MTA-STS and its TXT record, as strangers serve them.
#include <cstdint>
#include <cstdlib>

#include "gateway/smtp_client/sts.h"

using namespace postern;

namespace {

void must(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  auto policy = smtp_client::parse_sts_policy(text);
  if (policy) {
    must(policy->mode == smtp_client::StsPolicy::Mode::none || !policy->mx.empty());
    must(policy->max_age.count() >= 0 && policy->max_age.count() <= 31'557'600);
    std::string again;
    for (const auto& line : policy->lines) again += line + "\n";
    auto kept = smtp_client::parse_sts_policy(again);   // the store keeps it so
    must(kept && kept->mode == policy->mode && kept->mx == policy->mx && kept->max_age == policy->max_age);
    for (const auto& pattern : policy->mx) must(policy->lists(pattern) || pattern.starts_with("*."));
  }
  dns::Record record;
  record.type = dns::Type::txt;
  record.text = text;
  auto id = smtp_client::sts_id({record});
  must(!id || (!id->empty() && id->size() <= 32));
  return 0;
}
