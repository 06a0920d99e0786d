// A delivery status notification put together: RFC 3461 6, RFC 3464 2, RFC 6522 3, RFC 6533 4.
#include "gateway/mail/dsn.h"

#include <algorithm>
#include <array>

#include "gateway/base/text.h"
#include "gateway/mail/address.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/dsn_status.h"
#include "gateway/mail/foreign.h"
#include "gateway/mail/headers.h"

namespace postern::mail {

namespace {

using Action = DsnRecipient::Action;

constexpr std::size_t kMaxId = 40;           // a boundary has 70 octets at most, RFC 2046 5.1.1
constexpr std::size_t kMaxMessageId = 500;
constexpr std::size_t kMaxFieldName = 80;    // the longest in use have half of it

struct Piece {
  std::string_view type;
  std::string_view body;
};
using Pieces = std::array<Piece, 3>;

bool is_any(const Dsn& dsn, Action action) {
  return std::any_of(dsn.recipients.begin(), dsn.recipients.end(), [action](const auto& r) { return r.action == action; });
}
bool are_all(const Dsn& dsn, Action action) {
  return std::all_of(dsn.recipients.begin(), dsn.recipients.end(), [action](const auto& r) { return r.action == action; });
}

std::string_view subject_of(const Dsn& dsn) {
  if (are_all(dsn, Action::failed)) return "Your message could not be delivered";
  if (is_any(dsn, Action::failed)) return "Your message could not be delivered to everyone";
  if (is_any(dsn, Action::delayed)) return "Your message is delayed";
  if (is_any(dsn, Action::relayed)) return "Your message was passed on";
  return "Your message was delivered";
}

std::string sound_id(std::string_view id) {
  std::string out(id.substr(0, kMaxId));
  for (char& c : out) {
    if (!is_alpha(c) && !is_digit(c) && c != '.') c = '-';
  }
  return out.empty() ? "report" : out;
}

// The Message-ID of the message, or "" when it is missing or no such id: it goes into a header of ours.
std::string original_message_id(const HeaderBlock& header) {
  const HeaderField* field = header.find("Message-ID");
  if (field == nullptr) return {};
  auto id = trimmed(field->raw);
  if (id.size() > kMaxMessageId || !id.starts_with('<') || !id.ends_with('>')) return {};
  auto inside = id.substr(1, id.size() - 2);
  auto at = inside.find('@');
  bool is_whole = at != std::string_view::npos && at != 0 && at + 1 != inside.size();
  bool is_plain = std::all_of(inside.begin(), inside.end(), [](char c) { return c > ' ' && c <= '~' && c != '<' && c != '>'; });
  return is_whole && is_plain ? std::string(id) : "";
}

// Whether SMTP can carry it as it is, RFC 5321 2.3.8 and 4.5.3.1.6.
bool is_sendable(std::string_view message) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < message.size(); ++i) {
    char c = message[i];
    if (c == '\r') {
      if (i + 1 == message.size() || message[++i] != '\n') return false;
      length = 0;
    } else if (c == '\n' || c == '\0' || ++length > kMaxLine) {
      return false;
    }
  }
  return true;
}

// A field of the message as it was, but for what no header may hold.
std::string returned_field(const HeaderField& field) {
  std::string raw = to_utf8(field.raw, "");
  std::string out = std::string(field.name) + ":";
  std::size_t column = out.size();
  for (std::string_view line : split(raw, '\n')) {
    std::string clean = without_controls(line);
    clean.resize(clean.find_last_not_of(' ') + 1);   // npos + 1 is 0
    // A line of white space alone ends the header for some readers, and RFC 5322 3.2.2 wants none.
    if (clean.empty()) continue;
    if (column == 0) out += "\r\n";
    if (column + clean.size() <= kMaxLine) {
      out += clean;
    } else {
      append_words(out, clean, " ");
    }
    column = 0;
  }
  return out + "\r\n";
}

std::string returned_header(std::string_view message) {
  std::string out;
  HeaderReader reader(message);
  HeaderField field;
  while (reader.next(field)) {
    // Rubbish between fields: some readers see the end of the header there.
    if (field.name.empty() || field.name.size() > kMaxFieldName) continue;
    if (field.raw.size() > kMaxReturnedHeader) break;
    std::string text = returned_field(field);
    if (out.size() + text.size() > kMaxReturnedHeader) break;
    out += text;
  }
  return out;
}

