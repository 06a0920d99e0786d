// Tokens of a message for Bayes: its text, subject, links and parts.  Header fields: bayes_header.cc; HTML: bayes_html.cc.
#include "filters/bayes_tokens.h"

#include <algorithm>

#include "filters/bayes_collect.h"
#include "filters/bayes_words.h"
#include "filters/dmarc.h"
#include "gateway/base/text.h"
#include "gateway/mail/nfc.h"
#include "gateway/mail/text.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMostLinks = 60;       // looked at
constexpr std::size_t kMostPathWords = 8;    // of one link
constexpr std::size_t kLongestName = 200;    // of an attachment, octets
constexpr std::size_t kMostAttachments = 20;

std::string_view name_of(BayesWord::Disguise disguise) {
  switch (disguise) {
    case BayesWord::Disguise::digits: return "digits";
    case BayesWord::Disguise::look_alikes: return "look-alikes";
    case BayesWord::Disguise::invisible: return "invisible";
    case BayesWord::Disguise::spaced: return "spaced";
    case BayesWord::Disguise::none: break;
  }
  return "";
}

std::string_view cut(std::string_view text, std::size_t limit) { return text.substr(0, limit); }

// Adds words and their pairs.  Stops when both kinds are full.
struct TextTotals {
  unsigned words = 0, capitals = 0, disguised = 0;
};
void collect_stretch(std::string_view text, BayesCollector& out, TextTotals& totals) {
  BayesWords words(text);
  BayesWord word;
  std::uint64_t last = 0, before_last = 0;
  while (words.next(word)) {
    std::uint64_t hash = bayes_hash(word.text);
    bool had_place = out.add(BayesKind::word, hash);
    ++totals.words;
    totals.capitals += word.capitals ? 1 : 0;
    if (word.disguise != BayesWord::Disguise::none) {
      ++totals.disguised;
      out.add(BayesKind::shape, "disguise", name_of(word.disguise));
      // What was meant, as if it had been written: it has been learned from those who write it.
      if (!word.folded.empty()) {
        hash = bayes_hash(word.folded);
        out.add(BayesKind::word, hash);
      }
    }
    if (word.kind == BayesWord::Kind::piece || word.kind == BayesWord::Kind::picture) {
      if (!had_place) break;
      last = before_last = 0;   // a piece is a pair already
      continue;
    }
    if (last != 0) had_place = out.add(BayesKind::pair, bayes_mix(last * 3 + hash)) || had_place;
    if (before_last != 0) had_place = out.add(BayesKind::pair, bayes_mix(before_last * 7 + hash)) || had_place;
    if (!had_place) break;
    before_last = last;
    last = hash;
  }
}

void collect_attachments(std::span<const Attachment> attachments, BayesCollector& out) {
  out.add(BayesKind::shape, "attachments", std::to_string(bayes_step(attachments.size())));
  for (const Attachment& attachment : attachments.subspan(0, std::min(attachments.size(), kMostAttachments))) {
    out.add(BayesKind::shape, "type", cut(attachment.type, kLongestName));
    std::string_view name = attachment.name;
    if (name.size() > kLongestName) name.remove_prefix(name.size() - kLongestName);
    auto dot = name.rfind('.');
    if (dot != std::string_view::npos) out.add(BayesKind::shape, "extension", ascii_lowered(cut(name.substr(dot + 1), 12)));
    collect_words(name, BayesKind::shape, "file", 8, out);
  }
}

void collect_parts(const mail::PartTable& table, BayesCollector& out) {
  std::string structure;
  for (const mail::Part& part : table.parts) {
    if (structure.size() > 120) break;
    structure += static_cast<char>('0' + std::min<int>(part.depth, 9));
    structure += part.type.type.substr(0, 12) + "/" + part.type.subtype.substr(0, 16);
    structure += ' ';
  }
  out.add(BayesKind::shape, "parts", structure);
}

void collect_path(std::string_view path, BayesCollector& out) { collect_words(path, BayesKind::link, "path", kMostPathWords, out); }

// Host, registrable domain and top-level domain; true when it is the author's own.
bool collect_host(std::string_view host, std::string_view author_domain, BayesCollector& out) {
  if (is_digit(host.back()) || host.back() == ']') {
    out.add(BayesKind::shape, "link", "to an address");
    return false;
  }
  std::string domain = organizational_domain(host);
  out.add(BayesKind::link, "host", host);
  out.add(BayesKind::link, "domain", domain);
  auto dot = host.rfind('.');
  if (dot != std::string_view::npos) out.add(BayesKind::link, "top", host.substr(dot + 1));
  return domain == author_domain;
}

}  // namespace

BayesCollector::BayesCollector() {
  slots_.fill(0);
  tokens_.reserve(1024);
}

bool BayesCollector::add(BayesKind kind, std::uint64_t hash) {
  auto index = static_cast<std::size_t>(kind);
  BayesToken token = (hash & ((std::uint64_t{1} << kBayesHashBits) - 1)) | std::uint64_t{index} << kBayesHashBits;
  if (token == 0) token = 1;
  std::size_t slot = token & (kSlots - 1);
  while (slots_[slot] != 0) {
    if (slots_[slot] == token) return true;
    slot = (slot + 1) & (kSlots - 1);
  }
  if (used_[index] >= places_[index]) return false;
  ++used_[index];
  slots_[slot] = token;
  tokens_.push_back(token);
  return true;
}

std::vector<BayesToken> BayesCollector::take() {
  std::sort(tokens_.begin(), tokens_.end());
  return std::move(tokens_);
}

