#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/mail/address.h"

namespace postern::directory {

// The Sender Rewriting Scheme, in the form that libsrs2 and postsrsd write:
//   SRS0=HASH=TT=domain=local@ours             the sender local@domain
//   SRS1=HASH=first==HASH=TT=domain=local@ours the sender SRS0=HASH=TT=domain=local@first
// SPF of the sender's domain does not name us: what is sent on for a recipient gets a sender in a domain of ours, and
// a bounce to it finds the way back.  TT is the day, modulo 1024.  A hash over all behind it, without regard to ASCII
// case, keeps strangers from making such addresses: without it anybody could send anywhere through us.
//
// Immutable; safe from any thread.
class Srs {
 public:
  // The hash is made with the first key and read with any.  Never empty.
  explicit Srs(std::vector<std::string> keys);

  // The sender as an address in `domain` (of ours, in A-label form).  Nothing: it would be longer than a path may be, or
  // the sender's domain is an address literal.  The null path stays null.
  std::optional<mail::Path> rewritten(const mail::Path& sender, std::string_view domain, Time now) const;

  struct Returned {
    enum class Kind {
      other,     // no address of this kind: a user may be called so
      good,      // `to` is whom it stands for
      forged,    // its hash is not ours
      expired    // made more than three weeks ago
    };
    Kind kind = Kind::other;
    mail::Path to;
  };
  // The local part, as it came, of an address in a domain of ours.
  Returned read(std::string_view local, Time now) const;

  // The same for an address that stands for somebody in some other way: "HASH=TT=domain=local", good for as long, and for
  // nothing but this purpose.  `purpose` has a ':', which no sender above has.
  std::optional<std::string> token(std::string_view purpose, const mail::Path& who, Time now) const;
  Returned read_token(std::string_view purpose, std::string_view token, Time now) const;

 private:
  std::string hash(const std::string& key, std::string_view text) const;
  bool is_ours(std::string_view hash, std::string_view text) const;
  Returned read_first(std::string_view purpose, std::string_view rest, Time now) const;
  Returned read_next(std::string_view rest) const;

  std::vector<std::string> keys_;
};

}  // namespace postern::directory
