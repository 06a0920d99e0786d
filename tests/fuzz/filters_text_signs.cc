// Any octets have text signs, a language, a skeleton, a digest and look-alikes; shares stay between 0 and 1.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "filters/fuzzy.h"
#include "filters/lookalike.h"
#include "filters/text_signs.h"
#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/mail/charset.h"
#include "gateway/mail/confusable.h"

using namespace postern;
using namespace postern::filters;

namespace {

const LookalikeIndex& index() {
  static const LookalikeIndex kIndex(OwnNames{{"corporation.example", "acmeinc.test"}, {}, {{"Paul Miller", {"paul@corporation.example"}}}});
  return kIndex;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string text = mail::valid_utf8(std::string_view(reinterpret_cast<const char*>(data), size));
  TextContext context;
  context.subject = text;
  context.links = size % 5;
  context.images = size % 3;
  context.attachments = size % 2;
  context.recipients = {"bob.ray@corp.example", text.substr(0, 20)};
  TextSigns found = text_signs(text, context);
  for (std::size_t i = 0; i < SignSet<TextSign>::kSize; ++i) {
    auto value = found.signs.value(static_cast<TextSign>(i));
    if (!value) continue;
    CHECK(std::isfinite(*value) && *value >= 0);
    CHECK(kTextSigns[i].kind != SignKind::flag || *value <= 1);
    CHECK(!kTextSigns[i].name.ends_with("_share") || *value <= 1);
  }
  CHECK(found.language.confidence >= 0 && found.language.confidence <= 1);
  CHECK(found.language.code.empty() == (found.language.confidence == 0));
  CHECK(is_utf8(mail::skeleton(text)));
  HashKey key{1, 2};
  if (auto digest = text_digest(text, key)) CHECK(similarity(*digest, *digest) == 1);
  std::size_t half = text.size() / 2;
  AskedSender asked{text.substr(0, half), text.substr(half), text, false};
  for (const auto& one : index().sender(asked)) CHECK(!one.reason.empty() && is_utf8(one.reason) && one.reason.size() < 2000);
  if (auto like = index().domain(text)) CHECK(!index().is_ours(text));
  return 0;
}
