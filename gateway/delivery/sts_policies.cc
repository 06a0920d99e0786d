// MTA-STS: from a domain's name to what must hold for its mail hosts, with the store as memory.
#include "gateway/delivery/sts_policies.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/io/together.h"
#include "gateway/mail/blob.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;
using smtp_client::StsPolicy;
using Trouble = StsPolicies::Found::Trouble;

constexpr std::string_view kPrefix = "sts:";
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kMaxKnown = 10'000;   // in memory; the others are in the store
constexpr auto kLookUp = 30s;
constexpr auto kFetch = 30s;
constexpr auto kPause = 5min;               // RFC 8461 3.3: behind a failure
constexpr auto kRefresh = 24h;              // a policy is fetched anew though its id is the old one
constexpr auto kSweep = 6h;
constexpr std::size_t kPage = 500;

std::string url_of(const std::string& domain) { return "https://mta-sts." + domain + "/.well-known/mta-sts.txt"; }

std::string encode(const std::string& id, const StsPolicy& policy, Time fetched) {
  std::string out;
  mail::put_number(out, kVersion);
  mail::put_number(out, static_cast<std::uint64_t>(to_unix(fetched)));
  mail::put_text(out, id);
  std::string text;
  for (const auto& line : policy.lines) text += line + "\n";
  mail::put_text(out, text);
  return out;
}

}  // namespace

StsPolicies::Found read_sts_answer(const std::string& domain, const io::HttpsAnswer& answer) {
  StsPolicies::Found out;
  auto fail = [&](Trouble trouble, const std::string& why) {
    out.trouble = trouble;
    out.words = url_of(domain) + ": " + why;
    return out;
  };
  if (answer.kind == io::HttpsAnswer::Kind::not_trusted) return fail(Trouble::not_trusted, answer.problem);
  if (answer.kind == io::HttpsAnswer::Kind::too_large) return fail(Trouble::invalid, answer.problem);
  if (answer.kind != io::HttpsAnswer::Kind::answered) return fail(Trouble::fetch, answer.problem);
  // 3.3: no redirect is followed, and nothing but 200 is a policy.
  if (answer.status != 200) return fail(Trouble::fetch, "the answer is " + std::to_string(answer.status) + ", and only 200 counts");
  auto type = trimmed(std::string_view(answer.content_type).substr(0, answer.content_type.find(';')));
  if (!iequals(type, "text/plain")) return fail(Trouble::invalid, "its type is \"" + printable(type, 80) + "\" and not text/plain");
  auto policy = smtp_client::parse_sts_policy(answer.body);
  if (!policy) return fail(Trouble::invalid, policy.error().text);
  out.policy = std::move(*policy);
  return out;
}

StsPolicies::KnownPtr StsPolicies::known_for(const std::string& domain) {
  if (auto found = known_.find(domain); found != known_.end()) return found->second;
  if (known_.size() >= kMaxKnown) std::erase_if(known_, [](const auto& item) { return !item.second->fetching; });
  auto made = std::make_shared<Known>();
  known_.emplace(domain, made);
  return made;
}

bool StsPolicies::holds(const Known& known) const {
  return known.policy && parts_.clock->now() < known.fetched + known.policy->max_age;
}

StsPolicies::Found StsPolicies::in_force(const Known& known) const {
  Found out;
  if (holds(known)) out.policy = known.policy;
  out.trouble = known.trouble;
  out.words = known.words;
  return out;
}

io::Task<StsPolicies::Found> StsPolicies::find(std::string domain) {
  auto known = known_for(domain);
  if (!known->read) co_await read_row(domain, known);
  auto answer = co_await parts_.resolver.query("_mta-sts." + domain, dns::Type::txt, in(kLookUp));
  auto id = smtp_client::sts_id(answer.records);
  if (!id) {
    Found out;   // that there was a newer one means nothing any more
    if (holds(*known)) out.policy = known->policy;
    co_return std::move(out);
  }
  bool newest = holds(*known) && known->id == *id;
  if (newest && parts_.clock->now() < known->fetched + kRefresh) co_return in_force(*known);
  begin_fetch(domain, *id, known);
  for (auto end = in(2 * kFetch); !newest && known->fetching && in(0s) < end;) co_await known->fetched_now.wait(end);
  co_return in_force(*known);
}

