// The record of a message's facts, read back.  What writes it: verdict_facts.cc, lua/scene.cc, lua/bind_dns.cc.
#include "filters/recorded_evidence.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "gateway/base/ip.h"
#include "gateway/base/text.h"
#include "gateway/mail/arc_chain.h"

namespace postern::filters {
namespace {

using nlohmann::json;

constexpr const char* kUnknown = "unknown: nobody asked when the message was judged";
constexpr std::chrono::hours kKept{24};   // of a remembered value, for the one message that asks

std::string text_of(const json& object, const char* name) {
  auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// The value whose name() is that word.
template <class Enum>
std::optional<Enum> named(std::string_view word, Enum last) {
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    if (name(static_cast<Enum>(i)) == word) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

std::optional<Spf> spf_of(const json& facts) {
  auto found = facts.find("spf");
  if (found == facts.end() || !found->is_object()) return std::nullopt;
  auto result = named(text_of(*found, "result"), SpfResult::permerror);
  if (!result) return std::nullopt;
  Spf spf;
  spf.result = *result;
  spf.domain = text_of(*found, "domain");
  spf.problem = text_of(*found, "problem");
  spf.explanation = text_of(*found, "explanation");
  spf.mechanism = text_of(*found, "mechanism");
  return spf;
}

std::optional<Dkim> dkim_of(const json& facts) {
  auto found = facts.find("dkim");
  if (found == facts.end() || !found->is_array()) return std::nullopt;
  Dkim dkim;
  for (const auto& one : *found) {
    auto result = one.is_object() ? named(text_of(one, "result"), DkimResult::permerror) : std::nullopt;
    if (!result) return std::nullopt;
    DkimSignature signature;
    signature.result = *result;
    signature.domain = text_of(one, "domain");
    signature.selector = text_of(one, "selector");
    signature.identity = text_of(one, "identity");
    signature.algorithm = text_of(one, "algorithm");
    signature.problem = text_of(one, "problem");
    auto bits = one.find("bits");
    if (bits != one.end() && bits->is_number_integer()) signature.bits = bits->get<int>();
    dkim.signatures.push_back(std::move(signature));
  }
  return dkim;
}

std::optional<Dmarc> dmarc_of(const json& facts) {
  auto found = facts.find("dmarc");
  if (found == facts.end() || !found->is_object()) return std::nullopt;
  auto result = named(text_of(*found, "result"), DmarcResult::permerror);
  auto policy = named(text_of(*found, "policy"), DmarcPolicy::reject);
  auto published = named(text_of(*found, "published"), DmarcPolicy::reject);
  if (!result || !policy || !published) return std::nullopt;
  Dmarc dmarc;
  dmarc.result = *result;
  dmarc.policy = *policy;
  dmarc.published = *published;
  dmarc.domain = text_of(*found, "domain");
  dmarc.record_domain = text_of(*found, "record_domain");
  dmarc.problem = text_of(*found, "problem");
  auto yes = [&](const char* name) { return found->contains(name) && (*found)[name] == true; };
  dmarc.spf_aligned = yes("spf_aligned");
  dmarc.dkim_aligned = yes("dkim_aligned");
  dmarc.strict_spf = yes("strict_spf");
  dmarc.strict_dkim = yes("strict_dkim");
  dmarc.only_author = !yes("several_authors");
  return dmarc;
}

// Without what the sealers saw, which stands in the message.
std::optional<Arc> arc_of(const json& facts) {
  auto found = facts.find("arc");
  if (found == facts.end() || !found->is_object()) return std::nullopt;
  auto result = named(text_of(*found, "result"), ArcResult::temperror);
  if (!result) return std::nullopt;
  Arc arc;
  arc.result = *result;
  arc.problem = text_of(*found, "problem");
  arc.oldest_pass = found->value("oldest_pass", 0U);
  auto sealers = found->find("sealers"), covering = found->find("covers_all");
  if (sealers == found->end() || !sealers->is_array()) return arc;
  for (std::size_t i = 0; i < sealers->size() && i < mail::kMaxArcInstance; ++i) {
    if (!(*sealers)[i].is_string()) return std::nullopt;
    ArcSet set;
    set.instance = static_cast<unsigned>(i + 1);
    set.domain = set.signing_domain = (*sealers)[i].get<std::string>();
    set.covers_all = covering != found->end() && covering->is_array() && i < covering->size() && (*covering)[i] == true;
    arc.sets.push_back(std::move(set));
  }
  return arc;
}

void read_arc_results(Arc& arc, std::string_view message) {
  if (arc.result != ArcResult::pass) return;
  auto chain = mail::read_arc_chain(message);
  for (auto& set : arc.sets) {
    if (set.instance > chain.sets.size() || !chain.sets[set.instance - 1].results) continue;
    auto results = mail::split_arc_results(chain.sets[set.instance - 1].results->raw);
    if (results) set.results = mail::parse_authres_payload(results->payload);
  }
}

std::optional<Virus> virus_of(const json& facts) {
  auto found = facts.find("virus");
  if (found == facts.end()) return std::nullopt;
  Virus virus;
  virus.state = Virus::State::clean;
  if (found->is_null()) return virus;
  if (found->is_string()) {
    virus.state = Virus::State::found;
    virus.name = found->get<std::string>();
    return virus;
  }
  if (!found->is_object()) return std::nullopt;
  bool limit = found->contains("limit");
  virus.problem = text_of(*found, limit ? "limit" : "error");
  if (virus.problem == "no rule asked for a scan") return std::nullopt;
  virus.state = limit ? Virus::State::limit : Virus::State::error;
  return virus;
}

std::optional<Reputation> reputation_of(const json& facts) {
  if (!facts.contains("reverse")) return std::nullopt;
  constexpr std::array<std::string_view, 4> kReverse{"confirmed", "unconfirmed", "none", "temperror"};
  auto at = std::find(kReverse.begin(), kReverse.end(), text_of(facts, "reverse"));
  if (at == kReverse.end()) return std::nullopt;
  Reputation reputation;
  reputation.reverse = static_cast<Reputation::Reverse>(at - kReverse.begin());
  reputation.name = text_of(facts, "name");
  reputation.ptr = text_of(facts, "ptr");
  return reputation;
}

std::string canonical(std::string_view name) {
  auto out = ascii_lowered(name);
  while (!out.empty() && out.back() == '.') out.pop_back();
  return out;
}

dns::Record record_of(dns::Type type, std::string text) {
  dns::Record record;
  record.type = type;
  record.ttl = 60;
  if (type == dns::Type::a || type == dns::Type::aaaa) {
    record.address = IpAddress::parse(text).value_or(IpAddress());
  } else if (type == dns::Type::mx) {
    auto space = text.find(' ');
    record.preference = static_cast<std::uint16_t>(parse_number(text.substr(0, space)).value_or(0));
    record.text = space == std::string::npos ? "" : text.substr(space + 1);
  } else {
    record.text = std::move(text);
  }
  return record;
}

dns::Answer answer_of(dns::Type type, const json& value) {
  dns::Answer answer;
  answer.status = dns::Status::servfail;
  if (value.is_array()) {
    for (const auto& each : value) {
      if (each.is_string()) answer.records.push_back(record_of(type, each.get<std::string>()));
    }
    answer.status = answer.records.empty() ? dns::Status::nodata : dns::Status::ok;
  } else if (value == "nxdomain" || value == "not listed") {
    answer.status = dns::Status::nxdomain;
  } else if (value == "nodata") {
    answer.status = dns::Status::nodata;
  }
  return answer;
}

// "192.0.2.1 in zone.example" asks "1.2.0.192.zone.example A".
std::string list_question(std::string_view what, std::string_view zone) {
  auto address = IpAddress::parse(what);
  return (address ? address->reversed() : canonical(what)) + "." + canonical(zone);
}

}  // namespace

Time Recorded::now(Time otherwise) const {
  auto found = asked.find({"clock", "now"});
  auto seconds = found == asked.end() ? std::nullopt : parse_number(found->second);
  return seconds ? from_unix(static_cast<std::int64_t>(*seconds)) : otherwise;
}

SenderTroubles Recorded::troubles() const {
  auto count = [this](const char* name) {
    auto found = asked.find({"facts", name});
    return found == asked.end() ? 0 : parse_number(found->second).value_or(0);
  };
  return {count("sender_held"), count("sender_bounces"), count("sender_complaints")};
}

std::optional<Recorded> read_recorded(std::string_view facts) {
  auto read = json::parse(facts, nullptr, false);
  if (!read.is_object()) return std::nullopt;
  Recorded out;
  out.reputation = reputation_of(read);
  out.spf = spf_of(read);
  out.dkim = dkim_of(read);
  out.dmarc = dmarc_of(read);
  out.arc = arc_of(read);
  out.virus = virus_of(read);
  auto asked = read.find("asked");
  if (asked == read.end() || !asked->is_object()) return out;
  for (const auto& [section, questions] : asked->items()) {
    if (!questions.is_object()) continue;
    for (const auto& [question, answer] : questions.items()) {
      out.asked[{section, question}] = answer.dump(-1, ' ', false, json::error_handler_t::replace);
    }
  }
  return out;
}

// A list lies with the rules and is no part of the world, and some time it always is.
std::set<std::string> unknown_questions(const Recorded& then, const Recorded& now) {
  std::set<std::string> out;
  for (const auto& [question, answer] : now.asked) {
    bool local = question.first == "list" || question.first == "clock";
    if (!local && !then.asked.contains(question)) out.insert(question.first + " " + question.second);
  }
  return out;
}

void fill(Counters& counters, const Recorded& recorded) {
  for (const auto& [question, answer] : recorded.asked) {
    const auto& [section, key] = question;
    if (section == "recall") {
      auto value = json::parse(answer, nullptr, false);
      if (value.is_string()) counters.remember(key, kKept, value.get<std::string>());
    } else if (section == "count") {   // "key 600s"
      auto space = key.rfind(' ');
      if (space == std::string::npos || !key.ends_with('s')) continue;
      auto window = parse_number(std::string_view(key).substr(space + 1, key.size() - space - 2));
      auto events = parse_number(answer);
      if (window && events && *events > 0) counters.add(key.substr(0, space), std::chrono::seconds(*window), *events);
    }
  }
}

RecordedResolver::RecordedResolver(const Recorded& recorded) {
  for (const auto& [question, text] : recorded.asked) {
    if (question.first != "dns") continue;
    const auto& key = question.second;
    auto value = json::parse(text, nullptr, false);
    auto in = key.find(" in ");
    if (in != std::string::npos) {
      answers_[{list_question(std::string_view(key).substr(0, in), std::string_view(key).substr(in + 4)), dns::Type::a}] = answer_of(dns::Type::a, value);
      continue;
    }
    auto space = key.rfind(' ');
    auto type = space == std::string::npos ? std::nullopt : dns::parse_type(std::string_view(key).substr(space + 1));
    if (!type) continue;
    auto name = key.substr(0, space);
    auto address = *type == dns::Type::ptr ? IpAddress::parse(name) : std::nullopt;
    answers_[{canonical(address ? address->ptr_name() : name), *type}] = answer_of(*type, value);
  }
}

io::Task<dns::Answer> RecordedResolver::query(std::string name, dns::Type type, Deadline) {
  auto found = answers_.find({canonical(name), type});
  co_return found != answers_.end() ? found->second : dns::Answer();
}

class RecordedEvidence::Connection : public ConnectionEvidence {
 public:
  explicit Connection(RecordedEvidence& of) : of_(of) {}
  io::Task<const Reputation*> reputation() override { co_return of_.give("reputation", of_.recorded_.reputation, of_.no_reputation_); }

 private:
  RecordedEvidence& of_;
};

class RecordedEvidence::Message : public MessageEvidence {
 public:
  Message(RecordedEvidence& of, std::unique_ptr<MessageEvidence> inner) : of_(of), inner_(std::move(inner)) {}
  io::Task<const Spf*> spf() override { co_return of_.give("spf", of_.recorded_.spf, of_.no_spf_); }
  io::Task<const Dkim*> dkim() override { co_return of_.give("dkim", of_.recorded_.dkim, of_.no_dkim_); }
  io::Task<const Dmarc*> dmarc() override { co_return of_.give("dmarc", of_.recorded_.dmarc, of_.no_dmarc_); }
  io::Task<const Arc*> arc() override {
    if (!arc_ && of_.recorded_.arc) {
      arc_ = of_.recorded_.arc;
      read_arc_results(*arc_, octets().view());
    }
    co_return of_.give("arc", arc_, of_.no_arc_);
  }
  io::Task<const Files*> files() override { return inner_->files(); }
  io::Task<const Virus*> virus() override { co_return of_.give("virus", of_.recorded_.virus, of_.no_virus_); }
  const Octets& octets() const override { return inner_->octets(); }
  const Content* content() override { return inner_->content(); }
  io::Task<void> decode() override { return inner_->decode(); }
  const MessageSigns* signs() override { return inner_->signs(); }
  io::Task<void> find_signs() override { return inner_->find_signs(); }

 private:
  RecordedEvidence& of_;
  std::unique_ptr<MessageEvidence> inner_;
  std::optional<Arc> arc_;
};

RecordedEvidence::RecordedEvidence(EvidenceSource& inner, const Recorded& recorded) : inner_(inner), recorded_(recorded) {
  no_reputation_.reverse = Reputation::Reverse::temperror;
  no_spf_.result = SpfResult::temperror;
  no_spf_.problem = kUnknown;
  no_dmarc_.result = DmarcResult::temperror;
  no_dmarc_.problem = kUnknown;
  no_arc_.result = ArcResult::temperror;
  no_arc_.problem = kUnknown;
  no_virus_.state = Virus::State::error;
  no_virus_.problem = kUnknown;
}

template <class Fact>
const Fact* RecordedEvidence::give(const char* name, const std::optional<Fact>& known, const Fact& error) {
  if (known) return &*known;
  unknown_.insert(name);
  return &error;
}

std::unique_ptr<ConnectionEvidence> RecordedEvidence::connection(const smtp::Client&) { return std::make_unique<Connection>(*this); }

std::unique_ptr<MessageEvidence> RecordedEvidence::message(const smtp::Client& client, const smtp::Sender& sender, Octets received, Arrival arrival) {
  return std::make_unique<Message>(*this, inner_.message(client, sender, std::move(received), std::move(arrival)));
}

}  // namespace postern::filters
