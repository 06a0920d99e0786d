#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "filters/fixed_evidence.h"
#include "filters/judge.h"
#include "filters/rule_set.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "tests/support/catch.h"

// A judge over a rule text, with facts, DNS and clock that the test sets.
namespace postern::filters {

inline std::filesystem::path source_folder() {
  const char* source = std::getenv("POSTERN_SOURCE");
  return source != nullptr ? source : ".";
}

inline std::string file_text(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::shared_ptr<lua::Generation> generation_of(std::vector<lua::SourceFile> files, lua::Budgets budgets = {}) {
  files.push_back({"scripts/prelude.lua", file_text(source_folder() / "scripts/prelude.lua")});
  return lua::Generation::from(std::move(files), budgets, std::make_shared<ListFolder>("."));
}

class RuleBench {
 public:
  explicit RuleBench(std::string text, lua::Budgets budgets = {}) : RuleBench({{"rules/50-test.lua", std::move(text)}}, budgets) {}
  explicit RuleBench(std::vector<lua::SourceFile> files, lua::Budgets budgets = {}) {
    report = load_rules(generation_of(std::move(files), budgets), false);
    for (const auto& mistake : report.mistakes) UNSCOPED_INFO(mistake.text());
    REQUIRE(report.good());
    std::vector<lua::Mistake> mistakes;
    state = lua::State::load(report.edition->generation, mistakes);
    setting.hostname = "mx.test";
    setting.counters = &counters;
    setting.lists = &lists;
    setting.clock = &clock;
    setting.on_switched_off = [this](const lua::RuleInfo& rule, const std::string&) { switched_off.push_back(rule.name); };
    client.ip = *IpAddress::parse("192.0.2.1");
    client.helo = "client.example";
    client.session = "S1";
    sender.address = "anna@sender.example";
    recipients.push_back({"ben@example.org", "ben@example.org", {}});
  }

  Judge& judge() {
    if (!judge_) judge_ = std::make_unique<Judge>(setting, resolver, evidence, report.edition, state);
    return *judge_;
  }

  smtp::Decision connect() { return loop.block_on(examination().on_connect(client)); }
  smtp::Decision mail() { return loop.block_on(examination().on_mail(client, sender)); }
  smtp::Decision rcpt(std::size_t index = 0) { return loop.block_on(examination().on_rcpt(client, recipients[index])); }
  smtp::MessageVerdict message(std::string text = "Subject: hello\r\nFrom: anna@sender.example\r\n\r\nBody\r\n") {
    return loop.block_on(examination().on_message(client, "M1", Octets(std::move(text)), recipients));
  }
  // All stages, on a new connection.
  smtp::MessageVerdict all(std::string text = "Subject: hello\r\nFrom: anna@sender.example\r\n\r\nBody\r\n") {
    examination_.reset();
    connect();
    mail();
    for (std::size_t i = 0; i < recipients.size(); ++i) rcpt(i);
    return message(std::move(text));
  }
  smtp::Examination& examination() {
    if (!examination_) examination_ = judge().examine();
    return *examination_;
  }
  void hang_up() { examination_.reset(); }

  io::Loop loop;
  FixedClock clock{from_unix(1'800'000'000)};
  Counters counters{clock};
  DnsLists lists{clock, no_test_points()};
  dns::FixedResolver resolver;
  FixedEvidence evidence;
  JudgeSetting setting;
  LoadReport report;
  std::shared_ptr<lua::State> state;
  smtp::Client client;
  smtp::Sender sender;
  std::vector<smtp::Recipient> recipients;
  std::vector<std::string> switched_off;

 private:
  static DnsLists::Config no_test_points() {
    DnsLists::Config config;
    config.check_test_points = false;
    return config;
  }
  std::unique_ptr<Judge> judge_;
  std::unique_ptr<smtp::Examination> examination_;
};

}  // namespace postern::filters
