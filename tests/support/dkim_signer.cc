// A DKIM signer for tests.  RFC 6376 3.4, 3.7; RFC 8463.
#include "tests/support/dkim_signer.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>

#include "gateway/base/check.h"
#include "gateway/base/text.h"

namespace postern::test {
namespace {

std::string sha256(std::string_view octets) {
  std::string out(32, '\0');
  unsigned size = 0;
  CHECK(EVP_Digest(octets.data(), octets.size(), reinterpret_cast<unsigned char*>(out.data()), &size, EVP_sha256(), nullptr) == 1);
  return out;
}

std::string joined_spaces(std::string_view line) {
  std::string out;
  for (char c : line) {
    if (c == '\t' || c == '\r' || c == '\n') c = ' ';
    if (c != ' ' || out.empty() || out.back() != ' ') out += c;
  }
  return out;
}

std::string canonical_body(std::string_view body, bool relaxed) {
  std::string out;
  while (!body.empty()) {
    std::size_t end = body.find("\r\n");
    std::string line(body.substr(0, end));
    body = end == std::string_view::npos ? std::string_view() : body.substr(end + 2);
    if (relaxed) {
      line = joined_spaces(line);
      if (!line.empty() && line.back() == ' ') line.pop_back();
    }
    out += line + "\r\n";
  }
  while (out.ends_with("\r\n\r\n")) out.resize(out.size() - 2);
  if (out == "\r\n" && relaxed) out.clear();
  if (out.empty() && !relaxed) out = "\r\n";
  return out;
}

std::string canonical_field(std::string_view field, bool relaxed) {
  if (!relaxed) return std::string(field);
  std::size_t colon = field.find(':');
  std::string value = joined_spaces(field.substr(colon + 1));
  return ascii_lowered(trimmed(field.substr(0, colon))) + ":" + std::string(trimmed(value));
}

std::vector<std::string> fields_of(std::string_view header) {
  std::vector<std::string> out;
  while (!header.empty()) {
    std::size_t end = header.find("\r\n");
    while (end != std::string_view::npos && end + 2 < header.size() && is_wsp(header[end + 2])) end = header.find("\r\n", end + 2);
    out.emplace_back(header.substr(0, end));
    header = end == std::string_view::npos ? std::string_view() : header.substr(end + 2);
  }
  return out;
}

std::string der_of(const evp_pkey_st* key, bool bare) {
  unsigned char* out = nullptr;
  int size = bare ? i2d_PublicKey(key, &out) : i2d_PUBKEY(key, &out);
  CHECK(size > 0);
  std::string der(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
  OPENSSL_free(out);
  return der;
}

std::shared_ptr<evp_pkey_st> owned(evp_pkey_st* key) {
  CHECK(key != nullptr);
  return {key, EVP_PKEY_free};
}

}  // namespace

DkimTestKey DkimTestKey::rsa(int bits) { return DkimTestKey(owned(EVP_RSA_gen(static_cast<unsigned>(bits)))); }
DkimTestKey DkimTestKey::ed25519() { return DkimTestKey(owned(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"))); }

DkimTestKey DkimTestKey::read(std::string_view text) {
  if (text.find("-----BEGIN") == std::string_view::npos) {
    auto seed = from_base64(trimmed(text));
    CHECK(seed && seed->size() == 32);
    return DkimTestKey(owned(EVP_PKEY_new_raw_private_key(
        EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(seed->data()), seed->size())));
  }
  BIO* memory = BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
  evp_pkey_st* key = PEM_read_bio_PrivateKey(memory, nullptr, nullptr, nullptr);
  BIO_free(memory);
  return DkimTestKey(owned(key));
}

bool DkimTestKey::is_ed25519() const { return EVP_PKEY_get_base_id(key_.get()) == EVP_PKEY_ED25519; }

std::string DkimTestKey::record() const {
  if (!is_ed25519()) return "v=DKIM1; k=rsa; p=" + base64(der_of(key_.get(), false));
  std::string raw(32, '\0');
  std::size_t size = raw.size();
  CHECK(EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(raw.data()), &size) == 1);
  return "v=DKIM1; k=ed25519; p=" + base64(raw);
}

std::string DkimTestKey::bare_rsa_record() const { return "v=DKIM1; p=" + base64(der_of(key_.get(), true)); }

std::string DkimTestKey::sign(std::string_view octets) const {
  // RFC 8463 3: Ed25519 signs the SHA-256 hash, not the header itself.
  std::string input = is_ed25519() ? sha256(octets) : std::string(octets);
  const EVP_MD* digest = is_ed25519() ? nullptr : EVP_sha256();
  std::string out(1024, '\0');
  std::size_t size = out.size();
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  CHECK(EVP_DigestSignInit(context, nullptr, digest, nullptr, key_.get()) == 1);
  CHECK(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(out.data()), &size,
                       reinterpret_cast<const unsigned char*>(input.data()), input.size()) == 1);
  EVP_MD_CTX_free(context);
  out.resize(size);
  return out;
}

std::string dkim_field(std::string_view message, const DkimTestKey& key, const DkimSigning& how) {
  std::size_t end = message.find("\r\n\r\n");
  std::vector<std::string> fields = fields_of(message.substr(0, end));
  auto halves = split(how.canonicalization, '/');
  bool relaxed_header = halves[0] == "relaxed";
  bool relaxed_body = halves.size() > 1 && halves[1] == "relaxed";
  std::string body = canonical_body(end == std::string_view::npos ? std::string_view() : message.substr(end + 4), relaxed_body);
  std::string length;
  if (how.body_length >= 0) {
    body.resize(std::min(body.size(), static_cast<std::size_t>(how.body_length)));
    length = " l=" + std::to_string(how.body_length) + ";";
  }
  std::string algorithm = !how.algorithm.empty() ? how.algorithm : key.is_ed25519() ? "ed25519-sha256" : "rsa-sha256";
  std::string field = how.name + ":" + (how.version.empty() ? "" : " v=" + how.version + ";") + " a=" + algorithm + "; c=" + how.canonicalization + ";\r\n d=" +
                      how.domain + "; s=" + how.selector + ";" + length + " " + how.tags + "\r\n h=" + join(how.fields, ":") +
                      ";\r\n bh=" + base64(sha256(body)) + ";\r\n b=";
  std::string input;
  for (const std::string& name : how.fields) {
    for (std::size_t i = fields.size(); i-- > 0;) {
      if (!iequals(trimmed(std::string_view(fields[i]).substr(0, fields[i].find(':'))), name)) continue;
      input += canonical_field(fields[i], relaxed_header) + "\r\n";
      fields[i].clear();  // RFC 6376 5.4.2: each one once, from the bottom
      break;
    }
  }
  input += canonical_field(field, relaxed_header);
  return field + base64(key.sign(input)) + "\r\n";
}

std::string arc_set(std::string_view message, const DkimTestKey& key, const ArcSetting& how) {
  std::string number = std::to_string(how.instance);
  DkimSigning signing = how.message_signature;
  signing.name = "ARC-Message-Signature";
  signing.version.clear();
  signing.domain = how.domain;
  signing.selector = how.selector;
  signing.tags = "i=" + number + "; " + signing.tags;
  std::string message_signature = dkim_field(message, key, signing);
  std::string results = "ARC-Authentication-Results: i=" + number + "; " + how.results + "\r\n";

  std::string input;
  auto fields = fields_of(message.substr(0, message.find("\r\n\r\n")));
  for (unsigned i = 1; i < how.instance && !how.alone; ++i) {
    for (const char* name : {"ARC-Authentication-Results:", "ARC-Message-Signature:", "ARC-Seal:"}) {
      for (const auto& field : fields) {
        if (field.starts_with(name) && field.find(" i=" + std::to_string(i) + ";") != std::string::npos) input += canonical_field(field, true) + "\r\n";
      }
    }
  }
  auto without_end = [](std::string_view field) { return field.substr(0, field.size() - 2); };
  input += canonical_field(without_end(results), true) + "\r\n" + canonical_field(without_end(message_signature), true) + "\r\n";
  std::string cv = !how.cv.empty() ? how.cv : how.instance == 1 ? "none" : "pass";
  std::string algorithm = !signing.algorithm.empty() ? signing.algorithm : key.is_ed25519() ? "ed25519-sha256" : "rsa-sha256";
  std::string seal = "ARC-Seal: i=" + number + "; a=" + algorithm + "; cv=" + cv + "; d=" + how.domain + "; s=" + how.selector + ";" +
                     how.seal_tags + "\r\n b=";
  input += canonical_field(seal, true);
  return seal + base64(key.sign(input)) + "\r\n" + message_signature + results;
}

}  // namespace postern::test
