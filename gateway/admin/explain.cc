// `postern explain`: judges files as if they were received, with real DNS and the real scanner, and
// stores nothing.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "gateway/admin/control.h"
#include "gateway/admin/judging.h"
#include "gateway/admin/mail_files.h"
#include "gateway/admin/output.h"
#include "gateway/admin/subcommands.h"
#include "gateway/base/random.h"
#include "gateway/config/config.h"
#include "gateway/io/loop.h"
#include "gateway/io/together.h"
#include "gateway/mail/idna.h"
#include "gateway/mail/sender_list.h"

namespace postern::admin {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kAtOnce = 16;

struct Explained {
  smtp::Decision refusal;              // of connect, mail or rcpt, when one refused
  smtp::Stage refused_at = smtp::Stage::connect;
  smtp::MessageVerdict verdict;
  std::vector<smtp::Recipient> recipients;
  bool outgoing = false;               // what is held lies with its sender
};

class Explainer {
 public:
  Explainer(const config::Config& config, const ExplainArguments& arguments, IpAddress ip, std::vector<smtp::Recipient> recipients,
            smtp::Judge& judge)
      : config_(config), arguments_(arguments), ip_(ip), recipients_(std::move(recipients)), judge_(judge) {}

  // One line of --json, or the text for people.
  io::Task<std::string> explain(std::string file, bool as_json, bool with_file) {
    auto text = read_file(file);
    if (!text) {
      ++failed_;
      if (!as_json) co_return text.error().text + "\n";
      ordered_json line{{"file", file}, {"error", "cannot be read"}};
      co_return line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    }
    auto explained = co_await judge(as_received(*text));
    if (as_json) {
      ordered_json line;
      if (with_file) line["file"] = file;
      add_json(line, explained);
      co_return line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    }
    co_return with_file ? one_line(file, explained) : words_of(explained);
  }

  std::size_t failed() const { return failed_; }

 private:
  io::Task<Explained> judge(std::string message) {
    Explained out;
    smtp::Client client;
    client.session = new_id();
    client.ip = ip_;
    client.helo = arguments_.helo;
    client.esmtp = true;
    client.login = arguments_.login;
    client.submission = !client.login.empty();
    client.trusted = !client.submission && any_contains(config_.smtp.trusted, ip_);
    smtp::Sender sender;
    sender.address = arguments_.from_given ? arguments_.from : client.submission ? client.login : return_path(message);
    out.recipients = recipients_;
    out.outgoing = client.outgoing();
    auto examination = judge_.examine();
    out.refusal = co_await examination->on_connect(client);
    if (out.refusal.refuses()) co_return out;
    out.refused_at = smtp::Stage::mail;
    out.refusal = co_await examination->on_mail(client, sender);
    for (const auto& recipient : out.recipients) {
      if (out.refusal.refuses()) co_return out;
      out.refused_at = smtp::Stage::rcpt;
      out.refusal = co_await examination->on_rcpt(client, recipient);
    }
    if (out.refusal.refuses()) co_return out;
    out.verdict = co_await examination->on_message(client, new_id(), Octets(std::move(message)), out.recipients);
    co_return out;
  }

  static std::string verdict_name(const Explained& explained) {
    if (!explained.refusal.refuses()) return explained.verdict.verdict;
    return explained.refusal.action == smtp::Action::reject ? "reject" : "defer";
  }

  static std::string copy_verdict(const smtp::RecipientVerdict& copy) {
    if (copy.action == smtp::Action::reject || copy.action == smtp::Action::defer || copy.action == smtp::Action::quarantine) {
      return std::string(smtp::name(copy.action));
    }
    return copy.folder == "Junk" ? "junk" : "ham";
  }

  // "" when the whole message is refused: a copy that is refused alone is quarantined by now.  Also "" when it goes on.
  static std::string folder_of(const Explained& explained, std::size_t i) {
    const auto& copy = explained.verdict.recipients[i];
    if (copy.refused()) return "";
    if (copy.action == smtp::Action::quarantine) return explained.outgoing ? "Held" : "Quarantine";
    return explained.recipients[i].onward.empty() ? copy.folder : "";
  }

