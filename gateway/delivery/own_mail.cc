// Where messages of our own go: reports, answers to people.
#include "gateway/delivery/own_mail.h"

#include <algorithm>

#include "gateway/delivery/list_post.h"
#include "gateway/base/log.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/delivery/route.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/mime.h"

namespace postern::delivery {
namespace {

bool has_eight_bit(std::string_view octets) {
  return std::any_of(octets.begin(), octets.end(), [](char c) { return (static_cast<unsigned char>(c) & 0x80) != 0; });
}

void send_out(store::Item& item, const std::string& domain, const std::string& address, bool utf8) {
  QueueState state;
  state.recipients.emplace_back().address = address;
  state.eight_bit = has_eight_bit(item.pieces.front().view());
  state.smtputf8 = utf8 || has_eight_bit(address);
  auto& onward = item.onward.emplace_back();
  onward.destination = domain.empty() ? address.substr(address.rfind('@') + 1) : domain;
  onward.state = encode(state);
}

// What came back counts against the member; nothing else of ours is a message to a list.
void give_to_list(store::Item& item, const directory::Resolution& list, const std::string& address) {
  if (list.list_role != directory::ListRole::bounces) return;
  ListPost post;
  post.role = list.list_role;
  post.list = list.account_address;
  post.member = list.original;
  post.ours = true;
  QueueState state;
  state.recipients.emplace_back().address = address;
  state.post = encode(post);
  auto& onward = item.onward.emplace_back();
  onward.destination = std::string(kListLane) + list.account_address;
  onward.state = encode(state);
}

void put_into_inbox(store::Item& item, store::AccountId account) {
  auto& target = item.targets.emplace_back();
  target.account = account;
  target.use = store::SpecialUse::inbox;
  target.header_prefix = "Return-Path: <>\r\n";
}

}  // namespace

store::Item own_item(const directory::Directory& directory, std::string id, Octets message, Time when, const std::string& to, bool utf8) {
  using Kind = directory::Resolution::Kind;
  store::Item item;
  item.id = std::move(id);
  item.internal_date = when;
  item.pieces.push_back(std::move(message));
  auto resolved = directory.resolve(to);
  bool leads_on = resolved.kind == Kind::account || resolved.kind == Kind::alias || resolved.kind == Kind::list || resolved.kind == Kind::returned || resolved.has_own_hosts();
  if (!leads_on) {
    send_out(item, resolved.domain, to, utf8);
    return item;
  }
  for (const auto& target : directory.expand(resolved, to).targets) {
    if (target.kind == Kind::list) {
      give_to_list(item, directory.resolve(target.address), target.address);
      continue;
    }
    if (target.kind != Kind::account) send_out(item, target.domain, target.address, utf8);
    for (const auto& address : target.forward) send_out(item, "", address, utf8);
    if (target.kind == Kind::account && (target.keep || target.forward.empty())) put_into_inbox(item, target.account);
  }
  if (item.targets.empty() && item.onward.empty()) {   // an alias of nobody, a list: it must not be lost
    auto postmaster = directory.resolve("postmaster");
    auto address = postmaster.has_own_hosts() ? postmaster.account_address : directory.postmaster_address();
    if (postmaster.found()) put_into_inbox(item, postmaster.account);
    else if (postmaster.kind == Kind::onward) send_out(item, postmaster.domain, address, utf8);
    else log::error("mail.lost", {{"message", item.id}, {"to", to}, {"what", "it leads to nobody, and nobody takes postmaster's mail now"}});
  }
  if (!item.targets.empty()) {
    auto octets = item.pieces.front().view();
    item.parts = mail::serialize(mail::parse(octets));
    item.envelope = mail::envelope_of(octets);
  }
  return item;
}

}  // namespace postern::delivery
