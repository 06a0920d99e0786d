// The POP3 session on a real store, over loopback.
#include "tests/unit/pop3/world.h"

#include "gateway/base/text.h"
#include "tests/support/memory_store.h"

using namespace postern;
using namespace postern::pop3::test;

namespace {

io::Task<void> first_session(World& world) {
  auto client = co_await world.logged_in();
  auto stat = co_await client->ask("STAT");
  CHECK(stat == "+OK 2 44");
  auto list = co_await client->ask("LIST");
  CHECK(list == "+OK List follows");
  auto lines = co_await client->lines();
  CHECK(lines == "1 22|2 22|");
  auto retr = co_await client->ask("RETR 1");
  CHECK(retr == "+OK 22 octets");
  lines = co_await client->lines();
  CHECK(lines == "P: x|S: one||.dot|");
  auto top = co_await client->ask("TOP 2 1");
  CHECK(top == "+OK 22 octets");
  lines = co_await client->lines();
  CHECK(lines == "S: two||a|");
  auto uidl = co_await client->ask("UIDL 2");
  CHECK(uidl == "+OK 2 " + std::to_string(world.store->mailbox(world.ann, "INBOX")->uidvalidity) + ".2");
  auto dele = co_await client->ask("DELE 1");
  CHECK(dele == "+OK Marked for deletion");
  auto again = co_await client->ask("DELE 1");
  CHECK(again == "-ERR No such message");
  stat = co_await client->ask("STAT");
  CHECK(stat == "+OK 1 22");
  auto quit = co_await client->ask("QUIT");
  CHECK(quit == "+OK 1 messages deleted, goodbye");
  bool closed = co_await client->is_closed();
  CHECK(closed);
}

// Sends `script` and goes away without a word.
io::Task<void> vanish_after(World& world, std::string script, int answers) {
  auto client = co_await world.logged_in();
  co_await client->send(script);
  for (int i = 0; i < answers; ++i) co_await client->line();
  client.reset();
  co_await world.wait_ended(1);
}

io::Task<void> second_session_is_refused(World& world) {
  auto first = co_await world.logged_in();
  auto second = co_await world.connect();
  co_await second->line();
  co_await second->ask("USER ann");
  auto refused = co_await second->ask("PASS sec ret");
  CHECK(refused == "-ERR [IN-USE] Another POP3 session has this mailbox");
  auto quit = co_await first->ask("QUIT");
  CHECK(quit == "+OK Goodbye");
  co_await world.wait_ended(1);
  co_await second->ask("USER ann");
  auto pass = co_await second->ask("PASS sec ret");
  CHECK(pass == "+OK 0 messages");
}

io::Task<void> big_message(World& world, std::size_t octets) {
  auto client = co_await world.logged_in();
  auto retr = co_await client->ask("RETR 1");
  CHECK(retr == "+OK " + std::to_string(octets) + " octets");
  std::size_t got = 0;
  for (;;) {
    auto line = co_await client->line();
    if (line == ".") break;
    got += line.size() + 2 - (line.starts_with('.') ? 1 : 0);
  }
  CHECK(got == octets);
}

io::Task<void> trickled(World& world) {
  auto client = co_await world.connect();
  co_await client->line();
  const std::string script = "USER ann@example.test\r\nPASS sec ret\r\nSTAT\r\nQUIT\r\n";
  for (char c : script) {
    co_await client->send(std::string(1, c));
    co_await io::sleep_until(std::chrono::steady_clock::now());   // a turn of the loop: the server reads it alone
  }
  std::string all;
  for (int i = 0; i < 4; ++i) {
    auto line = co_await client->line();
    all += line + "|";
  }
  CHECK(all == "+OK Password, please|+OK 0 messages|+OK 0 0|+OK Goodbye|");
}

io::Task<void> pipelined(World& world) {
  auto client = co_await world.connect();
  co_await client->line();
  co_await client->send("USER ann\r\nPASS sec ret\r\nSTAT\r\nLIST\r\nUIDL 1\r\nDELE 1\r\nRSET\r\nNOOP\r\nRETR 1\r\nQUIT\r\n");
  std::string all;
  for (int i = 0; i < 14; ++i) {
    auto line = co_await client->line();
    all += line + "|";
  }
  auto uidvalidity = std::to_string(world.store->mailbox(world.ann, "INBOX")->uidvalidity);
  CHECK(all == "+OK Password, please|+OK 1 messages|+OK 1 6|+OK List follows|1 6|.|+OK 1 " + uidvalidity +
                   ".1|+OK Marked for deletion|+OK 1 messages|+OK Nothing done|+OK 6 octets|S: x|.|+OK Goodbye|");
}

io::Task<void> authenticate(World& world) {
  auto client = co_await world.connect();
  co_await client->line();
  const std::string right = base64(std::string("\0ann\0sec ret", 12));
  struct Step {
    std::string send, want;
  };
  const std::vector<Step> steps = {
      {"AUTH CRAM-MD5", "-ERR Unknown mechanism; PLAIN is there"},
      {"AUTH PLAIN !!!", "-ERR That is no SASL PLAIN message in base64"},
      {"AUTH PLAIN =", "-ERR That is no SASL PLAIN message in base64"},
      {"AUTH PLAIN " + right.substr(0, right.size() - 3), "-ERR That is no SASL PLAIN message in base64"},
      {"AUTH PLAIN", "+ "},
      {"*", "-ERR Authentication cancelled"},
      {"AUTH PLAIN " + base64(std::string("bob\0ann\0sec ret", 15)), "-ERR [AUTH] Nobody may act for somebody else"},
      {"AUTH PLAIN " + base64(std::string("\0ann\0wrong", 10)), "-ERR [AUTH] Wrong user name or password"},
      {"PASS x", "-ERR USER first"},
      {"STAT", "-ERR Log in first"},
      {"AUTH PLAIN", "+ "},
      {right, "+OK 0 messages"},
      {"USER ann", "-ERR Already logged in"},
      {"STLS", "-ERR Already logged in"},
  };
  for (const auto& step : steps) {
    INFO(step.send);
    auto answer = co_await client->ask(step.send);
    CHECK(answer == step.want);
  }
}

io::Task<void> three_wrong_passwords(World& world) {
  auto client = co_await world.connect();
  co_await client->line();
  for (int i = 0; i < 3; ++i) {
    co_await client->ask("USER nobody");
    auto answer = co_await client->ask("PASS x" + std::to_string(i));
    CHECK(answer == "-ERR [AUTH] Wrong user name or password");
  }
  bool closed = co_await client->is_closed();
  CHECK(closed);
}

io::Task<void> no_plaintext(World& world) {
  auto client = co_await world.connect();
  co_await client->line();
  for (const auto* command : {"USER ann", "PASS x", "AUTH PLAIN AGFubgB4"}) {
    auto answer = co_await client->ask(command);
    CHECK(answer == "-ERR Passwords are taken over TLS only: use STLS or the port for TLS");
  }
  auto capa = co_await client->ask("CAPA");
  CHECK(capa == "+OK Capabilities follow");
  auto lines = co_await client->lines();
  CHECK(lines.find("USER") == std::string::npos);
  CHECK(lines.find("SASL") == std::string::npos);
  CHECK(lines.find("STLS") == std::string::npos);
  auto stls = co_await client->ask("STLS");
  CHECK(stls == "-ERR TLS is not available");
}

io::Task<void> rubbish(World& world) {
  auto client = co_await world.connect();
  co_await client->line();
  auto nul = co_await client->ask(std::string("NO\0OP", 5));
  CHECK(nul == "-ERR NUL and CR are not allowed in a line");
  auto unknown = co_await client->ask("\xFF\xFE\x80");
  CHECK(unknown == "-ERR Unknown command");
  auto long_line = co_await client->ask(std::string(1'000'000, 'x'));
  CHECK(long_line == "-ERR The line is too long");
  for (int i = 0; i < 17; ++i) co_await client->ask("X");
  auto last = co_await client->line();
  CHECK(last == "-ERR Too many errors");
  bool closed = co_await client->is_closed();
  CHECK(closed);
}

io::Task<void> message_gone(World& world) {
  auto client = co_await world.logged_in();
  auto inbox = world.store->mailbox(world.ann, "INBOX")->id;
  std::vector<store::Uid> uids = {1};
  auto erased = co_await world.store->erase(inbox, std::move(uids));
  CHECK(erased.ok());
  auto stat = co_await client->ask("STAT");
  CHECK(stat == "+OK 2 12");
  auto retr = co_await client->ask("RETR 1");
  CHECK(retr == "-ERR That message is gone");
  co_await client->ask("DELE 1");
  co_await client->ask("DELE 2");
  auto quit = co_await client->ask("QUIT");
  CHECK(quit == "+OK 1 messages deleted, goodbye");
}

io::Task<void> drained(World& world) {
  auto client = co_await world.logged_in();
  co_await client->ask("DELE 1");
  world.draining = true;
  world.drain.notify();
  auto bye = co_await client->line();
  CHECK(bye == "-ERR [SYS/TEMP] mx.example.test is shutting down, try again later");
  bool closed = co_await client->is_closed();
  CHECK(closed);
}

io::Task<void> idle(World& world) {
  auto client = co_await world.connect();
  co_await client->line();
  bool closed = co_await client->is_closed();
  CHECK(closed);
}

}  // namespace

