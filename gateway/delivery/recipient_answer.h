#pragma once

#include <cstddef>
#include <string>

#include "gateway/smtp_client/outcome.h"

namespace postern::delivery {

// So much of a host's words is kept and repeated.
constexpr std::size_t kMaxRecipientWords = 200;

// What a host behind us says of one of its recipients.
struct RecipientAnswer {
  enum class Kind {
    known,
    unknown,   // mail for it is refused for good
    unsure     // now, or to us, it says nothing of the recipient
  };
  Kind kind = Kind::unsure;
  // Of unknown and unsure: "550 5.1.1 User unknown".  One line of printable ASCII, at most kMaxRecipientWords octets:
  // fit for the end of a reply of ours.
  std::string words;
};

// Reads the outcome of Connection::probe(), or of a connection that did not come about.
//
// A refusal is `unknown` only where it speaks of the recipient: the same 550 may say that we may not relay, are on a
// list, or should log in, and read as "unknown" that would refuse a company's whole mail.  A full mailbox is known.
RecipientAnswer meaning_of(const smtp_client::Outcome& outcome);

}  // namespace postern::delivery
