// The multi-pattern prefilter, the only place that includes <hs/hs.h>.
//
// What the automaton says must never be less than what PCRE2 would find, so whatever the two read differently is
// left out of it: see alone_because().
#include "filters/regex_set.h"

#include <hs/hs.h>

#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <utility>

#include "gateway/base/text.h"

namespace postern::filters {
namespace {

// Beyond so many positions compiling takes seconds and the automaton megabytes.
constexpr std::size_t kMaxWrittenOut = 3'000;
// From here on a pattern is tried by itself first: what it costs is then known before all others wait for it.
constexpr std::size_t kTriedBefore = 300;
constexpr std::size_t kMaxOneDatabase = 1 << 20;
constexpr std::size_t kMaxScratchesKept = 16;
constexpr int kMaxTries = 16;

std::chrono::microseconds thread_cpu() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::microseconds(now.tv_nsec / 1000);
}

struct FreeDatabase {
  void operator()(hs_database_t* database) const { hs_free_database(database); }
};
using Database = std::unique_ptr<hs_database_t, FreeDatabase>;
struct FreeScratch {
  void operator()(hs_scratch_t* scratch) const { hs_free_scratch(scratch); }
};
using Scratch = std::unique_ptr<hs_scratch_t, FreeScratch>;

// "Reason at index 7." -> "reason at index 7": it becomes the end of a sentence.
std::string clause(hs_compile_error_t* error) {
  std::string out = error != nullptr && error->message != nullptr ? error->message : "the automaton cannot be made";
  hs_free_compile_error(error);
  while (!out.empty() && out.back() == '.') out.pop_back();
  return out;
}

bool has_flag(const Regex& regex, char flag) { return regex.flags().find(flag) != std::string::npos; }

// Letters between "(?" and ":" or ")" that both do not read alike: only i, m, s and a single x are.
bool strange_option(std::string_view pattern, std::size_t at) {
  int extended = 0;
  for (; at < pattern.size(); ++at) {
    char c = pattern[at];
    if (c == 'x' && ++extended > 1) return true;
    if (c == ')' || c == ':') return false;
    if (std::string_view("imsx-").find(c) == std::string_view::npos) return true;
  }
  return true;
}

// Case pairs were added to Unicode from here on after the library's tables were made.
bool young_case(std::string_view pattern) {
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    auto octet = static_cast<unsigned char>(pattern[at]);
    if (octet >= 0xf0 || (octet >= 0xe2 && octet <= 0xef)) return true;                                             // U+2000 and above
    if (octet == 0xe0 || (octet == 0xe1 && at + 1 < pattern.size() && static_cast<unsigned char>(pattern[at + 1]) < 0xb8)) return true;   // U+0800 to U+1DFF
    if ((octet >= 0xd4 && octet <= 0xdf) || octet == 0xc9 || octet == 0xca) return true;                            // U+0500 to U+07FF, U+0240 to U+02BF
  }
  return pattern.find("\\x{") != std::string_view::npos || pattern.find("\\o{") != std::string_view::npos;
}

// Where the braces of \x{...} and its like at `at`, the letter, end; `at` when there are none.
std::size_t behind_braces(std::string_view pattern, std::size_t at) {
  if (at + 1 >= pattern.size() || pattern[at + 1] != '{' || std::string_view("xopPgkN").find(pattern[at]) == std::string_view::npos) return at;
  return std::min(pattern.size() - 1, pattern.find('}', at));
}

// The last octet of the class that begins at `at`.
std::size_t end_of_class(std::string_view pattern, std::size_t at) {
  std::size_t i = at + 1;
  if (i < pattern.size() && pattern[i] == '^') ++i;
  if (i < pattern.size() && pattern[i] == ']') ++i;
  for (; i < pattern.size() && pattern[i] != ']'; ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern.substr(i, 2) == "[:") {
      i = std::min(pattern.size(), pattern.find(":]", i + 2)) + 1;
    }
  }
  return i;
}

