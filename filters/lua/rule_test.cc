// The tests inside rule files, run through the real judge: what an administrator proves here is what
// happens to mail.
#include "filters/lua/rule_test.h"

#include <cmath>

#include "filters/fixed_evidence.h"
#include "filters/judge.h"
#include "filters/lua/test_case.h"
#include "gateway/base/text.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"

namespace postern::filters::lua {
namespace {

// How the message fared.
struct Fate {
  std::string verdict = "ham";
  double score = 0;
  std::string folder, quarantine_class, redirect, journal;
  std::vector<smtp::Hit> hits;
};

void refused(Fate& fate, const smtp::Decision& decision) {
  fate.verdict = smtp::name(decision.action);
  smtp::Hit hit;
  hit.rule = decision.rule;
  hit.kind = decision.error ? "error" : fate.verdict;
  hit.why = decision.error ? decision.why : decision.reply;
  hit.at = decision.at;
  fate.hits.push_back(std::move(hit));
}

io::Task<Fate> live_through(smtp::Judge& judge, const TestCase& test) {
  Fate fate;
  auto examination = judge.examine();
  smtp::Decision door = co_await examination->on_connect(test.client);
  if (door.refuses()) {
    refused(fate, door);
    co_return fate;
  }
  smtp::Decision envelope = co_await examination->on_mail(test.client, test.sender);
  if (envelope.refuses()) {
    refused(fate, envelope);
    co_return fate;
  }
  std::vector<smtp::Recipient> taken;
  smtp::Decision last;
  for (const auto& recipient : test.recipients) {
    smtp::Decision answer = co_await examination->on_rcpt(test.client, recipient);
    if (answer.refuses()) {
      last = std::move(answer);
    } else {
      taken.push_back(recipient);
    }
  }
  if (taken.empty()) {
    refused(fate, last);
    co_return fate;
  }
  smtp::MessageVerdict verdict = co_await examination->on_message(test.client, "TEST", Octets(test.message), std::move(taken));
  fate.verdict = verdict.verdict;
  fate.score = verdict.recipients.size() == 1 ? verdict.recipients.front().score : verdict.score;
  fate.folder = verdict.recipients.front().folder;
  fate.quarantine_class = verdict.recipients.front().quarantine_class;
  fate.redirect = verdict.recipients.front().redirect;
  if (!verdict.journals.empty()) fate.journal = verdict.journals.front();
  fate.hits = std::move(verdict.hits);
  co_return fate;
}

// The hit that decided, or nullptr.
const smtp::Hit* decider(const Fate& fate) {
  for (const auto& hit : fate.hits) {
    if (!hit.shadow && (hit.kind == fate.verdict || (hit.kind == "error" && fate.verdict == "defer"))) return &hit;
  }
  return nullptr;
}

std::string tell(const Fate& fate) {
  std::string out = "found " + fate.verdict;
  char score[32];
  std::snprintf(score, sizeof score, "%.6g", fate.score);
  out += std::string(" with score ") + score;
  for (const auto& hit : fate.hits) {
    out += "; " + hit.kind;
    if (hit.kind == "score") {
      std::snprintf(score, sizeof score, "%.6g", hit.points);
      out += std::string(" ") + score;
    }
    out += " by " + hit.rule + " \"" + hit.why + "\" at " + hit.at;
  }
  return out;
}

bool same(const std::optional<std::string>& wanted, const std::string& found) { return !wanted || *wanted == found; }

// What is not as wanted, or "".
std::string difference(const TestCase::Want& want, const Fate& fate) {
  auto named = [&want](const smtp::Hit& hit) { return !want.rule || hit.rule == *want.rule; };
  for (const auto& hit : fate.hits) {
    if (hit.kind == "error" && !want.error) return "rule \"" + hit.rule + "\" failed at " + hit.at + ": " + hit.why;
  }
  bool erred = false, accepted = false, spoke = false, said = false;
  for (const auto& hit : fate.hits) {
    erred = erred || (hit.kind == "error" && want.error && named(hit) && hit.why.find(*want.error) != std::string::npos);
    accepted = accepted || (hit.kind == "accept" && named(hit));
    spoke = spoke || named(hit);
    said = said || (want.why && named(hit) && hit.why.find(*want.why) != std::string::npos);
  }
  if (want.error && !erred) return "wanted an error with \"" + *want.error + "\", " + tell(fate);
  if (want.verdict == "accept" && !accepted) return "wanted an accept, " + tell(fate);
  if (want.verdict == "none" && (!fate.hits.empty() || fate.verdict != "ham")) return "wanted no rule to speak, " + tell(fate);
  if (want.verdict && *want.verdict != "accept" && *want.verdict != "none" && *want.verdict != fate.verdict) {
    return "wanted " + *want.verdict + ", " + tell(fate);
  }
  if (want.rule) {
    const smtp::Hit* deciding = decider(fate);
    bool by_name = want.verdict && deciding != nullptr && *want.verdict == fate.verdict;
    if (by_name ? deciding->rule != *want.rule : !spoke) return "wanted rule \"" + *want.rule + "\", " + tell(fate);
  }
  if (want.why && !said) return "wanted the reason \"" + *want.why + "\", " + tell(fate);
  if (want.score && std::fabs(*want.score - fate.score) > 1e-6) {
    char wanted[32];
    std::snprintf(wanted, sizeof wanted, "%.6g", *want.score);
    return std::string("wanted score ") + wanted + ", " + tell(fate);
  }
  if (!same(want.folder, fate.folder)) return "wanted folder \"" + *want.folder + "\", found \"" + fate.folder + "\"; " + tell(fate);
  if (!same(want.quarantine_class, fate.quarantine_class)) return "wanted class \"" + *want.quarantine_class + "\", found \"" + fate.quarantine_class + "\"; " + tell(fate);
  if (!same(want.redirect, fate.redirect)) return "wanted redirect to \"" + *want.redirect + "\", found \"" + fate.redirect + "\"; " + tell(fate);
  if (!same(want.journal, fate.journal)) return "wanted a journal copy to \"" + *want.journal + "\", found \"" + fate.journal + "\"; " + tell(fate);
  return "";
}

// The rules of the test's own file, so that a rule elsewhere does not change what it proves.
std::shared_ptr<const Edition> edition_for(const State& state, const TestInfo& info, const TestCase& test) {
  auto edition = std::make_shared<Edition>(state.shared_generation(), state.rules());
  if (test.all) return edition;
  for (auto& stage : edition->order) {
    std::erase_if(stage, [&](std::size_t rule) { return edition->rules[rule].file != info.file; });
  }
  return edition;
}

std::string run_test(const std::shared_ptr<State>& state, const TestInfo& info, io::Loop& loop) {
  std::string problem;
  auto test = read_test(*state, info, problem);
  if (!test) return problem;
  FixedClock clock(test->clock);
  Counters counters(clock);
  DnsLists::Config watch;
  watch.check_test_points = false;  // the test's DNS holds only what it needs
  DnsLists lists(clock, watch);
  dns::FixedResolver resolver;
  for (const auto& [question, value] : test->dns) {
    if (auto status = resolver.add(question, value); !status) return "dns: " + status.error().text;
  }
  for (const auto& [key, value] : test->remembered) counters.remember(key, std::chrono::hours(24), value);
  for (const auto& counted : test->counted) counters.add(counted.key, counted.window, counted.times);
  FixedEvidence evidence;
  evidence.reputation = test->reputation;
  evidence.spf = test->spf;
  evidence.dkim = test->dkim;
  evidence.dmarc = test->dmarc;
  evidence.arc = test->arc;
  evidence.virus = test->virus;
  evidence.text = test->text;
  evidence.links = test->links;
  evidence.attachments = test->attachments;
  evidence.files = test->files;
  evidence.signs = test->signs;
  evidence.opaque = test->opaque;
  JudgeSetting setting;
  setting.hostname = "mx.test";
  setting.counters = &counters;
  setting.lists = &lists;
  setting.clock = &clock;
  setting.given_points = test->points;
  setting.quiet = true;
  setting.sender_troubles = [&test](const std::string&) { return test->troubles; };
  Judge judge(setting, resolver, evidence, edition_for(*state, info, *test), state);
  Fate fate = loop.block_on(live_through(judge, *test));
  return difference(test->want, fate);
}

}  // namespace

std::vector<FailedTest> run_tests(const std::shared_ptr<State>& state) {
  std::vector<FailedTest> failed;
  io::Loop loop;
  for (const TestInfo& info : state->tests()) {
    std::string what = run_test(state, info, loop);
    if (!what.empty()) failed.push_back({{info.at(), what}, info.name});
  }
  return failed;
}

}  // namespace postern::filters::lua
