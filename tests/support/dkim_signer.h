#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct evp_pkey_st;

// Signs mail for tests, with OpenSSL and a canonicaliser of its own: nothing of what it is to prove.
namespace postern::test {

class DkimTestKey {
 public:
  static DkimTestKey rsa(int bits);
  static DkimTestKey ed25519();
  // PEM (RSA, PKCS#1 or PKCS#8), or the base64 of an Ed25519 seed.
  static DkimTestKey read(std::string_view text);

  bool is_ed25519() const;
  // "v=DKIM1; k=rsa; p=..."
  std::string record() const;
  // RFC 8017 A.1.1 form in p=, as the text of RFC 6376 has it.
  std::string bare_rsa_record() const;
  std::string sign(std::string_view octets) const;

 private:
  explicit DkimTestKey(std::shared_ptr<evp_pkey_st> key) : key_(std::move(key)) {}
  std::shared_ptr<evp_pkey_st> key_;
};

struct DkimSigning {
  std::string domain = "example.com";
  std::string selector = "sel";
  std::string canonicalization = "relaxed/relaxed";
  std::vector<std::string> fields = {"From", "To", "Subject"};
  std::string tags;             // more of them, e.g. "t=1; x=2; "
  long body_length = -1;        // l=
  std::string algorithm;        // in a=; by the key when empty
  std::string version = "1";    // "": none
  std::string name = "DKIM-Signature";
};

// The DKIM-Signature field with CRLF, to be put in front of `message` (CRLF line ends).
std::string dkim_field(std::string_view message, const DkimTestKey& key, const DkimSigning& how);

// One set of an Authenticated Received Chain.  RFC 8617.
struct ArcSetting {
  unsigned instance = 1;
  std::string cv;                  // "": as it should be
  std::string domain = "example.com";
  std::string selector = "sel";
  std::string results = "mx.example.com; spf=pass smtp.mailfrom=a@example.org; dmarc=pass header.from=example.org";
  std::string seal_tags;           // more of them in ARC-Seal
  DkimSigning message_signature;   // domain, selector and name of the field are set from this
  bool alone = false;              // the seal covers this set only
};

// ARC-Seal, ARC-Message-Signature and ARC-Authentication-Results, to be put in front of `message`, which has the sets before
// this one.
std::string arc_set(std::string_view message, const DkimTestKey& key, const ArcSetting& how);

}  // namespace postern::test
