// Who takes the mail of an address.
#include "gateway/directory/directory.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/directory/domains.h"
#include "gateway/directory/own_hosts.h"
#include "gateway/mail/address.h"
#include "gateway/mail/idna.h"

namespace postern::directory {
namespace {

constexpr std::size_t kMaxLogin = 320;     // 64 + '@' + 255, RFC 5321 4.5.3.1
constexpr std::size_t kMaxAddress = 1000;  // quotes and escapes included; longer is nobody's

// The local part of `text` without quotes and escapes, RFC 5321 4.1.2; nullopt: badly quoted.
std::optional<std::string> unquoted(std::string_view text) {
  if (!text.starts_with('"')) return std::string(text);
  if (text.size() < 2 || !text.ends_with('"')) return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') return std::nullopt;
    if (text[i] == '\\' && ++i == text.size()) return std::nullopt;
    out += text[i];
  }
  return out;
}

Resolution of_kind(Resolution::Kind kind) {
  Resolution out;
  out.kind = kind;
  return out;
}

Resolution not_ours(std::string_view domain) {
  auto out = of_kind(Resolution::Kind::not_ours);
  out.domain = domain;
  return out;
}

Resolution taken_by(const store::Account& account, Resolution::By by) {
  Resolution out;
  out.kind = Resolution::Kind::account;
  out.by = by;
  out.account_address = account.address;
  bool goes_on = has_own_hosts(account);
  if (goes_on) {
    out.kind = Resolution::Kind::onward;
    out.domain = account.address;
  }
  if (!goes_on || by == Resolution::By::postmaster) out.account = account.id;
  return out;
}

// `base` is `local` without its tag.
Resolution taken_by(const store::Account& account, std::string_view base, std::string_view local) {
  bool tagged = base.size() < local.size();
  auto out = taken_by(account, tagged ? Resolution::By::tag : Resolution::By::address);
  if (tagged) out.tag = local.substr(base.size() + 1);
  return out;
}

// What a token of a list's address is good for.
std::string list_purpose(std::string_view list, ListRole role) {
  return "list:" + std::string(suffix(role)) + ":" + std::string(list) + ":";
}

bool is_dot_string(std::string_view local) {
  if (local.empty() || local.size() > 64 || local.front() == '.' || local.back() == '.') return false;
  for (unsigned char c : local) {
    if (c <= 0x20 || c == 0x7F || std::string_view("()<>[]:;@\\,\"").find(static_cast<char>(c)) != std::string_view::npos) return false;
  }
  return local.find("..") == std::string_view::npos && is_utf8(local);
}

}  // namespace

Directory::Directory(const config::Config& config, store::Store& store, const Clock& clock)
    : store_(store), clock_(clock), keys_(clock) {
  configure(config);
}

void Directory::configure(const config::Config& config) {
  auto domains = std::make_shared<Domains>();
  auto address_of = [](const std::string& text) {
    auto at = text.rfind('@');
    if (at == std::string::npos) return std::string();
    return text.substr(0, at + 1) + mail::domain_to_ascii(text.substr(at + 1)).value_or("");
  };
  for (const auto& domain : config.domains) {
    auto name = mail::domain_to_ascii(domain.name);
    if (!name) continue;   // the loader has refused it
    if (!domain.relay.hosts.empty()) domains->onward.insert(*name);
    if (domains->catch_all.emplace(*name, address_of(domain.catch_all)).second) domains->names.push_back(*name);
  }
  domains->hostname = mail::domain_to_ascii(config.hostname).value_or("");
  domains->postmaster = address_of(config.postmaster);
  domains->srs_domain = config.forward.srs_domain;
  CHECK(!domains->names.empty());
  std::lock_guard lock(mutex_);
  domains_ = std::move(domains);
}

std::shared_ptr<const Directory::Domains> Directory::current() const {
  std::lock_guard lock(mutex_);
  return domains_;
}

