#pragma once

#include <memory>
#include <string>

#include "gateway/io/tls.h"

namespace postern::test {

// Writes a fresh self-signed P-256 certificate for `name` and its key into `directory` as tls.crt and
// tls.key; CHECKs that it works.
void write_certificate(const std::string& directory, const std::string& name);

// A server context with such a certificate.
std::shared_ptr<const io::TlsContext> server_context();

}  // namespace postern::test
