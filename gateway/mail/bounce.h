#pragma once

#include <string_view>

namespace postern::mail {

// What a message that came back says of the one that it is about.
enum class Bounce {
  none,      // it is no report, or one that nothing failed: an answer of a machine, a report on success
  delayed,   // it is still being tried
  failed
};

// Reads delivery status notifications, RFC 3464 2.3.3 (RFC 6533 too): the worst of what they say of their recipients.
Bounce bounce_of(std::string_view message);

}  // namespace postern::mail
