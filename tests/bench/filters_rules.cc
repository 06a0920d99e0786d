// CPU a message for the shipped rules alone: every stage through the judge, facts given, DNS answered at
// once.  Prints, asserts nothing.
//   bench_filters_rules [MESSAGES]      POSTERN_SOURCE names the source folder
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "filters/fixed_evidence.h"
#include "filters/judge.h"
#include "filters/rule_set.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"

using namespace postern;
using namespace postern::filters;

namespace {

double cpu_microseconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto micros = [](const timeval& time) { return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec); };
  return micros(used.ru_utime) + micros(used.ru_stime);
}

io::Task<void> judge_many(Judge& judge, int messages) {
  smtp::Client client;
  client.ip = *IpAddress::parse("192.0.2.1");
  client.helo = "mail.sender.example";
  smtp::Sender sender;
  sender.address = "anna@sender.example";
  std::vector<smtp::Recipient> recipients(1);
  recipients[0].address = recipients[0].account = "ben@example.org";
  std::string text = "From: Anna <anna@sender.example>\r\nTo: ben@example.org\r\nSubject: Hello\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n"
                     "Message-ID: <1@sender.example>\r\n\r\n";
  while (text.size() < 4096) text += "The quick brown fox jumps over the lazy dog.\r\n";
  Octets octets(text);
  for (int i = 0; i < messages; ++i) {
    auto examination = judge.examine();
    co_await examination->on_connect(client);
    co_await examination->on_mail(client, sender);
    co_await examination->on_rcpt(client, recipients[0]);
    co_await examination->on_message(client, "M", octets, recipients);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* source = std::getenv("POSTERN_SOURCE");
  LoadOptions options;
  options.rules = std::filesystem::path(source != nullptr ? source : ".") / "rules";
  options.scripts = options.rules.parent_path() / "scripts";
  double before = cpu_microseconds();
  RuleSet rules(options);
  auto report = rules.reload();
  if (!report.good()) {
    std::cerr << report.summary() << "\n";
    return 1;
  }
  std::cout << report.rules << " rules, " << report.tests << " tests: loaded, checked and tested in " << (cpu_microseconds() - before) / 1000 << " ms\n";
  int messages = argc > 1 ? std::atoi(argv[1]) : 10'000;
  const Clock& clock = Clock::system();
  Counters counters(clock);
  DnsLists::Config watch;
  watch.check_test_points = false;
  DnsLists lists(clock, watch);
  dns::FixedResolver resolver;
  if (auto added = resolver.add("sender.example MX", "10 mx.sender.example"); !added) return 1;
  FixedEvidence evidence;
  evidence.reputation.name = evidence.reputation.ptr = "mail.sender.example";
  evidence.reputation.reverse = Reputation::Reverse::confirmed;
  JudgeSetting setting;
  setting.hostname = "mx.test";
  setting.rules = &rules;
  setting.counters = &counters;
  setting.lists = &lists;
  Judge judge(setting, resolver, evidence);
  io::Loop loop;
  loop.block_on(judge_many(judge, 100));
  before = cpu_microseconds();
  loop.block_on(judge_many(judge, messages));
  std::cout << (cpu_microseconds() - before) / messages << " us CPU a message over " << messages << " messages\n";
}
