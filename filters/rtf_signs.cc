// Word's reader forgives nearly everything, and that is what hides objects from scanners: white space and groups between
// hex digits, words that nobody knows, no "f" in "\rtf".  So do we; what no writer makes is told as a sign.
#include "filters/rtf_signs.h"

#include <algorithm>

#include "filters/attachment_names.h"
#include "filters/dde_field.h"
#include "filters/little_endian.h"
#include "filters/ole_file.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kMaxDepth = 10'000;
constexpr std::size_t kMaxText = 4096;      // of an instruction, a template, a class

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  c = ascii_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Where the text of a group goes.
enum class Destination : std::uint8_t { none, object_data, instruction, template_name, object_class };

class Reader {
 public:
  Reader(std::string_view octets, FoundLinks& links, const TakeInner& inner) : octets_(octets), links_(links), inner_(inner) {}

  DocumentSigns run() {
    out_.kind = FileKind::rtf;
    auto start = octets_.find("{\\rt");
    std::string_view version = start == std::string_view::npos ? std::string_view{} : octets_.substr(start, 6);
    if (version.substr(0, 5) != "{\\rtf" || version.size() < 6 || version[5] != '1') mislead("its first word is not \\rtf1");
    groups_.push_back(Destination::none);
    while (at_ < octets_.size()) step();
    if (!data_.empty()) object();
    return std::move(out_);
  }

 private:
  void complain(const char* what) {
    if (out_.problem.empty()) out_.problem = what;
  }
  void mislead(std::string_view how) { out_.signs.add(Sign::rtf_obfuscated, how); }
  Destination& here() { return groups_.back(); }

  void step() {
    char c = octets_[at_];
    if (c == '{') {
      ++at_;
      if (groups_.size() >= kMaxDepth) {
        ++beyond_;
        complain("groups deeper than are read");
      } else {
        groups_.push_back(here());
      }
      if (here() == Destination::object_data && !data_.empty()) ++inside_data_;
    } else if (c == '}') {
      ++at_;
      close();
    } else if (c == '\\') {
      control();
    } else {
      text();
    }
  }

  void close() {
    if (beyond_ > 0) {
      --beyond_;
      return;
    }
    if (groups_.size() == 1) return;
    Destination closed = here();
    groups_.pop_back();
    if (closed != here()) finish(closed);
  }

  void finish(Destination closed) {
    switch (closed) {
      case Destination::object_data: object(); break;
      case Destination::instruction:
        if (is_dde_field(text_)) out_.signs.add(Sign::dde, text_);
        if (auto link = ifind(text_, "HYPERLINK"); link != std::string::npos) {
          auto quote = text_.find('"', link);
          if (quote != std::string::npos) links_.add(std::string_view(text_).substr(quote + 1, text_.find('"', quote + 1) - quote - 1));
        } else if (ifind(text_, "INCLUDE") != std::string::npos && text_.find("://") != std::string::npos) {
          out_.signs.add(Sign::external_object, text_);
        }
        links_.scan(text_);
        text_.clear();
        break;
      case Destination::template_name: {
        std::string_view name = trimmed(text_);
        bool away = name.find("://") != std::string_view::npos || name.starts_with("\\\\") || name.starts_with("//");
        if (away) out_.signs.add(Sign::rtf_template, name);
        links_.add(name);
        text_.clear();
        break;
      }
      case Destination::object_class:
        if (istarts_with(trimmed(text_), "equation")) out_.signs.add(Sign::equation_editor, text_);
        if (!text_.empty()) out_.signs.add(Sign::rtf_object, trimmed(text_));
        text_.clear();
        break;
      case Destination::none: break;
    }
  }

  // Up to what means something.
  void text() {
    if (here() == Destination::none) {
      at_ = std::min(octets_.find_first_of("{}\\", at_), octets_.size());
      return;
    }
    char c = octets_[at_++];
    if (here() == Destination::object_data) {
      digit(c);
    } else if (c != '\r' && c != '\n' && text_.size() < kMaxText) {
      text_ += c;
    }
  }

  void digit(char c) {
    int value = hex_value(c);
    if (value < 0) {
      bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n';
      if (!blank && !data_.empty()) ++rubbish_;
      return;
    }
    if (half_ < 0) {
      half_ = value;
      return;
    }
    put(static_cast<char>(half_ * 16 + value));
    half_ = -1;
  }

  void put(char octet) {
    if (data_.size() >= kMaxRtfObject || data_.size() + total_ >= kMaxRtfData) return complain("more object data than is read");
    data_ += octet;
  }

  void control() {
    std::size_t begin = ++at_;
    while (at_ < octets_.size() && is_alpha(octets_[at_])) ++at_;
    if (at_ == begin) return symbol();
    std::string_view word = octets_.substr(begin, at_ - begin);
    std::int64_t number = 0;
    bool minus = at_ < octets_.size() && octets_[at_] == '-';
    std::size_t digits = at_ + (minus ? 1 : 0);
    std::size_t end = digits;
    while (end < octets_.size() && is_digit(octets_[end])) {
      number = std::min<std::int64_t>(number * 10 + (octets_[end] - '0'), 1LL << 40);
      ++end;
    }
    if (end > digits) at_ = end;
    if (at_ < octets_.size() && octets_[at_] == ' ') ++at_;
    if (word.size() > 250) mislead("a control word without end");
    control_word(word, minus ? -number : number);
  }

