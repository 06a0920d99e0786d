// Delivery status notifications: whatever is reported on whatever message, the report is sound and has its three parts.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/mail/dsn.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/mime.h"
#include "gateway/mail/xtext.h"

using namespace postern;
using namespace postern::mail;

namespace {

constexpr char kSeparator = '\x1f';

// What stands before the next separator, which is cut off with it.
std::string_view take(std::string_view& rest) {
  auto at = rest.find(kSeparator);
  auto piece = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return piece;
}

void check_lines(std::string_view text) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') {
      CHECK(i + 1 < text.size() && text[i + 1] == '\n');
      ++i;
      length = 0;
    } else {
      CHECK(text[i] != '\n' && text[i] != '\0' && ++length <= 998);
    }
  }
  CHECK(length == 0);
}

void check_words(std::string_view text) {
  CHECK(is_utf8(text));
  for (char c : text) CHECK(c == '\r' || c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != '\x7f'));
}

// The header has our fields alone.
void check_header(std::string_view report) {
  constexpr std::array<std::string_view, 11> kOurs{
      "From", "To", "Date", "Message-ID", "Subject", "In-Reply-To", "References", "Auto-Submitted", "MIME-Version",
      "Content-Type", "Content-Transfer-Encoding"};
  HeaderBlock block(report);
  HeaderReader reader(report);
  HeaderField field;
  for (std::string_view name : kOurs) {
    bool optional = name == "In-Reply-To" || name == "References";
    if (optional && block.find(name) == nullptr) continue;
    CHECK(reader.next(field) && field.name == name);
  }
  CHECK(!reader.next(field));
}

void check_status(std::string_view status, std::size_t recipients) {
  for (std::size_t group = 0; group <= recipients; ++group) {
    HeaderBlock block(status);
    for (const HeaderField& field : block.fields()) CHECK(!field.name.empty() && !trimmed(field.raw).empty());
    CHECK(block.count("Action") == (group == 0 ? 0 : 1) && block.count("Status") == block.count("Action"));
    CHECK(block.count("Reporting-MTA") == (group == 0 ? 1 : 0));
    status.remove_prefix(block.body_offset());
  }
  CHECK(status.empty());
}

}  // namespace

// The first octet is flags and the action; the values are separated by 0x1f, and the message is what is left.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  if (rest.empty()) return 0;
  auto flags = static_cast<std::uint8_t>(rest.front());
  rest.remove_prefix(1);

  Dsn dsn;
  dsn.full = (flags & 1) != 0;
  dsn.utf8 = (flags & 2) != 0;
  dsn.id = "7Q3K2M0V8RXAE";
  dsn.reporting_mta = take(rest);
  dsn.to = take(rest);
  dsn.envid = take(rest);
  DsnRecipient recipient;
  recipient.action = static_cast<DsnRecipient::Action>((flags >> 2) % 5);
  recipient.will_retry_until = from_unix(1);
  for (auto* value : {&recipient.address, &recipient.orcpt, &recipient.status, &recipient.remote, &recipient.diagnostic, &recipient.why}) {
    *value = take(rest);
  }
  dsn.recipients = {recipient, recipient};

  std::string report = delivery_status_notification(dsn, rest, 4096);
  check_lines(report);
  check_header(report);
  PartTable table = parse(report);
  auto parts = table.children(0);
  std::string boundary(table.root().type.parameters.plain("boundary"));
  CHECK(table.root().is("multipart", "report") && parts.size() == 3);
  CHECK(report.ends_with("\r\n--" + boundary + "--\r\n") && boundary.size() <= 70);

  auto body = [&](std::size_t i) { return body_of(report, table.parts[parts[i]]); };
  check_words(body(0));
  check_words(body(1));
  check_status(body(1), 2);
  bool global = table.parts[parts[1]].is("message", "global-delivery-status");
  CHECK(global ? dsn.utf8 || !is_ascii(dsn.to) : is_ascii(body(1)));
  const Part& returned = table.parts[parts[2]];
  if (returned.is("message", "rfc822") || returned.is("message", "global")) {
    CHECK(dsn.full && body(2).starts_with(rest));
    // A line end ends its header where it has no body; beyond the limits of the table our last delimiter is not seen.
    CHECK(table.truncated || body(2).size() == rest.size() || body(2).substr(rest.size()) == "\r\n");
  } else {
    check_words(body(2));
    HeaderBlock block(body(2));
    CHECK(block.fields_end() == body(2).size() && block.count("") == 0);
  }
  (void)addr_unitext(rest);
  (void)unitext_decoded(addr_xtext(rest));
  return 0;
}
