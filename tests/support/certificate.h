#pragma once

#include <cstdlib>
#include <memory>
#include <string>

#include "gateway/io/tls.h"
#include "tests/support/temporary_directory.h"

namespace postern::test {

// A TLS context with a self-signed certificate for localhost, made by openssl(1) in `directory`; nullptr if that fails.
inline std::shared_ptr<const io::TlsContext> self_signed(const TemporaryDirectory& directory) {
  auto certificate = directory.path() + "/tls.crt";
  auto key = directory.path() + "/tls.key";
  auto command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -keyout " + key +
                 " -out " + certificate + " 2>/dev/null";
  if (std::system(command.c_str()) != 0) return nullptr;
  auto context = io::TlsContext::server(certificate, key);
  return context ? *context : nullptr;
}

}  // namespace postern::test
