#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "filters/sa_config.h"

// SpamAssassin's rule files made one Lua rule file: a table of tests that reads like the .cf, run by scripts/std/sa.lua.
namespace postern::filters::sa {

struct ImportOptions {
  std::string name = "spamassassin";   // of the rule that the file defines
  std::size_t score_set = 3;           // of four scores: 0 local, 1 with network tests, 2 with Bayes, 3 with both
  std::size_t tests = 20;              // at most so many tests are derived
};

struct Import {
  std::string lua;                     // a whole rule file; "" when no rule of them all could be translated
  std::vector<Left> left;              // what is not in it, in the order of the files
  struct Figures {
    std::size_t rules = 0;             // defined or scored
    std::size_t translated = 0;
    std::size_t scored = 0;            // of the translated ones: they give points
    std::size_t parts = 0;             // the others: only for metas
    std::size_t at_least = 0;          // metas in which something not translated was left out
    std::size_t left_eval = 0;         // not translated: functions of SpamAssassin's plugins,
    std::size_t left_meta = 0;         // metas that depend on what is not translated,
    std::size_t left_other = 0;        // everything else
    std::size_t off = 0;               // score 0 and no meta needs them
    std::size_t patterns = 0;
    std::size_t tests = 0;
    std::size_t settings = 0;          // lines that are no rules
  } figures;
};

// Pure; bounded by kMaxRules and the files' length.  What SpamAssassin means and what it becomes:
//   header    decoded fields of that name, joined by newlines; :raw as received; :addr, :name of the first address;
//             ALL, ToCc, MESSAGEID, EnvelopeFrom; X-Spam-Relays-*: our client alone, as the one external relay
//   body      Subject, then each paragraph of the readable text as one line with single spaces, each on its own
//   rawbody   decoded text parts with their tags and line ends, as one text (SpamAssassin cuts it into 2-4 KiB pieces)
//   uri       each link's target on its own
//   full      the message as received
// Patterns match octets, as SpamAssassin's do.  std.sa looks at the first 16 KiB of each text (SpamAssassin at 50 kB of
// a part), so that a thousand rules stay in the time of one.
Import import_sa(const std::vector<File>& files, const ImportOptions& options);

}  // namespace postern::filters::sa
