// Reports that come in: whatever they are, what is read of them is within its bounds and fit for logs and rows.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/mail/feedback.h"
#include "gateway/mail/received.h"

using namespace postern;
using namespace postern::mail;

namespace {

void check_value(std::string_view value) {
  CHECK(value.size() <= kMaxReportValue && is_utf8(value));
  for (char c : value) CHECK(static_cast<unsigned char>(c) >= 0x20 && c != '\x7f');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto got = parse_feedback(text);
  CHECK(!got || is_report(text));
  for (const auto& id : ids_given_by(text, "mx.test")) {
    CHECK(!id.empty() && id.size() <= 40);
    for (char c : id) CHECK(is_alpha(c) || is_digit(c));
  }
  check_value(message_id_of(text));
  if (!got) return 0;
  CHECK(got->header.size() <= kMaxReportHeader && got->recipients.size() <= kMaxReported);
  CHECK(got->rcpt_to.size() <= kMaxReported && got->domains.size() <= kMaxReported);
  bool complaint = got->kind == Feedback::Kind::complaint;
  CHECK(complaint ? !got->type.empty() && got->recipients.empty() : !got->recipients.empty() && got->type.empty());
  for (const auto* value : {&got->type, &got->mail_from, &got->source_ip, &got->arrival_date, &got->reporting_mta}) check_value(*value);
  for (const auto& value : got->rcpt_to) check_value(value);
  for (const auto& value : got->domains) check_value(value);
  for (const auto& each : got->recipients) {
    for (const auto* value : {&each.action, &each.status, &each.remote, &each.diagnostic}) check_value(*value);
    // An address may have been escaped: any character, as long as it is one.
    for (const auto* value : {&each.original, &each.final_one}) CHECK(is_utf8(*value) && (value->empty() || value->find('@') != std::string::npos));
  }
  return 0;
}
