#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace postern::filters {

constexpr std::size_t kMaxHtmlAttributes = 64;   // of one tag; the rest is not kept

// As written: letters of any case, character references not decoded.
struct HtmlAttribute {
  std::string_view name;
  std::string_view value;
};

struct HtmlToken {
  enum class Kind : std::uint8_t {
    text,        // with character references, unless `raw`
    start_tag,
    end_tag,
    comment,     // what is inside; bogus comments ("<?xml ...>", "<![if !mso]>") as well, a doctype not
  };
  Kind kind = Kind::text;
  bool raw = false;                 // text of script, style and their like
  std::string_view text;            // of a tag: its name as written
  std::span<const HtmlAttribute> attributes;   // until the next token is read

  // The first of that name counts, HTML 13.2.5.33.
  std::optional<std::string_view> attribute(std::string_view name) const;
};

// The tokens of a page, after HTML 13.2.5, scripts off.  One pass without a tree: each octet is looked at a fixed number of
// times, whatever the page.  A tag that never ends is left out with all that follows, as browsers do.
// Views point into `html`, which outlives the object.
class HtmlTokens {
 public:
  explicit HtmlTokens(std::string_view html) : html_(html) {}

  // False: the page is over.
  bool next(HtmlToken& token);
  std::size_t position() const { return at_; }

 private:
  bool markup(HtmlToken& token);
  bool tag(HtmlToken& token, bool closing);
  bool attributes();
  bool attribute_value(std::string_view& value);
  bool comment(HtmlToken& token);
  bool bogus_comment(HtmlToken& token, std::size_t skip);
  void text(HtmlToken& token);
  bool raw_text(HtmlToken& token);
  bool begins_markup(std::size_t at) const;

  std::string_view html_;
  std::size_t at_ = 0;
  std::string_view raw_;   // the element whose end tag ends its text
  std::vector<HtmlAttribute> attributes_;
};

// An attribute's value with its character references decoded, at most `limit` octets.  HTML 13.2.5.73.
std::string html_attribute_value(std::string_view value, std::size_t limit);

// To at most `limit` octets, between characters.
void cut_utf8(std::string& text, std::size_t limit);

constexpr bool is_html_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

}  // namespace postern::filters
