// When the last backup was made.
#include "gateway/admin/backups.h"

#include <nlohmann/json.hpp>

#include "gateway/base/log.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;
constexpr std::string_view kKey = "backup:last";

}  // namespace

io::Task<Result<LastBackup>> load_last_backup(store::Store& store) {
  auto value = co_await store.get(std::string(kKey));
  if (!value) co_return value.error();
  LastBackup last;
  auto parsed = *value ? json::parse(**value, nullptr, false) : json();
  if (!parsed.is_object()) co_return last;
  last.moment = Time(std::chrono::microseconds(parsed.value("moment_us", std::int64_t{0})));
  last.folder = parsed.value("folder", "");
  last.octets = parsed.value("octets", std::uint64_t{0});
  last.new_octets = parsed.value("new_octets", std::uint64_t{0});
  last.pause = std::chrono::microseconds(parsed.value("pause_us", std::int64_t{0}));
  co_return last;
}

io::Task<json> remember_backup(Context& context, json request, std::chrono::microseconds pause) {
  LastBackup last;
  last.moment = Time(std::chrono::microseconds(request.value("moment_us", std::int64_t{0})));
  last.folder = request.value("folder", "");
  last.octets = request.value("octets", std::uint64_t{0});
  last.new_octets = request.value("new_octets", std::uint64_t{0});
  last.pause = pause;
  json kept{{"moment_us", last.moment.time_since_epoch().count()}, {"folder", last.folder}, {"octets", last.octets},
            {"new_octets", last.new_octets}, {"pause_us", pause.count()}};
  store::Row row;
  row.key = kKey;
  row.value = kept.dump(-1, ' ', false, json::error_handler_t::replace);
  std::vector<store::Row> rows;
  rows.push_back(std::move(row));
  log::info("backup", {{"folder", last.folder}, {"octets", std::to_string(last.octets)}, {"new_octets", std::to_string(last.new_octets)},
                       {"pause_us", std::to_string(pause.count())}});
  if (context.last_backup != nullptr) *context.last_backup = last;
  auto written = co_await context.store->write(std::move(rows));
  // The backup is there all the same; only its date is not, after the next start.
  if (!written.ok()) log::warning("backup.unnoted", {{"what", written.text}});
  co_return json{{"ok", true}};
}

}  // namespace postern::admin