  static void add_json(ordered_json& line, const Explained& explained) {
    const auto& verdict = explained.verdict;
    line["verdict"] = verdict_name(explained);
    line["score"] = verdict.score;
    line["reply"] = explained.refusal.refuses() ? explained.refusal.reply : verdict.reply;
    auto& hits = line["hits"] = ordered_json::array();
    if (explained.refusal.refuses()) {
      hits.push_back({{"rule", explained.refusal.rule}, {"points", 0}, {"why", explained.refusal.why}, {"at", explained.refusal.at}, {"ms", 0.0}});
    }
    for (const auto& hit : verdict.hits) {
      ordered_json row{{"rule", hit.rule}, {"points", hit.points}, {"why", hit.why}, {"at", hit.at},
                       {"ms", static_cast<double>(hit.took.count()) / 1000.0}, {"kind", hit.kind}, {"stage", smtp::name(hit.stage)}};
      if (!hit.recipient.empty()) row["recipient"] = hit.recipient;
      if (hit.shadow) row["shadow"] = true;
      if (hit.off) row["off"] = true;
      hits.push_back(std::move(row));
    }
    auto facts = ordered_json::parse(verdict.facts, nullptr, false);
    line["facts"] = facts.is_object() ? facts : ordered_json::object();
    auto& recipients = line["recipients"] = ordered_json::object();
    for (std::size_t i = 0; i < verdict.recipients.size(); ++i) {
      const auto& copy = verdict.recipients[i];
      auto folder = folder_of(explained, i);
      auto& shown = recipients[copy.address] = {{"verdict", copy_verdict(copy)}, {"folder", folder.empty() ? json() : json(folder)}};
      if (folder.empty() && !copy.refused()) shown["onward"] = explained.recipients[i].onward;
    }
    line["rules"] = verdict.generation;
  }

  static std::string one_line(const std::string& file, const Explained& explained) {
    std::string rules;
    for (const auto& hit : explained.verdict.hits) rules += " " + hit.rule;
    char score[32];
    std::snprintf(score, sizeof score, "%6.1f", explained.verdict.score);
    return file + "  " + verdict_name(explained) + score + " " + rules + "\n";
  }

  static std::string words_of(const Explained& explained) {
    const auto& verdict = explained.verdict;
    char score[32];
    std::snprintf(score, sizeof score, "%.1f", verdict.score);
    std::string out = "verdict  " + verdict_name(explained) + ", score " + score + "\n";
    if (explained.refusal.refuses()) {
      return out + "stage    " + std::string(smtp::name(explained.refused_at)) + "\nreply    " + explained.refusal.reply + "\nrule     " +
             explained.refusal.rule + " (" + explained.refusal.at + ")\nwhy      " + explained.refusal.why + "\n";
    }
    if (!verdict.reply.empty()) out += "reply    " + verdict.reply + "\n";
    for (std::size_t i = 0; i < verdict.recipients.size(); ++i) {
      const auto& copy = verdict.recipients[i];
      auto folder = folder_of(explained, i);
      if (folder.empty() && !copy.refused()) folder = "on to the server of " + explained.recipients[i].onward;
      out += copy.address + "  " + copy_verdict(copy) + (folder.empty() ? "" : " -> " + folder) + "\n";
    }
    out += "\nrules that spoke:\n";
    if (verdict.hits.empty()) out += "  none\n";
    for (const auto& hit : verdict.hits) {
      char points[32] = "";
      if (hit.kind == "score") std::snprintf(points, sizeof points, "%+.1f ", hit.points);
      out += "  " + hit.rule + ": " + (hit.kind == "score" ? points : hit.kind + " ") + hit.why + "  (" + hit.at + ")\n";
    }
    out += "\nfacts:\n";
    auto facts = json::parse(verdict.facts, nullptr, false);
    if (facts.is_object()) {
      for (const auto& [key, value] : facts.items()) {
        out += "  " + key + ": " + value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
      }
    }
    return out;
  }

