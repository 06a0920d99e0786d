#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/text.h"
#include "gateway/mail/dsn.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/mime.h"
#include "tests/support/catch.h"

// A report read again, and what is true of every report.
namespace postern::mail::test {

constexpr std::string_view kMessage =
    "Received: from a by b\r\nFrom: Bob <bob@corp.example>\r\nTo: ann@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    "Message-ID: <one@corp.example>\r\nDate: Tue, 24 Nov 2026 03:59:02 +0000\r\n\r\nThe body.\r\n";

inline DsnRecipient recipient(std::string address, DsnRecipient::Action action = DsnRecipient::Action::failed) {
  DsnRecipient out;
  out.action = action;
  out.address = std::move(address);
  bool failed = action == DsnRecipient::Action::failed;
  out.status = failed ? "5.1.1" : action == DsnRecipient::Action::delayed ? "4.4.1" : "2.0.0";
  return out;
}

inline Dsn report_on(std::vector<DsnRecipient> recipients) {
  Dsn out;
  out.reporting_mta = "mx.corp.example";
  out.to = "bob@corp.example";
  out.id = "7Q3K2M0V8RXAE";
  out.arrival = from_unix(1'795'000'000);
  out.now = from_unix(1'795'000'600);
  out.recipients = std::move(recipients);
  return out;
}

// Ends of lines are CRLF, lines have at most 998 octets, and there is no NUL.
inline bool is_sound(std::string_view text) {
  if (!text.ends_with("\r\n") || text.find('\0') != std::string_view::npos) return false;
  text.remove_suffix(1);
  for (std::string_view line : split(text, '\n')) {
    if (!line.ends_with('\r') || line.find('\r') + 1 != line.size() || line.size() > 999) return false;
  }
  return true;
}

struct Report {
  explicit Report(std::string octets) : text(std::move(octets)), table(parse(text)), header(text), parts(table.children(0)) {
    REQUIRE(is_sound(text));
    REQUIRE(table.root().is("multipart", "report"));
    REQUIRE(parts.size() == 3);
    CHECK(text.ends_with("\r\n--" + std::string(table.root().type.parameters.plain("boundary")) + "--\r\n"));
    bool ascii = true;
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(part(i).encoding_word == (is_ascii(body(i)) ? "7bit" : "8bit"));
      ascii = ascii && is_ascii(body(i));
    }
    CHECK(table.root().encoding_word == (ascii ? "7bit" : "8bit"));
    CHECK(is_utf8(people()));
    CHECK(is_utf8(programs()));
    for (char c : people() + programs()) CHECK_FALSE((c == '\t' || c == '\x1b' || c == '\x7f'));
  }
  Report(const Report&) = delete;   // the header keeps views

  const Part& part(std::size_t i) const { return table.parts[parts[i]]; }
  std::string body(std::size_t i) const { return std::string(body_of(text, part(i))); }
  std::string people() const { return body(0); }
  std::string programs() const { return body(1); }
  std::string field(std::string_view name) const {
    const HeaderField* found = header.find(name);
    return found == nullptr ? "(none)" : unfolded(found->raw);
  }
  // Of the status part: of the message with group 0, of the recipients with 1 and on.
  std::string status(std::size_t group, std::string_view name) const {
    std::string rest = programs();
    for (; group > 0; --group) rest.erase(0, HeaderBlock(rest).body_offset());
    HeaderBlock block(rest);
    const HeaderField* found = block.find(name);
    return found == nullptr ? "(none)" : unfolded(found->raw);
  }
  bool tells(std::string_view words) const { return people().find(words) != std::string::npos; }

  const std::string text;
  const PartTable table;
  const HeaderBlock header;
  const std::vector<std::size_t> parts;
};

}  // namespace postern::mail::test
