// What a delivery status notification says, once for people and once for programs.
#include "gateway/mail/dsn_status.h"

#include <algorithm>
#include <array>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/mail/foreign.h"
#include "gateway/mail/idna.h"
#include "gateway/mail/xtext.h"

namespace postern::mail {

namespace {

using Action = DsnRecipient::Action;

constexpr std::size_t kMaxShownSubject = 200;
constexpr std::size_t kMaxAddressType = 40;

// The original recipient taken apart and decoded; no type: there is none that could be read.
struct TypedAddress {
  std::string type;      // lower case
  std::string address;   // may hold any octet
  bool is_mail() const { return type == "rfc822" || type == "utf-8"; }
};

TypedAddress original_recipient(std::string_view orcpt) {
  auto semicolon = orcpt.find(';');
  if (semicolon == std::string_view::npos || semicolon == 0 || semicolon > kMaxAddressType) return {};
  std::string type = ascii_lowered(orcpt.substr(0, semicolon));
  if (!std::all_of(type.begin(), type.end(), [](char c) { return is_alpha(c) || is_digit(c) || c == '-'; })) return {};
  auto encoded = orcpt.substr(semicolon + 1);
  // RFC 6533 3: "utf-8" has an escape of its own.
  return {type, type == "utf-8" ? unitext_decoded(encoded) : xtext_decoded(encoded)};
}

// ---- for people

struct Section {
  Action action;
  std::string_view opening;
  std::string_view closing;
};

constexpr std::array<Section, 5> kSections{{
    {Action::failed, "It could not be delivered to:",
     "The gateway has given up and will not try this again.  Check the address, or reach the person in another way."},
    {Action::delayed, "It has not been delivered yet to:",
     "You need not send it again: the gateway goes on trying, and tells you if it has to give up."},
    {Action::relayed, "It was passed on to a mail server that may not report what becomes of it, for:", ""},
    {Action::delivered, "It was delivered to:", ""},
    {Action::expanded, "It was passed on to the members of:", ""},
}};

void append_line(std::string& out, std::string_view text, std::string_view indent) {
  append_words(out, text, indent);
  out += "\r\n";
}

void append_recipient(std::string& out, const DsnRecipient& recipient) {
  std::string address = one_line(recipient.address);
  auto original = original_recipient(recipient.orcpt);
  std::string written = original.is_mail() ? one_line(original.address) : "";
  append_line(out, "<" + address + ">", "  ");
  // Behind an alias the sender may not know the address that failed.
  if (!written.empty() && !iequals(written, address)) append_line(out, "(you wrote to <" + written + ">)", "    ");
  if (!recipient.why.empty()) append_line(out, one_line(recipient.why, kMaxQuotedReply), "    ");
  if (!recipient.diagnostic.empty()) {
    std::string remote = one_line(recipient.remote);
    append_line(out, remote.empty() ? "The other mail server said:" : "The mail server " + remote + " said:", "    ");
    append_line(out, one_line(recipient.diagnostic, kMaxQuotedReply), "      ");
  }
  if (recipient.action == Action::delayed && recipient.will_retry_until) {
    append_line(out, "The gateway will try until " + rfc5322_date(*recipient.will_retry_until) + ".", "    ");
  }
  out += "\r\n";
}

void append_section(std::string& out, const Dsn& dsn, const Section& section) {
  bool opened = false;
  for (const DsnRecipient& recipient : dsn.recipients) {
    if (recipient.action != section.action) continue;
    if (!std::exchange(opened, true)) {
      append_line(out, section.opening, "");
      out += "\r\n";
    }
    append_recipient(out, recipient);
  }
  if (!opened || section.closing.empty()) return;
  append_line(out, section.closing, "");
  out += "\r\n";
}

// ---- for programs

std::string_view word_of(Action action) {
  switch (action) {
    case Action::failed: return "failed";
    case Action::delayed: return "delayed";
    case Action::relayed: return "relayed";
    case Action::delivered: return "delivered";
    case Action::expanded: return "expanded";
  }
  return "failed";
}

// RFC 3463 2.
bool is_status(std::string_view text) {
  auto numbers = split(text, '.');
  if (numbers.size() != 3 || (numbers[0] != "2" && numbers[0] != "4" && numbers[0] != "5")) return false;
  return std::all_of(numbers.begin(), numbers.end(), [](std::string_view n) { return n.size() <= 3 && parse_number(n); });
}

std::string status_of(const DsnRecipient& recipient) {
  if (is_status(recipient.status)) return recipient.status;
  return recipient.action == Action::failed ? "5.0.0" : recipient.action == Action::delayed ? "4.0.0" : "2.0.0";
}

// Writes fields; one without a value is left out.
class Fields {
 public:
  explicit Fields(bool utf8) : utf8_(utf8) {}

