#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/mail/decode.h"

// The structured Content-* fields.  RFC 2045 5.1 and 6.1, RFC 2183, RFC 2231.  Never fails: rubbish has a default.
namespace postern::mail {

// As written: name in lower case (a "*" or "*0*" of RFC 2231 stays in it), value without quotes and escapes.
struct Parameter {
  std::string name;
  std::string value;
  bool operator==(const Parameter&) const = default;
};

// Beyond these, parameters are dropped and values cut; what decides (see below) takes the place of what does not.
constexpr std::size_t kMaxParameters = 64;
constexpr std::size_t kMaxParameterLength = 16 * 1024;

// Whether a parameter (its name in lower case) says where parts begin, what a file is called or how a text is read.
// Only these hide something from the filters when they are missed.
bool decides(std::string_view name);

class Parameters {
 public:
  // As they stood in the field, for BODYSTRUCTURE; of a name that decides the first one.
  const std::vector<Parameter>& raw() const { return raw_; }
  void add(std::string name, std::string value);
  // Something was dropped or cut: what another reader sees here may differ.
  bool truncated() const { return truncated_; }

  // The value as UTF-8: RFC 2231 continuations joined, charset and percent decoded; also the encoded words
  // that many senders write against RFC 2047 5.  A "name*" form wins over a plain one.
  std::optional<std::string> get(std::string_view name) const;
  // The first plain value of that name, undecoded, or "".
  std::string_view plain(std::string_view name) const;

  bool operator==(const Parameters& other) const { return raw_ == other.raw_; }

 private:
  std::vector<Parameter> raw_;
  bool truncated_ = false;
};

struct ContentType {
  std::string type = "text";       // lower case
  std::string subtype = "plain";   // lower case
  Parameters parameters;
  bool operator==(const ContentType&) const = default;
};

// RFC 2045 5.2: what cannot be read is text/plain.  "text" alone is text/plain, "multipart" alone multipart/mixed.
ContentType parse_content_type(std::string_view raw);

struct Disposition {
  std::string kind;                // lower case: "inline", "attachment", ...; "" when there is no field
  Parameters parameters;
  bool operator==(const Disposition&) const = default;
};

Disposition parse_disposition(std::string_view raw);

// RFC 2045 6.1, comments and case ignored: "base64", "quoted-printable", "x-uuencode", ...
TransferEncoding parse_transfer_encoding(std::string_view raw);

}  // namespace postern::mail
