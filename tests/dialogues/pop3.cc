// Plays tests/dialogues/pop3/*.txt with the user ann@example.test, password "sec ret"; $V$ is INBOX's UIDVALIDITY.
// TLS is available.  Those that make the store fail are not played on the real one.  Actions:
//   A: deliver NAME      one of the messages below arrives in INBOX
//   A: erase UID         another session removes that message
//   A: fail no_space|done   what the store answers to changes from now on
//   A: damage UID        reading that message fails from now on
//   A: count N           INBOX holds N messages
//   A: drain             the program is to end
//   A: plaintext no      passwords only over TLS
#include <map>

#include "gateway/base/text.h"
#include "tests/support/certificate.h"
#include "tests/support/dialogue.h"
#include "tests/support/memory_store.h"
#include "tests/unit/pop3/world.h"

using namespace postern;
using pop3::test::World;

namespace {

const std::map<std::string, std::string, std::less<>> kMessages = {
    {"hello", "From: ann@example.org\r\nSubject: Hello\r\n\r\nDear user,\r\nthe quick brown fox.\r\n"},
    {"dots", "Subject: dots\r\n\r\n.\r\n..\r\n.a\r\nb.\r\n"},
    {"unended", "Subject: no line end\r\n\r\nlast words"},
};

io::Task<std::string> act(World& world, test::MemoryStore* memory, std::string line) {
  auto parts = words(line);
  std::vector<std::string> args(parts.begin(), parts.end());
  if (args.at(0) == "deliver") {
    auto delivered = co_await world.delivered(kMessages.at(args.at(1)), "Return-Path: <a@example.org>\r\n");
    co_return delivered.ok() ? "" : delivered.text;
  }
  if (args.at(0) == "erase") {
    std::vector<store::Uid> uids = {static_cast<store::Uid>(parse_number(args.at(1)).value())};
    auto erased = co_await world.store->erase(world.store->mailbox(world.ann, "INBOX")->id, std::move(uids));
    co_return erased.ok() ? "" : erased.text;
  }
  if (args.at(0) == "count") {
    auto there = world.messages();
    co_return std::to_string(there) == args.at(1) ? "" : "there are " + std::to_string(there);
  }
  if (args.at(0) == "fail") {
    memory->fail_with = args.at(1) == "done" ? store::Outcome::done : store::Outcome::no_space;
  } else if (args.at(0) == "damage") {
    memory->damage = static_cast<store::Uid>(parse_number(args.at(1)).value());
  } else if (args.at(0) == "drain") {
    world.draining = true;
    world.drain.notify();
  } else if (args.at(0) == "plaintext") {
    world.services.allow_plaintext_login = args.at(1) == "yes";
  } else {
    co_return "unknown action";
  }
  co_return "";
}

std::string play(const std::string& path, bool in_memory, bool trickle) {
  static const auto certificate = test::server_context();
  auto text = test::file_text(path);
  bool fails = text.find("A: fail") != std::string::npos || text.find("A: damage") != std::string::npos;
  if (fails && !in_memory) return "";
  // What comes behind STLS octet by octet is no injection but a broken handshake.
  if (trickle && text.find("C-: STLS") != std::string::npos) return "";
  std::unique_ptr<test::MemoryStore> given;
  if (in_memory) given = std::make_unique<test::MemoryStore>();
  auto* memory = given.get();
  World world(std::move(given));
  world.tls = certificate;
  test::Dialogue dialogue;
  dialogue.serve = [&world](io::Stream stream, std::string name) {
    return pop3::serve(std::move(stream), world.services, name.starts_with("s"));
  };
  dialogue.act = [&world, memory](std::string line) { return act(world, memory, std::move(line)); };
  dialogue.words.emplace_back("V", std::to_string(world.store->mailbox(world.ann, "INBOX")->uidvalidity));
  dialogue.trickle = trickle;
  return world.loop.block_on(dialogue.play(text));
}

}  // namespace

TEST_CASE("every POP3 dialogue goes as written") {
  auto files = test::dialogue_files("pop3");
  REQUIRE_FALSE(files.empty());
  for (const auto& path : files) {
    INFO(path);
    CHECK(play(path, true, false) == "");
  }
}

TEST_CASE("every POP3 dialogue goes the same on the real store") {
  for (const auto& path : test::dialogue_files("pop3")) {
    INFO(path);
    CHECK(play(path, false, false) == "");
  }
}

TEST_CASE("every POP3 dialogue goes the same when the client sends one octet at a time") {
  for (const auto& path : test::dialogue_files("pop3")) {
    INFO(path);
    CHECK(play(path, true, true) == "");
  }
}
