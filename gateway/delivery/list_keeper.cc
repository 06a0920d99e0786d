// A post on its way to the members of its list.
#include "gateway/delivery/list_keeper.h"

#include <algorithm>
#include <set>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/route.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/mime.h"
#include "gateway/mail/sender_list.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;
using directory::ListRole;
using Kind = directory::Resolution::Kind;

constexpr auto kAgain = 60s;
constexpr std::size_t kMostReached = 10'000;   // of one post
constexpr std::size_t kPage = 50;              // a row can have hundreds of KiB
constexpr store::Uid kLast = 0xffffffffU;
constexpr std::string_view kDone = "list-done:";
constexpr auto kKeepMark = 90 * 24h;           // far longer than anything waits unseen

std::string domain_of(std::string_view address) { return std::string(address.substr(address.rfind('@') + 1)); }

std::string mark_of(const std::string& list, const std::string& message) { return std::string(kDone) + list + ":" + message; }

}  // namespace

// Whom a post reaches.
struct ListKeeper::Reach {
  struct Outside {
    std::string address, domain, account, member;
  };
  std::vector<std::pair<std::string, store::AccountId>> here;
  std::vector<Outside> outside;
  std::vector<std::string> lists;
  std::set<std::string, std::less<>> seen;
  bool cut = false;
  std::size_t size() const { return here.size() + outside.size() + lists.size(); }
};

// What the members get.
struct ListKeeper::Made {
  Octets octets;
  std::string signatures;
  bool rewritten = false;
};

// The engine's only place: however the work ends it is left.
class Turn {
 public:
  Turn(bool& busy, io::Signal& free) : busy_(busy), free_(free) { busy_ = true; }
  Turn(const Turn&) = delete;
  ~Turn() {
    busy_ = false;
    free_.notify();
  }

 private:
  bool& busy_;
  io::Signal& free_;
};

io::Task<ListKeeper::Done> ListKeeper::take(const Entry& entry, QueueState state) {
  while (busy_) co_await free_.wait(in(60s));
  Turn turn(busy_, free_);
  Work work;
  work.entry = &entry;
  Done done;
  auto post = decode_post(state.post);
  if (!post) done.failed = "what was noted of it for its mailing list is damaged";
  if (post) work.list = parts_.directory.list(post->list);
  if (post && !work.list) done.failed = "the mailing list " + post->list + " was removed";
  if (!done.failed.empty()) co_return done;
  auto record = co_await parts_.store.record(entry);
  if (!record) {
    log::error("list.record", {{"entry", std::to_string(entry.id)}, {"message", entry.message_id}, {"what", record.error().text}});
    done.due = parts_.clock.now() + kAgain;
    co_return done;
  }
  work.state = std::move(state);
  work.post = std::move(*post);
  work.record = std::move(*record);
  done = co_await begin(std::move(work));
  co_return done;
}

io::Task<ListKeeper::Done> ListKeeper::begin(Work work) {
  Done done;
  auto role = work.post.role;
  if (role == ListRole::post) done = co_await pass_on(std::move(work));
  else if (role == ListRole::bounces) done = co_await count_bounce(std::move(work));
  else done = co_await answer(std::move(work));
  co_return done;
}

io::Task<ListKeeper::Done> ListKeeper::commit(const Work& work, store::Delivery delivery) {
  Done done;
  auto& change = delivery.queue.emplace_back();
  change.id = work.entry->id;
  change.remove = true;
  change.required = true;
  auto stored = co_await parts_.store.deliver(std::move(delivery));
  if (stored.ok()) {
    if (parts_.queued) parts_.queued(stored);
    co_return done;
  }
  if (!stored.gone.empty()) co_return done;   // the operator was faster
  log::error("list.not_written", {{"message", work.entry->message_id}, {"list", work.post.list}, {"what", stored.text}, {"action", "tried again"}});
  done.due = parts_.clock.now() + kAgain;
  co_return done;
}

