// The judge: facts and rules behind the session's questions.  Design 6.
#include "filters/judge.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "filters/combine.h"
#include "filters/fnv.h"
#include "filters/own_lists.h"
#include "filters/stage.h"
#include "filters/verdict_facts.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/io/loop.h"

namespace postern::filters {
namespace {

using smtp::Action;
using smtp::Stage;

constexpr auto kPatience = std::chrono::minutes(15);      // then the same failing message is quarantined
constexpr auto kNextTry = std::chrono::seconds(10);        // when rules did not load for this loop
constexpr auto kTurn = std::chrono::milliseconds(5);       // of the loop, for the recipients of one message
constexpr auto kFailureMemory = std::chrono::hours(24 * 5);  // as long as senders try

// One connection and its messages.
class Examination : public smtp::Examination {
 public:
  explicit Examination(Judge& judge) : judge_(judge), scene_(judge.outside()) {}

  io::Task<smtp::Decision> on_connect(smtp::Client client) override;
  io::Task<smtp::Decision> on_mail(smtp::Client client, smtp::Sender sender) override;
  io::Task<smtp::Decision> on_rcpt(smtp::Client client, smtp::Recipient recipient) override;
  io::Task<smtp::MessageVerdict> on_message(smtp::Client client, std::string id, Octets received,
                                            std::vector<smtp::Recipient> recipients) override;
  void on_reset() override { end_transaction(); }

 private:
  // What stage rcpt said of one recipient.
  struct Known {
    bool held = false;
    double points = 0;
    std::vector<smtp::Hit> hits;
  };

  void begin(const smtp::Client& client);
  void end_transaction();
  smtp::Decision decide(StageOutcome& outcome, std::string_view identity, bool& held);
  bool failed_long_ago(std::string_view identity);
  std::string identity(std::string_view more) const;
  io::Task<void> judge_message(Combined& combined);
  io::Task<void> deliver_stage(Combined& combined);
  io::Task<void> complete_facts();
  std::string message_key() const;

