// `postern serve`: the only file that knows everything: configuration -> sockets -> store -> judge ->
// loops with their listeners, and the end of it all.
#include "gateway/serve.h"

#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "gateway/admin/authenticator.h"
#include "gateway/admin/control.h"
#include "gateway/admin/figures.h"
#include "gateway/admin/http.h"
#include "gateway/admin/judging.h"
#include "gateway/admin/privileges.h"
#include "gateway/admin/room.h"
#include "gateway/admin/watch.h"
#include "gateway/base/log.h"
#include "gateway/config/config.h"
#include "gateway/delivery/deliverer.h"
#include "gateway/delivery/notice.h"
#include "gateway/directory/directory.h"
#include "gateway/directory/logins.h"
#include "gateway/imap/services.h"
#include "gateway/io/listener.h"
#include "gateway/io/loop.h"
#include "gateway/io/readiness.h"
#include "gateway/io/socket.h"
#include "gateway/pop3/services.h"
#include "gateway/smtp/session.h"
#include "gateway/version.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

constexpr auto kDrainTime = 20s;

enum class Protocol { smtp, imap, imaps, pop3, pop3s };

struct Socket {
  Protocol protocol;
  io::Fd fd;
};

// The newest of something immutable, for readers on all loops.
template <class T>
class Newest {
 public:
  std::shared_ptr<const T> get() const {
    std::lock_guard lock(mutex_);
    return value_;
  }
  void set(std::shared_ptr<const T> value) {
    std::lock_guard lock(mutex_);
    value_ = std::move(value);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
};

smtp::Settings smtp_settings(const config::Config& config) {
  smtp::Settings out;
  out.hostname = config.hostname;
  out.draft_directory = config.data;
  out.max_size = config.smtp.max_size;
  out.recipients_per_message = config.limits.recipients_per_message;
  out.errors_per_session = config.limits.errors_per_session;
  out.xclient = config.smtp.xclient;
  out.trusted = config.smtp.trusted;
  out.proxy = config.smtp.proxy;
  out.greet_delay = config.smtp.greet_delay;
  return out;
}

smtp::LimitSettings limit_settings(const config::Limits& limits) {
  return {limits.connections_per_address, limits.connections_per_network, limits.connection_rate_per_address.count,
          limits.connection_rate_per_address.window};
}

// Readers are many behind one address and come back all the time; who guesses passwords meets directory::Logins.
smtp::LimitSettings reader_limit_settings(const config::Limits& limits) {
  smtp::LimitSettings out;
  out.connections_per_address = limits.reader_connections_per_address;
  out.connections_per_network = 0;
  out.connections_in_window = 0;
  return out;
}

admin::Service service_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::smtp: return admin::Service::smtp;
    case Protocol::imap:
    case Protocol::imaps: return admin::Service::imap;
    case Protocol::pop3:
    case Protocol::pop3s: return admin::Service::pop3;
  }
  return admin::Service::smtp;
}

// What all loops share, in the order in which it is built; destroyed the other way round.
struct Shared {
  explicit Shared(config::Config loaded) : config(std::move(loaded)) {}

  config::Config config;
  io::WorkerPool workers{std::max(2U, std::thread::hardware_concurrency())};
  io::Loop main;                             // signals, control socket, metrics, antivirus
  std::unique_ptr<store::Store> store;
  std::unique_ptr<directory::Directory> directory;
  std::unique_ptr<directory::Logins> logins;
  std::unique_ptr<delivery::Deliverer> deliverer;
  std::unique_ptr<admin::Judging> judging;
  std::unique_ptr<admin::Authenticator> authenticator;
  smtp::ConnectionLimits limits{smtp::LimitSettings()};
  smtp::ConnectionLimits reader_limits{smtp::LimitSettings()};
  admin::Room room{admin::session_capacity()};
  smtp::Counters counters;
  imap::Recent recent{Clock::system().now()};
  pop3::Maildrops maildrops;
  Newest<smtp::Settings> settings;
  Newest<io::TlsContext> tls;
  admin::Overload overload;
  Time started = Clock::system().now();
};

