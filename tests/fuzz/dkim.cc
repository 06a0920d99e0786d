// Whole DKIM verification of arbitrary octets: the guard, libopendkim and the outcome.  The last line
// of the input, if it begins with "key ", is the key record that DNS gives for every name.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "filters/dkim.h"
#include "gateway/base/check.h"
#include "gateway/io/loop.h"

using namespace postern;
using namespace postern::filters;

namespace {

class OneRecord : public dns::Resolver {
 public:
  explicit OneRecord(std::string record) : record_(std::move(record)) {}
  io::Task<dns::Answer> query(std::string, dns::Type type, Deadline) override {
    dns::Answer out;
    out.status = dns::Status::ok;
    dns::Record record;
    record.type = type;
    record.text = record_;
    out.records.push_back(record);
    co_return out;
  }

 private:
  std::string record_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static io::Loop loop;
  std::string text(reinterpret_cast<const char*>(data), size);
  std::string record = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
  std::size_t last = text.rfind("\nkey ");
  if (last != std::string::npos) {
    record = text.substr(last + 5);
    text.resize(last + 1);
  }
  OneRecord resolver(record);
  Octets octets(std::move(text));
  Dkim out = loop.block_on(verify_dkim(octets, resolver, nullptr, from_unix(1'764'000'000), in(std::chrono::seconds(60))));
  CHECK(out.signatures.size() <= kMaxDkimReported);
  for (const auto& signature : out.signatures) {
    CHECK(signature.result != DkimResult::none);
    CHECK(signature.problem.empty() == (signature.result == DkimResult::pass));
  }
  return 0;
}
