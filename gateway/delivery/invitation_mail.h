#pragma once

#include <string>

#include "gateway/base/clock.h"
#include "gateway/config/config.h"

namespace postern::delivery {

struct InvitationMail {
  std::string id;        // ours, of this mail
  std::string user;      // whose password it is
  std::string to;
  std::string link;
  std::string hostname;
  config::Language language = config::Language::english;
  Time when{}, valid_until{};
};
// The whole message, a text of a few lines.
std::string invitation_message(const InvitationMail& mail);

}  // namespace postern::delivery