// Adds one letter after the other, each that which follows least often in the content, until nothing there is like it.
// A list of guesses in the content thus costs us some letters, not a search for each.
std::string unused_boundary(std::string_view id, const Pieces& pieces) {
  constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::string boundary = "=_" + std::string(id) + "_";
  for (;;) {
    std::array<std::size_t, 256> followers{};
    bool is_used = false;
    for (const Piece& piece : pieces) {
      for (auto at = piece.body.find(boundary); at != std::string_view::npos; at = piece.body.find(boundary, at + 1)) {
        is_used = true;
        auto behind = at + boundary.size();
        if (behind < piece.body.size()) ++followers[static_cast<unsigned char>(piece.body[behind])];
      }
    }
    if (!is_used) return boundary;
    boundary += *std::min_element(kLetters.begin(), kLetters.end(), [&](char a, char b) {
      return followers[static_cast<unsigned char>(a)] < followers[static_cast<unsigned char>(b)];
    });
  }
}

std::string encoding_field(bool ascii) {
  return std::string("Content-Transfer-Encoding: ") + (ascii ? "7bit" : "8bit") + "\r\n";
}

std::string header_of_report(const Dsn& dsn, const HeaderBlock& original, std::string_view recipient) {
  std::string host = reporting_host(dsn);
  std::string out = "From: Mail gateway <postmaster@" + host + ">\r\n";
  out += "To: " + std::string(recipient) + "\r\n";
  out += "Date: " + rfc5322_date(dsn.now) + "\r\n";
  out += "Message-ID: <" + sound_id(dsn.id) + "@" + host + ">\r\n";
  out += "Subject: " + std::string(subject_of(dsn)) + "\r\n";
  std::string id = original_message_id(original);
  if (!id.empty()) out += "In-Reply-To: " + id + "\r\nReferences: " + id + "\r\n";
  // RFC 3834 5: nothing is to answer an answer.
  return out + "Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n";
}

std::string multipart_report(const Pieces& pieces, std::string_view id) {
  std::string boundary = unused_boundary(id, pieces);
  bool ascii = std::all_of(pieces.begin(), pieces.end(), [](const Piece& piece) { return is_ascii(piece.body); });
  std::string out = "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"" + boundary + "\"\r\n";
  // RFC 2045 6.4: a multipart is 8bit as soon as one of its parts is.
  out += encoding_field(ascii);
  for (const Piece& piece : pieces) {
    out += "\r\n--" + boundary + "\r\n";
    out += "Content-Type: " + std::string(piece.type) + "\r\n" + encoding_field(is_ascii(piece.body)) + "\r\n";
    out += piece.body;
  }
  return out + "\r\n--" + boundary + "--\r\n";
}

}  // namespace

std::string delivery_status_notification(const Dsn& dsn, std::string_view message, std::size_t limit) {
  HeaderBlock header(message);
  auto to = parse_address(dsn.to);
  // What is no address cannot have sent anything; whoever calls has sent the report to nobody then.
  std::string recipient = to ? to->bracketed() : "undisclosed-recipients:;";
  // Only SMTPUTF8 takes the report there at all.
  bool utf8 = dsn.utf8 || !is_ascii(recipient);
  bool whole = dsn.full && is_any(dsn, Action::failed) && message.size() <= limit && is_sendable(message);

  std::string people = status_for_people(dsn, header, whole ? "your whole message" : "the header of your message");
  std::string programs = status_fields(dsn, utf8);
  std::string fields = whole ? "" : returned_header(message);
  std::string_view returned_type = utf8    ? (whole ? "message/global" : "message/global-headers")
                                   : whole ? "message/rfc822"
                                           : "text/rfc822-headers; charset=utf-8";
  Pieces pieces{{{"text/plain; charset=utf-8", people},
                 {utf8 ? "message/global-delivery-status" : "message/delivery-status", programs},
                 {returned_type, whole ? message : std::string_view(fields)}}};
  return header_of_report(dsn, header, recipient) + multipart_report(pieces, sound_id(dsn.id));
}

}  // namespace postern::mail
