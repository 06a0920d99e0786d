// Keys and signatures with OpenSSL.  Not libopendkim: it parses the PEM for each message and leaks some hundred octets
// with each Ed25519 signature.
#include "gateway/signing/private_key.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "gateway/base/text.h"

namespace postern::signing {
namespace {

constexpr unsigned kRsaBits = 2048;
constexpr std::size_t kMaxSignature = 1024;   // of RSA with 8192 bits

const unsigned char* bytes(std::string_view octets) { return reinterpret_cast<const unsigned char*>(octets.data()); }

Error openssl_error(std::string what) {
  char text[256] = "";
  if (auto code = ERR_get_error()) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return Error(std::move(what) + (text[0] != 0 ? ": " + std::string(text) : ""));
}

// What an i2d function writes.
template <class Write>
std::string der(Write write) {
  unsigned char* out = nullptr;
  int size = write(&out);
  CHECK(size > 0);
  std::string octets(reinterpret_cast<char*>(out), static_cast<std::size_t>(size));
  OPENSSL_clear_free(out, static_cast<std::size_t>(size));
  return octets;
}

}  // namespace

std::string_view name(Algorithm algorithm) { return algorithm == Algorithm::rsa ? "rsa" : "ed25519"; }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  CHECK(context_ != nullptr && EVP_DigestInit_ex(context_, EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() { EVP_MD_CTX_free(context_); }

void Sha256::add(std::string_view octets) { CHECK(EVP_DigestUpdate(context_, octets.data(), octets.size()) == 1); }

std::string Sha256::finish() {
  std::string out(32, '\0');
  CHECK(EVP_DigestFinal_ex(context_, reinterpret_cast<unsigned char*>(out.data()), nullptr) == 1);
  return out;
}

PrivateKey::PrivateKey(Algorithm algorithm, evp_pkey_st* key) : algorithm_(algorithm), key_(key, EVP_PKEY_free) {}

Result<PrivateKey> PrivateKey::generate(Algorithm algorithm) {
  auto* made = algorithm == Algorithm::rsa ? EVP_RSA_gen(kRsaBits) : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  if (made == nullptr) return openssl_error("a key could not be made");
  return PrivateKey(algorithm, made);
}

Result<PrivateKey> PrivateKey::read(Algorithm algorithm, std::string_view octets) {
  evp_pkey_st* read = nullptr;
  if (algorithm == Algorithm::ed25519) {
    read = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes(octets), octets.size());
  } else {
    const auto* at = bytes(octets);
    read = d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(octets.size()));
    bool is_rsa = read != nullptr && EVP_PKEY_get_base_id(read) == EVP_PKEY_RSA;
    if (read != nullptr && !is_rsa) EVP_PKEY_free(std::exchange(read, nullptr));
  }
  if (read == nullptr) return openssl_error("the private key cannot be read");
  return PrivateKey(algorithm, read);
}

std::string PrivateKey::octets() const {
  if (algorithm_ == Algorithm::ed25519) {
    std::string seed(32, '\0');
    std::size_t size = seed.size();
    CHECK(EVP_PKEY_get_raw_private_key(key_.get(), reinterpret_cast<unsigned char*>(seed.data()), &size) == 1 && size == 32);
    return seed;
  }
  auto* info = EVP_PKEY2PKCS8(key_.get());
  CHECK(info != nullptr);
  auto out = der([info](unsigned char** to) { return i2d_PKCS8_PRIV_KEY_INFO(info, to); });
  PKCS8_PRIV_KEY_INFO_free(info);
  return out;
}

std::string PrivateKey::public_text() const {
  if (algorithm_ == Algorithm::rsa) return base64(der([this](unsigned char** to) { return i2d_PUBKEY(key_.get(), to); }));
  std::string raw(32, '\0');
  std::size_t size = raw.size();
  CHECK(EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(raw.data()), &size) == 1 && size == 32);
  return base64(raw);
}

Result<std::string> PrivateKey::sign(std::string_view hash) const {
  std::string out(kMaxSignature, '\0');
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  std::size_t size = out.size();
  bool done = false;
  if (algorithm_ == Algorithm::rsa) {
    auto* context = EVP_PKEY_CTX_new(key_.get(), nullptr);
    done = context != nullptr && EVP_PKEY_sign_init(context) == 1 && EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 && EVP_PKEY_sign(context, to, &size, bytes(hash), hash.size()) == 1;
    EVP_PKEY_CTX_free(context);
  } else {
    auto* context = EVP_MD_CTX_new();
    done = context != nullptr && EVP_DigestSignInit(context, nullptr, nullptr, nullptr, key_.get()) == 1 &&
           EVP_DigestSign(context, to, &size, bytes(hash), hash.size()) == 1;
    EVP_MD_CTX_free(context);
  }
  if (!done) return openssl_error("OpenSSL could not sign");
  out.resize(size);
  return out;
}

}  // namespace postern::signing
