// Charsets to UTF-8 and the folding of search, both through ICU.  Labels are read as browsers read them (WHATWG
// Encoding 4.2): senders who write iso-8859-1 send windows-1252, those who write gb2312 send gb18030.
#include "gateway/mail/charset.h"

#include <unicode/ucnv.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/unorm2.h>
#include <unicode/utf16.h>

#include <algorithm>
#include <array>
#include <memory>
#include <unordered_map>
#include <utility>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"
#include "gateway/mail/nfc.h"
#include "gateway/mail/vietnamese.h"

namespace postern::mail {

namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";
constexpr std::string_view kFallback = "windows-1252";
constexpr std::size_t kMaxLabel = 60;

struct CloseConverter {
  void operator()(UConverter* converter) const { ucnv_close(converter); }
};
using Converter = std::unique_ptr<UConverter, CloseConverter>;

// What the label means in practice, where ICU's own reading differs.
std::string_view practical(std::string_view label) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kMeant = {{
      {"iso-8859-1", kFallback}, {"iso8859-1", kFallback}, {"latin1", kFallback}, {"latin-1", kFallback},
      {"iso_8859-1", kFallback}, {"8859-1", kFallback}, {"ansi", kFallback}, {"x-ansi", kFallback},
      {"gb2312", "gb18030"}, {"gbk", "gb18030"}, {"x-gbk", "gb18030"}, {"gb_2312-80", "gb18030"}, {"euc-cn", "gb18030"},
      {"ks_c_5601-1987", "windows-949"}, {"euc-kr", "windows-949"}, {"ks_c_5601", "windows-949"},
      {"iso-8859-9", "windows-1254"}, {"iso-8859-11", "windows-874"}, {"tis-620", "windows-874"},
      {"iso-8859-8-i", "iso-8859-8"}, {"iso-8859-8-e", "iso-8859-8"}, {"x-sjis", "shift_jis"},
      {"unicode-1-1-utf-7", "utf-7"}, {"unicode", "utf-16"},
  }};
  for (auto [written, meant] : kMeant) {
    if (label == written) return meant;
  }
  return label;
}

bool is_plain_label(std::string_view label) {
  return label.empty() || label == "us-ascii" || label == "ascii" || label == "utf-8" || label == "utf8" ||
         label == "unknown-8bit" || label == "x-unknown" || label == "unknown" || label == "default" ||
         label == "x-user-defined" || label == "ansi_x3.4-1968";
}

// Lower case, without quotes and white space around.
std::string cleaned(std::string_view label) {
  label = trimmed(label.substr(0, kMaxLabel));
  while (!label.empty() && (label.front() == '"' || label.front() == '\'')) label.remove_prefix(1);
  while (!label.empty() && (label.back() == '"' || label.back() == '\'' || label.back() == ';')) label.remove_suffix(1);
  return ascii_lowered(label);
}

// ICU's own name for a label, or nullptr.  Asks its table of aliases alone: opening a converter that does not exist
// looks for files.
const char* canonical(const std::string& label) {
  UErrorCode error = U_ZERO_ERROR;
  const char* name = ucnv_getAlias(label.c_str(), 0, &error);
  return U_SUCCESS(error) ? name : nullptr;
}

// The converter of this thread, reset, or nullptr for an unknown name.  An ICU converter has state: one thread each.
// Kept by canonical name, of which there are some two hundred, so no labels of strangers drive out those in use.
UConverter* converter_for(std::string_view label) {
  thread_local std::unordered_map<std::string_view, Converter> cache;   // the keys are ICU's and live as long as it
  const char* name = canonical(std::string(label));
  if (name == nullptr) return nullptr;
  auto found = cache.find(name);
  if (found == cache.end()) {
    UErrorCode error = U_ZERO_ERROR;
    Converter made(ucnv_open(name, &error));
    if (U_FAILURE(error)) made.reset();
    found = cache.emplace(name, std::move(made)).first;
  }
  if (found->second) ucnv_reset(found->second.get());
  return found->second.get();
}

