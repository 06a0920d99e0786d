// The queue's rows: delivery's part of them.
#include "gateway/delivery/queue_state.h"

#include "gateway/mail/blob.h"

namespace postern::delivery {
namespace {

// 1: without the parameters of RFC 3461.  3: with `post` behind it, and only then.
constexpr std::uint64_t kVersion = 2;
constexpr std::uint64_t kWithPost = 3;
constexpr std::uint64_t kToldOfDelay = 16;   // beside Notify::bits()
constexpr std::uint64_t kEightBit = 1, kUtf8 = 2, kMayReport = 4;

}  // namespace

std::string encode(const QueueState& state) {
  std::string out;
  mail::put_number(out, state.post.empty() ? kVersion : kWithPost);
  mail::put_number(out, (state.eight_bit ? kEightBit : 0) | (state.smtputf8 ? kUtf8 : 0) | (state.may_report ? kMayReport : 0));
  mail::put_number(out, state.attempts);
  mail::put_number(out, static_cast<std::uint64_t>(state.last_attempt.time_since_epoch().count()));
  mail::put_text(out, state.sender);
  mail::put_text(out, state.ret);
  mail::put_text(out, state.envid);
  mail::put_number(out, state.recipients.size());
  for (const auto& pending : state.recipients) {
    mail::put_text(out, pending.address);
    mail::put_text(out, pending.account);
    mail::put_text(out, pending.words);
    mail::put_text(out, pending.orcpt);
    mail::put_number(out, pending.notify.bits() | (pending.told_of_delay ? kToldOfDelay : 0));
  }
  if (!state.post.empty()) mail::put_text(out, state.post);
  return out;
}

std::optional<QueueState> decode_state(std::string_view text) {
  mail::BlobReader reader(text);
  auto version = reader.number();
  if (version == 0 || version > kWithPost) return std::nullopt;
  QueueState out;
  auto marks = reader.number();
  out.eight_bit = (marks & kEightBit) != 0;
  out.smtputf8 = (marks & kUtf8) != 0;
  out.may_report = (marks & kMayReport) != 0;
  out.attempts = static_cast<std::uint32_t>(reader.number(UINT32_MAX));
  out.last_attempt = Time(std::chrono::microseconds(static_cast<std::int64_t>(reader.number(INT64_MAX))));
  out.sender = reader.text();
  if (version >= 2) {
    out.ret = reader.text();
    out.envid = reader.text();
  }
  auto recipients = reader.number(text.size());   // each takes some octets
  for (std::uint64_t i = 0; i < recipients && reader.ok(); ++i) {
    auto& pending = out.recipients.emplace_back();
    pending.address = reader.text();
    pending.account = reader.text();
    pending.words = reader.text();
    if (version < 2) continue;
    pending.orcpt = reader.text();
    auto wishes = reader.number(2 * kToldOfDelay - 1);
    pending.notify = mail::Notify::from_bits(static_cast<std::uint8_t>(wishes & (kToldOfDelay - 1)));
    pending.told_of_delay = (wishes & kToldOfDelay) != 0;
  }
  if (version == kWithPost) out.post = reader.text();
  if (!reader.ok() || !reader.at_end()) return std::nullopt;
  return out;
}

std::string sender_of(std::string_view state) {
  auto decoded = decode_state(state);
  return decoded ? std::move(decoded->sender) : "";
}

smtp_client::Envelope envelope_of(const QueueState& state) {
  smtp_client::Envelope out;
  out.sender = state.sender;
  out.eight_bit = state.eight_bit;
  out.smtputf8 = state.smtputf8;
  out.ret = state.ret;
  out.envid = state.envid;
  for (const auto& pending : state.recipients) {
    auto& recipient = out.recipients.emplace_back();
    recipient.address = pending.address;
    recipient.notify = (state.may_report ? pending.notify : pending.notify.without_success()).text();
    recipient.orcpt = pending.orcpt;
  }
  return out;
}

}  // namespace postern::delivery
