// A backtracking matcher for Lua patterns: every step is counted, recursion is bounded.
#include "filters/lua/patterns.h"

#include "gateway/base/text.h"

namespace postern::filters::lua {
namespace {

// Character classes of ASCII, whatever the locale.
bool in_class(char c, char letter) {
  auto octet = static_cast<unsigned char>(c);
  bool result = false;
  switch (ascii_lower(letter)) {
    case 'a': result = is_alpha(c); break;
    case 'c': result = octet < 0x20 || octet == 0x7f; break;
    case 'd': result = is_digit(c); break;
    case 'g': result = octet > 0x20 && octet < 0x7f; break;
    case 'l': result = c >= 'a' && c <= 'z'; break;
    case 'p': result = octet > 0x20 && octet < 0x7f && !is_alpha(c) && !is_digit(c); break;
    case 's': result = c == ' ' || (octet >= 0x09 && octet <= 0x0d); break;
    case 'u': result = c >= 'A' && c <= 'Z'; break;
    case 'w': result = is_alpha(c) || is_digit(c); break;
    case 'x': result = is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f'); break;
    default: return letter == c;  // "%." is the dot itself
  }
  return letter >= 'A' && letter <= 'Z' ? !result : result;
}

}  // namespace

void Pattern::pay() {
  if (!spend_(context_, steps_)) throw PatternError("budget");
  steps_ = 0;
}

std::optional<std::size_t> Pattern::match_at(std::size_t at) {
  count_ = 0;
  std::size_t end = run(at, 0, 0);
  if (end == kNone) return std::nullopt;
  for (std::size_t i = 0; i < count_; ++i) {
    if (slots_[i].kind == Kind::open) throw PatternError("a capture is not closed in the pattern");
  }
  return end;
}

std::optional<std::pair<std::size_t, std::size_t>> Pattern::find(std::size_t from, bool anchored) {
  for (std::size_t at = from; at <= subject_.size(); ++at) {
    if (auto end = match_at(at)) return std::pair(at, *end);
    if (anchored) break;
  }
  return std::nullopt;
}

Pattern::Capture Pattern::capture(std::size_t index) const {
  const Slot& slot = slots_[index];
  return {slot.begin, slot.length, slot.kind == Kind::position};
}

// One past the single item at `p`: a character, a class or a set.
std::size_t Pattern::item_end(std::size_t p) const {
  char c = pattern_[p++];
  if (c == '%') {
    if (p >= pattern_.size()) throw PatternError("the pattern ends with '%'");
    return p + 1;
  }
  if (c != '[') return p;
  if (p < pattern_.size() && pattern_[p] == '^') ++p;
  for (bool first = true;; first = false) {
    if (p >= pattern_.size()) throw PatternError("a set has no ']' in the pattern");
    if (pattern_[p] == ']' && !first) return p + 1;
    p += pattern_[p] == '%' ? 2 : 1;
  }
}

// The set's octets lie between `p` (behind "[") and `end` (at "]").
bool Pattern::set_contains(char c, std::size_t p, std::size_t end) const {
  bool negated = pattern_[p] == '^';
  if (negated) ++p;
  auto octet = static_cast<unsigned char>(c);
  for (; p < end; ++p) {
    if (pattern_[p] == '%' && p + 1 < end) {
      if (in_class(c, pattern_[++p])) return !negated;
    } else if (p + 2 < end && pattern_[p + 1] == '-') {
      if (static_cast<unsigned char>(pattern_[p]) <= octet && octet <= static_cast<unsigned char>(pattern_[p + 2])) return !negated;
      p += 2;
    } else if (pattern_[p] == c) {
      return !negated;
    }
  }
  return negated;
}

bool Pattern::item_matches(std::size_t s, std::size_t p, std::size_t end) {
  step();
  if (s >= subject_.size()) return false;
  switch (pattern_[p]) {
    case '.': return true;
    case '%': return in_class(subject_[s], pattern_[p + 1]);
    case '[': steps_ += (end - p) / 8; return set_contains(subject_[s], p + 1, end - 1);
    default: return pattern_[p] == subject_[s];
  }
}

std::size_t Pattern::longest(std::size_t s, std::size_t p, std::size_t next, int depth) {
  std::size_t most = 0;
  while (item_matches(s + most, p, next)) ++most;
  for (;; --most) {
    if (std::size_t end = run(s + most, next + 1, depth); end != kNone) return end;
    if (most == 0) return kNone;
  }
}

std::size_t Pattern::shortest(std::size_t s, std::size_t p, std::size_t next, int depth) {
  for (;; ++s) {
    if (std::size_t end = run(s, next + 1, depth); end != kNone) return end;
    if (!item_matches(s, p, next)) return kNone;
  }
}

// "%bxy" at `p`, which is the x.
std::size_t Pattern::balanced(std::size_t s, std::size_t p) {
  if (p + 1 >= pattern_.size()) throw PatternError("%b wants two characters in the pattern");
  if (s >= subject_.size() || subject_[s] != pattern_[p]) return kNone;
  std::size_t open = 1;
  for (++s; s < subject_.size(); ++s) {
    step();
    if (subject_[s] == pattern_[p + 1]) {
      if (--open == 0) return s + 1;
    } else if (subject_[s] == pattern_[p]) {
      ++open;
    }
  }
  return kNone;
}

bool Pattern::frontier(std::size_t s, std::size_t set, std::size_t set_end) {
  char before = s == 0 ? '\0' : subject_[s - 1];
  char after = s < subject_.size() ? subject_[s] : '\0';
  return !set_contains(before, set + 1, set_end - 1) && set_contains(after, set + 1, set_end - 1);
}

// The end of a match of the pattern from `p` on with the subject from `s` on, or kNone.
std::size_t Pattern::run(std::size_t s, std::size_t p, int depth) {
  if (depth > kMaxDepth) throw PatternError("the pattern is too complex");
  for (;;) {
    step();
    if (p == pattern_.size()) return s;
    char c = pattern_[p];
    if (c == '(') {
      if (count_ >= kMaxCaptures) throw PatternError("more than 32 captures in the pattern");
      bool position = p + 1 < pattern_.size() && pattern_[p + 1] == ')';
      slots_[count_++] = {s, 0, position ? Kind::position : Kind::open};
      std::size_t end = run(s, p + (position ? 2 : 1), depth + 1);
      if (end == kNone) --count_;
      return end;
    }
    if (c == ')') {
      std::size_t index = count_;
      while (index > 0 && slots_[index - 1].kind != Kind::open) --index;
      if (index == 0) throw PatternError("a ')' has no '(' in the pattern");
      Slot& slot = slots_[index - 1];
      slot.length = s - slot.begin;
      slot.kind = Kind::closed;
      std::size_t end = run(s, p + 1, depth + 1);
      if (end == kNone) slot.kind = Kind::open;
      return end;
    }
    if (c == '$' && p + 1 == pattern_.size()) return s == subject_.size() ? s : kNone;
    if (c == '%' && p + 1 < pattern_.size()) {
      char next = pattern_[p + 1];
      if (next == 'b') {
        s = balanced(s, p + 2);
        if (s == kNone) return kNone;
        p += 4;
        continue;
      }
      if (next == 'f') {
        if (p + 2 >= pattern_.size() || pattern_[p + 2] != '[') throw PatternError("%f wants a set behind it in the pattern");
        std::size_t end = item_end(p + 2);
        if (!frontier(s, p + 2, end)) return kNone;
        p = end;
        continue;
      }
      if (is_digit(next)) {
        std::size_t index = static_cast<std::size_t>(next - '1');
        if (next == '0' || index >= count_ || slots_[index].kind == Kind::open) throw PatternError("%" + std::string(1, next) + " names no capture in the pattern");
        std::size_t length = slots_[index].length;
        steps_ += length / 16;
        if (subject_.size() - s < length || subject_.substr(slots_[index].begin, length) != subject_.substr(s, length)) return kNone;
        s += length;
        p += 2;
        continue;
      }
    }
    std::size_t next = item_end(p);
    char suffix = next < pattern_.size() ? pattern_[next] : '\0';
    if (suffix == '*') return longest(s, p, next, depth + 1);
    if (suffix == '-') return shortest(s, p, next, depth + 1);
    if (suffix == '+') return item_matches(s, p, next) ? longest(s + 1, p, next, depth + 1) : kNone;
    if (suffix == '?') {
      if (item_matches(s, p, next)) {
        if (std::size_t end = run(s + 1, next + 1, depth + 1); end != kNone) return end;
      }
      p = next + 1;
      continue;
    }
    if (!item_matches(s, p, next)) return kNone;
    ++s;
    p = next;
  }
}

}  // namespace postern::filters::lua
