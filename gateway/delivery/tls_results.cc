// TLSRPT: what RFC 8460 wants counted, in rows that hold the standard's own JSON.  Sending it comes later.
#include "gateway/delivery/tls_results.h"

#include <nlohmann/json.hpp>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/io/loop.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using Type = TlsPolicyFound::Type;

constexpr std::string_view kPrefix = "tlsrpt:";
constexpr std::size_t kMaxKeys = 5'000;
constexpr std::size_t kMaxDetails = 50;
constexpr std::size_t kMaxWords = 300;
constexpr std::size_t kRowsAWrite = 500;
constexpr std::size_t kPage = 500;
constexpr auto kSaveEvery = 5s;
constexpr auto kKept = std::chrono::hours(24 * 14);

std::string day_of(Time time) { return rfc3339(time).substr(0, 10); }

std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

// Key of a row: "tlsrpt:<day>:<domain>:<type>"; no domain has a colon in it.
std::string key_of(const std::string& day, const std::string& domain, Type type) {
  return std::string(kPrefix) + day + ":" + domain + ":" + std::string(name(type));
}

std::optional<Type> parse_type(std::string_view text) {
  for (auto type : {Type::none, Type::sts, Type::tlsa}) {
    if (name(type) == text) return type;
  }
  return std::nullopt;
}

std::vector<std::string> texts(const json& of, const char* key) {
  std::vector<std::string> out;
  for (const auto& each : of.value(key, json::array())) {
    if (each.is_string()) out.push_back(each.get<std::string>());
  }
  return out;
}

}  // namespace

std::string_view name(Type type) {
  switch (type) {
    case Type::none: return "no-policy-found";
    case Type::sts: return "sts";
    case Type::tlsa: return "tlsa";
  }
  return "?";
}

void TlsResults::note(const std::string& domain, const TlsPolicyFound& policy, const std::optional<TlsFailure>& failure) {
  ++totals_[static_cast<std::size_t>(policy.type)][failure ? 1 : 0];
  Key key(day_of(clock_.now()), domain, policy.type);
  auto found = counts_.find(key);
  if (found == counts_.end()) {
    forget_old(std::get<0>(key));
    if (counts_.size() >= kMaxKeys) return;
    found = counts_.try_emplace(key).first;
  }
  auto& counts = found->second;
  counts.policy = policy;
  if (!failure) {
    ++counts.successes;
  } else {
    ++counts.failures;
    auto kind = *failure;
    kind.reason = printable(kind.reason, kMaxWords);
    if (counts.details.size() < kMaxDetails || counts.details.contains(kind)) ++counts.details[kind];
  }
  changed_.insert(key);
}

void TlsResults::forget_old(const std::string& today) {
  std::erase_if(counts_, [&](const auto& item) { return std::get<0>(item.first) != today && !changed_.contains(item.first); });
}

std::string TlsResults::row_of(const Key& key, const Counts& counts) const {
  json policy{{"policy-type", name(std::get<2>(key))}, {"policy-domain", std::get<1>(key)}};
  if (!counts.policy.text.empty()) policy["policy-string"] = counts.policy.text;
  if (!counts.policy.mx.empty()) policy["mx-host"] = counts.policy.mx;
  json details = json::array();
  for (const auto& [failure, count] : counts.details) {
    json detail{{"result-type", failure.result}, {"failed-session-count", count}};
    if (!failure.mx.empty()) detail["receiving-mx-hostname"] = failure.mx;
    if (!failure.ip.empty()) detail["receiving-ip"] = failure.ip;
    if (!failure.reason.empty()) detail["failure-reason-code"] = failure.reason;
    details.push_back(std::move(detail));
  }
  json out{{"policy", std::move(policy)},
           {"summary", {{"total-successful-session-count", counts.successes}, {"total-failure-session-count", counts.failures}}}};
  if (!details.empty()) out["failure-details"] = std::move(details);
  return text_of(out);
}