std::vector<std::string> Directory::domains() const { return current()->names; }

std::string Directory::postmaster_address() const {
  auto domains = current();
  return domains->postmaster.empty() ? "postmaster@" + domains->names.front() : domains->postmaster;
}

bool Directory::is_ours(std::string_view domain) const {
  auto name = mail::domain_to_ascii(domain);
  return name && current()->catch_all.contains(*name);
}

io::Task<Status> Directory::load() {
  auto addresses = co_await addresses_.load(store_);
  if (!addresses) co_return addresses;
  auto lists = co_await lists_.load(store_);
  co_return lists;
}

io::Task<Status> Directory::prepare() {
  auto loaded = co_await load();
  if (!loaded) co_return loaded;
  auto keys = co_await keys_.prepare(store_);
  if (!keys) co_return keys;
  auto domains = current();
  if (postmaster(*domains, domains->names.front())) co_return Status();
  store::Account account;
  account.address = "postmaster@" + domains->names.front();
  account.created = clock_.now();
  auto made = co_await store_.create_account(account);
  if (!made.ok() && made.outcome != store::Outcome::exists) {
    co_return Status(Error("the account " + account.address + " cannot be made: " + made.text));
  }
  log::info("directory.postmaster", {{"account", account.address}, {"why", "no administrator and no postmaster configured"}});
  co_return Status();
}

std::optional<store::Account> Directory::postmaster(const Domains& domains, std::string_view domain) const {
  if (auto own = store_.account("postmaster@" + std::string(domain))) return own;
  if (!domains.postmaster.empty()) {
    if (auto configured = store_.account(domains.postmaster)) return configured;
  }
  std::optional<store::Account> first;
  for (auto& account : store_.accounts()) {
    if (account.admin && (!first || account.id < first->id)) first = std::move(account);
  }
  if (first) return first;
  return store_.account("postmaster@" + domains.names.front());
}

Resolution Directory::resolve(std::string_view address) const {
  if (address.size() > kMaxAddress) return of_kind(Resolution::Kind::malformed);
  auto at = address.rfind('@');
  auto local = unquoted(address.substr(0, at));
  if (!local) return of_kind(Resolution::Kind::malformed);
  return resolve(*local, at == std::string_view::npos ? std::string_view() : address.substr(at + 1));
}

Directory::View Directory::view() const { return {current(), addresses_.current(), lists_.current()}; }

Resolution Directory::resolve(std::string_view local, std::string_view domain) const {
  auto now = view();
  auto canonical = ascii_lowered(local);
  if (domain.empty()) {
    if (canonical != "postmaster") return of_kind(Resolution::Kind::malformed);
    return resolve_in(now, canonical, now.domains->names.front());
  }
  if (local.empty() || domain.starts_with('[')) {
    // An address literal names a host, and we take mail for domains only; RFC 5321 4.1.3.
    return local.empty() ? of_kind(Resolution::Kind::malformed) : not_ours(domain);
  }
  auto name = mail::domain_to_ascii(domain);
  if (!name) return of_kind(Resolution::Kind::malformed);
  if (istarts_with(local, "SRS") && now.domains->catch_all.contains(*name)) {
    auto bounce = returned(local);
    if (bounce.kind != Resolution::Kind::malformed) return bounce;
  }
  return resolve_in(now, canonical, *name);
}

// Of kind malformed: it is no address of what we sent on.
Resolution Directory::returned(std::string_view local) const {
  using Kind = Srs::Returned::Kind;
  auto srs = keys_.current();
  auto read = srs ? srs->read(local, clock_.now()) : Srs::Returned();
  Resolution out;
  if (read.kind == Kind::forged) out.kind = Resolution::Kind::forged;
  if (read.kind == Kind::expired) out.kind = Resolution::Kind::expired;
  if (read.kind != Kind::good) return out;
  out.kind = Resolution::Kind::returned;
  out.original = read.to.text();
  return out;
}

