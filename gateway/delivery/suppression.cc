// Addresses elsewhere that are dead or do not want our mail: whoever keeps sending to them counts as a spammer there.
#include "gateway/delivery/suppression.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/blob.h"

namespace postern::delivery {
namespace {

constexpr std::int64_t kDay = 24 * 3600;
constexpr std::int64_t kRemember = 30 * kDay;   // a bounce
constexpr std::int64_t kSettled = 5 * kDay;     // as long as queues try: what was taken and did not come back has arrived
constexpr std::int64_t kSpread = kDay;          // a host that is wrong for an hour makes no address dead
constexpr std::size_t kMaxWords = 300;
constexpr std::uint64_t kVersion = 1, kLatest = 1ULL << 40;

std::string key_of(const Suppression& suppression) {
  return std::string(Suppressions::kSuppressed) + std::to_string(suppression.account) + ":" + suppression.address;
}

void put_time(std::string& out, std::int64_t seconds) { mail::put_number(out, static_cast<std::uint64_t>(std::max<std::int64_t>(0, seconds))); }
std::int64_t take_time(mail::BlobReader& in) { return static_cast<std::int64_t>(in.number(kLatest)); }

}  // namespace

std::string_view name(Suppression::Cause cause) {
  switch (cause) {
    case Suppression::Cause::bounces: return "bounces";
    case Suppression::Cause::complaint: return "complaint";
    case Suppression::Cause::administrator: return "administrator";
  }
  return "bounces";
}

std::string Suppressions::encode(const Suppression& suppression) {
  std::string out;
  mail::put_number(out, kVersion);
  mail::put_number(out, static_cast<std::uint64_t>(suppression.cause));
  put_time(out, to_unix(suppression.since));
  put_time(out, to_unix(suppression.until));
  mail::put_text(out, suppression.words);
  mail::put_text(out, suppression.message);
  return out;
}

std::string Suppressions::encode(const History& history) {
  std::string out;
  mail::put_number(out, kVersion);
  put_time(out, history.accepted);
  mail::put_number(out, history.bounces.size());
  for (const auto& one : history.bounces) {
    put_time(out, one.time);
    mail::put_number(out, one.late ? 1 : 0);
    mail::put_number(out, one.account);
    mail::put_text(out, one.message);
  }
  return out;
}

bool Suppressions::take(const store::Row& row) {
  mail::BlobReader in(row.value ? std::string_view(*row.value) : std::string_view());
  if (in.number() != kVersion) return false;
  if (row.key.starts_with(kBounced)) {
    auto address = row.key.substr(kBounced.size());
    History history;
    history.accepted = take_time(in);
    auto count = in.number(kMostBounces);
    for (std::uint64_t i = 0; i < count && in.ok(); ++i) {
      auto& one = history.bounces.emplace_back();
      one.time = take_time(in);
      one.late = in.number(1) == 1;
      one.account = in.number();
      one.message = in.text();
    }
    bool sound = in.ok() && in.at_end() && !history.bounces.empty() && !address.empty();
    if (sound && histories_.size() >= kMostHistories) drop_oldest();
    if (sound) histories_[address] = std::move(history);
    return sound;
  }
  std::string_view key = row.key;
  key.remove_prefix(std::min(kSuppressed.size(), key.size()));
  auto colon = key.find(':');
  auto account = parse_number(key.substr(0, colon));
  if (!account || colon == std::string_view::npos || colon + 1 == key.size()) return false;
  Suppression out;
  out.account = *account;
  out.address = key.substr(colon + 1);
  out.cause = static_cast<Suppression::Cause>(in.number(2));
  out.since = from_unix(take_time(in));
  out.until = from_unix(take_time(in));
  out.words = in.text();
  out.message = in.text();
  if (!in.ok() || !in.at_end()) return false;
  suppressed_[Key(out.address, out.account)] = std::move(out);
  return true;
}

// What was taken for good clears what came back before it.
void Suppressions::History::settle(std::int64_t now) {
  std::erase_if(bounces, [&](const One& one) {
    bool arrived_since = one.late && accepted != 0 && now >= accepted + kSettled;
    return arrived_since || one.time + kRemember < now;
  });
}

bool Suppressions::History::is_enough(const config::Abuse& settings) const {
  if (settings.suppress_after == 0 || bounces.size() < settings.suppress_after) return false;
  return settings.suppress_after == 1 || bounces.back().time - bounces.front().time >= kSpread;
}

std::optional<store::AccountId> Suppressions::History::whose() const {
  auto first = bounces.front().account;
  bool from_one = std::all_of(bounces.begin(), bounces.end(), [&](const One& one) { return one.late && one.account == first; });
  if (!from_one) return 0;
  return first == 0 ? std::nullopt : std::optional(first);   // servers of ours are not refused anything
}

void Suppressions::put_history(const std::string& address, Rows& rows) {
  auto found = histories_.find(address);
  bool gone = found == histories_.end() || found->second.bounces.empty();
  store::Row row{std::string(kBounced) + address, std::nullopt};
  if (!gone) row.value = encode(found->second);
  else if (found != histories_.end()) histories_.erase(found);
  rows.push_back(std::move(row));
}

void Suppressions::put(Suppression suppression, Rows& rows) {
  suppression.words = printable(suppression.words, kMaxWords);
  rows.push_back({key_of(suppression), encode(suppression)});
  suppressed_[Key(suppression.address, suppression.account)] = std::move(suppression);
}

// Their rows go with the next sweep.
void Suppressions::drop_oldest() {
  std::vector<std::int64_t> times;
  for (const auto& [address, history] : histories_) times.push_back(history.bounces.back().time);
  auto tenth = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 10);
  std::nth_element(times.begin(), tenth, times.end());
  auto limit = *tenth;
  std::size_t left = times.size() / 10 + 1;   // many may be of the same second
  std::erase_if(histories_, [&](const auto& entry) { return left > 0 && entry.second.bounces.back().time <= limit && left-- > 0; });
}

