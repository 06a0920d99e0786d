// `postern tlsrpt`.
#include "gateway/admin/tlsrpt_command.h"

#include <nlohmann/json.hpp>

#include "gateway/base/clock.h"
#include "gateway/base/text.h"
#include "gateway/config/config.h"
#include "gateway/delivery/tls_results.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;

// "2026-11-30"; the digits are not weighed: of a day that never was there is no report.
bool is_day(std::string_view text) {
  if (text.size() != 10) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 4 || i == 7 ? text[i] != '-' : !is_digit(text[i])) return false;
  }
  return true;
}

}  // namespace

io::Task<json> run_tlsrpt_command(Context& context, json request) {
  std::string day = request.value("day", "");
  if (day.empty()) day = rfc3339(Clock::system().now()).substr(0, 10);
  if (!is_day(day)) co_return failure("\"" + printable(day, 40) + "\" is no day such as 2026-11-30");
  const auto& hostname = context.config->hostname;
  auto reports = co_await delivery::tls_reports(*context.store, day, hostname, "postmaster@" + hostname);
  if (!reports) co_return failure(reports.error().text);
  json rows = json::array();
  for (const auto& report : *reports) rows.push_back(json::parse(report));
  co_return json{{"ok", true}, {"rows", std::move(rows)}};
}

}  // namespace postern::admin
