// Patterns at scale: what a set of them costs to make and to pass over a text, next to PCRE2 one by one; and what a
// message costs with the rules of a SpamAssassin folder.  Prints, asserts nothing.
//   bench_patterns [FOLDER]      FOLDER: its *.cf are imported; POSTERN_SOURCE names the source folder
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "filters/fixed_evidence.h"
#include "filters/judge.h"
#include "filters/regex_set.h"
#include "filters/rule_set.h"
#include "filters/sa_import.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"

using namespace postern;
using namespace postern::filters;
namespace fs = std::filesystem;

namespace {

double cpu_us() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

template <class Work>
double best_of(int rounds, Work work) {
  double best = 1e12;
  for (int i = 0; i < rounds; ++i) {
    double begin = cpu_us();
    work();
    best = std::min(best, cpu_us() - begin);
  }
  return best;
}

constexpr const char* kWords[] = {"the", "report", "of", "our", "account", "meeting", "on", "friday", "please", "find", "attached", "numbers", "for", "quarter", "and", "we",
                                  "will", "discuss", "project", "plans", "with", "team", "thank", "you", "price", "order", "shipping", "address", "https://www.example.com/a/b", "regards"};

std::string prose(std::size_t size) {
  std::mt19937 random(5);
  std::string out;
  while (out.size() < size) {
    out += kWords[random() % std::size(kWords)];
    out += random() % 12 == 0 ? (random() % 4 == 0 ? ".\r\n\r\n" : ".\r\n") : " ";
  }
  return out;
}

void show(const char* what, const PatternSet& set) {
  const auto& figures = set.figures();
  std::printf("%-28s %zu whole, %zu approximated, %zu alone; %.1f MiB, scratch %.0f KiB a thread, compiled in %.0f ms\n", what, figures.whole, figures.approximated, figures.alone,
              static_cast<double>(figures.database) / 1048576.0, static_cast<double>(figures.scratch) / 1024.0, static_cast<double>(figures.compile.count()) / 1000.0);
}

void compare(const char* what, const std::vector<std::shared_ptr<const Regex>>& patterns, const std::string& text) {
  auto set = PatternSet::compile(patterns);
  show(what, *set);
  std::size_t may = 0, match = 0;
  double pass = best_of(15, [&] { static_cast<void>(set->scan(text)); });
  double confirmed = best_of(15, [&] {
    auto found = set->scan(text);
    may = match = 0;
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      if (!found.may_match(i)) continue;
      ++may;
      match += patterns[i]->search(text, 0, nullptr) == Regex::Outcome::match ? 1 : 0;
    }
  });
  double alone = best_of(5, [&] {
    for (const auto& regex : patterns) static_cast<void>(regex->search(text, 0, nullptr));
  });
  std::printf("  %zu KiB: pass %.0f us, pass and confirm %.0f us (%zu candidates, %zu match), one by one %.0f us: %.1f times\n", text.size() / 1024, pass, confirmed, may, match, alone, alone / confirmed);
}

std::vector<std::shared_ptr<const Regex>> phrases(std::size_t count) {
  std::mt19937 random(3);
  auto word = [&] { return std::string(kWords[random() % 28]) + char('a' + random() % 26); };
  std::vector<std::shared_ptr<const Regex>> out;
  while (out.size() < count) {
    std::string text = "\\b" + word() + "\\s+(?:" + word() + "|" + word() + ").{0,20}" + word();
    out.push_back(*Regex::compile(text, out.size() % 3 == 0 ? "" : "i"));
  }
  return out;
}

io::Task<void> judge_many(Judge& judge, int messages, std::string text) {
  smtp::Client client;
  client.ip = *IpAddress::parse("192.0.2.1");
  client.helo = "mail.sender.example";
  smtp::Sender sender;
  sender.address = "anna@sender.example";
  std::vector<smtp::Recipient> recipients(1);
  recipients[0].address = recipients[0].account = "ben@example.org";
  Octets octets(std::move(text));
  for (int i = 0; i < messages; ++i) {
    auto examination = judge.examine();
    co_await examination->on_connect(client);
    co_await examination->on_mail(client, sender);
    co_await examination->on_rcpt(client, recipients[0]);
    auto verdict = co_await examination->on_message(client, "M", octets, recipients);
    if (i == 0) {
      std::size_t errors = 0;
      for (const auto& hit : verdict.hits) {
        if (hit.kind == "error" && errors++ < 3) std::printf("  error: %s: %s\n", hit.at.c_str(), hit.why.c_str());
      }
      std::printf("  %zu hits\n", verdict.hits.size());
    }
  }
}

