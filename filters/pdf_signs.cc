// One pass over the file.  A stream is jumped over only if no object begins in it: a reader that goes by offsets would find
// an object there.  Strings are not jumped over at all, for the same reason.
#include "filters/pdf_signs.h"

#include <algorithm>
#include <array>

#include "filters/attachment_names.h"
#include "filters/file_type.h"
#include "filters/inflate.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"

namespace postern::filters {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxString = 4096;
constexpr std::size_t kMaxObjectStream = 4 << 20;
constexpr std::size_t kMaxStrings = 8 << 20;      // octets of URIs and file names, read again or not
constexpr std::size_t kInputWeight = 4;   // reading costs as well, and streams may overlap

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == 0; }
bool is_delimiter(char c) { return "()<>[]{}/%"sv.find(c) != std::string_view::npos; }

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  c = ascii_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// What stands in the dictionary of the object that is being read.
struct Dictionary {
  bool object_stream = false;
  bool embedded_file = false;
  bool flate = false;
  bool other_filter = false;
  bool parameters = false;    // a predictor
};

class Reader {
 public:
  Reader(FoundLinks& links, const TakeInner& inner) : links_(links), inner_(inner) { out_.kind = FileKind::pdf; }

  DocumentSigns run(std::string_view octets) {
    scan(octets, true);
    if (encrypted_) {
      out_.signs.add(Sign::pdf_encrypted);
      complain("the document is encrypted: its links and streams cannot be read");
    }
    if (unread_objects_ && !encrypted_) {
      out_.signs.add(Sign::pdf_hidden_objects);
      complain("objects cannot be unpacked");
    }
    if (objects_ > kMaxPdfObjects) complain("more objects than are looked at");
    return std::move(out_);
  }

 private:
  void complain(const char* what) {
    if (out_.problem.empty()) out_.problem = what;
  }

  // `streams`: false inside an object stream, which holds none.
  void scan(std::string_view octets, bool streams);
  std::size_t name_at(std::string_view octets, std::size_t at);
  void name(std::string_view decoded, std::string_view octets, std::size_t behind);
  void string_behind(std::string_view octets, std::size_t at, std::string& into);
  std::size_t stream_at(std::string_view octets, std::size_t at);
  void unpack(std::string_view packed);
  void file_name(std::string_view octets, std::size_t behind);

  FoundLinks& links_;
  const TakeInner& inner_;
  DocumentSigns out_;
  Dictionary dictionary_;
  std::size_t objects_ = 0;
  std::size_t streams_ = 0;
  std::size_t unpacked_ = 0;
  bool encrypted_ = false;
  bool unread_objects_ = false;
  // The next "endstream" and the next "obj" of the file: looked for once, not from every stream anew.
  std::size_t next_end_ = 0;
  std::size_t next_object_ = 0;
  std::size_t strings_left_ = kMaxStrings;
};

void Reader::scan(std::string_view octets, bool streams) {
  for (std::size_t at = 0; at < octets.size();) {
    char c = octets[at];
    if (c == '/') {
      at = name_at(octets, at + 1);
    } else if (c == 'o' && octets.substr(at, 3) == "obj" && (at == 0 || is_space(octets[at - 1]) || is_digit(octets[at - 1]))) {
      dictionary_ = {};
      if (++objects_ > kMaxPdfObjects) return;
      at += 3;
    } else if (streams && c == 's' && octets.substr(at, 6) == "stream" && (at == 0 || !is_alpha(octets[at - 1]))) {
      at = stream_at(octets, at + 6);
    } else {
      ++at;
    }
  }
}

