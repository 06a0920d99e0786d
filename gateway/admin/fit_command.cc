// `postern rules fit CORPUS`: judges mail that people have sorted into ham/ and spam/, fits the points that rule files give by
// `points =` to it, and shows the change as a diff.  Nothing is looked up: the mail is old, its senders' records are not.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "filters/evidence.h"
#include "filters/fit.h"
#include "filters/fit_points.h"
#include "filters/fit_report.h"
#include "filters/fnv.h"
#include "gateway/admin/judging.h"
#include "gateway/admin/mail_files.h"
#include "gateway/admin/output.h"
#include "gateway/admin/subcommands.h"
#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/config/config.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "gateway/mail/headers.h"

namespace postern::admin {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uint32_t kFolds = 5;

// Mails with the same subject, digits aside, are of one campaign or thread and so of one fold; without letters in it, the text counts.
std::uint32_t fold_of(std::string_view message) {
  mail::HeaderBlock header(message);
  const auto* subject = header.find("Subject");
  std::string letters;
  for (char c : subject == nullptr ? std::string_view() : std::string_view(subject->raw)) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    bool counts = (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80;
    if (counts) letters += c;
  }
  auto hash = filters::fnv(letters.empty() ? message : std::string_view(letters));
  return static_cast<std::uint32_t>((hash >> 32) % kFolds);
}

// A rule file with the points in it.
struct RuleFile {
  std::string name;       // "rules/50-content.lua"
  std::string text;
  std::vector<filters::PointsPlace> places;
};

std::vector<RuleFile> rule_files(const filters::Edition& edition) {
  std::vector<RuleFile> out;
  for (const auto* file : edition.generation->rule_files()) out.push_back({file->name, file->text, filters::points_places(file->text)});
  return out;
}

class Fitting {
 public:
  Fitting(const config::Config& config, const FitArguments& arguments) : config_(config), arguments_(arguments) {}

  // Knows every number that may change.
  void know(const std::vector<RuleFile>& files) {
    for (const auto& file : files) {
      for (const auto& place : file.places) {
        if (!place.plain) continue;
        bool fresh = rules_.emplace(place.name(), static_cast<std::uint32_t>(corpus.rules.size())).second;
        if (fresh) corpus.rules.push_back({place.name(), place.points, place.spam});
      }
    }
  }

  Result<void> take(smtp::Judge& judge, dns::FixedResolver& resolver, io::Loop& loop) {
    for (bool spam : {false, true}) {
      auto folder = fs::path(arguments_.corpus) / (spam ? "spam" : "ham");
      std::error_code failure;
      if (!fs::is_directory(folder, failure)) return Error(folder.string() + ": no such folder; the corpus has ham/ and spam/, and in them a folder for each set of mail");
      for (const auto& file : files_below(folder.string())) {
        if (corpus.mails.size() >= filters::kMaxFitMails) return Error(arguments_.corpus + ": more than a million messages");
        auto raw = read_file(file);
        if (!raw) return raw.error();
        if (raw->size() > config_.smtp.max_size) {
          ++too_large;
          continue;
        }
        auto message = as_received(*raw);
        loop.block_on(take(judge, std::move(message), set_of(folder, file), spam));
        resolver.forget_asked();
      }
    }
    return {};
  }

  filters::FitCorpus corpus;
  std::size_t too_large = 0;     // over max_size
  std::size_t decided = 0;       // by a rule that looks at no points

 private:
  std::uint32_t set_of(const fs::path& folder, const fs::path& file) {
    auto inside = file.lexically_relative(folder);
    auto name = inside.has_parent_path() ? inside.begin()->string() : std::string();
    auto known = std::find(corpus.sets.begin(), corpus.sets.end(), name);
    auto index = static_cast<std::uint32_t>(known - corpus.sets.begin());
    if (known == corpus.sets.end()) corpus.sets.push_back(std::move(name));
    return index;
  }

