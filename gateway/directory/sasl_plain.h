#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace postern::directory {

// The message of SASL PLAIN, RFC 4616 2.
struct PlainCredentials {
  std::string authorization;   // whom to act as; "" for the login itself
  std::string login;           // never empty, nor is the password
  std::string password;

  // Nobody may act for somebody else.
  bool acts_for_itself() const;
};

// From base64 without white space; "=" stands for nothing (RFC 4959 3, RFC 5034 4).  nullopt: malformed.
std::optional<PlainCredentials> parse_plain(std::string_view base64);

}  // namespace postern::directory
