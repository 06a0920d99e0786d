// Plays tests/dialogues/imap/*.txt; $INBOX$ is that mailbox's UIDVALIDITY.  Those that make the store fail are not
// played on the real one.  Actions:
//   A: deliver MAILBOX NAME    one of the messages below arrives
//   A: fail no_space|broken|cannot|noperm|done    what the store answers to changes from now on
//   A: damage UID              reading that message fails from now on
//   A: drain                   the program is to end
//   A: plaintext no            passwords only over TLS
#include <map>

#include "gateway/base/text.h"
#include "tests/support/dialogue.h"
#include "tests/support/imap_world.h"
#include "tests/support/memory_store.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/catch.h"

using namespace postern;

namespace {

const std::map<std::string, std::string, std::less<>> kMessages = {
    {"hello",
     "Date: Tue, 24 Nov 2026 03:59:02 +0000\r\n"
     "From: Ann Example <ann@example.org>\r\n"
     "To: user@example.test, \"B, C\" <bc@example.org>\r\n"
     "Subject: Hello\r\n"
     "Message-ID: <hello@example.org>\r\n"
     "\r\n"
     "Dear user,\r\nthe quick brown fox.\r\n"},
    {"viet",
     "Date: Wed, 25 Nov 2026 23:59:02 -0800\r\n"
     "From: =?utf-8?q?Nguy=E1=BB=85n?= <nguyen@example.org>\r\n"
     "Subject: =?utf-8?b?VGnhur9uZyBWaeG7h3Q=?=\r\n"
     "Content-Type: text/plain; charset=utf-8\r\n"
     "Content-Transfer-Encoding: base64\r\n"
     "\r\n"
     "WGluIGNow6BvIGPhuqMgbmjDoA==\r\n"},
    {"multipart",
     "From: a@example.org\r\n"
     "Subject: parts\r\n"
     "Content-Type: multipart/mixed; boundary=b\r\n"
     "\r\n"
     "preamble\r\n"
     "--b\r\n"
     "Content-Type: text/plain\r\n"
     "\r\n"
     "first\r\n"
     "--b\r\n"
     "Content-Type: message/rfc822\r\n"
     "\r\n"
     "From: inner@example.org\r\n"
     "Subject: inner\r\n"
     "\r\n"
     "inner body\r\n"
     "--b\r\n"
     "Content-Type: application/octet-stream; name=\"x.bin\"\r\n"
     "Content-Disposition: attachment; filename=\"x.bin\"\r\n"
     "Content-Transfer-Encoding: base64\r\n"
     "\r\n"
     "AAECAw==\r\n"
     "--b--\r\n"},
};

io::Task<std::string> act(test::ImapWorld& world, test::MemoryStore* memory, std::string line) {
  auto parts = words(line);
  std::vector<std::string> args(parts.begin(), parts.end());
  if (args.at(0) == "deliver") {
    auto placed = co_await world.put(args.at(1), kMessages.at(args.at(2)), args.size() > 3 ? "Return-Path: <ann@example.org>\r\n" : "",
                                     store::Flags());
    co_return placed.uid != 0 ? "" : "not delivered";
  }
  if (args.at(0) == "fail") {
    static const std::map<std::string, store::Outcome, std::less<>> kOutcomes = {
        {"no_space", store::Outcome::no_space}, {"broken", store::Outcome::broken}, {"cannot", store::Outcome::cannot},
        {"noperm", store::Outcome::noperm},     {"done", store::Outcome::done},     {"over_quota", store::Outcome::over_quota}};
    memory->fail_with = kOutcomes.at(args.at(1));
  } else if (args.at(0) == "damage") {
    memory->damage = static_cast<store::Uid>(parse_number(args.at(1)).value());
  } else if (args.at(0) == "drain") {
    world.draining = true;
    world.drain.notify();
  } else if (args.at(0) == "plaintext") {
    world.services.allow_plaintext_login = false;
  } else if (args.at(0) == "max") {
    world.services.limits.max_message_octets = parse_number(args.at(1)).value();
  } else {
    co_return "unknown action";
  }
  co_return "";
}

std::string play_with(io::Loop& loop, store::Store& store, test::MemoryStore* memory, io::WorkerPool& workers, const std::string& text,
                      bool trickle) {
  test::ImapWorld world(store, workers);
  loop.block_on(world.add_user());
  test::Dialogue dialogue;
  dialogue.serve = [&world](io::Stream stream, std::string) { return imap::serve(std::move(stream), world.services, false); };
  dialogue.act = [&world, memory](std::string line) { return act(world, memory, std::move(line)); };
  for (const auto& info : store.mailboxes(world.user)) dialogue.words.emplace_back(info.name, std::to_string(info.uidvalidity));
  dialogue.trickle = trickle;
  auto wrong = loop.block_on(dialogue.play(text));
  loop.block_on(test::ended(loop));
  return wrong;
}

std::string play_in_memory(const std::string& path, bool trickle) {
  io::WorkerPool workers(1);
  io::Loop loop;
  test::MemoryStore store;
  return play_with(loop, store, &store, workers, test::file_text(path), trickle);
}

// The loop must outlive the store, which posts to it; the sessions must end before the store.
std::string play_on_disk(const std::string& path) {
  auto text = test::file_text(path);
  if (text.find("A: fail") != std::string::npos || text.find("A: damage") != std::string::npos) return "";
  test::TemporaryDirectory directory;
  io::WorkerPool workers(1);
  io::Loop loop;
  store::StoreOptions options;
  options.directory = directory.path();
  auto store = store::Store::open(options, workers);
  if (!store) return store.error().text;
  return play_with(loop, **store, nullptr, workers, text, false);
}

}  // namespace

TEST_CASE("every IMAP dialogue goes as written") {
  auto files = test::dialogue_files("imap");
  REQUIRE_FALSE(files.empty());
  for (const auto& path : files) {
    INFO(path);
    CHECK(play_in_memory(path, false) == "");
  }
}

TEST_CASE("every IMAP dialogue goes the same on the real store") {
  for (const auto& path : test::dialogue_files("imap")) {
    INFO(path);
    CHECK(play_on_disk(path) == "");
  }
}

TEST_CASE("every IMAP dialogue goes the same when the client sends one octet at a time") {
  for (const auto& path : test::dialogue_files("imap")) {
    INFO(path);
    CHECK(play_in_memory(path, true) == "");
  }
}