void StsPolicies::begin_fetch(const std::string& domain, const std::string& id, const KnownPtr& known) {
  if (known->fetching || in(0s) < known->not_before) return;
  known->fetching = true;
  parts_.loop.spawn(fetch(domain, id, known), "sts.fetch");
}

io::Task<void> StsPolicies::fetch(std::string domain, std::string id, KnownPtr known) {
  auto answer = co_await get(domain);
  auto found = read_sts_answer(domain, answer);
  known->trouble = found.trouble;
  known->words = found.words;
  if (found.policy) {
    known->id = id;
    known->policy = std::move(found.policy);
    known->fetched = parts_.clock->now();
    known->not_before = {};
    log::info("sts.policy", {{"domain", domain}, {"id", id}});
    co_await write_row(domain, known);
  } else {
    known->not_before = in(kPause);
    log::warning("sts.fetch", {{"domain", domain}, {"what", known->words}, {"kept", holds(*known) ? "the old policy" : "none"}});
  }
  known->fetching = false;
  known->fetched_now.notify();
}

io::Task<io::HttpsAnswer> StsPolicies::get(std::string domain) {
  auto end = in(kFetch);
  io::HttpsRequest request;
  request.host = "mta-sts." + domain;
  request.path = "/.well-known/mta-sts.txt";
  request.trust = parts_.trust;
  std::vector<io::Task<dns::Answer>> questions;
  questions.push_back(parts_.resolver.query(request.host, dns::Type::aaaa, end));
  questions.push_back(parts_.resolver.query(request.host, dns::Type::a, end));
  auto answers = co_await io::together(std::move(questions));
  for (const auto& answer : answers) {
    for (const auto& record : answer.records) request.addresses.push_back(record.address);
  }
  if (request.addresses.size() > 10) request.addresses.resize(10);
  auto out = co_await parts_.fetch(std::move(request), end);
  co_return out;
}

io::Task<void> StsPolicies::read_row(std::string domain, KnownPtr known) {
  auto row = co_await parts_.store.get(std::string(kPrefix) + domain);
  if (!row) {   // asked anew next time
    log::error("sts.read", {{"domain", domain}, {"what", row.error().text}});
    co_return;
  }
  if (std::exchange(known->read, true) || !*row) co_return;
  mail::BlobReader reader(**row);
  bool is_ours = reader.number() == kVersion;
  auto fetched = reader.number(1ULL << 40);
  std::string id(reader.text());
  auto policy = smtp_client::parse_sts_policy(reader.text());
  if (!is_ours || !reader.ok() || !policy || known->policy) co_return;
  known->fetched = from_unix(static_cast<std::int64_t>(fetched));
  known->id = std::move(id);
  known->policy = std::move(*policy);
}

io::Task<void> StsPolicies::write_row(std::string domain, KnownPtr known) {
  std::vector<store::Row> rows;
  rows.push_back({std::string(kPrefix) + domain, encode(known->id, *known->policy, known->fetched)});
  auto written = co_await parts_.store.write(std::move(rows));
  if (!written.ok()) log::warning("sts.unsaved", {{"domain", domain}, {"what", written.text}});
}

io::Task<void> StsPolicies::keep() {
  for (;;) {
    co_await io::sleep_until(in(kSweep));
    co_await erase_old();
  }
}

io::Task<void> StsPolicies::erase_old() {
  std::string from(kPrefix);
  for (;;) {
    auto page = co_await parts_.store.scan(std::string(kPrefix), from, kPage);
    if (!page) co_return;
    std::vector<store::Row> over;
    for (const auto& row : *page) {
      mail::BlobReader reader(*row.value);
      reader.number();
      auto fetched = from_unix(static_cast<std::int64_t>(reader.number(1ULL << 40)));
      reader.text();
      auto policy = smtp_client::parse_sts_policy(reader.text());
      if (!policy || parts_.clock->now() >= fetched + policy->max_age) over.push_back({row.key, std::nullopt});
    }
    bool last = page->size() < kPage;
    if (!last) from = page->back().key + '\0';
    if (!over.empty()) co_await parts_.store.write(std::move(over));
    if (last) co_return;
  }
}

}  // namespace postern::delivery
