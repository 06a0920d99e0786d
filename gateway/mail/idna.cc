// Domain names between their Unicode and their DNS form.  RFC 5890, UTS 46 by ICU.
#include "gateway/mail/idna.h"

#include <unicode/uidna.h>

#include <array>

#include "gateway/base/text.h"

namespace postern::mail {

namespace {

constexpr std::size_t kMaxName = 253;    // RFC 1035 2.3.4, as text
constexpr std::size_t kMaxInput = 1024;  // octets of Unicode that could still make such a name

const UIDNA* idna() {
  static const UIDNA* const kIdna = [] {
    UErrorCode error = U_ZERO_ERROR;
    UIDNA* opened = uidna_openUTS46(UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ | UIDNA_NONTRANSITIONAL_TO_ASCII |
                                        UIDNA_NONTRANSITIONAL_TO_UNICODE, &error);
    return U_SUCCESS(error) ? opened : nullptr;
  }();
  return kIdna;   // read only once made: safe from any thread
}

bool is_domain_octet(char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.'; }

bool lengths_hold(std::string_view name) {
  if (name.empty() || name.size() > kMaxName) return false;
  for (std::string_view label : split(name, '.')) {
    if (label.empty() || label.size() > 63) return false;
  }
  return true;
}

}  // namespace

std::optional<std::string> domain_to_ascii(std::string_view domain) {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  if (domain.empty() || domain.size() > kMaxInput) return std::nullopt;
  std::string name;
  if (is_ascii(domain)) {
    name = ascii_lowered(domain);
  } else {
    if (idna() == nullptr || !is_utf8(domain)) return std::nullopt;
    std::array<char, kMaxInput> buffer;
    UIDNAInfo info = UIDNA_INFO_INITIALIZER;
    UErrorCode error = U_ZERO_ERROR;
    auto length = uidna_nameToASCII_UTF8(idna(), domain.data(), static_cast<int32_t>(domain.size()), buffer.data(),
                                         static_cast<int32_t>(buffer.size()), &info, &error);
    if (U_FAILURE(error) || info.errors != 0 || length <= 0) return std::nullopt;
    name.assign(buffer.data(), static_cast<std::size_t>(length));
    if (name.ends_with('.')) name.pop_back();
  }
  for (char c : name) {
    if (!is_domain_octet(c)) return std::nullopt;
  }
  if (!lengths_hold(name)) return std::nullopt;
  return name;
}

std::string domain_to_unicode(std::string_view domain) {
  if (domain.size() > kMaxInput || ifind(domain, "xn--") == std::string_view::npos || idna() == nullptr || !is_utf8(domain)) {
    return std::string(domain);
  }
  std::array<char, kMaxInput * 4> buffer;
  UIDNAInfo info = UIDNA_INFO_INITIALIZER;
  UErrorCode error = U_ZERO_ERROR;
  auto length = uidna_nameToUnicodeUTF8(idna(), domain.data(), static_cast<int32_t>(domain.size()), buffer.data(),
                                        static_cast<int32_t>(buffer.size()), &info, &error);
  if (U_FAILURE(error) || info.errors != 0 || length <= 0) return std::string(domain);
  return std::string(buffer.data(), static_cast<std::size_t>(length));
}

}  // namespace postern::mail
