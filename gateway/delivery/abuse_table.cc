// The abuse desk's table: what is asked of it, what an administrator changes, and how it lies in the store.
#include <algorithm>
#include <set>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/delivery/abuse.h"
#include "gateway/io/loop.h"
#include "gateway/mail/blob.h"

namespace postern::delivery {
namespace {

constexpr std::string_view kRecords = "abuse:";
constexpr std::size_t kPage = 1000;
constexpr auto kSweepEvery = std::chrono::hours(24);
constexpr std::uint64_t kVersion = 1, kLatest = 1ULL << 40;

// Of "abuse:12" and "suppressed:12:..."; nothing: damaged.
std::optional<store::AccountId> account_in(std::string_view key) {
  key.remove_prefix(std::min(key.find(':'), key.size() - 1) + 1);
  return parse_number(key.substr(0, key.find(':')));
}

}  // namespace

std::string AbuseDesk::encode(const Record& record) {
  std::string out;
  auto put_time = [&out](std::int64_t seconds) { mail::put_number(out, static_cast<std::uint64_t>(std::max<std::int64_t>(0, seconds))); };
  mail::put_number(out, kVersion);
  for (const auto& of_kind : record.times) {
    mail::put_number(out, of_kind.size());
    for (auto time : of_kind) put_time(time);
  }
  for (const auto& message : record.complained) mail::put_text(out, message);
  put_time(to_unix(record.alarmed));
  mail::put_text(out, record.what);
  return out;
}

bool AbuseDesk::decode(std::string_view value, Record& record) {
  mail::BlobReader in(value);
  if (in.number() != kVersion) return false;
  for (auto& of_kind : record.times) {
    auto count = in.number(kMost);
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) of_kind.push_back(static_cast<std::int64_t>(in.number(kLatest)));
  }
  for (std::size_t i = 0; i < record.times[static_cast<std::size_t>(Trouble::complaint)].size() && in.ok(); ++i) record.complained.emplace_back(in.text());
  record.alarmed = from_unix(static_cast<std::int64_t>(in.number(kLatest)));
  record.what = in.text();
  return in.ok() && in.at_end();
}

bool AbuseDesk::take(const store::Row& row) {
  if (!row.key.starts_with(kRecords)) return suppressions_.take(row);
  Record record;
  auto account = account_in(row.key);
  if (!account || !decode(row.value.value_or(""), record)) return false;
  records_[*account] = std::move(record);
  return true;
}

io::Task<Status> AbuseDesk::load_rows(std::string prefix) {
  std::string from = prefix;
  for (;;) {
    auto rows = co_await parts_.store.scan(prefix, from, kPage);
    if (!rows) co_return rows.error();
    {
      std::lock_guard lock(mutex_);
      for (const auto& row : *rows) {
        if (!take(row)) log::error("abuse.damaged", {{"row", printable(row.key, 300)}, {"what", "it cannot be read and is left out"}});
      }
    }
    if (rows->size() < kPage) co_return Status();
    from = rows->back().key + '\0';
  }
}

io::Task<Status> AbuseDesk::load() {
  auto loaded = co_await load_rows(std::string(kRecords));
  if (loaded) loaded = co_await load_rows(std::string(Suppressions::kSuppressed));
  if (loaded) loaded = co_await load_rows(std::string(Suppressions::kBounced));
  co_return loaded;
}

void AbuseDesk::configure(const config::Abuse& settings) {
  std::lock_guard lock(mutex_);
  settings_ = settings;
  suppressions_.configure(settings);
}

std::optional<Suppression> AbuseDesk::suppressed(store::AccountId account, std::string_view address) const {
  std::lock_guard lock(mutex_);
  return suppressions_.find(account, address, clock_.now());
}

std::vector<Suppression> AbuseDesk::suppressions() const {
  std::lock_guard lock(mutex_);
  return suppressions_.all(clock_.now());
}

io::Task<store::Change> AbuseDesk::suppress(Suppression suppression) {
  std::vector<store::Row> rows;
  suppression.since = clock_.now();
  {
    std::lock_guard lock(mutex_);
    suppressions_.add(std::move(suppression), rows);
  }
  auto written = co_await parts_.store.write(std::move(rows));
  co_return written;
}

