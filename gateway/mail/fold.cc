// Folding for searches through ICU; ASCII, which most subjects are, goes without it.
#include "gateway/mail/fold.h"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/base/utf8.h"

namespace postern::mail {
namespace {

// Letters with a stroke are letters of their own in Unicode, and no marks on others.
UChar32 plain(UChar32 c) {
  switch (c) {
    case 0x111: return 'd';
    case 0x110: return 'D';
    case 0x142: return 'l';
    case 0xf8: return 'o';
    case 0x131: return 'i';
    default: return c;
  }
}

bool is_mark(UChar32 c) { return (U_GET_GC_MASK(c) & U_GC_M_MASK) != 0; }
bool stands_alone(UChar32 c) { return u_hasBinaryProperty(c, UCHAR_IDEOGRAPHIC) != 0; }

// The characters that one character folds to.  Each by itself: a run of marks is never sorted.
class Folder {
 public:
  Folder() {
    UErrorCode status = U_ZERO_ERROR;
    fold_ = icu::Normalizer2::getNFKCCasefoldInstance(status);
    split_ = icu::Normalizer2::getNFKDInstance(status);
    CHECK(U_SUCCESS(status));
  }
  template <class Take>
  void each(UChar32 c, bool case_too, Take take) const {
    icu::UnicodeString one(c), folded, parts;
    UErrorCode status = U_ZERO_ERROR;
    if (case_too) fold_->normalize(one, folded, status);
    split_->normalize(case_too ? folded : one, parts, status);
    if (U_FAILURE(status)) return;
    for (int32_t i = 0; i < parts.length(); i = parts.moveIndex32(i, 1)) take(plain(parts.char32At(i)));
  }

 private:
  const icu::Normalizer2* fold_ = nullptr;
  const icu::Normalizer2* split_ = nullptr;
};

class Words {
 public:
  explicit Words(std::size_t limit) : limit_(limit) {}
  void add(UChar32 c) {
    if (stands_alone(c)) {
      end();
      append_utf8(word_, static_cast<char32_t>(c));
      end();
      return;
    }
    if (full_) return;
    auto before = word_.size();
    append_utf8(word_, static_cast<char32_t>(c));
    full_ = word_.size() > kMaxFoldedWord;
    if (full_) word_.resize(before);
  }
  void end() {
    if (!word_.empty() && out_.size() < limit_ && std::find(out_.begin(), out_.end(), word_) == out_.end()) out_.push_back(word_);
    word_.clear();
    full_ = false;
  }
  bool enough() const { return out_.size() >= limit_; }
  std::vector<std::string> take() {
    end();
    return std::move(out_);
  }

 private:
  std::size_t limit_;
  std::string word_;
  bool full_ = false;
  std::vector<std::string> out_;
};

}  // namespace

std::vector<std::string> folded_words(std::string_view utf8, std::size_t limit) {
  static const Folder folder;
  utf8 = utf8.substr(0, kMaxFoldedText);
  Words words(limit);
  for (std::size_t at = 0; at < utf8.size() && !words.enough();) {
    char octet = utf8[at];
    if (static_cast<unsigned char>(octet) < 0x80) {
      ++at;
      if (is_alpha(octet) || is_digit(octet)) words.add(ascii_lower(octet));
      else words.end();
      continue;
    }
    UChar32 c = 0;
    U8_NEXT(utf8.data(), at, utf8.size(), c);
    if (c < 0) {
      words.end();
      continue;
    }
    folder.each(c, true, [&](UChar32 folded) {
      if (u_isalnum(folded)) words.add(folded);
      else if (!is_mark(folded)) words.end();
    });
  }
  return words.take();
}

std::string without_marks(std::string_view utf8) {
  static const Folder folder;
  std::string out;
  for (std::size_t at = 0; at < utf8.size();) {
    UChar32 c = 0;
    U8_NEXT(utf8.data(), at, utf8.size(), c);
    if (c >= 0 && c < 0x80) {
      out += static_cast<char>(c);
      continue;
    }
    if (c < 0) {
      out += '?';
      continue;
    }
    folder.each(c, false, [&](UChar32 part) {
      if (!is_mark(part)) out += part < 0x80 ? static_cast<char>(part) : '?';
    });
  }
  return out;
}

}  // namespace postern::mail
