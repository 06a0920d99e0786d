#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/mail/headers.h"

// The Authenticated Received Chain of a message as a structure: which fields belong together, and whether they can be a
// chain at all.  Who validates and who seals must see the same.  RFC 8617 4, 5.2 steps 1 to 3.
namespace postern::mail {

constexpr unsigned kMaxArcInstance = 50;                    // RFC 8617 4.2.1
constexpr std::size_t kMaxArcFields = 3 * kMaxArcInstance;  // a message with more has no chain
constexpr std::size_t kMaxArcField = 16 * 1024;             // octets of one of them

// One ARC Set.  The fields are views into the message.
struct ArcFields {
  std::optional<HeaderField> results;            // ARC-Authentication-Results
  std::optional<HeaderField> message_signature;  // ARC-Message-Signature
  std::optional<HeaderField> seal;               // ARC-Seal
};

struct ArcChain {
  std::vector<ArcFields> sets;   // sets[i] is instance i + 1; all complete when there is no problem
  std::size_t fields = 0;        // ARC fields in the message, readable or not
  unsigned highest = 0;          // the highest instance that any of them names; beyond kMaxArcInstance: too high
  bool ended = false;            // the seal of the highest instance says cv=fail: nobody may add to this chain
  unsigned broken = 0;           // where it is broken; 0: not at one instance
  std::string problem;           // in words; "" when the structure is right

  bool empty() const { return fields == 0; }
};

// Reads the header of `message`, which must outlive the chain.  Linear in it.
ArcChain read_arc_chain(std::string_view message);

// The instance of an ARC-Authentication-Results field, and what stands behind its semicolon.
// RFC 8617 3.9, 4.1.1: it must come first.  nullopt: there is none.
struct ArcResults {
  unsigned instance = 0;
  std::string_view payload;
};
std::optional<ArcResults> split_arc_results(std::string_view raw);

}  // namespace postern::mail
