// Questions to directories: which server, over which connection, and what an answer is worth.
#include "gateway/directory/ldap.h"

#include <algorithm>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/config/ldap_filter.h"
#include "gateway/directory/passwords.h"

namespace postern::directory {
namespace {

using namespace std::chrono_literals;
using Kind = LdapAnswer::Kind;
using Outcome = LdapOutcome::Kind;

constexpr auto kSilence = 30s;
constexpr auto kPause = 5s;
constexpr auto kPauseRefused = 60s;     // some servers lock an account out after a few wrong passwords, ours too
constexpr auto kKept = 60s;             // firewalls forget idle connections without a word
constexpr std::size_t kMaxKept = 8;
constexpr std::size_t kMaxWaiting = 500;
constexpr std::size_t kThreads = 8;      // of a directory

LdapAnswer answer(Kind kind, std::string words = {}) {
  LdapAnswer out;
  out.kind = kind;
  out.words = std::move(words);
  return out;
}

// All that says who is found.
std::string key_of(const config::Ldap& settings) {
  std::string all = join(settings.urls, " ");
  for (const auto* part : {&settings.bind_dn, &settings.password_file, &settings.base, &settings.recipient_filter, &settings.login_filter, &settings.ca_file}) {
    all += '\n' + *part;
  }
  all += "\n" + std::string(config::name(settings.tls)) + "\n" + std::to_string(settings.timeout.count());
  return "ldap:" + hex(sha256(settings.name + "\n" + all).substr(0, 8));
}

}  // namespace

Ldap::Ldap(config::Ldap settings, io::WorkerPool& workers) : settings_(std::move(settings)), workers_(workers), key_(key_of(settings_)) {
  for (const auto& url : settings_.urls) servers_.push_back({url});
}

Ldap::State Ldap::state() const {
  std::lock_guard lock(mutex_);
  return state_;
}

bool Ldap::is_closed(std::string& why) const {
  std::lock_guard lock(mutex_);
  why = state_.problem;
  return std::chrono::steady_clock::now() < closed_until_;
}

// Counts a question until its job is gone, however that ends.
std::shared_ptr<Ldap> Ldap::turn() {
  ++waiting_;
  auto self = shared_from_this();
  return {self.get(), [self](Ldap*) { --self->waiting_; }};
}

void Ldap::try_again() {
  std::lock_guard lock(mutex_);
  closed_until_ = {};
}

io::Task<LdapAnswer> Ldap::find(std::string address) {
  std::string why;
  if (is_closed(why)) co_return answer(Kind::unsure, std::move(why));
  if (waiting_ >= kMaxWaiting) co_return answer(Kind::unsure, "too many questions wait for the directory already");
  auto job = [turn = turn(), address = std::move(address)] { return turn->find_now(address); };
  auto out = co_await workers_.run(std::move(job));
  co_return out;
}

io::Task<LdapAnswer> Ldap::check_password(std::string address, std::string password, std::function<bool()> still) {
  if (password.empty()) co_return answer(Kind::no, "an empty password");
  std::string why;
  if (is_closed(why)) co_return answer(Kind::unsure, std::move(why));
  if (waiting_ >= kMaxWaiting) co_return answer(Kind::unsure, "too many questions wait for the directory already");
  auto job = [turn = turn(), address = std::move(address), password = std::move(password), still = std::move(still)] {
    return still() ? turn->check_now(address, password) : answer(Kind::too_late);
  };
  auto out = co_await workers_.run(std::move(job));
  co_return out;
}

LdapAnswer Ldap::find_now(const std::string& address) {
  std::string why;
  if (is_closed(why)) return answer(Kind::unsure, std::move(why));   // it waited while others found out
  auto filter = config::filled_filter(settings_.recipient_filter, address);
  auto found = ask(Purpose::search, [&](LdapConnection& connection) { return connection.search(filter, 2); });
  if (found.kind != Outcome::done) return answer(Kind::unsure, std::move(found.words));
  return found.entries > 0 ? answer(Kind::yes) : answer(Kind::no, "nobody in the directory \"" + settings_.name + "\" has this address");
}

LdapAnswer Ldap::check_now(const std::string& address, const std::string& password) {
  std::string why;
  if (is_closed(why)) return answer(Kind::unsure, std::move(why));
  auto filter = config::filled_filter(settings_.login_filter, address);
  auto found = ask(Purpose::search, [&](LdapConnection& connection) { return connection.search(filter, 2); });
  if (found.kind != Outcome::done) return answer(Kind::unsure, std::move(found.words));
  std::string problem;
  if (found.entries > 1) problem = "login_filter of [ldap." + settings_.name + "] finds more than one entry for " + printable(address);
  if (found.entries == 1 && found.dn.empty()) problem = "login_filter of [ldap." + settings_.name + "] finds the root for " + printable(address);
  if (!problem.empty()) log::warning("ldap.ambiguous", {{"directory", settings_.name}, {"what", problem}});
  // Who is not there costs a bind as well, or an answer's time would tell who is.
  bool somebody = found.entries == 1 && problem.empty();
  auto dn = somebody ? found.dn : "cn=nobody-of-this-name," + settings_.base;
  auto bound = ask(Purpose::bind, [&](LdapConnection& connection) { return connection.bind(dn, password); });
  if (bound.kind == Outcome::done && somebody) return answer(Kind::yes);
  if (bound.kind == Outcome::done || bound.kind == Outcome::refused) return answer(Kind::no, std::move(bound.words));
  return answer(Kind::unsure, std::move(bound.words));
}

// Over a connection that was kept, else over a new one to the first server that takes us.
LdapOutcome Ldap::ask(Purpose purpose, const Use& use) {
  auto kept = ask_kept(purpose, use);
  if (kept.kind != Outcome::down) return note(std::move(kept), 0s);
  std::string words;
  bool refused = false;
  for (const auto& url : servers_in_order()) {
    auto connection = std::make_unique<LdapConnection>(settings_, url);
    auto opened = connection->open(purpose == Purpose::search);
    auto outcome = opened.kind == Outcome::done ? use(*connection) : opened;
    set_silent(url, outcome.kind == Outcome::down);
    if (opened.kind == Outcome::done && outcome.kind != Outcome::down) {
      if (outcome.kind != Outcome::failed) keep(purpose, std::move(connection));
      return note(std::move(outcome), 0s);
    }
    refused = refused || opened.kind == Outcome::failed;
    words += (words.empty() ? "" : "; ") + outcome.words;
  }
  LdapOutcome nobody;
  nobody.words = words;
  return note(std::move(nobody), refused ? kPauseRefused : kPause);
}

// Down: there is none, or the server has closed it meanwhile; nothing is said against the server yet.
LdapOutcome Ldap::ask_kept(Purpose purpose, const Use& use) {
  LdapOutcome out;
  if (auto connection = take_kept(purpose)) {
    out = use(*connection);
    if (out.kind == Outcome::done || out.kind == Outcome::refused) keep(purpose, std::move(connection));
    if (out.kind != Outcome::down) return out;
    std::lock_guard lock(mutex_);
    for (auto& kept : kept_) kept.clear();   // the others will not be better
  }
  return out;
}

// What is wrong is logged when it comes, changes and goes.  One question that is not answered is no reason for a pause: who
// sends us mail chooses the address in it.
LdapOutcome Ldap::note(LdapOutcome outcome, std::chrono::seconds pause) {
  bool trouble = outcome.kind == Outcome::down || outcome.kind == Outcome::failed;
  std::string before;
  {
    std::lock_guard lock(mutex_);
    ++state_.questions;
    if (trouble) ++state_.troubles;
    before = std::exchange(state_.problem, trouble ? outcome.words : "");
    if (pause.count() > 0) closed_until_ = in(pause);
  }
  if (trouble && before != outcome.words) log::error("ldap.trouble", {{"directory", settings_.name}, {"what", outcome.words}});
  if (!trouble && !before.empty()) log::info("ldap.back", {{"directory", settings_.name}});
  return outcome;
}

std::unique_ptr<LdapConnection> Ldap::take_kept(Purpose purpose) {
  std::lock_guard lock(mutex_);
  auto& kept = kept_[static_cast<int>(purpose)];
  auto now = std::chrono::steady_clock::now();
  std::erase_if(kept, [&](const Kept& each) { return each.until <= now; });
  if (kept.empty()) return nullptr;
  auto out = std::move(kept.back().connection);
  kept.pop_back();
  return out;
}

void Ldap::keep(Purpose purpose, std::unique_ptr<LdapConnection> connection) {
  std::lock_guard lock(mutex_);
  auto& kept = kept_[static_cast<int>(purpose)];
  if (kept.size() < kMaxKept) kept.push_back({std::move(connection), in(kKept)});
}

std::vector<std::string> Ldap::servers_in_order() const {
  std::lock_guard lock(mutex_);
  auto now = std::chrono::steady_clock::now();
  std::vector<std::string> out, silent;
  for (const auto& server : servers_) (server.silent_until > now ? silent : out).push_back(server.url);
  if (out.empty()) return silent;
  return out;
}

void Ldap::set_silent(const std::string& url, bool silent) {
  std::lock_guard lock(mutex_);
  for (auto& server : servers_) {
    if (server.url == url) server.silent_until = silent ? in(kSilence) : Deadline{};
  }
}

struct LdapDirectories::Table {
  std::vector<std::shared_ptr<Ldap>> all;
  std::map<std::string, std::shared_ptr<Ldap>, std::less<>> by_domain;
};

void LdapDirectories::configure(const config::Config& config) {
  auto before = all();
  auto table = std::make_shared<Table>();
  std::map<std::string, std::shared_ptr<Ldap>> by_name;
  for (const auto& settings : config.ldap) {
    auto directory = std::make_shared<Ldap>(settings, workers_of(settings.name));
    for (const auto& old : before) {
      if (old->key() == directory->key()) directory = old;
    }
    directory->try_again();   // the administrator has mended something
    by_name.emplace(settings.name, directory);
    table->all.push_back(std::move(directory));
  }
  for (const auto& domain : config.domains) {
    auto found = by_name.find(domain.ldap);
    if (found != by_name.end()) table->by_domain.emplace(domain.name, found->second);
  }
  std::lock_guard lock(mutex_);
  table_ = std::move(table);
}

io::WorkerPool& LdapDirectories::workers_of(const std::string& name) {
  std::lock_guard lock(mutex_);
  auto& pool = workers_[name];
  if (pool == nullptr) pool = std::make_unique<io::WorkerPool>(kThreads);
  return *pool;
}

void LdapDirectories::stop() {
  std::lock_guard lock(mutex_);
  for (auto& [name, pool] : workers_) pool->stop();
}

std::shared_ptr<Ldap> LdapDirectories::of_domain(std::string_view domain) const {
  std::lock_guard lock(mutex_);
  auto found = table_->by_domain.find(domain);
  return found == table_->by_domain.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<Ldap>> LdapDirectories::all() const {
  std::lock_guard lock(mutex_);
  return table_ == nullptr ? std::vector<std::shared_ptr<Ldap>>{} : table_->all;
}

}  // namespace postern::directory
