#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "filters/dkim_key.h"
#include "gateway/base/result.h"

struct evp_md_ctx_st;
struct evp_pkey_st;

// The arithmetic behind ARC's signatures, with OpenSSL.
namespace postern::filters {

// SHA-256 that can be read at any point and goes on: each seal of a chain hashes what the one before it did, and more.
class ArcHash {
 public:
  ArcHash();
  void add(std::string_view octets);
  // 32 octets: of all that was added, and of `more` behind it.
  std::string with(std::string_view more = {}) const;

 private:
  std::shared_ptr<evp_md_ctx_st> context_;
};

class ArcKey {
 public:
  // `key`: not revoked.  An Error: OpenSSL cannot read it, or its exponent is so large that it would only cost us time.
  static Result<ArcKey> read(const DkimKey& key);

  bool is_ed25519() const { return ed25519_; }
  // Whether `signature` is of a header whose SHA-256 is `hash`.  RFC 8017 8.2 (PKCS #1 v1.5), RFC 8463 3.
  bool signed_it(std::string_view hash, std::string_view signature) const;

 private:
  ArcKey(std::shared_ptr<evp_pkey_st> key, bool ed25519) : key_(std::move(key)), ed25519_(ed25519) {}
  std::shared_ptr<evp_pkey_st> key_;
  bool ed25519_;
};

}  // namespace postern::filters
