// kill -9 at random moments under load.  A child delivers, copies, flags, expunges, and works on the outgoing queue
// with many tasks and says on a pipe what was acknowledged; the parent kills it, opens the store and compares.
// POSTERN_KILL_ROUNDS rounds (default 20) on one and the same store.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <random>
#include <set>
#include <sstream>

#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/io/loop.h"
#include "gateway/io/worker_pool.h"
#include "gateway/store/store.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::store;

namespace {

constexpr int kPipe = 3;
constexpr int kTasks = 40;
constexpr const char* kChildTest = "[.killed_child]";
constexpr MailboxId kQueue = 0;   // in what is said and known; no mailbox has that number
constexpr std::string_view kNotice = "notice-";

StoreOptions options_in(const std::string& directory) {
  StoreOptions options;
  options.directory = directory;
  options.segment_octets = 2 << 20;   // many segments, and their rewriting
  options.low_space_octets = 0;
  return options;
}

// The text says who it is, and its rest follows from that: a comparison is as good as a hash.
std::string text_of(const std::string& token) {
  std::mt19937_64 random(std::hash<std::string>()(token));
  std::size_t size = random() % 50 == 0 ? (1 << 20) + random() % 1000 : random() % 9000;
  std::string text = token + "\n";
  while (text.size() < size) text += std::to_string(random());
  return text;
}
std::string prefix_for(const std::string& destination) { return "To: " + destination + "\r\n"; }
std::string token_of(const std::string& text) { return text.substr(0, text.find('\n')); }

void say(const std::string& line) {
  auto whole = line + "\n";
  if (::write(kPipe, whole.data(), whole.size()) != static_cast<ssize_t>(whole.size())) _exit(3);
}

void say(const std::string& what, MailboxId mailbox, std::uint64_t uid, const std::string& rest = "-") {
  say(what + " " + std::to_string(mailbox) + " " + std::to_string(uid) + " " + rest);
}

struct Child {
  Store& store;
  AccountId account;
  MailboxId inbox, archive, sent;
  std::mt19937_64 random{random_number()};
  QueueId last_queued = 0;

  Item item_of(const std::string& token) {
    Item item;
    item.id = token;
    item.pieces.emplace_back(text_of(token));
    return item;
  }
  void add_target(Item& item, SpecialUse use) {
    Target target;
    target.account = account;
    target.use = use;
    item.targets.push_back(target);
  }
  void say_delivered(const Delivered& delivered, const std::string& token) {
    for (const auto& placed : delivered.placed[0]) say("deliver", placed.mailbox, placed.uid, token);
    for (auto id : delivered.queued[0]) {
      say("deliver", kQueue, id, token);
      last_queued = std::max(last_queued, id);
    }
  }

  io::Task<void> deliver() {
    auto token = new_id();
    auto item = item_of(token);
    auto where = random() % 8;   // copies and entries in all mixtures, one at least
    if ((where & 1) != 0) add_target(item, SpecialUse::inbox);
    if ((where & 2) != 0) add_target(item, SpecialUse::sent);
    if ((where & 4) != 0 || where == 0) {
      Onward onward;
      onward.destination = std::to_string(random() % 100) + ".example";
      onward.header_prefix = prefix_for(onward.destination);
      item.onward.push_back(onward);
    }
    Delivery delivery;
    delivery.items.push_back(std::move(item));
    auto delivered = co_await store.deliver(std::move(delivery));
    if (!delivered.ok()) _exit(4);
    say_delivered(delivered, token);
  }