  void add(std::string_view name, std::string_view value) {
    std::string text = one_line(plain(one_line(value)));
    if (!text.empty()) out_ += std::string(name) + ": " + text + "\r\n";
  }

  void add(std::string_view name, std::string_view type, std::string_view value) {
    if (!one_line(value).empty()) add(name, std::string(type) + "; " + std::string(value));
  }

  // RFC 6533 3: an address that is no ASCII has the type "utf-8", and an escape of its own where only ASCII may stand.
  void add_address(std::string_view name, std::string_view type, std::string_view value) {
    std::string address = one_line(value);
    if (type == "rfc822" && !is_ascii(address)) type = "utf-8";
    if (type == "utf-8") {
      // Without these it is read as it stands; with them it could be taken for an escaped one.
      bool ambiguous = address.find_first_of("\\ ") != std::string::npos;
      if (!utf8_) {
        address = addr_xtext(address);
      } else if (ambiguous) {
        address = addr_unitext(address);
      }
    }
    add(name, type, address);
  }

  // Words may be long: folded, RFC 5322 2.2.3.
  void add_words(std::string_view name, std::string_view type, std::string_view value) {
    std::string text = plain(one_line(value, kMaxQuotedReply));
    if (text.empty()) return;
    out_ += std::string(name) + ":";
    append_words(out_, std::string(type) + "; " + text, " ");
    out_ += "\r\n";
  }

  void end_group() { out_ += "\r\n"; }
  std::string take() { return std::move(out_); }

 private:
  // RFC 6533 6.2: the text behind a code may be UTF-8 in message/global-delivery-status alone.
  std::string plain(std::string text) const { return utf8_ ? text : ascii_escaped(text); }

  bool utf8_;
  std::string out_;
};

// RFC 3464 2.3.
void add_recipient(Fields& fields, const DsnRecipient& recipient) {
  auto original = original_recipient(recipient.orcpt);
  fields.add_address("Original-Recipient", original.type, original.address);
  fields.add_address("Final-Recipient", "rfc822", recipient.address);
  fields.add("Action", word_of(recipient.action));
  fields.add("Status", status_of(recipient));
  fields.add("Remote-MTA", "dns", recipient.remote);
  if (!recipient.diagnostic.empty()) {
    fields.add_words("Diagnostic-Code", "smtp", recipient.diagnostic);
  } else {
    fields.add_words("Diagnostic-Code", "X-Postern", recipient.why);
  }
  if (recipient.last_attempt != Time{}) fields.add("Last-Attempt-Date", rfc5322_date(recipient.last_attempt));
  // RFC 3464 2.3.9: for a delay alone.
  if (recipient.action == Action::delayed && recipient.will_retry_until) {
    fields.add("Will-Retry-Until", rfc5322_date(*recipient.will_retry_until));
  }
}

}  // namespace

std::string reporting_host(const Dsn& dsn) { return domain_to_ascii(dsn.reporting_mta).value_or("localhost"); }

std::string status_for_people(const Dsn& dsn, const HeaderBlock& header, std::string_view returned) {
  std::string out;
  append_line(out, "This is the mail gateway " + reporting_host(dsn) + ".  It reports on a message of yours:", "");
  out += "\r\n";
  const HeaderField* field = header.find("Subject");
  std::string subject = field == nullptr ? "" : one_line(readable(field->raw), kMaxShownSubject);
  if (!subject.empty()) append_line(out, "Subject: " + subject, "  ");
  append_line(out, "Received: " + rfc5322_date(dsn.arrival), "  ");
  out += "\r\n";
  for (const Section& section : kSections) append_section(out, dsn, section);
  append_line(out, "Attached are the details for mail programs, and " + std::string(returned) + ".", "");
  return out;
}

std::string status_fields(const Dsn& dsn, bool utf8) {
  Fields fields(utf8);
  // RFC 3461 6.3: the identifiers come back without the encoding of the commands.
  fields.add("Original-Envelope-Id", xtext_decoded(dsn.envid));
  fields.add("Reporting-MTA", "dns", reporting_host(dsn));
  fields.add("Arrival-Date", rfc5322_date(dsn.arrival));
  for (const DsnRecipient& recipient : dsn.recipients) {
    fields.end_group();
    add_recipient(fields, recipient);
  }
  return fields.take();
}

}  // namespace postern::mail
