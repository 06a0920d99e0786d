// DKIM keys from the administrator's side.
#include "gateway/admin/dkim_commands.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "gateway/admin/dkim_keeper.h"
#include "gateway/admin/fresh_resolver.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/mail/idna.h"

namespace postern::admin {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using signing::Algorithm;
using signing::Key;
using signing::Keys;
using signing::State;

constexpr std::size_t kMaxKeys = 20;   // of one domain
constexpr auto kPatience = 30s;        // with DNS

json described(const Key& key, const config::Config& config) {
  json out{{"domain", key.domain},
           {"selector", key.selector},
           {"algorithm", name(key.algorithm)},
           {"state", name(key.state)},
           {"since", rfc3339(key.since)},
           {"created", rfc3339(key.created)},
           {"seen", key.seen == Time() ? json() : json(rfc3339(key.seen))},
           {"forced", key.forced},
           {"problem", key.problem},
           {"record", {{"name", key.record_name()},
                       {"type", "TXT"},
                       {"text", key.record_text()},
                       {"strings", signing::txt_strings(key.record_text())},
                       {"zone", signing::zone_line(key.record_name(), key.record_text())}}}};
  if (key.state == State::retired) out["until"] = rfc3339(key.since + config.dkim.overlap);
  return out;
}

json rows_of(const Keys& keys, const config::Config& config) {
  json rows = json::array();
  for (const auto& key : keys) rows.push_back(described(key, config));
  return {{"ok", true}, {"rows", std::move(rows)}};
}

// "" domain: all of them.
Keys keys_of(const signing::KeyRing& ring, const std::string& domain, const std::string& selector = "") {
  Keys out;
  for (const auto& key : *ring.keys()) {
    if ((domain.empty() || key.domain == domain) && (selector.empty() || key.selector == selector)) out.push_back(key);
  }
  return out;
}

std::string no_key(const std::string& domain, const std::string& selector) {
  return domain + " has no DKIM key" + (selector.empty() ? "; `postern dkim new " + domain + "` makes them" : " " + printable(selector, 80));
}

// The domain as keys are named by it, if it is one of ours.
Result<std::string> our_domain(const config::Config& config, const std::string& text) {
  auto domain = mail::domain_to_ascii(text);
  std::string known = config.hostname;
  for (const auto& each : config.domains) {
    if (domain && each.name == *domain) return *domain;
    known += ", " + each.name;
  }
  if (domain && *domain == config.hostname) return *domain;
  return Error("\"" + printable(text, 80) + "\" is none of our domains (" + printable(known, 300) + ")");
}

io::Task<Result<Key>> made_key(Context& context, std::string domain, std::string selector, Algorithm algorithm) {
  auto now = Clock::system().now();
  auto job = [domain, selector, algorithm, now] { return signing::make_key(domain, selector, algorithm, now); };
  Result<Key> made = co_await context.workers->run(std::move(job));
  co_return made;
}

// The new ones, stored.
io::Task<json> make_keys(Context& context, signing::KeyRing& ring, std::string domain, std::vector<std::pair<std::string, Algorithm>> wanted) {
  Keys made;
  for (const auto& [selector, algorithm] : wanted) {
    auto key = co_await made_key(context, domain, selector, algorithm);
    if (!key) co_return failure(key.error().text);
    made.push_back(std::move(*key));
  }
  for (const auto& key : made) {   // asked again: the making took a while
    if (find(*ring.keys(), domain, key.selector) != nullptr) co_return failure(domain + " has a DKIM key " + key.selector + " already");
  }
  if (keys_of(ring, domain).size() + made.size() > kMaxKeys) {
    co_return failure(domain + " has too many DKIM keys; `postern dkim remove` takes old ones away");
  }
  auto stored = co_await ring.change(*context.store, made, {});
  if (!stored) co_return failure(stored.error().text);
  for (const auto& key : made) log::info("dkim.made", {{"domain", domain}, {"selector", key.selector}, {"by", "administrator"}});
  co_return rows_of(made, *context.config);
}

io::Task<json> make(Context& context, signing::KeyRing& ring, std::string domain, json request) {
  auto base = request.value("selector", "");
  auto algorithm = request.value("algorithm", "both");
  auto canonical = base.empty() ? std::optional<std::string>("") : signing::canonical_selector(base);
  if (!canonical) {
    co_return failure("\"" + printable(base, 80) + "\" is no selector: letters, digits and inner hyphens, at most 63");
  }
  if (algorithm != "both" && algorithm != "rsa" && algorithm != "ed25519") {
    co_return failure("\"" + printable(algorithm, 40) + "\" is no algorithm; rsa, ed25519 or both");
  }
  auto all = ring.keys();
  auto now = Clock::system().now();
  std::vector<std::pair<std::string, Algorithm>> wanted;
  for (auto each : {Algorithm::rsa, Algorithm::ed25519}) {
    bool alone = algorithm == name(each);
    if (!alone && algorithm != "both") continue;
    // The operator's own word is taken as it is; two keys cannot share it.
    bool exact = alone && !canonical->empty();
    wanted.emplace_back(exact ? *canonical : free_selector(*all, domain, *canonical, each, now), each);
  }
  auto answer = co_await make_keys(context, ring, std::move(domain), std::move(wanted));
  co_return answer;
}

// Successors, as the schedule would make them.
io::Task<json> rotate(Context& context, signing::KeyRing& ring, std::string domain) {
  auto all = ring.keys();
  auto now = Clock::system().now();
  std::vector<std::pair<std::string, Algorithm>> wanted;
  for (const auto& key : *all) {
    if (key.domain != domain) continue;
    if (key.state == State::waiting) co_return failure("the key " + key.selector + " of " + domain + " still waits for its record; `postern dkim show " +
                                                       domain + "` prints it, `postern dkim remove` gives it up");
    if (key.state == State::active) wanted.emplace_back(free_selector(*all, domain, "", key.algorithm, now), key.algorithm);
  }
  if (wanted.empty()) co_return failure(domain + " is not signed yet; `postern dkim new " + domain + "` makes the first keys");
  auto answer = co_await make_keys(context, ring, std::move(domain), std::move(wanted));
  co_return answer;
}

io::Task<json> check(Context& context, signing::KeyRing& ring, std::string domain) {
  auto keys = keys_of(ring, domain);
  if (keys.empty()) co_return failure(domain.empty() ? "there is no DKIM key" : no_key(domain, ""));
  FreshResolver resolver(*context.config);
  Mail nobody = [](const std::vector<signing::Note>&) { return std::vector<store::Item>(); };   // the operator sees it himself
  auto looked = co_await look_for_keys(*context.store, ring, resolver, std::move(keys), Clock::system().now(), std::move(nobody), in(kPatience));
  if (!looked) co_return failure(looked.error().text);
  co_return rows_of(keys_of(ring, domain), *context.config);
}

io::Task<json> use(Context& context, signing::KeyRing& ring, Key key, bool force) {
  if (key.state == State::ended) co_return failure("the key " + key.selector + " has ended and is destroyed; `postern dkim new` makes another");
  if (!force) {
    auto checked = co_await check(context, ring, key.domain);
    if (!checked.value("ok", false)) co_return checked;
    auto all = ring.keys();
    const auto* now = find(*all, key.domain, key.selector);
    if (now == nullptr) co_return failure(no_key(key.domain, key.selector));
    if (!now->problem.empty()) co_return failure(now->problem + "; --force signs with it all the same");
    key = *now;
  }
  auto changes = forced(*ring.keys(), key, Clock::system().now());
  changes.put.back().forced = force;
  auto stored = co_await ring.change(*context.store, std::move(changes.put), {});
  if (!stored) co_return failure(stored.error().text);
  log::info("dkim.use", {{"domain", key.domain}, {"selector", key.selector}, {"forced", force ? "yes" : "no"}, {"by", "administrator"}});
  co_return rows_of(keys_of(ring, key.domain), *context.config);
}

io::Task<json> remove(Context& context, signing::KeyRing& ring, Key key, bool force) {
  if (key.state == State::active && !force) {
    co_return failure("mail of " + key.domain + " is signed with " + key.selector + "; --force removes it all the same");
  }
  Keys gone{key};
  auto stored = co_await ring.change(*context.store, {}, std::move(gone));
  if (!stored) co_return failure(stored.error().text);
  log::info("dkim.removed", {{"domain", key.domain}, {"selector", key.selector}, {"state", std::string(name(key.state))}, {"by", "administrator"}});
  Keys shown{key};
  co_return rows_of(shown, *context.config);
}

io::Task<json> on_ring(Context& context, signing::KeyRing& ring, json request) {
  std::string command = request.value("command", "");
  std::string given = request.value("domain", "");
  std::string domain;
  if (!given.empty()) {
    bool makes = command == "dkim new";
    auto ours = our_domain(*context.config, given);
    if (!ours && makes) co_return failure(ours.error().text);
    // Keys outlive a domain's place in the configuration.
    domain = ours ? *ours : mail::domain_to_ascii(given).value_or(given);
  }
  auto selector = ascii_lowered(request.value("selector", ""));
  json answer;
  if (command == "dkim list") co_return rows_of(keys_of(ring, domain), *context.config);
  if (command == "dkim check") {
    answer = co_await check(context, ring, domain);
    co_return answer;
  }
  if (domain.empty()) co_return failure(command + " needs a domain");
  if (command == "dkim new") {
    answer = co_await make(context, ring, domain, std::move(request));
    co_return answer;
  }
  auto keys = keys_of(ring, domain, selector);
  if (keys.empty()) co_return failure(no_key(domain, selector));
  if (command == "dkim show") co_return rows_of(keys, *context.config);
  bool force = request.value("force", false);
  if (command == "dkim rotate") {
    answer = co_await rotate(context, ring, domain);
  } else if (selector.empty()) {
    answer = failure(command + " needs a selector");
  } else if (command == "dkim use") {
    answer = co_await use(context, ring, keys.front(), force);
  } else if (command == "dkim remove") {
    answer = co_await remove(context, ring, keys.front(), force);
  } else {
    answer = failure("unknown command " + command);
  }
  co_return answer;
}

}  // namespace

io::Task<json> run_dkim_command(Context& context, json request) {
  json answer;
  if (context.keys != nullptr) {
    answer = co_await on_ring(context, *context.keys, std::move(request));
    co_return answer;
  }
  signing::KeyRing ring;
  auto loaded = co_await ring.load(*context.store);
  if (!loaded) co_return failure(loaded.error().text);
  answer = co_await on_ring(context, ring, std::move(request));
  co_return answer;
}

}  // namespace postern::admin