// One event loop with its thread, its judge and its sessions.
class Unit {
 public:
  explicit Unit(Shared& shared) : shared_(shared) {
    auto told = [this](const filters::lua::RuleInfo& rule, const std::string& reason) { tell_postmaster(rule, reason); };
    judging_ = std::make_unique<admin::LoopJudging>(*shared.judging, loop_, std::move(told));
    fill_services();
  }
  ~Unit() {
    join();
    loop_.end_tasks();   // sessions and judgements end before what they work with
  }
  Unit(const Unit&) = delete;

  void start(std::vector<Socket> sockets) {
    for (auto& socket : sockets) {
      auto acceptor = loop_.spawn(accept_all(socket.protocol, io::Listener(std::move(socket.fd))), "accept");
      acceptors_.push_back(acceptor);
    }
    thread_ = std::thread([this] { loop_.run(); });
  }

  // No new sessions; the ones that wait for a command say good-bye.
  void drain() {
    loop_.post([this] {
      for (auto acceptor : acceptors_) loop_.cancel(acceptor);
      draining_ = true;
      drain_.notify();
    });
  }
  void join() {
    loop_.stop();
    if (thread_.joinable()) thread_.join();
  }
  void end_tasks() { loop_.end_tasks(); }

 private:
  void fill_services();
  void tell_postmaster(const filters::lua::RuleInfo& rule, const std::string& reason);
  io::Task<void> accept_all(Protocol protocol, io::Listener listener);
  io::Task<void> serve_one(Protocol protocol, io::Stream stream, admin::Room::Seat seat);
  std::string overload(admin::Service service) const;
  io::Task<void> turn_away(Protocol protocol, io::Stream stream, std::string why);

  Shared& shared_;
  io::Loop loop_;
  std::unique_ptr<admin::LoopJudging> judging_;
  io::Signal drain_;
  bool draining_ = false;
  smtp::Services smtp_;
  imap::Services imap_;
  pop3::Services pop3_;
  std::vector<io::Loop::TaskId> acceptors_;
  std::thread thread_;
};

void Unit::fill_services() {
  auto tls = [this] { return shared_.tls.get(); };
  smtp_.settings = [this] { return shared_.settings.get(); };
  smtp_.tls = tls;
  smtp_.overload = [this] { return overload(admin::Service::smtp); };
  smtp_.directory = shared_.directory.get();
  smtp_.deliverer = shared_.deliverer.get();
  smtp_.judge = &judging_->judge;
  smtp_.limits = &shared_.limits;
  smtp_.counters = &shared_.counters;
  smtp_.drain = &drain_;
  smtp_.draining = &draining_;
  imap_.store = shared_.store.get();
  imap_.logins = shared_.authenticator.get();
  imap_.workers = &shared_.workers;
  imap_.recent = &shared_.recent;
  imap_.tls = tls;
  imap_.hostname = shared_.config.hostname;
  imap_.version = kVersion;
  imap_.spool = shared_.config.data;
  imap_.allow_plaintext_login = shared_.config.tls.allow_plaintext_login;
  imap_.limits.max_message_octets = shared_.config.imap.max_append;
  imap_.limits.idle = shared_.config.imap.idle_timeout;
  imap_.limits.errors_per_session = shared_.config.limits.errors_per_session;
  imap_.drain = &drain_;
  imap_.draining = &draining_;
  pop3_.store = shared_.store.get();
  pop3_.logins = shared_.logins.get();
  pop3_.maildrops = &shared_.maildrops;
  pop3_.tls = tls;
  pop3_.hostname = shared_.config.hostname;
  pop3_.allow_plaintext_login = shared_.config.tls.allow_plaintext_login;
  pop3_.drain = &drain_;
  pop3_.draining = &draining_;
}