struct Repeat {
  std::size_t least = 0, most = 0;   // most: least for {n} and {n,}
  bool endless = false;
  std::size_t end = 0;               // of the brace that closes it
};
// A counted repeat at the brace `at`.
std::optional<Repeat> repeat_at(std::string_view pattern, std::size_t at) {
  auto end = pattern.find('}', at);
  auto inside = end == std::string_view::npos ? std::string_view() : pattern.substr(at + 1, end - at - 1);
  if (inside.empty() || !is_digit(inside[0]) || inside.find_first_not_of("0123456789,") != std::string_view::npos) return std::nullopt;
  auto value = [](std::string_view digits) {
    std::size_t out = 0;
    for (char c : digits) out = std::min<std::size_t>(1'000'000, out * 10 + static_cast<std::size_t>(c - '0'));
    return out;
  };
  auto comma = inside.find(',');
  if (comma != inside.rfind(',')) return std::nullopt;
  Repeat out;
  out.least = out.most = value(inside.substr(0, comma));
  if (comma != std::string_view::npos) {
    out.endless = comma + 1 == inside.size();
    if (!out.endless) out.most = value(inside.substr(comma + 1));
  }
  out.end = end;
  return out;
}

// Counted repeats of many are taken for endless ones, which matches more: compiling takes a tenth of the time, the
// automaton a fifth of the memory.
std::string widened(std::string_view pattern) {
  constexpr std::size_t kMany = 8;
  if (pattern.find("\\Q") != std::string_view::npos) return std::string(pattern);
  std::string out;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    std::size_t end = at;
    if (pattern[at] == '\\' && at + 1 < pattern.size()) {
      end = behind_braces(pattern, at + 1);
    } else if (pattern[at] == '[') {
      end = std::min(pattern.size() - 1, end_of_class(pattern, at));
    } else if (pattern[at] == '{') {
      auto repeat = repeat_at(pattern, at);
      if (repeat && std::max(repeat->least, repeat->most) >= kMany) {
        out += "{" + std::to_string(std::min(repeat->least, kMany)) + ",}";
        at = repeat->end;
        continue;
      }
    }
    out += pattern.substr(at, end - at + 1);
    at = end;
  }
  return out;
}

// Why a pattern must stay out whatever the library thinks of it; "": it may go in.
std::string alone_because(const Regex& regex) {
  std::string_view pattern = regex.pattern();
  if (pattern.find('\0') != std::string_view::npos) return "it holds an octet 0";
  if (pattern.find("(*") != std::string_view::npos) return "(*...) is PCRE2's own";
  if (pattern.find("[[:<:]]") != std::string_view::npos || pattern.find("[[:>:]]") != std::string_view::npos) return "[[:<:]] is PCRE2's own";
  bool caseless = has_flag(regex, 'i');
  for (std::size_t at = 0; at + 1 < pattern.size(); ++at) {
    if (pattern[at] == '\\') {
      char c = pattern[++at];
      if (c == 'p' || c == 'P' || c == 'X') return std::string("the tables behind \\") + c + " are of different versions of Unicode";
      continue;
    }
    if (pattern[at] != '(' || pattern[at + 1] != '?' || at + 2 >= pattern.size()) continue;
    char c = pattern[at + 2];
    if (c == 'i') caseless = true;
    bool options = is_alpha(c) && c != 'P' && c != 'R';
    if (c == '-') options = at + 3 < pattern.size() && !is_digit(pattern[at + 3]);
    if (options && strange_option(pattern, at + 2)) return "its options are PCRE2's own";
    if (options) caseless = caseless || pattern.substr(at + 2, pattern.find_first_of(":)", at + 2) - at - 2).find('i') != std::string_view::npos;
  }
  if (caseless && !has_flag(regex, 'b') && young_case(pattern)) return "upper and lower case of its letters are of different versions of Unicode";
  if (std::size_t size = written_out(widened(pattern)); size > kMaxWrittenOut) {
    return "its repeats come to " + std::to_string(size) + " positions, " + std::to_string(kMaxWrittenOut) + " are taken";
  }
  return "";
}