void collect_words(std::string_view text, BayesKind kind, std::string_view prefix, std::size_t limit, BayesCollector& out) {
  BayesWords words(text);
  BayesWord word;
  std::uint64_t seed = bayes_hash(prefix);
  for (std::size_t i = 0; i < limit && words.next(word); ++i) {
    out.add(kind, bayes_hash(word.text, seed));
    if (!word.folded.empty() && word.folded != word.text) out.add(kind, bayes_hash(word.folded, seed));
  }
}

void collect_subject(std::string_view subject, BayesCollector& out) {
  BayesWords words(cut(subject, 1024));
  BayesWord word;
  std::uint64_t seed = bayes_hash("subject");
  std::uint64_t last = 0;
  unsigned count = 0, capitals = 0;
  while (words.next(word) && !out.full(BayesKind::subject)) {
    std::string_view meant = word.folded.empty() ? word.text : word.folded;
    std::uint64_t hash = bayes_hash(word.text, seed);
    out.add(BayesKind::subject, hash);
    // A word of the subject is one of the message's words as well: what the text has taught holds for it.
    out.add(BayesKind::word, bayes_hash(meant));
    if (!word.folded.empty()) {
      hash = bayes_hash(meant, seed);
      out.add(BayesKind::subject, hash);
    }
    if (word.disguise != BayesWord::Disguise::none) out.add(BayesKind::shape, "subject disguise", name_of(word.disguise));
    if (last != 0) out.add(BayesKind::subject, bayes_mix(last * 3 + hash));
    last = hash;
    ++count;
    capitals += word.capitals ? 1 : 0;
  }
  out.add(BayesKind::shape, "subject words", std::to_string(bayes_step(count)));
  if (count >= 3 && capitals * 2 > count) out.add(BayesKind::shape, "subject", "in capitals");
  auto signs = static_cast<std::uint64_t>(std::count(subject.begin(), subject.end(), '!'));
  if (signs > 0) out.add(BayesKind::shape, "subject exclaims", std::to_string(bayes_step(signs)));
}

void collect_text(std::string_view text, BayesCollector& out) {
  // One spelling of letters with marks, wherever marks stand alone.
  std::optional<std::string> composed;
  std::string_view head = cut(text, kBayesHead);
  if (head.find('\xcc') != std::string_view::npos) composed = mail::nfc(head);
  if (composed) head = *composed;
  TextTotals totals;
  constexpr auto kWord = static_cast<std::size_t>(BayesKind::word);
  constexpr auto kPair = static_cast<std::size_t>(BayesKind::pair);
  out.set_places(BayesKind::word, kBayesPlaces[kWord] * 3 / 4);
  out.set_places(BayesKind::pair, kBayesPlaces[kPair] * 3 / 4);
  collect_stretch(head, out, totals);
  bool cut_short = out.full(BayesKind::word) || out.full(BayesKind::pair) || text.size() > kBayesHead;
  out.set_places(BayesKind::word, kBayesPlaces[kWord]);
  out.set_places(BayesKind::pair, kBayesPlaces[kPair]);
  // The very end first: it must not be drowned by what was put before it.
  for (std::size_t length : {kBayesEnd, kBayesTail}) {
    if (!cut_short) break;
    std::size_t tail = text.size() > length ? text.size() - length : 0;
    while (tail < text.size() && (static_cast<unsigned char>(text[tail]) & 0xc0U) == 0x80U) ++tail;
    collect_stretch(text.substr(tail), out, totals);
  }
  out.add(BayesKind::shape, "words", std::to_string(bayes_step(totals.words)));
  if (totals.words >= 20) out.add(BayesKind::shape, "capitals", std::to_string(totals.capitals * 20 / totals.words));
  if (totals.disguised > 1) out.add(BayesKind::shape, "disguised", std::to_string(bayes_step(totals.disguised)));
}

void collect_links(std::span<const Link> links, std::string_view author_domain, BayesCollector& out) {
  out.add(BayesKind::shape, "links", std::to_string(bayes_step(links.size())));
  bool own = false, other = false;
  for (const Link& link : links.subspan(0, std::min(links.size(), kMostLinks))) {
    std::string_view url = cut(link.url, 512);
    auto colon = url.find(':');
    if (colon != std::string_view::npos && colon <= 12) out.add(BayesKind::shape, "scheme", ascii_lowered(url.substr(0, colon)));
    if (link.host.empty()) {
      collect_path(colon == std::string_view::npos ? url : url.substr(colon + 1), out);
      continue;
    }
    (collect_host(cut(link.host, 255), author_domain, out) ? own : other) = true;
    auto path = url.find('/', colon == std::string_view::npos ? 0 : colon + 3);
    if (path == std::string_view::npos) continue;
    out.add(BayesKind::shape, "path", std::to_string(bayes_step(url.size() - path)));
    collect_path(url.substr(path), out);
  }
  if (own) out.add(BayesKind::shape, "links", "to the author's domain");
  if (other) out.add(BayesKind::shape, "links", "elsewhere");
}

std::vector<BayesToken> bayes_tokens(const BayesInput& input) {
  BayesCollector out;
  collect_header(input, out);
  collect_text(input.text, out);
  if (input.parts != nullptr) collect_parts(*input.parts, out);
  collect_attachments(input.attachments, out);
  collect_html(cut(input.html, kBayesHtml), out);
  return out.take();
}

std::string bayes_html(std::string_view message, const mail::PartTable& parts) {
  for (const mail::Part& part : parts.parts) {
    if (part.kind == mail::Part::Kind::leaf && part.is("text", "html")) return mail::part_text(message, part, kBayesHtml);
  }
  return "";
}

}  // namespace postern::filters
