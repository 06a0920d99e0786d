#pragma once

#include <memory>
#include <string>

#include "gateway/base/result.h"

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

  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  SSL_CTX* get() const { return context_; }

 private:
  explicit TlsContext(SSL_CTX* context) : context_(context) {}
  SSL_CTX* context_;
};

// What was negotiated, for Received, logs and rules; empty strings on a plaintext connection.
struct TlsInfo {
  std::string version;  // "TLSv1.3"
  std::string cipher;
  int bits = 0;
};

}  // namespace postern::io