// The one block of letters that the library's tables are too young for and that pairs with older ones: U+1C80 to
// U+1C88 are further forms of Cyrillic letters.
bool has_rare_cyrillic(std::string_view text) {
  for (auto at = text.find("\xe1\xb2"); at != std::string_view::npos; at = text.find("\xe1\xb2", at + 2)) {
    if (at + 2 < text.size() && static_cast<unsigned char>(text[at + 2]) <= 0x88) return true;
  }
  return false;
}
// Not find_first_of("\xd0\xd1..."): clang 19 folds that to "never" for octets above 127 that follow each other.
bool has_cyrillic(std::string_view pattern) {
  return std::any_of(pattern.begin(), pattern.end(), [](char c) { return static_cast<unsigned char>(c) >= 0xd0 && static_cast<unsigned char>(c) <= 0xd3; });
}

unsigned flags_of(const Regex& regex, PatternSet::Part part) {
  unsigned flags = HS_FLAG_SINGLEMATCH;
  if (!has_flag(regex, 'b')) flags |= HS_FLAG_UTF8;
  if (has_flag(regex, 'i')) flags |= HS_FLAG_CASELESS;
  if (has_flag(regex, 'm')) flags |= HS_FLAG_MULTILINE;
  if (has_flag(regex, 's')) flags |= HS_FLAG_DOTALL;
  if (part == PatternSet::Part::approximated) flags |= HS_FLAG_PREFILTER;
  return flags;
}

std::string expression_of(const Regex& regex) { return (has_flag(regex, 'x') ? "(?x)" : "") + widened(regex.pattern()); }

// Length of the well-formed character at `at`, or 0.  RFC 3629 4.
std::size_t character(std::string_view text, std::size_t at) {
  auto octet = [&](std::size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0U; };
  auto more = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) { return octet(i) >= low && octet(i) <= high; };
  unsigned first = octet(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return more(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    return more(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && more(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) return more(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && more(2) && more(3) ? 4 : 0;
  return 0;
}

// The text itself when it is well-formed, else a copy in `room` with a line feed for each octet that is not: PCRE2
// lets such an octet match nothing, and everything that may stand beside it may stand beside a line feed.
std::string_view well_formed_or_copy(std::string_view text, std::string& room) {
  bool copied = false;
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    std::size_t length = character(text, at);
    if (length > 0) {
      at += length;
      continue;
    }
    if (!std::exchange(copied, true)) room = text;
    room[at++] = '\n';
  }
  return copied ? std::string_view(room) : text;
}

int note(unsigned number, unsigned long long, unsigned long long, unsigned, void* bits) {
  static_cast<std::uint64_t*>(bits)[number / 64] |= std::uint64_t{1} << (number % 64);
  return 0;
}

}  // namespace

std::size_t written_out(std::string_view pattern) {
  constexpr std::size_t kMost = 1'000'000;
  struct Group { std::size_t size = 0, last = 0; };
  std::vector<Group> open(1);
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    char c = pattern[at];
    if (c == '(') {
      open.emplace_back();
      continue;
    }
    if (c == ')' && open.size() > 1) {
      std::size_t size = open.back().size + open.back().last;
      open.pop_back();
      open.back().size = std::min(kMost, open.back().size + open.back().last);
      open.back().last = std::max<std::size_t>(1, size);
      continue;
    }
    Group& group = open.back();
    if (c == '{') {
      if (auto repeat = repeat_at(pattern, at)) {
        group.last = std::min(kMost, group.last * std::max<std::size_t>({1, repeat->least, repeat->most}));
        at = repeat->end;
        continue;
      }
    }
    group.size = std::min(kMost, group.size + group.last);
    group.last = 1;
    if (c == '\\') {
      at = behind_braces(pattern, at + 1);
    } else if (c == '[') {
      at = end_of_class(pattern, at);
    }
  }
  std::size_t size = 0;
  for (const Group& group : open) size = std::min(kMost, size + group.size + group.last);
  return size;
}

// One compiled database and what threads need to scan with it.
class PatternSet::Automaton {
 public:
  Automaton(Database database, Scratch scratch) : database_(std::move(database)), model_(std::move(scratch)) {}

  bool scan(std::string_view text, std::uint64_t* bits) {
    Scratch scratch = take();
    if (!scratch) return false;
    auto outcome = hs_scan(database_.get(), text.data(), static_cast<unsigned>(text.size()), 0, scratch.get(), note, bits);
    give_back(std::move(scratch));
    return outcome == HS_SUCCESS;
  }

