// DKIM public key records.  The DER of RSA keys is read here far enough to know its form and size;
// the arithmetic is libopendkim's.
#include "filters/dkim_key.h"

#include <optional>

#include "filters/tag_list.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

// libopendkim's buffer takes 1023 octets: enough for 4096 bits, which RFC 8301 3.2 asks for.
constexpr std::size_t kMaxRecord = 1023;

// Takes one DER element with the given tag off `der` and gives its content.
std::optional<std::string_view> take_der(std::string_view& der, unsigned char tag) {
  if (der.size() < 2 || static_cast<unsigned char>(der[0]) != tag) return std::nullopt;
  std::size_t length = static_cast<unsigned char>(der[1]);
  std::size_t at = 2;
  if (length & 0x80) {
    std::size_t octets = length & 0x7f;
    if (octets == 0 || octets > 3 || der.size() < 2 + octets) return std::nullopt;
    length = 0;
    for (; octets > 0; --octets) length = length << 8 | static_cast<unsigned char>(der[at++]);
  }
  if (der.size() - at < length) return std::nullopt;
  std::string_view content = der.substr(at, length);
  der.remove_prefix(at + length);
  return content;
}

std::string der_element(unsigned char tag, std::string_view content) {
  std::string out(1, static_cast<char>(tag));
  std::size_t length = content.size();
  if (length >= 0x100) {
    out += static_cast<char>(0x82);
    out += static_cast<char>(length >> 8 & 0xff);
  } else if (length >= 0x80) {
    out += static_cast<char>(0x81);
  }
  out += static_cast<char>(length & 0xff);
  return out.append(content);
}

// RSAPublicKey, RFC 8017 A.1.1: the size of its modulus in bits.
std::optional<int> rsa_bits(std::string_view der) {
  auto sequence = take_der(der, 0x30);
  if (!sequence || !der.empty()) return std::nullopt;
  auto modulus = take_der(*sequence, 0x02);
  auto exponent = take_der(*sequence, 0x02);
  if (!modulus || !exponent || exponent->empty()) return std::nullopt;
  while (!modulus->empty() && modulus->front() == '\0') modulus->remove_prefix(1);
  if (modulus->empty()) return std::nullopt;
  int bits = static_cast<int>(modulus->size()) * 8;
  for (unsigned char top = static_cast<unsigned char>(modulus->front()); (top & 0x80) == 0; top = static_cast<unsigned char>(top << 1)) --bits;
  return bits;
}

const std::string& rsa_algorithm() {
  // SEQUENCE { OBJECT IDENTIFIER rsaEncryption, NULL }
  static const std::string der("\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00", 15);
  return der;
}

Status read_rsa(std::string_view der, DkimKey& key) {
  std::string_view rest = der;
  auto outer = take_der(rest, 0x30);
  if (!outer) return Error("the key is no DER");
  std::string_view inner = *outer;
  std::string info(der);
  if (take_der(inner, 0x30)) {  // SubjectPublicKeyInfo
    auto bit_string = take_der(inner, 0x03);
    if (!bit_string || bit_string->empty()) return Error("the key is no RSA key");
    auto bits = rsa_bits(bit_string->substr(1));
    if (!bits) return Error("the key is no RSA key");
    key.bits = *bits;
  } else {
    auto bits = rsa_bits(der);
    if (!bits) return Error("the key is no RSA key");
    key.bits = *bits;
    info = der_element(0x30, rsa_algorithm() + der_element(0x03, std::string(1, '\0').append(der)));
  }
  key.record = "v=DKIM1; k=rsa; p=" + base64(info);
  if (key.record.size() > kMaxRecord) return Error("the key of " + std::to_string(key.bits) + " bits is too large");
  return {};
}

std::optional<std::string> decode(std::string_view value) {
  std::string text = without_space(value);
  while (text.size() % 4 != 0) text += '=';  // some publish keys without the padding
  return from_base64(text);
}

// Whether a ":" list names `wanted`; an absent list allows everything.
bool allows(std::optional<std::string_view> list, std::string_view wanted, std::string_view any = {}) {
  if (!list) return true;
  for (std::string_view item : split(*list, ':')) {
    item = trimmed(item);
    if (item == wanted || (!any.empty() && item == any)) return true;
  }
  return false;
}

}  // namespace

Result<DkimKey> parse_dkim_key(std::string_view text) {
  if (text.size() > 8192) return Error("the key record is too long");
  auto tags = TagList::parse(text);
  if (!tags) return Error("the key record is malformed: " + tags.error().text);
  DkimKey key;
  if (auto version = tags->find("v")) {
    bool first = tags->tags().front().name == "v";
    if (*version != "DKIM1" || !first) return Error("the key record has the wrong version");
  }
  auto p = tags->find("p");
  if (!p) return Error("the key record has no p=");
  if (auto flags = tags->find("t")) {
    key.testing = allows(flags, "y");
    key.same_domain = allows(flags, "s");
  }
  key.sha256 = allows(tags->find("h"), "sha256");
  key.email = allows(tags->find("s"), "email", "*");
  std::string_view type = tags->find("k").value_or("rsa");
  if (p->empty()) {
    key.revoked = true;
    return key;
  }
  auto octets = decode(*p);
  if (!octets) return Error("p= of the key record is no base64");
  if (type == "rsa") {
    auto read = read_rsa(*octets, key);
    if (!read) return read.error();
  } else if (type == "ed25519") {
    if (octets->size() != 32) return Error("the Ed25519 key has not 32 octets");
    key.type = DkimKey::Type::ed25519;
    key.bits = 256;
    key.record = "v=DKIM1; k=ed25519; p=" + base64(*octets);
  } else {
    return Error("the key has the unknown type \"" + printable(type, 20) + "\"");
  }
  return key;
}

}  // namespace postern::filters