io::Task<ListKeeper::Done> ListKeeper::pass_on(Work work) {
  const auto& post = work.post;
  Done done;
  std::string why;
  if (post.approved_by.empty()) {
    why = needs_approval(parts_.directory, *work.list, post);
  } else {
    auto mark = co_await parts_.store.get(mark_of(post.list, work.entry->message_id));
    if (!mark) {
      log::error("list.mark", {{"message", work.entry->message_id}, {"what", mark.error().text}});
      done.due = parts_.clock.now() + kAgain;
      co_return done;
    }
    if (*mark) {   // another moderator has let it through before
      log::info("list.again", {{"message", work.entry->message_id}, {"list", post.list}, {"by", post.approved_by}, {"action", "not sent twice"}});
      store::Delivery nothing;
      done = co_await commit(work, std::move(nothing));
      co_return done;
    }
    if (!work.list->is_run_by(post.approved_by)) why = post.approved_by + ", who let it through, runs this list no more";
  }
  auto members = reach(work);
  if (why.empty() && members.size() == 0) why = "nobody would get it: no member gets mail now";
  if (!why.empty()) {
    done = co_await ask_moderators(std::move(work), why);
    co_return done;
  }
  auto made = co_await made_of(work);
  store::Delivery delivery;
  delivery.items.push_back(item_of(work, members, made));
  tell_of_expansion(work, delivery);
  if (parts_.signer != nullptr) co_await parts_.signer->sign(delivery, 1);   // reports
  bool was_asked = !post.approved_by.empty();
  if (was_asked) delivery.rows.push_back({mark_of(post.list, work.entry->message_id), std::to_string(to_unix(parts_.clock.now()))});
  done = co_await commit(work, std::move(delivery));
  if (done.due) co_return done;
  log::info("list.sent", {{"message", work.entry->message_id}, {"list", post.list}, {"author", post.author}, {"here", std::to_string(members.here.size())},
                          {"outside", std::to_string(members.outside.size())}, {"lists", std::to_string(members.lists.size())},
                          {"rewritten", made.rewritten ? "yes" : "no"}, {"approved", post.approved_by}});
  if (was_asked) co_await forget_waiting(work.list, work.entry->message_id);
  if (was_asked) co_await forget_old_marks();
  co_return done;
}

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
          if (is_new(address)) out.outside.push_back({address, domain_of(address), target.account_address, member.address});
        }
        if ((target.keep || target.forward.empty()) && is_new(target.account_address)) out.here.emplace_back(target.account_address, target.account);
        break;
      case Kind::list: {
        auto to = parts_.directory.resolve(target.address);
        bool fits = to.list_role == ListRole::post && unfit_for_list(work.record.view(), to.account_address, ListRole::post).empty() && to.account_address != work.post.list;
        if (fits && is_new(to.account_address)) out.lists.push_back(to.account_address);
        if (!fits) log::warning("list.loop", {{"list", work.post.list}, {"member", member.address}, {"message", work.entry->message_id}, {"action", "left out"}});
        break;
      }
      default:
        if (is_new(target.address)) out.outside.push_back({target.address, target.domain, "", member.address});
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
  auto domain = domain_of(address);
  // Ours, and shown to be his: our signature of his own domain is what DMARC asks for, and where that has no key SPF of
  // this domain serves.
  if (post.ours && parts_.signer != nullptr) out.signatures = co_await parts_.signer->sign(whole(text), work.entry->message_id);
  bool covered = !out.signatures.empty() || (post.ours && domain_of(post.author) == domain);
  bool claimed = !post.known && !post.author.empty() && parts_.directory.is_ours(domain_of(post.author));
  bool breaks = post.strict && !covered && !mail::keeps_seals(work.record.view(), text, post.seals);
  if (breaks && !post.seals.empty()) {   // a seal on Sender is no reason to hide the author
    header.set_sender = false;
    text = make();
    breaks = !mail::keeps_seals(work.record.view(), text, post.seals);
  }
  if (breaks || claimed) {
    header.set_sender = true;
    header.rewrite_from = true;
    text = make();
    out.rewritten = true;
  }
  out.octets = whole(text);
  if (out.signatures.empty() && parts_.signer != nullptr) out.signatures = co_await parts_.signer->sign_as(domain, out.octets, work.entry->message_id);
  co_return out;
}