io::Task<void> Unit::accept_all(Protocol protocol, io::Listener listener) {
  for (;;) {
    auto stream = co_await listener.accept();
    auto seat = shared_.room.enter(service_of(protocol));
    loop_.spawn(serve_one(protocol, std::move(stream), std::move(seat)), "session");
  }
}

std::string Unit::overload(admin::Service service) const {
  auto reason = shared_.overload.reason();
  return reason.empty() ? shared_.room.reason(service) : reason;
}

// `seat` counts the session until it has ended.
io::Task<void> Unit::serve_one(Protocol protocol, io::Stream stream, admin::Room::Seat) {
  if (protocol == Protocol::smtp) {
    smtp::Session session(std::move(stream), smtp_, false);
    co_await session.run();
    co_return;
  }
  auto refusal = overload(service_of(protocol));
  smtp::ConnectionLimits::Place place;
  if (refusal.empty()) place = shared_.reader_limits.enter(stream.peer().address, refusal);
  if (!refusal.empty()) {
    co_await turn_away(protocol, std::move(stream), std::move(refusal));
  } else if (protocol == Protocol::imap || protocol == Protocol::imaps) {
    co_await imap::serve(std::move(stream), imap_, protocol == Protocol::imaps);
  } else {
    co_await pop3::serve(std::move(stream), pop3_, protocol == Protocol::pop3s);
  }
}

// A reader finds the door shut as a sender does; where TLS comes first there is nothing to say it in.
io::Task<void> Unit::turn_away(Protocol protocol, io::Stream stream, std::string why) {
  shared_.room.count_refused(service_of(protocol));
  log::info("reader.refused", {{"ip", stream.peer().address.to_string()}, {"why", why}});
  if (protocol == Protocol::imap) stream.enqueue("* BYE [UNAVAILABLE] " + why + "\r\n");
  if (protocol == Protocol::pop3) stream.enqueue("-ERR [SYS/TEMP] " + why + "\r\n");
  co_await stream.shutdown(in(2s));
}

void Unit::tell_postmaster(const filters::lua::RuleInfo& rule, const std::string& reason) {
  auto postmaster = shared_.directory->resolve("postmaster");
  if (!postmaster.found()) return;
  std::string text = "The rule \"" + rule.name + "\" at " + rule.at() + " was switched off because it fails:\r\n\r\n  " + reason +
                     "\r\n\r\nMail is judged without it, and each message says so, until the rules are loaded\r\n"
                     "anew: mend the file, and it is read again by itself.\r\n";
  auto delivery = delivery::note_to(postmaster.account, shared_.config.hostname, "Rule \"" + rule.name + "\" is switched off", text);
  loop_.spawn(delivery::store_note(*shared_.store, std::move(delivery)), "note");
}

// --- start

Result<std::vector<Socket>> bind_all(config::Listen& listen) {
  std::vector<Socket> out;
  auto bind = [&](Protocol protocol, std::vector<Endpoint>& endpoints) -> Status {
    for (auto& endpoint : endpoints) {
      auto fd = io::bind_to(endpoint);
      if (!fd) return fd.error();
      endpoint.port = io::local_of(fd->get()).port;   // port 0: the next loop takes the same
      out.push_back({protocol, std::move(*fd)});
    }
    return {};
  };
  for (auto [protocol, endpoints] : {std::pair(Protocol::smtp, &listen.smtp), std::pair(Protocol::imap, &listen.imap),
                                     std::pair(Protocol::imaps, &listen.imaps), std::pair(Protocol::pop3, &listen.pop3),
                                     std::pair(Protocol::pop3s, &listen.pop3s)}) {
    auto bound = bind(protocol, *endpoints);
    if (!bound) return bound.error();
  }
  return out;
}

Status load_tls(Shared& shared) {
  if (!shared.config.tls.configured()) return {};
  auto context = io::TlsContext::server(shared.config.tls.certificate, shared.config.tls.key);
  if (!context) return context.error();
  shared.tls.set(*context);
  return {};
}

