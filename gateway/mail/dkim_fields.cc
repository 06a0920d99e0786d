// Which header fields a signature covers, and in which form they are hashed.  RFC 6376 3.7, 5.4.2.
#include "gateway/mail/dkim_fields.h"

#include "gateway/base/text.h"
#include "gateway/mail/dkim_canonical.h"

namespace postern::mail {

SignedFields::SignedFields(std::string_view message, std::size_t max_fields) : message_(message) {
  HeaderReader reader(message);
  HeaderField field;
  while (reader.next(field)) {
    if (field.name.empty()) continue;
    if (fields_.size() == max_fields) {
      truncated_ = true;
      continue;   // only to find the body
    }
    places_[ascii_lowered(field.name)].push_back(fields_.size());
    fields_.push_back(field);
  }
  header_size_ = reader.fields_end();
  body_offset_ = reader.body_offset();
}

std::vector<const HeaderField*> SignedFields::pick(const std::vector<std::string_view>& names) const {
  std::vector<const HeaderField*> out;
  std::map<std::string, std::size_t> taken;
  for (auto name : names) {
    auto key = ascii_lowered(name);
    auto found = places_.find(key);
    if (found == places_.end()) continue;
    std::size_t& count = taken[std::move(key)];
    if (count == found->second.size()) continue;
    ++count;
    out.push_back(&fields_[found->second[found->second.size() - count]]);
  }
  return out;
}

void canonical_field(std::string_view message, const HeaderField& field, bool relaxed, std::string& out) {
  if (relaxed) return relaxed_field(field.name, field.raw, out);
  auto whole = message.substr(field.begin, field.end - field.begin);
  out += whole;
  if (!whole.ends_with("\r\n")) out += "\r\n";   // the header's last field, without a line end
}

void canonical_signature(std::string_view message, const HeaderField& field, bool relaxed, std::string& out) {
  auto raw = without_b(field.raw);
  if (relaxed) {
    relaxed_field(field.name, raw, out);
    out.resize(out.size() - 2);
    return;
  }
  auto before = static_cast<std::size_t>(field.raw.data() - (message.data() + field.begin));
  out += message.substr(field.begin, before);
  out += raw;
}

std::string without_b(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  for (bool first = true;; first = false) {
    auto end = raw.find(';');
    auto piece = raw.substr(0, end);
    if (!first) out += ';';
    auto equals = piece.find('=');
    bool is_b = equals != std::string_view::npos && trimmed(piece.substr(0, equals)) == "b";
    out += is_b ? piece.substr(0, equals + 1) : piece;
    if (end == std::string_view::npos) return out;
    raw.remove_prefix(end + 1);
  }
}

}  // namespace postern::mail
