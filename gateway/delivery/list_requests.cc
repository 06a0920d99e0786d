// What people ask of a list by mail, and what comes back from its members.  RFC 2369: the addresses that our fields name.
#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/list_keeper.h"
#include "gateway/mail/bounce.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/foreign.h"
#include "gateway/mail/headers.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;
using directory::List;
using directory::ListMember;
using directory::ListRole;
using Bounce = mail::Bounce;

constexpr auto kAnswersFor = 1h;
constexpr unsigned kMostAnswers = 10;       // to one address in that time: two machines may be talking
constexpr unsigned kMostStrangers = 30;     // of one list in that time, whom nothing shows to have written
constexpr std::size_t kMaxAnswered = 10'000;
constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kForgiven = 30;      // days without a bounce, and the count begins anew

std::string first_word(std::string_view message) {
  mail::HeaderBlock header(message);
  const auto* field = header.find("Subject");
  auto text = field == nullptr ? std::string() : mail::one_line(mail::readable(field->raw));
  auto found = words(text);
  return found.empty() ? "" : ascii_lowered(found.front());
}

std::string help_text(const std::string& address, const List& list) {
  auto line = [&](ListRole role, const char* what) { return "  " + list_address(address, role) + "\r\n      " + what + "\r\n"; };
  std::string out = "This is the mailing list " + address + (list.name.empty() ? "" : " (" + list.name + ")") + ".\r\n\r\n";
  out += line(ListRole::post, list.post == List::Post::moderators ? "only its moderators write to it" : "to write to it");
  out += line(ListRole::subscribe, list.open ? "to get it" : "to ask its owners that you get it");
  out += line(ListRole::unsubscribe, "to get it no more");
  return out + line(ListRole::owner, "to reach the people who run it");
}

// For a command line that people paste: the address is a stranger's.
std::string shell_word(const std::string& address) {
  std::string out = "'";
  for (char c : address) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

}  // namespace

// Nobody gets more of them than a person reads; where nothing shows that he asked himself, one.
bool ListKeeper::may_answer(const Work& work, const std::string& to) {
  if (answered_.size() >= kMaxAnswered) std::erase_if(answered_, [](const auto& each) { return each.second.until <= in(0s); });
  if (answered_.size() >= kMaxAnswered) return false;
  if (!work.post.known) {   // whoever it pretends to be
    auto& strangers = answered_[work.post.list];
    if (strangers.until <= in(0s)) strangers = {0, in(kAnswersFor)};
    if (strangers.count++ >= kMostStrangers) return false;
  }
  auto& answers = answered_[work.post.list + " " + ascii_lowered(to)];
  if (answers.until <= in(0s)) answers = {0, in(kAnswersFor)};
  return answers.count++ < (work.post.known ? kMostAnswers : 1);
}

io::Task<ListKeeper::Done> ListKeeper::reply(Work work, std::string to, std::string subject, std::string text, std::string reply_to) {
  store::Delivery delivery;
  bool answered = may_answer(work, to);
  if (answered) delivery.items.push_back(list_note(parts_.directory, work.post.list, to, subject, text, reply_to));
  log::info("list.answer", {{"message", work.entry->message_id}, {"list", work.post.list}, {"to", to}, {"subject", subject}, {"sent", answered ? "yes" : "no, too many"}});
  if (parts_.signer != nullptr) co_await parts_.signer->sign(delivery);
  auto done = co_await commit(work, std::move(delivery));
  co_return done;
}

io::Task<ListKeeper::Done> ListKeeper::answer(Work work) {
  const auto& list = work.post.list;
  auto role = work.post.role;
  Done done;
  if (role == ListRole::request) {
    auto word = first_word(work.record.view());
    if (word == "subscribe" || word == "join") role = ListRole::subscribe;
    if (word == "unsubscribe" || word == "leave") role = ListRole::unsubscribe;
  }
  auto who = work.post.member.empty() ? work.post.author : work.post.member;
  if (who.empty()) {
    done.failed = "it names no author, or several, so nobody could be answered";
  } else if (role == ListRole::subscribe) {
    done = co_await subscribe(std::move(work), who);
  } else if (role == ListRole::unsubscribe) {
    done = co_await unsubscribe(std::move(work), who);
  } else {
    auto text = help_text(list, *work.list);
    auto subject = "About the mailing list " + list;
    done = co_await reply(std::move(work), who, subject, text);
  }
  co_return done;
}

