// Patterns of rules: PCRE2 with JIT, the only place that includes <pcre2.h>.
#include "filters/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <time.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "gateway/base/text.h"

namespace postern::filters {
namespace {

// From one place in the text, about 10 ms at worst; an honest pattern on a mail takes some thousand steps.
constexpr std::uint32_t kMatchLimit = 500'000;
// PCRE2 begins to count anew at each place, so a search is cut into windows of places, with a look at the clock
// between them: few at first, more while they are quick, never so many that one window holds up a loop.
constexpr std::size_t kFirstWindow = 8;
constexpr std::size_t kMaxWindow = 1024;
constexpr std::chrono::microseconds kQuickWindow(100);
constexpr std::chrono::milliseconds kMaxSearch(10);
constexpr std::uint32_t kDepthLimit = 2'000;
constexpr std::uint32_t kHeapLimitKib = 4'096;
constexpr std::size_t kMaxPattern = 16'384;

// What a thread needs to match: kept, because making it costs more than most matches.
struct Scratch {
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 * 1024, 512 * 1024, nullptr);
  pcre2_match_data* data = pcre2_match_data_create(32, nullptr);
  Scratch() {
    pcre2_set_match_limit(context, kMatchLimit);
    pcre2_set_depth_limit(context, kDepthLimit);
    pcre2_set_heap_limit(context, kHeapLimitKib);
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~Scratch() {
    pcre2_match_data_free(data);
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
  }
  Scratch(const Scratch&) = delete;
};

Scratch& scratch() {
  thread_local Scratch mine;
  return mine;
}

std::chrono::nanoseconds thread_cpu() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

// What one search may take.  The thread's clock is dear, so it is asked only once the wall clock says that it is time.
class Allowance {
 public:
  // How long the window took, by the wall clock.
  std::chrono::nanoseconds lap() {
    auto now = std::chrono::steady_clock::now();
    auto took = now - std::exchange(lap_, now);
    return took;
  }
  bool spent() {
    if (lap_ - begin_ < kMaxSearch / 4) return false;
    if (!cpu_) cpu_ = thread_cpu();
    return thread_cpu() - *cpu_ > kMaxSearch;
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point lap_ = begin_;
  std::optional<std::chrono::nanoseconds> cpu_;
};

// Where the window of `places` ends that begins at `begin`: never inside of a character.
std::size_t window_end(std::string_view text, std::size_t begin, std::size_t places) {
  if (places >= text.size() - begin) return text.size() + 1;  // the place behind the last octet counts too
  std::size_t end = begin + places;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) ++end;
  return end;
}

// What speaks of the place where the search began, or of the search as a whole: it would mean each window's.
std::string_view unsuited_item(std::string_view pattern) {
  for (std::string_view verb : {"(*COMMIT", "(*SKIP"}) {
    if (pattern.find(verb) != std::string_view::npos) return verb;
  }
  for (std::size_t at = 0; at + 1 < pattern.size(); ++at) {
    if (pattern[at] != '\\') continue;
    if (pattern[++at] == 'G') return "\\G";
  }
  return {};
}

PCRE2_SPTR octets(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

Result<std::uint32_t> options_of(std::string_view flags) {
  // MATCH_INVALID_UTF: mail is full of octets that are no UTF-8; they match nothing, and nothing breaks.
  bool octets = flags.find('b') != std::string_view::npos;
  std::uint32_t options = PCRE2_NEVER_BACKSLASH_C | PCRE2_USE_OFFSET_LIMIT | (octets ? PCRE2_NEVER_UTF : PCRE2_UTF | PCRE2_MATCH_INVALID_UTF);
  for (char flag : flags) {
    switch (flag) {
      case 'i': options |= PCRE2_CASELESS; break;
      case 'm': options |= PCRE2_MULTILINE; break;
      case 's': options |= PCRE2_DOTALL; break;
      case 'x': options |= PCRE2_EXTENDED; break;
      case 'b': break;
      default: return Error("unknown flag \"" + printable(std::string_view(&flag, 1)) + "\" of re(): i, m, s, x and b are known");
    }
  }
  return options;
}

}  // namespace

struct Regex::Code {
  pcre2_code* code = nullptr;
  ~Code() { pcre2_code_free(code); }
};

Regex::~Regex() = default;

Result<std::shared_ptr<const Regex>> Regex::compile(std::string_view pattern, std::string_view flags) {
  if (pattern.size() > kMaxPattern) return Error("pattern of re() is longer than 16384 octets");
  if (auto item = unsuited_item(pattern); !item.empty()) return Error("re() has no " + std::string(item));
  auto options = options_of(flags);
  if (!options) return options.error();
  int number = 0;
  PCRE2_SIZE offset = 0;
  auto code = std::make_unique<Code>();
  code->code = pcre2_compile(octets(pattern), pattern.size(), *options, &number, &offset, nullptr);
  if (code->code == nullptr) {
    PCRE2_UCHAR buffer[256];
    pcre2_get_error_message(number, buffer, sizeof buffer);
    return Error("pattern \"" + printable(pattern) + "\" is wrong at character " + std::to_string(offset + 1) + ": " +
                 reinterpret_cast<const char*>(buffer));
  }
  pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);  // where there is no JIT the interpreter is used
  std::shared_ptr<Regex> made(new Regex);
  made->code_ = std::move(code);
  made->pattern_ = pattern;
  made->flags_ = flags;
  return std::shared_ptr<const Regex>(std::move(made));
}

Regex::Outcome Regex::search(std::string_view text, std::size_t from, RegexMatch* out) const {
  if (from > text.size()) return Outcome::no_match;
  Scratch& mine = scratch();
  Allowance allowance;
  int found = PCRE2_ERROR_NOMATCH;
  for (std::size_t begin = from, places = kFirstWindow;;) {
    std::size_t end = window_end(text, begin, places);
    pcre2_set_offset_limit(mine.context, end > text.size() ? PCRE2_UNSET : end - 1);
    found = pcre2_match(code_->code, octets(text), text.size(), begin, 0, mine.data, mine.context);
    if (found != PCRE2_ERROR_NOMATCH) break;
    if (end > text.size()) return Outcome::no_match;
    bool quick = allowance.lap() < kQuickWindow;
    if (allowance.spent()) return Outcome::limit;
    places = quick ? std::min(places * 4, kMaxWindow) : std::max(places / 2, kFirstWindow);
    begin = end;
  }
  if (found < 0) return Outcome::limit;
  if (out != nullptr) {
    // 0: more groups than the match data holds; the first 32 are there.
    std::uint32_t count = found == 0 ? 32 : static_cast<std::uint32_t>(found);
    const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(mine.data);
    out->groups.assign(count, {});
    for (std::uint32_t i = 0; i < count; ++i) {
      if (offsets[2 * i] == PCRE2_UNSET) continue;
      // \K may put the begin behind the end.
      out->groups[i] = {std::min(offsets[2 * i], offsets[2 * i + 1]), offsets[2 * i + 1]};
    }
  }
  return Outcome::match;
}

Result<std::shared_ptr<const Regex>> RegexSet::add(std::string_view pattern, std::string_view flags) {
  for (const auto& known : patterns_) {
    if (known->pattern() == pattern && known->flags() == flags) return known;
  }
  auto made = Regex::compile(pattern, flags);
  if (made) patterns_.push_back(*made);
  return made;
}

}  // namespace postern::filters
