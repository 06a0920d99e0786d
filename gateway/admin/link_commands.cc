// What users get from us to click on, at the administrator's word.
#include "gateway/admin/link_commands.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/config/config.h"
#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/digest.h"
#include "gateway/delivery/invitation_mail.h"
#include "gateway/delivery/own_mail.h"
#include "gateway/delivery/release.h"
#include "gateway/directory/directory.h"
#include "gateway/directory/invitation.h"
#include "gateway/directory/link_keys.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;

constexpr auto kInvitation = std::chrono::hours(7 * 24);

// Those of the server, or, without one, of the store.  `own` must live as long as they are used.
io::Task<Result<const directory::LinkKeys*>> keys_of(Context& context, directory::LinkKeys& own) {
  if (context.link_keys != nullptr) co_return context.link_keys;
  auto prepared = co_await own.prepare(*context.store);
  if (!prepared) co_return prepared.error();
  co_return &own;
}

// The account, made for his quarantine where his mail goes on.
io::Task<Result<store::Account>> account_to_invite(Context& context, std::string address) {
  if (auto there = context.store->account(address)) co_return *there;
  auto resolved = context.directory->resolve(address);
  using Kind = directory::Resolution::Kind;
  if (resolved.kind == Kind::alias) co_return Error(address + " is an alias and has no password");
  if (resolved.kind != Kind::onward) co_return Error(address + ": no such user; `postern user add` makes one");
  auto made = co_await delivery::quarantine_account(*context.store, address);
  auto account = made != 0 ? context.store->account(made) : std::nullopt;
  if (!account) co_return Error(address + ": the account cannot be made now; see the log");
  co_await delivery::make_release_folder(*context.store, account->id);
  co_return *account;
}

// Who has no password cannot read what lies here.
std::string why_not_to(const Context& context, const store::Account& account, const std::string& to) {
  auto resolved = context.directory->resolve(to);
  using Kind = directory::Resolution::Kind;
  if (resolved.found() && resolved.account == account.id) return to + " is the mailbox that the password opens: name another with --to, or hand over the link yourself";
  bool reachable = resolved.found() || resolved.kind == Kind::alias || resolved.kind == Kind::onward || resolved.kind == Kind::not_ours;
  return reachable ? "" : to + " is no address that mail can be sent to";
}

io::Task<Status> send(Context& context, const store::Account& account, std::string to, std::string link, Time expires) {
  if (context.deliverer == nullptr) co_return Error("no server runs, so nothing can be sent; without --send the link is printed");
  auto problem = why_not_to(context, account, to);
  if (!problem.empty()) co_return Error(problem);
  delivery::InvitationMail mail;
  mail.id = new_id();
  mail.user = account.address;
  mail.to = to;
  mail.link = std::move(link);
  mail.hostname = context.config->hostname;
  mail.language = context.config->language_of(account.address);
  mail.when = Clock::system().now();
  mail.valid_until = expires;
  store::Delivery delivery;
  delivery.items.push_back(delivery::own_item(*context.directory, mail.id, Octets(delivery::invitation_message(mail)), mail.when, to, !is_ascii(to)));
  auto sent = co_await context.deliverer->send_own(std::move(delivery));
  if (!sent.ok()) co_return Error(sent.text);
  co_return Status();
}

}  // namespace

io::Task<json> run_digest_command(Context& context, json request) {
  auto address = context.directory->account_address(request.value("user", ""));
  if (!address) co_return failure(address.error().text);
  auto account = context.store->account(*address);
  if (!account) co_return failure(*address + ": no such user");
  if (request.value("now", false)) {
    if (context.digests == nullptr) co_return failure("no server runs, so nothing can be sent");
    auto sent = co_await context.digests->send_now(*account);
    if (!sent) co_return failure(sent.error().text);
    co_return json{{"ok", true}, {"user", *address}, {"new", *sent}, {"sent", *sent > 0}};
  }
  directory::LinkKeys own;
  auto keys = co_await keys_of(context, own);
  if (!keys) co_return failure(keys.error().text);
  delivery::Digests digests({*context.store, *context.directory, nullptr, **keys, *context.config});
  auto prepared = co_await digests.prepare(*account);
  if (!prepared) co_return failure(prepared.error().text);
  const auto& mail = prepared->mail;
  auto count = mail.lines.size() + mail.more;
  log::info("quarantine.access", {{"user", *address}, {"messages", std::to_string(count)}, {"command", "digest"}, {"by", "administrator"}});
  json answer{{"ok", true}, {"user", *address}, {"new", count}};
  answer["text"] = count > 0 ? delivery::digest_text(mail) : "";
  co_return answer;
}

io::Task<json> run_invite_command(Context& context, json request) {
  const auto& config = *context.config;
  if (config.public_url.empty()) co_return failure("there are no links: set public_url and links in [listen], see postern.toml(5)");
  auto address = context.directory->account_address(request.value("address", ""));
  if (!address) co_return failure(address.error().text);
  auto account = co_await account_to_invite(context, *address);
  if (!account) co_return failure(account.error().text);
  directory::LinkKeys own;
  auto keys = co_await keys_of(context, own);
  if (!keys) co_return failure(keys.error().text);
  auto expires = Clock::system().now() + kInvitation;
  auto link = config.public_url + "/password/" + directory::invitation_token(*(*keys)->current(), *account, expires);
  std::string to = request.value("to", "");
  bool sending = request.value("send", false) || !to.empty();
  if (to.empty()) to = *address;
  if (sending) {
    auto sent = co_await send(context, *account, to, link, expires);
    if (!sent) co_return failure(*address + ": " + sent.error().text);
  }
  log::info("user.invited", {{"user", *address}, {"sent_to", sending ? to : ""}});
  json answer{{"ok", true}, {"user", *address}, {"expires", rfc3339(expires)}};
  if (sending) answer["sent_to"] = to;
  else answer["link"] = link;
  co_return answer;
}

}  // namespace postern::admin
