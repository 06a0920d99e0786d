#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "filters/bayes.h"
#include "filters/bayes_rows.h"

// When Bayes learns: what readers do with their mail, and what the rules are sure of.  Pure decisions.
namespace postern::filters {

// What a reader's action means.
enum class BayesLesson : std::uint8_t {
  nothing,
  spam,
  ham,
  undo,   // what was learned of this message of his is taken back
};

struct MailMove {
  MailPlace from = MailPlace::elsewhere;
  MailPlace to = MailPlace::elsewhere;
  bool held = false;                      // it was in quarantine and was never released, wherever it lies now
  // What this reader taught of it before, and where it stood then.
  std::optional<BayesClass> taught;
  MailPlace taught_from = MailPlace::elsewhere;
};

// A move, or a copy, or what amounts to one (COPY with STORE \Deleted, an APPEND of the same octets): design 6, quarantine.
//   to Junk or Always block, but from Sent or Drafts     spam
//   to Always allow                                      ham
//   Junk, Quarantine or a held message to INBOX or an ordinary folder    ham
//   to where it stood when it was taught the opposite    undo
//   to Trash, Sent, Drafts; out of Trash; between ordinary folders   nothing
BayesLesson learning_of_move(const MailMove& move);

// $Junk and $NotJunk as they were and as they are; both or none say nothing, and taking back the one that taught undoes.
struct JunkWords {
  bool junk = false;
  bool not_junk = false;
};
BayesLesson learning_of_keywords(JunkWords before, JunkWords after, MailPlace place, std::optional<BayesClass> taught);

// What speaks for learning a message without being told.  Points of Bayes itself are in none of it, or it would learn
// from its own opinion.
struct AutolearnCase {
  // Points by independent kind of evidence: authentication, reputation and lists, links, attachments, text, the reader's own
  // lists and answers.  A kind that said nothing has 0.
  std::span<const double> kinds;
  double strongest_rule = 0;       // the largest points of a single rule, by amount
  double junk_from = 5;            // the recipient's threshold
  bool outgoing = false;           // from a user of ours or by our own program
  bool incomplete = false;         // a fact was in error, or part of the message could not be read
  BayesFact bayes;                 // what it thinks of the message now
  BayesTotals totals;
  std::uint32_t of_sender_today = 0;   // learned so already from the author's domain
  std::uint32_t today = 0;             // learned so already at all
};

constexpr double kAutolearnBeyond = 2;          // spam: so many times the threshold
constexpr double kAutolearnHam = -2;            // ham: at most so many points
constexpr double kAutolearnKind = 0.5;          // points from which a kind counts
constexpr unsigned kAutolearnKinds = 3;         // for spam; ham needs two
constexpr double kAutolearnShare = 0.5;         // a single rule gives at most this part of all points
constexpr std::uint32_t kAutolearnOfSender = 5;   // a day
constexpr std::uint32_t kAutolearnADay = 500;
constexpr std::uint32_t kAutolearnImbalance = 3;  // a class that has so many times the other's messages waits for it
constexpr std::uint32_t kAutolearnFreely = 200;   // messages of a class before the balance matters

struct AutolearnDecision {
  BayesLesson lesson = BayesLesson::nothing;   // never undo
  std::string_view why;                        // in words, for the trace
};
AutolearnDecision autolearn(const AutolearnCase& given);

}  // namespace postern::filters
