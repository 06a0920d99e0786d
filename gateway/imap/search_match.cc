// Does a message match a SEARCH?  Three-valued, so that nothing is loaded that the answer does not hang on.
#include "gateway/imap/search_match.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/headers.h"

namespace postern::imap {
namespace {

using Kind = SearchKey::Kind;

Truth truth(bool value) { return value ? Truth::yes : Truth::no; }

Truth negation(Truth value) {
  if (value == Truth::unknown) return value;
  return truth(value == Truth::no);
}

bool in_ranges(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& ranges, std::uint32_t number) {
  auto behind = std::upper_bound(ranges.begin(), ranges.end(), number, [](std::uint32_t n, auto range) { return n < range.first; });
  return behind != ranges.begin() && number <= std::prev(behind)->second;
}

std::int64_t day_of(std::int64_t unix_seconds) {
  return unix_seconds >= 0 ? unix_seconds / 86400 : (unix_seconds - 86399) / 86400;
}

bool header_matches(const SearchKey& key, std::string_view header) {
  mail::HeaderReader reader(header);
  mail::HeaderField field;
  while (reader.next(field)) {
    if (!iequals(field.name, key.field)) continue;
    if (key.text.empty()) return true;  // RFC 3501 6.4.4: any message with such a field
    if (mail::search_form(mail::readable(field.raw)).find(key.text) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

Matcher::Matcher(const SearchKey& key, const SearchContext& context) : root_(resolve(key, context)) {}

Matcher::Node Matcher::resolve(const SearchKey& key, const SearchContext& context) {
  Node node;
  node.key = &key;
  if (key.kind == Kind::sequence) node.ranges = key.set.resolved(context.exists);
  if (key.kind == Kind::uid) node.ranges = key.set.resolved(context.last_uid);
  if (key.kind == Kind::keyword) {
    for (std::size_t i = 0; i < context.keywords.size() && i < 64; ++i) {
      if (iequals(context.keywords[i], key.text)) node.keyword_bit = std::uint64_t{1} << i;
    }
  }
  for (const auto& child : key.children) node.children.push_back(resolve(child, context));
  return node;
}

Truth Matcher::judge(const Candidate& candidate) const { return judge(root_, candidate); }

Truth Matcher::judge(const Node& node, const Candidate& candidate) {
  const auto& key = *node.key;
  const auto& entry = candidate.entry;
  switch (key.kind) {
    case Kind::all: return Truth::yes;
    case Kind::none_of: return negation(judge(node.children[0], candidate));
    case Kind::any_of:
    case Kind::all_of: {
      auto decides = key.kind == Kind::any_of ? Truth::yes : Truth::no;
      auto result = negation(decides);
      for (const auto& child : node.children) {
        auto one = judge(child, candidate);
        if (one == decides) return one;
        if (one == Truth::unknown) result = one;
      }
      return result;
    }
    case Kind::sequence: return truth(in_ranges(node.ranges, candidate.sequence));
    case Kind::uid: return truth(in_ranges(node.ranges, entry.uid));
    case Kind::flag: return truth((entry.flags & key.number) != 0);
    case Kind::keyword: return truth((entry.keywords & node.keyword_bit) != 0);
    case Kind::recent: return truth(candidate.recent);
    case Kind::is_new: return truth(candidate.recent && (entry.flags & store::flag::seen) == 0);
    case Kind::before: return truth(day_of(entry.internal_date) < key.day);
    case Kind::on: return truth(day_of(entry.internal_date) == key.day);
    case Kind::since: return truth(day_of(entry.internal_date) >= key.day);
    case Kind::larger: return truth(entry.size > key.number);
    case Kind::smaller: return truth(entry.size < key.number);
    default: return candidate.loaded < key.cost() ? Truth::unknown : judge_row(key, candidate);
  }
}

Truth Matcher::judge_row(const SearchKey& key, const Candidate& candidate) {
  if (key.kind == Kind::header) return truth(header_matches(key, candidate.header));
  if (key.kind == Kind::body || key.kind == Kind::text) {
    bool in_header = key.kind == Kind::text && candidate.folded_header.find(key.text) != std::string::npos;
    return truth(in_header || key.text.empty() || std::any_of(candidate.texts.begin(), candidate.texts.end(), [&](const std::string& text) {
                   return text.find(key.text) != std::string::npos;
                 }));
  }
  auto envelope = mail::EnvelopeView::read(candidate.envelope).value_or(mail::EnvelopeView());
  if (key.kind == Kind::envelope) {
    auto field = envelope.get(static_cast<mail::EnvelopeView::Field>(key.number));
    if (!field) return Truth::no;
    return truth(key.text.empty() || mail::search_form(mail::readable(*field)).find(key.text) != std::string::npos);
  }
  auto date = envelope.get(mail::EnvelopeView::date);
  auto day = date ? header_day(*date) : std::nullopt;
  if (!day) return Truth::no;
  if (key.kind == Kind::sent_before) return truth(*day < key.day);
  if (key.kind == Kind::sent_on) return truth(*day == key.day);
  return truth(*day >= key.day);
}

}  // namespace postern::imap
