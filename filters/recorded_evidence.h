#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "filters/arc.h"
#include "filters/counters.h"
#include "filters/facts.h"
#include "gateway/base/clock.h"
#include "gateway/dns/resolver.h"

// What was known of a message when it was judged, so that other rules can judge it as if they had been there.  Nothing is
// asked of the world: what nobody asked then is unknown now, and told as such.
namespace postern::filters {

// The facts that a message's trace holds (verdict_facts.h).
struct Recorded {
  std::optional<Reputation> reputation;
  std::optional<Spf> spf;
  std::optional<Dkim> dkim;
  std::optional<Dmarc> dmarc;
  std::optional<Arc> arc;                          // without what the sealers saw, which stands in the message
  std::optional<Virus> virus;                      // nothing: no rule asked for a scan
  // What rules asked, by section ("dns", "count", "recall", "clock", ...) and question: the answer as JSON.
  std::map<std::pair<std::string, std::string>, std::string> asked;

  Time now(Time otherwise) const;                  // of the message, if a rule asked
  SenderTroubles troubles() const;                 // of the sender, as far as rules asked
};

// Nothing: it is no such text.  What is in it in another form than verdict_facts.h writes counts as not recorded.
std::optional<Recorded> read_recorded(std::string_view facts);

// What was asked in `now` and not `then`: "dns x.example A", "count key 600s", ...
std::set<std::string> unknown_questions(const Recorded& then, const Recorded& now);

// Puts in what rules count and remember as it was.  `counters` must be empty, and its clock the message's time.
void fill(Counters& counters, const Recorded& recorded);

// Answers from the record; everything else is Status::timeout, at once.
class RecordedResolver : public dns::Resolver {
 public:
  explicit RecordedResolver(const Recorded& recorded);
  io::Task<dns::Answer> query(std::string name, dns::Type type, Deadline deadline) override;

 private:
  std::map<std::pair<std::string, dns::Type>, dns::Answer> answers_;
};

// Facts of the record in front of a source that finds out the rest from the octets alone.  `inner` and `recorded` must
// outlive it and what it makes.  One message only: its facts are the record's.
class RecordedEvidence : public EvidenceSource {
 public:
  RecordedEvidence(EvidenceSource& inner, const Recorded& recorded);
  std::unique_ptr<ConnectionEvidence> connection(const smtp::Client& client) override;
  std::unique_ptr<MessageEvidence> message(const smtp::Client& client, const smtp::Sender& sender, Octets received,
                                           Arrival arrival = {}) override;

  // Facts that were asked for and are not in the record: "virus", "spf", ...  Their value is the fact's error case.
  const std::set<std::string>& unknown() const { return unknown_; }

 private:
  class Connection;
  class Message;
  template <class Fact>
  const Fact* give(const char* name, const std::optional<Fact>& known, const Fact& error);

  EvidenceSource& inner_;
  const Recorded& recorded_;
  std::set<std::string> unknown_;
  Reputation no_reputation_;
  Spf no_spf_;
  Dkim no_dkim_;
  Dmarc no_dmarc_;
  Arc no_arc_;
  Virus no_virus_;
};

}  // namespace postern::filters