  // Holds an entry, removes it, or removes it with a notice about it in the same commit.
  io::Task<void> work_on_queue() {
    auto page = co_await store.queue(random() % (last_queued + 1), 3);
    if (!page) _exit(5);
    if (page->empty()) co_return;
    auto id = (*page)[random() % page->size()].id;
    auto token = std::string(kNotice) + std::to_string(id);
    auto kind = random() % 3;
    QueueChange change;
    change.id = id;
    if (kind == 0) change.held = true;
    change.remove = kind != 0;
    change.required = kind == 2;   // or two tasks would both write the notice
    Delivery delivery;
    delivery.queue.push_back(change);
    if (kind == 2) {
      delivery.items.push_back(item_of(token));
      add_target(delivery.items[0], SpecialUse::inbox);
    }
    if (change.remove) say("erasing", kQueue, id);
    auto done = co_await store.deliver(std::move(delivery));
    if (!done.ok() && done.outcome != Outcome::cannot) _exit(6);
    if (!done.gone.empty()) co_return;   // another task was first
    if (kind == 0) say("seen", kQueue, id);
    else say("erased", kQueue, id);
    if (kind == 2) say_delivered(done, token);
  }

  io::Task<void> change() {
    auto rows = co_await store.messages(inbox, static_cast<Uid>(1 + random() % store.mailbox(inbox)->uidnext), 0xffffffff, 3);
    if (!rows) _exit(5);
    if (rows->empty()) co_return;
    std::vector<Uid> uids;
    for (const auto& row : *rows) uids.push_back(row.uid);
    auto kind = random() % 4;
    if (kind == 0) {
      auto copied = co_await store.copy(inbox, uids, archive);
      for (auto [from, to] : copied.uids) say("copy", archive, to, std::to_string(from));
    } else if (kind == 1) {
      Flags flags;
      flags.system = flag::seen;
      auto changed = co_await store.change_flags(inbox, uids, FlagOperation::add, flags, {});
      for (auto uid : changed.changed) say("seen", inbox, uid);
    } else {
      for (auto uid : uids) say("erasing", inbox, uid);
      auto erased = co_await store.erase(inbox, uids);
      for (auto uid : erased.uids) say("erased", inbox, uid);
    }
  }

  io::Task<void> run() {
    for (;;) {
      auto what = random() % 7;
      if (what < 3) co_await deliver();
      else if (what < 5) co_await change();
      else co_await work_on_queue();
    }
  }
};

// What the parent knows.  An entry of the queue is known as a message of kQueue, a hold as its \Seen.
struct Known {
  using Where = std::pair<MailboxId, Uid>;
  std::map<Where, std::string> there;       // acknowledged; "" as text: a copy, compared with its source's token
  std::set<Where> may_be_gone, gone, seen;
  std::set<Where> ever;
  std::set<Uid> noticed;                    // entries whose notice was found
  std::map<MailboxId, Uid> highest;
  std::map<MailboxId, std::uint32_t> uidvalidity;
  std::size_t acknowledged = 0;

