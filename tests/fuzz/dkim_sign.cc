// What we sign, libopendkim verifies: any message with CRLF line ends, RSA and Ed25519.  The canonical body has the size
// that the verifier's own canonicaliser counts.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "filters/dkim.h"
#include "gateway/base/check.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "gateway/mail/dkim_canonical.h"
#include "gateway/mail/headers.h"
#include "gateway/signing/signature.h"

using namespace postern;

namespace {

struct World {
  signing::Keys keys;
  dns::FixedResolver resolver;
  io::Loop loop;
  World() {
    for (auto [selector, algorithm] : {std::pair("r", signing::Algorithm::rsa), std::pair("e", signing::Algorithm::ed25519)}) {
      keys.push_back(signing::make_key("corp.example", selector, algorithm, from_unix(1'764'000'000)).value());
      CHECK(resolver.zone().add(keys.back().record_name(), "TXT", keys.back().record_text()).has_value());
    }
  }
};

// As a session would let it in: every CR and LF as CRLF, no NUL in the header.
std::string as_received(const std::uint8_t* data, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) {
    char c = static_cast<char>(data[i]);
    if (c == '\n' || c == '\r') out += "\r\n";
    else out += c == '\0' ? ' ' : c;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  auto message = as_received(data, size);
  auto authors = signing::author_domains(message);
  CHECK(!authors || !authors->empty());
  mail::HeaderBlock header(message);
  auto body = std::string_view(message).substr(header.body_offset());
  std::uint64_t octets = 0;
  mail::relaxed_body(body, [&octets](std::string_view piece) { octets += piece.size(); });
  CHECK(octets == filters::canonical_body_size(body, true));
  if (header.count("From") == 0 || header.count("DKIM-Signature") != 0) return 0;
  bool use_rsa = size % 16 == 0;   // slow
  auto fields = signing::signatures_of(message, {&world.keys[use_rsa ? 0 : 1]}, from_unix(1'764'000'000));
  if (!fields) return 0;
  Octets whole(*fields + message);
  auto found = world.loop.block_on(
      filters::verify_dkim(whole, world.resolver, nullptr, from_unix(1'764'000'000), in(std::chrono::seconds(60))));
  CHECK(found.signatures.size() == 1);
  const auto& outcome = found.signatures[0];
  bool refused_unseen = outcome.problem.find("to be verified") != std::string::npos || outcome.result == filters::DkimResult::permerror;
  CHECK(outcome.result == filters::DkimResult::pass || refused_unseen);
  return 0;
}