// The folder's rules as the only ones, judged with `size` octets of text.
void judge_with(const fs::path& rules, const fs::path& scripts, std::size_t size) {
  LoadOptions options;
  options.rules = rules;
  options.scripts = scripts;
  options.run_tests = false;
  RuleSet set(options);
  double begin = cpu_us();
  auto report = set.reload();
  if (!report.good()) {
    std::printf("  %s\n", report.summary().c_str());
    return;
  }
  std::printf("loaded in %.0f ms\n", (cpu_us() - begin) / 1000);
  if (auto patterns = set.current()->generation->pattern_set()) {
    show("  its patterns", *patterns);
  }
  const Clock& clock = Clock::system();
  Counters counters(clock);
  DnsLists::Config watch;
  watch.check_test_points = false;
  DnsLists lists(clock, watch);
  dns::FixedResolver resolver;
  FixedEvidence evidence;
  JudgeSetting setting;
  setting.hostname = "mx.test";
  setting.rules = &set;
  setting.counters = &counters;
  setting.lists = &lists;
  Judge judge(setting, resolver, evidence);
  io::Loop loop;
  std::string text = "From: Anna <anna@sender.example>\r\nTo: ben@example.org\r\nSubject: Hello\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n"
                     "X-Mailer: Some Mailer 1.2\r\nContent-Type: text/plain\r\n\r\n" + prose(size);
  evidence.text = prose(size);
  loop.block_on(judge_many(judge, 1, text));
  constexpr int kTimes = 50;
  double took = best_of(3, [&] { loop.block_on(judge_many(judge, kTimes, text)); }) / kTimes;
  std::printf("  judging %zu KiB: %.0f us CPU\n", size / 1024, took);
}

}  // namespace

int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  for (std::size_t count : {std::size_t{300}, std::size_t{1000}}) compare(count == 300 ? "300 phrases" : "1000 phrases", phrases(count), prose(30 * 1024));
  if (argc < 2) return 0;

  std::vector<sa::File> files;
  std::vector<fs::path> paths;
  for (const auto& entry : fs::directory_iterator(argv[1])) {
    if (entry.path().extension() == ".cf") paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    files.push_back({path.filename().string(), text.str()});
  }
  double begin = cpu_us();
  auto made = sa::import_sa(files, {});
  const auto& f = made.figures;
  std::printf("import of %zu files in %.0f ms: %zu rules, %zu translated (%zu with points, %zu parts, %zu not needed, %zu less than the original), %zu left (%zu eval, %zu metas, %zu other), %zu tests, %zu KiB\n",
              files.size(), (cpu_us() - begin) / 1000, f.rules, f.translated, f.scored, f.parts, f.off, f.at_least, f.left_eval + f.left_meta + f.left_other, f.left_eval, f.left_meta, f.left_other, f.tests,
              made.lua.size() / 1024);
  fs::path folder = fs::temp_directory_path() / ("bench-patterns-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  std::ofstream(folder / "60-spamassassin.lua", std::ios::binary) << made.lua;
  if (argc > 2) std::ofstream(argv[2], std::ios::binary) << made.lua;
  if (argc > 3) {
    std::ofstream list(argv[3]);
    for (const auto& one : made.left) list << one.at << " " << one.what << ": " << one.why << "\n";
  }
  const char* source = std::getenv("POSTERN_SOURCE");
  for (std::size_t size : {std::size_t{4096}, std::size_t{30 * 1024}, std::size_t{100 * 1024}}) judge_with(folder, fs::path(source != nullptr ? source : ".") / "scripts", size);
  fs::remove_all(folder);
  return 0;
}
