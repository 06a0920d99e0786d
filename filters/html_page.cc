// The stack of open elements of a page, after the tree construction of HTML 13.2.6 without its tree.
#include "filters/html_page.h"

#include <algorithm>
#include <array>
#include <utility>

#include "filters/html_tokens.h"
#include "filters/page_builder.h"
#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxActive = 32;     // formatting elements that may go on
constexpr std::size_t kTiredReach = 8;     // elements that an end tag reaches once the steps are used up
constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

bool is_cell(Tag tag) { return tag == Tag::td || tag == Tag::th || tag == Tag::caption; }
bool has_marker(Tag tag) { return is_cell(tag) || tag == Tag::applet || tag == Tag::object || tag == Tag::marquee; }
bool is_heading(Tag tag) { return tag >= Tag::h1 && tag <= Tag::h6; }
bool is_row_group(Tag tag) { return tag == Tag::tbody || tag == Tag::thead || tag == Tag::tfoot; }
bool is_raw(Tag tag) {
  return tag == Tag::script || tag == Tag::style || tag == Tag::title || tag == Tag::textarea || tag == Tag::xmp ||
         tag == Tag::iframe || tag == Tag::noembed || tag == Tag::noframes;
}
// HTML 13.2.6.3: their end may be left out.
bool may_be_left_open(Tag tag) {
  return tag == Tag::p || tag == Tag::li || tag == Tag::dd || tag == Tag::dt || tag == Tag::option || tag == Tag::optgroup ||
         tag == Tag::tr || is_row_group(tag) || is_cell(tag) || tag == Tag::colgroup;
}

class PageReader {
 public:
  PageReader(std::string_view html, Page& page) : html_(html), page_(page), builder_(page) {}

  void run() {
    if (has_styles()) read_styles();
    HtmlTokens tokens(html_);
    HtmlToken token;
    while (tokens.next(token)) {
      switch (token.kind) {
        case HtmlToken::Kind::text: text(token); break;
        case HtmlToken::Kind::start_tag: start(tag_of(token.text), token); break;
        case HtmlToken::Kind::end_tag: end(tag_of(token.text)); break;
        case HtmlToken::Kind::comment: builder_.comment(token.text); break;
      }
    }
    builder_.finish();
  }

 private:
  struct Open {
    Tag tag = Tag::none;
    std::uint32_t serial = 0;   // of a formatting element
    Style own;
    Look look;
  };
  // The list of active formatting elements, HTML 13.2.4.3.
  struct Active {
    Tag tag = Tag::none;
    std::uint32_t serial = 0;   // 0: a marker
    bool open = false;          // on the stack
    Style own;
  };

  bool has_styles() const {
    for (std::size_t at = html_.find('<'); at != std::string_view::npos; at = html_.find('<', at + 1)) {
      if (istarts_with(html_.substr(at + 1), "style")) return true;
    }
    return false;
  }

  // Wherever it stands, a style element counts for the whole page.
  void read_styles() {
    HtmlTokens tokens(html_);
    HtmlToken token;
    bool style = false;
    while (tokens.next(token)) {
      if (style && token.kind == HtmlToken::Kind::text) builder_.styles().add(token.text);
      style = token.kind == HtmlToken::Kind::start_tag && iequals(token.text, "style");
    }
  }

  void text(const HtmlToken& token) {
    Tag raw = std::exchange(raw_, Tag::none);
    if (raw == Tag::title) return builder_.title(token.text);
    if (raw == Tag::textarea || raw == Tag::xmp) return builder_.text(token.text, look_of_raw_);
    if (raw != Tag::none) return;
    bool blank = token.text.find_first_not_of(" \t\r\n\f") == std::string_view::npos;
    if (!blank && !in_table_part()) reconstruct();
    builder_.text(token.text, look_here());
  }

  bool in_table_part() const { return !stack_.empty() && has(stack_.back().tag, kTablePart); }

  // How a text or an ordinary element looks here: directly inside of a table it stands before it (13.2.6.1).
  Look look_here() const {
    if (!in_table_part()) return stack_.empty() ? Look() : stack_.back().look;
    std::size_t at = stack_.size();
    while (at > 0 && has(stack_[at - 1].tag, kTablePart)) {
      --at;
      if (stack_[at].tag == Tag::table) break;
    }
    return at == 0 ? Look() : stack_[at - 1].look;
  }

  void start(Tag tag, const HtmlToken& token) {
    raw_ = Tag::none;
    if (tag == Tag::html || tag == Tag::body) return start_root(tag, token);
    if (tag == Tag::head) return;
    bool table_inside = is_cell(tag) || is_row_group(tag) || tag == Tag::tr || tag == Tag::col || tag == Tag::colgroup;
    if (table_inside) {
      if (!make_way_in_table(tag)) return;
    } else {
      make_way(tag);
    }
    Style own = builder_.style_of(tag, token);
    Look around = table_inside && !stack_.empty() ? stack_.back().look : look_here();
    Look look = around.inside(own);
    builder_.element(tag, token, look);
    if (is_raw(tag)) {
      raw_ = tag;
      look_of_raw_ = look;
      return;
    }
    if (has(tag, kVoid)) return;
    push(tag, own, look);
  }