// What was counted before a restart is added to what came since.
void TlsResults::take_row(const store::Row& row) {
  auto parts = split(std::string_view(row.key).substr(kPrefix.size()), ':');
  auto type = parts.size() == 3 ? parse_type(parts[2]) : std::nullopt;
  auto value = json::parse(*row.value, nullptr, false);
  if (!type || !value.is_object()) return;
  try {
    auto& counts = counts_[Key(std::string(parts[0]), std::string(parts[1]), *type)];
    auto policy = value.value("policy", json::object());
    counts.policy.type = *type;
    if (counts.policy.text.empty()) counts.policy.text = texts(policy, "policy-string");
    if (counts.policy.mx.empty()) counts.policy.mx = texts(policy, "mx-host");
    auto summary = value.value("summary", json::object());
    counts.successes += summary.value("total-successful-session-count", std::uint64_t{0});
    counts.failures += summary.value("total-failure-session-count", std::uint64_t{0});
    for (const auto& detail : value.value("failure-details", json::array())) {
      TlsFailure failure{detail.value("result-type", ""), detail.value("receiving-mx-hostname", ""), detail.value("receiving-ip", ""),
                         detail.value("failure-reason-code", "")};
      counts.details[failure] += detail.value("failed-session-count", std::uint64_t{0});
    }
  } catch (const json::exception& damaged) {
    log::error("tlsrpt.row", {{"row", row.key}, {"what", damaged.what()}});
  }
}

io::Task<void> TlsResults::load(store::Store& store) {
  auto prefix = std::string(kPrefix) + day_of(clock_.now()) + ":";
  auto from = prefix;
  for (;;) {
    auto page = co_await store.scan(prefix, from, kPage);
    if (!page) {
      log::error("tlsrpt.load", {{"what", page.error().text}});
      co_return;
    }
    for (const auto& row : *page) take_row(row);
    if (page->size() < kPage) co_return;
    from = page->back().key + '\0';
  }
}

io::Task<void> TlsResults::save(store::Store& store) {
  while (!changed_.empty()) {
    std::vector<store::Row> rows;
    std::vector<Key> keys;
    while (!changed_.empty() && rows.size() < kRowsAWrite) {
      auto key = changed_.extract(changed_.begin()).value();
      auto counts = counts_.find(key);
      if (counts == counts_.end()) continue;
      rows.push_back({key_of(std::get<0>(key), std::get<1>(key), std::get<2>(key)), row_of(key, counts->second)});
      keys.push_back(std::move(key));
    }
    auto written = co_await store.write(std::move(rows));
    if (written.ok()) continue;
    changed_.insert(keys.begin(), keys.end());
    co_return;   // the store says itself that the disk is full
  }
}

io::Task<void> TlsResults::keep(store::Store& store) {
  co_await load(store);
  std::string swept;
  for (;;) {
    auto today = day_of(clock_.now());
    if (today != swept) co_await erase_old(store);
    swept = today;
    co_await io::sleep_until(in(kSaveEvery));
    co_await save(store);
  }
}

io::Task<void> TlsResults::erase_old(store::Store& store) {
  auto first_kept = std::string(kPrefix) + day_of(clock_.now() - kKept);
  for (;;) {
    auto page = co_await store.scan(std::string(kPrefix), std::string(kPrefix), kPage);
    if (!page) co_return;
    std::vector<store::Row> old;
    for (const auto& row : *page) {
      if (row.key < first_kept) old.push_back({row.key, std::nullopt});
    }
    if (old.empty()) co_return;
    auto written = co_await store.write(std::move(old));
    if (!written.ok()) co_return;
  }
}

io::Task<Result<std::vector<std::string>>> tls_reports(store::Store& store, std::string day, std::string organization, std::string contact) {
  auto prefix = std::string(kPrefix) + day + ":";
  auto from = prefix;
  std::map<std::string, json> policies;   // by domain
  for (;;) {
    auto page = co_await store.scan(prefix, from, kPage);
    if (!page) co_return page.error();
    for (const auto& row : *page) {
      auto domain = row.key.substr(prefix.size(), row.key.find(':', prefix.size()) - prefix.size());
      auto value = json::parse(*row.value, nullptr, false);
      if (!value.is_object()) continue;
      auto& list = policies[domain];
      if (list.is_null()) list = json::array();
      list.push_back(std::move(value));
    }
    if (page->size() < kPage) break;
    from = page->back().key + '\0';
  }
  std::vector<std::string> out;
  for (auto& [domain, list] : policies) {
    json range{{"start-datetime", day + "T00:00:00Z"}, {"end-datetime", day + "T23:59:59Z"}};
    json report{{"organization-name", organization}, {"date-range", std::move(range)}, {"contact-info", contact},
                {"report-id", day + "." + domain + "@" + organization}, {"policies", std::move(list)}};
    out.push_back(text_of(report));
  }
  co_return std::move(out);
}

}  // namespace postern::delivery
