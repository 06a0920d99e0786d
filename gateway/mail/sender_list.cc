// Entries of users' lists of senders, and who is the author of a message.
#include "gateway/mail/sender_list.h"

#include <optional>

#include "gateway/base/text.h"
#include "gateway/mail/address.h"
#include "gateway/mail/idna.h"

namespace postern::mail {

std::string_view name(SenderWord word) { return word == SenderWord::allow ? "allow" : "block"; }

Result<std::string> sender_entry(std::string_view text) {
  text = trimmed(text);
  if (text.empty()) return Error("a sender is an address or a domain");
  auto at = text.rfind('@');
  if (at == std::string_view::npos || at == 0) {
    auto domain = domain_to_ascii(at == 0 ? text.substr(1) : text);
    if (!domain || domain->find('.') == std::string::npos) return Error("\"" + printable(text, 80) + "\" is no address and no domain");
    return "@" + *domain;
  }
  auto path = parse_address(text);
  if (!path) return path.error();
  return ascii_lowered(path->text());
}

const SenderList::value_type* find_sender(const SenderList& list, std::string_view address) {
  auto found = list.find(address);
  if (found == list.end()) {
    auto at = address.rfind('@');
    if (at == std::string_view::npos) return nullptr;
    found = list.find(address.substr(at));
  }
  return found == list.end() ? nullptr : &*found;
}

std::string author_of(std::string_view from) {
  const std::size_t few = 16;   // entries: groups and mailboxes
  std::optional<HeaderAddress> author;
  for (auto& entry : parse_address_list(from, few)) {
    if (entry.kind != HeaderAddress::Kind::mailbox) continue;
    if (author) return "";
    author = std::move(entry);
  }
  auto domain = author && !author->local.empty() ? domain_to_ascii(author->domain) : std::nullopt;
  if (!domain || author->local.size() > kMaxLocal) return "";
  Path path{author->local, *domain};
  return sender_entry(path.text()).value_or("");
}

}  // namespace postern::mail
