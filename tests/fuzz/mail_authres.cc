// Authentication results of strangers: bounds hold, and what is written from them is read again as it was.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/mail/arc_chain.h"
#include "gateway/mail/authres_payload.h"

using namespace postern::mail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto parts = split_arc_results(text)) CHECK(parts->instance >= 1 && parts->instance <= 99);
  auto payload = parse_authres_payload(text);
  CHECK(payload.results.size() <= kMaxAuthresResults);
  for (const auto& result : payload.results) {
    CHECK(!result.method.empty() && !result.result.empty());
    CHECK(result.properties.size() <= kMaxAuthresProperties);
    for (const auto& each : result.properties) CHECK(!each.name.empty() && each.value.size() <= 1'000);
  }
  auto combined = combined_results(text, "mx.example");
  CHECK(combined.size() <= kMaxAuthresPayload);
  CHECK(combined.starts_with("mx.example;"));
  // A round through our own writer keeps methods and results.
  std::vector<AuthResult> few(payload.results.begin(), payload.results.begin() + static_cast<std::ptrdiff_t>(std::min<std::size_t>(payload.results.size(), 5)));
  for (auto& result : few) {
    result.reason.clear();
    result.properties.clear();
  }
  auto field = authentication_results_field("mx.example", few);
  auto again = parse_authres_payload(std::string_view(field).substr(23));
  std::size_t kept = 0;
  for (const auto& result : few) {
    CHECK(kept < again.results.size());
    CHECK(again.results[kept].method == result.method && again.results[kept].result == result.result);
    ++kept;
  }
  CHECK(again.well_formed());
  return 0;
}
