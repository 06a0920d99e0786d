// Shingles and min-hashes.  Broder 1997: of two sets, the least hash is the same with the probability of their overlap.
#include "filters/fuzzy.h"

#include <algorithm>
#include <unordered_set>

#include "filters/letters.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/html.h"
#include "gateway/mail/text.h"

namespace postern::filters {
namespace {

constexpr std::size_t kShingle = 3;
constexpr double kSameText = 0.7;   // plain text and HTML of one message: links and headings differ
constexpr std::size_t kMaxWords = kMaxShingles + kShingle - 1;

bool is_rule(std::string_view line) {
  if (line == "--" || line == "-- ") return true;
  if (line.size() < 10) return false;
  return line.find_first_not_of("_-=*~ ") == std::string_view::npos && line.find_first_of("_-=") != std::string_view::npos;
}

// "On Monday Ann wrote:", "Am ... schrieb Ann:", "-----Original Message-----"
bool introduces_quote(std::string_view line) {
  if (line.size() > 200) return false;
  if (ifind(line, "original message") != std::string_view::npos && line.front() == '-') return true;
  constexpr std::array<std::string_view, 6> kWrote = {"wrote:", "writes:", "schrieb:", "a \xc3\xa9" "crit :", "escribi\xc3\xb3:", "vi\xe1\xba\xbft:"};
  return std::any_of(kWrote.begin(), kWrote.end(), [&](std::string_view word) { return iends_with(line, word); });
}

// "From: ... Sent: ... To: ...": the header of the answered message, as Outlook writes it into the text.  `rest`: behind the line.
bool begins_inner_header(std::string_view line, std::string_view rest) {
  constexpr std::array<std::string_view, 4> kFrom = {"from:", "von:", "de :", "t\xe1\xbb\xab:"};
  constexpr std::array<std::string_view, 8> kOthers = {"sent:", "date:", "to:", "subject:", "gesendet:", "an:", "betreff:", "envoy"};
  auto begins = [](std::string_view text, const auto& list) {
    return std::any_of(list.begin(), list.end(), [&](std::string_view word) { return istarts_with(text, word); });
  };
  if (!begins(line, kFrom)) return false;
  std::size_t others = 0;
  for (int i = 0; i < 5 && !rest.empty(); ++i) {
    std::size_t end = std::min(rest.find('\n'), rest.size());
    others += begins(trimmed(rest.substr(0, std::min<std::size_t>(end, 200))), kOthers) ? 1 : 0;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return others >= 2;
}

// What the writer of this message wrote himself.  A ruled line ends it only when something stands before it and little behind
// it: spam frames whole texts in lines.
std::string own_lines(std::string_view text) {
  constexpr std::size_t kMinBefore = 40;
  constexpr std::size_t kMaxFooter = 1500;
  std::string out;
  std::size_t cut = std::string::npos;   // where the last footer would begin in `out`
  while (!text.empty()) {
    std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    text.remove_prefix(std::min(end + 1, text.size()));
    std::string_view bare = trimmed(line);
    if (bare.empty() || bare.front() == '>' || bare.front() == '|') continue;
    if (out.size() >= kMinBefore && begins_inner_header(bare, text)) break;
    if (introduces_quote(bare)) {
      if (bare.front() == '-') break;
      continue;
    }
    if (is_rule(bare)) {
      if (cut == std::string::npos && out.size() >= kMinBefore && text.size() <= kMaxFooter) cut = out.size();
      continue;
    }
    out += line;
    out += '\n';
  }
  if (cut != std::string::npos) out.resize(cut);
  return out;
}

bool is_single(Script script) { return script == Script::han || script == Script::kana || script == Script::thai; }

// Cuts a text into words; tells of each whether it is one that templates change.
class WordCutter {
 public:
  explicit WordCutter(std::vector<std::string>& out) : out_(out) {}

  void take(std::string_view octets, char32_t c) {
    Script script = script_of(c);
    if (c == U' ' || c == U'\n' || c == U'\t' || c == U'\r') {
      end_token();
    } else if (is_single(script)) {
      end_word();
      if (out_.size() < kMaxWords) out_.emplace_back(octets);
    } else if (script != Script::none || is_mark(c)) {
      word_ += octets;
    } else if (c < 0x80 && (is_digit(static_cast<char>(c)) || c == '@' || c == '/' || c == '_' || c == '=')) {
      changes_ = true;   // numbers, addresses, links, ids: the whole token goes
    } else if (c != U'\'' && c != 0x2019) {
      end_word();
    }
  }
  void end_token() {
    end_word();
    if (changes_) out_.resize(std::min(out_.size(), token_begin_));
    changes_ = false;
    token_begin_ = out_.size();
  }

 private:
  void end_word() {
    bool letter = word_.size() == 1;   // lists, initials and spaced out words
    if (!word_.empty() && !letter && word_.size() <= 60 && out_.size() < kMaxWords) out_.push_back(word_);
    word_.clear();
  }

  std::vector<std::string>& out_;
  std::string word_;
  std::size_t token_begin_ = 0;
  bool changes_ = false;
};

// One of the 32 orders of all hashes.
std::uint64_t reordered(std::uint64_t hash, std::uint64_t order) {
  hash ^= (order + 1) * 0x9e3779b97f4a7c15ULL;
  hash = (hash ^ hash >> 30) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ hash >> 27) * 0x94d049bb133111ebULL;
  return hash ^ hash >> 31;
}

std::unordered_set<std::uint64_t> shingles_of(const std::vector<std::string>& words, const HashKey& key) {
  std::unordered_set<std::uint64_t> out;
  std::string shingle;
  for (std::size_t i = 0; i + kShingle <= words.size() && i < kMaxShingles; ++i) {
    shingle.clear();
    for (std::size_t j = i; j < i + kShingle; ++j) shingle += words[j] + ' ';
    out.insert(siphash(shingle, key).front());
  }
  return out;
}

}  // namespace

std::vector<std::string> fuzzy_words(std::string_view text) {
  text = text.substr(0, kMaxFuzzyText);
  std::string folded = mail::search_form(own_lines(text));
  std::vector<std::string> out;
  WordCutter cutter(out);
  for (std::size_t at = 0; at < folded.size() && out.size() < kMaxWords;) {
    std::size_t begin = at;
    char32_t c = next_character(folded, at);
    if (!is_invisible(c)) cutter.take(std::string_view(folded).substr(begin, at - begin), c);
  }
  cutter.end_token();
  return out;
}

std::optional<FuzzyDigest> text_digest(std::string_view text, const HashKey& key) {
  auto words = fuzzy_words(text);
  if (words.size() < kMinExactWords) return std::nullopt;
  FuzzyDigest out;
  auto shingles = shingles_of(words, key);
  if (shingles.size() < kMinShingles) {
    out.kind = FuzzyDigest::Kind::words;
    out.exact = siphash(join(words, " "), key);
    return out;
  }
  out.kind = FuzzyDigest::Kind::text;
  for (std::size_t i = 0; i < kFuzzyHashes; ++i) {
    std::uint64_t least = ~0ULL;
    for (std::uint64_t shingle : shingles) least = std::min(least, reordered(shingle, i));
    out.hashes[i] = static_cast<std::uint32_t>(least);   // the low half: the high one of a minimum is small always
  }
  return out;
}

std::optional<FuzzyDigest> file_digest(std::string_view octets, const HashKey& key) {
  if (octets.size() < kMinFuzzyFile || octets.size() > kMaxFuzzyFile) return std::nullopt;
  FuzzyDigest out;
  out.kind = FuzzyDigest::Kind::file;
  out.exact = siphash(octets, key);
  return out;
}

std::string without_quotes(std::string_view html) {
  constexpr std::array<std::string_view, 5> kAnswered = {"gmail_quote", "divrplyfwdmsg", "appendonsend", "moz-cite-prefix", "yahoo_quoted"};
  constexpr std::size_t kMaxTag = 500;
  std::string out;
  std::size_t depth = 0, at = 0;
  while (at < html.size()) {
    std::size_t open = std::min(html.find('<', at), html.size());
    if (depth == 0) out += html.substr(at, open - at);
    if (open == html.size()) break;
    std::string_view start = html.substr(open, kMaxTag);
    std::size_t close = start.find('>');
    std::string_view tag = start.substr(0, close == std::string_view::npos ? 1 : close + 1);
    bool quote = istarts_with(tag, "<blockquote");
    if (quote) ++depth;
    bool answered = std::any_of(kAnswered.begin(), kAnswered.end(), [&](std::string_view mark) { return ifind(tag, mark) != std::string_view::npos; });
    if (answered) break;
    if (depth == 0) out += tag;
    if (istarts_with(tag, "</blockquote") && depth > 0) --depth;
    at = open + tag.size();
  }
  return out;
}

std::vector<FuzzyDigest> digests_of(std::string_view message, const mail::PartTable& table, const HashKey& key) {
  std::string plain, html;
  for (const mail::Part& part : table.parts) {
    if (part.kind != mail::Part::Kind::leaf || part.type.type != "text" || part.disposition.kind == "attachment") continue;
    if (part.type.subtype == "html" && html.size() < kMaxFuzzyText) {
      html += mail::html_to_text(without_quotes(mail::part_text(message, part, 4 * kMaxFuzzyText)), kMaxFuzzyText) + '\n';
    } else if (part.type.subtype != "html" && plain.size() < kMaxFuzzyText) {
      plain += mail::part_text(message, part, kMaxFuzzyText) + '\n';
    }
  }
  std::vector<FuzzyDigest> out;
  if (auto digest = text_digest(plain, key)) out.push_back(*digest);
  // Mostly the same again, in another form.
  if (auto digest = text_digest(html, key); digest && (out.empty() || similarity(out.front(), *digest) < kSameText)) out.push_back(*digest);
  std::size_t budget = kMaxFuzzyFile;
  for (const mail::Part& part : table.parts) {
    if (out.size() >= kMaxFuzzyParts || budget == 0) break;
    bool text_part = part.type.type == "text" && part.disposition.kind != "attachment";
    if (part.kind != mail::Part::Kind::leaf || text_part || part.body_size() > budget) continue;
    budget -= part.body_size();
    auto digest = file_digest(mail::part_octets(message, part), key);
    if (digest && std::find(out.begin(), out.end(), *digest) == out.end()) out.push_back(*digest);
  }
  return out;
}

double similarity(const FuzzyDigest& one, const FuzzyDigest& other) {
  if (one.kind != other.kind) return 0;
  if (one.kind != FuzzyDigest::Kind::text) return one.exact == other.exact ? 1 : 0;
  std::size_t same = 0;
  for (std::size_t i = 0; i < kFuzzyHashes; ++i) same += one.hashes[i] == other.hashes[i] ? 1 : 0;
  return static_cast<double>(same) / kFuzzyHashes;
}

}  // namespace postern::filters
