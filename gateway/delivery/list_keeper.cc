// One entry after the other of what waits for a mailing list.  The copies for its members: list_copies.cc; requests and bounces:
// list_requests.cc.
#include "gateway/delivery/list_keeper.h"

#include <iterator>

#include "gateway/base/log.h"
#include "gateway/base/text.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;
using directory::ListRole;

constexpr auto kAgain = 60s;
constexpr std::size_t kPage = 50;              // a row can have hundreds of KiB
constexpr store::Uid kLast = 0xffffffffU;
constexpr std::string_view kDone = "list-done:";
constexpr auto kKeepMark = 90 * 24h;           // far longer than anything waits unseen

std::string mark_of(const std::string& list, const std::string& message) { return std::string(kDone) + list + ":" + message; }

// The place of who works; however that ends it is left.
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

}  // namespace

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
  co_await add_links(work, members, made);
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
  constexpr std::size_t kMarks = 1000;   // at a time; the next time goes on from there
  const std::string prefix(kDone);
  std::string from = marks_from_.empty() ? prefix : marks_from_;
  auto rows = co_await parts_.store.scan(prefix, std::move(from), kMarks);
  if (!rows) co_return;
  marks_from_ = rows->size() == kMarks ? rows->back().key + '\0' : "";
  auto oldest = to_unix(parts_.clock.now() - kKeepMark);
  std::vector<store::Row> gone;
  for (auto& row : *rows) {
    auto made = parse_number(*row.value);
    if (!made || static_cast<std::int64_t>(*made) < oldest) gone.push_back({row.key, std::nullopt});
  }
  if (!gone.empty()) co_await parts_.store.write(std::move(gone));
}

}  // namespace postern::delivery
