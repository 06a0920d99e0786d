// How long the quarantines keep what they hold.
#include "gateway/admin/retention.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "gateway/admin/context.h"
#include "gateway/base/log.h"
#include "gateway/delivery/originals.h"
#include "gateway/io/loop.h"
#include "gateway/store/names.h"

namespace postern::admin {
namespace {

using store::MailboxInfo;
using store::MessageRow;
using store::SpecialUse;
using store::Uid;

constexpr std::size_t kBatch = 50;   // rows read, and messages removed, at once: a row can have hundreds of KiB
constexpr auto kPause = std::chrono::milliseconds(5);    // between two of them
constexpr auto kEvery = std::chrono::minutes(10);

// Of class and reason.
using Counts = std::map<std::string, Expired>;

// What one user has in quarantine, ours by user.
struct Hoard {
  std::string user;
  std::vector<MailboxInfo> mailboxes;
  std::uint64_t octets() const {
    std::uint64_t sum = 0;
    for (const auto& mailbox : mailboxes) sum += mailbox.octets;
    return sum;
  }
};

// Whose originals lie in a mailbox of ours.
std::string owner_of(const std::string& mailbox) {
  auto user = delivery::user_of_folder(mailbox.substr(0, mailbox.rfind('/')));
  return user && delivery::originals_folder(*user) == mailbox ? *user : mailbox;
}

std::vector<Hoard> hoards_of(const store::Store& store) {
  std::vector<Hoard> out;
  for (const auto& account : store.accounts()) {
    auto quarantine = store.mailbox(account.id, SpecialUse::quarantine);
    if (!quarantine) continue;
    Hoard own{account.address, {}};
    for (auto& mailbox : store.mailboxes(account.id)) {
      if (mailbox.messages == 0) continue;
      if (!is_user(account)) out.push_back({owner_of(mailbox.name), {mailbox}});
      else if (mailbox.id == quarantine->id || store::is_below(mailbox.name, quarantine->name)) own.mailboxes.push_back(std::move(mailbox));
    }
    if (!own.mailboxes.empty()) out.push_back(std::move(own));
  }
  return out;
}

class Sweep {
 public:
  Sweep(store::Store& store, const config::Quarantine& keep, Time now) : store_(store), keep_(keep), now_(now) {}

  // `hoard` outlives the task.
  io::Task<Status> run(const Hoard& hoard) {
    counts_.clear();
    excess_ = keep_.max_octets != 0 && hoard.octets() > keep_.max_octets ? hoard.octets() - keep_.max_octets : 0;
    bool nothing_expires = excess_ == 0 && keep_.shortest().count() == 0;
    if (nothing_expires) co_return Status();
    for (const auto& mailbox : hoard.mailboxes) {
      auto swept = co_await look_at(mailbox);
      if (!swept) co_return swept;
    }
    for (const auto& [what, count] : counts_) {
      auto bar = what.find('|');
      log::info("quarantine.expired", {{"user", hoard.user}, {"class", what.substr(0, bar)}, {"why", what.substr(bar + 1)},
                                       {"messages", std::to_string(count.messages)}, {"octets", std::to_string(count.octets)}});
      all_.messages += count.messages;
      all_.octets += count.octets;
    }
    co_return Status();
  }
  const Expired& all() const { return all_; }

 private:
  // Uids ascend with the time of arrival, so what is too young for every class ends the look.
  io::Task<Status> look_at(const MailboxInfo& mailbox) {
    Uid next = 1;
    std::size_t batch = 1;   // mostly the first one says that there is nothing to do
    while (next != 0) {
      auto rows = co_await store_.messages(mailbox.id, next, std::numeric_limits<Uid>::max(), batch);
      if (!rows) co_return rows.error();
      next = rows->size() == batch ? rows->back().uid + 1 : 0;
      batch = kBatch;
      std::vector<Uid> doomed;
      for (const auto& row : *rows) {
        if (goes(row)) doomed.push_back(row.uid);
        if (excess_ == 0 && row.internal_date > now_ - keep_.shortest()) next = 0;
      }
      if (doomed.empty()) continue;
      auto erased = co_await store_.erase(mailbox.id, std::move(doomed));
      if (!erased.ok()) co_return Error(erased.text);
      co_await io::sleep_until(in(kPause));
    }
    co_return Status();
  }

  // Counts it, if it goes.
  bool goes(const MessageRow& row) {
    if (!row.held) return false;
    auto time = keep_.of(row.held->message_class);
    bool old = time.count() != 0 && row.internal_date <= now_ - time;
    bool too_much = excess_ > 0;
    if (!old && !too_much) return false;
    excess_ -= std::min(excess_, row.size());
    auto& count = counts_[row.held->message_class + (old ? "|age" : "|size")];
    ++count.messages;
    count.octets += row.size();
    return true;
  }

  store::Store& store_;
  const config::Quarantine& keep_;
  Time now_;
  std::uint64_t excess_ = 0;   // octets above the limit
  Counts counts_;
  Expired all_;
};

}  // namespace

io::Task<Result<Expired>> expire_held(store::Store& store, config::Quarantine keep, Time now) {
  Sweep sweep(store, keep, now);
  Status wrong;
  auto hoards = hoards_of(store);
  for (const auto& hoard : hoards) {
    auto swept = co_await sweep.run(hoard);
    if (!swept) wrong = swept;
    co_await io::sleep_until(in(kPause));
  }
  if (!wrong) co_return wrong.error();
  co_return sweep.all();
}

io::Task<void> keep_quarantine_short(store::Store& store, const config::Config& config) {
  for (;;) {
    auto expired = co_await expire_held(store, config.quarantine, Clock::system().now());
    if (!expired) log::warning("quarantine.expire", {{"what", expired.error().text}, {"next", "in ten minutes"}});
    co_await io::sleep_until(in(kEvery));
  }
}

}  // namespace postern::admin
