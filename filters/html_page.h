#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "filters/html_style.h"

// An HTML page as its reader meets it.  One pass over the tokens with a stack of open elements, which follows HTML 13.2.6
// where it decides what a text looks like: implied ends, formatting that goes on, misnested ends, text in tables that stands
// before them.  No tree, no recursion: a tree (gumbo) costs seven times as much and serves as a second opinion in tests.
namespace postern::filters {

constexpr std::size_t kMaxPage = 512 * 1024;       // octets that are read; the rest is not, and that is said
constexpr std::size_t kMaxPageDepth = 512;         // open elements; deeper ones stand beside each other, as in browsers
constexpr std::size_t kMaxPageLinks = 2000;        // kept; all are counted
constexpr std::size_t kMaxPageSources = 200;       // distinct ones, kept
constexpr std::size_t kMaxPageSteps = 1'000'000;   // over the stack, for ends that do not fit and formatting that goes on
constexpr std::size_t kMaxReference = 4096;        // octets of a link or source; longer ones are cut, and that is said
constexpr std::size_t kMaxLinkShown = 200;         // octets

struct PageLink {
  enum class Kind : std::uint8_t { a, area, form, button, refresh };
  Kind kind = Kind::a;
  bool hidden = false;        // it stands where nothing is seen
  bool image = false;         // it shows an image
  bool cut = false;           // longer than kMaxReference
  std::string target;         // references decoded, white space around removed, otherwise as written: may be relative
  std::string shown;          // what the reader sees of it
  std::string alt;            // of its first image
  std::size_t at = 0;         // octet of `seen` where it begins
};

// What the page loads or would load from elsewhere.
struct PageSource {
  enum class Kind : std::uint8_t { image, frame, script, object, style, background };
  Kind kind = Kind::image;
  std::string target;
};

struct Page {
  std::string seen;           // UTF-8, blocks on lines of their own
  std::string unseen;         // the same of what is there and not seen
  std::string title;
  std::string base;           // of the first <base href>: what relative links are relative to
  std::vector<PageLink> links;
  std::vector<PageSource> sources;

  std::size_t link_count = 0;
  // Octets of text not seen, by reason; and of text that Outlook alone shows or hides.
  std::array<std::size_t, static_cast<std::size_t>(Hidden::count_)> hidden{};
  std::size_t outlook_shows = 0;      // in "<!--[if mso]>" comments, markup included
  std::size_t outlook_hides = 0;      // mso-hide; such text counts as seen
  std::size_t comments = 0;           // octets of all others
  std::size_t forms = 0, password_fields = 0, text_fields = 0;
  std::size_t scripts = 0, event_handlers = 0;
  std::size_t frames = 0, objects = 0, refreshes = 0;
  std::size_t images = 0, remote_images = 0, attached_images = 0;   // by http(s), by cid:
  std::size_t tracking_pixels = 0;    // remote images of at most 2x2 px, or not seen
  std::size_t sized_images = 0;       // of known width and height
  std::uint64_t image_area = 0;       // px of these, each at most 2000x2000
  std::size_t data_uris = 0;          // in links and sources
  std::size_t html_data_uris = 0;     // of these, pages and images with scripts (text/html, svg)
  std::size_t tags = 0, unknown_tags = 0, misnested = 0;

  bool truncated = false;             // some bound above was met: `problem` says which, and the rest was not read
  std::string problem;

  std::size_t hidden_octets() const { return unseen.size(); }
};

// `html` in UTF-8 (anything else is made valid first).  Any thread.  Time and memory are bounded by the constants above and
// those of html_style.h.
Page read_page(std::string_view html);

}  // namespace postern::filters
