// Sets of message numbers.  RFC 3501 9, RFC 4315 4.
#include "gateway/imap/sequence_set.h"

#include <algorithm>

#include "gateway/base/text.h"

namespace postern::imap {
namespace {

std::optional<std::uint32_t> parse_item(std::string_view text) {
  if (text == "*") return SequenceSet::kLast;
  if (text.empty() || text.size() > 10 || text[0] == '0') return std::nullopt;
  auto number = parse_number(text);
  if (!number || *number > UINT32_MAX) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

}  // namespace

std::optional<SequenceSet> SequenceSet::parse(std::string_view text) {
  SequenceSet set;
  for (;;) {
    auto comma = text.find(',');
    auto item = text.substr(0, comma);
    auto colon = item.find(':');
    auto first = parse_item(item.substr(0, colon));
    auto second = colon == std::string_view::npos ? first : parse_item(item.substr(colon + 1));
    if (!first || !second || set.ranges_.size() == kMaxRanges) return std::nullopt;
    set.ranges_.emplace_back(*first, *second);
    if (comma == std::string_view::npos) return set;
    text.remove_prefix(comma + 1);
  }
}

std::vector<std::pair<std::uint32_t, std::uint32_t>> SequenceSet::resolved(std::uint32_t last) const {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> out;
  out.reserve(ranges_.size());
  for (auto [a, b] : ranges_) {
    if (last == 0 && (a == kLast || b == kLast)) continue;
    if (a == kLast) a = last;
    if (b == kLast) b = last;
    out.emplace_back(std::min(a, b), std::max(a, b));
  }
  std::sort(out.begin(), out.end());
  std::size_t kept = 0;
  for (std::size_t i = 1; i < out.size(); ++i) {
    if (out[i].first <= out[kept].second || out[i].first - 1 == out[kept].second) {
      out[kept].second = std::max(out[kept].second, out[i].second);
    } else {
      out[++kept] = out[i];
    }
  }
  if (!out.empty()) out.resize(kept + 1);
  return out;
}

std::uint32_t SequenceSet::largest() const {
  std::uint32_t most = 0;
  for (auto [a, b] : ranges_) most = std::max({most, a, b});
  return most;
}

bool SequenceSet::has_last() const {
  return std::any_of(ranges_.begin(), ranges_.end(), [](auto range) { return range.first == kLast || range.second == kLast; });
}

std::string compact_set(const std::vector<std::uint32_t>& ascending) {
  std::string out;
  for (std::size_t i = 0; i < ascending.size();) {
    std::size_t end = i;
    while (end + 1 < ascending.size() && ascending[end + 1] == ascending[end] + 1) ++end;
    if (!out.empty()) out += ',';
    out += std::to_string(ascending[i]);
    if (end > i) out += ':' + std::to_string(ascending[end]);
    i = end + 1;
  }
  return out;
}

}  // namespace postern::imap
