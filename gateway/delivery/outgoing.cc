// What is held on its way out.
#include "gateway/delivery/outgoing.h"

#include "gateway/base/text.h"
#include "gateway/delivery/headers.h"
#include "gateway/delivery/notice.h"
#include "gateway/mail/blob.h"
#include "gateway/store/names.h"

namespace postern::delivery {
namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::uint64_t kEsmtp = 1, kUtf8 = 2, kEightBit = 4;   // of the message
constexpr std::uint64_t kConfirmed = 1, kKeep = 2;              // of a recipient
constexpr std::string_view kRule = "submission";

std::string hit_reason(const smtp::MessageVerdict& verdict) {
  for (const auto& hit : verdict.hits) {
    if (hit.kind == "quarantine" && !hit.shadow && !hit.off) return hit.why;
  }
  return verdict.hits.empty() ? "held" : verdict.hits.front().why;
}

}  // namespace

store::Target held_outgoing(const Judged& message, const std::vector<std::size_t>& recipients, store::AccountId sender, const std::string& hostname) {
  const auto& copy = message.verdict.recipients[recipients.front()];
  store::Target target;
  target.account = sender;
  target.mailbox = store::kHeldMailbox;
  target.header_prefix = held_prefix(message, recipients.front(), hostname);
  auto& held = target.held.emplace();
  held.message_class = copy.quarantine_class.empty() ? "policy" : copy.quarantine_class;
  held.reason = hit_reason(message.verdict);
  held.score = copy.score;
  held.sender = message.sender.address;
  held.outgoing = encode_outgoing(message, recipients);
  return target;
}

std::string encode_outgoing(const Judged& message, const std::vector<std::size_t>& recipients) {
  const auto& client = message.client;
  const auto& sender = message.sender;
  std::string out;
  mail::put_number(out, kVersion);
  mail::put_number(out, (client.esmtp ? kEsmtp : 0) | (sender.smtputf8 ? kUtf8 : 0) | (sender.eight_bit ? kEightBit : 0));
  mail::put_number(out, static_cast<std::uint64_t>(std::max<std::int64_t>(0, message.when.time_since_epoch().count())));
  for (const auto& text : {client.session, client.ip.to_string(), client.helo, client.tls.version, client.tls.cipher, client.login, sender.address, sender.ret, sender.envid}) {
    mail::put_text(out, text);
  }
  mail::put_number(out, recipients.size());
  for (auto i : recipients) {
    const auto& recipient = message.recipients[i];
    mail::put_text(out, recipient.address);
    mail::put_text(out, recipient.account);
    mail::put_text(out, recipient.onward);
    mail::put_number(out, (recipient.confirmed ? kConfirmed : 0) | (recipient.keep ? kKeep : 0));
    mail::put_number(out, recipient.notify.bits());
    for (const auto& text : {recipient.orcpt, recipient.given, recipient.sent_by}) mail::put_text(out, text);
    mail::put_number(out, recipient.forward.size());
    for (const auto& address : recipient.forward) mail::put_text(out, address);
  }
  return out;
}

std::optional<Judged> decode_outgoing(std::string_view text) {
  mail::BlobReader in(text);
  if (in.number() != kVersion) return std::nullopt;
  Judged out;
  auto marks = in.number(kEsmtp | kUtf8 | kEightBit);
  out.client.esmtp = (marks & kEsmtp) != 0;
  out.sender.smtputf8 = (marks & kUtf8) != 0;
  out.sender.eight_bit = (marks & kEightBit) != 0;
  out.when = Time(std::chrono::microseconds(static_cast<std::int64_t>(in.number(INT64_MAX))));
  out.client.session = in.text();
  auto ip = IpAddress::parse(in.text());
  if (!ip) return std::nullopt;
  out.client.ip = *ip;
  for (auto* into : {&out.client.helo, &out.client.tls.version, &out.client.tls.cipher, &out.client.login, &out.sender.address, &out.sender.ret,
                     &out.sender.envid}) *into = in.text();
  out.client.submission = true;
  auto recipients = in.number(text.size());   // each takes some octets
  for (std::uint64_t i = 0; i < recipients && in.ok(); ++i) {
    auto& recipient = out.recipients.emplace_back();
    recipient.address = in.text();
    recipient.account = in.text();
    recipient.onward = in.text();
    auto about = in.number(kConfirmed | kKeep);
    recipient.confirmed = (about & kConfirmed) != 0;
    recipient.keep = (about & kKeep) != 0;
    recipient.notify = mail::Notify::from_bits(static_cast<std::uint8_t>(in.number(15)));
    for (auto* into : {&recipient.orcpt, &recipient.given, &recipient.sent_by}) *into = in.text();
    auto forwards = in.number(text.size());
    for (std::uint64_t k = 0; k < forwards && in.ok(); ++k) recipient.forward.emplace_back(in.text());
    out.verdict.recipients.emplace_back().address = recipient.address;
  }
  if (!in.ok() || !in.at_end() || out.recipients.empty()) return std::nullopt;
  return out;
}

void hold_outgoing(Judged& message, const std::string& why) {
  smtp::Hit hit;
  hit.rule = kRule;
  hit.kind = "quarantine";
  hit.stage = smtp::Stage::verdict;
  hit.why = why;
  hit.at = "[submission]";
  message.verdict.hits.insert(message.verdict.hits.begin(), std::move(hit));   // first: it is the reason
  message.verdict.verdict = "quarantine";
  for (auto& copy : message.verdict.recipients) {
    if (copy.action == smtp::Action::quarantine) continue;   // a virus stays one
    copy.action = smtp::Action::quarantine;
    copy.folder = "Quarantine";
    copy.quarantine_class = "policy";
    copy.redirect.clear();
  }
}

store::Delivery stop_note(const directory::Directory& directory, const Judged& message, const std::string& why, const std::string& hostname) {
  auto login = printable(message.client.login, 320);
  std::string text = login + " may send no more: " + printable(why, 500) + ".\r\n\r\n";
  text += "The message that was too much (" + message.id + ", from " + message.client.ip.to_string() + ") and what was on its way\r\n";
  text += "beside it lie in the mailbox Held of this user, and nothing of them went out.\r\n";
  text += "He still reads his mail.\r\n\r\n";
  text += "If somebody else has his password, first set another one:\r\n\r\n";
  text += "  postern user password " + login + "\r\n";
  text += "  postern user resume " + login + " --discard\r\n\r\n";
  text += "If he may send what is held:\r\n\r\n";
  text += "  postern user resume " + login + " --send\r\n\r\n";
  text += "The limits are in [submission] of the configuration, and for one user in\r\n[submission.users.\"" + login + "\"].\r\n";
  return note_to_postmaster(directory, hostname, "Sending by " + login + " was stopped", text);
}

}  // namespace postern::delivery