TEST_CASE("messages are listed, fetched and deleted at QUIT") {
  World world;
  world.deliver("S: one\r\n\r\n.dot\r\n", "P: x\r\n");
  world.deliver("S: two\r\n\r\na\r\nb\r\nc\r\nd\r\n");
  CHECK(world.messages() == 2);
  world.loop.block_on(first_session(world));
  CHECK(world.messages() == 1);
}

TEST_CASE("a connection that breaks deletes nothing, wherever it breaks") {
  const std::vector<std::pair<std::string, int>> scripts = {
      {"DELE 1\r\n", 1}, {"DELE 1\r\nQUI", 1}, {"DELE 1\r\nRETR 2\r\n", 1}, {"DELE 1\r\nQUIT", 0}, {"DE", 0}, {"DELE 1\r\nNOOP\r\nLIST\r\n", 2}};
  for (const auto& [script, answers] : scripts) {
    INFO(script);
    World world;
    world.deliver("S: x\r\n");
    world.deliver("S: y\r\n");
    world.loop.block_on(vanish_after(world, script, answers));
    CHECK(world.messages() == 2);
    CHECK(world.maildrops.take(world.ann));
  }
}

TEST_CASE("a second session on the same maildrop is told IN-USE, and served after the first") {
  World world;
  world.loop.block_on(second_session_is_refused(world));
}

