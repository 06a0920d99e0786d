// Messages of a backup come back into the store: the side that has it.
#include "gateway/admin/restore_session.h"

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "gateway/admin/conversation.h"
#include "gateway/backup/opened.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/directory/directory.h"
#include "gateway/store/rows.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::size_t kPage = 500;
constexpr std::uint64_t kMaxSlice = 1ULL << 30;   // octets of one slice
constexpr auto kBodyTime = 10min;

// One user's restore.
class Session {
 public:
  Session(Context& context, store::AccountId account) : context_(context), account_(account) {}

  // What lies anywhere but in folders of earlier restores.
  io::Task<Status> learn_present();
  io::Task<json> offer(json request);
  io::Task<json> place(io::Stream& stream, json request);
  std::size_t placed() const { return placed_; }

 private:
  io::Task<Status> learn(store::MailboxId mailbox, std::set<std::string>& into);
  io::Task<Result<std::set<std::string>*>> restored_in(std::string folder);

  Context& context_;
  store::AccountId account_;
  std::set<std::string> present_;
  std::map<std::string, std::set<std::string>> restored_;   // by folder: of earlier tries, and ours
  std::size_t placed_ = 0;
};

io::Task<Status> Session::learn(store::MailboxId mailbox, std::set<std::string>& into) {
  for (store::Uid from = 1;;) {
    auto rows = co_await context_.store->messages(mailbox, from, 0xffffffff, kPage);
    if (!rows) co_return rows.error();
    for (const auto& row : *rows) into.insert(backup::identity(row));
    if (rows->size() < kPage) co_return Status();
    from = rows->back().uid + 1;
  }
}

io::Task<Status> Session::learn_present() {
  for (const auto& box : context_.store->mailboxes(account_)) {
    if (box.name.starts_with(kRestoredPrefix)) continue;
    auto learnt = co_await learn(box.id, present_);
    if (!learnt) co_return learnt;
  }
  co_return Status();
}

io::Task<Result<std::set<std::string>*>> Session::restored_in(std::string folder) {
  auto found = restored_.find(folder);
  if (found != restored_.end()) co_return &found->second;
  std::set<std::string> there;
  if (auto box = context_.store->mailbox(account_, folder)) {
    auto learnt = co_await learn(box->id, there);
    if (!learnt) co_return learnt.error();
  }
  co_return &(restored_[folder] = std::move(there));
}

io::Task<json> Session::offer(json request) {
  auto folder = request.value("folder", "");
  auto restored = co_await restored_in(folder);
  if (!restored) co_return failure(restored.error().text);
  json want = json::array();
  const auto& identities = request.at("identities");
  for (std::size_t i = 0; i < identities.size(); ++i) {
    auto identity = identities[i].get<std::string>();
    if (!present_.contains(identity) && !(*restored)->contains(identity)) want.push_back(i);
  }
  co_return json{{"ok", true}, {"want", std::move(want)}};
}

// One message of a slice, but for its octets; nothing if it is none.
std::optional<store::Item> item_of(const json& message, store::AccountId account, const std::string& folder) {
  auto blob = from_base64(message.value("row", ""));
  auto stored = blob ? store::decode_message(*blob) : std::nullopt;
  if (!stored || stored->record_octets > kMaxSlice) return std::nullopt;
  store::Item item;
  item.id = stored->id;
  item.parts = std::move(stored->parts);
  item.envelope = std::move(stored->envelope);
  item.internal_date = Time(std::chrono::microseconds(stored->internal_date));
  auto& target = item.targets.emplace_back();
  target.account = account;
  target.mailbox = folder;
  target.header_prefix = std::move(stored->header_prefix);
  target.flags.system = message.value("flags", std::uint8_t{0});
  target.flags.keywords = message.value("keywords", std::vector<std::string>());
  target.held = std::move(stored->held);
  return item;
}

// All messages of the slice, or none.
io::Task<json> Session::place(io::Stream& stream, json request) {
  auto folder = request.value("folder", "");
  auto restored = co_await restored_in(folder);
  if (!restored) co_return failure(restored.error().text);
  store::Delivery delivery;
  std::vector<std::string> identities;
  for (const auto& message : request.at("messages")) {
    auto item = item_of(message, account_, folder);
    auto octets = message.value("octets", std::uint64_t{0});
    if (!item || octets > kMaxSlice) co_return failure("a message of the slice is not understood");
    auto record = co_await stream.read_exact(octets, in(kBodyTime));
    item->pieces.emplace_back(std::move(record));
    delivery.items.push_back(std::move(*item));
    identities.push_back(message.value("identity", ""));
  }
  auto count = delivery.items.size();
  auto delivered = co_await context_.store->deliver(std::move(delivery));
  if (!delivered.ok()) co_return failure(delivered.text);
  (*restored)->insert(identities.begin(), identities.end());
  placed_ += count;
  co_return json{{"ok", true}, {"placed", count}};
}

struct Found {
  store::AccountId account = 0;
  bool made = false;
};

// The user's account, made again without a password if he was removed.
io::Task<Result<Found>> account_for(Context& context, const std::string& address, const json& request) {
  Found out;
  if (auto there = context.store->account(address)) {
    out.account = there->id;
    co_return out;
  }
  store::Account account;
  account.address = address;
  account.groups = request.value("groups", std::vector<std::string>());
  account.created = Clock::system().now();
  auto created = co_await context.store->create_account(std::move(account));
  auto there = context.store->account(address);
  if (!there) co_return Error(address + ": " + created.text);
  log::info("user.changed", {{"command", "restore"}, {"user", address}});
  out.account = there->id;
  out.made = true;
  co_return out;
}

}  // namespace

io::Task<json> serve_restore(io::Stream& stream, Context& context, json request) {
  directory::Directory directory(*context.config, *context.store);
  auto address = directory.account_address(request.value("user", ""));
  if (!address) co_return failure(address.error().text);
  auto found = co_await account_for(context, *address, request);
  if (!found) co_return failure(found.error().text);
  Session session(context, found->account);
  if (!request.value("all", false)) {
    auto learnt = co_await session.learn_present();
    if (!learnt) co_return failure(learnt.error().text);
  }
  json begun{{"ok", true}, {"made", found->made}};
  co_await answer_with(stream, std::move(begun));
  for (;;) {
    auto next = co_await next_request(stream);
    if (!next.is_object()) co_return failure("the request is no JSON object");
    auto command = next.value("command", "");
    json answer;
    if (command == "restore done") {
      log::info("restore", {{"user", *address}, {"messages", std::to_string(session.placed())}, {"backup", request.value("backup", "")}});
      co_return json{{"ok", true}};
    }
    if (command == "restore offer") answer = co_await session.offer(std::move(next));
    else if (command == "restore messages") answer = co_await session.place(stream, std::move(next));
    else answer = failure("unknown command " + command);
    co_await answer_with(stream, std::move(answer));
  }
}

}  // namespace postern::admin
