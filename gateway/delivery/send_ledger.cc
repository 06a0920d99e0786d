// How much each user sends: a stolen password is noticed by what is done with it.
#include "gateway/delivery/send_ledger.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/io/loop.h"
#include "gateway/mail/blob.h"

namespace postern::delivery {
namespace {

constexpr std::int64_t kHour = 3600, kDay = 24 * kHour;
constexpr std::uint64_t kRemember = 365;          // days since somebody was written to last
constexpr std::uint64_t kRenew = 30;              // a row says the day only about: not every message writes it
constexpr std::size_t kPage = 1000;
constexpr auto kSweepEvery = std::chrono::hours(24);
constexpr std::size_t kMaxAddress = 400;
constexpr std::string_view kSent = "sent:", kKnown = "known:", kStopped = "stopped:";

std::string key_of(std::string_view prefix, store::AccountId account) { return std::string(prefix) + std::to_string(account); }

std::string known_key(store::AccountId account, std::string_view address) {
  return key_of(kKnown, account) + ":" + ascii_lowered(address.substr(0, kMaxAddress));
}

// Of "known:12:..." and "sent:12"; 0: none.
store::AccountId account_in(std::string_view key) {
  key.remove_prefix(std::min(key.find(':'), key.size() - 1) + 1);
  return parse_number(key.substr(0, key.find(':'))).value_or(0);
}

std::uint64_t day_of(Time time) { return static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_unix(time)) / kDay); }

std::optional<Stop> decode_stop(std::string_view value) {
  mail::BlobReader in(value);
  if (in.number() != 1) return std::nullopt;
  Stop out;
  out.since = from_unix(static_cast<std::int64_t>(in.number(1ULL << 40)));
  out.reason = in.text();
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return out;
}

store::Row stop_row(store::AccountId account, const Stop& stop) {
  std::string value;
  mail::put_number(value, 1);
  mail::put_number(value, static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_unix(stop.since))));
  mail::put_text(value, stop.reason);
  return {key_of(kStopped, account), std::move(value)};
}

// What was passed, or "".
std::string passed(std::uint64_t used, std::uint64_t limit, std::string_view what) {
  if (limit == 0 || used <= limit) return "";
  return "more than " + std::to_string(limit) + " " + std::string(what);
}

}  // namespace

void SendLedger::Window::add(std::int64_t now, std::int64_t length, std::uint64_t more) {
  if (now >= begin + 2 * length || now < begin) {   // long ago; or the clock was set back: what is counted is not lost
    previous = now < begin ? previous : 0;
    count = now < begin ? count : 0;
    begin = now;
  } else if (now >= begin + length) {
    previous = std::exchange(count, 0);
    begin += length;
  }
  count += more;
}

std::uint64_t SendLedger::Window::used(std::int64_t now, std::int64_t length) const {
  auto left = static_cast<std::uint64_t>(std::clamp<std::int64_t>(begin + length - now, 0, length));
  return count + previous * left / static_cast<std::uint64_t>(length);
}

std::string SendLedger::encode(const Counts& counts) {
  std::string out;
  mail::put_number(out, 1);
  for (const auto* window : {&counts.messages, &counts.recipients, &counts.strangers}) {
    mail::put_number(out, static_cast<std::uint64_t>(std::max<std::int64_t>(0, window->begin)));
    mail::put_number(out, window->count);
    mail::put_number(out, window->previous);
  }
  return out;
}

std::optional<SendLedger::Counts> SendLedger::decode(std::string_view value) {
  constexpr std::uint64_t kMost = 1ULL << 40;
  mail::BlobReader in(value);
  if (in.number() != 1) return std::nullopt;
  Counts out;
  for (auto* window : {&out.messages, &out.recipients, &out.strangers}) {
    window->begin = static_cast<std::int64_t>(in.number(kMost));
    window->count = in.number(kMost);
    window->previous = in.number(kMost);
  }
  if (!in.ok() || !in.at_end()) return std::nullopt;
  return out;
}

io::Task<Status> SendLedger::load() {
  std::string prefix(kStopped);
  std::string from = prefix;
  for (;;) {
    auto rows = co_await store_.scan(prefix, from, kPage);
    if (!rows) co_return rows.error();
    {
      std::lock_guard lock(mutex_);
      for (const auto& row : *rows) {
        auto stop = decode_stop(row.value.value_or(""));
        auto account = account_in(row.key);
        // A damaged row stops too: the door that was shut is not opened by a bad sector.
        if (!stop) stop = Stop{{}, "the reason cannot be read any more"};
        if (account != 0) stops_[account] = std::move(*stop);
      }
    }
    if (rows->size() < kPage) co_return Status();
    from = rows->back().key + '\0';
  }
}