 private:
  // Made for this database alone: what the library thinks of larger ones made for another has changed twice.
  Scratch take() {
    std::lock_guard lock(mutex_);
    if (!kept_.empty()) {
      Scratch out = std::move(kept_.back());
      kept_.pop_back();
      return out;
    }
    hs_scratch_t* made = nullptr;
    if (hs_clone_scratch(model_.get(), &made) != HS_SUCCESS) return nullptr;
    return Scratch(made);
  }
  void give_back(Scratch scratch) {
    std::lock_guard lock(mutex_);
    if (kept_.size() < kMaxScratchesKept) kept_.push_back(std::move(scratch));
  }

  Database database_;
  std::mutex mutex_;
  Scratch model_;                 // nobody scans with it
  std::vector<Scratch> kept_;
};

// Compiles the members of one database: those on characters, or those on octets.
class PatternSet::Compiler {
 public:
  Compiler(PatternSet& set, std::chrono::microseconds begun) : set_(set), ends_(begun + set.limits_.compile) {}

  std::unique_ptr<Automaton> make(bool octets) {
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < set_.members_.size(); ++i) {
      if (set_.members_[i].part != Part::alone && has_flag(*set_.members_[i].regex, 'b') == octets && fits(i)) chosen.push_back(i);
    }
    for (int tries = 0; !chosen.empty() && tries < kMaxTries; ++tries) {
      if (auto made = all(chosen)) return made;
    }
    for (std::size_t number : chosen) set_.stay_alone(number, "the automaton cannot be made");
    return nullptr;
  }

 private:
  // Whether a pattern can be taken at all, as it is or approximated.
  bool fits(std::size_t number) {
    if (thread_cpu() > ends_) return set_.stay_alone(number, "compiling the patterns before it took all the time there is"), false;
    Member& member = set_.members_[number];
    std::string expression = expression_of(*member.regex);
    for (Part part : {Part::whole, Part::approximated}) {
      hs_expr_info_t* info = nullptr;
      hs_compile_error_t* error = nullptr;
      auto outcome = hs_expression_info(expression.c_str(), flags_of(*member.regex, part), &info, &error);
      std::free(info);
      if (outcome == HS_SUCCESS) {
        member.part = part;
        return written_out(expression) < kTriedBefore || compiles_alone(number);
      }
      member.why = clause(error);
    }
    return set_.stay_alone(number, member.why), false;
  }

  bool compiles_alone(std::size_t number) {
    const Member& member = set_.members_[number];
    hs_database_t* made = nullptr;
    hs_compile_error_t* error = nullptr;
    if (hs_compile(expression_of(*member.regex).c_str(), flags_of(*member.regex, member.part), HS_MODE_BLOCK, nullptr, &made, &error) != HS_SUCCESS) {
      return set_.stay_alone(number, clause(error)), false;
    }
    Database database(made);
    std::size_t size = 0;
    hs_database_size(made, &size);
    if (size > kMaxOneDatabase) return set_.stay_alone(number, "it alone would take " + std::to_string(size) + " octets"), false;
    return true;
  }

  // nullptr: `chosen` is less now, try again.
  std::unique_ptr<Automaton> all(std::vector<std::size_t>& chosen) {
    std::vector<std::string> expressions;
    std::vector<const char*> pointers;
    std::vector<unsigned> flags, numbers;
    for (std::size_t number : chosen) expressions.push_back(expression_of(*set_.members_[number].regex));
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      pointers.push_back(expressions[i].c_str());
      flags.push_back(flags_of(*set_.members_[chosen[i]].regex, set_.members_[chosen[i]].part));
      numbers.push_back(static_cast<unsigned>(chosen[i]));
    }
    hs_database_t* made = nullptr;
    hs_compile_error_t* error = nullptr;
    if (hs_compile_multi(pointers.data(), flags.data(), numbers.data(), static_cast<unsigned>(pointers.size()), HS_MODE_BLOCK, nullptr, &made,
                         &error) != HS_SUCCESS) {
      int at = error != nullptr ? error->expression : -1;
      std::string why = clause(error);
      if (at < 0) return drop_half(chosen, why);
      set_.stay_alone(chosen[static_cast<std::size_t>(at)], why);
      chosen.erase(chosen.begin() + at);
      return nullptr;
    }
    Database database(made);
    hs_scratch_t* room = nullptr;
    if (hs_alloc_scratch(made, &room) != HS_SUCCESS) return drop_half(chosen, "there is no memory to scan with");
    Scratch scratch(room);
    std::size_t size = 0, scratch_size = 0;
    hs_database_size(made, &size);
    hs_scratch_size(room, &scratch_size);
    if (set_.figures_.database + size > set_.limits_.database || set_.figures_.scratch + scratch_size > set_.limits_.scratch) {
      return drop_half(chosen, "the patterns before it take all the memory there is");
    }
    set_.figures_.database += size;
    set_.figures_.scratch += scratch_size;
    return std::make_unique<Automaton>(std::move(database), std::move(scratch));
  }

  std::unique_ptr<Automaton> drop_half(std::vector<std::size_t>& chosen, const std::string& why) {
    std::size_t keep = thread_cpu() > ends_ ? 0 : chosen.size() / 2;
    for (std::size_t i = keep; i < chosen.size(); ++i) set_.stay_alone(chosen[i], why);
    chosen.resize(keep);
    return nullptr;
  }

  PatternSet& set_;
  std::chrono::microseconds ends_;
};

