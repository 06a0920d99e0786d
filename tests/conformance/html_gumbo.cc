// A second opinion on pages: what is seen and where links lead, held against the tree of gumbo (an HTML5 parser in C).
// Pages that browsers must repair are the ones that matter; the mails of the corpus come on top, where they are.
#include <archive.h>
#include <archive_entry.h>
#include <gumbo.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "filters/html_page.h"
#include "filters/page_builder.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/mime.h"
#include "gateway/mail/text.h"
#include "tests/support/catch.h"
#include "tests/support/suites.h"

using namespace postern;
using namespace postern::filters;
namespace fs = std::filesystem;

namespace {

struct Tree {
  GumboOutput* output;
  explicit Tree(const std::string& html) : output(gumbo_parse_with_options(&kGumboDefaultOptions, html.data(), html.size())) {}
  ~Tree() { gumbo_destroy_output(&kGumboDefaultOptions, output); }
  Tree(const Tree&) = delete;
};

// The style sheets of a page, before its elements are looked at.
void collect_styles(const GumboNode* node, bool style, PageBuilder& builder) {
  bool text = node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE;
  if (style && text) builder.styles().add(node->v.text.text);
  if (node->type != GUMBO_NODE_ELEMENT && node->type != GUMBO_NODE_DOCUMENT) return;
  bool is_style = node->type == GUMBO_NODE_ELEMENT && node->v.element.tag == GUMBO_TAG_STYLE;
  const GumboVector& children = node->type == GUMBO_NODE_DOCUMENT ? node->v.document.children : node->v.element.children;
  for (unsigned i = 0; i < children.length; ++i) collect_styles(static_cast<GumboNode*>(children.data[i]), is_style, builder);
}

std::string escaped(const char* text) {
  std::string out;
  for (const char* c = text; *c != '\0'; ++c) out += *c == '&' ? std::string("&amp;") : std::string(1, *c);
  return out;
}

// Recursion is for tests: the pages here are not deep.
void walk(const GumboNode* node, const Look& around, PageBuilder& builder) {
  if (node->type == GUMBO_NODE_TEXT || node->type == GUMBO_NODE_WHITESPACE || node->type == GUMBO_NODE_CDATA) {
    builder.text(escaped(node->v.text.text), around);
    return;
  }
  if (node->type == GUMBO_NODE_DOCUMENT) {
    for (unsigned i = 0; i < node->v.document.children.length; ++i) walk(static_cast<GumboNode*>(node->v.document.children.data[i]), around, builder);
    return;
  }
  if (node->type != GUMBO_NODE_ELEMENT) return;
  const GumboElement& element = node->v.element;
  std::string name = gumbo_normalized_tagname(element.tag);
  std::vector<std::pair<std::string, std::string>> texts;
  for (unsigned i = 0; i < element.attributes.length; ++i) {
    const auto* attribute = static_cast<GumboAttribute*>(element.attributes.data[i]);
    texts.emplace_back(attribute->name, escaped(attribute->value));
  }
  std::vector<HtmlAttribute> attributes;
  for (const auto& [key, value] : texts) attributes.push_back({key, value});
  HtmlToken token;
  token.kind = HtmlToken::Kind::start_tag;
  token.text = name;
  token.attributes = attributes;
  Tag tag = tag_of(name);
  // A tree shows formatting that goes on as another element: it is one to the reader.
  bool again = (node->parse_flags & (GUMBO_INSERTION_RECONSTRUCTED_FORMATTING_ELEMENT | GUMBO_INSERTION_ADOPTION_AGENCY_CLONED)) != 0;
  Look look = around.inside(builder.style_of(tag, token));
  if (!again) builder.element(tag, token, look);
  bool silent = tag == Tag::script || tag == Tag::style || tag == Tag::iframe || tag == Tag::noembed || tag == Tag::noframes || tag == Tag::title;
  for (unsigned i = 0; i < element.children.length && !silent; ++i) walk(static_cast<GumboNode*>(element.children.data[i]), look, builder);
  if (!has(tag, kVoid) && tag != Tag::a) builder.end(tag, look);
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  for (char c : text) {
    if (c != ' ' && c != '\n') {
      word += c;
    } else if (!word.empty()) {
      out.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) out.push_back(word);
  std::sort(out.begin(), out.end());
  return out;
}

Page by_tree(const std::string& html) {
  Page page;
  PageBuilder builder(page);
  Tree tree(html);
  collect_styles(tree.output->document, false, builder);
  walk(tree.output->document, Look(), builder);
  builder.finish();
  return page;
}

std::multiset<std::string> targets(const Page& page) {
  std::multiset<std::string> out;
  for (const auto& link : page.links) out.insert(link.target);
  return out;
}

struct Compared {
  std::size_t pages = 0, same_text = 0, same_links = 0, truncated = 0, with_unseen = 0;
};

void compare(const std::string& message, const char* name, Compared& compared) {
  auto table = mail::parse(message);
  for (const auto& part : table.parts) {
    if (part.kind != mail::Part::Kind::leaf || !part.is("text", "html")) continue;
    std::string html = mail::valid_utf8(mail::part_text(message, part, kMaxPage));
    Page ours = read_page(html);
    Page tree = by_tree(html);
    bool text = words_of(ours.seen) == words_of(tree.seen) && words_of(ours.unseen) == words_of(tree.unseen);
    bool links = targets(ours) == targets(tree);
    ++compared.pages;
    compared.truncated += ours.truncated ? 1 : 0;
    compared.with_unseen += ours.unseen.empty() ? 0 : 1;
    compared.same_text += text ? 1 : 0;
    compared.same_links += links ? 1 : 0;
    if (!text || !links) std::printf("%s: other %s\n", name, text ? "links" : "text");
  }
}

}  // namespace

TEST_CASE("pages that must be repaired read as gumbo's tree has them") {
  const char* const pages[] = {
      "<p>one<p>two<b>three</p>four</b>five",
      "<b><div style='display:none'>a</b>b</div>c",
      "<p><font color=white>a</p><p>b</p></font>c",
      "<div style='display:none'><span>a</div>b</span>c",
      "<span style='display:none'>a<div>b</span>c</div>d",
      "<table style='display:none'>a<tr><td>b</table>c",
      "<table><tr><td><b style='display:none'>a</td><td>b</table>c",
      "<table><tr><td>a<p style='display:none'>b<td>c</table>d",
      "<table><td style='display:none'>a<table><td>b</td></table>c</td><td>d</table>",
      "<ul><li style='display:none'>a<li>b<ul><li>c</ul>d</ul>e",
      "<dl><dt style='display:none'>a<dd>b<dt>c</dl>",
      "<a style='display:none' href=x>a<a href=y>b</a>c",
      "<h1 style='display:none'>a</h2>b",
      "</div></b></p>a</span>b</table>c",
      "<i><b><p style='display:none'>x</b></i>y</p>z",
      "<b><i style='display:none'>x</b>y</i>z",
      "<p style='display:none'>x<table><tr><td>y</table>z",
      "<div style='display:none'><p>x</div>y</p>z",
      "<body><div style='display:none'></body></html>x</div>y",
      "<select><option>a<option>b</select>c",
      "<center style='font-size:0'>a<font style='font-size:12px'>b</center>c</font>d",
      "<table><tr style='display:none'><td>a<tr><td>b</tr></table>",
      "<table><tbody style='display:none'><tr><td>a<tbody><tr><td>b</table>",
      "<object style='display:none'>a</object><button>b<p>c</button>d",
  };
  for (const char* html : pages) {
    CAPTURE(html);
    Page ours = read_page(html);
    Page tree = by_tree(html);
    CHECK(words_of(ours.seen) == words_of(tree.seen));
    CHECK(words_of(ours.unseen) == words_of(tree.unseen));
    CHECK(targets(ours) == targets(tree));
  }
}

TEST_CASE("a sample of the corpus reads as gumbo's trees have it") {
  auto place = test::suites();
  if (!place) return;
  fs::path corpus = *place / ".." / "corpus";
  if (const char* given = std::getenv("POSTERN_CORPUS"); given != nullptr && *given != '\0') corpus = given;
  Compared compared;
  for (std::string name : {"spamassassin-dev", "phishing_pot-dev", "usrp-users-dev"}) {
    fs::path file = corpus / (name + ".tar.zst");
    if (!fs::exists(file)) {
      std::printf("SKIPPED: there is no %s\n", file.c_str());
      continue;
    }
    archive* tar = archive_read_new();
    archive_read_support_filter_all(tar);
    archive_read_support_format_tar(tar);
    REQUIRE(archive_read_open_filename(tar, file.c_str(), 1 << 16) == ARCHIVE_OK);
    archive_entry* entry = nullptr;
    std::size_t number = 0;
    constexpr std::size_t kEvery = 4;
    while (archive_read_next_header(tar, &entry) == ARCHIVE_OK) {
      if (archive_entry_filetype(entry) != AE_IFREG || number++ % kEvery != 0) continue;
      std::string message(static_cast<std::size_t>(archive_entry_size(entry)), '\0');
      REQUIRE(archive_read_data(tar, message.data(), message.size()) == static_cast<la_ssize_t>(message.size()));
      compare(message, archive_entry_pathname(entry), compared);
    }
    archive_read_free(tar);
  }
  std::printf("corpus: %zu pages, %zu with the same text, %zu with the same links, %zu truncated, %zu with text not seen\n",
              compared.pages, compared.same_text, compared.same_links, compared.truncated, compared.with_unseen);
  CHECK(compared.same_text * 100 >= compared.pages * 98);
  CHECK(compared.same_links * 100 >= compared.pages * 99);
}