std::optional<Resolution> Directory::alias_in(const View& view, std::string_view local, std::string_view base, std::string_view domain) const {
  std::string behind = "@" + std::string(domain);
  Resolution out;
  out.kind = Resolution::Kind::alias;
  for (auto name : {local, base}) {
    out.account_address = std::string(name) + behind;
    if (!view.addresses->aliases.contains(out.account_address)) continue;
    if (name.size() < local.size()) out.tag = local.substr(name.size() + 1);
    out.by = out.tag.empty() ? Resolution::By::address : Resolution::By::tag;
    return out;
  }
  return std::nullopt;
}

// Nothing: no list has this address.
std::optional<Resolution> Directory::list_in(const View& view, std::string_view local, std::string_view domain) const {
  if (view.lists->empty()) return std::nullopt;
  auto plus = local.find('+');
  auto base = local.substr(0, plus);
  std::string behind = "@" + std::string(domain);
  Resolution out;
  out.kind = Resolution::Kind::list;
  out.account_address = std::string(base) + behind;
  if (!view.lists->contains(out.account_address)) {
    auto parts = split_list_local(base);
    out.account_address = std::string(parts.list) + behind;
    out.list_role = parts.role;
    if (parts.role == ListRole::post || !view.lists->contains(out.account_address)) return std::nullopt;
  }
  if (plus == std::string_view::npos) return out;
  out.tag = local.substr(plus + 1);
  out.by = Resolution::By::tag;
  bool has_token = out.list_role == ListRole::bounces || out.list_role == ListRole::subscribe || out.list_role == ListRole::unsubscribe;
  if (!has_token) return out;
  using Kind = Srs::Returned::Kind;
  auto srs = keys_.current();
  auto read = srs ? srs->read_token(list_purpose(out.account_address, out.list_role), out.tag, clock_.now()) : Srs::Returned();
  if (read.kind == Kind::expired) return of_kind(Resolution::Kind::expired);
  if (read.kind != Kind::good) return of_kind(Resolution::Kind::forged);
  out.original = read.to.text();
  return out;
}

std::optional<std::string> Directory::list_address_for(std::string_view list, ListRole role, std::string_view member) const {
  auto srs = keys_.current();
  auto path = mail::parse_address(member);
  auto token = srs && path ? srs->token(list_purpose(list, role), *path, clock_.now()) : std::nullopt;
  if (!token) return std::nullopt;
  auto at = list.rfind('@');
  mail::Path out;
  out.local = std::string(list.substr(0, at)) + std::string(suffix(role)) + "+" + *token;
  out.domain = list.substr(at + 1);
  if (out.bracketed().size() > mail::kMaxPath) return std::nullopt;
  return out.text();
}

// `address` is in canonical form.
Resolution Directory::resolve_in(const View& view, std::string_view address) const {
  auto at = address.rfind('@');
  auto local = unquoted(address.substr(0, at));
  if (!local || at == std::string_view::npos) return of_kind(Resolution::Kind::malformed);
  auto domain = address.substr(at + 1);
  return domain.starts_with('[') ? not_ours(domain) : resolve_in(view, ascii_lowered(*local), domain);
}

