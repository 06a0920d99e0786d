// `postern serve`: the only file that knows everything: configuration -> sockets -> store -> judge ->
// loops with their listeners, and the end of it all.
#include "gateway/serve.h"

#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "gateway/admin/backups.h"
#include "gateway/admin/control.h"
#include "gateway/admin/dkim_keeper.h"
#include "gateway/admin/figures.h"
#include "gateway/admin/fresh_resolver.h"
#include "gateway/admin/http.h"
#include "gateway/admin/privileges.h"
#include "gateway/admin/retention.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/config/config.h"
#include "gateway/delivery/digest.h"
#include "gateway/delivery/originals.h"
#include "gateway/directory/own_hosts.h"
#include "gateway/io/readiness.h"
#include "gateway/io/socket.h"
#include "gateway/io/together.h"
#include "gateway/links/unsubscribe_page.h"
#include "gateway/links_port.h"
#include "gateway/ports.h"
#include "gateway/reload.h"
#include "gateway/sender.h"
#include "gateway/shared.h"
#include "gateway/unit.h"
#include "gateway/version.h"

namespace postern {
namespace {

using namespace std::chrono_literals;

constexpr auto kDrainTime = 20s;
constexpr auto kSaveTime = 5s;

io::Task<Result<store::AccountId>> quarantine_account(store::Store& store) {
  constexpr auto kName = delivery::kOriginalsAccount;
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

// Whose mail goes on has none until a message is held for him, or he comes to see whether one is.
io::Task<std::optional<store::Account>> quarantine_of(store::Store& store, std::string address) {
  auto made = co_await delivery::quarantine_account(store, std::move(address));
  co_return store.account(made);
}

// What rules see of a user; the filters do not know the abuse desk.
filters::SenderTroubles troubles_of(const Shared& shared, const std::string& login) {
  auto account = shared.store->account(login);
  auto found = account ? shared.abuse->troubles(account->id) : delivery::Troubles();
  return {found.held, found.bounces, found.complaints};
}

// By the link in a list's mail.  Who is no member any more, and of a list that is gone, has what he wants.
io::Task<Status> leave_list(Shared& shared, directory::Membership membership, IpAddress client) {
  if (!shared.directory->list(membership.list)) co_return Status();
  directory::Directory::ListEdit edit = [&membership](directory::List& list) -> Status {
    list.members.erase(ascii_lowered(membership.member));
    return {};
  };
  auto changed = co_await shared.directory->change_list(membership.list, std::move(edit));
  if (changed) log::info("list.unsubscribed", {{"list", membership.list}, {"member", membership.member}, {"by", "link"}, {"ip", client.to_string()}});
  co_return changed;
}

Status build(Shared& shared) {
  store::StoreOptions options;
  options.directory = shared.config.data;
  options.low_space_octets = shared.config.limits.free_disk;
  options.release = &shared.release;
  options.trace_days = static_cast<unsigned>(shared.config.trace.days);
  auto store = store::Store::open(options, shared.workers);
  if (!store) return store.error();
  shared.store = std::move(*store);
  auto quarantine = shared.main.block_on(quarantine_account(*shared.store));
  if (!quarantine) return quarantine.error();
  shared.routes.ask_users([&store = *shared.store](std::string_view address) {
    auto account = store.account(address);
    return account && directory::has_own_hosts(*account) ? account->deliver : "";
  });
  shared.directory = std::make_unique<directory::Directory>(shared.config, *shared.store);
  auto prepared = shared.main.block_on(shared.directory->prepare());
  if (!prepared) return prepared.error();
  shared.logins = std::make_unique<directory::Logins>(*shared.directory);
  shared.logins->ask(shared.ldap, [&store = *shared.store](std::string address) { return quarantine_of(store, std::move(address)); });
  shared.authenticator = std::make_unique<admin::Authenticator>(*shared.logins);
  shared.deliverer = std::make_unique<delivery::Deliverer>(*shared.store, *shared.directory, shared.config.hostname, *quarantine,
                                                           [&shared](std::vector<delivery::Queued> queued) { shared.tell(std::move(queued)); },
                                                           &shared.signer);
  shared.ledger = std::make_unique<delivery::SendLedger>(*shared.store);
  auto stopped = shared.main.block_on(shared.ledger->load());
  if (!stopped) return stopped.error();
  shared.deliverer->count_by(*shared.ledger);
  delivery::AbuseDesk::Parts parts{*shared.store, *shared.directory, shared.ledger.get(), shared.config.hostname};
  shared.abuse = std::make_unique<delivery::AbuseDesk>(std::move(parts));
  auto bounces = shared.main.block_on(shared.abuse->load());
  if (!bounces) return bounces.error();
  shared.deliverer->watch_by(*shared.abuse);
  shared.trace = std::make_unique<delivery::TraceLog>(*shared.store, shared.config.trace);
  auto traced = shared.main.block_on(shared.trace->load());
  if (!traced) return traced.error();
  shared.deliverer->trace_by(*shared.trace);
  shared.judging = std::make_unique<admin::Judging>(shared.config, shared.config.rules, shared.main, shared.workers);
  auto link_keys = shared.main.block_on(shared.link_keys.prepare(*shared.store));
  if (!link_keys) return link_keys.error();
  shared.releases = std::make_unique<delivery::LinkReleases>(*shared.store, shared.link_keys);
  shared.judging->sender_troubles = [&shared](const std::string& login) { return troubles_of(shared, login); };
  auto keys = shared.main.block_on(shared.keys.load(*shared.store));
  if (!keys) return keys.error();
  auto known = shared.main.block_on(shared.recipients.load(*shared.store));
  if (!known) log::warning("recipients", {{"what", known.error().text}});
  auto counters = shared.main.block_on(admin::load_counters(*shared.store, shared.judging->counters));
  if (!counters) return counters.error();
  apply_settings(shared);
  return {};
}

io::Task<void> wait_for(std::chrono::milliseconds time) { co_await io::sleep_until(in(time)); }

io::Task<void> save(Shared& shared) {
  co_await admin::save_counters(*shared.store, shared.judging->counters);
  co_await shared.recipients.save(*shared.store);
  co_await shared.trace->write_waiting();
}

// False: the disk does not answer.
io::Task<bool> save_in_time(Shared& shared) {
  auto saving = save(shared);
  auto patience = wait_for(kSaveTime);
  auto first = co_await io::first_of(std::move(saving), std::move(patience));
  co_return first == 0;
}

io::Task<void> end_gracefully(Shared& shared, std::vector<std::unique_ptr<Unit>>& units, delivery::Queue& queue) {
  log::info("draining");
  for (auto& unit : units) unit->drain();
  queue.drain();
  auto deadline = in(kDrainTime);
  while ((shared.room.open() > 0 || !queue.idle()) && std::chrono::steady_clock::now() < deadline) co_await io::sleep_until(in(20ms));
  bool saved = co_await save_in_time(shared);
  log::info("end", {{"sessions_cut", std::to_string(shared.room.open())}});
  if (!saved) {
    // Closing the store would wait for the disk as well; to end without is what it bears, like a power cut.
    log::error("end.disk", {{"what", "the disk does not answer: ended without closing the store"}});
    std::_Exit(1);
  }
  shared.main.stop();
}

io::Task<void> reload_by_signal(Shared& shared) { co_await reload(shared); }

io::Task<void> obey_signals(Shared& shared, std::vector<std::unique_ptr<Unit>>& units, delivery::Queue& queue, io::Fd signals) {
  for (;;) {
    bool ready = co_await io::Readable(signals.get(), Deadline::max());
    signalfd_siginfo info{};
    if (!ready || ::read(signals.get(), &info, sizeof info) != sizeof info) continue;
    if (info.ssi_signo == SIGHUP) {
      shared.main.spawn(reload_by_signal(shared), "reload");
      continue;
    }
    co_await end_gracefully(shared, units, queue);
    co_return;
  }
}

// Nothing may be destroyed while something else can still touch it.  The committer, the workers and the
// antivirus post to the loops, so these stay until the others are gone; a worker may be reading rules.
void take_apart(Shared& shared, std::vector<std::unique_ptr<Unit>>& units, std::unique_ptr<Sender>& sender) {
  for (auto& unit : units) unit->join();
  sender->join();
  for (auto& unit : units) unit->end_tasks();
  sender->end_tasks();
  shared.main.end_tasks();
  shared.ldap.stop();
  shared.authenticator.reset();
  shared.logins.reset();
  shared.releases.reset();
  shared.deliverer.reset();
  shared.trace.reset();
  shared.abuse.reset();
  shared.ledger.reset();
  shared.directory.reset();
  shared.store.reset();
  shared.workers.stop();
  shared.tell_queue = {};
  shared.reconfigure_queue = {};
  units.clear();
  sender.reset();
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

int run(Shared& shared, std::vector<std::vector<Socket>> sockets, io::Fd admin_socket, std::vector<io::Fd> link_sockets, io::Fd signals) {
  auto control = io::listen_on_path(admin::control_path(shared.config.data));
  if (!control) return complain(control.error());
  auto listening = listen_on_all(sockets, admin_socket, link_sockets);
  if (!listening) return complain(listening.error());
  std::vector<std::unique_ptr<Unit>> units;
  for (std::size_t i = 0; i < sockets.size(); ++i) units.push_back(std::make_unique<Unit>(shared));
  auto sender = std::make_unique<Sender>(shared);
  shared.tell_queue = [&queue = sender->queue()](std::vector<delivery::Queued> queued) { queue.added(std::move(queued)); };
  shared.reconfigure_queue = [&shared, &queue = sender->queue()] { queue.configure(shared.config.queue); };
  auto last_backup = shared.main.block_on(admin::load_last_backup(*shared.store));
  if (!last_backup) return complain(last_backup.error());
  admin::Figures figures{shared.config, *shared.store, *shared.judging, shared.counters, *shared.logins, shared.room, sender->queue().figures(), sender->tls_results(), *last_backup, shared.started, shared.keys, shared.signer.figures(), shared.ldap, *shared.abuse};
  delivery::Digests digests({*shared.store, *shared.directory, shared.deliverer.get(), shared.link_keys, shared.config});
  LinksPort links(shared);
  auto leave = [&shared](directory::Membership membership, IpAddress client) { return leave_list(shared, std::move(membership), client); };
  links.site().add(std::make_unique<links::UnsubscribePage>(std::move(leave), shared.config));
  admin::Context context;
  context.config = &shared.config;
  context.store = shared.store.get();
  context.directory = shared.directory.get();
  context.workers = &shared.workers;
  context.logins = shared.logins.get();
  context.queue = &sender->queue();
  context.keys = &shared.keys;
  context.ledger = shared.ledger.get();
  context.link_keys = &shared.link_keys;
  context.digests = &digests;
  context.abuse = shared.abuse.get();
  context.trace = shared.trace.get();
  context.deliverer = shared.deliverer.get();
  context.last_backup = &*last_backup;
  context.status = [&figures] { return figures.status(); };
  context.reload = [&shared] { return reload(shared); };
  shared.main.spawn(admin::serve_control(std::move(*control), context), "control");
  if (admin_socket.valid()) {
    shared.main.spawn(admin::serve_http(std::move(admin_socket), [&figures](std::string_view path) { return figures.page(path); }), "http");
  }
  shared.main.spawn(obey_signals(shared, units, sender->queue(), std::move(signals)), "signals");
  shared.main.spawn(admin::watch_rules(shared.judging->rules, shared.workers), "rules");
  shared.main.spawn(admin::keep_counters(*shared.store, shared.judging->counters), "counters");
  shared.main.spawn(shared.trace->keep(), "trace");
  shared.main.spawn(delivery::make_release_folders(*shared.store, shared.routes), "release");
  shared.main.spawn(admin::keep_quarantine_short(*shared.store, shared.config), "retention");
  shared.main.spawn(admin::watch_health(*shared.store, shared.overload, shared.config, shared.room), "health");
  shared.main.spawn(shared.ledger->keep(), "sent");
  shared.main.spawn(shared.abuse->keep(), "abuse");
  shared.main.spawn(shared.recipients.keep(*shared.store), "recipients");
  admin::DkimKeeper keeper({shared.config, *shared.store, shared.keys, *shared.directory, shared.workers,
                            [&shared]() -> std::unique_ptr<dns::Resolver> { return std::make_unique<admin::FreshResolver>(shared.config); },
                            shared.deliverer.get()});
  shared.main.spawn(keeper.run(), "dkim");
  shared.main.spawn(shared.directory->keep_keys(), "keys");
  shared.main.spawn(shared.link_keys.keep(*shared.store), "link keys");
  shared.main.spawn(digests.run(), "digest");
  links.start(std::move(link_sockets));
  shared.judging->antivirus.start();
  sender->start();
  for (std::size_t i = 0; i < units.size(); ++i) units[i]->start(std::move(sockets[i]));
  log::info("ready", {{"hostname", shared.config.hostname}, {"loops", std::to_string(units.size())}, {"version", kVersion}});
  shared.main.run();
  take_apart(shared, units, sender);
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

  auto free = check_ports_free(loaded.config.listen);
  auto sockets = bind_for_loops(loaded.config.listen, std::max(1U, std::thread::hardware_concurrency()));
  if (!sockets) return complain(sockets.error());
  io::Fd admin_socket;
  if (loaded.config.listen.admin) {
    auto bound = io::bind_to(*loaded.config.listen.admin);
    if (!bound) return complain(bound.error());
    admin_socket = std::move(*bound);
  }
  auto link_sockets = bind_links(loaded.config.listen);
  if (!link_sockets) return complain(link_sockets.error());
  auto dropped = admin::drop_privileges(loaded.config);
  if (!dropped) return complain(dropped.error());
  auto files = config::check_files(loaded.config);
  for (const auto& mistake : files.mistakes) log::error("config", {{"what", mistake}});
  if (!files.mistakes.empty()) return 2;
  for (const auto& warning : files.warnings) log::warning("config", {{"what", warning}});

  Shared shared(std::move(loaded.config));
  auto tls = load_tls(shared);
  if (!tls) return complain(tls.error());
  auto outward = smtp_client::contexts_trusting(shared.config.tls.trust);
  if (!outward) return complain(outward.error());
  shared.outward_tls = std::move(*outward);
  auto built = build(shared);
  if (!built) return complain(built.error());
  if (!free) return complain(free.error());   // of two servers on one store, the store says more: it names the other one
  if (!admin::load_rules_at_start(shared.judging->rules)) return 2;
  return run(shared, std::move(*sockets), std::move(admin_socket), std::move(*link_sockets), std::move(signals));
}

}  // namespace postern
