#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gateway/base/result.h"
#include "gateway/io/errors.h"

typedef struct ssl_ctx_st SSL_CTX;

namespace postern::io {

// A certificate with its key and our TLS policy: TLS 1.2 or newer (RFC 8996), no renegotiation,
// no compression, session buffers freed while idle.  Immutable; a reload makes a new one and
// sessions in progress keep theirs.  Safe from any thread.
class TlsContext {
 public:
  // PEM files: certificate chain and private key.  The error names the file and what is wrong with it.
  static Result<std::shared_ptr<const TlsContext>> server(const std::string& certificate, const std::string& key);
  // For connections that we open.  `verify`: check the chain against the system's store.
  static std::shared_ptr<const TlsContext> client(bool verify);
  // One that verifies and trusts the authorities in a PEM file as well.
  static Result<std::shared_ptr<const TlsContext>> client_trusting(const std::string& authorities);

  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  SSL_CTX* get() const { return context_; }

 private:
  explicit TlsContext(SSL_CTX* context) : context_(context) {}
  SSL_CTX* context_;
};

// RFC 6698 2.1: what a certificate, or the key in it, must be.
struct Tlsa {
  std::uint8_t usage = 0;
  std::uint8_t selector = 0;
  std::uint8_t matching = 0;
  std::string data;
  bool operator==(const Tlsa&) const = default;
};

// What was wrong with the other side's certificate.
enum class CertificateFault { none, name, expired, untrusted };

// Whom we want at the other end of a handshake of ours.
struct PeerCheck {
  std::string name;                 // for SNI, and what the certificate must bear where it is looked at; "": no SNI
  bool observe = false;             // the certificate is looked at, and taken whatever it is: see Stream::certificate_fault()
  // DANE (RFC 7672 3.1) instead of the authorities of the context: usages 2 and 3.  With none that can be used any
  // certificate is taken.
  std::vector<Tlsa> tlsa;
  std::vector<std::string> also;    // with usage 2 the certificate may bear one of these as well
};

// A handshake that failed, with what the certificate has to do with it.
class HandshakeFailed : public Closed {
 public:
  HandshakeFailed(const std::string& why, CertificateFault of) : Closed(why), fault(of) {}
  CertificateFault fault;
};

// What was negotiated, for Received, logs and rules; empty strings on a plaintext connection.
struct TlsInfo {
  std::string version;  // "TLSv1.3"
  std::string cipher;
  int bits = 0;
};

}  // namespace postern::io
