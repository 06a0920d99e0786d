#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/header_signs.h"
#include "filters/received_chain.h"
#include "gateway/mail/address.h"
#include "gateway/mail/headers.h"

// What all header signs read, taken apart once.  For header_signs_*.cc alone.
namespace postern::filters {

enum class Known : std::uint8_t {
  from, sender, reply_to, to, cc, bcc, subject, date, message_id, in_reply_to, references, return_path, received, mime_version,
  content_type, content_transfer_encoding, x_mailer, user_agent, x_priority, x_msmail_priority, importance, x_mimeole, precedence,
  list_id, list_unsubscribe, list_unsubscribe_post, feedback_id, auto_submitted, disposition_notification_to, thread_index,
  x_php_script, x_php_originating_script, x_spam_flag, x_spam_status, count_
};

struct HeaderReading {
  HeaderReading(std::string_view octets, const mail::PartTable& parts, const HeaderContext& known_beside, HeaderSigns& found)
      : message(octets), table(parts), context(known_beside), signs(found) {}

  std::string_view message;
  const mail::PartTable& table;
  const HeaderContext& context;
  HeaderSigns& signs;

  bool truncated = false;
  std::vector<mail::HeaderField> all;                                                       // at most kMaxSignedFields
  std::array<std::size_t, static_cast<std::size_t>(Known::count_)> counts{};
  std::array<std::string_view, static_cast<std::size_t>(Known::count_)> first{};            // raw, cut

  std::vector<mail::HeaderAddress> from, sender, reply_to, to, cc;    // mailboxes alone
  bool to_group = false;                                              // To has a group
  std::string from_domain, from_org;                                  // of the first whole address of From; A-labels, "" without one
  std::optional<std::string> envelope;                                // "" = null path
  std::string envelope_org;
  std::string subject;                                                // decoded, at most 2 KiB
  std::vector<Hop> hops;                                              // the newest first
  std::string message_id;                                             // without brackets and white space around
  std::string id_org;                                                 // registrable domain of message_id, or ""

  bool has(Known field) const { return counts[static_cast<std::size_t>(field)] > 0; }
  std::size_t count(Known field) const { return counts[static_cast<std::size_t>(field)]; }
  std::string_view raw(Known field) const { return first[static_cast<std::size_t>(field)]; }
  // One line, white space around trimmed.
  std::string line(Known field) const { return mail::unfolded(raw(field)); }
  // Sets a sign that a missing field makes; unknown when the rest of the header was not read.
  void set_missing(HeaderSign sign, bool missing) const;
};

HeaderReading read_header(std::string_view message, const mail::PartTable& table, const HeaderContext& context, HeaderSigns& signs);

// Has both sides of the at sign.
inline bool is_usable(const mail::HeaderAddress& one) { return !one.local.empty() && !one.domain.empty(); }
// Registrable domain of a name or address literal; "" for "".
std::string org_of(std::string_view domain);
// "a.b@c" -> domain, lower case.
std::string domain_of_address(std::string_view address);

// One file each.
void find_field_signs(HeaderReading& reading);
void find_encoding_signs(HeaderReading& reading);
void find_identity_signs(HeaderReading& reading);    // Date and Message-ID
void find_address_signs(HeaderReading& reading);
void find_recipient_signs(HeaderReading& reading);
void find_subject_signs(HeaderReading& reading);
void find_mime_signs(HeaderReading& reading);
void find_mailer_signs(HeaderReading& reading);
void find_bulk_signs(HeaderReading& reading);
void find_way_signs(HeaderReading& reading);

}  // namespace postern::filters
