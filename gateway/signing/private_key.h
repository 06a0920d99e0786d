#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/base/result.h"

struct evp_pkey_st;
struct evp_md_ctx_st;

// The cryptography of DKIM signatures; the one place of signing that knows OpenSSL.
namespace postern::signing {

enum class Algorithm { rsa, ed25519 };
// "rsa", "ed25519": k= of a key record; with "-sha256" behind it a= of a signature.
std::string_view name(Algorithm algorithm);

// SHA-256 of what is added, in pieces.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  void add(std::string_view octets);
  // 32 octets; once.
  std::string finish();

 private:
  evp_md_ctx_st* context_;
};

// One private key, parsed once.  Immutable: safe to sign with on several threads at once.
class PrivateKey {
 public:
  // RSA of 2048 bits (RFC 8301 3.2) takes a tenth of a second and more: on a worker.
  static Result<PrivateKey> generate(Algorithm algorithm);
  // What octets() gave.
  static Result<PrivateKey> read(Algorithm algorithm, std::string_view octets);

  Algorithm algorithm() const { return algorithm_; }
  // A secret: for the store alone.  RSA: PKCS #8 in DER; Ed25519: the seed of 32 octets.
  std::string octets() const;
  // p= of the key record: RSA as SubjectPublicKeyInfo, which every verifier reads (RFC 6376 3.6.1 and its errata);
  // Ed25519 the bare 32 octets (RFC 8463 4); in base64.
  std::string public_text() const;
  // The signature of a header whose SHA-256 is `hash`: RFC 8017 8.2 (PKCS #1 v1.5), RFC 8463 3.
  Result<std::string> sign(std::string_view hash) const;

 private:
  PrivateKey(Algorithm algorithm, evp_pkey_st* key);
  Algorithm algorithm_;
  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace postern::signing