TEST_CASE("a message of many megabytes arrives whole") {
  World world;
  std::string text = "S: big\r\n\r\n";
  while (text.size() < 9'000'000) text += ".a line that begins with a dot and goes on for a while\r\n";
  auto size = text.size();
  world.deliver(std::move(text));
  world.loop.block_on(big_message(world, size));
}

TEST_CASE("commands that come one octet at a time are understood") {
  World world;
  world.loop.block_on(trickled(world));
}

TEST_CASE("pipelined commands are answered in order") {
  World world;
  world.deliver("S: x\r\n");
  world.loop.block_on(pipelined(world));
}

TEST_CASE("AUTH PLAIN works in both forms and fails in words") {
  World world;
  world.loop.block_on(authenticate(world));
}

TEST_CASE("the third wrong password ends the session") {
  World world;
  world.loop.block_on(three_wrong_passwords(world));
}

TEST_CASE("without TLS no password is taken unless that is allowed") {
  World world;
  world.services.allow_plaintext_login = false;
  world.loop.block_on(no_plaintext(world));
}

TEST_CASE("rubbish is answered and ends the session in the end") {
  World world;
  world.loop.block_on(rubbish(world));
}

TEST_CASE("a message that went away meanwhile keeps its number and is told as gone") {
  World world;
  world.deliver("S: x\r\n");
  world.deliver("S: y\r\n");
  world.loop.block_on(message_gone(world));
  CHECK(world.messages() == 0);
}

TEST_CASE("a session is told when the program ends, and its deletions are not done") {
  World world;
  world.deliver("S: x\r\n");
  world.loop.block_on(drained(world));
  CHECK(world.messages() == 1);
}

TEST_CASE("a client that says nothing is let go") {
  World world;
  world.services.timeouts.login_line = 0s;
  world.loop.block_on(idle(world));
}

namespace {
io::Task<void> retrieve_unreadable(World& world, postern::test::MemoryStore& store) {
  auto client = co_await world.logged_in();
  store.unreadable = true;
  auto retr = co_await client->ask("RETR 1");
  CHECK(retr == "-ERR [SYS/TEMP] The message cannot be read now");
  auto quit = co_await client->ask("QUIT");
  CHECK(quit == "+OK Goodbye");
}
}  // namespace

TEST_CASE("a message whose row cannot be read is a temporary error, not a message that is gone") {
  auto memory = std::make_unique<postern::test::MemoryStore>();
  auto& store = *memory;
  World world(std::move(memory));
  world.deliver("S: x\r\n\r\nx\r\n");
  world.loop.block_on(retrieve_unreadable(world, store));
}
