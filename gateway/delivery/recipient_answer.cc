// What the answer to a RCPT says of the recipient, and what only of us.  RFC 5321 4.2 and RFC 3463 3 are the words;
// servers use them as they like, so the texts of those that are common decide where codes do not.
#include "gateway/delivery/recipient_answer.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "gateway/base/text.h"

namespace postern::delivery {
namespace {

using Kind = RecipientAnswer::Kind;
using smtp_client::Outcome;
using smtp_client::Reply;
using smtp_client::Step;

// No such recipient, whatever the code: access tables of Postfix say "554 5.7.1 ... User unknown".
constexpr std::string_view kOfRecipient[] = {
    "user unknown",         "unknown user",          "user not found",         "user does not exist",  "user doesn't exist",
    "no such user",         "no such recipient",     "no such mailbox",        "no mailbox here",      "recipient unknown",
    "unknown recipient",    "recipient not found",   "invalid recipient",      "mailbox unknown",      "unknown mailbox",
    "mailbox not found",    "invalid mailbox",       "mailbox does not exist", "not a valid mailbox",  "address does not exist",
    "account does not exist", "unrouteable address", "undeliverable address"};

// Who is refused there is the client, the sender or the whole domain.
constexpr std::string_view kOfUs[] = {"relay",    "rcpthosts", "denied", "not permitted", "prohibit",    "authentic", "black",
                                      "block",    "listed",    "spam",   "reputation",    "sender",      "helo",      "client",
                                      "your ",    "reverse",   "policy", "service",       "too many",    "try again", "temporar"};

constexpr std::string_view kFull[] = {"over quota",   "quota exceeded",  "exceeded quota",    "exceeds quota",
                                      "mailbox full", "mailbox is full", "mailbox size limit"};

template <std::size_t n>
bool has_one_of(std::string_view text, const std::string_view (&phrases)[n]) {
  return std::any_of(std::begin(phrases), std::end(phrases), [text](auto phrase) { return ifind(text, phrase) != std::string_view::npos; });
}

// RFC 3463 2, without the class, which is the code's.
struct Detail {
  int subject = 0;
  int detail = 0;
};

// At the front of `text`, as "5.1.10"; an address ("5.1.1.9") is none.
std::optional<Detail> detail_at(std::string_view text) {
  Detail out;
  std::size_t at = 1;
  for (int* number : {&out.subject, &out.detail}) {
    if (at >= text.size() || text[at++] != '.') return std::nullopt;
    std::size_t first = at;
    for (; at < text.size() && is_digit(text[at]) && at - first < 3; ++at) *number = *number * 10 + (text[at] - '0');
    if (at == first) return std::nullopt;
  }
  bool goes_on = at < text.size() && (is_digit(text[at]) || (text[at] == '.' && at + 1 < text.size() && is_digit(text[at + 1])));
  return goes_on ? std::nullopt : std::optional(out);
}

// The status of the reply; or one inside its text: "sorry, ... (#5.7.1)", "#5.1.0 Address rejected", a later line.
std::optional<Detail> detail_of(const Reply& reply) {
  if (!reply.enhanced.empty()) return detail_at(reply.enhanced);
  const std::string_view text = reply.text;
  const char wanted = reply.permanent() ? '5' : '4';
  for (std::size_t at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + 1)) {
    if (at != 0 && std::string_view(" \n#(:").find(text[at - 1]) == std::string_view::npos) continue;
    if (auto found = detail_at(text.substr(at))) return found;
  }
  return std::nullopt;
}

// Recipients are named in replies, and one may be called "sender" or "client".
std::string without_addresses(std::string_view text) {
  std::string out;
  for (auto line : split(text, '\n')) {
    for (auto word : words(line)) {
      if (word.find('@') != std::string_view::npos) continue;
      out += word;
      out += ' ';
    }
  }
  return out;
}

// RFC 5321 4.2.3: 552 is the recipient's space, 452 the system's.
bool is_full(const Outcome& outcome, const std::optional<Detail>& status, std::string_view text) {
  if (status && status->subject == 2 && (status->detail == 2 || status->detail == 3)) return true;
  if (status && (status->detail != 0 || (status->subject != 0 && status->subject != 2))) return false;
  if (has_one_of(text, kFull)) return true;
  return outcome.permanent() && outcome.reply.code == 552 && !has_one_of(text, kOfUs);
}

// Without a status that says anything.  554 is "the transaction failed", 530 and 535 want a login, 500 to 504 and 555
// are about the command.
Kind by_code(int code, std::string_view text) {
  bool of_recipient = code == 550 || code == 551 || code == 553 || code == 501;
  return of_recipient && !has_one_of(text, kOfUs) ? Kind::unknown : Kind::unsure;
}

Kind of_refusal(const Reply& reply, const std::optional<Detail>& status, std::string_view text) {
  if (has_one_of(text, kOfRecipient) && ifind(text, "sender address") == std::string_view::npos) return Kind::unknown;
  if (!status) return by_code(reply.code, text);
  const int detail = status->detail;
  switch (status->subject) {
    case 0:
    case 5:   // 5.5.0 is how Outlook.com says "mailbox unavailable"
      return detail == 0 ? by_code(reply.code, text) : Kind::unsure;
    case 1:   // of the recipient but for 5.1.2 (its domain), 5.1.7 and 5.1.8 (the sender)
      if (detail == 0) return has_one_of(text, kOfUs) ? Kind::unsure : Kind::unknown;
      return detail == 1 || detail == 3 || detail == 4 || detail == 6 || detail == 10 ? Kind::unknown : Kind::unsure;
    case 2:
      if (detail == 0) return by_code(reply.code, text);
      return detail == 1 ? Kind::unknown : Kind::unsure;   // switched off for good
    case 4:   // Exchange Online, directory based edge blocking: "5.4.1 Recipient address rejected: Access denied"
      return detail == 1 && ifind(text, "recipient address rejected") != std::string_view::npos ? Kind::unknown : Kind::unsure;
    default:   // 5.3 its system, 5.6 the content, 5.7 its policy
      return Kind::unsure;
  }
}

Kind kind_of(const Outcome& outcome) {
  const auto& reply = outcome.reply;
  if (outcome.accepted()) return Kind::known;
  // Our own verdict: it needs SMTPUTF8, which is not offered, so the message could never go there.
  if (reply.code == 0) return outcome.permanent() && outcome.step == Step::mail ? Kind::unknown : Kind::unsure;
  if (outcome.step != Step::rcpt) return Kind::unsure;
  auto text = without_addresses(reply.text);
  auto status = detail_of(reply);
  if (is_full(outcome, status, text)) return Kind::known;
  return outcome.permanent() ? of_refusal(reply, status, text) : Kind::unsure;
}

std::string one_line(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (out.size() == kMaxRecipientWords) break;
    auto octet = static_cast<unsigned char>(c);
    if ((octet & 0xc0) == 0x80) continue;   // a character of several octets is one '?'
    if (octet >= 0x80) c = '?';
    if (octet < 0x20 || octet == 0x7f) c = ' ';
    out += c;
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

}  // namespace

RecipientAnswer meaning_of(const Outcome& outcome) {
  RecipientAnswer out;
  out.kind = kind_of(outcome);
  if (out.kind != Kind::known) out.words = one_line(outcome.step == Step::rcpt ? outcome.reply.sentence() : outcome.sentence());
  return out;
}

}  // namespace postern::delivery
