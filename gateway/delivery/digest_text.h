#pragma once

#include <string>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/config/config.h"

namespace postern::delivery {

// One held message in a digest.  UTF-8, of any length, as strangers wrote it.
struct DigestLine {
  std::string id, from, sender, subject, message_class, reason;   // `sender`: of the envelope
  double score = 0;
  Time date{};
  std::string token;   // releases it
};

struct DigestMail {
  std::string id;             // ours, of this mail
  std::string user;           // to whom
  config::Language language = config::Language::english;
  std::string hostname;
  std::string public_url;     // "": there are no links
  std::string reply_domain;   // of the addresses that release
  Time when{}, valid_until{};
  std::vector<DigestLine> lines;
  std::size_t more = 0;       // new ones that are not shown
};

// What a person reads, lines with CRLF.
std::string digest_text(const DigestMail& mail);
// The whole message: multipart/alternative of that text and of HTML that says the same (RFC 2046 5.1.4).  What strangers
// wrote is cut, without controls, and no markup; a web address in it is no link.
std::string digest_message(const DigestMail& mail);

// Text of a stranger as one harmless line: no controls, nothing that turns the direction of writing, no web address that
// a mail client makes a link of; cut.
std::string tamed(const std::string& text);

// "2026-11-24 03:59 +0000", in local time.
std::string shown_date(Time time);

// base64() of a body, in lines (RFC 2045 6.8).
std::string base64_lines(std::string_view octets);

}  // namespace postern::delivery
