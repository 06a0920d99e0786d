// Accuracy and cost of Bayes: bench_bayes CORPUS LEAKY_HEADERS [--fit].  Learns one half of a corpus and judges the other, next to
// chi-square on the same tokens and to bogofilter (where it is installed) on the same mails.  With --fit only the half that is
// learned is read: five-fold cross-validation and the weights for filters/bayes.cc.
#include <unistd.h>
#include <unicode/brkiter.h>
#include <unicode/unistr.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <memory>

#include "filters/bayes_model.h"
#include "filters/bayes_words.h"
#include "tests/bench/bayes_corpus.h"
#include "tests/bench/bayes_fit.h"

using namespace postern;
using namespace postern::filters;
using bench::Mail;

namespace {

double cpu_us() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

enum class Answer { ham, unsure, spam };
struct Row {
  std::size_t answers[3] = {};
  std::size_t all() const { return answers[0] + answers[1] + answers[2]; }
};
using Table = std::map<std::string, Row>;

bool in(const Mail& mail, std::string_view corpus) {
  bool modern = mail.set == "phishing_pot" || mail.set == "usrp-users";
  return corpus == "all" || (corpus == "modern") == modern;
}

// Wilson's interval at 95 %.
void interval(std::size_t hits, std::size_t all, double& low, double& high) {
  double n = static_cast<double>(std::max<std::size_t>(all, 1)), p = static_cast<double>(hits) / n, z = 1.96;
  double centre = p + z * z / (2 * n), half = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  low = (centre - half) / (1 + z * z / n);
  high = (centre + half) / (1 + z * z / n);
}

void print(const char* who, const Table& table) {
  std::printf("  %-22s %-13s %6s %10s %10s %10s   as spam, 95 %%\n", who, "set", "mails", "spam", "unsure", "ham");
  for (const auto& [set, row] : table) {
    double n = static_cast<double>(row.all()), low = 0, high = 0;
    interval(row.answers[2], row.all(), low, high);
    std::printf("  %-22s %-13s %6zu %9.2f%% %9.2f%% %9.2f%%   %zu (%.2f-%.2f %%)\n", "", set.c_str(), row.all(), 100 * static_cast<double>(row.answers[2]) / n,
                100 * static_cast<double>(row.answers[1]) / n, 100 * static_cast<double>(row.answers[0]) / n, row.answers[2], 100 * low, 100 * high);
  }
}

void count(Table& table, const Mail& mail, Answer answer) {
  ++table[mail.set].answers[static_cast<int>(answer)];
  ++table[mail.spam ? "~all spam" : "~all ham"].answers[static_cast<int>(answer)];
  if (!mail.spam && mail.set != "hard-ham-1") ++table["~ordinary ham"].answers[static_cast<int>(answer)];
}

void ours(const std::vector<Mail>& mails, std::string_view corpus) {
  BayesModel model;
  std::map<BayesToken, BayesCounts> counts;
  BayesTotals totals;
  for (const Mail& mail : mails) {
    if (mail.test || !in(mail, corpus)) continue;
    BayesDigest digest = bayes_digest(mail.octets);
    model.learn(0, digest, mail.spam ? BayesClass::spam : BayesClass::ham, mail.tokens, std::nullopt, std::nullopt, 20000);
    ++(mail.spam ? totals.spam : totals.ham);
    for (auto token : mail.tokens) ++(mail.spam ? counts[token].spam : counts[token].ham);
  }
  std::printf("%.*s: learned %u spam, %u ham, %zu tokens, %zu KiB\n", static_cast<int>(corpus.size()), corpus.data(), totals.spam, totals.ham, model.tokens(),
              model.octets() / 1024);
  Table judged, surer, chi;
  for (const Mail& mail : mails) {
    if (!mail.test || !in(mail, corpus)) continue;
    BayesFact fact = model.judge(mail.tokens, 0);
    count(judged, mail, fact.state == BayesFact::State::spam ? Answer::spam : fact.state == BayesFact::State::ham ? Answer::ham : Answer::unsure);
    count(surer, mail, fact.probability >= 0.95 ? Answer::spam : fact.probability <= 0.05 ? Answer::ham : Answer::unsure);
    std::vector<BayesCounts> known;
    for (auto token : mail.tokens) known.push_back(counts.contains(token) ? counts[token] : BayesCounts());
    double fisher = bayes_chi_square(mail.tokens, known, totals);
    count(chi, mail, fisher >= 0.99 ? Answer::spam : fisher <= 0.1 ? Answer::ham : Answer::unsure);
  }
  print("ours (0.8 / 0.2)", judged);
  print("ours (0.95 / 0.05)", surer);
  print("chi-square (0.99/0.1)", chi);
}

// Its database in a folder of its own; mails by way of files.
void bogofilter(const std::vector<Mail>& mails, std::string_view corpus) {
  namespace fs = std::filesystem;
  if (std::system("command -v bogofilter > /dev/null") != 0) {
    std::printf("  bogofilter is not installed: not compared\n");
    return;
  }
  fs::path folder = fs::temp_directory_path() / ("bench_bayes_" + std::to_string(::getpid()));
  fs::create_directories(folder / "db");
  std::map<std::string, const Mail*> tests;
  std::ofstream spam(folder / "spam"), ham(folder / "ham"), test(folder / "test");
  std::size_t number = 0;
  for (const Mail& mail : mails) {
    if (!in(mail, corpus)) continue;
    std::string path = (folder / std::to_string(++number)).string();
    std::ofstream(path, std::ios::binary) << mail.octets;
    (mail.test ? test : mail.spam ? spam : ham) << path << "\n";
    if (mail.test) tests[path] = &mail;
  }
  spam.close(), ham.close(), test.close();
  auto run = [&](const std::string& command) { return std::system(("cd " + folder.string() + " && " + command).c_str()); };
  Table table;
  int learned = run("bogofilter -C -d db -s -b < spam && bogofilter -C -d db -n -b < ham");
  run("bogofilter -C -d db -T -v -b < test > answers");   // exits 0 to 2 by its last answer
  std::ifstream answers(folder / "answers");
  for (std::string path, letter, rest; answers >> path >> letter && std::getline(answers, rest);) {
    auto found = tests.find(path);
    if (found == tests.end()) continue;
    count(table, *found->second, letter[0] == 'S' ? Answer::spam : letter[0] == 'H' ? Answer::ham : Answer::unsure);
  }
  print(learned == 0 ? "bogofilter" : "bogofilter FAILED", table);
  fs::remove_all(folder);
}

void costs(const std::vector<Mail>& mails) {
  BayesModel model;
  for (const Mail& mail : mails) {
    if (!mail.test) model.learn(0, bayes_digest(mail.octets), mail.spam ? BayesClass::spam : BayesClass::ham, mail.tokens, std::nullopt, std::nullopt, 20000);
  }
  struct Prepared {
    mail::PartTable parts;
    Content content;
    std::string html;
    BayesInput input;
  };
  std::vector<std::unique_ptr<Prepared>> prepared;
  std::size_t octets = 0;
  for (const Mail& mail : mails) {
    if (!mail.test || mail.octets.size() < 3072 || mail.octets.size() > 5120 || prepared.size() >= 300) continue;
    auto one = std::make_unique<Prepared>();
    one->parts = mail::parse(mail.octets);
    one->content = content_of(mail.octets, one->parts);
    one->html = bayes_html(mail.octets, one->parts);
    one->input.header = mail::header_of(mail.octets, one->parts.root());
    one->input.text = one->content.text;
    one->input.links = one->content.links;
    one->input.attachments = one->content.attachments;
    one->input.html = one->html;
    one->input.parts = &one->parts;
    octets += mail.octets.size();
    prepared.push_back(std::move(one));
  }
  if (prepared.empty()) return;
  double n = static_cast<double>(prepared.size()), tokens_best = 1e12, judge_best = 1e12, icu_best = 1e12, words_best = 1e12;
  std::size_t tokens = 0, sink = 0;
  for (int round = 0; round < 5; ++round) {
    std::vector<std::vector<BayesToken>> all;
    double begin = cpu_us();
    for (const auto& one : prepared) all.push_back(bayes_tokens(one->input));
    tokens_best = std::min(tokens_best, cpu_us() - begin);
    tokens = 0;
    begin = cpu_us();
    for (const auto& one : all) sink += model.judge(one, 0).known, tokens += one.size();
    judge_best = std::min(judge_best, cpu_us() - begin);
    begin = cpu_us();
    for (const auto& one : prepared) {
      BayesWords words(one->content.text);
      for (BayesWord word; words.next(word);) ++sink;
    }
    words_best = std::min(words_best, cpu_us() - begin);
    begin = cpu_us();
    for (const auto& one : prepared) {
      UErrorCode error = U_ZERO_ERROR;
      std::unique_ptr<icu::BreakIterator> breaks(icu::BreakIterator::createWordInstance(icu::Locale::getRoot(), error));
      icu::UnicodeString text = icu::UnicodeString::fromUTF8(one->content.text);
      breaks->setText(text);
      while (breaks->next() != icu::BreakIterator::DONE) ++sink;
    }
    icu_best = std::min(icu_best, cpu_us() - begin);
  }
  std::printf("mails of 3-5 KiB: %.0f, %.0f octets, %.0f tokens each\n", n, static_cast<double>(octets) / n, static_cast<double>(tokens) / n);
  std::printf("  tokens of a message %28.1f us\n  judging them %35.1f us\n", tokens_best / n, judge_best / n);
  std::printf("  words of the text alone %24.1f us\n  the same by ICU's break iterator %15.1f us   (%zu)\n", words_best / n, icu_best / n, sink % 10);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::printf("bench_bayes CORPUS LEAKY_HEADERS [--fit]\n");
    return 2;
  }
  auto mails = bench::load(argv[1], argv[2]);
  if (argc > 3 && std::string_view(argv[3]) == "--fit") {
    bench::fit(mails);
    return 0;
  }
  for (std::string_view corpus : {"old", "modern", "all"}) {
    ours(mails, corpus);
    bogofilter(mails, corpus);
  }
  costs(mails);
  return 0;
}