  void take(const std::string& line) {
    std::istringstream in(line);
    std::string what, rest;
    Where where;
    in >> what >> where.first >> where.second >> rest;
    ++acknowledged;
    if (what == "deliver" || what == "copy") {
      if (!ever.insert(where).second) FAIL("uid " << where.second << " of mailbox " << where.first << " was given twice");
      highest[where.first] = std::max(highest[where.first], where.second);
      // Of a copy only that it is there: its source may be expunged and its token unknown.
      there[where] = what == "deliver" ? rest : "";
    } else if (what == "erasing") {
      may_be_gone.insert(where);
    } else if (what == "erased") {
      gone.insert(where);
    } else if (what == "seen") {
      seen.insert(where);
    }
  }
};

pid_t start_child(const std::string& directory, int& pipe_end) {
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  std::string place = "POSTERN_KILL_DIRECTORY=" + directory;
  std::vector<char*> environment;
  for (char** one = environ; *one != nullptr; ++one) environment.push_back(*one);
  environment.push_back(place.data());
  environment.push_back(nullptr);
  std::string program = "/proc/self/exe", test = kChildTest;
  char* arguments[] = {program.data(), test.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (ends[1] == kPipe) ::fcntl(ends[1], F_SETFD, 0);
  else posix_spawn_file_actions_adddup2(&actions, ends[1], kPipe);
  pid_t child = 0;
  REQUIRE(::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments, environment.data()) == 0);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  pipe_end = ends[0];
  return child;
}

// Reads what the child acknowledges and kills it `after` milliseconds behind the first line.
void watch_and_kill(pid_t child, int pipe_end, int after, Known& known) {
  std::string buffer;
  bool killed = false;
  auto end = Deadline::max();
  for (;;) {
    auto now = std::chrono::steady_clock::now();
    if (!killed && now >= end) {
      ::kill(child, SIGKILL);
      killed = true;
    }
    pollfd ready{.fd = pipe_end, .events = POLLIN, .revents = 0};
    ::poll(&ready, 1, killed ? 1000 : 5);
    if (ready.revents == 0) continue;
    char chunk[65536];
    auto got = ::read(pipe_end, chunk, sizeof chunk);
    if (got <= 0) break;
    if (end == Deadline::max()) end = std::chrono::steady_clock::now() + std::chrono::milliseconds(after);
    buffer.append(chunk, static_cast<std::size_t>(got));
    std::size_t begin = 0;
    for (auto newline = buffer.find('\n'); newline != std::string::npos; newline = buffer.find('\n', begin)) {
      known.take(buffer.substr(begin, newline - begin));
      begin = newline + 1;
    }
    buffer.erase(0, begin);
  }
  ::close(pipe_end);
  int state = 0;
  ::waitpid(child, &state, 0);
  if (!WIFSIGNALED(state) || WTERMSIG(state) != SIGKILL) FAIL("the child ended by itself, status " << state);
}

// What is to be compared of all messages of one mailbox, or of the queue.
struct Comparison {
  Known& known;
  MailboxId mailbox;
  std::string name;
  std::set<std::string> tokens{};
  std::set<Uid> present{};

  void message(Uid uid, const std::string& text, bool once, bool seen) {
    present.insert(uid);
    auto token = token_of(text);
    if (text != text_of(token)) FAIL("the octets of " << token << " are not what was sent");
    if (once && !tokens.insert(token).second) FAIL(token << " is twice in " << name);
    if (token.starts_with(kNotice)) known.noticed.insert(static_cast<Uid>(std::stoul(token.substr(kNotice.size()))));
    Known::Where where{mailbox, uid};
    auto acked = known.there.find(where);
    if (acked != known.there.end() && !acked->second.empty() && acked->second != token) FAIL("uid " << uid << " holds another message");
    if (known.gone.contains(where)) FAIL("uid " << uid << " of " << name << " came back");
    if (known.seen.contains(where) && !seen) FAIL("a flag of uid " << uid << " of " << name << " was lost");
    known.ever.insert(where);   // unacknowledged, but given: never to be given again
    known.highest[mailbox] = std::max(known.highest[mailbox], uid);
  }
  void end() {
    for (const auto& [where, token] : known.there) {
      if (where.first != mailbox || present.contains(where.second)) continue;
      if (!known.may_be_gone.contains(where)) FAIL("acknowledged uid " << where.second << " of " << name << " is lost");
    }
  }
};

void compare_queue(io::Loop& loop, Store& store, Known& known) {
  Comparison comparison{known, kQueue, "the queue"};
  QueueId from = 0;
  for (;;) {
    auto page = loop.block_on(store.queue(from, 500));
    if (!page) FAIL(page.error().text);
    for (const auto& entry : *page) {
      auto read = loop.block_on(store.read(entry, 0, entry.size()));
      if (!read) FAIL(read.error().text);
      auto prefix = prefix_for(entry.destination);
      if (!read->starts_with(prefix)) FAIL("entry " << entry.id << " has not the prefix of " << entry.destination);
      comparison.message(static_cast<Uid>(entry.id), read->substr(prefix.size()), true, entry.held);
      if (known.noticed.contains(static_cast<Uid>(entry.id))) FAIL("entry " << entry.id << " is there beside its notice");
      from = entry.id + 1;
    }
    if (page->size() < 500) break;
  }
  comparison.end();
}

void compare_mailbox(io::Loop& loop, Store& store, const MailboxInfo& box, Known& known) {
  if (!known.uidvalidity.emplace(box.id, box.uidvalidity).second && known.uidvalidity[box.id] != box.uidvalidity) FAIL("uidvalidity changed");
  if (box.uidnext <= known.highest[box.id]) FAIL("uidnext of " << box.name << " fell to " << box.uidnext);
  Comparison comparison{known, box.id, box.name};
  auto rows = loop.block_on(store.messages(box.id, 1, 0xffffffff, 10'000'000));
  if (!rows) FAIL(rows.error().text);
  for (const auto& row : *rows) {
    auto read = loop.block_on(store.read(row, 0, row.size()));
    if (!read) FAIL(read.error().text);
    // Copies go to Archive alone, everywhere else each message was sent once.
    comparison.message(row.uid, *read, box.use != SpecialUse::archive, (row.flags.system & flag::seen) != 0);
  }
  comparison.end();
}

}  // namespace

