// HTML smuggling: the page carries a file as encoded text, decodes it, makes a blob and clicks its own link.  No single word
// proves it, so the single words are signs and three of them together are the sign "html_smuggling".
#include "filters/html_signs.h"

#include <algorithm>
#include <array>
#include <optional>

#include "filters/links.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kLargeData = 16 * 1024;     // octets of encoded text, images aside
constexpr std::size_t kRun = 200;                 // an encoded text has no blank for so long
constexpr std::size_t kManyEscapes = 300;
constexpr std::size_t kMaxTag = 8 * 1024;
constexpr std::size_t kMaxTags = 100'000;

struct Word {
  std::string_view word;   // lower case
  Sign sign;
};
constexpr auto kWords = [] {
  std::array table = {
      Word{"blob", Sign::html_blob}, Word{"createobjecturl", Sign::html_blob}, Word{"mssaveblob", Sign::html_blob}, Word{"mssaveoropenblob", Sign::html_blob},
      Word{"mozblobbuilder", Sign::html_blob}, Word{"webkitblobbuilder", Sign::html_blob}, Word{"showsavefilepicker", Sign::html_blob},
      Word{"filesaver", Sign::html_blob}, Word{"saveas", Sign::html_blob},
      Word{"atob", Sign::html_decode}, Word{"unescape", Sign::html_decode}, Word{"fromcharcode", Sign::html_decode}, Word{"fromcodepoint", Sign::html_decode},
      Word{"charcodeat", Sign::html_decode}, Word{"uint8array", Sign::html_decode}, Word{"decodeuricomponent", Sign::html_decode}, Word{"decodeuri", Sign::html_decode},
      Word{"textdecoder", Sign::html_decode}, Word{"cryptojs", Sign::html_decode}, Word{"base64toarraybuffer", Sign::html_decode},
      Word{"eval", Sign::html_eval}, Word{"execscript", Sign::html_eval}, Word{"documentwrite", Sign::html_eval}, Word{"insertadjacenthtml", Sign::html_eval},
      Word{"settimeout", Sign::html_eval}, Word{"wasm", Sign::html_eval}, Word{"webassembly", Sign::html_eval}, Word{"function", Sign::count_of_signs},
  };
  std::sort(table.begin(), table.end(), [](const Word& a, const Word& b) { return a.word < b.word; });
  return table;
}();

bool is_word(char c) { return is_alpha(c) || is_digit(c) || c == '_' || c == '$'; }
bool is_encoded(char c) { return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '='; }

std::optional<Sign> sign_of(std::string_view written) {
  if (written.size() < 4 || written.size() > 20) return std::nullopt;
  std::array<char, 20> lowered;
  std::transform(written.begin(), written.end(), lowered.begin(), ascii_lower);
  std::string_view word(lowered.data(), written.size());
  auto found = std::lower_bound(kWords.begin(), kWords.end(), word, [](const Word& w, std::string_view t) { return w.word < t; });
  if (found == kWords.end() || found->word != word || found->sign == Sign::count_of_signs) return std::nullopt;
  return found->sign;
}

// Words, encoded texts and escapes, in one pass.
class Words {
 public:
  Words(std::string_view text, Signs& signs) : text_(text), signs_(signs) {}

  bool handler() const { return handler_; }     // a script outside of <script>
  bool data_url() const { return data_url_; }   // a file in a URL

  void run() {
    for (std::size_t at = 0; at < text_.size();) {
      char c = text_[at];
      if (is_word(c)) {
        at = word(at);
      } else {
        if (c == '%' || c == '\\' || c == '&') escape(at);
        ++at;
      }
    }
    if (data_ >= kLargeData) signs_.add(Sign::html_large_data, std::to_string(data_) + " octets");
    if (escapes_ >= kManyEscapes && escapes_ * 12 >= text_.size()) signs_.add(Sign::html_obfuscated, std::to_string(escapes_) + " escapes");
  }

