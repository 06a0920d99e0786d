// One message's DKIM-Signature fields.
#include "gateway/signing/signature.h"

#include <algorithm>
#include <array>
#include <map>

#include "gateway/base/text.h"
#include "gateway/mail/address.h"
#include "gateway/mail/dkim_canonical.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/idna.h"

namespace postern::signing {
namespace {

// Sealed whether they are there or not.  Sender and Resent-* are not among them: who passes a message on may set them.
constexpr std::array<std::string_view, 12> kSealed = {"From",        "To",         "Cc",           "Subject",      "Date",
                                                      "Message-ID",  "Reply-To",   "In-Reply-To",  "References",   "MIME-Version",
                                                      "Content-Type", "Content-Transfer-Encoding"};
// Sealed where there is one.
constexpr std::array<std::string_view, 8> kOfLists = {"List-Id",   "List-Unsubscribe", "List-Unsubscribe-Post", "List-Help",
                                                      "List-Subscribe", "List-Post",   "List-Owner",            "List-Archive"};

constexpr std::size_t kMaxInstances = 300;     // of signed fields; a header with more is an attack or a mistake
constexpr std::size_t kMaxField = 60'000;      // verifiers give up on longer ones
constexpr std::size_t kMaxAuthors = 5;
constexpr std::size_t kLine = 76;

// The header as far as it is signed: h= and the canonical fields in its order, RFC 6376 5.4.2: from the bottom up.
struct Signed {
  std::vector<std::string_view> names;
  std::string canonical;
};

Result<Signed> signed_header(std::string_view message) {
  std::map<std::string_view, std::vector<mail::HeaderField>> found;
  mail::HeaderReader reader(message);
  mail::HeaderField field;
  std::size_t instances = 0;
  auto of = [](const auto& names, std::string_view name) {
    auto at = std::find_if(names.begin(), names.end(), [&](std::string_view each) { return iequals(each, name); });
    return at == names.end() ? std::string_view() : *at;
  };
  while (reader.next(field)) {
    auto name = of(kSealed, field.name);
    if (name.empty()) name = of(kOfLists, field.name);
    if (name.empty()) continue;
    if (++instances > kMaxInstances) return Error("the header has more than " + std::to_string(kMaxInstances) + " fields to be signed");
    if (field.raw.size() > kMaxField) return Error("the field " + std::string(name) + " is too long to be verified by anybody");
    // White space to some verifiers (libopendkim, dkimpy), none by RFC 6376 2.8: no signature would fit for all.
    if (field.raw.find_first_of("\v\f") != std::string_view::npos) return Error("the field " + std::string(name) + " holds a form feed or a vertical tab");
    found[name].push_back(field);
  }
  Signed out;
  auto add = [&](std::string_view name, bool absent_too) {
    auto& fields = found[name];
    for (auto at = fields.rbegin(); at != fields.rend(); ++at) {
      out.names.push_back(name);
      mail::relaxed_field(at->name, at->raw, out.canonical);
    }
    if (absent_too || !fields.empty()) out.names.push_back(name);
  };
  for (auto name : kSealed) add(name, true);
  for (auto name : kOfLists) add(name, false);
  return out;
}

// Tags on lines of a length that no server folds anew.
class Field {
 public:
  void tag(std::string_view text) { put(std::string(text), " "); }
  // A value that may be cut between its parts.
  void list(std::string_view tag, const std::vector<std::string_view>& parts, char separator) {
    std::string piece(tag);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      piece += parts[i];
      piece += i + 1 == parts.size() ? ';' : separator;
      put(std::exchange(piece, {}), i == 0 ? " " : "");
    }
  }
  void line() {
    text_ += "\r\n\t";
    column_ = 8;
  }
  void raw(std::string_view text) { put(std::string(text), ""); }
  const std::string& text() const { return text_; }

 private:
  void put(std::string piece, std::string_view before) {
    if (column_ + before.size() + piece.size() > kLine) line();
    else if (column_ != 8) piece = std::string(before) + piece;
    text_ += piece;
    column_ += piece.size();
  }
  std::string text_ = "DKIM-Signature:";
  std::size_t column_ = 15;
};

std::string body_hash(std::string_view body) {
  Sha256 hash;
  mail::relaxed_body(body, [&hash](std::string_view piece) { hash.add(piece); });
  return base64(hash.finish());
}

Result<std::string> one(const Key& key, const Signed& header, const std::string& bh, Time now) {
  Field field;
  field.tag("v=1;");
  field.tag("a=" + std::string(name(key.algorithm)) + "-sha256;");
  field.tag("c=relaxed/relaxed;");
  field.tag("d=" + key.domain + ";");
  field.tag("s=" + key.selector + ";");
  field.tag("t=" + std::to_string(to_unix(now)) + ";");
  field.line();
  field.list("h=", header.names, ':');
  field.line();
  field.tag("bh=" + bh + ";");
  field.line();
  field.tag("b=");
  std::string input = header.canonical;
  mail::relaxed_field("DKIM-Signature", std::string_view(field.text()).substr(15), input);
  input.resize(input.size() - 2);   // RFC 6376 3.7: without the final CRLF
  Sha256 hash;
  hash.add(input);
  auto signature = key.secret->sign(hash.finish());
  if (!signature) return signature.error();
  auto text = base64(*signature);
  std::string out = field.text();
  constexpr std::size_t kFirst = 64, kRest = 68;
  for (std::size_t at = 0, size = kFirst; at < text.size(); at += size, size = kRest) {
    if (at != 0) {
      out += "\r\n\t";
      size = kRest;
    }
    out += std::string_view(text).substr(at, size);
  }
  return out + "\r\n";
}

}  // namespace

Result<std::string> signatures_of(std::string_view message, const std::vector<const Key*>& keys, Time now) {
  auto header = signed_header(message);
  if (!header) return header.error();
  mail::HeaderReader reader(message);
  mail::HeaderField field;
  while (reader.next(field)) {}
  auto bh = body_hash(message.substr(reader.body_offset()));
  std::string out;
  for (const auto* key : keys) {
    auto made = one(*key, *header, bh, now);
    if (!made) return made.error();
    out += *made;
  }
  return out;
}

Result<std::vector<std::string>> author_domains(std::string_view message) {
  mail::HeaderReader reader(message);
  mail::HeaderField field;
  std::optional<std::string_view> from;
  while (reader.next(field)) {
    if (!iequals(field.name, "From")) continue;
    if (from) return Error("it has several From fields");
    from = field.raw;
  }
  if (!from) return Error("it has no From field");
  std::vector<std::string> out;
  for (const auto& author : mail::parse_address_list(*from, kMaxAuthors + 1)) {
    if (author.kind != mail::HeaderAddress::Kind::mailbox) continue;
    auto domain = mail::domain_to_ascii(author.domain);
    if (!domain) return Error("an author has no valid domain");
    if (std::find(out.begin(), out.end(), *domain) == out.end()) out.push_back(std::move(*domain));
  }
  if (out.empty()) return Error("its From field has no address");
  if (out.size() > kMaxAuthors) return Error("it has too many authors");
  return out;
}

}  // namespace postern::signing