  io::Task<void> take(smtp::Judge& judge, std::string message, std::uint32_t set, bool spam) {
    filters::FitMail mail;
    mail.set = set;
    mail.spam = spam;
    mail.fold = fold_of(message);
    smtp::Client client;
    client.session = new_id();
    client.esmtp = true;
    client.trusted = true;      // its host is not known any more, so what rules ask of hosts is left out
    smtp::Sender sender;
    sender.address = return_path(message);
    smtp::Recipient recipient;
    recipient.address = recipient.account = "postmaster@" + config_.domains.front().name;
    auto examination = judge.examine();
    auto refusal = co_await examination->on_connect(client);
    if (!refusal.refuses()) refusal = co_await examination->on_mail(client, sender);
    if (!refusal.refuses()) refusal = co_await examination->on_rcpt(client, recipient);
    if (refusal.refuses()) {
      ++decided;
      co_return;
    }
    std::vector<smtp::Recipient> recipients{recipient};
    Octets octets(std::move(message));
    auto verdict = co_await examination->on_message(client, new_id(), std::move(octets), std::move(recipients));
    if (add_hits(verdict.hits, mail)) {
      corpus.mails.push_back(std::move(mail));
    } else {
      ++decided;
    }
  }

  // False: the message was decided without its points, so it says nothing about them.
  bool add_hits(const std::vector<smtp::Hit>& hits, filters::FitMail& mail) const {
    for (const auto& hit : hits) {
      bool before_points = hit.stage != smtp::Stage::verdict && hit.stage != smtp::Stage::deliver;
      if (hit.kind != "score") {
        bool decides = hit.kind == "reject" || hit.kind == "quarantine" || hit.kind == "defer" || hit.kind == "accept" || hit.kind == "error";
        if (before_points && decides && !hit.shadow) return false;
        continue;
      }
      auto rule = rules_.find(hit.rule);
      if (rule != rules_.end()) {
        mail.hits.push_back(rule->second);
      } else if (!hit.shadow) {
        mail.other += hit.points;
      }
    }
    std::sort(mail.hits.begin(), mail.hits.end());
    mail.hits.erase(std::unique(mail.hits.begin(), mail.hits.end()), mail.hits.end());
    return true;
  }

  const config::Config& config_;
  const FitArguments& arguments_;
  std::map<std::string, std::uint32_t, std::less<>> rules_;
};

// Beside the old file first, so that a full disk leaves the rules as they were.
Result<void> replace_file(const fs::path& path, const std::string& text) {
  auto fresh = path;
  fresh += ".new";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  out << text;
  out.close();
  std::error_code failure;
  if (!out) {
    fs::remove(fresh, failure);
    return Error(path.string() + ": cannot be written");
  }
  fs::permissions(fresh, fs::status(path, failure).permissions(), failure);
  fs::rename(fresh, path, failure);
  if (failure) return Error(path.string() + ": cannot be replaced: " + failure.message());
  return {};
}

json rates_json(const std::vector<filters::FitRates>& rates, const filters::FitCorpus& corpus) {
  json out = json::array();
  for (std::size_t i = 0; i < rates.size(); ++i) {
    out.push_back({{"set", i < corpus.sets.size() ? json(corpus.sets[i]) : json()}, {"ham", rates[i].ham}, {"ham_junked", rates[i].ham_junked},
                   {"spam", rates[i].spam}, {"spam_junked", rates[i].spam_junked}});
  }
  return out;
}

json report_json(const filters::FitCorpus& corpus, const filters::Fit& fit, const std::string& diff) {
  json rules = json::array();
  for (std::size_t i = 0; i < fit.rules.size(); ++i) {
    const auto& rule = fit.rules[i];
    bool names_set = rule.set < corpus.sets.size();
    rules.push_back({{"rule", corpus.rules[i].name}, {"before", corpus.rules[i].points}, {"points", rule.points}, {"fate", filters::name(rule.fate)},
                     {"set", names_set ? json(corpus.sets[rule.set]) : json()}});
  }
  return {{"attained", fit.attained}, {"before", rates_json(fit.before, corpus)}, {"crossed", rates_json(fit.crossed, corpus)},
          {"after", rates_json(fit.after, corpus)}, {"rules", rules}, {"diff", diff}};
}

// The diff, and the new texts by file.
Result<std::string> changes(const std::vector<RuleFile>& files, const filters::FitCorpus& corpus, const filters::Fit& fit,
                            std::map<std::string, std::string>& texts) {
  std::map<std::string, double> points;
  for (std::size_t i = 0; i < fit.rules.size(); ++i) {
    points[corpus.rules[i].name] = corpus.rules[i].spam ? std::fabs(fit.rules[i].points) : -std::fabs(fit.rules[i].points);
  }
  std::string diff;
  for (const auto& file : files) {
    auto text = filters::with_points(file.text, points);
    if (!text) return Error(file.name + ": " + text.error().text);
    diff += filters::points_diff(file.name, file.text, *text);
    if (*text != file.text) texts[file.name] = std::move(*text);
  }
  return diff;
}

}  // namespace

