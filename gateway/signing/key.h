#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/signing/private_key.h"

namespace postern::signing {

// The life of a key.
//   waiting   its record has not been seen in DNS yet: nothing is signed with it
//   active    mail is signed with it; at most one a domain and algorithm
//   retired   its successor signs; its record must stay, mail under way is verified with it
//   ended     its record may go, its private part is destroyed; forgotten once the record is gone
enum class State { waiting, active, retired, ended };
std::string_view name(State state);

// One DKIM key of a domain.  RFC 6376 3.6, RFC 8463.
struct Key {
  std::string domain;      // lower case, A-labels
  std::string selector;    // likewise
  Algorithm algorithm = Algorithm::rsa;
  State state = State::waiting;
  Time created{};
  Time since{};            // when `state` began
  Time seen{};             // when DNS last had its record right; 0: never
  Time told{};             // when the postmaster was last told of it; 0: never
  bool forced = false;     // the operator said so: signs whatever DNS has
  std::string problem;     // what was wrong with its record at the last look; "": nothing, or nobody has looked
  std::string public_text; // p=
  std::shared_ptr<const PrivateKey> secret;   // nullptr once ended

  // "selector._domainkey.domain"
  std::string record_name() const;
  // "v=DKIM1; k=rsa; p=..."
  std::string record_text() const;
};

using Keys = std::vector<Key>;

// A key in state waiting.  Blocks as PrivateKey::generate() does.
Result<Key> make_key(std::string domain, std::string selector, Algorithm algorithm, Time now);

// Its row among the general rows of the store: "dkim:<domain>:<selector>".  The value holds the private key.
constexpr std::string_view kKeyRows = "dkim:";
std::string row_name(const Key& key);
std::string encode(const Key& key);
// An Error: damaged.
Result<Key> decode_key(std::string_view row_name, std::string_view value);

// A selector that DNS can carry: labels of letters, digits and inner hyphens, lower case.  RFC 6376 3.1.
std::optional<std::string> canonical_selector(std::string_view text);

// A TXT record as a zone file has it: name, IN TXT, and the text in strings of at most 255 octets (RFC 1035 3.3).
std::string zone_line(std::string_view name, std::string_view text);
std::vector<std::string> txt_strings(std::string_view text);

}  // namespace postern::signing
