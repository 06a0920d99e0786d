// The header and the body as we sign them, and how the field is written.
#include "gateway/signing/signed_header.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/mail/dkim_canonical.h"
#include "gateway/mail/headers.h"

namespace postern::signing {
namespace {

// Sealed whether they are there or not.  Sender and Resent-* are not among them: who passes a message on may set them.
constexpr std::array<std::string_view, 12> kSealed = {"From",        "To",         "Cc",           "Subject",      "Date",
                                                      "Message-ID",  "Reply-To",   "In-Reply-To",  "References",   "MIME-Version",
                                                      "Content-Type", "Content-Transfer-Encoding"};
// Sealed where there is one.
constexpr std::array<std::string_view, 8> kOfLists = {"List-Id",   "List-Unsubscribe", "List-Unsubscribe-Post", "List-Help",
                                                      "List-Subscribe", "List-Post",   "List-Owner",            "List-Archive"};
constexpr std::array<std::string_view, 1> kSignatures = {"DKIM-Signature"};

constexpr std::size_t kMaxInstances = 300;     // of signed fields; a header with more is an attack or a mistake
constexpr std::size_t kMaxField = 60'000;      // verifiers give up on longer ones
constexpr std::size_t kLine = 76;

using Found = std::map<std::string_view, std::vector<mail::HeaderField>>;

template <class Names>
std::string_view among(const Names& names, std::string_view name) {
  auto at = std::find_if(names.begin(), names.end(), [&](std::string_view each) { return iequals(each, name); });
  return at == names.end() ? std::string_view() : *at;
}

Result<Found> find_fields(std::string_view message, bool signatures) {
  Found found;
  mail::HeaderReader reader(message);
  mail::HeaderField field;
  std::size_t instances = 0;
  while (reader.next(field)) {
    auto name = among(kSealed, field.name);
    if (name.empty()) name = among(kOfLists, field.name);
    if (name.empty() && signatures) name = among(kSignatures, field.name);
    if (name.empty()) continue;
    if (++instances > kMaxInstances) return Error("the header has more than " + std::to_string(kMaxInstances) + " fields to be signed");
    if (field.raw.size() > kMaxField) return Error("the field " + std::string(name) + " is too long to be verified by anybody");
    // White space to some verifiers (libopendkim, dkimpy), none by RFC 6376 2.8: no signature would fit for all.
    if (field.raw.find_first_of("\v\f") != std::string_view::npos) return Error("the field " + std::string(name) + " holds a form feed or a vertical tab");
    found[name].push_back(field);
  }
  return found;
}

}  // namespace

Result<SignedHeader> signed_header(std::string_view message, bool signatures) {
  auto found = find_fields(message, signatures);
  if (!found) return found.error();
  SignedHeader out;
  auto add = [&](std::string_view name, bool absent_too) {
    auto& fields = (*found)[name];
    for (auto at = fields.rbegin(); at != fields.rend(); ++at) {
      out.names.push_back(name);
      mail::relaxed_field(at->name, at->raw, out.canonical);
    }
    if (absent_too) out.names.push_back(name);
  };
  for (auto name : kSealed) add(name, true);
  for (auto name : kOfLists) add(name, !(*found)[name].empty());
  for (auto name : kSignatures) add(name, false);   // who passes the message on may add his own
  return out;
}

std::string body_hash(std::string_view message) {
  mail::HeaderReader reader(message);
  mail::HeaderField field;
  while (reader.next(field)) {}
  Sha256 hash;
  mail::relaxed_body(message.substr(reader.body_offset()), [&hash](std::string_view piece) { hash.add(piece); });
  return base64(hash.finish());
}

void TagLines::tag(std::string_view text) { put(std::string(text), " "); }

void TagLines::list(std::string_view tag, const std::vector<std::string_view>& parts, char separator) {
  std::string piece(tag);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    piece += parts[i];
    piece += i + 1 == parts.size() ? ';' : separator;
    put(std::exchange(piece, {}), i == 0 ? " " : "");
  }
}

void TagLines::b(bool last) {
  tag("b=");
  b_ = text_.size();
  if (last) return;
  text_ += ';';
  line();
}

void TagLines::line() {
  if (column_ == 8) return;
  text_ += "\r\n\t";
  column_ = 8;
}

void TagLines::put(std::string piece, std::string_view before) {
  if (column_ + before.size() + piece.size() > kLine) line();
  else if (column_ != 8) piece = std::string(before) + piece;
  text_ += piece;
  column_ += piece.size();
}

std::string TagLines::with(std::string_view signature, bool folded) const {
  std::string out = text_.substr(0, b_);
  constexpr std::size_t kFirst = 64, kRest = 68;
  for (std::size_t at = 0, size = folded ? kFirst : signature.size(); at < signature.size(); at += size, size = kRest) {
    if (at != 0) {
      out += "\r\n\t";
      size = kRest;
    }
    out += signature.substr(at, size);
  }
  return out + text_.substr(b_) + "\r\n";
}

void TagLines::canonical(std::string& out) const {
  auto text = std::string_view(text_);
  mail::relaxed_field(text.substr(0, name_ - 1), text.substr(name_), out);
  out.resize(out.size() - 2);   // RFC 6376 3.7: without the final CRLF
}

Result<std::string> sign_tags(const TagLines& field, std::string input, const Key& key, bool folded) {
  field.canonical(input);
  Sha256 hash;
  hash.add(input);
  auto signature = key.secret->sign(hash.finish());
  if (!signature) return signature.error();
  return field.with(base64(*signature), folded);
}

}  // namespace postern::signing
