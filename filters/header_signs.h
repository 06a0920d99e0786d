#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/header_sign_list.h"
#include "gateway/base/clock.h"
#include "gateway/mail/mime.h"

namespace postern::filters {

// What is looked at; a header that is larger leaves the signs of missing fields unknown.
constexpr std::size_t kMaxSignedHeader = 256 * 1024;
constexpr std::size_t kMaxSignedFields = 1000;
constexpr std::size_t kMaxSignedField = 16 * 1024;       // of one field
constexpr std::size_t kMaxSignedAddresses = 200;         // of To, Cc and Reply-To each
constexpr std::size_t kMaxSignedParts = 100;             // parts whose body is looked into
constexpr std::size_t kMaxSignedBody = 64 * 1024;        // octets of one part's body
constexpr std::size_t kMaxSignedBodies = 1024 * 1024;    // of all

// What is known beside the message.  What is not known leaves its signs unknown.
struct HeaderContext {
  std::optional<std::string> envelope_sender;   // MAIL FROM, "" = the null path; nullopt: the Return-Path field counts
  std::vector<std::string> recipients;          // of the envelope; empty: not known
  std::optional<Time> received_at;              // nullopt: what the newest Received field says counts
};

using HeaderSigns = SignSet<HeaderSign>;

// `table` is mail::parse(message).  Pure; any thread; time and memory are bounded by the constants above.
// Signs of the way tell what Received fields say, which up to the ones that our own servers wrote anybody may have made up.
HeaderSigns header_signs(std::string_view message, const mail::PartTable& table, const HeaderContext& context);

}  // namespace postern::filters
