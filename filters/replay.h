#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "filters/edition.h"
#include "filters/facts.h"
#include "gateway/base/bytes.h"
#include "gateway/base/result.h"
#include "gateway/io/task.h"
#include "gateway/smtp/judge.h"

// Judges kept mail anew, with what was known of it then.
namespace postern::filters {

// A message as its trace tells of it (store/trace.h, delivery/trace.h).
struct Past {
  std::string id;
  smtp::Client client;
  smtp::Sender sender;
  std::vector<smtp::Recipient> recipients;
  std::string verdict;                            // of the judge, whatever delivery made of it
  std::map<std::string, std::string> outcomes;    // by recipient: "INBOX", "Junk", ..., "quarantine", "reject", "defer"
  std::set<std::string> rules;                    // that spoke and counted
  bool failed = false;                            // a rule failed
  std::string facts;                              // JSON
  Time when{};
};

// `judged`: the text of the row trace:<id>.  An Error: it is none, or of a time when less was written down.
Result<Past> read_past(std::string id, std::string_view judged);

// What the rules make of it now.
struct Replayed {
  std::string verdict;
  std::map<std::string, std::string> outcomes;
  std::set<std::string> rules;
  std::string decided_by, at, why;                // the rule behind a verdict that is not ham; "": points alone
  double score = 0;
  std::set<std::string> unknown;                  // what a rule wanted to know and nobody asked then
  bool failed = false;

  // The message, or a recipient's copy, would go another way.  What failed for a rule's mistake then and fails now is no
  // change, however long its sender has tried.
  bool differs(const Past& past) const;
};

// One loop's; one message after the other.  `inner` finds out what the octets alone say; it must ask nothing of the world.
class Replayer {
 public:
  Replayer(std::shared_ptr<const Edition> edition, std::shared_ptr<lua::State> state, EvidenceSource& inner, std::string hostname)
      : edition_(std::move(edition)), state_(std::move(state)), inner_(inner), hostname_(std::move(hostname)) {}
  io::Task<Replayed> judge(Past past, Octets octets);

 private:
  std::shared_ptr<const Edition> edition_;
  std::shared_ptr<lua::State> state_;
  EvidenceSource& inner_;
  std::string hostname_;
};

}  // namespace postern::filters
