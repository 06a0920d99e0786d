// The multi-pattern prefilter, the only place that includes <hs/hs.h>.
//
// What the automaton says must never be less than what PCRE2 would find, so whatever the two read differently is
// left out of it: alone_because().
#include "filters/regex_set.h"

#include <hs/hs.h>

#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <utility>

#include "filters/regex_shape.h"

namespace postern::filters {
namespace {

// From here on a pattern is tried by itself first: what it costs is then known before all others wait for it.
constexpr std::size_t kTriedBefore = 100;
constexpr std::size_t kMaxOneDatabase = 128 << 10;
constexpr std::chrono::milliseconds kMaxOneCompile(60);
// What compiling costs grows faster than the number of patterns; a pass over a text costs little more in several automata.
constexpr std::size_t kTogether = 128;
constexpr const char* kNoTime = "compiling the patterns before it took all the time there is";
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

  std::vector<std::unique_ptr<Automaton>> make(bool octets) {
    std::vector<std::size_t> chosen;
    for (std::size_t i = 0; i < set_.members_.size(); ++i) {
      if (set_.members_[i].part != Part::alone && has_flag(*set_.members_[i].regex, 'b') == octets && fits(i)) chosen.push_back(i);
    }
    std::vector<std::unique_ptr<Automaton>> out;
    for (std::size_t at = 0; at < chosen.size(); at += kTogether) {
      std::vector<std::size_t> group(chosen.begin() + static_cast<std::ptrdiff_t>(at), chosen.begin() + static_cast<std::ptrdiff_t>(std::min(chosen.size(), at + kTogether)));
      std::unique_ptr<Automaton> made;
      if (thread_cpu() > ends_) {
        for (std::size_t number : std::exchange(group, {})) set_.stay_alone(number, kNoTime);
      }
      for (int tries = 0; !made && !group.empty() && tries < kMaxTries; ++tries) made = all(group);
      if (made) out.push_back(std::move(made));
      else for (std::size_t number : group) set_.stay_alone(number, "the automaton cannot be made");
    }
    return out;
  }

 private:
  // Whether a pattern can be taken at all, as it is or approximated.
  bool fits(std::size_t number) {
    if (thread_cpu() > ends_) return set_.stay_alone(number, kNoTime), false;
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
    auto begun = thread_cpu();
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
    auto took = thread_cpu() - begun;
    if (took > kMaxOneCompile) return set_.stay_alone(number, "compiling it takes " + std::to_string(took.count() / 1000) + " ms"), false;
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
  if (text.size() > limits_.text || (characters_.empty() && octets_.empty())) return out;
  out.bits_.assign(members_.size() / 64 + 1, 0);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].part == Part::alone) out.bits_[i / 64] |= std::uint64_t{1} << (i % 64);
  }
  std::string room;
  bool good = true;
  for (const auto& automaton : octets_) good = good && automaton->scan(text, out.bits_.data());
  if (!characters_.empty()) text = well_formed_or_copy(text, room);
  for (const auto& automaton : characters_) good = good && automaton->scan(text, out.bits_.data());
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