void SendLedger::configure(const config::Submission& submission) {
  std::lock_guard lock(mutex_);
  submission_ = submission;
}

std::optional<Stop> SendLedger::stopped(store::AccountId account) const {
  std::lock_guard lock(mutex_);
  auto found = stops_.find(account);
  return found == stops_.end() ? std::nullopt : std::optional(found->second);
}

std::size_t SendLedger::how_many_stopped() const {
  std::lock_guard lock(mutex_);
  return stops_.size();
}

io::Task<Status> SendLedger::load_counts(store::AccountId account) {
  {
    std::lock_guard lock(mutex_);
    if (counts_.contains(account)) co_return Status();
  }
  auto row = co_await store_.get(key_of(kSent, account));
  if (!row) co_return row.error();
  auto counts = *row ? decode(**row) : std::nullopt;
  std::lock_guard lock(mutex_);
  counts_.emplace(account, counts.value_or(Counts()));   // unless another loop was faster
  co_return Status();
}

// Adds the rows that make them known, and gives how many were not before.
io::Task<Result<std::size_t>> SendLedger::meet_into(store::AccountId account, std::vector<std::string> strangers, std::vector<store::Row>& rows) {
  auto today = day_of(clock_.now());
  std::size_t fresh = 0;
  std::set<std::string> keys;
  for (const auto& address : strangers) keys.insert(known_key(account, address));
  for (const auto& key : keys) {
    auto row = co_await store_.get(key);
    if (!row) co_return row.error();
    auto day = *row ? parse_number(**row) : std::nullopt;
    if (!day) ++fresh;
    if (!day || *day + kRenew <= today) rows.push_back({key, std::to_string(today)});
  }
  co_return fresh;
}

io::Task<Result<SendLedger::Counted>> SendLedger::count(store::Account account, std::size_t recipients, std::vector<std::string> strangers) {
  auto loaded = co_await load_counts(account.id);
  if (!loaded) co_return loaded.error();
  config::SendLimits limits;
  {
    std::lock_guard lock(mutex_);
    limits = submission_.of(account.address);
  }
  Counted out;
  std::size_t fresh = 0;
  if (limits.first_time_recipients_per_day != 0) {   // who is not limited needs no memory
    auto met = co_await meet_into(account.id, std::move(strangers), out.rows);
    if (!met) co_return met.error();
    fresh = *met;
  }
  std::lock_guard lock(mutex_);
  if (auto stop = stops_.find(account.id); stop != stops_.end()) {
    out.rows.clear();
    out.over = "sending was stopped: " + stop->second.reason;
    co_return out;
  }
  auto now = to_unix(clock_.now());
  auto& counts = counts_[account.id];
  counts.messages.add(now, kHour, 1);
  counts.recipients.add(now, kHour, recipients);
  counts.strangers.add(now, kDay, fresh);
  std::string over = passed(counts.messages.used(now, kHour), limits.messages_per_hour, "messages within an hour");
  if (over.empty()) over = passed(counts.recipients.used(now, kHour), limits.recipients_per_hour, "recipients within an hour");
  if (over.empty()) {
    over = passed(counts.strangers.used(now, kDay), limits.first_time_recipients_per_day, "recipients within a day to whom this user had never written");
  }
  if (!over.empty()) {
    // Held, so nobody was met; and the other connections of this user are stopped from now on.
    out.rows.clear();
    Stop stop{clock_.now(), over};
    out.rows.push_back(stop_row(account.id, stop));
    stops_[account.id] = std::move(stop);
    out.over = std::move(over);
    out.stops = true;
  }
  out.rows.push_back({key_of(kSent, account.id), encode(counts)});
  co_return out;
}

void SendLedger::not_committed(store::AccountId account, const Counted& counted) {
  if (!counted.stops) return;
  std::lock_guard lock(mutex_);
  stops_.erase(account);
}

io::Task<Result<std::vector<store::Row>>> SendLedger::meet(store::AccountId account, std::vector<std::string> strangers) {
  std::vector<store::Row> rows;
  auto met = co_await meet_into(account, std::move(strangers), rows);
  if (!met) co_return met.error();
  co_return rows;
}

