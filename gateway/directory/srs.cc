// Envelope senders of what is sent on for a recipient, and the way back.  libsrs2's form, our own hash.
#include "gateway/directory/srs.h"

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/directory/passwords.h"
#include "gateway/mail/idna.h"

namespace postern::directory {
namespace {

constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";   // RFC 4648 6
// Forty bits: libsrs2 makes do with 24, and each guess costs a refused RCPT.
constexpr std::size_t kHash = 8;
constexpr std::int64_t kDays = 1024;
constexpr std::int64_t kValid = 21;   // days; a bounce comes within five

std::int64_t day_of(Time now) { return to_unix(now) / 86'400 % kDays; }

std::string stamp(Time now) {
  auto day = static_cast<std::size_t>(day_of(now));
  return {kLetters[day / 32], kLetters[day % 32]};
}

std::optional<std::int64_t> day_in(std::string_view stamp) {
  if (stamp.size() != 2) return std::nullopt;
  auto high = kLetters.find(ascii_upper(stamp[0]));
  auto low = kLetters.find(ascii_upper(stamp[1]));
  if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
  return static_cast<std::int64_t>(high * 32 + low);
}

// What stands behind "SRS0=" or "SRS1="; other mailers also write '+' or '-' there.  Nothing: it is no such local part.
std::optional<std::string_view> behind(std::string_view local, std::string_view word) {
  bool is = istarts_with(local, word) && local.size() > word.size() && std::string_view("=+-").find(local[word.size()]) != std::string_view::npos;
  return is ? std::optional(local.substr(word.size() + 1)) : std::nullopt;
}

// Cuts off what stands before the next '='.
std::optional<std::string_view> take(std::string_view& rest) {
  auto end = rest.find('=');
  if (end == std::string_view::npos) return std::nullopt;
  auto out = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return out;
}

bool fits(const mail::Path& path) { return path.bracketed().size() <= mail::kMaxPath; }

}  // namespace

Srs::Srs(std::vector<std::string> keys) : keys_(std::move(keys)) { CHECK(!keys_.empty()); }

std::string Srs::hash(const std::string& key, std::string_view text) const {
  auto octets = hmac_sha256(key, ascii_lowered(text));
  std::string out;
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < kHash * 5 / 8; ++i) bits = bits << 8 | static_cast<unsigned char>(octets[i]);
  for (std::size_t i = kHash; i-- > 0;) out += kLetters[bits >> (5 * i) & 31];
  return out;
}

bool Srs::is_ours(std::string_view given, std::string_view text) const {
  auto upper = ascii_uppered(given);
  bool found = false;
  for (const auto& key : keys_) found = equal_in_constant_time(hash(key, text), upper) || found;
  return found;
}

std::optional<mail::Path> Srs::rewritten(const mail::Path& sender, std::string_view domain, Time now) const {
  if (sender.is_null()) return sender;
  // Nobody could tell where a literal ends, nor what an empty local part was.
  if (sender.is_literal() || sender.local.empty()) return std::nullopt;
  mail::Path out;
  out.domain = domain;
  std::string tail;
  std::string_view word = "SRS1=";
  if (behind(sender.local, "SRS0")) {
    tail = sender.domain + "=" + sender.local.substr(4);
  } else if (auto rest = behind(sender.local, "SRS1")) {
    // The bounce goes straight to who wrote the SRS0; whoever is between need not see it.
    auto other = take(*rest);
    auto first = take(*rest);
    if (other && first && !first->empty() && !rest->empty()) tail = std::string(*first) + "=" + std::string(*rest);
  }
  if (tail.empty()) {
    word = "SRS0=";
    tail = stamp(now) + "=" + sender.domain + "=" + sender.local;
  }
  out.local = std::string(word) + hash(keys_.front(), tail) + "=" + tail;
  if (!fits(out)) return std::nullopt;
  return out;
}

Srs::Returned Srs::read(std::string_view local, Time now) const {
  if (auto rest = behind(local, "SRS0")) return read_first("", *rest, now);
  if (auto rest = behind(local, "SRS1")) return read_next(*rest);
  return {};
}

std::optional<std::string> Srs::token(std::string_view purpose, const mail::Path& who, Time now) const {
  CHECK(purpose.find(':') != std::string_view::npos);
  if (who.is_literal() || who.local.empty() || who.domain.empty()) return std::nullopt;
  auto tail = stamp(now) + "=" + who.domain + "=" + who.local;
  return hash(keys_.front(), std::string(purpose) + tail) + "=" + tail;
}

Srs::Returned Srs::read_token(std::string_view purpose, std::string_view token, Time now) const { return read_first(purpose, token, now); }

Srs::Returned Srs::read_first(std::string_view purpose, std::string_view rest, Time now) const {
  Returned out;
  auto given = take(rest);
  auto signed_text = rest;
  auto day = take(rest);
  auto domain = take(rest);
  if (!given || !day || !domain || rest.empty()) return out;
  out.kind = Returned::Kind::forged;
  if (!is_ours(*given, std::string(purpose) + std::string(signed_text))) return out;
  auto made = day_in(*day);
  auto name = mail::domain_to_ascii(*domain);
  if (!made || !name) return out;
  out.to.local = rest;
  out.to.domain = *std::move(name);
  // A clock that was set back a little makes an address of tomorrow.
  auto age = (day_of(now) - *made + kDays) % kDays;
  bool valid = age <= kValid || age == kDays - 1;
  out.kind = valid ? Returned::Kind::good : Returned::Kind::expired;
  return out;
}

// It bears no day of its own: who wrote the SRS0 looks at that one.
Srs::Returned Srs::read_next(std::string_view rest) const {
  Returned out;
  auto given = take(rest);
  auto signed_text = rest;
  auto first = take(rest);
  bool whole = given && first && rest.size() > 1 && std::string_view("=+-").find(rest.front()) != std::string_view::npos;
  if (!whole) return out;
  out.kind = Returned::Kind::forged;
  if (!is_ours(*given, signed_text)) return out;
  auto name = mail::domain_to_ascii(*first);
  if (!name) return out;
  out.to.local = "SRS0" + std::string(rest);
  out.to.domain = *std::move(name);
  out.kind = fits(out.to) ? Returned::Kind::good : Returned::Kind::forged;
  return out;
}

}  // namespace postern::directory