 private:
  std::size_t word(std::size_t begin) {
    std::size_t end = begin;
    while (end < text_.size() && is_word(text_[end])) ++end;
    std::string_view written = text_.substr(begin, end - begin);
    if (auto sign = sign_of(written)) signs_.add(*sign, written);
    switch (written.size()) {
      case 4:
        if (iequals(written, "data") && istarts_with(text_.substr(end, 13), ":application/")) data_url_ = true;
        break;
      case 5:
        if (iequals(written, "write") && begin > 8 && iequals(text_.substr(begin - 9, 9), "document.")) signs_.add(Sign::html_eval, "document.write");
        break;
      case 6: handler_ = handler_ || iequals(written, "onload"); break;
      case 7: handler_ = handler_ || iequals(written, "onerror"); break;
      case 8:
        if (iequals(written, "location")) location(end);
        break;
      case 10: handler_ = handler_ || (iequals(written, "javascript") && text_.substr(end, 1) == ":"); break;
      default: break;
    }
    // An encoded text goes on over "+", "/" and "=".
    std::size_t run = end;
    while (run < text_.size() && is_encoded(text_[run])) ++run;
    if (run - begin < kRun) return end;
    std::string_view before = text_.substr(begin - std::min<std::size_t>(begin, 64), std::min<std::size_t>(begin, 64));
    auto scheme = before.rfind("data:");
    bool harmless = scheme != std::string_view::npos && (before.substr(scheme).starts_with("data:image/") || before.substr(scheme).starts_with("data:font/")) &&
                    !before.substr(scheme).starts_with("data:image/svg");
    if (!harmless) data_ += run - begin;
    return run;
  }

  // "location = ...", "location.href = ...", "location.replace(...)"
  void location(std::size_t at) {
    std::string_view behind = text_.substr(at, 64);
    for (auto member : {".href"sv, ".replace"sv, ".assign"sv}) {
      if (!istarts_with(behind, member)) continue;
      behind.remove_prefix(member.size());
      break;
    }
    behind.remove_prefix(std::min(behind.find_first_not_of(" \t\r\n"), behind.size()));
    bool compared = behind.starts_with("==");
    if (!compared && (behind.starts_with('=') || behind.starts_with('('))) signs_.add(Sign::html_redirect, "location");
  }