io::Task<ListKeeper::Done> ListKeeper::subscribe(Work work, std::string who) {
  const auto list = work.post.list;
  Done done;
  const auto* there = work.list->member(who);
  bool gets_it = there != nullptr && there->gets_mail();
  // A token outlives an open list: closed, its owners decide.
  bool may_join = work.list->open || there != nullptr;
  if (!work.post.member.empty() && may_join) {
    directory::Directory::ListEdit edit = [&who](List& all) -> Status {
      auto& member = all.members[ascii_lowered(who)];
      if (member.address.empty()) member.address = who;
      member.mail = true;
      member.suspended.clear();
      member.bounces = 0;
      return {};
    };
    auto changed = co_await parts_.directory.change_list(list, std::move(edit));
    if (!changed) {
      done = co_await reply(std::move(work), who, "You could not be subscribed to " + list, changed.error().text + "\r\n");
      co_return done;
    }
    log::info("list.subscribed", {{"list", list}, {"member", who}, {"by", "mail"}});
    auto text = "You get the mailing list " + list + " from now on.\r\n\r\n" + help_text(list, *work.list);
    done = co_await reply(std::move(work), who, "You are subscribed to " + list, text);
  } else if (gets_it) {
    done = co_await reply(std::move(work), who, "You are subscribed to " + list, "You get the mailing list " + list + " already.\r\n");
  } else if (may_join) {
    done = co_await ask_for_token(std::move(work), ListRole::subscribe);
  } else {
    work.post.author = who;
    done = co_await ask_owners(std::move(work));
  }
  co_return done;
}

// Who is shown to have asked himself, by login, SPF, DKIM or the address that only he was told, is not asked again.
io::Task<ListKeeper::Done> ListKeeper::unsubscribe(Work work, std::string who) {
  const auto list = work.post.list;
  Done done;
  bool sure = work.post.known || !work.post.member.empty();
  bool there = work.list->member(who) != nullptr;
  if (!there && !sure) {
    log::info("list.request", {{"list", list}, {"from", who}, {"what", "nobody shows that he asked, and he is no member"}, {"action", "not answered"}});
    store::Delivery nothing;
    done = co_await commit(work, std::move(nothing));
    co_return done;
  }
  if (!there) {
    done = co_await reply(std::move(work), who, "You are not subscribed to " + list, who + " does not get the mailing list " + list + ".\r\n");
    co_return done;
  }
  if (!sure) {
    done = co_await ask_for_token(std::move(work), ListRole::unsubscribe);
    co_return done;
  }
  directory::Directory::ListEdit edit = [&who](List& all) -> Status {
    all.members.erase(ascii_lowered(who));
    return {};
  };
  auto changed = co_await parts_.directory.change_list(list, std::move(edit));
  if (!changed) {
    log::error("list.not_written", {{"list", list}, {"what", changed.error().text}, {"action", "tried again"}});
    done.due = parts_.clock.now() + 60s;
    co_return done;
  }
  log::info("list.unsubscribed", {{"list", list}, {"member", who}, {"by", "mail"}});
  done = co_await reply(std::move(work), who, "You are unsubscribed from " + list, "You get the mailing list " + list + " no more.\r\n");
  co_return done;
}

io::Task<ListKeeper::Done> ListKeeper::ask_for_token(Work work, ListRole role) {
  Done done;
  auto who = work.post.author;
  auto token = parts_.directory.list_address_for(work.post.list, role, who);
  if (!token) {
    done.failed = "no address could be made by which " + who + " confirms it";
    co_return done;
  }
  bool joins = role == ListRole::subscribe;
  auto what = std::string(joins ? "subscribed to" : "unsubscribed from") + " the mailing list\r\n" + work.post.list;
  auto text = "Somebody, probably you, asked that " + who + " is " + what + ".\r\n\r\n";
  text += "If you want that, answer this message, or write to\r\n\r\n  " + *token + "\r\n\r\nIf not, do nothing.\r\n";
  auto subject = std::string("Please confirm: ") + (joins ? "subscribe to " : "unsubscribe from ") + work.post.list;
  done = co_await reply(std::move(work), who, subject, text, *token);
  co_return done;
}

