// Hashes and public keys for ARC.
#include "filters/arc_crypto.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "gateway/base/check.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

// Everybody's is 65537.  One as long as the modulus makes a verification a hundred times dearer.
constexpr int kMaxExponentBits = 64;

const unsigned char* bytes(std::string_view octets) { return reinterpret_cast<const unsigned char*>(octets.data()); }

std::shared_ptr<evp_md_ctx_st> new_context() {
  std::shared_ptr<evp_md_ctx_st> out(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  CHECK(out != nullptr);
  return out;
}

bool exponent_is_sane(const evp_pkey_st* key) {
  BIGNUM* exponent = nullptr;
  if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1) return false;
  bool sane = BN_num_bits(exponent) <= kMaxExponentBits;
  BN_free(exponent);
  return sane;
}

}  // namespace

ArcHash::ArcHash() : context_(new_context()) { CHECK(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1); }

void ArcHash::add(std::string_view octets) { CHECK(EVP_DigestUpdate(context_.get(), octets.data(), octets.size()) == 1); }

std::string ArcHash::with(std::string_view more) const {
  auto copy = new_context();
  CHECK(EVP_MD_CTX_copy_ex(copy.get(), context_.get()) == 1);
  CHECK(EVP_DigestUpdate(copy.get(), more.data(), more.size()) == 1);
  std::string out(32, '\0');
  CHECK(EVP_DigestFinal_ex(copy.get(), reinterpret_cast<unsigned char*>(out.data()), nullptr) == 1);
  return out;
}

Result<ArcKey> ArcKey::read(const DkimKey& key) {
  auto p = key.record.rfind("p=");
  auto octets = p == std::string::npos ? std::nullopt : from_base64(std::string_view(key.record).substr(p + 2));
  if (!octets) return Error("the key cannot be read");
  bool ed25519 = key.type == DkimKey::Type::ed25519;
  evp_pkey_st* read = nullptr;
  if (ed25519) {
    read = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes(*octets), octets->size());
  } else {
    const auto* at = bytes(*octets);
    read = d2i_PUBKEY(nullptr, &at, static_cast<long>(octets->size()));
  }
  std::shared_ptr<evp_pkey_st> owned(read, EVP_PKEY_free);
  ERR_clear_error();
  if (read == nullptr || (!ed25519 && EVP_PKEY_get_base_id(read) != EVP_PKEY_RSA)) return Error("the key cannot be read");
  if (!ed25519 && !exponent_is_sane(read)) return Error("the key's exponent is too large");
  return ArcKey(std::move(owned), ed25519);
}

bool ArcKey::signed_it(std::string_view hash, std::string_view signature) const {
  bool good = false;
  if (ed25519_) {
    auto context = new_context();
    good = EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
           EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(hash), hash.size()) == 1;
  } else {
    std::shared_ptr<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new(key_.get(), nullptr), EVP_PKEY_CTX_free);
    good = context != nullptr && EVP_PKEY_verify_init(context.get()) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1 &&
           EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1 &&
           EVP_PKEY_verify(context.get(), bytes(signature), signature.size(), bytes(hash), hash.size()) == 1;
  }
  ERR_clear_error();
  return good;
}

}  // namespace postern::filters
