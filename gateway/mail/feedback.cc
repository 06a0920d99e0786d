// Reports that come in, read leniently: the second part tells what happened, the third brings back the message.
// RFC 6522 3, RFC 5965 2, RFC 3464 2, RFC 6533 4.
#include "gateway/mail/feedback.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/foreign.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/mime.h"
#include "gateway/mail/xtext.h"

namespace postern::mail {
namespace {

std::string value_of(std::string_view raw) { return one_line(to_utf8(unfolded(raw.substr(0, 4 * kMaxReportValue)), ""), kMaxReportValue); }

// "rfc822; ann@example.org": the address; "" for what is no mail address.
std::string address_of(std::string_view raw) {
  auto text = value_of(raw);
  auto semicolon = text.find(';');
  if (semicolon == std::string::npos) return "";
  auto type = trimmed(std::string_view(text).substr(0, semicolon));
  std::string address(trimmed(std::string_view(text).substr(semicolon + 1)));
  if (iequals(type, "utf-8")) address = unitext_decoded(address);   // RFC 6533 3
  else if (!iequals(type, "rfc822")) return "";
  if (address.starts_with('<') && address.ends_with('>')) address = address.substr(1, address.size() - 2);
  return address.find('@') == std::string::npos ? "" : address;
}

// "smtp; 550 5.1.1 No such user", "dns; mx.example.org": what stands behind the type.
std::string behind_type(std::string_view raw) {
  auto text = value_of(raw);
  return std::string(trimmed(std::string_view(text).substr(text.find(';') + 1)));   // npos + 1 is 0
}

// "<ann@example.org>", as reports write the addresses of the envelope.
std::string path_of(std::string_view raw) {
  auto text = value_of(raw);
  if (text.starts_with('<') && text.ends_with('>')) text = text.substr(1, text.size() - 2);
  return text;
}

// "5.1.1 (no such user)" and the like.
std::string status_of(std::string_view raw) {
  auto text = value_of(raw);
  std::size_t dots = 0, end = 0;
  while (end < text.size() && (is_digit(text[end]) || text[end] == '.')) dots += text[end++] == '.' ? 1 : 0;
  bool whole = dots == 2 && end >= 5 && end <= 9 && text[1] == '.' && text[end - 1] != '.' && text[2] != '.';
  return whole ? text.substr(0, end) : "";
}

ReportedRecipient recipient_in(const HeaderBlock& group) {
  ReportedRecipient out;
  if (const auto* field = group.find("Original-Recipient")) out.original = address_of(field->raw);
  if (const auto* field = group.find("Final-Recipient")) out.final_one = address_of(field->raw);
  if (const auto* field = group.find("Action")) out.action = ascii_lowered(value_of(field->raw));
  if (const auto* field = group.find("Status")) out.status = status_of(field->raw);
  if (const auto* field = group.find("Remote-MTA")) out.remote = behind_type(field->raw);
  if (const auto* field = group.find("Diagnostic-Code")) out.diagnostic = behind_type(field->raw);
  return out;
}

// RFC 3464 2.1: groups of fields between empty lines, the first of the message and the others of a recipient each.
void read_delivery(std::string_view text, Feedback& out) {
  bool first = true;
  while (!text.empty() && out.recipients.size() < kMaxReported) {
    HeaderBlock group(text);
    auto end = group.body_offset();
    if (!group.fields().empty()) {
      if (const auto* field = first ? group.find("Reporting-MTA") : nullptr) out.reporting_mta = behind_type(field->raw);
      // Some leave the first group out.
      bool of_recipient = group.find("Final-Recipient") != nullptr || group.find("Original-Recipient") != nullptr;
      if (of_recipient) out.recipients.push_back(recipient_in(group));
      first = false;
    }
    text.remove_prefix(end == 0 ? text.size() : end);
  }
}

void read_complaint(std::string_view text, Feedback& out) {
  while (!text.empty() && (text.front() == '\r' || text.front() == '\n')) text.remove_prefix(1);
  HeaderReader reader(text);
  HeaderField field;
  std::size_t seen = 0;
  while (reader.next(field) && seen++ < HeaderBlock::kMaxFields) {
    if (iequals(field.name, "Feedback-Type") && out.type.empty()) out.type = ascii_lowered(value_of(field.raw));
    if (iequals(field.name, "Original-Rcpt-To") && out.rcpt_to.size() < kMaxReported) out.rcpt_to.push_back(path_of(field.raw));
    if (iequals(field.name, "Original-Mail-From") && out.mail_from.empty()) out.mail_from = path_of(field.raw);
    if (iequals(field.name, "Source-IP") && out.source_ip.empty()) out.source_ip = value_of(field.raw);
    // RFC 5965 3.2; Received-Date is what it was called in drafts.
    bool date = iequals(field.name, "Arrival-Date") || iequals(field.name, "Received-Date");
    if (date && out.arrival_date.empty()) out.arrival_date = value_of(field.raw);
    if (iequals(field.name, "Reported-Domain") && out.domains.size() < kMaxReported) out.domains.push_back(ascii_lowered(value_of(field.raw)));
  }
}

bool is_delivery_status(const Part& part) {
  return part.is("message", "delivery-status") || part.is("message", "global-delivery-status");
}

// A message, or its header alone.
bool is_returned(const Part& part) {
  return part.is("message", "rfc822") || part.is("message", "global") || part.is("text", "rfc822-headers") || part.is("message", "rfc822-headers") ||
         part.is("message", "global-headers");
}

// RFC 3464 and 5965 want no encoding here; some encode all the same.
std::string decoded(std::string_view message, const Part& part, std::size_t limit) {
  return decode_body(body_of(message, part).substr(0, 2 * limit), part.encoding, limit);
}

std::string header_in(std::string_view message, const Part& part) {
  auto text = decoded(message, part, kMaxReportHeader);
  text.resize(std::min(text.size(), kMaxReportHeader));
  HeaderReader reader(text);
  HeaderField field;
  while (reader.next(field)) {
  }
  text.resize(reader.fields_end());
  return text;
}

}  // namespace

bool is_report(std::string_view message) {
  HeaderReader reader(message);
  HeaderField field;
  while (reader.next(field)) {
    if (iequals(field.name, "Content-Type")) return istarts_with(trimmed(field.raw), "multipart/report");
  }
  return false;
}

std::string message_id_of(std::string_view header) {
  HeaderReader reader(header);
  HeaderField field;
  while (reader.next(field)) {
    if (iequals(field.name, "Message-ID")) return value_of(field.raw);
  }
  return "";
}

std::optional<Feedback> parse_feedback(std::string_view message) {
  if (!is_report(message)) return std::nullopt;
  message = message.substr(0, kMaxReportRead);
  auto table = parse(message);
  if (!table.root().is("multipart", "report")) return std::nullopt;
  Feedback out;
  bool told = false, returned = false;
  for (auto index : table.children(0)) {
    const auto& part = table.parts[index];
    bool complaint = part.is("message", "feedback-report");
    if (!told && (complaint || is_delivery_status(part))) {
      told = true;
      out.kind = complaint ? Feedback::Kind::complaint : Feedback::Kind::delivery;
      auto text = decoded(message, part, kMaxReportRead);
      if (complaint) read_complaint(text, out);
      else read_delivery(text, out);
    } else if (told && !returned && is_returned(part)) {
      returned = true;
      out.header = header_in(message, part);
    }
  }
  bool understood = out.kind == Feedback::Kind::complaint ? !out.type.empty() : !out.recipients.empty();
  if (!told || !understood) return std::nullopt;
  return out;
}

}  // namespace postern::mail
