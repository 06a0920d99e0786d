// What a list makes of a message: whatever it is, the list's fields stand once, the body is the same, and a second time
// changes nothing that the first did not.  The first octet says what is wanted.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/mail/bounce.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/list_header.h"

using namespace postern::mail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view message(reinterpret_cast<const char*>(data) + 1, size - 1);
  ListHeader list;
  list.address = "team@corp.example";
  list.request = "team-request@corp.example";
  list.unsubscribe = "team-unsubscribe@corp.example";
  list.owner = "team-owner@corp.example";
  list.bounces = "team-bounces@corp.example";
  list.rewrite_from = (data[0] & 1) != 0;
  list.reply_to_list = (data[0] & 2) != 0;
  list.set_sender = (data[0] & 4) != 0;
  if ((data[0] & 8) != 0) list.prefix = "[team]";
  auto out = list_message(message, list);
  HeaderBlock before(message), after(out);
  if (!after.truncated()) {
    if (after.count("List-Id") != 1 || after.count("Precedence") != 1) std::abort();
    if (list.rewrite_from && after.count("From") > 1) std::abort();
    if (!list.prefix.empty() && after.count("Subject") < 1) std::abort();
  }
  auto body = message.substr(before.body_offset());
  if (std::string_view(out).substr(after.body_offset()) != body) std::abort();
  keeps_seals(message, out, {{"x.org", "one"}});
  if (!before.truncated() && before.count("DKIM-Signature") != after.count("DKIM-Signature")) std::abort();
  bounce_of(message);
  return 0;
}
