// Password checks: counted, delayed, hashed at most one a core.
#include "gateway/directory/logins.h"

#include <algorithm>
#include <thread>

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/directory/passwords.h"
#include "gateway/io/loop.h"

namespace postern::directory {
namespace {

using Said = LdapAnswer::Kind;

constexpr std::size_t kRemembered = 20'000;
constexpr std::size_t kMaxWaiting = 200;   // hashes in the queue: some seconds
constexpr std::chrono::hours kKnownPlace{30 * 24};
constexpr std::chrono::minutes kSameMistake{60};

std::size_t threads(std::size_t wanted) {
  return wanted != 0 ? wanted : std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

Login refusal(std::chrono::seconds left) {
  Login out;
  out.kind = Login::Kind::refused;
  out.refused_for = left;
  out.text = "Too many failed logins, try again in " + std::to_string(left.count()) + " seconds";
  return out;
}

Login failure() {
  Login out;
  out.kind = Login::Kind::bad;
  out.text = "Wrong user name or password";
  return out;
}

Login busy() {
  Login out;
  out.kind = Login::Kind::busy;
  out.text = "Too many logins at this moment, try again soon";
  return out;
}

Login unavailable() {
  Login out;
  out.kind = Login::Kind::busy;
  out.text = "The directory of your domain cannot be asked now, try again later";
  return out;
}

Login success(store::Account account) {
  Login out;
  out.kind = Login::Kind::good;
  out.account = std::move(account);
  out.text = "Logged in";
  return out;
}

}  // namespace

// One wrong password is human; a company's network holds many people.
LoginOptions::LoginOptions() {
  account.free = 5;
  account.refuse_at = 30;
  network.free = 20;
  network.refuse_at = 100;
}

Logins::Logins(const Directory& directory, LoginOptions options)
    : directory_(directory),
      options_(options),
      key_(random_octets(32)),
      accounts_(options.account),
      addresses_(options.address),
      networks_(options.network),
      good_(kRemembered, options.remember_good),
      bad_(kRemembered, kSameMistake),
      bad_ldap_(kRemembered, options.remember_bad_ldap),
      places_(kRemembered, kKnownPlace),
      hashers_(threads(options.hashes_at_once)) {
  // The first unknown user must not pay for the making of the dummy hash.
  hashers_.run_detached([] { verify_password("", "warm"); });
}

Logins::Names Logins::names_of(const Attempt& attempt) const {
  Names out;
  out.account = directory_.login_address(attempt.login);
  out.address = counted_address(attempt.client).to_string();
  out.network = counted_network(attempt.client).to_string();
  out.place = out.account + " " + out.address;
  return out;
}

Failures::Standing Logins::standing(const Names& names) const {
  auto now = std::chrono::steady_clock::now();
  std::lock_guard lock(mutex_);
  auto out = addresses_.standing(names.address, now);
  auto network = networks_.standing(names.network, now);
  out.delay = std::max(out.delay, network.delay);
  out.refused_for = std::max(out.refused_for, network.refused_for);
  if (places_.knows(names.place, now)) return out;
  auto account = accounts_.standing(names.account, now);
  out.delay = std::max(out.delay, account.delay);
  out.refused_for = std::max(out.refused_for, account.refused_for);
  return out;
}

Logins::Memory Logins::recall(const std::string& token) const {
  auto now = std::chrono::steady_clock::now();
  std::lock_guard lock(mutex_);
  if (good_.knows(token, now)) return Memory::good;
  return bad_.knows(token, now) || bad_ldap_.knows(token, now) ? Memory::bad : Memory::nothing;
}

// The row is part of it: a changed password makes the old tokens worthless at once.
std::string Logins::token_of(const Names& names, std::string_view row, std::string_view password) const {
  std::string text = names.place;
  for (auto part : {row, password}) {
    text += '\0';
    text += std::to_string(part.size()) + ":";
    text += part;
  }
  return hmac_sha256(key_, text);
}

void Logins::count_failure(const Names& names, const std::string& token, bool by_ldap) {
  auto now = std::chrono::steady_clock::now();
  std::lock_guard lock(mutex_);
  auto& bad = by_ldap ? bad_ldap_ : bad_;
  if (bad.knows(token, now)) return;
  bad.remember(token, now);
  accounts_.add(names.account, now);
  addresses_.add(names.address, now);
  networks_.add(names.network, now);
}

// The address keeps its count: else one good account would buy endless tries at the others.
void Logins::note_success(const Names& names, const std::string& token) {
  auto now = std::chrono::steady_clock::now();
  std::lock_guard lock(mutex_);
  good_.remember(token, now);
  places_.remember(names.place, now);
  accounts_.forget(names.account);
}

// nullopt: while it waited for its turn, the client was refused.  The session may be gone before
// the job ends, so the job itself counts down and takes values only.
io::Task<std::optional<bool>> Logins::hash(Names names, std::string row, std::string password) {
  ++waiting_;
  std::shared_ptr<void> turn(nullptr, [this](void*) { --waiting_; });
  auto job = [this, turn = std::move(turn), names = std::move(names), row = std::move(row),
              password = std::move(password)]() -> std::optional<bool> {
    if (standing(names).refused_for.count() > 0) return std::nullopt;
    return verify_password(row, password);
  };
  auto matches = co_await hashers_.run(std::move(job));
  co_return matches;
}

io::Task<Login> Logins::check(Attempt attempt) {
  auto names = names_of(attempt);
  auto before = standing(names);
  if (before.refused_for.count() > 0) co_return finish(attempt, names, refusal(before.refused_for));
  if (before.delay.count() > 0) co_await io::sleep_until(in(before.delay));

  auto account = directory_.account(names.account);
  auto ldap = ldap_of(names.account, account);
  std::string row = ldap != nullptr ? ldap->key() : account ? account->password_row : std::string();
  auto token = token_of(names, row, attempt.password);
  auto memory = recall(token);
  if (memory == Memory::good && account) co_return finish(attempt, names, success(std::move(*account)));
  if (memory == Memory::bad) co_return finish(attempt, names, failure());

  if (ldap != nullptr) {
    auto login = co_await check_by_ldap(std::move(ldap), attempt, names, std::move(token));
    co_return finish(attempt, names, std::move(login));
  }
  if (waiting_ >= kMaxWaiting) co_return finish(attempt, names, busy());
  auto matches = co_await hash(names, row, attempt.password);
  if (!matches) co_return finish(attempt, names, refusal(standing(names).refused_for));
  if (*matches && account) {
    note_success(names, token);
    co_return finish(attempt, names, success(std::move(*account)));
  }
  count_failure(names, token);
  co_return finish(attempt, names, failure());
}

void Logins::ask(const LdapDirectories& directories, MakeAccount make_account) {
  directories_ = &directories;
  make_account_ = std::move(make_account);
}

// Nothing: it is his password here that counts, or nobody's.
Logins::LdapPtr Logins::ldap_of(const std::string& name, const std::optional<store::Account>& account) const {
  if (directories_ == nullptr || (account && parse_password_row(account->password_row))) return nullptr;
  auto at = name.rfind('@');
  if (at == std::string::npos || !directory_.account_address(name)) return nullptr;
  return directories_->of_domain(std::string_view(name).substr(at + 1));
}

io::Task<Login> Logins::check_by_ldap(LdapPtr ldap, Attempt attempt, Names names, std::string token) {
  auto still = [this, names] { return standing(names).refused_for.count() == 0; };
  auto said = co_await ldap->check_password(names.account, attempt.password, std::move(still));
  if (said.kind == Said::too_late) co_return refusal(standing(names).refused_for);
  if (said.kind == Said::unsure) {
    log::debug("login.ldap", {{"account", names.account}, {"directory", ldap->name()}, {"what", said.words}});
    co_return unavailable();
  }
  if (said.kind == Said::no) {
    log::debug("login.ldap", {{"account", names.account}, {"directory", ldap->name()}, {"what", said.words}});
    count_failure(names, token, true);
    co_return failure();
  }
  auto account = co_await account_of(names.account);
  if (!account) {
    log::warning("login.ldap", {{"account", names.account}, {"directory", ldap->name()}, {"what", "the directory knows him, but he has no mailbox here"}});
    co_return failure();
  }
  note_success(names, token);
  co_return success(std::move(*account));
}

io::Task<std::optional<store::Account>> Logins::account_of(std::string name) {
  auto account = directory_.account(name);
  if (account || !make_account_) co_return account;
  auto whose = directory_.resolve(name);
  if (whose.kind != Resolution::Kind::onward || whose.account_address != name) co_return std::nullopt;
  auto made = co_await make_account_(name);
  co_return made;
}

Login Logins::finish(const Attempt& attempt, const Names& names, Login login) const {
  const char* event = login.ok() ? "login.ok" : login.kind == Login::Kind::bad ? "login.failed" : login.kind == Login::Kind::busy ? "login.busy" : "login.refused";
  log::info(event, {{"session", attempt.session}, {"protocol", attempt.protocol}, {"ip", attempt.client.to_string()}, {"account", names.account}});
  return login;
}

bool Logins::unban(std::string_view name) {
  std::lock_guard lock(mutex_);
  auto address = IpAddress::parse(name);
  auto network = Network::parse(name);
  bool known = accounts_.forget(directory_.login_address(name));
  if (address) {
    known = addresses_.forget(counted_address(*address).to_string()) || known;
    known = networks_.forget(counted_network(*address).to_string()) || known;
  } else if (network) {
    known = networks_.forget(network->to_string()) || known;
  }
  return known;
}

std::vector<Failures::Refused> Logins::refused() const {
  auto now = std::chrono::steady_clock::now();
  std::lock_guard lock(mutex_);
  auto out = accounts_.refused(now);
  for (const auto* more : {&addresses_, &networks_}) {
    auto names = more->refused(now);
    out.insert(out.end(), names.begin(), names.end());
  }
  return out;
}

}  // namespace postern::directory