int fit_command(const Global& global, const FitArguments& arguments) {
  auto loaded = config::load(global.config);
  for (const auto& mistake : loaded.mistakes) complain(mistake);
  if (!loaded.ok()) return 2;
  log::set_level(log::Level::error);
  io::Loop loop;
  io::WorkerPool workers(2);   // ends before the loop: its jobs post there
  filters::RuleSet rules(Judging::rule_options(loaded.config, arguments.rules));
  auto report = rules.reload();
  for (const auto& line : lines_of(report)) complain(line);
  if (!report.good()) return 1;

  filters::Counters counters;
  filters::DnsLists lists(Clock::system());
  dns::FixedResolver resolver;   // knows no name
  filters::EvidenceConfig evidence_config;
  evidence_config.hostname = loaded.config.hostname;
  filters::Evidence evidence(resolver, &workers, Clock::system(), evidence_config, {});
  filters::JudgeSetting setting;
  setting.hostname = loaded.config.hostname;
  setting.rules = &rules;
  setting.counters = &counters;
  setting.lists = &lists;
  filters::Judge judge(setting, resolver, evidence);

  auto files = rule_files(*report.edition);
  Fitting fitting(loaded.config, arguments);
  fitting.know(files);
  auto taken = fitting.take(judge, resolver, loop);
  if (!taken) {
    complain(taken.error().text);
    return 1;
  }
  filters::FitOptions options;
  options.junk = arguments.junk;
  options.ham_rate = arguments.ham_rate / 100;
  options.most = arguments.most;
  options.step = arguments.step;
  options.folds = kFolds;
  auto fit = filters::fit_points(fitting.corpus, options);
  if (!fit) {
    complain(fit.error().text);
    return 1;
  }
  std::map<std::string, std::string> texts;
  auto diff = changes(files, fitting.corpus, *fit, texts);
  if (!diff) {
    complain(diff.error().text);
    return 1;
  }
  if (global.json) {
    print_json(report_json(fitting.corpus, *fit, *diff));
  } else {
    if (fitting.decided > 0) print(std::to_string(fitting.decided) + " messages are left out: a rule decided them without their points.\n");
    if (fitting.too_large > 0) print(std::to_string(fitting.too_large) + " messages are left out: they are larger than max_size.\n");
    print(filters::fit_report(fitting.corpus, options, *fit) + "\n" + *diff);
    if (diff->empty()) print("The points stay as they are.\n");
    else if (!arguments.write) print("\nTake it with --write, or give the diff to `patch -p1` in the folder above.\n");
  }
  if (!arguments.write) return 0;
  fs::path folder(arguments.rules.empty() ? loaded.config.rules : arguments.rules);
  for (const auto& [name, text] : texts) {
    auto replaced = replace_file(folder / fs::path(name).filename(), text);
    if (!replaced) {
      complain(replaced.error().text);
      return 1;
    }
  }
  return 0;
}

}  // namespace postern::admin
