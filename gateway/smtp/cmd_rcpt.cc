// RCPT TO, RFC 5321 4.1.1.3: a recipient is known or refused here, never accepted and bounced later.
#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/directory/directory.h"
#include "gateway/smtp/session.h"

namespace postern::smtp {
namespace {

// What the directory's answer means to the client; nothing: the recipient is known.
std::optional<Reply> refusal(directory::Resolution::Kind kind, const std::string& address) {
  using Kind = directory::Resolution::Kind;
  auto shown = "<" + printable(address, 100) + ">";
  switch (kind) {
    case Kind::account: return std::nullopt;
    case Kind::unknown_user: return Reply(550, "5.1.1", shown + ": no such user here");
    case Kind::not_ours: return Reply(550, "5.7.1", shown + ": relaying denied");
    case Kind::malformed: return Reply(553, "5.1.3", shown + ": not a valid address");
    case Kind::unavailable: return Reply(451, "4.3.0", shown + ": nobody takes this mail now, try again later");
  }
  return Reply(451, "4.3.0", "Try again later");
}

}  // namespace

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
  auto refused = refusal(resolved.kind, address);
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
  auto account = services_.directory->account(resolved.account_address);
  if (!account) co_return Reply(451, "4.3.0", "Try again later");
  Recipient recipient;
  recipient.address = std::move(address);
  recipient.account = account->address;
  recipient.groups = account->groups;
  auto decision = co_await examination_->on_rcpt(origin(), recipient);
  if (decision.action == Action::reject) ++services_.counters->recipients_refused;
  if (decision.refuses()) co_return refused_by_rule(Stage::rcpt, decision);
  if (is_lmtp()) transaction_->accepted.push_back(recipient.address);
  transaction_->recipients.push_back(std::move(recipient));
  co_return Reply(250, "2.1.5", "Recipient OK");
}

}  // namespace postern::smtp
