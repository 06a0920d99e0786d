// Any octets have header signs; numbers are finite, flags 0 or 1; hops of Received and dates are bounded.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "filters/header_signs.h"
#include "filters/received_chain.h"
#include "gateway/base/check.h"
#include "gateway/mail/date.h"

using namespace postern;
using namespace postern::filters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view message(reinterpret_cast<const char*>(data), size);
  auto table = mail::parse(message);
  HeaderContext context;
  if (size % 2 == 0) {
    context.envelope_sender = "ann@sender.example";
    context.recipients = {"bob@corp.example", "@", ""};
    context.received_at = from_unix(1'000'000'000);
  }
  HeaderSigns signs = header_signs(message, table, context);
  for (std::size_t i = 0; i < HeaderSigns::kSize; ++i) {
    auto value = signs.value(static_cast<HeaderSign>(i));
    if (!value) continue;
    CHECK(std::isfinite(*value) && *value >= 0);
    CHECK(kHeaderSigns[i].kind != SignKind::flag || *value <= 1);
  }
  Hop hop = read_hop(message);
  CHECK(hop.helo.size() <= kMaxReceived && hop.by.size() <= kMaxReceived);
  (void)is_dialup_name(message);
  (void)mail::parse_date(message);
  return 0;
}
