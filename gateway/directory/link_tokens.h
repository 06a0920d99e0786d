#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"

namespace postern::directory {

// What a token lets whoever holds it do, and nothing else: one that was made for one purpose is forged for all others.
enum class LinkPurpose : std::uint8_t {
  release = 1,       // one held message of one user; delivery/link_release.h
  password = 2,      // a user sets his first password; directory/invitation.h
  unsubscribe = 3    // one member leaves one list; directory/unsubscribe.h
};

// Makes and reads the tokens of links and of addresses that act: base 32 (so a change of case does no harm) of purpose,
// number of the key, expiry, body, and 15 octets of an HMAC-SHA-256 (RFC 2104) over all of these.  The body is what the
// purpose makes of it, in the clear: whom and what it concerns.
//
// Immutable; safe from any thread.
class LinkTokens {
 public:
  struct Key {
    std::uint8_t number = 0;
    std::string secret;
  };
  // Tokens are made with the first key and read with the one that they name.  Never empty.
  explicit LinkTokens(std::vector<Key> keys);

  static constexpr std::size_t kMostBody = 600;       // octets; more is a mistake of the caller's
  static constexpr std::size_t kMostText = 1000;      // letters of a token
  static constexpr std::size_t kLeastText = 34;       // of one without body
  // `expires` counts in whole minutes, rounded up.
  std::string make(LinkPurpose purpose, std::string_view body, Time expires) const;

  struct Read {
    enum class Kind {
      good,
      forged,    // no token, changed on its way, of another purpose, or its key is gone
      expired    // ours, but its time is over
    };
    Kind kind = Kind::forged;
    std::string body;   // when good
    bool ok() const { return kind == Kind::good; }
  };
  // In constant time as far as the HMAC goes.
  Read read(LinkPurpose purpose, std::string_view text, Time now) const;

 private:
  std::vector<Key> keys_;
};

// The numbers of a body, seven bits an octet, the low ones first.
void add_number(std::string& body, std::uint64_t number);
// Takes one from the front; false: there is none.
bool take_number(std::string_view& body, std::uint64_t& number);

}  // namespace postern::directory
