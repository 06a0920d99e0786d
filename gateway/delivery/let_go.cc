// An administrator decides on what was held on its way out.
#include "gateway/delivery/let_go.h"

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/outgoing.h"
#include "gateway/store/names.h"

namespace postern::delivery {
namespace {

constexpr std::size_t kPage = 50;   // a row can have hundreds of KiB
constexpr store::Uid kLast = 0xffffffffU;

// Written in one commit with what is sent, and erased when the held message is.
std::string mark_key(const store::MessageRow& row) { return "let-go:" + std::to_string(row.mailbox) + ":" + std::to_string(row.uid); }

bool is_outgoing(const store::MessageRow& row) { return row.held && !row.held->outgoing.empty(); }

io::Task<Status> send(store::Store& store, Deliverer& deliverer, const store::MessageRow& row) {
  auto decoded = decode_outgoing(row.held->outgoing);
  if (!decoded) co_return Error("message " + row.id + ": its envelope is damaged");
  auto octets = co_await store.read(row, row.header_prefix.size(), row.record_octets);
  if (!octets) co_return Error("message " + row.id + ": " + octets.error().text);
  auto message = std::make_shared<Judged>(std::move(*decoded));
  message->id = new_id();
  message->received = Octets(std::move(*octets));
  message->let_go = true;
  std::vector<store::Row> mark;
  mark.push_back({mark_key(row), message->id});
  auto sent = co_await deliverer.deliver(message, "Let go by an administrator, held as " + row.id, std::move(mark));
  if (!sent.ok()) co_return Error("message " + row.id + ": " + (sent.text.empty() ? "it cannot be stored now" : sent.text));
  log::info("submission.let_go", {{"message", row.id}, {"as", message->id}, {"login", message->client.login}});
  co_return Status();
}

io::Task<Status> send_once(store::Store& store, Deliverer& deliverer, const store::MessageRow& row) {
  auto mark = co_await store.get(mark_key(row));
  if (!mark) co_return mark.error();
  if (!*mark) {
    auto sent = co_await send(store, deliverer, row);
    if (!sent) co_return sent;
  }
  std::vector<store::Uid> uids(1, row.uid);
  auto erased = co_await store.erase(row.mailbox, std::move(uids));
  if (!erased.ok()) co_return Error("message " + row.id + " was sent and still lies in Held: " + erased.text);
  std::vector<store::Row> done;
  done.push_back({mark_key(row), std::nullopt});
  auto forgotten = co_await store.write(std::move(done));
  if (!forgotten.ok()) log::warning("submission.let_go", {{"message", row.id}, {"what", forgotten.text}});   // the uid never comes again
  co_return Status();
}

}  // namespace

io::Task<Result<LetGo>> let_go(store::Store& store, Deliverer& deliverer, store::Account account) {
  LetGo out;
  auto mailbox = store.mailbox(account.id, store::kHeldMailbox);
  if (!mailbox) co_return out;
  for (store::Uid next = 1; next != 0;) {
    auto rows = co_await store.messages(mailbox->id, next, kLast, kPage);
    if (!rows) co_return rows.error();
    next = rows->size() == kPage ? rows->back().uid + 1 : 0;
    for (const auto& row : *rows) {
      if (!is_outgoing(row)) continue;
      bool virus = row.held->message_class == "virus";
      if (virus) ++out.viruses;
      if (virus) continue;
      auto sent = co_await send_once(store, deliverer, row);
      if (sent) {
        ++out.sent;
        continue;
      }
      ++out.left;
      if (out.problem.empty()) out.problem = sent.error().text;
    }
  }
  co_return out;
}

io::Task<Result<std::size_t>> discard_held(store::Store& store, store::Account account) {
  std::size_t discarded = 0;
  auto mailbox = store.mailbox(account.id, store::kHeldMailbox);
  auto trash = store.mailbox(account.id, store::SpecialUse::trash);
  if (mailbox && !trash) {   // removed by its user
    auto made = co_await store.create_mailbox(account.id, std::string(store::default_name(store::SpecialUse::trash)), store::SpecialUse::trash);
    if (!made.ok()) co_return Error(made.text);
    trash = made.mailbox;
  }
  for (store::Uid next = mailbox ? 1 : 0; next != 0;) {
    auto rows = co_await store.messages(mailbox->id, next, kLast, kPage);
    if (!rows) co_return rows.error();
    next = rows->size() == kPage ? rows->back().uid + 1 : 0;
    std::vector<store::Uid> uids;
    for (const auto& row : *rows) {
      if (is_outgoing(row)) uids.push_back(row.uid);
    }
    if (uids.empty()) continue;
    auto moved = co_await store.move(mailbox->id, uids, trash->id);
    if (!moved.ok()) co_return Error(moved.text);
    discarded += moved.uids.size();
  }
  co_return discarded;
}

std::size_t count_held(const store::Store& store, store::AccountId account) {
  auto mailbox = store.mailbox(account, store::kHeldMailbox);
  return mailbox ? mailbox->messages : 0;
}

}  // namespace postern::delivery
