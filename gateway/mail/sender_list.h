#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "gateway/base/result.h"

// What a user has said of senders: whom he always wants to hear, and whom never.  Pure values.
namespace postern::mail {

enum class SenderWord : std::uint8_t { allow, block };
std::string_view name(SenderWord word);

// By the address in From, "ann@example.org", or by all of a domain, "@example.org"; both in the form of sender_entry().
using SenderList = std::map<std::string, SenderWord, std::less<>>;
inline constexpr std::size_t kMaxSenders = 1000;   // of one user

// How an entry is kept: lower case, the domain in A-labels.  "example.org" is taken for "@example.org".
// An Error says what is no sender.
Result<std::string> sender_entry(std::string_view text);

// What is said of this address, by itself or else by its domain; nullptr: nothing.  A domain does not stand for those
// below it.
const SenderList::value_type* find_sender(const SenderList& list, std::string_view address);

// The one address in a From field, in the form of an entry; "" when there is none or when there are several: who shows
// two authors shows nobody who could be named.
std::string author_of(std::string_view from);

}  // namespace postern::mail