store::Target ListKeeper::copy_for(const Work& work, const std::string& address, store::AccountId account) const {
  store::Target target;
  target.account = account;
  target.use = store::SpecialUse::inbox;
  target.header_prefix = "Return-Path: <" + list_address(work.post.list, ListRole::bounces) + ">\r\nDelivered-To: " + address + "\r\n";
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
  for (const auto& [address, account] : members.here) item.targets.push_back(copy_for(work, address, account));
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
    onward.header_prefix = made.signatures;
    onward.state = encode(state);
  }
  return item;
}

// RFC 3461 5.2.7: who asked to hear that his message arrived hears that it went to a list.
void ListKeeper::tell_of_expansion(const Work& work, store::Delivery& delivery) const {
  if (!may_be_told(work.state)) return;
  std::vector<Fate> fates;
  for (const auto& who : work.state.recipients) {
    Fate fate;
    fate.who = who;
    fate.action = mail::DsnRecipient::Action::expanded;
    fate.status = "2.0.0";
    if (fate.is_wanted()) fates.push_back(std::move(fate));
  }
  if (!fates.empty()) reports_.add(delivery, work.state, {work.entry->arrived}, fates, work.record.view());
}

io::Task<ListKeeper::Done> ListKeeper::ask_moderators(Work work, std::string why) {
  work.post.approved_by.clear();
  work.state.post = encode(work.post);
  co_await make_list_mailboxes(parts_.store, work.list);
  auto shown = "Return-Path: <" + work.state.sender + ">\r\n" + work.entry->header_prefix + "X-Postern-Why: list moderation: " + why + "\r\n";
  Waiting waiting{work.entry->header_prefix, encode(work.state)};
  store::Delivery delivery;
  auto item = item_with(work.entry->message_id, work.record, work.entry->arrived);
  item.targets = moderators_copies(parts_.store, *work.list, waiting, shown, work.state.sender, why);
  Done done;
  if (item.targets.empty()) done.failed = "nobody decides on " + work.post.list + " any more";
  if (item.targets.empty()) co_return done;
  delivery.items.push_back(std::move(item));
  auto notes = moderators_notes(parts_.store, parts_.directory, work.post.list, *work.list, work.record.view(), why);
  std::move(notes.begin(), notes.end(), std::back_inserter(delivery.items));
  if (parts_.signer != nullptr) co_await parts_.signer->sign(delivery, 1);
  log::info("list.waits", {{"message", work.entry->message_id}, {"list", work.post.list}, {"author", work.post.author}, {"why", why}});
  done = co_await commit(work, std::move(delivery));
  co_return done;
}

// What one moderator has let through waits for the others no more.
io::Task<void> ListKeeper::forget_waiting(ListPtr list, std::string message_id) {
  for (const auto& who : list->deciders()) {
    auto account = parts_.store.account(who);
    auto mailbox = account ? parts_.store.mailbox(account->id, list_mailbox(*list, "Pending")) : std::nullopt;
    for (store::Uid next = mailbox ? 1 : 0; next != 0;) {
      auto rows = co_await parts_.store.messages(mailbox->id, next, kLast, kPage);
      if (!rows) break;   // they are known by their marks if they are let through
      next = rows->size() == kPage ? rows->back().uid + 1 : 0;
      std::vector<store::Uid> uids;
      for (const auto& row : *rows) {
        if (row.id == message_id && row.held && row.held->message_class == kModeration) uids.push_back(row.uid);
      }
      if (!uids.empty()) co_await parts_.store.erase(mailbox->id, uids);
    }
  }
}

io::Task<void> ListKeeper::forget_old_marks() {
  auto rows = co_await parts_.store.scan(std::string(kDone), std::string(kDone), 1000);
  if (!rows) co_return;
  auto oldest = to_unix(parts_.clock.now() - kKeepMark);
  std::vector<store::Row> gone;
  for (auto& row : *rows) {
    auto made = parse_number(*row.value);
    if (!made || static_cast<std::int64_t>(*made) < oldest) gone.push_back({row.key, std::nullopt});
  }
  if (!gone.empty()) co_await parts_.store.write(std::move(gone));
}

}  // namespace postern::delivery
