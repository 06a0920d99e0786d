// What we seal validates: any message with CRLF line ends, whatever chain it has, RSA and Ed25519.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "filters/arc.h"
#include "gateway/base/check.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "gateway/mail/authres_payload.h"
#include "gateway/signing/seal.h"

using namespace postern;

namespace {

const Time kNow = from_unix(1'764'000'000);

struct World {
  signing::Keys keys;
  dns::FixedResolver resolver;
  io::Loop loop;
  World() {
    for (auto [selector, algorithm] : {std::pair("r", signing::Algorithm::rsa), std::pair("e", signing::Algorithm::ed25519)}) {
      keys.push_back(signing::make_key("corp.example", selector, algorithm, kNow).value());
      CHECK(resolver.zone().add(keys.back().record_name(), "TXT", keys.back().record_text()).has_value());
    }
  }
  filters::Arc validate(const std::string& message) {
    Octets octets(message);
    return loop.block_on(filters::validate_arc(octets, resolver, nullptr, kNow, in(std::chrono::seconds(60))));
  }
};

// As a session would let it in: every CR and LF as CRLF, no NUL.
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
  auto before = world.validate(message);
  signing::Sealing how;
  how.payload = mail::combined_results(message, "mx.corp.example");
  how.status = before.result == filters::ArcResult::none ? signing::ChainStatus::none
               : before.result == filters::ArcResult::pass ? signing::ChainStatus::pass
                                                           : signing::ChainStatus::fail;
  auto set = signing::seal(message, how, world.keys[size % 64 == 0 ? 0 : 1], kNow);   // RSA is slow
  if (before.ended) CHECK(set && set->empty());
  if (!set || set->empty()) return 0;
  auto after = world.validate(*set + message);
  if (after.problem.find("too large") != std::string::npos) return 0;
  if (how.status == signing::ChainStatus::fail) {
    CHECK(after.ended);
  } else {
    CHECK(after.result == filters::ArcResult::pass);
    CHECK(after.sets.size() == before.sets.size() + 1);
    CHECK(after.sets.back().domain == "corp.example" && after.sets.back().covers_all);
  }
  return 0;
}
