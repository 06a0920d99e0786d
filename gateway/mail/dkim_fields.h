#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/mail/headers.h"

// The header as DKIM signatures and ARC message signatures cover it, for who verifies and for who signs.
namespace postern::mail {

// Finds the fields that h= names.  Keeps views: the text must outlive it.
class SignedFields {
 public:
  // Reads the header of `message`; of one with more than `max_fields` fields only those, and then truncated() is true.
  explicit SignedFields(std::string_view message, std::size_t max_fields = 2'000);

  // The fields in the order of `names`: the lowest of that name (case-blind) that is not taken yet, and nothing for a
  // name that has none left.  RFC 6376 5.4.2.
  std::vector<const HeaderField*> pick(const std::vector<std::string_view>& names) const;

  std::string_view message() const { return message_; }
  std::string_view body() const { return message_.substr(body_offset_); }
  // Octets of the header without the empty line.
  std::size_t header_size() const { return header_size_; }
  bool truncated() const { return truncated_; }

 private:
  std::string_view message_;
  std::vector<HeaderField> fields_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> places_;  // by name in lower case, from the top
  std::size_t header_size_ = 0;
  std::size_t body_offset_ = 0;
  bool truncated_ = false;
};

// One field of `message` with CRLF behind it, appended to `out`: relaxed, or as it is.  RFC 6376 3.4.1, 3.4.2.
void canonical_field(std::string_view message, const HeaderField& field, bool relaxed, std::string& out);

// The same for the signature field itself: the value of b= is taken out, and there is no CRLF behind it.  RFC 6376 3.7.
void canonical_signature(std::string_view message, const HeaderField& field, bool relaxed, std::string& out);

// `raw`, a tag list, with nothing between "b=" and the next semicolon.
std::string without_b(std::string_view raw);

}  // namespace postern::mail