  void symbol() {
    if (at_ >= octets_.size()) return;
    char c = octets_[at_++];
    if (c == '\'') {
      // In object data Word reads \'xx as rubbish and drops half of what follows: made to mislead.
      if (here() == Destination::object_data) {
        mislead("escapes inside object data");
        at_ = std::min(at_ + 2, octets_.size());
        half_ = -1;
      } else if (here() != Destination::none && at_ + 2 <= octets_.size() && text_.size() < kMaxText) {
        int high = hex_value(octets_[at_]), low = hex_value(octets_[at_ + 1]);
        if (high >= 0 && low >= 0) text_ += static_cast<char>(high * 16 + low);
        at_ += 2;
      } else {
        at_ = std::min(at_ + 2, octets_.size());
      }
    } else if ((c == '\\' || c == '{' || c == '}') && here() != Destination::none && here() != Destination::object_data && text_.size() < kMaxText) {
      text_ += c;
    }
  }

  void control_word(std::string_view word, std::int64_t number) {
    if (word == "bin") return binary(number);
    if (word == "object") {
      out_.signs.add(Sign::rtf_object);
    } else if (word == "objdata") {
      if (!data_.empty()) object();
      start(Destination::object_data);
    } else if (word == "objclass") {
      start(Destination::object_class);
    } else if (word == "objupdate" || word == "objautlink") {
      out_.signs.add(Sign::rtf_object_update, word);
    } else if (word == "objlink" || word == "objocx" || word == "objemb" || word == "objhtml" || word == "objpub") {
      out_.signs.add(Sign::rtf_object, word);
    } else if (word == "fldinst") {
      start(Destination::instruction);
    } else if (word == "template") {
      start(Destination::template_name);
    } else if (here() == Destination::object_data && !data_.empty()) {
      ++words_in_data_;
    }
  }

  void start(Destination destination) {
    here() = destination;
    text_.clear();
  }

  void binary(std::int64_t length) {
    if (length <= 0) return;
    std::string_view raw = slice(octets_, at_, static_cast<std::uint64_t>(length));
    at_ += raw.size();
    if (here() != Destination::object_data) return;
    mislead("binary octets inside object data");
    half_ = -1;
    for (char c : raw) put(c);
  }

  // MS-OLEDS 2.2: an OLE 1.0 stream: version, format, class, topic, item, size, data.
  void object() {
    std::string data = std::move(data_);
    data_.clear();
    half_ = -1;
    total_ += data.size();
    if (rubbish_ > 8 || words_in_data_ > 4 || inside_data_ > 2) mislead("other things between the digits of an object");
    rubbish_ = words_in_data_ = inside_data_ = 0;
    if (data.empty()) return;
    if (++objects_ > kMaxRtfObjects) return complain("more objects than are looked at");
    out_.signs.add(Sign::rtf_object);
    std::size_t at = 8;
    auto take = [&] {
      std::uint32_t size = u32_at(data, at);
      std::string_view text = slice(data, at + 4, size);
      at += 4 + std::size_t{std::min<std::uint32_t>(size, 1 << 24)};
      return text.substr(0, text.find('\0'));
    };
    std::string_view class_name = take();
    std::string_view topic = take();
    take();   // the item
    bool sound = class_name.size() < 256 && at + 4 <= data.size() && printable(class_name) == class_name;
    links_.scan(data);
    if (!sound) {
      mislead("an object without a proper header");
      return content(data);
    }
    if (istarts_with(class_name, "equation")) out_.signs.add(Sign::equation_editor, class_name);
    if (istarts_with(class_name, "OLE2Link") || u32_at(data, 4) == 1) {
      out_.signs.add(Sign::external_object, topic.empty() ? class_name : topic);
      if (topic.starts_with("\\\\") || topic.find("://") != std::string_view::npos) links_.add(topic);
    }
    std::string_view inner = slice(data, at + 4, u32_at(data, at));
    if (inner.empty()) inner = slice(data, at + 4, data.size());
    if (iequals(class_name, "Package")) return package(inner);
    content(inner.empty() ? std::string_view(data) : inner);
  }

  void package(std::string_view native) {
    OlePackage found = ole_package(native, false);
    out_.signs.add(Sign::embedded_object, found.label);
    for (const std::string& one : {found.label, found.path}) {
      if (std::string extension = effective_extension(one); !danger_of(extension).empty()) out_.signs.add(Sign::embedded_program, one);
    }
    inner_({found.label, found.content.empty() ? native : found.content});
  }

  void content(std::string_view octets) {
    auto ole = octets.find("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"sv);
    if (ole != std::string_view::npos) {
      octets.remove_prefix(ole);
      if (auto file = OleFile::open(octets)) {
        const auto* root = file->entries().empty() ? nullptr : &file->entries().front();
        if (root != nullptr && root->clsid.starts_with("0002ce0")) out_.signs.add(Sign::equation_editor, "by its class");
        // Loads a script or a document from elsewhere: URL moniker in \1Ole, MS-OLEDS 2.3.3.
        if (root != nullptr && root->clsid == "0000030000000000c000000000000046") out_.signs.add(Sign::external_object, "a link object");
      }
    }
    inner_({{}, octets});
  }

  std::string_view octets_;
  FoundLinks& links_;
  const TakeInner& inner_;
  DocumentSigns out_;
  std::size_t at_ = 0;
  std::vector<Destination> groups_;
  std::size_t beyond_ = 0;         // groups that are not on the stack
  std::string text_;
  std::string data_;
  int half_ = -1;                  // the first digit of an octet
  std::size_t rubbish_ = 0;
  std::size_t words_in_data_ = 0;
  std::size_t inside_data_ = 0;    // groups opened between digits
  std::size_t objects_ = 0;
  std::size_t total_ = 0;
};

}  // namespace

DocumentSigns rtf_signs(std::string_view octets, FoundLinks& links, const TakeInner& inner) { return Reader(octets, links, inner).run(); }

}  // namespace postern::filters
