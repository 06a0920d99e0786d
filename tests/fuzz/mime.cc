// Any octets have a table of parts; its blob gives the same table back; a foreign blob is refused or sound.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/mime.h"
#include "gateway/mail/text.h"

using namespace postern::mail;

namespace {

void check_sound(const PartTable& table) {
  CHECK(!table.parts.empty() && table.parts.size() <= kMaxParts);
  for (std::size_t i = 0; i < table.parts.size(); ++i) {
    const Part& part = table.parts[i];
    const Part& parent = table.parts[part.parent];
    CHECK(part.header <= part.body && part.body <= part.end && part.end <= table.size);
    CHECK(part.depth <= kMaxDepth && part.lines <= part.body_size());
    if (i == 0) continue;
    CHECK(part.parent < i && part.header >= parent.body && part.end <= parent.end);
    CHECK(!part.is_message || parent.kind == Part::Kind::message);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view message(reinterpret_cast<const char*>(data), size);
  PartTable table = parse(message);
  check_sound(table);
  for (const Part& part : table.parts) {
    if (part.kind == Part::Kind::leaf && part.body_size() > 0) {
      // Lines are counted while walking; here by hand.
      std::size_t lines = 0;
      for (char c : body_of(message, part)) lines += c == '\n' ? 1 : 0;
      CHECK(lines == part.lines);
    }
    CHECK(postern::is_utf8(part.file_name()));
    CHECK(part.envelope.empty() || EnvelopeView::read(part.envelope));
  }
  CHECK(postern::is_utf8(readable_text(message, table, 4096)));
  auto back = deserialize(serialize(table));
  CHECK(back && *back == table);
  CHECK(EnvelopeView::read(envelope_of(message)));

  if (auto foreign = deserialize(message)) {
    check_sound(*foreign);
    for (std::string_view number : {"1", "1.1", "2.1", "1.1.1.1"}) {
      if (auto index = foreign->find(number)) CHECK(*index < foreign->parts.size());
      if (auto index = foreign->message_of(number)) CHECK(*index < foreign->parts.size());
    }
  }
  (void)EnvelopeView::read(message);
  return 0;
}
