// MAIL FROM, RFC 5321 4.1.1.2, with SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET and ENVID (RFC 3461).
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/smtp/dsn_parameters.h"
#include "gateway/smtp/session.h"

namespace postern::smtp {
namespace {

// Fills `sender` from the parameters; a reply says what is wrong with them.
std::optional<Reply> take_parameters(const PathArgument& argument, std::uint64_t max_size, bool submission, Sender& sender) {
  std::optional<Reply> problem;
  for (const auto& [key, value] : argument.params) {
    if (key == "SIZE") {
      auto size = parse_number(value);
      if (!size) return reply::syntax("SIZE needs a number of octets");
      if (*size > max_size) return reply::too_big();
      sender.declared_size = *size;
    } else if (key == "BODY") {
      if (!iequals(value, "7BIT") && !iequals(value, "8BITMIME")) return reply::syntax("BODY is 7BIT or 8BITMIME");
      sender.eight_bit = iequals(value, "8BITMIME");
    } else if (key == "SMTPUTF8" && value.empty()) {
      sender.smtputf8 = true;
    } else if (key == "AUTH" && submission) {
      // RFC 4954 5: whose the message is, by a client that we would believe.  We believe the login.
      if (!decode_xtext(value)) return reply::syntax("AUTH needs an address in xtext");
    } else if (take_dsn_parameter(key, value, sender, problem)) {
      if (problem) return problem;
    } else {
      return Reply(555, "5.5.4", "Parameter " + printable(key, 40) + " is not known");
    }
  }
  return refuse_doubled(argument);
}

}  // namespace

io::Task<Reply> Session::cmd_mail(std::string argument) {
  if (client_.helo.empty()) co_return reply::bad_sequence("EHLO first");
  if (transaction_) co_return reply::bad_sequence("A message is under way; RSET drops it");
  if (is_submission() && !account_) co_return reply::log_in_first();
  auto parsed = parse_path_argument(argument, mail::PathKind::reverse);
  if (!parsed) co_return Reply(501, "5.1.7", parsed.error().text);
  Sender sender;
  asked_for_ = parsed->path.text();
  auto problem = take_parameters(*parsed, settings_->max_size, is_submission(), sender);
  if (problem) co_return *problem;
  if (parsed->needs_utf8 && !sender.smtputf8) co_return Reply(553, "5.6.7", "Such an address needs SMTPUTF8");
  sender.address = parsed->path.text();
  if (account_) {
    auto foreign = refuse_sender(parsed->path);
    if (foreign) co_return *foreign;
  }
  if (!examination_) {
    auto door = co_await examine_anew();
    if (door.refuses()) {
      examination_.reset();
      co_return refused_by_rule(Stage::connect, door);
    }
  }
  auto decision = co_await examination_->on_mail(origin(), sender);
  if (decision.refuses()) co_return refused_by_rule(Stage::mail, decision);
  transaction_.emplace();
  transaction_->id = new_id();
  transaction_->sender = std::move(sender);
  co_return Reply(250, "2.1.0", "Sender OK");
}

}  // namespace postern::smtp
