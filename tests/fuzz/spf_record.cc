// Hostile SPF records and explanations through the whole evaluation, libspf2 included.
#include <cstdint>
#include <cstdlib>

#include "filters/spf.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"

using namespace postern;
using namespace std::chrono_literals;

namespace {

// Something for every mechanism to find.
constexpr std::string_view kWorld = R"(
  d0.test A 192.0.2.10
  d1.test A 192.0.2.99
  d1.test AAAA 2001:db8::1
  d0.test MX 10 mail.d0.test
  d1.test MX 10 d0.test
  mail.d0.test A 198.51.100.1
  mail.d0.test AAAA 2001:db8::2
  10.2.0.192.in-addr.arpa PTR mail.d0.test
  10.2.0.192.in-addr.arpa PTR d0.test
  *.list.test A 127.0.0.2
  slow.test * TIMEOUT
  broken.test * SERVFAIL
)";

const dns::Zone& world() {
  static const dns::Zone zone = [] {
    dns::Zone out;
    if (!out.add_text(kWorld)) std::abort();
    return out;
  }();
  return zone;
}

filters::Spf evaluate(io::Loop& loop, std::string_view zone, const std::string& ip, const std::string& helo, const std::string& sender, bool speculate) {
  dns::FixedResolver resolver(world());
  int number = 0;
  for (auto line : split(zone, '\n')) {
    if (number == 12) break;
    if (!resolver.zone().add("d" + std::to_string(number++) + ".test", "TXT", line)) std::abort();
  }
  filters::SpfOptions options;
  options.speculate = speculate;
  filters::SpfQuery query(*IpAddress::parse(ip), helo, sender, "mx.corp.example");
  auto spf = loop.block_on(filters::check_spf(resolver, std::move(query), in(5s), options));
  if (resolver.asked().size() > 200) std::abort();  // the limits bound the work that one mail can cause
  return spf;
}

}  // namespace

// Lines: HELO, local part, then the TXT of d0.test, d1.test and so on.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static io::Loop loop;
  log::set_level(log::Level::error);
  std::string_view input(reinterpret_cast<const char*>(data), size);
  auto first = input.find('\n');
  auto second = first == std::string_view::npos ? first : input.find('\n', first + 1);
  if (second == std::string_view::npos) return 0;
  std::string helo(input.substr(0, first));
  std::string sender = std::string(input.substr(first + 1, second - first - 1)) + "@d0.test";
  auto zone = input.substr(second + 1);
  for (const char* ip : {"192.0.2.10", "2001:db8::1"}) {
    auto ahead = evaluate(loop, zone, ip, helo, sender, true);
    auto plain = evaluate(loop, zone, ip, helo, sender, false);
    bool same = ahead.result == plain.result && ahead.mechanism == plain.mechanism && ahead.explanation == plain.explanation && ahead.problem == plain.problem;
    if (!same || ahead.libspf2_differs) std::abort();
    bool is_error = ahead.result == filters::SpfResult::temperror || ahead.result == filters::SpfResult::permerror;
    if (is_error == ahead.problem.empty()) std::abort();
    for (char c : ahead.explanation) {
      if (c < 0x20 || c > 0x7e) std::abort();
    }
  }
  return 0;
}
