// The notice in place of a virus, and notes to the postmaster.
#include "gateway/delivery/notice.h"

#include "gateway/base/log.h"
#include "gateway/base/random.h"
#include "gateway/base/text.h"
#include "gateway/delivery/headers.h"
#include "gateway/delivery/queue_state.h"
#include "gateway/mail/envelope.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/mime.h"

namespace postern::delivery {
namespace {

// A foreign header as one line of readable text, cut.
std::string shown(const mail::HeaderBlock& header, std::string_view name) {
  const auto* field = header.find(name);
  if (field == nullptr) return "(none)";
  std::string text = mail::readable(field->raw);
  if (text.size() <= 200) return text;
  std::size_t cut = 200;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80) --cut;
  return text.substr(0, cut) + "...";
}

std::string signature_of(const Judged& message) {
  for (const auto& hit : message.verdict.hits) {
    if (hit.kind == "quarantine") return hit.why;
  }
  return "a virus";
}

}  // namespace

std::string virus_notice(const Judged& message, std::size_t recipient, const std::string& hostname) {
  mail::HeaderBlock header(message.received.view());
  const auto& copy = message.verdict.recipients[recipient];
  std::string out;
  out += "Return-Path: <>\r\n";
  out += "From: Mail gateway <postmaster@" + hostname + ">\r\n";
  out += "To: <" + message.recipients[recipient].address + ">\r\n";
  out += "Date: " + rfc5322_date(message.when) + "\r\n";
  out += "Message-ID: <" + message.id + ".notice." + std::to_string(recipient) + "@" + hostname + ">\r\n";
  out += "Subject: A message for you was held: virus found (case " + message.id + ")\r\n";
  out += "Auto-Submitted: auto-generated\r\n";
  out += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n";
  out += "X-Postern-Verdict: " + verdict_value("quarantine", copy.score, message.id) + "\r\n\r\n";
  out += "A message for you was not delivered because it carries a virus.\r\n\r\n";
  out += "  From:      " + shown(header, "From") + "\r\n";
  out += "  Sender:    <" + printable(message.sender.address) + ">\r\n";
  out += "  Subject:   " + shown(header, "Subject") + "\r\n";
  out += "  Found:     " + printable(signature_of(message)) + "\r\n";
  out += "  Case:      " + message.id + "\r\n\r\n";
  out += "The message itself is kept where only an administrator can reach it.  If you\r\n";
  out += "believe that this is a mistake, tell your administrator the case id above.\r\n";
  out += "You can delete this notice.\r\n";
  return out;
}

store::Delivery note_to_postmaster(const directory::Directory& directory, const std::string& hostname, const std::string& subject,
                                   const std::string& text) {
  using Kind = directory::Resolution::Kind;
  auto postmaster = directory.resolve("postmaster");
  if (!postmaster.found() && postmaster.kind != Kind::onward) {
    log::error("note.lost", {{"subject", subject}, {"what", "nobody takes postmaster's mail now, so nobody is told"}});
    return {};
  }
  auto id = new_id();
  auto now = Clock::system().now();
  std::string out = "From: Mail gateway <postmaster@" + hostname + ">\r\nTo: postmaster@" + hostname + "\r\n";
  out += "Date: " + rfc5322_date(now) + "\r\nMessage-ID: <" + id + "@" + hostname + ">\r\nSubject: " + printable(subject) + "\r\n";
  out += "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n";
  out += "Content-Transfer-Encoding: 8bit\r\n\r\n" + text;
  store::Item item;
  item.id = id;
  item.internal_date = now;
  auto address = directory.postmaster_address();
  auto way = postmaster.kind == Kind::onward ? directory.resolve(address) : postmaster;   // he may have a way of his own
  if (!way.found()) {
    QueueState state;
    state.recipients.push_back({way.has_own_hosts() ? way.account_address : address, postmaster.account_address, ""});
    auto& onward = item.onward.emplace_back();
    onward.destination = way.kind == Kind::onward ? way.domain : address.substr(address.rfind('@') + 1);
    onward.state = encode(state);
  } else {
    item.parts = mail::serialize(mail::parse(out));
    item.envelope = mail::envelope_of(out);
    auto& target = item.targets.emplace_back();
    target.account = way.account;
    target.use = store::SpecialUse::inbox;
    target.header_prefix = "Return-Path: <>\r\n";
  }
  item.pieces.emplace_back(std::move(out));
  store::Delivery delivery;
  delivery.items.push_back(std::move(item));
  return delivery;
}

}  // namespace postern::delivery