  const config::Config& config_;
  const ExplainArguments& arguments_;
  IpAddress ip_;
  std::vector<smtp::Recipient> recipients_;
  smtp::Judge& judge_;
  std::size_t failed_ = 0;
};

// The domain, if its mail goes on.
std::string onward_of(const config::Config& config, const std::string& address) {
  auto domain = mail::domain_to_ascii(address.substr(address.rfind('@') + 1));
  for (const auto& each : config.domains) {
    if (domain && each.name == *domain && !each.relay.hosts.empty()) return each.name;
  }
  return "";
}

std::shared_ptr<const mail::SenderList> senders_of(const json& known) {
  mail::SenderList out;
  auto said = known.value("senders", json::object());   // items() does not keep it alive
  for (const auto& [sender, word] : said.items()) {
    out.emplace(sender, word == mail::name(mail::SenderWord::allow) ? mail::SenderWord::allow : mail::SenderWord::block);
  }
  return std::make_shared<const mail::SenderList>(std::move(out));
}

// Accounts, groups and lists of senders are known to the running server alone; without one the addresses stand for themselves.
std::vector<smtp::Recipient> recipients_of(const config::Config& config, const ExplainArguments& arguments) {
  auto addresses = arguments.recipients;
  if (addresses.empty()) addresses.push_back("postmaster@" + config.domains.front().name);
  std::vector<smtp::Recipient> out;
  for (const auto& address : addresses) {
    auto known = ask_server(config.data, {{"command", "user resolve"}, {"address", address}});
    smtp::Recipient recipient;
    recipient.address = address;
    recipient.account = known ? known->value("user", address) : address;
    recipient.onward = onward_of(config, address);
    if (known) {
      auto deliver = known->value("deliver", "");
      if (deliver == "mailboxes") recipient.onward.clear();
      else if (!deliver.empty()) recipient.onward = recipient.account;
      recipient.groups = known->value("groups", std::vector<std::string>());
      recipient.senders = senders_of(*known);
    }
    out.push_back(std::move(recipient));
  }
  return out;
}

io::Task<void> explain_all(Explainer& explainer, std::vector<std::string> files, bool as_json, bool with_file) {
  for (std::size_t at = 0; at < files.size(); at += kAtOnce) {
    std::vector<io::Task<std::string>> batch;
    for (std::size_t i = at; i < std::min(files.size(), at + kAtOnce); ++i) {
      batch.push_back(explainer.explain(files[i], as_json, with_file));
    }
    auto lines = co_await io::together(std::move(batch));
    for (const auto& line : lines) print(line);
  }
}

}  // namespace

int explain_command(const Global& global, const ExplainArguments& arguments) {
  auto ip = IpAddress::parse(arguments.ip);
  if (!ip) {
    complain("--ip " + arguments.ip + ": that is no address");
    return 2;
  }
  auto loaded = config::load(global.config);
  for (const auto& mistake : loaded.mistakes) complain(mistake);
  if (!loaded.ok()) return 2;
  std::error_code failure;
  bool folder = std::filesystem::is_directory(arguments.path, failure);
  if (!folder && arguments.path != "-" && !std::filesystem::exists(arguments.path, failure)) {
    complain(arguments.path + ": no such file or folder");
    return 1;
  }
  log::set_level(log::Level::error);
  io::Loop loop;
  io::WorkerPool workers(2);   // ends before the loop: its jobs post there
  Judging judging(loaded.config, arguments.rules, loop, workers);
  auto report = judging.rules.reload();
  if (!report.good()) {
    for (const auto& mistake : report.mistakes) complain(mistake.text());
    for (const auto& failed : report.failed_tests) complain(failed.mistake.text());
    return 1;
  }
  judging.antivirus.start();
  LoopJudging here(judging, loop);
  Explainer explainer(loaded.config, arguments, *ip, recipients_of(loaded.config, arguments), here.judge);
  auto files = folder ? files_below(arguments.path) : std::vector<std::string>{arguments.path};
  loop.block_on(explain_all(explainer, std::move(files), global.json, folder));
  return explainer.failed() == 0 ? 0 : 1;
}

}  // namespace postern::admin
