// What the elements of a page mean for its reader and for rules.
#include "filters/page_builder.h"

#include <algorithm>
#include <array>

#include "gateway/base/text.h"
#include "gateway/base/utf8.h"
#include "gateway/mail/html.h"

namespace postern::filters {
namespace {

constexpr std::uint64_t kMaxSide = 2000;   // px
constexpr std::uint64_t kPixel = 2;        // px; no larger: nobody is meant to see it

// Where words end or something is to be decoded.
constexpr std::array<bool, 256> kStops = [] {
  std::array<bool, 256> out{};
  for (char c : std::string_view("& \t\n\r\f\xc2\xe2\xef")) out[static_cast<unsigned char>(c)] = true;
  return out;
}();

std::size_t next_stop(std::string_view text, std::size_t at) {
  while (at < text.size() && !kStops[static_cast<unsigned char>(text[at])]) ++at;
  return at;
}

// Of the soft hyphen, zero-width space or byte order mark that the text starts with, or 0: they cut words for filters only.
std::size_t invisible_length(std::string_view text) {
  for (std::string_view invisible : {"\xc2\xad", "\xe2\x80\x8b", "\xef\xbb\xbf"}) {
    if (text.starts_with(invisible)) return invisible.size();
  }
  return 0;
}

std::optional<std::uint64_t> side(const std::optional<std::string_view>& attribute) {
  if (!attribute) return std::nullopt;
  std::string_view digits = trimmed(*attribute);
  std::size_t end = 0;
  while (end < digits.size() && end < 9 && is_digit(digits[end])) ++end;
  bool percent = end < digits.size() && digits[end] == '%';
  if (end == 0 || percent) return std::nullopt;
  return parse_number(digits.substr(0, end));
}

bool is_remote(std::string_view target) {
  return istarts_with(target, "http:") || istarts_with(target, "https:") || target.starts_with("//") || target.starts_with("\\\\");
}

}  // namespace

std::size_t PageText::add(std::string_view text, bool raw) {
  std::size_t added = 0;
  for (std::size_t at = 0; at < text.size();) {
    char c = text[at];
    if (is_html_space(c)) {
      ++at;
      space_ = true;
      continue;
    }
    if (c == '&' && !raw) {
      if (auto reference = mail::character_reference(text.substr(at), false)) {
        at += reference->length;
        std::uint32_t character = reference->character;
        if (character <= ' ' || character == 0xa0) {
          space_ = true;
          continue;
        }
        std::string octets;
        append_utf8(octets, character);
        added += plain(octets);
        continue;
      }
    }
    // Marks inside of letters beyond ASCII are looked for only where they can begin.
    std::size_t end = next_stop(text, at + 1);
    while (end < text.size() && static_cast<unsigned char>(text[end]) >= 0x80) end = next_stop(text, end + 1);
    added += plain(text.substr(at, end - at));
    at = end;
  }
  return added;
}

std::size_t PageText::plain(std::string_view run) {
  std::size_t added = 0;
  std::size_t begin = 0;
  for (std::size_t at = next_stop(run, 0); at < run.size(); at = next_stop(run, at)) {
    auto octet = static_cast<unsigned char>(run[at]);
    // U+00A0 is white space, the invisible ones begin with c2, e2 or ef.
    bool suspect = octet == 0xc2 || octet == 0xe2 || octet == 0xef;
    std::size_t skip = suspect ? invisible_length(run.substr(at)) : 0;
    bool blank = octet == 0xc2 && run.substr(at).starts_with("\xc2\xa0");
    if (skip == 0 && !blank) {
      ++at;
      continue;
    }
    added += put(run.substr(begin, at - begin));
    if (blank) space_ = true;
    begin = at += blank ? 2 : skip;
  }
  return added + put(run.substr(begin));
}

std::size_t PageText::put(std::string_view piece) {
  if (piece.empty()) return 0;
  if (!out_.empty() && line_) out_ += '\n';
  if (!out_.empty() && !line_ && space_) out_ += ' ';
  line_ = space_ = false;
  out_ += piece;
  return piece.size();
}

Style PageBuilder::style_of(Tag tag, const HtmlToken& token) {
  Style style, important;
  std::optional<std::string_view> inline_style;
  std::string_view id, classes;
  auto colour = [&](std::optional<Style::Paint>& paint, std::string_view value) {
    bool transparent = false;
    if (auto parsed = parse_colour(value, transparent)) paint = Style::Paint{Style::Paint::Kind::colour, *parsed};
  };
  if (tag == Tag::a) style.colour = Style::Paint{Style::Paint::Kind::colour, Colour{0, 0, 238}};
  bool hidden = false;
  for (const auto& attribute : token.attributes) {
    auto is = [&](std::string_view name) { return iequals(attribute.name, name); };
    switch (ascii_lower(attribute.name.front())) {
      case 's': if (is("style") && !inline_style) inline_style = attribute.value; break;
      case 'i': if (is("id")) id = attribute.value; break;
      case 'h': if (is("hidden")) hidden = true; break;
      case 't': if (is("text") && tag == Tag::body) colour(style.colour, attribute.value); break;
      case 'c':
        if (is("class")) classes = attribute.value;
        if (is("color") && tag == Tag::font) colour(style.colour, attribute.value);
        break;
      case 'b':
        if (is("bgcolor")) colour(style.background, attribute.value);
        if (is("background") && !attribute.value.empty()) style.background = Style::Paint{};
        break;
      default: break;
    }
  }
  if (!styles_.empty()) styles_.find(tag, id, classes, style, important);
  if (inline_style) {
    if (inline_style->size() > kMaxInlineStyle) trouble("a style attribute is too long");
    Style own, own_important;
    std::string decoded;
    if (inline_style->find('&') != std::string_view::npos) inline_style = decoded = html_attribute_value(*inline_style, kMaxInlineStyle);
    parse_style(*inline_style, own, own_important);
    style.merge(own);
    important.merge(own_important);
  }
  style.merge(important);
  // "display: block" in a style undoes it, as it does in browsers.
  if (hidden && !style.display_none) style.display_none = true;
  return style;
}

void PageBuilder::element(Tag tag, const HtmlToken& token, const Look& own) {
  ++page_.tags;
  if (tag >= Tag::unknown_) ++page_.unknown_tags;
  for (const auto& attribute : token.attributes) {
    if (attribute.name.size() > 4 && istarts_with(attribute.name, "on") && is_alpha(attribute.name[2])) ++page_.event_handlers;
    if (iequals(attribute.name, "background")) source(PageSource::Kind::background, attribute.value);
  }
  break_line(tag, own);
  auto attribute = [&](std::string_view name) { return token.attribute(name).value_or(std::string_view()); };
  switch (tag) {
    case Tag::a:
      end_link();
      if (token.attribute("href")) link(PageLink::Kind::a, attribute("href"), own);
      break;
    case Tag::area: link(PageLink::Kind::area, attribute("href"), own); break;
    case Tag::form:
      ++page_.forms;
      if (token.attribute("action")) link(PageLink::Kind::form, attribute("action"), own);
      break;
    case Tag::button:
      if (token.attribute("formaction")) link(PageLink::Kind::button, attribute("formaction"), own);
      break;
    case Tag::textarea: ++page_.text_fields; break;
    case Tag::input: input(token, own); break;
    case Tag::img:
    case Tag::image: image(token, own); break;
    case Tag::meta: meta(token, own); break;
    case Tag::base:
      if (bool cut = false; page_.base.empty()) page_.base = reference(attribute("href"), cut);
      break;
    case Tag::script:
      ++page_.scripts;
      source(PageSource::Kind::script, attribute("src"));
      break;
    case Tag::iframe:
    case Tag::frame:
      ++page_.frames;
      source(PageSource::Kind::frame, attribute("src"));
      if (token.attribute("srcdoc")) ++page_.html_data_uris;
      break;
    case Tag::object:
      ++page_.objects;
      source(PageSource::Kind::object, attribute("data"));
      break;
    case Tag::embed:
    case Tag::applet:
      ++page_.objects;
      source(PageSource::Kind::object, attribute("src"));
      break;
    case Tag::link:
      if (ifind(attribute("rel"), "stylesheet") != std::string_view::npos) source(PageSource::Kind::style, attribute("href"));
      break;
    case Tag::td:
    case Tag::th:
      if (own.hidden != Hidden::display) seen_.space();
      unseen_.space();
      break;
    default: break;
  }
}

// A block that is not displayed breaks no line: "pay<div hidden>x</div>pal" is one word.
void PageBuilder::break_line(Tag tag, const Look& own) {
  if (!has(tag, kBlock)) return;
  if (own.hidden != Hidden::display) seen_.line();
  unseen_.line();
}

void PageBuilder::end(Tag tag, const Look& own) {
  break_line(tag, own);
  if (tag == Tag::a) end_link();
}

void PageBuilder::text(std::string_view text, const Look& look) {
  Hidden reason = look.reason();
  PageText& target = reason == Hidden::no ? seen_ : unseen_;
  std::size_t added = target.add(text, false);
  page_.hidden[static_cast<std::size_t>(reason)] += reason == Hidden::no ? 0 : added;
  if (reason == Hidden::no && look.mso_hide) page_.outlook_hides += added;
}

void PageBuilder::comment(std::string_view text) {
  std::string_view head = text.substr(0, 40);
  bool outlook = istarts_with(trimmed(head), "[if") && (ifind(head, "mso") != std::string_view::npos || ifind(head, "ie") != std::string_view::npos);
  (outlook ? page_.outlook_shows : page_.comments) += text.size();
}

void PageBuilder::trouble(std::string_view what) {
  page_.truncated = true;
  if (page_.problem.empty()) page_.problem = what;
}

void PageBuilder::finish() {
  end_link();
  if (styles_.truncated()) trouble("there are more style rules than are read");
}

std::string PageBuilder::reference(std::string_view written, bool& cut) {
  // What is no longer than it in references is no longer decoded.
  std::string out = html_attribute_value(trimmed(written), kMaxReference + 1);
  cut = out.size() > kMaxReference;
  if (cut) {
    cut_utf8(out, kMaxReference);
    if (!istarts_with(out, "data:")) trouble("a link is too long");
  }
  return out;
}

void PageBuilder::note_data(std::string_view target) {
  if (!istarts_with(target, "data:")) return;
  ++page_.data_uris;
  std::string_view type = target.substr(5, 100);
  bool active = ifind(type, "html") != std::string_view::npos || ifind(type, "svg") != std::string_view::npos ||
                ifind(type, "script") != std::string_view::npos || ifind(type, "xml") != std::string_view::npos;
  if (active) ++page_.html_data_uris;
}

void PageBuilder::link(PageLink::Kind kind, std::string_view target, const Look& own) {
  ++page_.link_count;
  bool anchor = kind == PageLink::Kind::a;
  open_link_ = open_link_ || anchor;
  if (anchor) open_kept_ = false;
  if (page_.links.size() >= kMaxPageLinks) return trouble("there are more links than are kept");
  PageLink link;
  link.target = reference(target, link.cut);
  if (link.target.empty()) return;
  note_data(link.target);
  if (link.cut && istarts_with(link.target, "data:")) link.target.resize(100);
  link.kind = kind;
  link.hidden = own.hidden != Hidden::no || own.invisible;
  link.at = page_.seen.size();
  if (anchor) {
    open_kept_ = true;
    link_index_ = page_.links.size();
  }
  page_.links.push_back(std::move(link));
}

void PageBuilder::end_link() {
  if (open_link_ && open_kept_) {
    PageLink& link = page_.links[link_index_];
    std::string_view shown = std::string_view(page_.seen).substr(link.at);
    link.shown = trimmed(shown.substr(0, kMaxLinkShown + 8));
    cut_utf8(link.shown, kMaxLinkShown);
    link.hidden = link.hidden || (link.shown.empty() && !link.image);
  }
  open_link_ = open_kept_ = false;
}

void PageBuilder::source(PageSource::Kind kind, std::string_view written) {
  if (written.empty()) return;
  bool cut = false;
  std::string target = reference(written.substr(0, kMaxReference * 2), cut);
  note_data(target);
  bool elsewhere = !istarts_with(target, "data:") && !istarts_with(target, "cid:");
  if (!elsewhere || target.empty() || !known_sources_.insert(target).second) return;
  if (page_.sources.size() >= kMaxPageSources) {
    known_sources_.erase(target);   // it grows no further than the list
    return trouble("there are more sources than are kept");
  }
  page_.sources.push_back({kind, std::move(target)});
}

void PageBuilder::image(const HtmlToken& token, const Look& own) {
  ++page_.images;
  std::string_view written = trimmed(token.attribute("src").value_or(std::string_view()));
  bool cut = false;
  std::string target = reference(written.substr(0, kMaxReference), cut);
  bool remote = is_remote(target);
  bool seen = own.hidden == Hidden::no && !own.invisible;
  if (remote) ++page_.remote_images;
  if (istarts_with(target, "cid:")) ++page_.attached_images;
  auto width = side(token.attribute("width"));
  auto height = side(token.attribute("height"));
  bool pixel = width && height && *width <= kPixel && *height <= kPixel;
  if (width && height) {
    ++page_.sized_images;
    page_.image_area += std::min(*width, kMaxSide) * std::min(*height, kMaxSide);
  }
  if (remote && (pixel || !seen)) ++page_.tracking_pixels;
  source(PageSource::Kind::image, written);
  if (!open_link_ || !open_kept_ || pixel || !seen) return;
  PageLink& link = page_.links[link_index_];
  link.image = true;
  if (link.alt.empty()) link.alt = trimmed(html_attribute_value(token.attribute("alt").value_or(std::string_view()), kMaxLinkShown));
}

void PageBuilder::meta(const HtmlToken& token, const Look& own) {
  if (!iequals(token.attribute("http-equiv").value_or(std::string_view()), "refresh")) return;
  ++page_.refreshes;
  // "0; url=http://..." HTML 4.2.5.3
  std::string content = html_attribute_value(token.attribute("content").value_or(std::string_view()), kMaxReference);
  std::size_t url = ifind(content, "url");
  std::size_t equals = url == std::string::npos ? url : content.find_first_not_of(" \t", url + 3);
  if (equals == std::string::npos || content[equals] != '=') return;
  std::string_view target = trimmed(std::string_view(content).substr(equals + 1));
  if (!target.empty() && (target.front() == '"' || target.front() == '\'')) target = target.substr(1, target.find(target.front(), 1) - 1);
  link(PageLink::Kind::refresh, target, own);
}

void PageBuilder::input(const HtmlToken& token, const Look& own) {
  std::string_view type = token.attribute("type").value_or("text");
  auto is = [&](std::string_view wanted) { return iequals(trimmed(type), wanted); };
  bool button = is("submit") || is("button") || is("reset");
  if (button || is("image")) {
    if (token.attribute("formaction")) link(PageLink::Kind::button, *token.attribute("formaction"), own);
    if (button) text(token.attribute("value").value_or(std::string_view()), own);
  } else if (is("password")) {
    ++page_.password_fields;
  } else if (!is("hidden") && !is("checkbox") && !is("radio")) {
    ++page_.text_fields;
  }
}

}  // namespace postern::filters
