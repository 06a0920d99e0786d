// The first password, without somebody else who knows it.
#include "gateway/directory/invitation.h"

#include "gateway/directory/passwords.h"

namespace postern::directory {
namespace {

constexpr std::size_t kMark = 8;

// Changes with the password; the address keeps a number that was given again from meaning somebody else.
std::string mark_of(const store::Account& account) { return sha256(account.address + "\n" + account.password_row).substr(0, kMark); }

}  // namespace

std::string invitation_token(const LinkTokens& tokens, const store::Account& account, Time expires) {
  std::string body = mark_of(account);
  add_number(body, account.id);
  return tokens.make(LinkPurpose::password, body, expires);
}

std::optional<store::Account> invited(const store::Store& store, std::string_view body) {
  if (body.size() <= kMark) return std::nullopt;
  auto mark = body.substr(0, kMark);
  body.remove_prefix(kMark);
  std::uint64_t id = 0;
  if (!take_number(body, id) || !body.empty()) return std::nullopt;
  auto account = store.account(store::AccountId{id});
  bool good = account && equal_in_constant_time(mark_of(*account), mark);
  return good ? account : std::nullopt;
}

}  // namespace postern::directory
