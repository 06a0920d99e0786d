// Fields cover the header without a gap; every structured reader copes with every value.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/mail/auth_results.h"
#include "gateway/mail/content.h"
#include "gateway/mail/encoded_word.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/received.h"
#include "gateway/mail/strip.h"
#include "gateway/mail/submitted.h"

using namespace postern::mail;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  HeaderReader reader(text);
  HeaderField field;
  std::size_t at = 0;
  while (reader.next(field)) {
    CHECK(field.begin == at && field.end > at && field.end <= size);
    at = field.end;
    CHECK(postern::is_utf8(readable(field.raw)));
    auto type = parse_content_type(field.raw);
    CHECK(!type.type.empty() && !type.subtype.empty());
    CHECK(postern::is_utf8(type.parameters.get("charset").value_or("")));
    CHECK(postern::is_utf8(parse_disposition(field.raw).parameters.get("filename").value_or("")));
    (void)parse_transfer_encoding(field.raw);
    CHECK(!claims_authserv_id(field.raw, "mx.example") || field.raw.size() >= 10);
  }
  CHECK(reader.fields_end() == at && reader.body_offset() >= at && reader.body_offset() <= size);
  CHECK(postern::is_utf8(decode_words(text)));

  auto submitted = inspect_submitted(text);
  CHECK(!submitted.problem.empty() || !submitted.authors.empty());

  auto cuts = forged_fields(text, "mx.example");
  std::size_t cut = 0;
  for (const Range& range : cuts) {
    CHECK(range.begin < range.end && range.end <= at);
    cut += range.end - range.begin;
  }
  CHECK(without(text, cuts).size() == size - cut);

  ReceivedInfo info;
  info.helo = info.client_name = info.tls = info.recipient = text;
  info.by = "mx.example";
  std::string received = received_field(info);
  HeaderReader own(received);
  CHECK(own.next(field) && field.name == "Received" && !own.next(field));
  std::string results = authentication_results_field("mx.example", {{"spf", "fail", std::string(text), {{"smtp.helo", std::string(text)}}}});
  HeaderReader again(results);
  CHECK(again.next(field) && claims_authserv_id(field.raw, "mx.example") && !again.next(field));
  return 0;
}
