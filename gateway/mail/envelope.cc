// The IMAP envelope of a message as a blob.  RFC 3501 7.4.2: ten fields, everything else of a header is passed over.
#include "gateway/mail/envelope.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/mail/blob.h"
#include "gateway/mail/headers.h"

namespace postern::mail {

namespace {

constexpr std::uint64_t kVersion = 1;

constexpr std::array<std::string_view, EnvelopeView::kFields> kNames = {
    "Date", "Subject", "From", "Sender", "Reply-To", "To", "Cc", "Bcc", "In-Reply-To", "Message-ID"};

constexpr bool is_address_field(std::size_t field) {
  return field >= EnvelopeView::from && field <= EnvelopeView::bcc;
}

// The index in kNames, or kFields.
std::size_t field_index(std::string_view name) {
  if (name.size() < 2 || name.size() > 11) return EnvelopeView::kFields;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (iequals(name, kNames[i])) return i;
  }
  return EnvelopeView::kFields;
}

std::string cut_value(std::string_view raw, std::size_t room) {
  room = std::min(room, kMaxEnvelopeField);
  // Folding takes octets away, so a raw value may be a little longer than what remains of it.
  std::string value = unfolded(raw.substr(0, room * 2));
  std::erase(value, '\0');
  if (value.size() > room) value.resize(room);
  return value;
}

}  // namespace

std::string envelope_of(std::string_view header) {
  std::array<std::optional<std::string>, EnvelopeView::kFields> values;
  std::size_t total = 0;
  HeaderReader reader(header);
  HeaderField field;
  while (reader.next(field)) {
    std::size_t index = field_index(field.name);
    if (index == EnvelopeView::kFields) continue;
    auto& value = values[index];
    if (value && !is_address_field(index)) continue;
    std::string next = cut_value(field.raw, kMaxEnvelope - std::min(total, kMaxEnvelope));
    if (value && value->size() + next.size() + 2 > kMaxEnvelopeField) continue;
    total += next.size() + 2;
    if (!value) {
      value = std::move(next);
    } else if (!next.empty()) {
      *value += value->empty() ? next : ", " + next;
    }
  }
  std::string blob;
  blob.reserve(total + 16);
  put_number(blob, kVersion);
  std::uint64_t present = 0;
  for (std::size_t i = 0; i < values.size(); ++i) present |= values[i] ? 1ULL << i : 0;
  put_number(blob, present);
  for (const auto& value : values) {
    if (value) put_text(blob, *value);
  }
  return blob;
}

std::optional<EnvelopeView> EnvelopeView::read(std::string_view blob) {
  BlobReader reader(blob);
  if (reader.number() != kVersion) return std::nullopt;
  std::uint64_t present = reader.number((1ULL << kFields) - 1);
  EnvelopeView view;
  for (std::size_t i = 0; i < kFields; ++i) {
    if ((present >> i & 1) != 0) view.values_[i] = reader.text();
  }
  if (!reader.ok() || !reader.at_end()) return std::nullopt;
  return view;
}

}  // namespace postern::mail
