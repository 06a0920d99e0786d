// Refusals on their way into the trace, and the trace's size.
#include "gateway/delivery/trace_log.h"

#include <algorithm>

#include "gateway/base/id.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/io/loop.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kDays = "traced:";   // octets of a day: traced:<day>
constexpr std::size_t kRowsAtOnce = 2000;
constexpr int kWritesToForget = 3600;           // seconds, as it writes each second

std::string day_key(std::uint16_t day) { return std::string(kDays) + store::trace_day_key(day).substr(store::kTraceIndexPrefix.size()); }

std::uint64_t octets_of(const std::vector<store::Row>& rows) {
  std::uint64_t octets = 0;
  for (const auto& row : rows) octets += row.key.size() + (row.value ? row.value->size() : 0);
  return octets;
}

}  // namespace

io::Task<Status> TraceLog::load() {
  auto rows = co_await store_.scan(std::string(kDays), std::string(kDays), 0x10000);
  if (!rows) co_return rows.error();
  std::lock_guard lock(mutex_);
  for (const auto& row : *rows) {
    if (row.key.size() != kDays.size() + 2) continue;
    auto high = static_cast<unsigned char>(row.key[kDays.size()]), low = static_cast<unsigned char>(row.key[kDays.size() + 1]);
    days_[static_cast<std::uint16_t>(high << 8 | low)].octets = parse_number(*row.value).value_or(0);
  }
  co_return Status();
}

void TraceLog::configure(config::Trace settings) {
  std::lock_guard lock(mutex_);
  settings_ = settings;
}

void TraceLog::note(const std::vector<store::Row>& rows) {
  auto octets = octets_of(rows);
  std::lock_guard lock(mutex_);
  auto& day = days_[today()];
  day.octets += octets;
  day.changed = true;
}

// Under attack the newest are dropped: how it began says more than how it goes on.
bool TraceLog::has_room() const {
  auto day = days_.find(today());
  return day == days_.end() || day->second.of_refusals < settings_.max_size / kShareOfRefusals;
}

void TraceLog::refused(const store::TraceLine& line, store::TraceEvent event) {
  if (event.when == Time{}) event.when = clock_.now();
  std::lock_guard lock(mutex_);
  auto found = waiting_.find(line.id);
  bool fits = found != waiting_.end() ? found->second.events.size() < kMostEvents : waiting_.size() < kMostSessions;
  if (!fits || !has_room()) {
    ++figures_.dropped;
    return;
  }
  auto& waiting = waiting_[line.id];
  waiting.line = line;
  waiting.events.push_back(std::move(event));
}

std::vector<store::Row> TraceLog::rows_of(std::map<std::string, Waiting> waiting) {
  std::vector<store::Row> rows;
  for (auto& [id, each] : waiting) {
    figures_.written += each.events.size();
    for (auto& row : store::trace_line_rows(each.line)) rows.push_back(std::move(row));
    for (const auto& event : each.events) {
      if (auto row = store::trace_event_row(id, event)) rows.push_back(std::move(*row));
    }
  }
  return rows;
}

std::vector<store::Row> TraceLog::changed_days() {
  std::vector<store::Row> rows;
  std::lock_guard lock(mutex_);
  for (auto& [day, is] : days_) {
    if (std::exchange(is.changed, false)) rows.push_back({day_key(day), std::to_string(is.octets)});
  }
  return rows;
}

io::Task<void> TraceLog::write_waiting() {
  std::map<std::string, Waiting> waiting;
  std::uint64_t dropped = 0;
  {
    std::lock_guard lock(mutex_);
    waiting.swap(waiting_);
    dropped = figures_.dropped - std::exchange(told_dropped_, figures_.dropped);
  }
  if (dropped != 0) log::warning("trace.dropped", {{"events", std::to_string(dropped)}, {"what", "more was refused than the trace takes"}});
  auto rows = rows_of(std::move(waiting));
  {
    auto octets = octets_of(rows);
    std::lock_guard lock(mutex_);
    auto& day = days_[today()];
    day.octets += octets;
    day.of_refusals += octets;
    day.changed = day.changed || octets != 0;
  }
  for (auto& row : changed_days()) rows.push_back(std::move(row));
  for (std::size_t begin = 0; begin < rows.size(); begin += kRowsAtOnce) {
    auto end = std::min(rows.size(), begin + kRowsAtOnce);
    std::vector<store::Row> some(std::make_move_iterator(rows.begin() + static_cast<std::ptrdiff_t>(begin)),
                                 std::make_move_iterator(rows.begin() + static_cast<std::ptrdiff_t>(end)));
    auto written = co_await store_.write(std::move(some));
    if (!written.ok()) log::warning("trace.lost", {{"rows", std::to_string(rows.size() - begin)}, {"what", written.text}});
    if (!written.ok()) co_return;
  }
}

// The first day that stays: by age, and the oldest go first when all of them are too large.  Today stays.
std::uint16_t TraceLog::first_kept() const {
  std::lock_guard lock(mutex_);
  int now = today();
  int first = std::max(0, now - static_cast<int>(settings_.days));
  std::uint64_t octets = 0;
  for (auto day = days_.rbegin(); day != days_.rend() && day->first >= first; ++day) {
    octets += day->second.octets;
    if (octets > settings_.max_size && day->first < now) first = day->first + 1;
  }
  return static_cast<std::uint16_t>(std::min(first, now));
}

io::Task<void> TraceLog::forget() {
  auto first = first_kept();
  auto least = store::trace_key(id_text(first_id_at(store::begin_of_trace_day(first))));
  for (auto& [from, to] : {std::pair(std::string(store::kTracePrefix), least),
                           std::pair(std::string(store::kTraceIndexPrefix), store::trace_day_key(first)),
                           std::pair(std::string(kDays), day_key(first))}) {
    auto erased = co_await store_.erase_rows(from, to);
    if (!erased.ok()) log::warning("trace.forget", {{"what", erased.text}});
    if (!erased.ok()) co_return;   // the next hour comes
  }
  std::lock_guard lock(mutex_);
  days_.erase(days_.begin(), days_.lower_bound(first));
}

std::uint64_t TraceLog::octets() const {
  std::lock_guard lock(mutex_);
  std::uint64_t octets = 0;
  for (const auto& [day, is] : days_) octets += is.octets;
  return octets;
}

io::Task<void> TraceLog::keep() {
  for (int round = 0;; round = (round + 1) % kWritesToForget) {
    if (round == 0) co_await forget();
    co_await io::sleep_until(in(1s));
    co_await write_waiting();
  }
}

}  // namespace postern::delivery
