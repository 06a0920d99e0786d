// The TLS of a Stream: handshakes, and SSL_read and SSL_write as one attempt each.
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <cerrno>
#include <cstring>

#include "gateway/base/check.h"
#include "gateway/io/edge.h"
#include "gateway/io/errors.h"
#include "gateway/io/stream.h"

namespace postern::io {
namespace {

SSL* as_ssl(const void* ssl) { return static_cast<SSL*>(const_cast<void*>(ssl)); }

}  // namespace

void Stream::SslFree::operator()(void* ssl) const { SSL_free(as_ssl(ssl)); }

int Stream::tls_result(int result, const char* doing) {
  int error = SSL_get_error(as_ssl(ssl_.get()), result);
  if (error == SSL_ERROR_WANT_READ) return kWantRead;
  if (error == SSL_ERROR_WANT_WRITE) return kWantWrite;
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  if (error == SSL_ERROR_SYSCALL && ERR_peek_error() == 0) {
    throw Closed(std::string(doing) + ": " + (errno == 0 ? "peer closed without TLS close" : std::strerror(errno)));
  }
  char text[256] = "TLS error";
  ERR_error_string_n(ERR_get_error(), text, sizeof text);
  ERR_clear_error();
  // "certificate verify failed" alone helps nobody.
  auto verified = SSL_get_verify_result(as_ssl(ssl_.get()));
  bool judged = (SSL_get_verify_mode(as_ssl(ssl_.get())) & SSL_VERIFY_PEER) != 0 && verified != X509_V_OK;
  throw Closed(std::string(doing) + ": " + text + (judged ? std::string(": ") + X509_verify_cert_error_string(verified) : ""));
}

int Stream::tls_read(std::span<char> into) {
  ERR_clear_error();
  errno = 0;
  int got = SSL_read(as_ssl(ssl_.get()), into.data(), static_cast<int>(into.size()));
  return got > 0 ? got : tls_result(got, "TLS read");
}

int Stream::tls_write(std::string_view octets) {
  ERR_clear_error();
  errno = 0;
  int sent = SSL_write(as_ssl(ssl_.get()), octets.data(), static_cast<int>(octets.size()));
  if (sent > 0) return sent;
  int result = tls_result(sent, "TLS write");
  if (result == 0) throw Closed("TLS write: peer closed");
  return result;
}

void Stream::tls_end() { SSL_shutdown(as_ssl(ssl_.get())); }

Task<void> Stream::handshake(Deadline deadline) {
  for (;;) {
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(as_ssl(ssl_.get()));
    if (result == 1) co_return;
    int want = tls_result(result, "TLS handshake");
    if (want == 0) throw Closed("TLS handshake: peer closed");
    bool ready = co_await edge_for(want).wait(deadline);
    if (!ready) throw TimedOut();
  }
}

Task<void> Stream::start_tls(std::shared_ptr<const TlsContext> context, Deadline deadline) {
  consume(buffered().size());
  tls_ = std::move(context);
  SSL* ssl = SSL_new(tls_->get());
  CHECK(ssl != nullptr);
  ssl_.reset(ssl);
  SSL_set_fd(ssl, fd_.get());
  SSL_set_accept_state(ssl);
  co_await handshake(deadline);
}

Task<void> Stream::connect_tls(std::shared_ptr<const TlsContext> context, std::string host, Deadline deadline) {
  consume(buffered().size());
  tls_ = std::move(context);
  SSL* ssl = SSL_new(tls_->get());
  CHECK(ssl != nullptr);
  ssl_.reset(ssl);
  SSL_set_fd(ssl, fd_.get());
  if (!host.empty()) {
    SSL_set_tlsext_host_name(ssl, host.c_str());
    SSL_set1_host(ssl, host.c_str());
  }
  SSL_set_connect_state(ssl);
  co_await handshake(deadline);
}

bool Stream::is_tls() const { return static_cast<bool>(ssl_); }

TlsInfo Stream::tls_info() const {
  TlsInfo info;
  if (!ssl_) return info;
  info.version = SSL_get_version(as_ssl(ssl_.get()));
  info.cipher = SSL_get_cipher_name(as_ssl(ssl_.get()));
  info.bits = SSL_get_cipher_bits(as_ssl(ssl_.get()), nullptr);
  return info;
}

}  // namespace postern::io
