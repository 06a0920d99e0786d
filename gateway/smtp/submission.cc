// What a submission server asks of a message and adds to it, RFC 6409 6 and 8.
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/abuse.h"
#include "gateway/delivery/send_ledger.h"
#include "gateway/directory/directory.h"
#include "gateway/mail/submitted.h"
#include "gateway/smtp/session.h"

namespace postern::smtp {
namespace {

std::string may_not(const std::string& address, const std::string& login) {
  return printable(login, 100) + " may not send as <" + printable(address, 100) + ">";
}

}  // namespace

// RFC 5248: X.7.13 is a user whose account is disabled, 525 its code at AUTH.  Not 535: his mail program would ask him for
// another password.
std::optional<Reply> Session::refuse_stopped(store::AccountId account, int code) const {
  auto stop = services_.ledger == nullptr ? std::nullopt : services_.ledger->stopped(account);
  if (!stop) return std::nullopt;
  return Reply(code, "5.7.13", "Sending is stopped for this account: " + stop->reason + "; ask your administrator");
}

// At MAIL.  The null reverse-path is for what mail programs report of their own, such as "your message was read"
// (RFC 8098 2.1); its From is looked at like any other.
std::optional<Reply> Session::refuse_sender(const mail::Path& sender) const {
  if (!services_.directory->account(account_->address)) return Reply(550, "5.7.13", "This account was removed");
  auto stopped = refuse_stopped(account_->id, 550);   // while he was logged in
  if (stopped) return stopped;
  if (sender.is_null() || services_.directory->may_send_as(*account_, sender.text())) return std::nullopt;
  return Reply(553, "5.7.1", may_not(sender.text(), account_->address));
}

// At RCPT, for an address elsewhere.
std::optional<Reply> Session::refuse_suppressed(const std::string& address) const {
  using Cause = delivery::Suppression::Cause;
  auto found = services_.abuse == nullptr ? std::nullopt : services_.abuse->suppressed(account_->id, address);
  if (!found) return std::nullopt;
  services_.abuse->count_refused();
  auto day = rfc3339(found->since).substr(0, 10);
  auto said = found->words.empty() ? std::string() : ": " + printable(found->words, 200);
  auto shown = "<" + printable(address, 100) + ">: ";
  auto lift = "; your administrator can lift this (postern suppression remove)";
  log::info("submission.suppressed", {{"session", client_.session}, {"login", account_->address}, {"to", address}, {"cause", std::string(name(found->cause))}});
  switch (found->cause) {
    case Cause::bounces: return Reply(550, "5.1.1", shown + "no such address there since " + day + ", it bounced again and again" + said + lift);
    case Cause::complaint: return Reply(550, "5.7.1", shown + "wants no more mail of yours since " + day + said + lift);
    case Cause::administrator: return Reply(550, "5.7.1", shown + "mail there is not sent since " + day + said + lift);
  }
  return std::nullopt;
}

// At the end of the body: who claims to have written it must be the login, or everybody in the house could write in the
// director's name.  What is missing is added to the message itself, so that it is judged, signed and stored with it.
std::optional<Reply> Session::complete_submitted(Octets& message) const {
  auto found = mail::inspect_submitted(message.view());
  if (!found.problem.empty()) return Reply(554, "5.6.0", found.problem);
  for (const auto& author : found.authors) {
    if (!services_.directory->may_send_as(*account_, author)) return Reply(550, "5.7.1", may_not(author, account_->address) + " in its header");
  }
  auto fields = mail::missing_fields(found, transaction_->id, settings_->hostname, Clock::system().now());
  if (fields.empty()) return std::nullopt;
  io::Draft whole(settings_->draft_directory);
  auto written = whole.append(fields);
  if (written) written = whole.append(message.view());
  auto finished = written ? whole.finish() : Result<Octets>(written.error());
  if (!finished) {
    log::error("smtp.draft", {{"session", client_.session}, {"what", finished.error().text}});
    return reply::no_space();
  }
  message = std::move(*finished);
  return std::nullopt;
}

}  // namespace postern::smtp
