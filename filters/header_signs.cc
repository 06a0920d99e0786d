// The signs of a header: everything is read once, then each family looks at it.  What rspamd and SpamAssassin ask of headers
// was the list to start from; what tells only by which provider or in which year a message went is left out or `context`.
#include "filters/header_signs.h"

#include <algorithm>

#include "filters/dmarc.h"
#include "filters/header_reading.h"
#include "gateway/base/text.h"
#include "gateway/mail/encoded_word.h"
#include "gateway/mail/idna.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxSubject = 2048;

constexpr std::array<std::string_view, static_cast<std::size_t>(Known::count_)> kNames = {
    "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Return-Path", "Received",
    "MIME-Version", "Content-Type", "Content-Transfer-Encoding", "X-Mailer", "User-Agent", "X-Priority", "X-MSMail-Priority", "Importance",
    "X-MimeOLE", "Precedence", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID", "Auto-Submitted",
    "Disposition-Notification-To", "Thread-Index", "X-PHP-Script", "X-PHP-Originating-Script", "X-Spam-Flag", "X-Spam-Status"};

std::optional<std::size_t> known(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name.size() == kNames[i].size() && iequals(name, kNames[i])) return i;
  }
  return std::nullopt;
}

std::vector<mail::HeaderAddress> mailboxes(std::string_view raw, bool* group = nullptr) {
  auto list = mail::parse_address_list(raw, kMaxSignedAddresses);
  if (group != nullptr) *group = std::any_of(list.begin(), list.end(), [](const auto& one) { return one.kind == mail::HeaderAddress::Kind::group_begin; });
  std::erase_if(list, [](const mail::HeaderAddress& one) { return one.kind != mail::HeaderAddress::Kind::mailbox; });
  return list;
}

void read_fields(HeaderReading& reading) {
  std::string_view header = reading.message.substr(0, kMaxSignedHeader);
  mail::HeaderReader reader(header);
  mail::HeaderField field;
  while (reader.next(field)) {
    if (reading.all.size() == kMaxSignedFields) {
      reading.truncated = true;
      break;
    }
    field.raw = field.raw.substr(0, kMaxSignedField);
    reading.all.push_back(field);
    auto which = known(field.name);
    if (!which) continue;
    if (reading.counts[*which]++ == 0) reading.first[*which] = field.raw;
    bool received = *which == static_cast<std::size_t>(Known::received);
    if (received && reading.hops.size() < kMaxHops) reading.hops.push_back(read_hop(field.raw));
  }
  // The header did not end where we stopped.
  if (!reading.all.empty() && reading.all.back().end >= kMaxSignedHeader && reading.message.size() > kMaxSignedHeader) reading.truncated = true;
}

void read_identity(HeaderReading& reading) {
  std::string_view id = trimmed(reading.raw(Known::message_id));
  std::size_t open = id.find('<');
  if (open != std::string_view::npos) id = id.substr(open + 1, id.find('>', open) == std::string_view::npos ? std::string_view::npos : id.find('>', open) - open - 1);
  reading.message_id = std::string(trimmed(id.substr(0, 998)));
  if (std::size_t at = reading.message_id.rfind('@'); at != std::string::npos) reading.id_org = org_of(reading.message_id.substr(at + 1));
}

}  // namespace

void HeaderReading::set_missing(HeaderSign sign, bool missing) const {
  if (missing && truncated) {
    signs.set_unknown(sign);
  } else {
    signs.set(sign, missing);
  }
}

std::string org_of(std::string_view domain) {
  domain = trimmed(domain.substr(0, 1024));
  if (domain.empty() || domain.front() == '[') return ascii_lowered(domain);
  auto ascii = mail::domain_to_ascii(domain);
  return organizational_domain(ascii ? *ascii : ascii_lowered(domain.substr(0, 255)));
}

std::string domain_of_address(std::string_view address) {
  std::size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string() : ascii_lowered(address.substr(at + 1));
}

HeaderReading read_header(std::string_view message, const mail::PartTable& table, const HeaderContext& context, HeaderSigns& signs) {
  HeaderReading out(message, table, context, signs);
  read_fields(out);
  out.from = mailboxes(out.raw(Known::from));
  out.sender = mailboxes(out.raw(Known::sender));
  out.reply_to = mailboxes(out.raw(Known::reply_to));
  out.to = mailboxes(out.raw(Known::to), &out.to_group);
  out.cc = mailboxes(out.raw(Known::cc));
  if (auto whole = std::find_if(out.from.begin(), out.from.end(), is_usable); whole != out.from.end()) {
    const std::string& domain = whole->domain;
    out.from_domain = mail::domain_to_ascii(domain).value_or(ascii_lowered(domain));
    out.from_org = org_of(domain);
  }
  out.envelope = context.envelope_sender;
  if (!out.envelope && out.has(Known::return_path)) {
    std::string_view path = trimmed(out.raw(Known::return_path));
    if (path.starts_with('<') && path.ends_with('>')) path = path.substr(1, path.size() - 2);
    out.envelope = std::string(path);
  }
  if (out.envelope) out.envelope_org = org_of(domain_of_address(*out.envelope));
  out.subject = mail::decode_words(mail::unfolded(out.raw(Known::subject).substr(0, kMaxSubject)));
  read_identity(out);
  return out;
}

HeaderSigns header_signs(std::string_view message, const mail::PartTable& table, const HeaderContext& context) {
  HeaderSigns signs;
  HeaderReading reading = read_header(message, table, context, signs);
  find_field_signs(reading);
  find_encoding_signs(reading);
  find_identity_signs(reading);
  find_address_signs(reading);
  find_recipient_signs(reading);
  find_subject_signs(reading);
  find_mime_signs(reading);
  find_mailer_signs(reading);
  find_bulk_signs(reading);
  find_way_signs(reading);
  return signs;
}

}  // namespace postern::filters
