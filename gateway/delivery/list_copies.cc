// Whom a post reaches, and what each of them gets.
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/list_keeper.h"
#include "gateway/delivery/route.h"
#include "gateway/mail/authres_payload.h"
#include "gateway/mail/sender_list.h"

namespace postern::delivery {
namespace {

using directory::ListRole;
using Kind = directory::Resolution::Kind;

constexpr std::size_t kMostReached = 10'000;   // of one post
constexpr std::size_t kMostSigned = 1U << 30;  // octets, where each member has a signature of his own

std::string domain_of(std::string_view address) { return std::string(address.substr(address.rfind('@') + 1)); }

}  // namespace

ListKeeper::Reach ListKeeper::reach(const Work& work) const {
  Reach out;
  for (const auto& [key, member] : work.list->members) {
    if (member.gets_mail()) reach_member(work, member, out);
  }
  if (out.cut) log::error("list.cut", {{"list", work.post.list}, {"message", work.entry->message_id}, {"what", "it leads to more than 10000 addresses"}});
  return out;
}

void ListKeeper::reach_member(const Work& work, const directory::ListMember& member, Reach& out) const {
  auto leads_to = parts_.directory.expand(parts_.directory.resolve(member.address), member.address);
  auto is_new = [&](const std::string& address) {
    out.cut = out.cut || out.size() >= kMostReached;
    return !out.cut && out.seen.insert(ascii_lowered(address)).second;
  };
  for (const auto& lost : leads_to.lost) log::warning("list.lost", {{"list", work.post.list}, {"member", member.address}, {"what", printable(lost) + " is nobody"}});
  for (const auto& target : leads_to.targets) {
    switch (target.kind) {
      case Kind::account:
        for (const auto& address : target.forward) {
          if (is_new(address)) out.outside.push_back({address, domain_of(address), target.account_address, member.address, ""});
        }
        if ((target.keep || target.forward.empty()) && is_new(target.account_address)) {
          out.here.push_back({target.account_address, member.address, target.account, ""});
        }
        break;
      case Kind::list: {
        auto to = parts_.directory.resolve(target.address);
        bool fits = to.list_role == ListRole::post && unfit_for_list(work.record.view(), to.account_address, ListRole::post).empty() && to.account_address != work.post.list;
        if (fits && is_new(to.account_address)) out.lists.push_back(to.account_address);
        if (!fits) log::warning("list.loop", {{"list", work.post.list}, {"member", member.address}, {"message", work.entry->message_id}, {"action", "left out"}});
        break;
      }
      default:
        if (is_new(target.address)) out.outside.push_back({target.address, target.domain, "", member.address, ""});
    }
  }
}

io::Task<ListKeeper::Made> ListKeeper::made_of(const Work& work) const {
  const auto& address = work.post.list;
  const auto& list = *work.list;
  const auto& post = work.post;
  mail::ListHeader header;
  header.address = address;
  header.name = list.name;
  header.request = list_address(address, ListRole::request);
  if (list.open) header.subscribe = list_address(address, ListRole::subscribe);
  header.unsubscribe = list_address(address, ListRole::unsubscribe);
  header.owner = list_address(address, ListRole::owner);
  header.bounces = list_address(address, ListRole::bounces);
  header.prefix = list.prefix;
  header.takes_posts = list.post != directory::List::Post::moderators;
  header.reply_to_list = list.reply_to_list;
  auto make = [&] { return mail::list_message(work.record.view(), header); };
  auto whole = [&](const std::string& text) { return Octets(work.entry->header_prefix + text); };
  auto text = make();
  Made out;
  // Ours, and shown to be his: our signature of his own domain is what DMARC asks for, and where that has no key SPF of
  // this domain serves.
  if (post.ours && parts_.signer != nullptr) out.signatures = co_await parts_.signer->sign(whole(text), work.entry->message_id);
  out.by_author = !out.signatures.empty();
  bool covered = out.by_author || (post.ours && domain_of(post.author) == domain_of(address));
  bool claimed = !post.known && !post.author.empty() && parts_.directory.is_ours(domain_of(post.author));
  bool breaks = post.strict && !covered && !mail::keeps_seals(work.record.view(), text, post.seals);
  if (breaks && !post.seals.empty()) {   // a seal on Sender is no reason to hide the author
    header.set_sender = false;
    text = make();
    breaks = !mail::keeps_seals(work.record.view(), text, post.seals);
  }
  out.rewritten = breaks || claimed;
  if (out.rewritten) header.set_sender = header.rewrite_from = true;
  bool dear = work.record.size() * list.members.size() > kMostSigned;
  out.has_links = header.unsubscribe_apart = !dear && !list.members.empty() && !link_of(work, list.members.begin()->second.address).empty();
  out.octets = whole(make());
  if (!out.has_links) out.signatures = co_await sign(work, out, "");
  co_return out;
}

std::string ListKeeper::link_of(const Work& work, const std::string& member) const {
  return parts_.unsubscribe_link ? parts_.unsubscribe_link(work.post.list, member) : "";
}

io::Task<std::string> ListKeeper::sign(const Work& work, const Made& made, std::string before) const {
  std::string out;
  if (parts_.signer == nullptr) co_return out;
  auto octets = before.empty() ? made.octets : Octets(before + std::string(made.octets.view()));
  if (made.by_author) out = co_await parts_.signer->sign(octets, work.entry->message_id);
  else out = co_await parts_.signer->sign_as(domain_of(work.post.list), octets, work.entry->message_id);
  // What we found when the post came in stands in front of it.
  auto payload = mail::combined_results(octets.view(), parts_.hostname);
  auto whole = Octets(out + std::string(octets.view()));
  auto set = co_await parts_.signer->seal_as(domain_of(work.post.list), std::move(whole), std::move(payload), work.entry->message_id);
  co_return set + out;
}

// What stands before each copy, where that is not the same for all.
io::Task<void> ListKeeper::add_links(const Work& work, Reach& members, const Made& made) const {
  auto address = list_address(work.post.list, ListRole::unsubscribe);
  if (made.has_links) {
    for (auto& who : members.here) who.fields = mail::unsubscribe_fields(address, link_of(work, who.member));
  }
  for (auto& who : members.outside) {
    who.fields = made.signatures;
    if (!made.has_links) continue;
    who.fields = mail::unsubscribe_fields(address, link_of(work, who.member));
    auto signatures = co_await sign(work, made, who.fields);
    who.fields = signatures + who.fields;
  }
}

store::Target ListKeeper::copy_for(const Work& work, const std::string& address, store::AccountId account, const std::string& fields) const {
  store::Target target;
  target.account = account;
  target.use = store::SpecialUse::inbox;
  target.header_prefix = "Return-Path: <" + list_address(work.post.list, ListRole::bounces) + ">\r\nDelivered-To: " + address + "\r\n" + fields;
  auto senders = parts_.directory.senders(account);
  const auto* said = work.post.author.empty() ? nullptr : mail::find_sender(*senders, work.post.author);
  if (said == nullptr || said->second != mail::SenderWord::block) return target;
  target.use = store::SpecialUse::quarantine;
  auto& held = target.held.emplace();
  held.message_class = "policy";
  held.reason = "you block " + printable(said->first);
  held.sender = work.state.sender;
  return target;
}

// The same message for another list, which looks for itself whether its author may write to it.
store::Onward ListKeeper::nested(const Work& work, const std::string& list, const Made& made) const {
  auto post = work.post;
  post.list = list;
  post.member.clear();
  post.approved_by.clear();
  if (made.rewritten) {
    post.ours = true;
    post.strict = false;
    post.seals.clear();
  }
  QueueState state;
  state.sender = work.state.sender;
  state.eight_bit = work.state.eight_bit;
  state.smtputf8 = work.state.smtputf8;
  state.may_report = work.state.may_report;
  auto& who = state.recipients.emplace_back();
  who.address = list;
  if (auto there = parts_.directory.list(list)) who.account = there->owners.front();
  who.notify = work.state.recipients.front().notify.without_success();
  state.post = encode(post);
  store::Onward out;
  out.destination = std::string(kListLane) + list;
  out.header_prefix = "Delivered-To: " + list + "\r\n";
  out.state = encode(state);
  return out;
}

store::Item ListKeeper::item_of(const Work& work, const Reach& members, const Made& made) const {
  auto item = item_with(work.entry->message_id, made.octets, work.entry->arrived);
  for (const auto& who : members.here) item.targets.push_back(copy_for(work, who.address, who.account, who.fields));
  auto owner = parts_.store.account(work.list->owners.front());
  if (work.list->archive && owner) {
    auto& archive = item.targets.emplace_back();
    archive.account = owner->id;
    archive.mailbox = list_mailbox(*work.list, "");
  }
  for (const auto& list : members.lists) item.onward.push_back(nested(work, list, made));
  auto plain = list_address(work.post.list, ListRole::bounces);
  for (const auto& who : members.outside) {
    QueueState state;
    state.sender = parts_.directory.list_address_for(work.post.list, ListRole::bounces, who.member).value_or(plain);
    state.eight_bit = work.state.eight_bit;
    state.smtputf8 = work.state.smtputf8;
    state.may_report = true;
    auto& pending = state.recipients.emplace_back();
    pending.address = who.address;
    pending.account = who.account;
    pending.notify.given = true;   // RFC 3461 5.2.7: failures come to the list, and nothing else
    pending.notify.delay = false;
    auto& onward = item.onward.emplace_back();
    onward.destination = who.domain;
    onward.header_prefix = who.fields;
    onward.state = encode(state);
  }
  return item;
}

}  // namespace postern::delivery
