// RCPT TO, RFC 5321 4.1.1.3, with NOTIFY and ORCPT (RFC 3461): a recipient is known or refused here, never accepted and bounced later.
#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/ldap_check.h"
#include "gateway/delivery/recipient_check.h"
#include "gateway/delivery/route.h"
#include "gateway/directory/directory.h"
#include "gateway/smtp/dsn_parameters.h"
#include "gateway/smtp/sentences.h"
#include "gateway/smtp/session.h"

namespace postern::smtp {
namespace {

constexpr std::size_t kMostInAll = 10'000;   // to whom the aliases of one message may lead, if so many RCPT are not allowed anyway

// What the directory's answer means to the client; nothing: the recipient is known.
std::optional<Reply> refusal(directory::Resolution::Kind kind, const std::string& address, config::Language language, bool utf8) {
  using Kind = directory::Resolution::Kind;
  auto says = [&](Sentence which) { return "<" + printable(address, 100) + ">: " + sentence(which, language, utf8); };
  switch (kind) {
    case Kind::account:
    case Kind::alias:
    case Kind::list:
    case Kind::returned:
    case Kind::onward: return std::nullopt;
    case Kind::forged: return Reply(550, "5.7.1", says(Sentence::forged));
    case Kind::expired: return Reply(550, "5.7.1", says(Sentence::expired));
    case Kind::unknown_user: return Reply(550, "5.1.1", says(Sentence::no_such_user));
    case Kind::not_ours: return Reply(550, "5.7.1", says(Sentence::relaying_denied));
    case Kind::malformed: return Reply(553, "5.1.3", says(Sentence::bad_address));
    case Kind::unavailable: return Reply(451, "4.3.0", says(Sentence::not_now));
  }
  return Reply(451, "4.3.0", sentence(Sentence::try_later, language, utf8));
}

// ORCPT for an address that had none and leads to others, RFC 3461 4.2; "" for one that is no ASCII.
std::string orcpt_of(std::string_view address) {
  if (!is_ascii(address)) return "";
  std::string out = "rfc822;";
  for (char c : address) {
    if (c > ' ' && c <= '~' && c != '+' && c != '=') out += c;
    else out += "+" + ascii_uppered(hex(std::string_view(&c, 1)));
  }
  return out;
}

}  // namespace

// What an address of a mailing list never takes, whatever the message is.
std::optional<Reply> Session::refuse_for_list(const directory::Resolution& list, const std::string& address) const {
  using directory::ListRole;
  bool null_sender = transaction_->sender.address.empty();
  auto shown = "<" + printable(address, 100) + ">: ";
  bool takes_bounces = list.list_role == ListRole::owner || list.list_role == ListRole::bounces;
  if (null_sender && !takes_bounces) return Reply(550, "5.7.1", shown + sentence(Sentence::list_takes_no_bounces, language_for(address), may_say_utf8()));
  bool takes_them_only = list.list_role == ListRole::bounces && !list.original.empty();
  if (!null_sender && takes_them_only) return Reply(550, "5.7.1", shown + sentence(Sentence::bounces_only, language_for(address), may_say_utf8()));
  return std::nullopt;
}

// Everybody who gets what is sent to an account, an alias, or an address that we made for bounces; or why nobody can.
std::optional<Reply> Session::find_all(const directory::Resolution& resolved, const Recipient& given, std::vector<Recipient>& all) const {
  using Kind = directory::Resolution::Kind;
  auto expansion = services_.directory->expand(resolved, given.address);
  for (auto& target : expansion.targets) {
    Recipient recipient = given;
    recipient.account = target.account_address;
    if (target.address != given.address) {
      recipient.address = std::move(target.address);
      recipient.given = given.address;
    }
    recipient.forward = std::move(target.forward);
    recipient.keep = target.keep;
    // Of all addresses the sender knows only this one.
    bool leads_on = !recipient.given.empty() || !recipient.forward.empty();
    if (leads_on && recipient.orcpt.empty()) recipient.orcpt = orcpt_of(given.address);
    recipient.groups.clear();
    if (target.kind == Kind::list) {
      if (services_.routes == nullptr) return Reply(451, "4.3.0", "Try again later");
      all.push_back(std::move(recipient));
      continue;
    }
    auto account = target.kind != Kind::not_ours ? services_.directory->account(recipient.account) : std::nullopt;
    if (account) {
      recipient.groups = account->groups;
      recipient.senders = services_.directory->senders(account->id);
    }
    if (target.kind == Kind::account) {
      if (!account) continue;
    } else {
      if (services_.routes == nullptr) return Reply(451, "4.3.0", "Try again later");
      recipient.onward = std::move(target.domain);
      recipient.sent_by = std::move(target.sent_by);
      recipient.confirmed = recipient.sent_by.empty();   // the administrator has named him
    }
    all.push_back(std::move(recipient));
  }
  if (!all.empty() && !expansion.cut) return std::nullopt;
  log::error("smtp.recipient", {{"to", given.address}, {"what", all.empty() ? "it leads to nobody" : "it leads to too many"}, {"action", "defer"}});
  return refusal(Kind::unavailable, given.address, language_for(given.address), may_say_utf8());
}

// The recipient of a domain whose mail goes on, or why he is refused now.
io::Task<std::optional<Reply>> Session::find_onward(const directory::Resolution& resolved, Recipient& recipient) {
  using Kind = delivery::RecipientAnswer::Kind;
  auto relay = services_.routes != nullptr ? services_.routes->relay(resolved.domain) : std::nullopt;
  if (!relay) co_return Reply(451, "4.3.0", "Try again later");   // a reload came between
  delivery::RecipientAnswer answer;
  auto directory = relay->ask_ldap && services_.directories != nullptr ? services_.directories->of_domain(resolved.domain) : nullptr;
  if (directory != nullptr) {
    // A directory knows people, not their tags.
    auto whom = resolved.account != 0 ? "postmaster@" + resolved.domain : resolved.account_address;
    answer = co_await services_.ldap_recipients->ask(std::move(directory), std::move(whom));
  } else if (relay->ask_recipients && !relay->ask_ldap) {
    auto route = services_.routes->find(resolved.domain);
    auto local = recipient.address.substr(0, recipient.address.rfind('@'));
    answer = co_await services_.recipients->ask(std::move(route), local + "@" + resolved.domain);
  }
  recipient.confirmed = answer.kind == Kind::known;
  recipient.onward = resolved.domain;
  recipient.account = resolved.account_address;
  if (recipient.confirmed || !relay->ask_recipients) co_return std::nullopt;
  auto shown = "<" + printable(recipient.address, 100) + ">";
  log::info("smtp.recipient", {{"session", client_.session}, {"to", recipient.address}, {"known", answer.kind == Kind::unknown ? "no" : "unsure"},
                               {"words", answer.words}});
  if (resolved.account != 0) {   // RFC 5321 4.5.1: postmaster is taken, by us if nobody else does
    recipient.onward.clear();
    recipient.confirmed = true;
    co_return std::nullopt;
  }
  auto language = language_for(recipient.address);
  if (answer.kind == Kind::unknown) co_return Reply(550, "5.1.1", shown + ": " + sentence(Sentence::no_such_user, language, may_say_utf8()));
  if (relay->queue_when_down) co_return std::nullopt;
  auto which = relay->ask_ldap ? Sentence::directory_not_asked : Sentence::host_not_asked;
  co_return Reply(450, "4.4.1", shown + ": " + sentence(which, language, may_say_utf8()));
}

io::Task<Reply> Session::cmd_rcpt(std::string argument) {
  if (!transaction_) co_return reply::bad_sequence("MAIL first");
  if (transaction_->draft) co_return reply::bad_sequence("The message has begun");
  auto parsed = parse_path_argument(argument, mail::PathKind::forward);
  if (!parsed) co_return Reply(501, "5.1.3", parsed.error().text);
  asked_for_ = parsed->path.text();
  Recipient recipient;
  auto problem = take_parameters(*parsed, transaction_->sender.smtputf8, recipient);
  if (problem) co_return *problem;
  if (parsed->needs_utf8 && !transaction_->sender.smtputf8) co_return Reply(553, "5.6.7", "Such an address needs SMTPUTF8");
  auto limit = settings_->recipients_per_message;
  // RFC 5321 4.5.3.1.10: who names too many hears 452 for the rest, but not without end.
  if (too_many(transaction_->rcpt_commands++, 10 * limit)) co_return reply::too_many_commands();
  if (limit != 0 && transaction_->accepted.size() >= limit) co_return Reply(452, "4.5.3", "Too many recipients");
  if (names_release(parsed->path)) co_return rcpt_release(parsed->path);
  auto address = parsed->path.text();
  auto resolved = services_.directory->resolve(parsed->path.local, parsed->path.domain);
  // A server or a user of ours may send to the world through us.
  bool may_relay = (client_.trusted && !is_lmtp()) || account_;
  bool out = resolved.kind == directory::Resolution::Kind::not_ours && may_relay && services_.routes != nullptr;
  auto refused = out ? std::nullopt : refusal(resolved.kind, address, language_for(address), may_say_utf8());
  if (out && account_) refused = refuse_suppressed(address);
  // Only what is nobody's mail may use it: else it would be a way through us for whoever has seen one.
  if (resolved.kind == directory::Resolution::Kind::returned && !transaction_->sender.address.empty()) {
    refused = Reply(550, "5.7.1", "<" + printable(address, 100) + ">: " + sentence(Sentence::bounces_only, language_for(address), may_say_utf8()));
  }
  if (!refused && resolved.kind == directory::Resolution::Kind::list) refused = refuse_for_list(resolved, address);
  if (refused) {
    ++services_.counters->recipients_refused;
    co_return *refused;
  }
  auto& taken = transaction_->accepted;
  bool known = std::find(taken.begin(), taken.end(), address) != taken.end();
  if (known) {   // one copy, judged once
    if (is_lmtp()) taken.push_back(std::move(address));
    co_return Reply(250, "2.1.5", "Recipient OK");
  }
  if (is_counted() && !services_.limits->recipient(client_.ip)) {
    auto language = language_for(address);
    co_return Reply(451, "4.7.1", sentence(Sentence::too_many_lately, language, may_say_utf8()) + " " + client_.ip.to_string() + ", " +
                                      sentence(Sentence::and_try_later, language, may_say_utf8()));
  }
  recipient.address = std::move(address);
  std::vector<Recipient> all;
  if (resolved.kind == directory::Resolution::Kind::onward && !resolved.has_own_hosts()) {
    auto unfit = co_await find_onward(resolved, recipient);
    if (unfit) {
      if (unfit->code() == 550) ++services_.counters->recipients_refused;
      co_return *unfit;
    }
  } else if (out) {
    recipient.onward = resolved.domain;
    recipient.account = recipient.address;
    recipient.confirmed = false;
  } else {
    recipient.account = resolved.account_address;
    auto nobody = find_all(resolved, recipient, all);
    if (nobody) co_return *nobody;
  }
  if (transaction_->recipients.size() + all.size() > std::max<std::size_t>(kMostInAll, limit) && !taken.empty()) {
    co_return Reply(452, "4.5.3", "Too many recipients");
  }
  auto account = services_.directory->account(recipient.account);
  if (all.empty() && !account && recipient.onward.empty()) co_return Reply(451, "4.3.0", "Try again later");
  if (account) {
    recipient.groups = account->groups;
    recipient.senders = services_.directory->senders(account->id);
  }
  if (all.empty()) all.push_back(recipient);
  auto decision = co_await examination_->on_rcpt(origin(), recipient);
  if (decision.action == Action::reject) ++services_.counters->recipients_refused;
  if (decision.refuses()) co_return refused_by_rule(Stage::rcpt, decision, recipient.address);
  taken.push_back(std::move(recipient.address));
  for (auto& each : all) {   // each is judged by his own measure
    if (transaction_->reached.insert(each.address).second) transaction_->recipients.push_back(std::move(each));
  }
  co_return Reply(250, "2.1.5", "Recipient OK");
}

}  // namespace postern::smtp