std::string converted(UConverter* source, std::string_view octets, std::size_t limit) {
  // One of its own: "utf=8" and the like are UTF-8 to ICU too, and a converter cannot be both ends.
  UErrorCode opened = U_ZERO_ERROR;
  thread_local const Converter kept(ucnv_open("UTF-8", &opened));
  UConverter* target = kept.get();
  CHECK(target != nullptr);
  ucnv_reset(target);
  std::string out;
  std::array<char, 4096> chunk;
  std::array<UChar, 1024> pivot;
  UChar* pivot_read = pivot.data();
  UChar* pivot_write = pivot.data();
  const char* read = octets.data();
  bool first = true;
  for (;;) {
    char* write = chunk.data();
    UErrorCode error = U_ZERO_ERROR;
    ucnv_convertEx(target, source, &write, chunk.data() + chunk.size(), &read, octets.data() + octets.size(), pivot.data(),
                   &pivot_read, &pivot_write, pivot.data() + pivot.size(), first ? 1 : 0, 1, &error);
    first = false;
    out.append(chunk.data(), static_cast<std::size_t>(write - chunk.data()));
    if (error != U_BUFFER_OVERFLOW_ERROR || out.size() >= limit) return out;
  }
}

// `utf8` cut to at most `limit` octets, between characters.
void cut(std::string& utf8, std::size_t limit) {
  if (utf8.size() <= limit) return;
  while (limit > 0 && (static_cast<unsigned char>(utf8[limit]) & 0xc0) == 0x80) --limit;
  utf8.resize(limit);
}

// These write tones as marks behind their letter; nobody else writes Vietnamese so, thus rules would not match.
bool writes_marks(std::string_view name) {
  return name == "windows-1258" || name == "cp1258" || name == "x-cp1258" || name.starts_with("tcvn");
}

}  // namespace

bool is_known_charset(std::string_view label) {
  std::string name = cleaned(label);
  if (name.empty()) return false;
  return is_plain_label(name) || is_vietnamese_charset(name) || converter_for(practical(name)) != nullptr;
}

std::string to_utf8(std::string_view octets, std::string_view label, std::size_t limit) {
  std::string name = cleaned(label);
  std::string out;
  bool by_icu = !is_plain_label(name) && !is_vietnamese_charset(name);
  UConverter* source = by_icu ? converter_for(practical(name)) : nullptr;
  if (source != nullptr) {
    out = converted(source, octets, limit);
  } else if (is_vietnamese_charset(name)) {
    out = vietnamese_to_utf8(octets.substr(0, limit), name);
  } else if (is_utf8(octets)) {
    out = octets.substr(0, limit < octets.size() ? limit + 1 : octets.size());
  } else if (name == "utf-8" || name == "utf8") {
    out = valid_utf8(octets);
  } else {
    out = converted(converter_for(kFallback), octets, limit);
  }
  if (writes_marks(name)) {
    if (auto joined = nfc(out)) out = std::move(*joined);
  }
  cut(out, limit);
  return out;
}

std::string valid_utf8(std::string_view text) {
  if (is_utf8(text)) return std::string(text);
  std::string out;
  out.reserve(text.size() + 16);
  while (!text.empty()) {
    auto lead = static_cast<unsigned char>(text.front());
    std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    std::string_view piece = text.substr(0, length);
    if (piece.size() == length && is_utf8(piece)) {
      out += piece;
      text.remove_prefix(length);
    } else {
      out += kReplacement;
      text.remove_prefix(1);
    }
  }
  return out;
}