// 7.3.5: regular characters, #xx for any octet.  Gives the place behind.
std::size_t Reader::name_at(std::string_view octets, std::size_t at) {
  std::array<char, kMaxName> decoded;
  std::size_t length = 0;
  bool escaped_letter = false;
  while (at < octets.size() && !is_space(octets[at]) && !is_delimiter(octets[at])) {
    char c = octets[at++];
    if (c == '#' && at + 2 <= octets.size() && hex_value(octets[at]) >= 0 && hex_value(octets[at + 1]) >= 0) {
      c = static_cast<char>(hex_value(octets[at]) * 16 + hex_value(octets[at + 1]));
      at += 2;
      escaped_letter = escaped_letter || is_alpha(c);
    }
    if (length < decoded.size()) decoded[length++] = c;
  }
  std::string_view found(decoded.data(), length);
  // Letters need no escape; who writes one hides the word.
  if (escaped_letter) out_.signs.add(Sign::pdf_name_escapes, found);
  name(found, octets, at);
  return at;
}

void Reader::name(std::string_view n, std::string_view octets, std::size_t behind) {
  // By length first: nearly all names are others.
  switch (n.size()) {
    case 1:
      if (n == "F") file_name(octets, behind);
      return;
    case 2:
      if (n == "JS") out_.signs.add(Sign::pdf_javascript);
      if (n == "AA") out_.signs.add(Sign::pdf_open_action, "additional actions");
      if (n == "UF") file_name(octets, behind);
      if (n == "Fl") dictionary_.flate = true;
      return;
    case 3:
      if (n == "URI") {
        std::string uri;
        string_behind(octets, behind, uri);
        links_.add(uri);
      }
      if (n == "XFA") out_.signs.add(Sign::pdf_xfa);
      return;
    default: break;
  }
  if (n == "JavaScript") out_.signs.add(Sign::pdf_javascript);
  else if (n == "OpenAction") out_.signs.add(Sign::pdf_open_action);
  else if (n == "Launch") out_.signs.add(Sign::pdf_launch);
  else if (n == "EmbeddedFile" || n == "EmbeddedFiles") {
    out_.signs.add(Sign::pdf_embedded_file);
    dictionary_.embedded_file = dictionary_.embedded_file || n == "EmbeddedFile";
  } else if (n == "Encrypt") encrypted_ = true;
  else if (n == "SubmitForm") out_.signs.add(Sign::pdf_submit_form);
  else if (n == "GoToR" || n == "GoToE") out_.signs.add(Sign::pdf_remote_goto, n);
  else if (n == "RichMedia" || n == "Flash") out_.signs.add(Sign::pdf_rich_media);
  else if (n == "ObjStm") dictionary_.object_stream = true;
  else if (n == "FlateDecode") dictionary_.flate = true;
  else if (n == "Predictor") dictionary_.parameters = true;
  else if (n == "ASCIIHexDecode" || n == "ASCII85Decode" || n == "LZWDecode" || n == "RunLengthDecode" || n == "Crypt") dictionary_.other_filter = true;
}

// 7.3.4: (literal) or <hexadecimal>; UTF-16 with its mark is decoded.
void Reader::string_behind(std::string_view octets, std::size_t at, std::string& into) {
  octets = octets.substr(at, std::min(kMaxString * 2, strings_left_));
  at = 0;
  while (at < octets.size() && is_space(octets[at])) ++at;
  if (at >= octets.size()) return;
  std::string raw;
  if (octets[at] == '<') {
    int half = -1;
    for (++at; at < octets.size() && octets[at] != '>' && raw.size() < kMaxString; ++at) {
      int value = hex_value(octets[at]);
      if (value < 0) continue;
      if (half >= 0) raw += static_cast<char>(half * 16 + value);
      half = half >= 0 ? -1 : value;
    }
  } else if (octets[at] == '(') {
    int depth = 1;
    for (++at; at < octets.size() && raw.size() < kMaxString; ++at) {
      char c = octets[at];
      if (c == '\\' && at + 1 < octets.size()) {
        char next = octets[++at];
        if (next >= '0' && next <= '7') {
          int value = 0;
          std::size_t digits = 0;
          while (digits < 3 && at < octets.size() && octets[at] >= '0' && octets[at] <= '7') {
            value = value * 8 + (octets[at++] - '0');
            ++digits;
          }
          --at;
          raw += static_cast<char>(value);
        } else if (next != '\n' && next != '\r') {
          raw += next == 'n' ? '\n' : next == 'r' ? '\r' : next == 't' ? '\t' : next;
        }
        continue;
      }
      if (c == '(') ++depth;
      if (c == ')' && --depth == 0) break;
      raw += c;
    }
  }
  // Strings that do not end would be read again from each name in them.
  strings_left_ -= std::min(strings_left_, at);
  if (strings_left_ == 0) complain("more strings than are read");
  if (raw.starts_with("\xfe\xff")) {
    into = mail::to_utf8(raw.substr(2), "utf-16be");
  } else {
    into = mail::to_utf8(raw, {});
  }
}