  // %41 \x41 \u0041 &#65;
  void escape(std::size_t at) {
    std::string_view behind = text_.substr(at + 1, 2);
    if (behind.size() < 2) return;
    auto is_hex = [](char c) { return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f'); };
    bool percent = text_[at] == '%' && is_hex(behind[0]) && is_hex(behind[1]);
    bool backslash = text_[at] == '\\' && (behind[0] == 'x' || behind[0] == 'u') && is_hex(behind[1]);
    bool entity = text_[at] == '&' && behind[0] == '#';
    if (percent || backslash || entity) ++escapes_;
  }

  std::string_view text_;
  Signs& signs_;
  std::size_t data_ = 0;
  std::size_t escapes_ = 0;
  bool handler_ = false;
  bool data_url_ = false;
};

std::string_view attribute(std::string_view tag, std::string_view wanted) {
  for (auto at = ifind(tag, wanted); at != std::string_view::npos; at = ifind(tag, wanted, at + 1)) {
    bool begins = at > 0 && (static_cast<unsigned char>(tag[at - 1]) <= ' ' || tag[at - 1] == '"' || tag[at - 1] == '\'' || tag[at - 1] == '/');
    std::string_view rest = tag.substr(at + wanted.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
    if (!begins || !rest.starts_with('=')) continue;
    rest.remove_prefix(1);
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
    if (rest.empty()) return {};
    if (rest.front() == '"' || rest.front() == '\'') return rest.substr(1, rest.find(rest.front(), 1) - 1);
    return rest.substr(0, rest.find_first_of(" \t\r\n"));
  }
  return {};
}

class Tags {
 public:
  Tags(std::string_view html, FileKind kind, Signs& signs, FoundLinks& links) : html_(html), kind_(kind), signs_(signs), links_(links) {}

  bool script() const { return script_; }

  void run() {
    std::size_t seen = 0;
    for (auto at = html_.find('<'); at != std::string_view::npos && seen < kMaxTags; ++seen) {
      std::size_t next = at + 1;
      if (next < html_.size() && is_alpha(html_[next])) {
        std::string_view tag = tag_at(next);
        read(tag);
        next += tag.size();
      }
      at = html_.find('<', next);
    }
  }

 private:
  // Up to the ">" that stands in no quotes; with quotes that do not end, up to the first one.
  std::string_view tag_at(std::size_t begin) const {
    std::string_view tag = html_.substr(begin, kMaxTag);
    char quote = 0;
    for (std::size_t i = 0; i < tag.size(); ++i) {
      char c = tag[i];
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (c == '>') {
        return tag.substr(0, i);
      } else if ((c == '"' || c == '\'') && i > 0 && (tag[i - 1] == '=' || tag[i - 1] == ' ')) {
        quote = c;
      }
    }
    return tag.substr(0, tag.find('>'));
  }

  void read(std::string_view tag) {
    std::string_view element = tag.substr(0, tag.find_first_of(" \t\r\n/"));
    if (element.find(':') != std::string_view::npos) element.remove_prefix(element.find(':') + 1);   // <svg:script>
    if (iequals(element, "script")) {
      script_ = true;
      if (kind_ == FileKind::svg) signs_.add(Sign::svg_script, "script");
      links_.add(attribute(tag, "src"));
    } else if (iequals(element, "input")) {
      if (iequals(attribute(tag, "type"), "password")) signs_.add(Sign::html_password_form, attribute(tag, "name"));
    } else if (iequals(element, "form")) {
      std::string_view target = trimmed(attribute(tag, "action"));
      if (target.find("://") != std::string_view::npos || target.starts_with("//")) signs_.add(Sign::html_form, target);
    } else if (iequals(element, "iframe") || iequals(element, "embed") || iequals(element, "frame") || iequals(element, "object")) {
      std::string_view source = attribute(tag, iequals(element, "object") ? "data" : "src");
      signs_.add(Sign::html_frame, source.substr(0, 100));
      links_.add(source);
    } else if (iequals(element, "meta")) {
      if (iequals(attribute(tag, "http-equiv"), "refresh")) redirect(attribute(tag, "content"));
    } else if (iequals(element, "a")) {
      if (has_word(tag, "download")) signs_.add(Sign::html_download, attribute(tag, "download"));
    } else if (iequals(element, "base")) {
      links_.add(attribute(tag, "href"));
    } else if (iequals(element, "foreignobject") && kind_ == FileKind::svg) {
      signs_.add(Sign::svg_script, "foreignObject");
    }
    // Handlers are scripts, too.
    if (kind_ == FileKind::svg) {
      for (auto handler : {"onload"sv, "onclick"sv, "onerror"sv, "onmouseover"sv, "onbegin"sv, "onfocusin"sv, "onactivate"sv}) {
        if (!attribute(tag, handler).empty()) signs_.add(Sign::svg_script, handler);
      }
      for (auto link : {"href"sv, "xlink:href"sv}) {
        std::string_view target = trimmed(attribute(tag, link));
        if (istarts_with(target, "javascript:")) signs_.add(Sign::svg_script, "javascript:");
        if (istarts_with(target, "http")) links_.add(target);
      }
    }
  }

  static bool has_word(std::string_view tag, std::string_view word) {
    auto at = ifind(tag, word);
    return at != std::string_view::npos && at > 0 && !is_word(tag[at - 1]) && (at + word.size() >= tag.size() || !is_word(tag[at + word.size()]));
  }

  void redirect(std::string_view content) {
    auto url = ifind(content, "url");
    if (url == std::string_view::npos) return;
    auto begin = content.find('=', url);
    if (begin == std::string_view::npos) return;
    std::string_view target = trimmed(content.substr(begin + 1));
    while (!target.empty() && (target.front() == '\'' || target.front() == '"')) target.remove_prefix(1);
    signs_.add(Sign::html_redirect, target);
    links_.add(target);
  }

  std::string_view html_;
  FileKind kind_;
  Signs& signs_;
  FoundLinks& links_;
  bool script_ = false;
};

}  // namespace

void add_script_signs(std::string_view text, Signs& signs) { Words(text, signs).run(); }

DocumentSigns html_signs(std::string_view octets, FileKind kind, FoundLinks& links) {
  DocumentSigns out;
  out.kind = kind;
  if (octets.size() > kMaxAttachedPage) {
    out.problem = "a page longer than is looked at";
    octets = octets.substr(0, kMaxAttachedPage);
  }
  std::string converted;
  if (octets.starts_with("\xff\xfe") || octets.starts_with("\xfe\xff")) {
    converted = mail::to_utf8(octets.substr(2), octets[0] == '\xff' ? "utf-16le" : "utf-16be");
    octets = converted;
  }
  Tags tags(octets, kind, out.signs, links);
  tags.run();
  Signs script;
  Words words(octets, script);
  words.run();
  // Without a script these words are prose.
  bool scripts = tags.script() || words.handler() || kind == FileKind::hta;
  for (const auto& seen : script.list()) {
    bool of_text = seen.sign == Sign::html_large_data || seen.sign == Sign::html_obfuscated;
    if (scripts || of_text) out.signs.add(seen.sign, seen.detail);
  }
  LinkFinder finder;
  finder.in_html(octets);
  for (const auto& link : finder.take()) links.add(link.url);
  links.scan(octets);
  const Signs& s = out.signs;
  bool file = s.has(Sign::html_blob) || s.has(Sign::html_download) || words.data_url();
  bool data = s.has(Sign::html_large_data) || s.has(Sign::html_obfuscated);
  bool decodes = s.has(Sign::html_decode) || s.has(Sign::html_eval);
  if (scripts && file && data && (decodes || s.has(Sign::html_download))) out.signs.add(Sign::html_smuggling);
  return out;
}

}  // namespace postern::filters