namespace {

// Marks over and under letters; not the vowel signs of Indic scripts, which are what distinguishes words there.
bool is_folded_away(UChar32 c) {
  if (u_charType(c) != U_NON_SPACING_MARK) return false;
  UErrorCode error = U_ZERO_ERROR;
  UScriptCode script = uscript_getScript(c, &error);
  return script == USCRIPT_INHERITED || script == USCRIPT_HEBREW || script == USCRIPT_ARABIC || script == USCRIPT_GREEK ||
         script == USCRIPT_LATIN || script == USCRIPT_CYRILLIC;
}

// Letters with a stroke have no decomposition.
UChar32 unstroked(UChar32 c) {
  switch (c) {
    case 0x0111: return 'd';
    case 0x0142: return 'l';
    case 0x00f8: return 'o';
    case 0x0127: return 'h';
    case 0x0167: return 't';
    case 0x0131: return 'i';
    default: return c;
  }
}

using Units = std::basic_string<UChar>;

Units normalized(const UNormalizer2* form, const Units& text) {
  UErrorCode error = U_ZERO_ERROR;
  Units out(text.size() * 2 + 16, u'\0');
  auto length = unorm2_normalize(form, text.data(), static_cast<int32_t>(text.size()), out.data(),
                                 static_cast<int32_t>(out.size()), &error);
  if (error == U_BUFFER_OVERFLOW_ERROR) {
    error = U_ZERO_ERROR;
    out.resize(static_cast<std::size_t>(length) + 1);
    length = unorm2_normalize(form, text.data(), static_cast<int32_t>(text.size()), out.data(),
                              static_cast<int32_t>(out.size()), &error);
  }
  if (U_FAILURE(error)) return text;
  out.resize(static_cast<std::size_t>(length));
  return out;
}

Units utf16_of(std::string_view utf8) {
  Units out;
  out.reserve(utf8.size());
  for (std::size_t at = 0; at < utf8.size();) {
    auto lead = static_cast<unsigned char>(utf8[at]);
    std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    UChar32 c = length == 1 ? lead : lead & (0xff >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) c = c << 6 | (static_cast<unsigned char>(utf8[at + i]) & 0x3f);
    if (c > 0xffff) {
      out += static_cast<UChar>(U16_LEAD(c));
      out += static_cast<UChar>(U16_TRAIL(c));
    } else {
      out += static_cast<UChar>(c);
    }
    at += length;
  }
  return out;
}

// ICU counts in int32; long texts are folded in slices.
constexpr std::size_t kFoldSlice = 1 << 20;

void fold(std::string& out, std::string_view utf8) {
  UErrorCode error = U_ZERO_ERROR;
  const UNormalizer2* casefold = unorm2_getNFKCCasefoldInstance(&error);
  const UNormalizer2* decompose = unorm2_getNFKDInstance(&error);
  if (U_FAILURE(error)) {
    out += ascii_lowered(utf8);
    return;
  }
  Units units = normalized(decompose, normalized(casefold, utf16_of(utf8)));
  for (std::size_t at = 0; at < units.size();) {
    UChar32 c = units[at++];
    if (U16_IS_LEAD(c) && at < units.size() && U16_IS_TRAIL(units[at])) c = U16_GET_SUPPLEMENTARY(c, units[at++]);
    if (!U_IS_SURROGATE(c) && !is_folded_away(c)) append_utf8(out, static_cast<char32_t>(unstroked(c)));
  }
}

}  // namespace

std::string search_form(std::string_view utf8) {
  if (is_ascii(utf8)) return ascii_lowered(utf8);
  std::string valid = valid_utf8(utf8);
  std::string out;
  out.reserve(valid.size());
  std::string_view rest = valid;
  while (!rest.empty()) {
    std::size_t length = std::min(rest.size(), kFoldSlice);
    while (length < rest.size() && (static_cast<unsigned char>(rest[length]) & 0xc0) == 0x80) --length;
    length = stream_safe_length(rest.substr(0, length), Ignorables::vanish);
    fold(out, rest.substr(0, length));
    rest.remove_prefix(length);
  }
  return out;
}

}  // namespace postern::mail
