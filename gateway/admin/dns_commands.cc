// The DNS records of a domain, and whether they are there.
#include "gateway/admin/dns_commands.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/admin/dns_check.h"
#include "gateway/admin/fresh_resolver.h"
#include "gateway/base/text.h"
#include "gateway/mail/idna.h"
#include "gateway/signing/key_ring.h"

namespace postern::admin {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto kPatience = 60s;

json described(const DnsRecord& record) {
  json out{{"record", std::string(name(record.what))}, {"name", record.name}, {"type", record.type}, {"value", record.value},
           {"needed", record.needed}, {"about", record.about}};
  if (!record.value.empty()) out["zone"] = zone_line(record);
  if (record.type == "TXT") out["strings"] = signing::txt_strings(record.value);
  return out;
}

json advice_row(const DnsWishes& wishes) {
  return {{"record", "DKIM"}, {"name", ""}, {"type", "TXT"}, {"value", ""}, {"needed", true}, {"about", wishes.advice}};
}

json policy_row(const DnsWishes& wishes) {
  return {{"record", "MTA-STS policy"}, {"name", wishes.mta_sts.address}, {"type", "file"}, {"value", wishes.mta_sts.text}, {"needed", false},
          {"about", "to be served there over HTTPS with a valid certificate; mode: enforce once the TLS reports look well"}};
}

json printed(const DnsWishes& wishes) {
  json rows = json::array();
  for (const auto& record : wishes.records) {
    rows.push_back(described(record));
    if (record.what == DnsRecord::What::mta_sts) rows.push_back(policy_row(wishes));
  }
  if (!wishes.advice.empty()) rows.push_back(advice_row(wishes));
  return {{"ok", true}, {"rows", std::move(rows)}};
}

io::Task<json> checked(const config::Config& config, const signing::Keys& keys, std::string domain, DnsWishes wishes) {
  FreshResolver resolver(config);
  auto advice = wishes.advice.empty() ? json() : advice_row(wishes);
  auto findings = co_await check_records(resolver, config, keys, std::move(domain), std::move(wishes), in(kPatience));
  json rows = json::array();
  std::size_t wrong = 0;
  for (const auto& each : findings) {
    auto row = described(each.wanted);
    row["state"] = std::string(name(each.state));
    row["found"] = each.found;
    row["advice"] = each.advice;
    rows.push_back(std::move(row));
    wrong += each.wanted.needed && each.state != DnsFinding::State::ok ? 1 : 0;
  }
  if (advice.is_object()) {
    advice["state"] = "missing";
    advice["found"] = json::array();
    advice["advice"] = advice["about"];
    rows.push_back(std::move(advice));
    ++wrong;
  }
  co_return json{{"ok", true}, {"rows", std::move(rows)}, {"wrong", wrong}};
}

}  // namespace

io::Task<json> run_dns_command(Context& context, json request) {
  const auto& config = *context.config;
  std::string given = request.value("domain", "");
  auto domain = mail::domain_to_ascii(given);
  std::string known;
  bool ours = false;
  for (const auto& each : config.domains) {
    ours = ours || (domain && each.name == *domain);
    known += (known.empty() ? "" : ", ") + each.name;
  }
  if (!ours) co_return failure("\"" + printable(given, 80) + "\" is none of our domains (" + printable(known, 300) + ")");
  std::shared_ptr<const signing::Keys> keys;
  signing::KeyRing own;
  if (context.keys != nullptr) {
    keys = context.keys->keys();
  } else {
    auto loaded = co_await own.load(*context.store);
    if (!loaded) co_return failure(loaded.error().text);
    keys = own.keys();
  }
  auto wishes = wanted_records(config, *keys, *domain, public_addresses());
  if (!request.value("check", false)) co_return printed(wishes);
  auto answer = co_await checked(config, *keys, *domain, std::move(wishes));
  co_return answer;
}

}  // namespace postern::admin
