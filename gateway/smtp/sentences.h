#pragma once

#include <string>

#include "gateway/config/config.h"

// What we say of our own in refusals, in the language of the recipient's domain: its people send the reply to us when they
// ask why.  What rules say is in the language of whoever wrote them.
namespace postern::smtp {

enum class Sentence {
  no_such_user,
  relaying_denied,
  bad_address,
  not_now,             // nobody takes this mail now
  forged,              // an address that we did not make
  expired,
  bounces_only,
  list_takes_no_bounces,
  host_not_asked,      // the server of the domain does not answer
  directory_not_asked,
  cannot_judge,
  try_later,
  and_try_later,       // behind a comma
  too_many_lately,     // before an address
};

// Vietnamese has its marks only where `utf8` may be said (RFC 6531 3.7.4.2); else the letters without them.
std::string sentence(Sentence which, config::Language language, bool utf8);

}  // namespace postern::smtp
