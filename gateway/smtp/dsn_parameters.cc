// RET, ENVID, NOTIFY and ORCPT, RFC 3461 4: taken strictly, or what is passed on and reported would be rubbish.
#include "gateway/smtp/dsn_parameters.h"

#include <set>

#include "gateway/base/text.h"
#include "gateway/mail/dsn_request.h"

namespace postern::smtp {

bool take_dsn_parameter(const std::string& key, const std::string& value, Sender& sender, std::optional<Reply>& problem) {
  if (key == "RET") {
    if (!iequals(value, "FULL") && !iequals(value, "HDRS")) problem = reply::syntax("RET is FULL or HDRS");
    sender.ret = ascii_uppered(value);
    return true;
  }
  if (key != "ENVID") return false;
  if (auto sound = mail::check_envid(value); !sound) problem = reply::syntax(sound.error().text);
  sender.envid = value;
  return true;
}

std::optional<Reply> take_parameters(const PathArgument& argument, bool utf8, Recipient& recipient) {
  for (const auto& [key, value] : argument.params) {
    if (key == "NOTIFY") {
      auto notify = mail::parse_notify(value);
      if (!notify) return reply::syntax("NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY");
      recipient.notify = *notify;
    } else if (key == "ORCPT") {
      if (auto sound = mail::check_orcpt(value, utf8); !sound) return reply::syntax(sound.error().text);
      recipient.orcpt = value;
    } else {
      return Reply(555, "5.5.4", "Parameter " + printable(key, 40) + " is not known");
    }
  }
  return refuse_doubled(argument);
}

std::optional<Reply> refuse_doubled(const PathArgument& argument) {
  std::set<std::string_view> seen;
  for (const auto& [key, value] : argument.params) {
    if (!seen.insert(key).second) return reply::syntax("Parameter " + printable(key, 40) + " is given twice");
  }
  return std::nullopt;
}

}  // namespace postern::smtp