  // There is one of each, whatever stands before it.
  void start_root(Tag tag, const HtmlToken& token) {
    bool& known = tag == Tag::html ? has_html_ : has_body_;
    builder_.element(tag, token, Look());
    if (std::exchange(known, true)) return;
    Open root;
    root.tag = tag;
    root.own = builder_.style_of(tag, token);
    bool behind_html = tag == Tag::body && !stack_.empty() && stack_.front().tag == Tag::html;
    std::size_t at = behind_html ? 1 : 0;
    stack_.insert(stack_.begin() + static_cast<std::ptrdiff_t>(at), root);
    ++count(tag);
    look_again(at);
  }

  // Ends what an element cannot stand in.
  void make_way(Tag tag) {
    if (has(tag, kClosesP)) close(Tag::p, kScope);
    if (tag == Tag::li) {
      close_item(Tag::li, Tag::li);
    } else if (tag == Tag::dd || tag == Tag::dt) {
      close_item(Tag::dd, Tag::dt);
    } else if (is_heading(tag)) {
      if (!stack_.empty() && is_heading(stack_.back().tag)) pop();
    } else if (tag == Tag::option) {
      if (!stack_.empty() && stack_.back().tag == Tag::option) pop();
    } else if (tag == Tag::table) {
      if (in_table_part()) close(Tag::table, 0);
    } else if (tag == Tag::a || tag == Tag::nobr) {
      end_formatting(tag, true);
      if (!in_table_part()) reconstruct();
    } else if (!has(tag, kClosesP) && !in_table_part()) {
      reconstruct();
    }
  }

  // False: there is no table around, and the tag is ignored.
  bool make_way_in_table(Tag tag) {
    if (count(Tag::table) == 0) return false;
    bool cell = tag == Tag::td || tag == Tag::th;
    auto fits = [&](Tag top) {
      return top == Tag::table || ((cell || tag == Tag::tr) && is_row_group(top)) || (cell && top == Tag::tr);
    };
    while (!fits(stack_.back().tag)) pop();
    return true;
  }

  // The item before ends, unless a block stands around this one inside of it (13.2.6.4.7).
  void close_item(Tag tag, Tag other) {
    if (count(tag) == 0 && count(other) == 0) return;
    std::size_t reach = reach_of_search();
    for (std::size_t at = stack_.size(); at > 0 && stack_.size() - at < reach; --at) {
      ++steps_;
      Tag open = stack_[at - 1].tag;
      if (open == tag || open == other) return pop_to(at - 1);
      if (has(open, kSpecial) && open != Tag::address && open != Tag::div && open != Tag::p) return;
    }
  }

  std::size_t reach_of_search() {
    if (steps_ < kMaxPageSteps) return kNowhere;
    builder_.trouble("the elements of the page are nested too wildly");
    return kTiredReach;
  }

  // The innermost open one that no element with `barrier` stands above, or kNowhere.
  std::size_t find(Tag tag, std::uint8_t barrier) {
    if (count(tag) == 0) return kNowhere;
    std::size_t reach = reach_of_search();
    for (std::size_t at = stack_.size(); at > 0 && stack_.size() - at < reach; --at) {
      ++steps_;
      if (stack_[at - 1].tag == tag) return at - 1;
      if (has(stack_[at - 1].tag, barrier)) return kNowhere;
    }
    return kNowhere;
  }

  bool close(Tag tag, std::uint8_t barrier) {
    std::size_t at = find(tag, barrier);
    if (at == kNowhere) return false;
    pop_to(at);
    return true;
  }

  void end(Tag tag) {
    raw_ = Tag::none;
    if (tag == Tag::br || tag == Tag::p) {
      if (tag == Tag::br || !close(Tag::p, kScope)) builder_.end(tag, look_here());   // "</p>" alone is an empty paragraph
      return;
    }
    if (tag == Tag::html || tag == Tag::body || tag == Tag::head || is_raw(tag) || has(tag, kVoid)) return;
    if (has(tag, kFormatting)) return end_formatting(tag, false);
    if (is_heading(tag) && !stack_.empty() && is_heading(stack_.back().tag)) return pop();
    std::uint8_t barrier = has(tag, kSpecial) ? kScope : kSpecial;
    if (tag == Tag::table || tag == Tag::tr || is_row_group(tag)) barrier = 0;   // cells are no barrier for them
    std::size_t at = find(tag, barrier);
    if (at != kNowhere && barrier == 0 && tag != Tag::table) {
      std::size_t table = find(Tag::table, 0);
      if (table != kNowhere && table > at) at = kNowhere;   // it belongs to a table around this one
    }
    if (at == kNowhere) {
      ++page_.misnested;
      return;
    }
    for (std::size_t above = at + 1; above < stack_.size(); ++above) {
      if (!may_be_left_open(stack_[above].tag)) {
        ++page_.misnested;
        break;
      }
    }
    pop_to(at);
  }

