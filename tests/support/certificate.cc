// Certificates for tests, so that none lies in the repository and ends one day.
#include "tests/support/certificate.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>

#include "gateway/base/check.h"
#include "tests/support/temporary_directory.h"

namespace postern::test {
namespace {

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

Owned<std::FILE> open_file(const std::string& path) {
  Owned<std::FILE> file(std::fopen(path.c_str(), "w"));
  CHECK(file != nullptr);
  return file;
}

}  // namespace

void write_certificate(const std::string& directory, const std::string& name) {
  Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
  Owned<X509> certificate(X509_new());
  CHECK(key != nullptr && certificate != nullptr);
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -86'400);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86'400);
  X509_set_pubkey(certificate.get(), key.get());
  auto* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), subject);
  CHECK(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  auto certificate_file = open_file(directory + "/tls.crt");
  CHECK(PEM_write_X509(certificate_file.get(), certificate.get()) == 1);
  auto key_file = open_file(directory + "/tls.key");
  CHECK(PEM_write_PrivateKey(key_file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1);
}

std::shared_ptr<const io::TlsContext> server_context() {
  TemporaryDirectory directory;
  write_certificate(directory.path(), "mx.example.test");
  return io::TlsContext::server(directory.path() + "/tls.crt", directory.path() + "/tls.key").value();
}

}  // namespace postern::test
