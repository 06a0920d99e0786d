// Whole ARC validation of arbitrary octets, and that who seals sees the same chain.  The last line of the input, if it
// begins with "key ", is the key record that DNS gives for every name.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "filters/arc.h"
#include "filters/arc_rescue.h"
#include "gateway/base/check.h"
#include "gateway/io/loop.h"
#include "gateway/mail/arc_chain.h"
#include "gateway/mail/dkim_fields.h"

using namespace postern;
using namespace postern::filters;

namespace {

class OneRecord : public dns::Resolver {
 public:
  explicit OneRecord(std::string record) : record_(std::move(record)) {}
  io::Task<dns::Answer> query(std::string, dns::Type type, Deadline) override {
    ++asked;
    dns::Answer out;
    out.status = dns::Status::ok;
    dns::Record record;
    record.type = type;
    record.text = record_;
    out.records.push_back(record);
    co_return out;
  }
  std::size_t asked = 0;

 private:
  std::string record_;
};

void check_structure(std::string_view text) {
  auto chain = mail::read_arc_chain(text);
  CHECK(chain.sets.size() <= mail::kMaxArcInstance);
  CHECK(chain.empty() == (chain.fields == 0));
  if (!chain.problem.empty() || chain.empty()) return;
  CHECK(chain.sets.size() == chain.highest && !chain.ended);
  for (const auto& set : chain.sets) CHECK(set.results && set.message_signature && set.seal);
}

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
  check_structure(text);
  CHECK(mail::without_b(text).size() <= text.size());
  OneRecord resolver(record);
  Octets octets(std::move(text));
  Arc arc = loop.block_on(validate_arc(octets, resolver, nullptr, from_unix(1'764'000'000), in(std::chrono::seconds(60))));
  CHECK(arc.result != ArcResult::temperror);
  CHECK(arc.problem.empty() == (arc.result == ArcResult::pass || arc.result == ArcResult::none));
  CHECK(arc.instance <= mail::kMaxArcInstance && arc.oldest_pass <= mail::kMaxArcInstance);
  CHECK(resolver.asked <= 2 * mail::kMaxArcInstance);
  CHECK(!arc.ended || arc.result == ArcResult::fail);
  ArcAuthor author;
  author.domain = "example.org";
  auto rescue = rescue_by_arc(arc, {".org", "example.com"}, author);
  CHECK(!rescue.rescued || arc.result == ArcResult::pass);
  return 0;
}