bool Suppressions::bounced(const Bounce& bounce, Time when, Rows& rows) {
  auto address = ascii_lowered(bounce.address);
  if (address.size() > kMaxAddress) return false;
  auto now = to_unix(when);
  if (histories_.size() >= kMostHistories && !histories_.contains(address)) drop_oldest();
  auto& history = histories_[address];
  history.settle(now);
  bool counted = std::none_of(history.bounces.begin(), history.bounces.end(), [&](const One& one) { return one.message == bounce.message; });
  if (counted) {
    if (bounce.late) history.accepted = 0;
    // The first stays: it says for how long this goes on.
    if (history.bounces.size() >= kMostBounces) history.bounces.erase(history.bounces.begin() + 1);
    if (!history.bounces.empty()) now = std::max(now, history.bounces.back().time);   // the clock was set back
    history.bounces.push_back({now, bounce.message, bounce.late, bounce.account});
  }
  auto whose = history.is_enough(settings_) ? history.whose() : std::nullopt;
  put_history(address, rows);
  if (!whose) return counted;
  auto known = suppressed_.find(Key(address, *whose));
  if (known != suppressed_.end() && is_in_force(known->second, when)) {
    rows.push_back({key_of(known->second), encode(known->second)});
    return counted;
  }
  Suppression made;
  made.account = *whose;
  made.address = address;
  made.since = when;
  if (settings_.suppress_for.count() != 0) made.until = when + settings_.suppress_for;
  made.words = bounce.words;
  made.message = bounce.message;
  put(std::move(made), rows);
  return counted;
}

void Suppressions::accepted(std::string_view given, Time now, Rows& rows) {
  if (histories_.empty() && suppressed_.empty()) return;
  auto address = ascii_lowered(given);
  if (auto found = histories_.find(address); found != histories_.end()) {
    auto& history = found->second;
    std::erase_if(history.bounces, [](const One& one) { return !one.late; });
    if (history.accepted == 0) history.accepted = to_unix(now);
    put_history(address, rows);
    if (histories_.contains(address)) return;   // it takes everything and returns it later: this says nothing
  }
  for (auto at = suppressed_.lower_bound(Key(address, 0)); at != suppressed_.end() && at->first.first == address;) {
    bool ends = at->second.cause == Suppression::Cause::bounces;
    if (ends) rows.push_back({key_of(at->second), std::nullopt});
    at = ends ? suppressed_.erase(at) : std::next(at);
  }
}

bool Suppressions::complained(store::AccountId account, std::string_view given, std::string message, std::string words, Time now, Rows& rows) {
  auto address = ascii_lowered(given);
  if (address.size() > kMaxAddress) return false;
  auto known = suppressed_.find(Key(address, account));
  if (known != suppressed_.end() && is_in_force(known->second, now) && known->second.message == message) {
    rows.push_back({key_of(known->second), encode(known->second)});
    return false;
  }
  Suppression made;
  made.account = account;
  made.address = address;
  made.cause = Suppression::Cause::complaint;
  made.since = now;
  made.words = std::move(words);
  made.message = std::move(message);
  put(std::move(made), rows);
  return true;
}

void Suppressions::add(Suppression suppression, Rows& rows) {
  suppression.cause = Suppression::Cause::administrator;
  suppression.address = ascii_lowered(suppression.address);
  put(std::move(suppression), rows);
}

std::size_t Suppressions::lift(std::string_view given, std::optional<store::AccountId> account, Time now, Rows& rows) {
  auto address = ascii_lowered(given);
  std::size_t lifted = 0;
  for (auto at = suppressed_.lower_bound(Key(address, 0)); at != suppressed_.end() && at->first.first == address;) {
    if (account && at->first.second != *account) {
      ++at;
      continue;
    }
    if (is_in_force(at->second, now)) ++lifted;
    rows.push_back({key_of(at->second), std::nullopt});
    at = suppressed_.erase(at);
  }
  if (!account && histories_.erase(address) != 0) put_history(address, rows);
  return lifted;
}

std::optional<Suppression> Suppressions::find(store::AccountId account, std::string_view given, Time now) const {
  if (suppressed_.empty()) return std::nullopt;
  auto address = ascii_lowered(given);
  for (auto whose : {store::AccountId{0}, account}) {
    auto found = suppressed_.find(Key(address, whose));
    if (found != suppressed_.end() && is_in_force(found->second, now)) return found->second;
  }
  return std::nullopt;
}

std::vector<Suppression> Suppressions::all(Time now) const {
  std::vector<Suppression> out;
  for (const auto& [key, suppression] : suppressed_) {
    if (is_in_force(suppression, now)) out.push_back(suppression);
  }
  return out;
}

void Suppressions::sweep(Time now, Rows& rows) {
  std::erase_if(suppressed_, [&](const auto& entry) {
    bool over = !is_in_force(entry.second, now);
    if (over) rows.push_back({key_of(entry.second), std::nullopt});
    return over;
  });
  for (auto& [address, history] : histories_) history.settle(to_unix(now));
  std::erase_if(histories_, [&](const auto& entry) {
    bool empty = entry.second.bounces.empty();
    if (empty) rows.push_back({std::string(kBounced) + entry.first, std::nullopt});
    return empty;
  });
}

}  // namespace postern::delivery