io::Task<Result<store::AccountId>> quarantine_account(store::Store& store) {
  constexpr std::string_view kName = "quarantine";   // no '@': nobody can have it as address
  auto account = store.account(kName);
  if (!account) {
    store::Account made;
    made.address = kName;
    made.created = Clock::system().now();
    auto created = co_await store.create_account(std::move(made));
    if (!created.ok()) co_return Error(created.text);
    account = store.account(kName);
  }
  co_return account->id;
}

Status build(Shared& shared) {
  store::StoreOptions options;
  options.directory = shared.config.data;
  options.low_space_octets = shared.config.limits.free_disk;
  auto store = store::Store::open(options, shared.workers);
  if (!store) return store.error();
  shared.store = std::move(*store);
  auto quarantine = shared.main.block_on(quarantine_account(*shared.store));
  if (!quarantine) return quarantine.error();
  shared.directory = std::make_unique<directory::Directory>(shared.config, *shared.store);
  auto prepared = shared.main.block_on(shared.directory->prepare());
  if (!prepared) return prepared.error();
  shared.logins = std::make_unique<directory::Logins>(*shared.directory);
  shared.authenticator = std::make_unique<admin::Authenticator>(*shared.logins);
  shared.deliverer = std::make_unique<delivery::Deliverer>(*shared.store, *shared.directory, shared.config.hostname, *quarantine);
  shared.judging = std::make_unique<admin::Judging>(shared.config, shared.config.rules, shared.main, shared.workers);
  shared.main.block_on(admin::load_counters(*shared.store, shared.judging->counters));
  shared.settings.set(std::make_shared<smtp::Settings>(smtp_settings(shared.config)));
  shared.limits.set(limit_settings(shared.config.limits));
  shared.reader_limits.set(reader_limit_settings(shared.config.limits));
  return {};
}

// --- running

// Names what a reload cannot change.
std::string restart_needed(const config::Config& old, const config::Config& now) {
  std::string out;
  auto look = [&out](const char* key, bool same) {
    if (!same) out += (out.empty() ? "" : ", ") + std::string(key);
  };
  look("hostname", old.hostname == now.hostname);
  look("data", old.data == now.data);
  look("rules", old.rules == now.rules);
  look("user", old.user == now.user && old.group == now.group);
  look("[dns]", old.dns.servers == now.dns.servers && old.dns.timeout == now.dns.timeout);
  look("[tls] allow_plaintext_login", old.tls.allow_plaintext_login == now.tls.allow_plaintext_login);
  look("[imap]", old.imap.max_append == now.imap.max_append && old.imap.idle_timeout == now.imap.idle_timeout);
  look("[limits] free_disk", old.limits.free_disk == now.limits.free_disk);
  look("[antivirus]", old.antivirus.database == now.antivirus.database && old.antivirus.scanners == now.antivirus.scanners &&
                          old.antivirus.timeout == now.antivirus.timeout);
  look("[budgets]", old.budgets.cpu == now.budgets.cpu && old.budgets.memory == now.budgets.memory &&
                        old.budgets.dns_questions == now.budgets.dns_questions && old.budgets.stage == now.budgets.stage);
  return out;
}

// The configuration anew: what can change while running does; a mistake leaves all as it was.
// RFC 5321 4.5.1: a domain that came first with this configuration has a postmaster too.
io::Task<void> find_postmaster(directory::Directory& directory) {
  auto prepared = co_await directory.prepare();
  if (!prepared) log::error("reload.postmaster", {{"what", prepared.error().text}});
}

