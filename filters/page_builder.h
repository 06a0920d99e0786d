#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "filters/html_page.h"
#include "filters/html_tags.h"
#include "filters/html_tokens.h"

namespace postern::filters {

// A text with its white space joined and blocks on lines, as it grows.
class PageText {
 public:
  explicit PageText(std::string& out) : out_(out) {}
  void line() { line_ = true; }
  void space() { space_ = true; }
  // References are decoded unless `raw`.  Octets added.
  std::size_t add(std::string_view text, bool raw);

 private:
  std::size_t plain(std::string_view run);
  std::size_t put(std::string_view piece);
  std::string& out_;
  bool line_ = false, space_ = false;
};

// Makes a Page of elements and texts in the order of the page; who calls it knows what is inside of what.
class PageBuilder {
 public:
  explicit PageBuilder(Page& page) : page_(page), seen_(page.seen), unseen_(page.unseen) {}
  PageBuilder(const PageBuilder&) = delete;

  StyleSheet& styles() { return styles_; }
  // What the element itself says of its looks.
  Style style_of(Tag tag, const HtmlToken& token);
  // Counts it and notes its links.  `own`: how its inside looks.
  void element(Tag tag, const HtmlToken& token, const Look& own);
  void end(Tag tag, const Look& own);
  void text(std::string_view text, const Look& look);
  void title(std::string_view text) { PageText(page_.title).add(text.substr(0, 1000), false); }
  void comment(std::string_view text);
  void trouble(std::string_view what);
  void finish();

 private:
  void break_line(Tag tag, const Look& own);
  void link(PageLink::Kind kind, std::string_view target, const Look& own);
  void end_link();
  void source(PageSource::Kind kind, std::string_view target);
  void image(const HtmlToken& token, const Look& own);
  void meta(const HtmlToken& token, const Look& own);
  void input(const HtmlToken& token, const Look& own);
  std::string reference(std::string_view written, bool& cut);
  void note_data(std::string_view target);

  Page& page_;
  PageText seen_, unseen_;
  StyleSheet styles_;
  std::unordered_set<std::string> known_sources_;
  bool open_link_ = false;        // the last <a>, whose text is still growing
  bool open_kept_ = false;        // it is the last of page_.links
  std::size_t link_index_ = 0;
};

}  // namespace postern::filters
