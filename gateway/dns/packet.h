#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/dns/resolver.h"

// DNS on the wire: pure functions, RFC 1035 4.
namespace postern::dns {

// RFC 1035 2.3.4: the longest name is 253 characters without its final dot.
inline constexpr std::size_t kMaxName = 253;
inline constexpr std::size_t kMaxLabel = 63;
// RFC 9715: what passes a path without fragments.
inline constexpr std::uint16_t kUdpPayload = 1232;
// Resolvers follow chains for us; a longer one in an answer is an attack or a mistake.
inline constexpr int kMaxCnames = 8;

// `name` lower-cased, without final dot; nothing if it cannot be put into a packet
// (empty, empty label, label over 63 or name over 253 octets).
std::optional<std::string> canonical_name(std::string_view name);

// A recursive question with EDNS (RFC 6891, 1232 octets) and AD set (RFC 6840 5.7: "tell me whether it
// was validated").  The letters of the name are flipped to upper case where `case_bits` has a one (0x20: more for a
// forger to guess).  `name` must be canonical.
std::string encode_query(std::string_view name, Type type, std::uint16_t id, std::uint64_t case_bits);

struct Reading {
  // The id and the question, octet for octet, are those of the query.  Otherwise `answer` says Status::bad.
  bool echoed = false;
  bool truncated = false;  // TC: ask again over TCP; `answer` is incomplete
  Answer answer;
};

// Reads the reply `packet` to `query` (made by encode_query).  Never fails but by Status::bad.
//
// Names come out lower-cased; octets that a host name cannot have (space, controls, dot or backslash in a label, 8-bit)
// as \DDD (RFC 1035 5.1).  Records outside of the CNAME chain from the question are ignored: nobody asked for them.
Reading read_answer(std::string_view query, std::string_view packet);

}  // namespace postern::dns
