#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "filters/arc.h"
#include "filters/facts.h"
#include "filters/lua/state.h"
#include "gateway/base/clock.h"
#include "gateway/smtp/judge.h"

namespace postern::filters::lua {

// One test "name" { given, dns, scanner, clock, before, want } of a rule file, read from Lua.
struct TestCase {
  smtp::Client client;
  smtp::Sender sender;
  std::vector<smtp::Recipient> recipients;
  std::string message;
  std::optional<std::string> text;
  Reputation reputation;
  Spf spf;
  Dkim dkim;
  Dmarc dmarc;
  Arc arc;
  Virus virus;
  SenderTroubles troubles;
  std::vector<Link> links;
  std::vector<Attachment> attachments;
  Files files;
  std::map<std::string, double> signs;
  bool opaque = false;
  double points = 0;
  Time clock;
  std::vector<std::pair<std::string, std::string>> dns;        // "name TYPE", value
  std::vector<std::pair<std::string, std::string>> remembered;
  struct Counted {
    std::string key;
    std::uint64_t times = 0;
    std::chrono::seconds window{0};
  };
  std::vector<Counted> counted;
  bool all = false;                     // with the rules of all files, not only of its own

  struct Want {
    std::optional<std::string> verdict, rule, folder, quarantine_class, redirect, journal, why, error;
    std::optional<double> score;
  } want;
};

// What is not given gets harmless values: a complete message from anna@sender.example to ben@example.org.
// `problem`: a sentence about a field that does not exist or has the wrong type.
std::optional<TestCase> read_test(State& state, const TestInfo& test, std::string& problem);

}  // namespace postern::filters::lua
