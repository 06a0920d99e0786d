// Reading the reports that others write.  Writing ours: dsn.cc.
#include "gateway/mail/bounce.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/text.h"

namespace postern::mail {
namespace {

constexpr std::size_t kMaxStatus = 64 * 1024;

// RFC 3464 2.1: groups of fields with empty lines between; the first is about the message.
Bounce worst_of(std::string_view status) {
  auto worst = Bounce::none;
  while (!status.empty()) {
    HeaderReader reader(status);
    HeaderField field;
    while (reader.next(field)) {
      if (!iequals(field.name, "Action")) continue;
      auto action = trimmed(field.raw);
      if (istarts_with(action, "failed")) worst = std::max(worst, Bounce::failed);
      if (istarts_with(action, "delayed")) worst = std::max(worst, Bounce::delayed);
    }
    status.remove_prefix(std::min(status.size(), std::max<std::size_t>(reader.body_offset(), 1)));
  }
  return worst;
}

}  // namespace

Bounce bounce_of(std::string_view message) {
  auto worst = Bounce::none;
  for (const auto& part : parse(message).parts) {
    bool is_status = part.is("message", "delivery-status") || part.is("message", "global-delivery-status");
    if (is_status) worst = std::max(worst, worst_of(part_octets(message, part, kMaxStatus)));
  }
  return worst;
}

}  // namespace postern::mail
