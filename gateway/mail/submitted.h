#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"

// What a message that a user of ours submits must have, and what is added to it.  RFC 6409 6.1, 8.
namespace postern::mail {

struct Submitted {
  std::string problem;                 // why it cannot be sent, a sentence for a 554; "" if it can
  std::vector<std::string> authors;    // the addresses of From and Sender, as written; never empty without a problem
  bool has_date = false;
  bool has_message_id = false;
};
Submitted inspect_submitted(std::string_view message);

// Date and Message-ID where they are missing, each with its line end, to stand before the message.
std::string missing_fields(const Submitted& found, std::string_view id, std::string_view hostname, Time when);

}  // namespace postern::mail