Resolution Directory::resolve_in(const View& view, std::string_view local, std::string_view domain) const {
  const auto& domains = *view.domains;
  auto ours = domains.catch_all.find(domain);
  bool our_host = domain == domains.hostname;
  if (ours == domains.catch_all.end() && !our_host) return not_ours(domain);

  auto plus = local.find('+');
  auto base = plus == std::string_view::npos || plus == 0 ? local : local.substr(0, plus);
  if (domains.onward.contains(domain)) {
    auto account = store_.account(std::string(base) + "@" + std::string(domain));
    if (account && !account->deliver.empty()) return taken_by(*account, base, local);
    auto alias = alias_in(view, local, base, domain);
    if (!alias) alias = list_in(view, local, domain);
    return alias ? *alias : goes_on(domains, base, domain);
  }
  if (base == "postmaster") {
    auto taker = postmaster(domains, domain);
    return taker ? taken_by(*taker, Resolution::By::postmaster) : of_kind(Resolution::Kind::unavailable);
  }
  if (ours == domains.catch_all.end()) return not_ours(domain);

  std::string behind = "@" + std::string(domain);
  if (auto exact = store_.account(std::string(local) + behind)) return taken_by(*exact, Resolution::By::address);
  auto alias = alias_in(view, local, base, domain);
  if (alias && alias->by == Resolution::By::address) return *alias;
  if (base.size() < local.size()) {
    if (auto tagged = store_.account(std::string(base) + behind)) return taken_by(*tagged, base, local);
  }
  if (alias) return *alias;
  if (auto list = list_in(view, local, domain)) return *list;
  if (!ours->second.empty()) {
    if (auto taker = store_.account(ours->second)) return taken_by(*taker, Resolution::By::catch_all);
    if (view.addresses->aliases.contains(ours->second)) {
      auto out = of_kind(Resolution::Kind::alias);
      out.by = Resolution::By::catch_all;
      out.account_address = ours->second;
      return out;
    }
    // Refusing would bounce what the administrator promised to take.
    log::warning("directory.catch_all", {{"domain", std::string(domain)}, {"what", "there is no account and no alias " + ours->second}});
    return of_kind(Resolution::Kind::unavailable);
  }
  return of_kind(Resolution::Kind::unknown_user);
}

Resolution Directory::goes_on(const Domains& domains, std::string_view base, std::string_view domain) const {
  auto out = of_kind(Resolution::Kind::onward);
  out.domain = domain;
  out.account_address = std::string(base) + "@" + std::string(domain);
  if (base != "postmaster") return out;
  if (auto taker = postmaster(domains, domain)) {
    out.account = taker->id;
    out.account_address = taker->address;
  }
  return out;
}

bool Directory::may_send_as(const store::Account& account, std::string_view address) const {
  auto whose = resolve(address);
  if (whose.kind == Resolution::Kind::onward) return whose.account_address == account.address && whose.by != Resolution::By::catch_all;
  if (whose.kind == Resolution::Kind::alias && whose.by != Resolution::By::catch_all) {
    auto takers = expand(whose, address).targets;
    return std::any_of(takers.begin(), takers.end(), [&](const Expansion::Target& taker) { return taker.account_address == account.address; });
  }
  return whose.found() && whose.account == account.id && whose.by != Resolution::By::catch_all;
}

Result<std::string> Directory::account_address(std::string_view text) const {
  std::string shown = "\"" + printable(text, 100) + "\"";
  auto at = text.rfind('@');
  if (at == std::string_view::npos) return Error(shown + " is no address: it has no '@'");
  auto local = ascii_lowered(text.substr(0, at));
  if (!is_dot_string(local)) return Error(shown + " is no address: the part before the '@' is not valid");
  if (local.find('+') != std::string::npos) return Error(shown + ": '+' separates a user from a tag and cannot be in an account's name");
  auto domain = mail::domain_to_ascii(text.substr(at + 1));
  auto domains = current();
  if (!domain || !domains->catch_all.contains(*domain)) {
    std::string known = join(domains->names, ", ");
    return Error(shown + " is in none of our domains (" + printable(known, 300) + ")");
  }
  return local + "@" + *domain;
}

std::string Directory::login_address(std::string_view login) const {
  login = trimmed(login).substr(0, kMaxLogin);
  auto at = login.rfind('@');
  if (at == std::string_view::npos) return ascii_lowered(login) + "@" + current()->names.front();
  auto domain = mail::domain_to_ascii(login.substr(at + 1));
  return ascii_lowered(login.substr(0, at)) + "@" + (domain ? *domain : ascii_lowered(login.substr(at + 1)));
}

}  // namespace postern::directory
