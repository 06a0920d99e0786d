// TLS contexts.  Policy by RFC 8996 (no TLS 1.0, 1.1) and RFC 9325.
#include "gateway/io/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace postern::io {
namespace {

std::string last_openssl_error() {
  char text[256] = "unknown TLS error";
  unsigned long code = ERR_get_error();
  if (code != 0) ERR_error_string_n(code, text, sizeof text);
  ERR_clear_error();
  return text;
}

void set_policy(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const std::string& certificate, const std::string& key) {
  for (const auto& file : {certificate, key}) {
    if (access(file.c_str(), R_OK) != 0) return Error(file + ": cannot be read: " + std::strerror(errno));
  }
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  CHECK(context != nullptr);
  std::shared_ptr<const TlsContext> out(new TlsContext(context));
  set_policy(context);
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
    return Error(certificate + ": no PEM certificate chain: " + last_openssl_error());
  }
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Error(key + ": no PEM private key that fits " + certificate + ": " + last_openssl_error());
  }
  if (SSL_CTX_check_private_key(context) != 1) return Error(key + ": does not belong to " + certificate);
  constexpr unsigned char kSessionContext[] = "postern";
  SSL_CTX_set_session_id_context(context, kSessionContext, sizeof kSessionContext - 1);
  // Tickets resume without memory here; the server-side cache would only grow.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  return out;
}

std::shared_ptr<const TlsContext> TlsContext::client(bool verify) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  CHECK(context != nullptr);
  std::shared_ptr<const TlsContext> out(new TlsContext(context));
  set_policy(context);
  CHECK(SSL_CTX_dane_enable(context) == 1);
  if (verify) {
    SSL_CTX_set_default_verify_paths(context);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  }
  return out;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client_trusting(const std::string& authorities) {
  auto out = client(true);
  if (SSL_CTX_load_verify_file(out->get(), authorities.c_str()) != 1) {
    return Error(authorities + ": no PEM certificates that could be trusted: " + last_openssl_error());
  }
  return out;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

}  // namespace postern::io
