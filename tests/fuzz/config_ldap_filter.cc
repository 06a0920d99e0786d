// Addresses as they come in RCPT, put into a filter: whatever the octets are, it stays the filter that it was, and what it
// asks for is the address.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/config/ldap_filter.h"

using namespace postern;

namespace {

std::string meant_by(std::string_view value) {
  std::string out;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != '\\') {
      CHECK(value[i] != '(' && value[i] != ')' && value[i] != '*' && value[i] != '\0');
      out += value[i];
      continue;
    }
    auto octet = from_hex(value.substr(i + 1, 2));
    CHECK(octet && octet->size() == 1);
    out += *octet;
    i += 2;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  auto filled = config::filled_filter("(mail=%a)", text);
  CHECK(filled.starts_with("(mail=") && filled.ends_with(")"));
  CHECK(meant_by(std::string_view(filled).substr(6, filled.size() - 7)) == text);
  // As an administrator's text it is taken or refused; what is taken stays a filter with an address in it.
  if (!config::check_filter(text)) return 0;
  auto asked = config::filled_filter(text, "a*)(uid=*\\@corp.example");
  for (char mark : {'(', ')', '*'}) CHECK(std::count(asked.begin(), asked.end(), mark) == std::count(text.begin(), text.end(), mark));
  return 0;
}
