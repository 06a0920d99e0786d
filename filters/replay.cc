// One kept message before other rules.
#include "filters/replay.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "filters/judge.h"
#include "filters/recorded_evidence.h"
#include "gateway/base/id.h"
#include "gateway/mail/sender_list.h"

namespace postern::filters {
namespace {

using nlohmann::json;

std::string text_of(const json& object, const char* name) {
  auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() && found->is_string() ? found->get<std::string>() : "";
}
bool says_yes(const json& object, const char* name) { return object.is_object() && object.contains(name) && object[name] == true; }

std::string outcome_of(std::string_view action, std::string folder) { return action == "accept" || action == "none" ? std::move(folder) : std::string(action); }

// Whether a hit of this kind made something of the message.
bool counts(bool shadow, bool off) { return !shadow && !off; }

smtp::Recipient recipient_of(const std::string& address, const json& told) {
  smtp::Recipient out;
  out.address = address;
  out.account = told.contains("account") ? text_of(told, "account") : address;
  out.given = text_of(told, "given");
  if (told.contains("groups") && told["groups"].is_array()) {
    for (const auto& group : told["groups"]) {
      if (group.is_string()) out.groups.push_back(group.get<std::string>());
    }
  }
  if (!told.contains("said") || !told["said"].is_object()) return out;
  mail::SenderList list;
  for (const auto& [entry, word] : told["said"].items()) {
    list[entry] = word == mail::name(mail::SenderWord::allow) ? mail::SenderWord::allow : mail::SenderWord::block;
  }
  out.senders = std::make_shared<const mail::SenderList>(std::move(list));
  return out;
}

void take_hits(const json& judged, Past& out) {
  if (!judged.contains("hits") || !judged["hits"].is_array()) return;
  for (const auto& hit : judged["hits"]) {
    if (!counts(says_yes(hit, "shadow"), says_yes(hit, "off"))) continue;
    out.rules.insert(text_of(hit, "rule"));
    out.failed = out.failed || text_of(hit, "kind") == "error";
  }
}

bool decides(const smtp::Hit& hit) {
  return counts(hit.shadow, hit.off) && (hit.kind == "reject" || hit.kind == "defer" || hit.kind == "quarantine" || hit.kind == "error");
}

void take_refusal(Replayed& out, const smtp::Decision& decision) {
  out.verdict = smtp::name(decision.action);
  out.decided_by = decision.rule;
  out.at = decision.at;
  out.why = decision.why;
  out.failed = decision.error;
  out.rules.insert(decision.rule);
}

void take_verdict(Replayed& out, const smtp::MessageVerdict& verdict) {
  out.verdict = verdict.verdict;
  out.score = verdict.score;
  for (const auto& copy : verdict.recipients) out.outcomes[copy.address] = outcome_of(smtp::name(copy.action), copy.folder);
  const smtp::Hit* strongest = nullptr;
  for (const auto& hit : verdict.hits) {
    if (!counts(hit.shadow, hit.off)) continue;
    out.rules.insert(hit.rule);
    out.failed = out.failed || hit.kind == "error";
    bool better = strongest == nullptr || (!decides(*strongest) && (decides(hit) || hit.points > strongest->points));
    if (better && (decides(hit) || hit.points > 0)) strongest = &hit;
  }
  if (strongest == nullptr || verdict.verdict == "ham") return;
  out.decided_by = strongest->rule;
  out.at = strongest->at;
  out.why = strongest->why;
}

// RCPT once for each address that was named; it may have led to several.
io::Task<std::vector<smtp::Recipient>> taken_at_rcpt(smtp::Examination& examination, smtp::Client client, std::vector<smtp::Recipient> all, Replayed& out) {
  std::map<std::string, bool> heard;
  std::vector<smtp::Recipient> taken;
  for (auto& recipient : all) {
    auto known = heard.find(recipient.rcpt());
    if (known == heard.end()) {
      auto named = recipient;
      named.address = recipient.rcpt();
      named.given.clear();
      smtp::Decision answer = co_await examination.on_rcpt(client, named);
      known = heard.emplace(recipient.rcpt(), !answer.refuses()).first;
      if (answer.refuses()) take_refusal(out, answer);
    }
    if (known->second) taken.push_back(recipient);
    else out.outcomes[recipient.address] = out.verdict;
  }
  co_return taken;
}

io::Task<Replayed> live_through(smtp::Judge& judge, Past past, Octets octets, Recorded& asked) {
  Replayed out;
  auto examination = judge.examine();
  smtp::Decision door = co_await examination->on_connect(past.client);
  if (!door.refuses()) door = co_await examination->on_mail(past.client, past.sender);
  if (door.refuses()) {
    take_refusal(out, door);
    for (const auto& recipient : past.recipients) out.outcomes[recipient.address] = out.verdict;
    co_return out;
  }
  auto taken = co_await taken_at_rcpt(*examination, past.client, past.recipients, out);
  if (taken.empty()) co_return out;
  smtp::MessageVerdict verdict = co_await examination->on_message(past.client, past.id, std::move(octets), std::move(taken));
  take_verdict(out, verdict);
  if (auto now = read_recorded(verdict.facts)) asked = std::move(*now);
  co_return out;
}

}  // namespace

Result<Past> read_past(std::string id, std::string_view judged) {
  auto read = json::parse(judged, nullptr, false);
  bool sound = read.is_object() && read.contains("facts") && read["facts"].is_object() && read.contains("recipients") && read["recipients"].is_object();
  auto number = id_number(id);
  if (!sound || !number) return Error("too little was written down of it");
  Past out;
  out.when = time_of_id(*number);
  out.id = std::move(id);
  auto ip = IpAddress::parse(text_of(read, "ip"));
  if (!ip) return Error("its client was not written down");
  out.client.session = text_of(read, "session");
  out.client.ip = *ip;
  out.client.helo = text_of(read, "helo");
  out.client.login = text_of(read, "login");
  out.client.trusted = says_yes(read, "trusted");
  out.client.lmtp = says_yes(read, "lmtp");
  out.client.submission = says_yes(read, "submission");
  out.client.known = !says_yes(read, "unknown_client");
  out.client.esmtp = !says_yes(read, "helo_only");
  out.client.tls.version = text_of(read, "tls");
  out.sender.address = text_of(read, "from");
  for (const auto& [address, told] : read["recipients"].items()) {
    if (told.is_object()) out.recipients.push_back(recipient_of(address, told));
  }
  if (out.recipients.empty()) return Error("its recipients were not written down");
  // What delivery made of the judge's word (limits of a user, a loop, a redirect to nobody) is none of the rules' doing.
  const auto& word = read.contains("as_judged") && read["as_judged"].is_object() ? read["as_judged"] : read;
  out.verdict = text_of(word, "verdict");
  const auto& copies = word.contains("recipients") && word["recipients"].is_object() ? word["recipients"] : read["recipients"];
  for (const auto& [address, told] : copies.items()) {
    out.outcomes[address] = outcome_of(text_of(told, "action"), text_of(told, "folder"));
  }
  take_hits(read, out);
  out.facts = read["facts"].dump(-1, ' ', false, json::error_handler_t::replace);
  return out;
}

bool Replayed::differs(const Past& past) const {
  if (failed && past.failed) return false;
  return verdict != past.verdict || outcomes != past.outcomes;
}

io::Task<Replayed> Replayer::judge(Past past, Octets octets) {
  auto recorded = read_recorded(past.facts).value_or(Recorded());
  FixedClock clock(recorded.now(past.when));
  Counters counters(clock);
  fill(counters, recorded);
  DnsLists::Config watch;
  watch.check_test_points = false;   // the record holds what was asked of the message alone
  DnsLists lists(clock, watch);
  RecordedResolver resolver(recorded);
  RecordedEvidence evidence(inner_, recorded);
  JudgeSetting setting;
  setting.hostname = hostname_;
  setting.counters = &counters;
  setting.lists = &lists;
  setting.clock = &clock;
  setting.quiet = true;
  setting.sender_troubles = [&recorded](const std::string&) { return recorded.troubles(); };
  Judge judge(setting, resolver, evidence, edition_, state_);
  Recorded asked;
  Replayed out = co_await live_through(judge, std::move(past), std::move(octets), asked);
  out.unknown = unknown_questions(recorded, asked);
  for (const auto& fact : evidence.unknown()) out.unknown.insert("fact " + fact);
  co_return out;
}

}  // namespace postern::filters
