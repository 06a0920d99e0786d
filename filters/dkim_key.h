#pragma once

#include <string>
#include <string_view>

#include "gateway/base/result.h"

namespace postern::filters {

// A public key from DNS.  RFC 6376 3.6.1, RFC 8463.
struct DkimKey {
  enum class Type { rsa, ed25519 } type = Type::rsa;
  int bits = 0;
  bool revoked = false;       // p= is empty: nothing but this and the flags counts
  bool sha256 = true;         // h= allows it, or is absent
  bool email = true;          // s= allows it, or is absent
  bool testing = false;       // t=y
  bool same_domain = false;   // t=s: i= must be of d= itself
  // The record anew, with only what libopendkim needs and as it can read it: an RSA key always as
  // SubjectPublicKeyInfo (RFC 6376's text asks for the bare RSAPublicKey, its examples have the other; both exist).
  std::string record;
};

// The text of one TXT record.  An error says in words what is wrong with it.
Result<DkimKey> parse_dkim_key(std::string_view text);

}  // namespace postern::filters