void Reader::file_name(std::string_view octets, std::size_t behind) {
  std::size_t at = behind;
  while (at < octets.size() && at - behind < kMaxName && is_space(octets[at])) ++at;
  if (at >= octets.size() || (octets[at] != '(' && octets[at] != '<') || octets.substr(at, 2) == "<<") return;
  std::string file;
  string_behind(octets, at, file);
  std::string extension = effective_extension(file);
  if (!danger_of(extension).empty()) out_.signs.add(Sign::embedded_program, file);
}

// The first "obj" at or behind `at` that could begin an object, or the end.
std::size_t object_behind(std::string_view octets, std::size_t at) {
  for (at = octets.find("obj", at); at != std::string_view::npos; at = octets.find("obj", at + 3)) {
    if (at > 0 && (is_space(octets[at - 1]) || is_digit(octets[at - 1]))) return at;
  }
  return octets.size();
}

// `at` is behind the word "stream".  Gives where to go on.
std::size_t Reader::stream_at(std::string_view octets, std::size_t at) {
  Dictionary dictionary = dictionary_;
  dictionary_ = {};
  // Readers want CR LF or LF behind the word, some take CR.
  if (octets.substr(at, 2) == "\r\n") at += 2;
  else if (octets.substr(at, 1) == "\n" || octets.substr(at, 1) == "\r") at += 1;
  if (next_end_ < at) next_end_ = octets.find("endstream", at);
  const std::size_t end = next_end_;
  if (end == std::string_view::npos) return at;
  std::string_view packed = octets.substr(at, end - at);
  if (dictionary.object_stream || dictionary.embedded_file) {
    if (streams_++ >= kMaxPdfStreams || unpacked_ >= kMaxPdfUnpacked) {
      complain("more streams than are unpacked");
    } else if (dictionary.embedded_file) {
      // One octet at least: an empty one is no file.
      auto content = dictionary.flate ? inflate(packed, Deflated::zlib, std::min(kMaxObjectStream, kMaxPdfUnpacked - unpacked_)).octets : std::string(packed.substr(0, kMaxObjectStream));
      unpacked_ += content.size() + packed.size() / kInputWeight;
      if (!encrypted_ && !content.empty()) inner_({{}, content});
    } else if (dictionary.flate && !dictionary.other_filter) {
      unpack(packed);
    } else if (!dictionary.other_filter) {
      scan(packed, false);
    } else {
      unread_objects_ = true;
    }
    dictionary_ = {};
  }
  // " obj" in it: an object, or by chance; then it is read like the rest, which costs time and hides nothing.
  if (next_object_ < at) next_object_ = object_behind(octets, at);
  return next_object_ < end ? at : end + 9;
}

void Reader::unpack(std::string_view packed) {
  auto content = inflate(packed, Deflated::zlib, std::min(kMaxObjectStream, kMaxPdfUnpacked - unpacked_));
  unpacked_ += content.octets.size() + content.used / kInputWeight + 1024;
  if (content.state == Inflated::State::cut) {
    complain("an object stream longer than is read");
    if (content.octets.size() / 500 > packed.size()) out_.signs.add(Sign::archive_bomb, "an object stream");
  }
  if (content.octets.empty()) unread_objects_ = true;
  scan(content.octets, false);
}

}  // namespace

DocumentSigns pdf_signs(std::string_view octets, FoundLinks& links, const TakeInner& inner) { return Reader(links, inner).run(octets); }

}  // namespace postern::filters