// First in memory: what fails to be written is in force until the next start, and the command can be given again.
io::Task<AbuseDesk::Lifted> AbuseDesk::lift(std::string address, std::optional<store::AccountId> account) {
  Lifted out;
  std::vector<store::Row> rows;
  {
    std::lock_guard lock(mutex_);
    out.count = suppressions_.lift(address, account, clock_.now(), rows);
  }
  if (rows.empty()) co_return out;
  auto written = co_await parts_.store.write(std::move(rows));
  static_cast<store::Change&>(out) = written;
  co_return out;
}

Troubles AbuseDesk::troubles(store::AccountId account) const {
  std::lock_guard lock(mutex_);
  Troubles out;
  auto found = records_.find(account);
  if (found == records_.end()) return out;
  auto since = to_unix(clock_.now() - std::chrono::hours(24));
  auto count = [&](Trouble trouble) {
    const auto& all = found->second.times[static_cast<std::size_t>(trouble)];
    return static_cast<std::uint64_t>(std::count_if(all.begin(), all.end(), [since](std::int64_t time) { return time > since; }));
  };
  out.held = count(Trouble::held);
  out.bounces = count(Trouble::bounce);
  out.complaints = count(Trouble::complaint);
  return out;
}

std::vector<AbuseDesk::AlarmOfToday> AbuseDesk::alarms() const {
  std::lock_guard lock(mutex_);
  std::vector<AlarmOfToday> out;
  for (const auto& [account, record] : records_) {
    bool of_today = record.alarmed != Time{} && clock_.now() < record.alarmed + std::chrono::hours(24);
    if (of_today) out.push_back({account, record.alarmed, record.what});
  }
  return out;
}

io::Task<store::Change> AbuseDesk::forget(store::AccountId account) {
  {
    std::lock_guard lock(mutex_);
    records_.erase(account);
  }
  std::vector<store::Row> rows;
  rows.push_back({std::string(kRecords) + std::to_string(account), std::nullopt});
  auto written = co_await parts_.store.write(std::move(rows));
  co_return written;
}

io::Task<Status> AbuseDesk::sweep() {
  std::vector<store::Row> over;
  {
    std::lock_guard lock(mutex_);
    suppressions_.sweep(clock_.now(), over);
    auto now = to_unix(clock_.now());
    for (auto& [account, record] : records_) prune(record, now);
    std::erase_if(records_, [&](const auto& entry) {
      bool quiet = std::all_of(entry.second.times.begin(), entry.second.times.end(), [](const auto& all) { return all.empty(); });
      bool goes = (quiet && clock_.now() >= entry.second.alarmed + std::chrono::hours(24)) || !parts_.store.account(entry.first);
      if (goes) over.push_back({std::string(kRecords) + std::to_string(entry.first), std::nullopt});
      return goes;
    });
    for (const auto& suppression : suppressions_.all(clock_.now())) {
      if (suppression.account != 0 && !parts_.store.account(suppression.account)) suppressions_.lift(suppression.address, suppression.account, clock_.now(), over);
    }
  }
  // What was too much to be remembered is still in the store.
  std::string prefix(Suppressions::kBounced);
  std::string from = prefix;
  for (bool more = true; more;) {
    auto rows = co_await parts_.store.scan(prefix, from, kPage);
    if (!rows) co_return rows.error();
    more = rows->size() == kPage;
    if (more) from = rows->back().key + '\0';
    {
      std::lock_guard lock(mutex_);
      std::erase_if(*rows, [&](const store::Row& row) { return suppressions_.remembers(std::string_view(row.key).substr(prefix.size())); });
    }
    for (const auto& row : *rows) over.push_back({row.key, std::nullopt});
    auto written = store::Change();
    if (!over.empty()) written = co_await parts_.store.write(std::exchange(over, {}));
    if (!written.ok()) co_return Error(written.text);
  }
  co_return Status();
}

io::Task<void> AbuseDesk::keep() {
  for (;;) {
    auto swept = co_await sweep();
    if (!swept) log::warning("abuse.sweep", {{"what", swept.error().text}});
    co_await io::sleep_until(in(kSweepEvery));
  }
}

}  // namespace postern::delivery
