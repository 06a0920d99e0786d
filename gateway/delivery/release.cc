// Out of the quarantine and on to the server of its recipient.
#include "gateway/delivery/release.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/list_post.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/directory/own_hosts.h"

namespace postern::delivery {
namespace {

bool is_dropped(std::string_view field) {
  for (std::string_view name : {"Return-Path:", "Delivered-To:", "X-Spam-Flag:"}) {
    if (istarts_with(field, name)) return true;
  }
  return false;
}

}  // namespace

std::string released_prefix(std::string_view header_prefix) {
  constexpr std::string_view kVerdict = "X-Postern-Verdict: quarantine";
  std::string out;
  while (!header_prefix.empty()) {
    std::size_t end = 0;
    do {   // a field with its folded lines
      auto newline = header_prefix.find('\n', end);
      end = newline == std::string_view::npos ? header_prefix.size() : newline + 1;
    } while (end < header_prefix.size() && (header_prefix[end] == ' ' || header_prefix[end] == '\t'));
    auto field = header_prefix.substr(0, end);
    header_prefix.remove_prefix(end);
    if (is_dropped(field)) continue;
    if (istarts_with(field, kVerdict)) {
      out += "X-Postern-Verdict: ham";
      field.remove_prefix(kVerdict.size());
    }
    out += field;
  }
  return out + "X-Postern-Why: released from the quarantine\r\n";
}

std::string goes_on_to(const Routes& routes, const store::Account& account) {
  if (directory::has_own_hosts(account)) return account.address;
  auto at = account.address.rfind('@');
  if (at == std::string::npos || account.deliver == directory::kMailboxes) return "";
  auto domain = account.address.substr(at + 1);
  return routes.relay(domain) ? domain : "";
}

io::Task<void> make_release_folder(store::Store& store, store::AccountId account) {
  if (store.mailbox(account, kReleaseFolder)) co_return;
  auto made = co_await store.create_mailbox(account, std::string(kReleaseFolder), store::SpecialUse::none);
  store::Change done = made;
  if (made.ok()) done = co_await store.subscribe(account, std::string(kReleaseFolder), true);
  bool failed = !done.ok() && done.outcome != store::Outcome::exists;
  if (failed) log::warning("release.folder", {{"account", std::to_string(account)}, {"what", done.text}});
}

io::Task<void> make_release_folders(store::Store& store, const Routes& routes) {
  auto accounts = store.accounts();
  for (const auto& account : accounts) {
    if (!goes_on_to(routes, account).empty()) co_await make_release_folder(store, account.id);
  }
}

std::optional<store::Onward> ReleaseToHost::onward(const store::Account& account, const std::string& header_prefix, const store::Held& held) {
  if (held.message_class == kModeration) return approved(held.outgoing, account.address);
  auto destination = goes_on_to(routes_, account);
  if (destination.empty()) return std::nullopt;
  QueueState state;
  state.sender = held.sender;
  state.recipients.push_back({account.address, account.address, ""});
  state.eight_bit = true;   // unknown here, and harmless where it is not so
  store::Onward out;
  out.destination = destination;
  out.header_prefix = released_prefix(header_prefix);
  out.state = encode(state);
  return out;
}

void ReleaseToHost::queued(store::QueueId id, const store::Onward& onward) {
  if (tell_) tell_({{id, onward.destination, onward.due, ""}});   // to a server of ours, whoever the sender
}

}  // namespace postern::delivery
