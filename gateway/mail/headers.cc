// The header block, read in place with memchr.  RFC 5322 2.2; foreign rubbish never ends a header early, because
// what another reader takes for a header field must not hide from us in a "body".
#include "gateway/mail/headers.h"

#include <algorithm>
#include <cstring>

#include "gateway/base/text.h"
#include "gateway/mail/encoded_word.h"

namespace postern::mail {

namespace {

// The position behind the next LF at or behind `from`, or the end.
std::size_t line_end(std::string_view text, std::size_t from) {
  const void* hit = std::memchr(text.data() + from, '\n', text.size() - from);
  if (hit == nullptr) return text.size();
  return static_cast<std::size_t>(static_cast<const char*>(hit) - text.data()) + 1;
}

std::string_view without_line_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// RFC 5322 2.2: printable US-ASCII without the colon; 4.5.3 allows white space before the colon.
std::string_view field_name(std::string_view before_colon) {
  while (!before_colon.empty() && is_wsp(before_colon.back())) before_colon.remove_suffix(1);
  for (char c : before_colon) {
    if (c <= ' ' || c > '~') return {};
  }
  return before_colon;
}

}  // namespace

bool HeaderReader::next(HeaderField& field) {
  if (at_ >= text_.size()) {
    body_ = at_;
    return false;
  }
  if (text_[at_] == '\n') {
    body_ = at_ + 1;
    return false;
  }
  if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') {
    body_ = at_ + 2;
    return false;
  }
  field.begin = at_;
  std::size_t end = line_end(text_, at_);
  std::string_view first = text_.substr(at_, end - at_);
  while (end < text_.size() && is_wsp(text_[end]) && text_[end - 1] == '\n') end = line_end(text_, end);
  field.end = end;
  at_ = end;

  std::string_view whole = without_line_end(text_.substr(field.begin, field.end - field.begin));
  auto colon = first.find(':');
  field.name = colon == std::string_view::npos ? std::string_view() : field_name(first.substr(0, colon));
  field.raw = field.name.empty() ? whole : whole.substr(std::min(colon + 1, whole.size()));
  return true;
}

HeaderBlock::HeaderBlock(std::string_view text) {
  HeaderReader reader(text);
  fields_.reserve(32);
  HeaderField field;
  while (reader.next(field)) {
    if (fields_.size() < kMaxFields) {
      fields_.push_back(field);
    } else {
      truncated_ = true;
    }
  }
  fields_end_ = reader.fields_end();
  body_offset_ = reader.body_offset();
}

const HeaderField* HeaderBlock::nth(std::string_view name, std::size_t n) const {
  for (const HeaderField& field : fields_) {
    if (!field.name.empty() && iequals(field.name, name) && n-- == 0) return &field;
  }
  return nullptr;
}

std::size_t HeaderBlock::count(std::string_view name) const {
  std::size_t found = 0;
  for (const HeaderField& field : fields_) found += !field.name.empty() && iequals(field.name, name) ? 1 : 0;
  return found;
}

std::string unfolded(std::string_view raw) {
  raw = trimmed(raw);
  std::string out;
  out.reserve(raw.size());
  while (!raw.empty()) {
    auto at = raw.find_first_of("\r\n");
    out.append(raw.substr(0, at));
    if (at == std::string_view::npos) break;
    raw.remove_prefix(at + 1);
  }
  return out;
}

std::string readable(std::string_view raw) {
  std::size_t length = std::min(raw.size(), kMaxReadableField);
  // Not inside a character, or the whole text would no longer pass for UTF-8.
  for (int i = 0; i < 3 && length < raw.size() && (static_cast<unsigned char>(raw[length]) & 0xc0) == 0x80; ++i) --length;
  return decode_words(unfolded(raw.substr(0, length)));
}

}  // namespace postern::mail
