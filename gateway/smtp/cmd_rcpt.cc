// RCPT TO, RFC 5321 4.1.1.3: a recipient is known or refused here, never accepted and bounced later.
#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/recipient_check.h"
#include "gateway/delivery/route.h"
#include "gateway/directory/directory.h"
#include "gateway/smtp/session.h"

namespace postern::smtp {
namespace {

// What the directory's answer means to the client; nothing: the recipient is known.
std::optional<Reply> refusal(directory::Resolution::Kind kind, const std::string& address) {
  using Kind = directory::Resolution::Kind;
  auto shown = "<" + printable(address, 100) + ">";
  switch (kind) {
    case Kind::account:
    case Kind::onward: return std::nullopt;
    case Kind::unknown_user: return Reply(550, "5.1.1", shown + ": no such user here");
    case Kind::not_ours: return Reply(550, "5.7.1", shown + ": relaying denied");
    case Kind::malformed: return Reply(553, "5.1.3", shown + ": not a valid address");
    case Kind::unavailable: return Reply(451, "4.3.0", shown + ": nobody takes this mail now, try again later");
  }
  return Reply(451, "4.3.0", "Try again later");
}

}  // namespace

// The recipient of a domain whose mail goes on, or why he is refused now.
io::Task<std::optional<Reply>> Session::find_onward(const directory::Resolution& resolved, Recipient& recipient) {
  using Kind = delivery::RecipientAnswer::Kind;
  auto relay = services_.routes != nullptr ? services_.routes->relay(resolved.domain) : std::nullopt;
  if (!relay) co_return Reply(451, "4.3.0", "Try again later");   // a reload came between
  delivery::RecipientAnswer answer;
  if (relay->ask_recipients) {
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
  if (answer.kind == Kind::unknown) co_return Reply(550, "5.1.1", shown + ": no such user here");
  if (relay->queue_when_down) co_return std::nullopt;
  co_return Reply(450, "4.4.1", shown + ": the server of this domain cannot be asked now, try again later");
}

io::Task<Reply> Session::cmd_rcpt(std::string argument) {
  if (!transaction_) co_return reply::bad_sequence("MAIL first");
  if (transaction_->draft) co_return reply::bad_sequence("The message has begun");
  auto parsed = parse_path_argument(argument, mail::PathKind::forward);
  if (!parsed) co_return Reply(501, "5.1.3", parsed.error().text);
  if (!parsed->params.empty()) {
    co_return Reply(555, "5.5.4", "Parameter " + printable(parsed->params.front().first, 40) + " is not known");
  }
  if (parsed->needs_utf8 && !transaction_->sender.smtputf8) co_return Reply(553, "5.6.7", "Such an address needs SMTPUTF8");
  auto limit = settings_->recipients_per_message;
  // RFC 5321 4.5.3.1.10: who names too many hears 452 for the rest, but not without end.
  if (too_many(transaction_->rcpt_commands++, 10 * limit)) co_return reply::too_many_commands();
  if (limit != 0 && std::max(transaction_->recipients.size(), transaction_->accepted.size()) >= limit) co_return Reply(452, "4.5.3", "Too many recipients");
  auto address = parsed->path.text();
  auto resolved = services_.directory->resolve(parsed->path.local, parsed->path.domain);
  // A server of ours may send to the world through us.
  bool out = resolved.kind == directory::Resolution::Kind::not_ours && client_.trusted && !is_lmtp() && services_.routes != nullptr;
  auto refused = out ? std::nullopt : refusal(resolved.kind, address);
  if (refused) {
    ++services_.counters->recipients_refused;
    co_return *refused;
  }
  bool known = std::any_of(transaction_->recipients.begin(), transaction_->recipients.end(),
                           [&](const Recipient& other) { return other.address == address; });
  if (known) {   // one copy, judged once
    if (is_lmtp()) transaction_->accepted.push_back(std::move(address));
    co_return Reply(250, "2.1.5", "Recipient OK");
  }
  if (is_counted() && !services_.limits->recipient(client_.ip)) {
    co_return Reply(451, "4.7.1", "Too many recipients lately from " + client_.ip.to_string() + ", try again later");
  }
  Recipient recipient;
  recipient.address = std::move(address);
  if (resolved.kind == directory::Resolution::Kind::onward) {
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
  }
  auto account = services_.directory->account(recipient.account);
  if (!account && recipient.onward.empty()) co_return Reply(451, "4.3.0", "Try again later");
  if (account) {
    recipient.groups = account->groups;
    recipient.senders = services_.directory->senders(account->id);
  }
  auto decision = co_await examination_->on_rcpt(origin(), recipient);
  if (decision.action == Action::reject) ++services_.counters->recipients_refused;
  if (decision.refuses()) co_return refused_by_rule(Stage::rcpt, decision);
  if (is_lmtp()) transaction_->accepted.push_back(recipient.address);
  transaction_->recipients.push_back(std::move(recipient));
  co_return Reply(250, "2.1.5", "Recipient OK");
}

}  // namespace postern::smtp
