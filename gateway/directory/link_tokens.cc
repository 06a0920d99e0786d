// Tokens that say what may be done, for how long, and that we said so.
#include "gateway/directory/link_tokens.h"

#include <limits>

#include "gateway/base/base32.h"
#include "gateway/base/check.h"
#include "gateway/directory/passwords.h"

namespace postern::directory {
namespace {

constexpr std::size_t kHead = 6;    // purpose, key, expiry
constexpr std::size_t kMac = 15;    // 120 bits, and whole letters of base 32
constexpr std::string_view kLabel = "postern link 1\n";   // no other use of such a key gives the same HMAC

std::string mac_of(const std::string& key, std::string_view octets) {
  return hmac_sha256(key, std::string(kLabel) + std::string(octets)).substr(0, kMac);
}

}  // namespace

LinkTokens::LinkTokens(std::vector<Key> keys) : keys_(std::move(keys)) { CHECK(!keys_.empty()); }

std::string LinkTokens::make(LinkPurpose purpose, std::string_view body, Time expires) const {
  CHECK(body.size() <= kMostBody);
  auto minutes = (to_unix(expires) + 59) / 60;
  CHECK(minutes >= 0 && minutes <= std::numeric_limits<std::uint32_t>::max());
  std::string octets;
  octets += static_cast<char>(purpose);
  octets += static_cast<char>(keys_.front().number);
  for (int shift = 24; shift >= 0; shift -= 8) octets += static_cast<char>(minutes >> shift & 0xff);
  octets += body;
  return base32(octets + mac_of(keys_.front().secret, octets));
}

LinkTokens::Read LinkTokens::read(LinkPurpose purpose, std::string_view text, Time now) const {
  Read out;
  auto octets = text.size() <= kMostText ? from_base32(text) : std::nullopt;
  if (!octets || octets->size() < kHead + kMac) return out;
  auto said = std::string_view(*octets).substr(0, octets->size() - kMac);
  auto given = std::string_view(*octets).substr(said.size());
  auto number = static_cast<std::uint8_t>(said[1]);
  const Key* key = &keys_.front();   // an unknown number costs the same
  bool known = false;
  for (const auto& each : keys_) {
    if (each.number == number && !known) key = &each;
    known = known || each.number == number;
  }
  bool same = equal_in_constant_time(mac_of(key->secret, said), given);
  if (!same || !known || said[0] != static_cast<char>(purpose)) return out;
  std::int64_t minutes = 0;
  for (std::size_t i = 2; i < kHead; ++i) minutes = minutes << 8 | static_cast<unsigned char>(said[i]);
  bool over = now >= from_unix(minutes * 60);
  out.kind = over ? Read::Kind::expired : Read::Kind::good;
  if (!over) out.body = said.substr(kHead);
  return out;
}

void add_number(std::string& body, std::uint64_t number) {
  for (; number >= 0x80; number >>= 7) body += static_cast<char>(0x80 | (number & 0x7f));
  body += static_cast<char>(number);
}

bool take_number(std::string_view& body, std::uint64_t& number) {
  number = 0;
  for (int shift = 0; shift < 64 && !body.empty(); shift += 7) {
    auto octet = static_cast<unsigned char>(body.front());
    body.remove_prefix(1);
    number |= static_cast<std::uint64_t>(octet & 0x7f) << shift;
    if ((octet & 0x80) == 0) return true;
  }
  return false;
}

}  // namespace postern::directory
