// Leaving a mailing list without a login.
#include "gateway/directory/unsubscribe.h"

namespace postern::directory {

std::optional<std::string> unsubscribe_token(const LinkTokens& tokens, const Membership& membership, Time expires) {
  auto body = membership.list + '\n' + membership.member;   // no address has a line end
  bool sound = body.size() <= LinkTokens::kMostBody && body.find('\n', membership.list.size() + 1) == std::string::npos;
  if (!sound || membership.list.find('\n') != std::string::npos) return std::nullopt;
  return tokens.make(LinkPurpose::unsubscribe, body, expires);
}

std::optional<Membership> membership_in(std::string_view body) {
  auto end = body.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  return Membership{std::string(body.substr(0, end)), std::string(body.substr(end + 1))};
}

}  // namespace postern::directory
