#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/signing/key.h"

// What DKIM-Signature and ARC-Message-Signature have in common: which fields are signed, the hash of the body, and a field
// of tags on lines that no server folds anew.
namespace postern::signing {

// h= and the canonical fields in its order, from the bottom up.  RFC 6376 5.4.2.  The names are literals.
struct SignedHeader {
  std::vector<std::string_view> names;
  std::string canonical;
};

// See signatures_of().  `signatures`: also the DKIM-Signature fields that are there (RFC 8617 4.1.2).  An Error: a header
// that no verifier would read.
Result<SignedHeader> signed_header(std::string_view message, bool signatures);

// bh=: SHA-256 of the relaxed body, in base64.
std::string body_hash(std::string_view message);

// A field of tags, written from left to right.
class TagLines {
 public:
  // "DKIM-Signature:"
  explicit TagLines(std::string_view name) : text_(name), name_(name.size()), column_(name.size()) {}

  // "d=example.org;"
  void tag(std::string_view text);
  // A value that may be cut between its parts, with a semicolon behind it.
  void list(std::string_view tag, const std::vector<std::string_view>& parts, char separator);
  // "b=", whose value comes later; with a semicolon and a new line where other tags follow.
  void b(bool last = true);
  // Goes on in a new line.
  void line();

  // The field with the signature in the place of b=, and CRLF behind it.
  std::string with(std::string_view signature, bool folded) const;
  // What is hashed of it: relaxed, b= empty, no CRLF.
  void canonical(std::string& out) const;

 private:
  void put(std::string piece, std::string_view before);
  std::string text_;
  std::size_t name_;
  std::size_t column_;
  std::size_t b_ = 0;   // where the value of b= goes
};

// The finished field: signed over `input` and itself.  `folded`: b= on several lines.
Result<std::string> sign_tags(const TagLines& field, std::string input, const Key& key, bool folded = true);

}  // namespace postern::signing