  Judge& judge_;
  Judge::InForce force_;
  lua::Scene scene_;
  double connect_points_ = 0;
  double mail_points_ = 0;
  std::vector<smtp::Hit> connect_hits_;
  std::vector<smtp::Hit> mail_hits_;
  lua::Record connect_record_;           // what stage connect asked is known of each message of the session
  std::map<std::string, Known> known_;   // by the address of RCPT
  bool connect_held_ = false;            // the message to come is to be quarantined, not refused
  bool held_ = false;
};

void Examination::begin(const smtp::Client& client) {
  bool other_client = scene_.client.ip != client.ip;
  scene_.client = client;
  if (!scene_.connection || other_client) {
    scene_.reputation = nullptr;
    scene_.connection = judge_.evidence().connection(client);
  }
}

void Examination::end_transaction() {
  scene_.end_message();
  scene_.message.reset();
  scene_.spf = nullptr;
  scene_.dkim = nullptr;
  scene_.dmarc = nullptr;
  scene_.arc = nullptr;
  scene_.virus = nullptr;
  scene_.files = nullptr;
  scene_.has_body = false;
  scene_.author.clear();
  scene_.author_proved = false;
  scene_.allowing.clear();
  scene_.header = {};
  scene_.recipients.clear();
  scene_.sender = {};
  scene_.hits.clear();
  scene_.score = 0;
  scene_.message_ends = Deadline::max();
  scene_.dns_questions = 0;
  scene_.record = connect_record_;
  mail_points_ = 0;
  mail_hits_.clear();
  known_.clear();
  held_ = connect_held_;
}

// Hashed, because Counters cuts long keys: with a dozen recipients that took the Message-ID away, and
// every message for them was the same one.
std::string Examination::identity(std::string_view more) const {
  return "\x01" "failed:" + counted_network(scene_.client.ip).to_string() + " " + std::to_string(fnv(more));
}

// Remembers the first failure of this message; true when that was a quarter of an hour ago.
bool Examination::failed_long_ago(std::string_view more) {
  std::string key = identity(more);
  Counters& counters = *judge_.setting().counters;
  std::int64_t now = to_unix(judge_.setting().clock->now());
  if (auto first = counters.recall(key)) {
    auto when = parse_number(*first);
    return when && static_cast<std::int64_t>(*when) + std::chrono::seconds(kPatience).count() <= now;
  }
  counters.remember(key, std::chrono::duration_cast<std::chrono::seconds>(kFailureMemory), std::to_string(now));
  return false;
}

// Before the message there is nothing to quarantine: what fails for long, and by LMTP what is rejected, is let
// on, and the message that comes of it goes to quarantine.
smtp::Decision Examination::decide(StageOutcome& outcome, std::string_view what, bool& held) {
  smtp::Decision decision;
  bool rejected_late = outcome.action == Action::reject && scene_.client.lmtp;
  if (rejected_late || (outcome.error && failed_long_ago(what))) {
    held = true;
    return decision;
  }
  decision.action = outcome.action;
  decision.rule = outcome.rule;
  decision.at = outcome.at;
  decision.why = outcome.why;
  decision.error = outcome.error;
  decision.reply = outcome.error ? "cannot be judged at the moment, please try again later" : outcome.why;
  return decision;
}

io::Task<smtp::Decision> Examination::on_connect(smtp::Client client) {
  connect_record_.clear();
  end_transaction();
  force_ = judge_.in_force();
  scene_.use(force_.state);
  connect_points_ = 0;
  connect_hits_.clear();
  connect_held_ = held_ = false;
  scene_.id = client.session;
  begin(client);
  StageOutcome outcome = co_await run_stage(judge_, force_, scene_, Stage::connect, 0);
  connect_points_ = outcome.points;
  smtp::Decision decision = decide(outcome, "connect", held_);
  connect_held_ = held_;
  connect_hits_ = std::move(outcome.hits);
  connect_record_ = scene_.record;
  co_return decision;
}

io::Task<smtp::Decision> Examination::on_mail(smtp::Client client, smtp::Sender sender) {
  end_transaction();
  force_ = judge_.in_force();  // a new message is judged by the newest rules
  scene_.use(force_.state);
  scene_.id = client.session;
  begin(client);
  scene_.sender = sender;
  scene_.message = judge_.evidence().message(client, sender, Octets());
  StageOutcome outcome = co_await run_stage(judge_, force_, scene_, Stage::mail, 0);
  mail_points_ = outcome.points;
  smtp::Decision decision = decide(outcome, "mail " + sender.address, held_);
  mail_hits_ = std::move(outcome.hits);
  co_return decision;
}

io::Task<smtp::Decision> Examination::on_rcpt(smtp::Client client, smtp::Recipient recipient) {
  scene_.client = std::move(client);
  scene_.recipients.push_back(std::move(recipient));
  std::size_t index = scene_.recipients.size() - 1;
  StageOutcome outcome = co_await run_stage(judge_, force_, scene_, Stage::rcpt, index);
  std::string address = scene_.recipients[index].address;
  bool held = false;
  smtp::Decision decision = decide(outcome, "rcpt " + scene_.sender.address + " " + address, held);
  if (decision.refuses()) {
    scene_.release_recipients();
    scene_.recipients.pop_back();
  } else {
    known_[address] = Known{held, outcome.points, std::move(outcome.hits)};
  }
  co_return decision;
}

// Authentication-Results and the trace want these facts whether a rule asks for them or not.  They are
// complete before the rules begin: a rule that need not wait is far cheaper.  The scan only starts here,
// so that it runs beside the questions to DNS; a rule waits for it within its stage's time.
io::Task<void> Examination::complete_facts() {
  // The address of somebody's telephone is in no SPF record, and his signature is still to come; a rule may ask.
  if (scene_.client.outgoing()) co_return;
  scene_.message->start(force_.edition->names_virus);
  const Spf* spf = co_await scene_.message->spf();
  scene_.spf = spf;
  const Dkim* dkim = co_await scene_.message->dkim();
  scene_.dkim = dkim;
  const Dmarc* dmarc = co_await scene_.message->dmarc();
  scene_.dmarc = dmarc;
  const Arc* arc = co_await scene_.message->arc();
  scene_.arc = arc;
}

// Rules that only compute never wait, and a message has up to a thousand recipients: the loop gets its
// turn between them.  Of a message that is held as spam only those are asked who want to hear its author.
io::Task<void> Examination::deliver_stage(Combined& combined) {
  if (force_.edition->at(Stage::deliver).empty()) co_return;
  double shared = scene_.score;
  Deadline turn_ends = in(kTurn);
  bool held = combined.decided();
  for (std::size_t i = 0; i < scene_.recipients.size(); ++i) {
    if (held && !scene_.allowing[i]) continue;
    if (Deadline::clock::now() >= turn_ends) {
      co_await io::sleep_until(turn_ends);
      turn_ends = in(kTurn);
    }
    scene_.score = combined.recipients[i].score;
    StageOutcome outcome = co_await run_stage(judge_, force_, scene_, Stage::deliver, i);
    if (held) combined.take_allowed(i, outcome);
    else combined.take_recipient(i, outcome);
  }
  scene_.score = shared;
}

io::Task<void> Examination::judge_message(Combined& combined) {
  if (force_.edition->rules.empty()) co_return;  // nothing judges, so nothing is examined
  co_await complete_facts();
  read_author(scene_);
  StageOutcome message = co_await run_stage(judge_, force_, scene_, Stage::message, 0);
  combined.take_message(message, scene_.allowing);
  scene_.score = combined.score;
  scene_.hits = combined.hits;
  if (!combined.decided() || combined.only_spam()) {
    StageOutcome verdict = co_await run_stage(judge_, force_, scene_, Stage::verdict, 0);
    if (combined.only_spam()) combined.take_beyond(verdict, scene_.allowing);
    else combined.take_message(verdict, scene_.allowing);
    scene_.hits = combined.hits;
  }
  if (!combined.decided() || combined.only_spam()) co_await deliver_stage(combined);
}

// What a message that is tried again is known by.
std::string Examination::message_key() const {
  std::string key = "message " + scene_.sender.address;
  for (const auto& recipient : scene_.recipients) key += " " + recipient.address;
  const auto* message_id = scene_.header.find("Message-ID");
  if (message_id != nullptr) key += " " + mail::unfolded(message_id->raw).substr(0, 200);
  return key;
}

io::Task<smtp::MessageVerdict> Examination::on_message(smtp::Client client, std::string id, Octets received,
                                                       std::vector<smtp::Recipient> recipients) {
  scene_.client = std::move(client);
  scene_.id = id;
  // What was found at stage mail stays valid: the envelope is the same.  Its owner is kept for that.
  std::unique_ptr<MessageEvidence> envelope = std::move(scene_.message);
  Arrival arrival;
  for (const auto& recipient : recipients) arrival.recipients.push_back(recipient.rcpt());
  arrival.when = judge_.setting().clock->now();
  scene_.message = judge_.evidence().message(scene_.client, scene_.sender, received, std::move(arrival));
  scene_.header = mail::HeaderBlock(scene_.message->octets().view());
  scene_.has_body = true;
  // RFC 5321 4.5.3.2.6: who waits ten minutes in vain sends again, and both copies would be delivered.
  scene_.message_ends = in(force_.edition->generation->budgets().message_wall);
  scene_.release_recipients();
  scene_.recipients = std::move(recipients);

  Combined combined;
  combined.begin(judge_.setting().given_points + connect_points_ + mail_points_, scene_.recipients);
  combined.add_hits(connect_hits_);
  combined.add_hits(mail_hits_);
  for (std::size_t i = 0; i < scene_.recipients.size(); ++i) {
    auto known = known_.find(scene_.recipients[i].rcpt());
    if (known == known_.end()) continue;
    combined.add_points(i, known->second.points);
    auto hits = known->second.hits;   // said of the address of RCPT, they hold for everybody whom it leads to
    for (auto& hit : hits) hit.recipient = scene_.recipients[i].address;
    combined.add_hits(hits);
  }
  scene_.score = combined.score;
  scene_.hits = combined.hits;
  co_await judge_message(combined);

  if (scene_.client.lmtp) combined.hold_rejected();
  if (combined.error() && failed_long_ago(message_key())) held_ = true;
  if (held_) combined.hold_all();
  for (std::size_t i = 0; i < scene_.recipients.size(); ++i) {
    auto known = known_.find(scene_.recipients[i].rcpt());
    if (known != known_.end() && known->second.held) combined.hold(i);
  }

  smtp::MessageVerdict verdict = combined.finish(id);
  verdict.generation = force_.edition->generation->hash();
  verdict.authentication_results = authentication_results(judge_.setting().hostname, scene_);
  verdict.facts = facts_json(scene_);
  verdict.sender_proved = sender_proved(scene_);
  if (scene_.reputation != nullptr) verdict.client_name = scene_.reputation->name;
  end_transaction();
  co_return verdict;
}

}  // namespace

Judge::Judge(const JudgeSetting& setting, dns::Resolver& resolver, EvidenceSource& evidence)
    : setting_(setting), resolver_(resolver), evidence_(evidence) {}

Judge::Judge(const JudgeSetting& setting, dns::Resolver& resolver, EvidenceSource& evidence, std::shared_ptr<const Edition> edition,
             std::shared_ptr<lua::State> state)
    : setting_(setting), resolver_(resolver), evidence_(evidence), fixed_(std::move(edition)) {
  in_force_ = InForce{fixed_, std::move(state)};
}

Judge::~Judge() = default;

lua::Outside Judge::outside() const {
  lua::Outside out;
  out.resolver = &resolver_;
  out.counters = setting_.counters;
  out.clock = setting_.clock;
  out.lists = setting_.lists;
  out.sender_troubles = &setting_.sender_troubles;
  return out;
}

Judge::InForce Judge::in_force() {
  std::shared_ptr<const Edition> newest = fixed_ ? fixed_ : setting_.rules->current();
  CHECK(newest != nullptr);  // serve does not listen before a rule set is in force
  if (in_force_.edition == newest && in_force_.state && !in_force_.state->full()) return in_force_;
  if (in_force_.edition == newest && in_force_.state) {
    log::warning("rules.state", {{"what", "the state's memory is full; it is made anew"}, {"octets", std::to_string(in_force_.state->octets())}});
  }
  std::shared_ptr<lua::State> state = make_state(*newest);
  if (state) in_force_ = InForce{std::move(newest), std::move(state)};
  if (!in_force_.state) throw std::runtime_error("the rules cannot be loaded");  // this session ends, nothing passes unjudged
  return in_force_;
}

// nullptr, and a line in the log, when the text that was loaded before it came into force does not load here.
std::shared_ptr<lua::State> Judge::make_state(const Edition& edition) {
  if (Deadline::clock::now() < next_try_) return nullptr;
  std::shared_ptr<lua::State> state = fixed_ ? nullptr : setting_.rules->take_state(edition);
  if (state) return state;
  std::vector<lua::Mistake> mistakes;
  state = lua::State::load(edition.generation, mistakes);
  if (mistakes.empty() && state->rules().size() == edition.rules.size()) return state;
  next_try_ = in(kNextTry);
  log::error("rules.state", {{"what", "rules that loaded before do not load for this loop; it goes on with those it has"},
                             {"why", mistakes.empty() ? "another number of rules" : mistakes.front().text()}});
  return nullptr;
}

std::unique_ptr<smtp::Examination> Judge::examine() { return std::make_unique<Examination>(*this); }

}  // namespace postern::filters
