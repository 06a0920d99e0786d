#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "filters/header_signs.h"
#include "gateway/base/text.h"
#include "gateway/mail/headers.h"

// One proper mail, and what is changed in it.
namespace postern::filters::testing {

inline HeaderContext proper_context() {
  HeaderContext out;
  out.envelope_sender = "ann.lee@sender.example";
  out.recipients = {"bob.ray@corp.example"};
  return out;
}

// Changes: "Name: value" takes the place of that field or is added, "+Name: value" is added at the end, "^Name: value" at the
// begin, "-Name" takes it out; what holds no colon and no minus in front, or begins with a line end, is the body.
inline std::string mail_with(const std::vector<std::string>& changes) {
  std::vector<std::string> fields = {
      "Received: from mail.sender.example (mail.sender.example [198.51.100.7])\r\n\tby mx.corp.example with ESMTPS id 1; Tue, 24 Nov 2026 03:59:10 +0000",
      "From: Ann Lee <ann.lee@sender.example>",
      "To: Bob Ray <bob.ray@corp.example>",
      "Subject: Minutes of the meeting",
      "Date: Tue, 24 Nov 2026 03:59:02 +0000",
      "Message-ID: <20261124035902.4711@sender.example>",
      "MIME-Version: 1.0",
      "Content-Type: text/plain; charset=utf-8"};
  std::string body = "Hello Bob,\r\nhere are the minutes.\r\n";
  auto name_of = [](std::string_view field) { return trimmed(field.substr(0, field.find(':'))); };
  for (const std::string& change : changes) {
    if (change.starts_with("\r\n")) {
      body = change.substr(2);
      continue;
    }
    bool add = change.front() == '+', top = change.front() == '^', drop = change.front() == '-';
    std::string field = add || top || drop ? change.substr(1) : change;
    if (add) fields.push_back(field);
    if (top) fields.insert(fields.begin(), field);
    if (add || top) continue;
    bool placed = drop;
    for (auto& old : fields) {
      if (!iequals(name_of(old), name_of(field))) continue;
      old = drop ? "" : field;
      placed = true;
    }
    if (!placed) fields.push_back(field);
    std::erase(fields, "");
  }
  std::string out;
  for (const auto& field : fields) out += field + "\r\n";
  return out + "\r\n" + body;
}

inline HeaderSigns signs_of(const std::string& message, const HeaderContext& context = proper_context()) {
  return header_signs(message, mail::parse(message), context);
}

inline std::vector<std::string> seen(const HeaderSigns& signs) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < HeaderSigns::kSize; ++i) {
    if (kHeaderSigns[i].kind < SignKind::context && signs.has(static_cast<HeaderSign>(i))) out.emplace_back(kHeaderSigns[i].name);
  }
  return out;
}

}  // namespace postern::filters::testing