void reload(Shared& shared) {
  auto loaded = config::load(shared.config.file);
  for (const auto& mistake : loaded.mistakes) log::error("reload.refused", {{"what", mistake}});
  if (!loaded.ok()) return;
  for (const auto& warning : loaded.warnings) log::warning("config", {{"what", warning}});
  auto later = restart_needed(shared.config, loaded.config);
  if (!later.empty()) log::warning("reload.later", {{"what", later + " changed: in force after a restart"}});
  auto old_tls = std::exchange(shared.config.tls, loaded.config.tls);
  auto tls = load_tls(shared);
  if (!tls) {
    shared.config.tls = old_tls;
    log::error("reload.certificate", {{"what", tls.error().text}, {"now", "the old certificate stays"}});
  }
  shared.config.limits = loaded.config.limits;
  shared.config.smtp = loaded.config.smtp;
  shared.config.domains = loaded.config.domains;
  shared.config.postmaster = loaded.config.postmaster;
  shared.settings.set(std::make_shared<smtp::Settings>(smtp_settings(shared.config)));
  shared.limits.set(limit_settings(shared.config.limits));
  shared.reader_limits.set(reader_limit_settings(shared.config.limits));
  shared.directory->configure(shared.config);
  shared.main.spawn(find_postmaster(*shared.directory), "postmaster");
  log::set_level(loaded.config.log.level);
  shared.workers.run_detached([&shared] { admin::reload_rules(shared.judging->rules); });
  log::info("reload", {{"config", shared.config.file}});
}

io::Task<void> end_gracefully(Shared& shared, std::vector<std::unique_ptr<Unit>>& units) {
  log::info("draining");
  for (auto& unit : units) unit->drain();
  auto deadline = in(kDrainTime);
  while (shared.room.open() > 0 && std::chrono::steady_clock::now() < deadline) co_await io::sleep_until(in(20ms));
  co_await admin::save_counters(*shared.store, shared.judging->counters);
  log::info("end", {{"sessions_cut", std::to_string(shared.room.open())}});
  shared.main.stop();
}

io::Task<void> obey_signals(Shared& shared, std::vector<std::unique_ptr<Unit>>& units, io::Fd signals) {
  for (;;) {
    bool ready = co_await io::Readable(signals.get(), Deadline::max());
    signalfd_siginfo info{};
    if (!ready || ::read(signals.get(), &info, sizeof info) != sizeof info) continue;
    if (info.ssi_signo == SIGHUP) {
      reload(shared);
      continue;
    }
    co_await end_gracefully(shared, units);
    co_return;
  }
}

// Nothing may be destroyed while something else can still touch it.  The committer, the workers and the
// antivirus post to the loops, so these stay until the others are gone; a worker may be reading rules.
void take_apart(Shared& shared, std::vector<std::unique_ptr<Unit>>& units) {
  for (auto& unit : units) unit->join();
  for (auto& unit : units) unit->end_tasks();
  shared.main.end_tasks();
  shared.authenticator.reset();
  shared.logins.reset();
  shared.deliverer.reset();
  shared.directory.reset();
  shared.store.reset();
  shared.workers.stop();
  units.clear();
  shared.judging.reset();
}

// Blocked before any thread starts, so that all threads leave these to the signalfd.
io::Fd block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return io::Fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

int complain(const Error& error) {
  log::error("start", {{"what", error.text}});
  return 1;
}

// All loops' sockets, the first set bound while we may still be root.
Result<std::vector<std::vector<Socket>>> bind_for_loops(config::Listen& listen, std::size_t loops) {
  std::vector<std::vector<Socket>> out;
  for (std::size_t i = 0; i < loops; ++i) {
    auto bound = bind_all(listen);
    if (!bound) return bound.error();
    out.push_back(std::move(*bound));
  }
  return out;
}

// The ports are bound while we may still be root, but nobody is let in before the store is ours: SO_REUSEPORT
// would give a second server its share of the first one's connections.
Status listen_on_all(const std::vector<std::vector<Socket>>& sockets, const io::Fd& admin_socket) {
  for (const auto& of_loop : sockets) {
    for (const auto& socket : of_loop) {
      auto listening = io::start_listening(socket.fd);
      if (!listening) return listening;
    }
  }
  return admin_socket.valid() ? io::start_listening(admin_socket) : Status();
}