  // The adoption agency, 13.2.6.4.7, in so far as it changes looks: blocks above stay open, without this one around them.
  void end_formatting(Tag tag, bool implied) {
    std::size_t listed = active_.size();
    while (listed > 0 && active_[listed - 1].serial != 0 && active_[listed - 1].tag != tag) --listed;
    if (listed == 0 || active_[listed - 1].serial == 0) {
      if (implied) return;
      if (!close(tag, kSpecial)) ++page_.misnested;
      return;
    }
    Active ended = active_[listed - 1];
    if (ended.open) {
      std::size_t at = stack_.size();
      bool block_above = false;
      while (at > 0 && stack_[at - 1].serial != ended.serial) {
        ++steps_;
        --at;
        block_above = block_above || has(stack_[at].tag, kSpecial);
      }
      CHECK(at > 0);
      if (block_above && steps_ < kMaxPageSteps) {
        ++page_.misnested;
        stack_.erase(stack_.begin() + static_cast<std::ptrdiff_t>(at - 1));
        --count(tag);
        look_again(at - 1);
      } else {
        if (at < stack_.size()) ++page_.misnested;
        pop_to(at - 1);
      }
    }
    active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(listed - 1));
    builder_.end(tag, look_here());
  }

  // What was open in a block that has ended goes on in the next, 13.2.4.3.
  void reconstruct() {
    std::size_t at = active_.size();
    while (at > 0 && active_[at - 1].serial != 0 && !active_[at - 1].open) --at;
    for (; at < active_.size(); ++at) {
      if (reach_of_search() == kTiredReach || stack_.size() >= kMaxPageDepth) return;
      steps_ += 4;
      Active& again = active_[at];
      again.open = true;
      put_on_stack(again.tag, again.serial, again.own, look_here().inside(again.own));
    }
  }

  void push(Tag tag, const Style& own, const Look& look) {
    if (stack_.size() >= kMaxPageDepth) {
      builder_.trouble("the elements of the page are nested too deep");
      pop();
    }
    std::uint32_t serial = 0;
    if (has(tag, kFormatting)) {
      serial = ++last_serial_;
      if (active_.size() >= kMaxActive) forget_oldest();
      active_.push_back({tag, serial, true, own});
    } else if (has_marker(tag)) {
      active_.push_back({});
    }
    put_on_stack(tag, serial, own, look);
  }

  void put_on_stack(Tag tag, std::uint32_t serial, const Style& own, const Look& look) {
    stack_.push_back({tag, serial, own, look});
    ++count(tag);
  }

  // Markers stay: there are no more of them than open cells.
  void forget_oldest() {
    auto oldest = std::find_if(active_.begin(), active_.end(), [](const Active& active) { return active.serial != 0; });
    if (oldest == active_.end()) return;
    if (!oldest->open) builder_.trouble("there is more open formatting than is followed");
    active_.erase(oldest);
  }

  void pop() {
    Open open = stack_.back();
    stack_.pop_back();
    --count(open.tag);
    if (open.serial != 0) {
      auto listed = std::find_if(active_.rbegin(), active_.rend(), [&](const Active& active) { return active.serial == open.serial; });
      if (listed != active_.rend()) {
        listed->open = false;   // it goes on in the next block
        return;
      }
    }
    builder_.end(open.tag, open.look);
    if (has_marker(open.tag)) clear_to_marker();
  }

  void pop_to(std::size_t size) {
    while (stack_.size() > size) pop();
  }

  void clear_to_marker() {
    while (!active_.empty()) {
      Active last = active_.back();
      active_.pop_back();
      if (last.serial == 0) return;
      builder_.end(last.tag, look_here());
    }
  }

  void look_again(std::size_t from) {
    for (std::size_t at = from; at < stack_.size(); ++at) {
      steps_ += 1;
      stack_[at].look = (at == 0 ? Look() : stack_[at - 1].look).inside(stack_[at].own);
    }
  }

  // How many of a known element are open; all unknown ones are counted together.
  std::size_t& count(Tag tag) { return counts_[tag < Tag::known_count_ ? static_cast<std::size_t>(tag) : 0]; }

  std::string_view html_;
  Page& page_;
  PageBuilder builder_;
  std::vector<Open> stack_;
  std::vector<Active> active_;
  std::array<std::size_t, static_cast<std::size_t>(Tag::known_count_)> counts_{};
  std::size_t steps_ = 0;
  std::uint32_t last_serial_ = 0;
  Tag raw_ = Tag::none;           // the element that the next text belongs to
  Look look_of_raw_;
  bool has_html_ = false, has_body_ = false;
};

}  // namespace

Page read_page(std::string_view html) {
  Page page;
  bool too_long = html.size() > kMaxPage;
  html = html.substr(0, kMaxPage);
  if (is_utf8(html)) {
    PageReader(html, page).run();
  } else {
    std::string valid = mail::valid_utf8(html);
    PageReader(valid, page).run();
  }
  if (too_long && !page.truncated) {
    page.truncated = true;
    page.problem = "the page is too long";
  }
  return page;
}

}  // namespace postern::filters