// The list is closed: its owners hear of the wish, and he that they did.
io::Task<ListKeeper::Done> ListKeeper::ask_owners(Work work) {
  const auto list = work.post.list;
  const auto who = work.post.author;
  store::Delivery delivery;
  bool answered = may_answer(work, who);   // or a stranger could fill their mailboxes
  auto text = who + " asks to be subscribed to " + list + ".\r\n\r\n" + (work.post.known ? "" : "Nothing shows that he asked himself.\r\n\r\n") +
              "If you want that, an administrator does it with\r\n\r\n  postern list subscribe " + list + " " + shell_word(who) + "\r\n";
  for (const auto& owner : work.list->owners) {
    if (answered) delivery.items.push_back(list_note(parts_.directory, list, owner, printable(who, 200) + " asks for " + list, text));
  }
  if (answered && work.post.known) {
    delivery.items.push_back(list_note(parts_.directory, list, who, "The owners of " + list + " were asked", "They decide who gets it.\r\n"));
  }
  log::info("list.asks", {{"list", list}, {"who", who}, {"told", answered ? "yes" : "no, too many"}});
  if (parts_.signer != nullptr) co_await parts_.signer->sign(delivery);
  auto done = co_await commit(work, std::move(delivery));
  co_return done;
}

// Counted once a day, so that a busy list loses nobody over an hour's trouble.  Whatever came lies in the first owner's
// mailbox Bounces: also what no program understands.
io::Task<ListKeeper::Done> ListKeeper::count_bounce(Work work) {
  auto kind = mail::bounce_of(work.record.view());
  auto today = to_unix(parts_.clock.now()) / kDay;
  const auto list = work.post.list;
  const auto who = work.post.member;
  Done done;
  bool suspended = false;
  const auto by = ", at last with " + work.entry->message_id;
  directory::Directory::ListEdit edit = [&](List& all) -> Status {
    auto found = all.members.find(ascii_lowered(who));
    if (found == all.members.end()) return {};
    auto& member = found->second;
    suspended = member.suspended.ends_with(by);   // tried again: the owners have not heard of it yet
    if (suspended || member.last_bounce == today) return {};
    if (today - member.last_bounce > kForgiven) member.bounces = 0;
    ++member.bounces;
    member.last_bounce = today;
    suspended = all.bounces != 0 && member.bounces >= all.bounces && member.gets_mail();
    if (suspended) member.suspended = "his mail came back on " + std::to_string(member.bounces) + " days" + by;
    return {};
  };
  if (kind == Bounce::failed) {
    auto changed = co_await parts_.directory.change_list(list, std::move(edit));
    if (!changed) {
      log::error("list.not_written", {{"list", list}, {"what", changed.error().text}, {"action", "tried again"}});
      done.due = parts_.clock.now() + 60s;
      co_return done;
    }
  }
  store::Delivery delivery;
  auto owner = parts_.store.account(work.list->owners.front());
  if (owner) {
    auto item = item_with(work.entry->message_id, work.record, work.entry->arrived);
    auto& target = item.targets.emplace_back();
    target.account = owner->id;
    target.mailbox = list_mailbox(*work.list, "Bounces");
    target.header_prefix = "Return-Path: <" + work.state.sender + ">\r\n" + work.entry->header_prefix;
    delivery.items.push_back(std::move(item));
  }
  if (suspended) {
    auto text = who + " gets nothing from " + list + " any more: mail to this address came back on\r\nas many days as the list bears (see its folder Bounces).\r\n\r\n" +
                "If it works again:\r\n\r\n  postern list subscribe " + list + " " + shell_word(who) + "\r\n";
    for (const auto& each : work.list->owners) delivery.items.push_back(list_note(parts_.directory, list, each, printable(who, 200) + " gets " + list + " no more", text));
  }
  log::info("list.bounce", {{"list", list}, {"member", who}, {"counts", kind == Bounce::failed ? "yes" : "no"}, {"suspended", suspended ? "yes" : "no"}});
  if (parts_.signer != nullptr) co_await parts_.signer->sign(delivery);
  done = co_await commit(work, std::move(delivery));
  co_return done;
}

}  // namespace postern::delivery
