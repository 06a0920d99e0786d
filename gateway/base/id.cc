// Ids of sessions and messages, read.  https://www.crockford.com/base32.html
#include "gateway/base/id.h"

#include "gateway/base/text.h"

namespace postern {
namespace {

constexpr std::string_view kDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr int kTick = 16;          // microseconds
constexpr int kCounterBits = 16;

}  // namespace

std::string id_text(std::uint64_t number) {
  std::string out(kIdLength, '0');
  for (std::size_t i = kIdLength; i-- > 0; number >>= 5) out[i] = kDigits[number & 31];
  return out;
}

std::optional<std::uint64_t> id_number(std::string_view id) {
  if (id.size() != kIdLength) return std::nullopt;
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < id.size(); ++i) {
    auto digit = kDigits.find(id[i]);
    if (digit == std::string_view::npos || (i == 0 && digit > 15)) return std::nullopt;   // 65 bits
    number = number << 5 | digit;
  }
  return number;
}

std::optional<std::string> id_as_meant(std::string_view text) {
  auto out = ascii_uppered(trimmed(text));
  for (char& c : out) {
    if (c == 'O') c = '0';
    if (c == 'I' || c == 'L') c = '1';
  }
  return id_number(out) ? std::optional(out) : std::nullopt;
}

Time time_of_id(std::uint64_t number) {
  return Time(std::chrono::microseconds(static_cast<std::int64_t>(number >> kCounterBits) * kTick));
}

std::uint64_t first_id_at(Time time) {
  auto since = time.time_since_epoch().count();
  return since <= 0 ? 0 : static_cast<std::uint64_t>((since + kTick - 1) / kTick) << kCounterBits;
}

}  // namespace postern