io::Task<store::Change> SendLedger::stop(store::AccountId account, std::string reason) {
  Stop stop{clock_.now(), std::move(reason)};
  std::vector<store::Row> rows;
  rows.push_back(stop_row(account, stop));
  auto written = co_await store_.write(std::move(rows));
  if (!written.ok()) co_return written;
  std::lock_guard lock(mutex_);
  stops_[account] = std::move(stop);
  co_return written;
}

SendLedger::Counted SendLedger::stop_with(store::AccountId account, std::string reason) {
  Counted out;
  Stop stop{clock_.now(), reason};
  out.rows.push_back(stop_row(account, stop));
  out.over = std::move(reason);
  out.stops = true;
  std::lock_guard lock(mutex_);
  stops_[account] = std::move(stop);
  return out;
}

io::Task<store::Change> SendLedger::resume(store::AccountId account) {
  std::vector<store::Row> rows;
  rows.push_back({key_of(kStopped, account), std::nullopt});
  rows.push_back({key_of(kSent, account), std::nullopt});
  auto written = co_await store_.write(std::move(rows));
  if (!written.ok()) co_return written;
  std::lock_guard lock(mutex_);
  stops_.erase(account);
  counts_[account] = Counts();
  co_return written;
}

// Of one user, by the day of each.
std::vector<store::Row> SendLedger::forgotten(std::vector<std::pair<std::uint64_t, std::string>> known, bool account_gone) const {
  std::sort(known.begin(), known.end());
  auto today = day_of(clock_.now());
  auto too_many = known.size() - std::min(known.size(), kMostKnown);
  std::vector<store::Row> out;
  for (std::size_t i = 0; i < known.size(); ++i) {
    bool goes = account_gone || i < too_many || known[i].first + kRemember < today;
    if (goes) out.push_back({std::move(known[i].second), std::nullopt});
  }
  return out;
}

io::Task<Status> SendLedger::sweep_known() {
  std::string prefix(kKnown);
  std::string from = prefix;
  store::AccountId account = 0;
  std::vector<std::pair<std::uint64_t, std::string>> known;   // of `account`
  for (bool more = true; more;) {
    auto rows = co_await store_.scan(prefix, from, kPage);
    if (!rows) co_return rows.error();
    more = rows->size() == kPage;
    if (!rows->empty()) from = rows->back().key + '\0';
    if (!more) rows->emplace_back();   // ends the last account
    for (auto& row : *rows) {
      auto of = row.key.empty() ? 0 : account_in(row.key);
      if (of != account) {
        auto gone = forgotten(std::exchange(known, {}), !store_.account(account));
        account = of;
        auto written = store::Change();
        if (!gone.empty()) written = co_await store_.write(std::move(gone));
        if (!written.ok()) co_return Error(written.text);
      }
      if (!row.key.empty()) known.emplace_back(parse_number(row.value.value_or("")).value_or(0), std::move(row.key));
    }
  }
  co_return Status();
}

// "sent:" and "stopped:" of accounts that are gone.
io::Task<Status> SendLedger::sweep_accounts(std::string prefix) {
  std::string from = prefix;
  for (bool more = true; more;) {
    auto rows = co_await store_.scan(prefix, from, kPage);
    if (!rows) co_return rows.error();
    more = rows->size() == kPage;
    if (!rows->empty()) from = rows->back().key + '\0';
    std::erase_if(*rows, [this](const store::Row& row) { return store_.account(account_in(row.key)).has_value(); });
    for (auto& row : *rows) row.value.reset();
    if (rows->empty()) continue;
    auto written = co_await store_.write(std::move(*rows));
    if (!written.ok()) co_return Error(written.text);
  }
  co_return Status();
}

io::Task<Status> SendLedger::sweep() {
  auto swept = co_await sweep_known();
  if (swept) swept = co_await sweep_accounts(std::string(kSent));
  if (swept) swept = co_await sweep_accounts(std::string(kStopped));
  co_return swept;
}

io::Task<void> SendLedger::keep() {
  for (;;) {
    auto swept = co_await sweep();
    if (!swept) log::warning("submission.sweep", {{"what", swept.error().text}});
    co_await io::sleep_until(in(kSweepEvery));
  }
}

}  // namespace postern::delivery
