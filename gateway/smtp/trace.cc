// What a session writes into the trace of its own: refusals, which no message's trace tells.
#include <algorithm>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/delivery/link_release.h"
#include "gateway/delivery/trace_log.h"
#include "gateway/smtp/session.h"

namespace postern::smtp {
namespace {

constexpr std::uint64_t kMostTraced = 20;   // refusals of a session; then every power of two

// What releases something is a secret, whatever became of it here.
std::string without_token(std::string text, std::string_view address) {
  auto token = delivery::token_in_local_part(address.substr(0, address.rfind('@')));
  if (!token) return text;
  for (auto at = ifind(text, *token); at != std::string::npos; at = ifind(text, *token, at)) text.replace(at, token->size(), "*");
  return text;
}

bool is_traced(std::uint64_t nth) { return nth <= kMostTraced || (nth & (nth - 1)) == 0; }

}  // namespace

// `postern why` finds the session by it.
Reply Session::with_id(const Reply& answer) const { return answer.with_text(answer.text() + " (id " + client_.session + ")"); }

config::Language Session::language_for(std::string_view recipient) const {
  return settings_->language_of(recipient);
}

bool Session::may_say_utf8() const { return transaction_ && transaction_->sender.smtputf8; }

void Session::trace_refused(std::string_view stage, const Reply& answer, const std::string& asked_for) {
  auto said = without_token(std::to_string(answer.code()) + " " + answer.text(), asked_for_);
  auto recipient = without_token(asked_for, asked_for_);
  auto decided = std::exchange(refusal_, std::nullopt);
  if (services_.trace == nullptr || !is_traced(++refusals_)) return;
  const auto& who = origin();
  store::TraceEvent event;
  event.kind = "refused";
  event.fields = {{"stage", std::string(stage)}, {"reply", said}};
  auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) event.fields.emplace_back(name, value);
  };
  add("to", recipient);
  bool at_mail = stage == "mail";
  auto sender = at_mail ? asked_for_ : transaction_ ? transaction_->sender.address : std::string();
  if (at_mail || transaction_) event.fields.emplace_back("from", sender);
  if (transaction_) add("message", transaction_->id);
  add("helo", who.helo);
  add("ip", who.ip.to_string());
  add("login", who.login);
  if (decided) {
    add("rule", decided->rule);
    add("at", decided->at);
    add("why", decided->why);
  }
  if (refusals_ > kMostTraced) event.fields.emplace_back("so_far", std::to_string(refusals_));
  traced_.id = client_.session;
  traced_.session = true;
  traced_.ip = who.ip;
  traced_.login = who.login;
  traced_.verdict = "refused";
  traced_.reply = std::move(said);
  if (!sender.empty()) traced_.sender = sender;
  auto& all = traced_.recipients;
  bool known = recipient.empty() || std::any_of(all.begin(), all.end(), [&](const std::string& each) { return iequals(each, recipient); });
  if (!known && all.size() < 2 * kMostTraced) all.push_back(recipient);
  traced_.all_recipients = all.size();
  services_.trace->refused(traced_, std::move(event));
}

}  // namespace postern::smtp