TEST_CASE("the child that works until it is killed", "[.killed_child]") {
  const char* directory = std::getenv("POSTERN_KILL_DIRECTORY");
  REQUIRE(directory != nullptr);
  io::WorkerPool workers(2);
  io::Loop loop;
  auto store = Store::open(options_in(directory), workers);
  REQUIRE(store);
  auto account = (*store)->account("a@example.test")->id;
  Child child{**store, account, (*store)->mailbox(account, SpecialUse::inbox)->id, (*store)->mailbox(account, SpecialUse::archive)->id,
              (*store)->mailbox(account, SpecialUse::sent)->id};
  for (int i = 0; i < kTasks; ++i) loop.spawn(child.run(), "load");
  loop.run();
}

TEST_CASE("after kill -9 every acknowledged message and queue entry is there once, whole, under its number") {
  const char* wanted = std::getenv("POSTERN_KILL_ROUNDS");
  int rounds = wanted != nullptr ? std::atoi(wanted) : 20;
  std::string name = (std::filesystem::temp_directory_path() / "postern_kill_XXXXXX").string();
  std::string folder = ::mkdtemp(name.data());
  auto directory = folder + "/store";
  io::WorkerPool workers(2);
  io::Loop loop;
  Known known;
  std::mt19937 random(std::random_device{}());
  {
    auto store = Store::open(options_in(directory), workers);
    REQUIRE(store);
    Account account;
    account.address = "a@example.test";
    REQUIRE(loop.block_on((*store)->create_account(account)).ok());
  }
  for (int round = 1; round <= rounds; ++round) {
    INFO("round " << round);
    int pipe_end = -1;
    pid_t child = start_child(directory, pipe_end);
    watch_and_kill(child, pipe_end, static_cast<int>(random() % 300), known);
    auto store = Store::open(options_in(directory), workers);
    if (!store) FAIL(store.error().text);
    auto account = (*store)->account("a@example.test")->id;
    for (const auto& box : (*store)->mailboxes(account)) compare_mailbox(loop, **store, box, known);
    compare_queue(loop, **store, known);
    auto mistakes = (*store)->verify();
    if (!mistakes.empty()) FAIL(mistakes.front());
    CHECK((*store)->state().problem.empty());
    // So that the comparison stays short: what is known to be there is thrown away now and then.
    if (round % 10 == 0) {
      for (const auto& box : (*store)->mailboxes(account)) {
        std::vector<Uid> all;
        for (Uid uid = 1; uid < box.uidnext; ++uid) all.push_back(uid);
        REQUIRE(loop.block_on((*store)->erase(box.id, all)).ok());
      }
      Delivery drain;
      auto entries = loop.block_on((*store)->queue(0, 10'000'000));
      REQUIRE(entries);
      for (const auto& entry : *entries) {
        drain.queue.emplace_back().id = entry.id;
        drain.queue.back().remove = true;
      }
      REQUIRE(loop.block_on((*store)->deliver(std::move(drain))).ok());
      known.there.clear();
      known.seen.clear();
    }
  }
  std::cout << "rounds " << rounds << ", acknowledgements " << known.acknowledged << ", lost 0" << std::endl;
  std::filesystem::remove_all(folder);
}
