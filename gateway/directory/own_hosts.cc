// Where one user's mail goes.
#include "gateway/directory/own_hosts.h"

#include "gateway/base/text.h"
#include "gateway/config/config.h"

namespace postern::directory {

Result<std::string> deliver_of(std::string_view text) {
  if (text == "domain") return std::string();
  if (text == kMailboxes) return std::string(kMailboxes);
  auto hosts = config::parse_hosts(text);
  if (!hosts) {
    return Error("\"" + printable(text, 100) + "\" is no place to deliver to: write \"mailboxes\", \"domain\" (as the domain says), or "
                 "\"smtp://HOST:PORT\", \"smtps://HOST:PORT\" or \"lmtp://HOST:PORT\", several with commas between them");
  }
  std::string out;
  for (const auto& host : *hosts) out += (out.empty() ? "" : ",") + host.to_string();
  return out;
}

}  // namespace postern::directory
