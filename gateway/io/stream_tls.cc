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

CertificateFault fault_of(long verified) {
  switch (verified) {
    case X509_V_OK: return CertificateFault::none;
    case X509_V_ERR_HOSTNAME_MISMATCH: return CertificateFault::name;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: return CertificateFault::expired;
    default: return CertificateFault::untrusted;
  }
}

int take_any(int, X509_STORE_CTX*) { return 1; }

// False: none of them can be used.
bool add_tlsa(SSL* ssl, const PeerCheck& peer) {
  if (SSL_dane_enable(ssl, peer.name.c_str()) != 1) return false;
  SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);   // RFC 7672 3.1.1
  for (const auto& name : peer.also) SSL_add1_host(ssl, name.c_str());
  bool any = false;
  for (const auto& record : peer.tlsa) {
    if (record.usage != 2 && record.usage != 3) continue;   // RFC 7672 3.1.3
    const auto* data = reinterpret_cast<const unsigned char*>(record.data.data());
    any = SSL_dane_tlsa_add(ssl, record.usage, record.selector, record.matching, data, record.data.size()) == 1 || any;
  }
  ERR_clear_error();
  return any;
}

void set_check(SSL* ssl, const PeerCheck& peer) {
  if (!peer.tlsa.empty()) {
    bool usable = add_tlsa(ssl, peer);
    SSL_set_verify(ssl, usable ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  } else if (!peer.name.empty()) {
    SSL_set1_host(ssl, peer.name.c_str());
  }
  if (peer.observe) SSL_set_verify(ssl, SSL_VERIFY_PEER, take_any);
  if (!peer.name.empty()) {   // SSL_set_tlsext_host_name() casts as C does
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(peer.name.c_str()));
  }
}

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
  throw HandshakeFailed(std::string(doing) + ": " + text + (judged ? std::string(": ") + X509_verify_cert_error_string(verified) : ""),
                        judged ? fault_of(verified) : CertificateFault::none);
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
  PeerCheck peer;
  peer.name = std::move(host);
  co_await connect_tls(std::move(context), std::move(peer), deadline);
}

Task<void> Stream::connect_tls(std::shared_ptr<const TlsContext> context, PeerCheck peer, Deadline deadline) {
  consume(buffered().size());
  tls_ = std::move(context);
  SSL* ssl = SSL_new(tls_->get());
  CHECK(ssl != nullptr);
  ssl_.reset(ssl);
  SSL_set_fd(ssl, fd_.get());
  set_check(ssl, peer);
  SSL_set_connect_state(ssl);
  co_await handshake(deadline);
}

CertificateFault Stream::certificate_fault() const {
  if (!ssl_ || (SSL_get_verify_mode(as_ssl(ssl_.get())) & SSL_VERIFY_PEER) == 0) return CertificateFault::none;
  return fault_of(SSL_get_verify_result(as_ssl(ssl_.get())));
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
