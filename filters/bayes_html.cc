// The shape of HTML for Bayes: which tags, how it hides, where its pictures come from.  One pass over the octets.
#include <algorithm>
#include <string>

#include "filters/bayes_collect.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

constexpr std::size_t kLongestTag = 2048;     // octets of a tag that are read
constexpr std::size_t kMostTags = 2000;

bool is_word(char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_'; }

struct Totals {
  unsigned tags = 0, pictures = 0, hidden = 0, comments = 0, inside_words = 0, far_pictures = 0;
};

// Properties of CSS whose values hide text or draw the page.
constexpr std::string_view kProperties[] = {"display", "visibility", "font-size", "opacity", "color", "max-height", "line-height",
                                            "background", "background-color", "mso-hide", "border-radius", "text-indent"};
// Attributes whose values are few.
constexpr std::string_view kValued[] = {"bgcolor", "color", "face", "size", "type", "method", "charset", "width", "height", "align",
                                        "border", "link", "target", "http-equiv", "lang", "dir"};

bool hides(std::string_view property, std::string_view value) {
  if (property == "display") return value == "none";
  if (property == "visibility") return value == "hidden";
  if (property == "mso-hide") return value == "all";
  if (property == "font-size" || property == "line-height" || property == "max-height") {
    return value.starts_with('0') || value == "1px";
  }
  return property == "opacity" && value.starts_with("0") && value.find_first_of("123456789") == std::string_view::npos;
}

// Lower case without white space, at most `limit` octets of it.
std::string squeezed(std::string_view text, std::size_t limit) {
  std::string out;
  for (char c : text) {
    if (out.size() >= limit) break;
    if (static_cast<unsigned char>(c) > ' ') out += ascii_lower(c);
  }
  return out;
}

void collect_style(std::string_view style, Totals& totals, BayesCollector& out) {
  while (!style.empty()) {
    auto end = std::min(style.find(';'), style.size());
    std::string_view piece = style.substr(0, end);
    style.remove_prefix(std::min(end + 1, style.size()));
    auto colon = piece.find(':');
    if (colon == std::string_view::npos || colon > 40) continue;
    std::string property = squeezed(piece.substr(0, colon), 24);
    if (std::find(std::begin(kProperties), std::end(kProperties), property) == std::end(kProperties)) continue;
    std::string value = squeezed(piece.substr(colon + 1), 16);
    totals.hidden += hides(property, value) ? 1 : 0;
    out.add(BayesKind::shape, property, value);
  }
}

void collect_attribute(std::string_view tag, std::string_view raw_name, std::string_view value, Totals& totals, BayesCollector& out) {
  std::string name = squeezed(raw_name, 24);
  out.add(BayesKind::shape, "attribute", name);
  if (name == "style") return collect_style(value, totals, out);
  if (std::find(std::begin(kValued), std::end(kValued), name) != std::end(kValued)) {
    out.add(BayesKind::shape, name, squeezed(value, 16));
  } else if (name == "src" || name == "href" || name == "action" || name == "background") {
    std::string scheme = squeezed(value.substr(0, std::min(value.find(':'), std::size_t{12})), 12);
    out.add(BayesKind::shape, name, scheme);
    totals.far_pictures += tag == "img" && scheme.starts_with("http") ? 1 : 0;
  }
}

// The attributes of one tag, each looked at once.
void collect_tag(std::string_view tag, std::string_view inside, Totals& totals, BayesCollector& out) {
  totals.pictures += tag == "img" ? 1 : 0;
  std::size_t at = 0;
  while (at < inside.size()) {
    while (at < inside.size() && !is_word(inside[at])) ++at;
    std::size_t begin = at;
    while (at < inside.size() && (is_word(inside[at]) || inside[at] == ':')) ++at;
    std::string_view name = inside.substr(begin, at - begin);
    while (at < inside.size() && static_cast<unsigned char>(inside[at]) <= ' ') ++at;
    std::string_view value;
    if (at < inside.size() && inside[at] == '=') {
      ++at;
      while (at < inside.size() && static_cast<unsigned char>(inside[at]) <= ' ') ++at;
      char quote = at < inside.size() ? inside[at] : ' ';
      bool quoted = quote == '"' || quote == '\'';
      auto end = quoted ? inside.find(quote, at + 1) : inside.find_first_of(" \t\r\n", at);
      end = std::min(end, inside.size());
      value = inside.substr(quoted ? at + 1 : at, end - at - (quoted ? 1 : 0));
      at = end + 1;
    }
    if (!name.empty()) collect_attribute(tag, name, value, totals, out);
  }
}

}  // namespace

void collect_html(std::string_view html, BayesCollector& out) {
  if (html.empty()) return;
  Totals totals;
  std::size_t at = 0;
  while (at < html.size() && totals.tags < kMostTags) {
    at = html.find('<', at);
    if (at == std::string_view::npos || at + 1 >= html.size()) break;
    std::size_t begin = at + 1;
    if (html.substr(begin, 3) == "!--") {
      ++totals.comments;
      auto end = html.find("-->", begin + 3);
      bool inside = at > 0 && is_word(html[at - 1]) && end != std::string_view::npos && end + 3 < html.size() && is_word(html[end + 3]);
      totals.inside_words += inside ? 1 : 0;
      at = end == std::string_view::npos ? html.size() : end + 3;
      continue;
    }
    std::size_t stop = begin;
    while (stop < html.size() && stop - begin < 20 && (is_word(html[stop]) || html[stop] == '/' || html[stop] == '!')) ++stop;
    auto end = html.substr(0, std::min(html.size(), begin + kLongestTag)).find('>', stop);
    if (end == std::string_view::npos) end = std::min(html.size(), begin + kLongestTag);
    std::string name = ascii_lowered(html.substr(begin, stop - begin));
    if (!name.empty() && name[0] != '/') {
      ++totals.tags;
      out.add(BayesKind::shape, "tag", name);
      if (end > stop) collect_tag(name, html.substr(stop, end - stop), totals, out);
    }
    // "via<b></b>gra": a tag that parts no word, in a word.
    bool inside = at > 0 && is_word(html[at - 1]) && end + 1 < html.size() && is_word(html[end + 1]);
    if (inside && name != "br" && name != "/br") ++totals.inside_words;
    at = end + 1;
  }
  out.add(BayesKind::shape, "tags", std::to_string(bayes_step(totals.tags)));
  out.add(BayesKind::shape, "pictures", std::to_string(bayes_step(totals.pictures)));
  out.add(BayesKind::shape, "far pictures", std::to_string(bayes_step(totals.far_pictures)));
  out.add(BayesKind::shape, "hidden", std::to_string(bayes_step(totals.hidden)));
  out.add(BayesKind::shape, "comments", std::to_string(bayes_step(totals.comments)));
  out.add(BayesKind::shape, "in words", std::to_string(bayes_step(totals.inside_words)));
}

}  // namespace postern::filters