PatternSet::~PatternSet() = default;

void PatternSet::stay_alone(std::size_t number, std::string why) {
  members_[number].part = Part::alone;
  members_[number].why = std::move(why);
}

std::shared_ptr<const PatternSet> PatternSet::compile(std::vector<std::shared_ptr<const Regex>> patterns, const Limits& limits, Engine engine) {
  std::shared_ptr<PatternSet> made(new PatternSet);
  auto begun = thread_cpu();
  made->limits_ = limits;
  for (auto& regex : patterns) {
    made->numbers_.emplace(regex.get(), made->members_.size());
    made->members_.push_back({std::move(regex), Part::whole, ""});
  }
  bool fit = engine == Engine::if_fit && hs_valid_platform() == HS_SUCCESS;
  if (!fit) made->problem_ = "this processor lacks what Hyperscan needs (SSSE3, or SSE4.2 for Vectorscan): every pattern is searched by itself, which takes several times as long";
  for (std::size_t i = 0; i < made->members_.size(); ++i) {
    std::string why = !fit ? "there is no automaton" : i >= limits.patterns ? "there are more than " + std::to_string(limits.patterns) + " patterns" : alone_because(*made->members_[i].regex);
    if (!why.empty()) made->stay_alone(i, std::move(why));
  }
  Compiler compiler(*made, begun);
  if (fit) made->characters_ = compiler.make(false);
  if (fit) made->octets_ = compiler.make(true);
  for (const Member& member : made->members_) {
    ++(member.part == Part::whole ? made->figures_.whole : member.part == Part::approximated ? made->figures_.approximated : made->figures_.alone);
  }
  for (std::size_t i = 0; i < made->members_.size(); ++i) {
    if (has_cyrillic(made->members_[i].regex->pattern()) && !has_flag(*made->members_[i].regex, 'b')) made->cyrillic_.push_back(i);
  }
  made->figures_.compile = thread_cpu() - begun;
  return made;
}

PatternSet::Found PatternSet::scan(std::string_view text) const {
  Found out;
  if (text.size() > limits_.text || (!characters_ && !octets_)) return out;
  out.bits_.assign(members_.size() / 64 + 1, 0);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].part == Part::alone) out.bits_[i / 64] |= std::uint64_t{1} << (i % 64);
  }
  std::string room;
  bool good = !octets_ || octets_->scan(text, out.bits_.data());
  if (good && characters_) good = characters_->scan(well_formed_or_copy(text, room), out.bits_.data());
  if (!cyrillic_.empty() && has_rare_cyrillic(text)) {
    for (std::size_t number : cyrillic_) out.bits_[number / 64] |= std::uint64_t{1} << (number % 64);
  }
  if (!good) out.bits_.clear();
  return out;
}

std::size_t PatternSet::number(const Regex& regex) const {
  auto found = numbers_.find(&regex);
  return found == numbers_.end() ? npos : found->second;
}

}  // namespace postern::filters