int run(Shared& shared, std::vector<std::vector<Socket>> sockets, io::Fd admin_socket, io::Fd signals) {
  auto control = io::listen_on_path(admin::control_path(shared.config.data));
  if (!control) return complain(control.error());
  auto listening = listen_on_all(sockets, admin_socket);
  if (!listening) return complain(listening.error());
  std::vector<std::unique_ptr<Unit>> units;
  for (std::size_t i = 0; i < sockets.size(); ++i) units.push_back(std::make_unique<Unit>(shared));
  admin::Figures figures{shared.config, *shared.store, *shared.judging, shared.counters, *shared.logins, shared.room, shared.started};
  admin::Context context;
  context.config = &shared.config;
  context.store = shared.store.get();
  context.workers = &shared.workers;
  context.logins = shared.logins.get();
  context.status = [&figures] { return figures.status(); };
  context.reload = [&shared] { reload(shared); };
  shared.main.spawn(admin::serve_control(std::move(*control), context), "control");
  if (admin_socket.valid()) {
    shared.main.spawn(admin::serve_http(std::move(admin_socket), [&figures](std::string_view path) { return figures.page(path); }), "http");
  }
  shared.main.spawn(obey_signals(shared, units, std::move(signals)), "signals");
  shared.main.spawn(admin::watch_rules(shared.judging->rules, shared.workers), "rules");
  shared.main.spawn(admin::keep_counters(*shared.store, shared.judging->counters), "counters");
  shared.main.spawn(admin::keep_traces_short(*shared.store), "traces");
  shared.main.spawn(admin::watch_health(*shared.store, shared.overload, shared.config, shared.room), "health");
  shared.judging->antivirus.start();
  for (std::size_t i = 0; i < units.size(); ++i) units[i]->start(std::move(sockets[i]));
  log::info("ready", {{"hostname", shared.config.hostname}, {"loops", std::to_string(units.size())}, {"version", kVersion}});
  shared.main.run();
  take_apart(shared, units);
  return 0;
}

}  // namespace

int serve(const std::string& config_file) {
  auto loaded = config::load(config_file);
  for (const auto& mistake : loaded.mistakes) log::error("config", {{"what", mistake}});
  if (!loaded.ok()) return 2;
  for (const auto& warning : loaded.warnings) log::warning("config", {{"what", warning}});
  log::set_level(loaded.config.log.level);
  admin::raise_descriptor_limit();
  auto signals = block_signals();
  ::umask(0077);
  std::error_code failure;
  std::filesystem::create_directories(loaded.config.data, failure);
  if (failure) return complain(Error(loaded.config.data + ": cannot be made: " + failure.message()));

  auto sockets = bind_for_loops(loaded.config.listen, std::max(1U, std::thread::hardware_concurrency()));
  if (!sockets) return complain(sockets.error());
  io::Fd admin_socket;
  if (loaded.config.listen.admin) {
    auto bound = io::bind_to(*loaded.config.listen.admin);
    if (!bound) return complain(bound.error());
    admin_socket = std::move(*bound);
  }
  auto dropped = admin::drop_privileges(loaded.config);
  if (!dropped) return complain(dropped.error());
  auto files = config::check_files(loaded.config);
  for (const auto& mistake : files.mistakes) log::error("config", {{"what", mistake}});
  if (!files.mistakes.empty()) return 2;
  for (const auto& warning : files.warnings) log::warning("config", {{"what", warning}});

  Shared shared(std::move(loaded.config));
  auto tls = load_tls(shared);
  if (!tls) return complain(tls.error());
  auto built = build(shared);
  if (!built) return complain(built.error());
  if (!admin::load_rules_at_start(shared.judging->rules)) return 2;
  return run(shared, std::move(*sockets), std::move(admin_socket), std::move(signals));
}

}  // namespace postern
