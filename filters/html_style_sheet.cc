// The rules of <style>, by element, class and id.  CSS Syntax 5 in so far as it tells where rules begin and end.
#include <algorithm>

#include "filters/html_style.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxClasses = 8;   // of one element or selector
constexpr std::uint32_t kAnyElement = 1;

bool is_name(char c) {
  return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

// Rules inside of these hold whatever the window is like.
bool holds_always(std::string_view at_rule) {
  std::string_view media = trimmed(at_rule.substr(6));
  return iequals(media, "all") || iequals(media, "screen") || media.empty();
}

std::string without_comments(std::string_view css) {
  std::string out;
  for (std::size_t at = 0; at < css.size();) {
    std::size_t begin = std::min(css.find("/*", at), css.size());
    out += css.substr(at, begin - at);
    std::size_t end = begin < css.size() ? css.find("*/", begin + 2) : std::string_view::npos;
    at = end == std::string_view::npos ? css.size() : end + 2;
  }
  return out;
}

// Behind the "}" of the "{" at `open`.
std::size_t behind_block(std::string_view css, std::size_t open) {
  int depth = 0;
  for (std::size_t at = open; at < css.size(); ++at) {
    if (css[at] == '{') ++depth;
    if (css[at] == '}' && --depth == 0) return at + 1;
  }
  return css.size();
}

}  // namespace

void StyleSheet::add(std::string_view text) {
  std::size_t room = kMaxStyleSheets - std::min(octets_, kMaxStyleSheets);
  if (text.size() > room) truncated_ = true;
  text = text.substr(0, room);
  octets_ += text.size();
  std::string css = without_comments(text);
  std::string_view rest = css;
  std::size_t at = 0;
  while (at < rest.size()) {
    std::size_t end = std::min(rest.find_first_of("{};", at), rest.size());
    if (end >= rest.size()) return;
    std::string_view prelude = trimmed(rest.substr(at, end - at));
    if (rest[end] != '{') {   // the end of a block that we went into, or "@import ...;"
      at = end + 1;
      continue;
    }
    for (std::string_view mark : {"<!--", "-->"}) {
      if (prelude.starts_with(mark)) prelude = trimmed(prelude.substr(mark.size()));
    }
    if (prelude.starts_with('@')) {
      bool inside = istarts_with(prelude, "@media") && holds_always(prelude);
      at = inside ? end + 1 : behind_block(rest, end);
      continue;
    }
    std::size_t close = std::min(rest.find('}', end), rest.size());
    add_rule(prelude, rest.substr(end + 1, close - end - 1));
    at = close + 1;
  }
}

void StyleSheet::add_rule(std::string_view selectors, std::string_view body) {
  Rule rule;
  parse_style(body, rule.normal, rule.important);
  if (!rule.normal.any && !rule.important.any) return;
  for (std::size_t at = 0; at <= selectors.size();) {
    std::size_t end = std::min(selectors.find(',', at), selectors.size());
    if (!add_selector(trimmed(selectors.substr(at, end - at)), rule)) return;
    at = end + 1;
  }
}

// False: there is no room for more.
bool StyleSheet::add_selector(std::string_view selector, Rule rule) {
  if (rules_.size() >= kMaxStyleRules) {
    truncated_ = true;
    return false;
  }
  std::size_t at = 0;
  auto word = [&] {
    std::size_t begin = at;
    while (at < selector.size() && is_name(selector[at])) ++at;
    return selector.substr(begin, at - begin);
  };
  bool any_element = selector.starts_with('*');
  if (any_element) ++at;
  if (!any_element && !selector.empty() && is_alpha(selector[0])) rule.tag = tag_of(word());
  rule.specificity = rule.tag == Tag::none ? 0 : 1;
  while (at < selector.size()) {
    char kind = selector[at++];
    std::string_view name = word();
    if (name.empty() || (kind != '.' && kind != '#')) return true;   // more than we read
    if (kind == '#') {
      rule.id = lowered_hash(name);
      rule.specificity += 10'000;
    } else {
      if (rule.classes.size() == kMaxClasses) return true;
      rule.classes.push_back(lowered_hash(name));
      rule.specificity += 100;
    }
  }
  if (rule.specificity == 0 && !any_element) return true;
  std::uint32_t key = rule.id != 0 ? rule.id : !rule.classes.empty() ? rule.classes.front() : any_element ? kAnyElement : static_cast<std::uint32_t>(rule.tag) + 2;
  by_key_[key].push_back(rules_.size());
  rules_.push_back(std::move(rule));
  return true;
}

void StyleSheet::try_rules(std::uint32_t key, Tag tag, std::uint32_t id, const std::vector<std::uint32_t>& classes,
                           std::vector<std::size_t>& found) {
  auto rules = by_key_.find(key);
  if (rules == by_key_.end()) return;
  for (std::size_t index : rules->second) {
    if (lookups_ >= kMaxStyleLookups) {
      truncated_ = true;
      return;
    }
    ++lookups_;
    const Rule& rule = rules_[index];
    if (rule.tag != Tag::none && rule.tag != tag) continue;
    if (rule.id != 0 && rule.id != id) continue;
    bool all = std::all_of(rule.classes.begin(), rule.classes.end(),
                           [&](std::uint32_t wanted) { return std::find(classes.begin(), classes.end(), wanted) != classes.end(); });
    if (all) found.push_back(index);
  }
}

void StyleSheet::find(Tag tag, std::string_view id, std::string_view classes, Style& normal, Style& important) {
  if (rules_.empty()) return;
  std::vector<std::uint32_t> hashes;
  for (std::size_t at = 0; at < classes.size() && hashes.size() < kMaxClasses;) {
    std::size_t end = std::min(classes.find_first_of(" \t\r\n\f", at), classes.size());
    std::uint32_t hash = lowered_hash(classes.substr(at, end - at));
    bool known = std::find(hashes.begin(), hashes.end(), hash) != hashes.end();
    if (end > at && !known) hashes.push_back(hash);
    at = end + 1;
  }
  std::uint32_t id_hash = id.empty() ? 0 : lowered_hash(id);
  std::vector<std::size_t> found;
  try_rules(kAnyElement, tag, id_hash, hashes, found);
  try_rules(static_cast<std::uint32_t>(tag) + 2, tag, id_hash, hashes, found);
  for (std::uint32_t hash : hashes) try_rules(hash, tag, id_hash, hashes, found);
  if (id_hash != 0) try_rules(id_hash, tag, id_hash, hashes, found);
  // Less specific first, and in the order of the page (CSS Cascade 6).
  std::sort(found.begin(), found.end(), [&](std::size_t a, std::size_t b) {
    return rules_[a].specificity != rules_[b].specificity ? rules_[a].specificity < rules_[b].specificity : a < b;
  });
  for (std::size_t index : found) {
    normal.merge(rules_[index].normal);
    important.merge(rules_[index].important);
  }
}

}  // namespace postern::filters
