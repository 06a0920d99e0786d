// The reader of DNS replies, with the question echoed so that the fuzzer gets behind it at once.
#include <cstdint>
#include <cstdlib>

#include "gateway/dns/packet.h"
#include "gateway/dns/srv.h"

using namespace postern;

namespace {

constexpr dns::Type kTypes[] = {dns::Type::a,   dns::Type::ns,  dns::Type::cname, dns::Type::soa, dns::Type::ptr,
                                dns::Type::mx,  dns::Type::txt, dns::Type::aaaa,  dns::Type::tlsa, dns::kSrv};

void must(bool condition) {
  if (!condition) std::abort();
}

void check(const dns::Reading& reading, dns::Type type) {
  const auto& answer = reading.answer;
  must(answer.ok() == !answer.records.empty());
  must(reading.echoed || answer.status == dns::Status::bad);
  for (const auto& record : answer.records) {
    must(record.type == type && record.ttl <= 0x7fffffffU);
    bool is_name = type == dns::Type::ns || type == dns::Type::cname || type == dns::Type::ptr || type == dns::Type::mx;
    must(!is_name || record.text.size() <= 4 * (dns::kMaxName + 1));
    for (char c : record.text) must(!is_name || (c > 0x20 && c < 0x7f));
  }
}

}  // namespace

// The first octet chooses the type, the next eight are flags and counts, the rest are the sections.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.size() < 9) return 0;
  auto type = kTypes[static_cast<std::uint8_t>(input[0]) % std::size(kTypes)];
  auto query = dns::encode_query("fuzz.example.test", type, 0x4711, 0x0f0f);
  std::string packet = query.substr(0, 2);
  packet += input.substr(1, 8);
  packet.append(2, '\0');
  packet += query.substr(12, query.size() - 12 - 11);
  packet += input.substr(9);
  check(dns::read_answer(query, packet), type);
  check(dns::read_answer(query, input.substr(1)), type);
  auto name = dns::canonical_name(input.substr(1));
  if (name) dns::encode_query(*name, type, 1, 2);
  return 0;
}
