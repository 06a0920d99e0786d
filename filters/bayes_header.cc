// Tokens of the header for Bayes: only what the author's side writes, and of that the shape where the content names people.
#include <algorithm>
#include <string>

#include "filters/bayes_collect.h"
#include "filters/dmarc.h"
#include "gateway/base/text.h"
#include "gateway/mail/address.h"
#include "gateway/mail/headers.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxHeader = 64 * 1024;
constexpr std::size_t kMaxField = 4096;
constexpr std::size_t kMostRecipients = 50;

// Fields whose presence says something of the program that wrote the mail.  None that a receiver or a list adds.
constexpr std::string_view kTelling[] = {"mime-version", "x-priority", "x-msmail-priority", "importance", "x-mimeole", "organization",
                                         "in-reply-to", "references", "thread-topic", "disposition-notification-to",
                                         "return-receipt-to", "x-accept-language", "sender", "reply-to", "cc", "bcc", "date", "message-id"};

std::string_view raw_of(const mail::HeaderBlock& block, std::string_view name) {
  const mail::HeaderField* field = block.find(name);
  return field != nullptr ? field->raw.substr(0, kMaxField) : std::string_view();
}

// Runs of digits as 9, of capitals as A, of small letters as a; signs stay.  "<20020822.ab@x>" -> "9.a".
std::string shape_of(std::string_view text, std::size_t limit) {
  std::string out;
  for (char c : text) {
    char letter = is_digit(c) ? '9' : c >= 'A' && c <= 'Z' ? 'A' : is_alpha(c) ? 'a' : static_cast<unsigned char>(c) >= 0x80 ? 'x' : c;
    if (out.size() >= limit) break;
    if (out.empty() || out.back() != letter || !(is_digit(letter) || is_alpha(letter))) out += letter;
  }
  return out;
}

void collect_author(const BayesInput& input, const mail::HeaderBlock& block, std::string& domain, BayesCollector& out) {
  auto from = mail::parse_address_list(raw_of(block, "From"), 2);
  std::string_view proof = input.author_proven ? "proven" : "claimed";
  if (from.empty() || from[0].domain.empty()) {
    out.add(BayesKind::author, "from", "nobody");
  } else {
    std::string host = ascii_lowered(from[0].domain.substr(0, 255));
    domain = organizational_domain(host);
    // Another token when it was proven: what is learned of the real owner is no credit for who uses his name.
    out.add(BayesKind::author, proof, domain);
    if (host != domain) out.add(BayesKind::author, proof, host);
    auto dot = domain.rfind('.');
    if (dot != std::string::npos) out.add(BayesKind::author, "from top", std::string_view(domain).substr(dot + 1));
    out.add(BayesKind::claim, "from local", shape_of(from[0].local.substr(0, 64), 12));
    std::string name = from[0].display_name();
    collect_words(std::string_view(name).substr(0, 256), BayesKind::author, "from name", 8, out);
    if (name.find('@') != std::string::npos) out.add(BayesKind::shape, "from name", "with an address");
    if (name.empty()) out.add(BayesKind::claim, "from name", "none");
  }
  auto reply = mail::parse_address_list(raw_of(block, "Reply-To"), 1);
  if (reply.empty() || reply[0].domain.empty()) return;
  std::string answer = organizational_domain(ascii_lowered(reply[0].domain.substr(0, 255)));
  out.add(BayesKind::author, "reply-to", answer == domain ? "the author" : answer);
  if (answer != domain) out.add(BayesKind::shape, "reply-to", "elsewhere");
}

// How many, not who: who reads here is the same in spam and ham of one mailbox, and another one's in the next.
void collect_recipients(const mail::HeaderBlock& block, BayesCollector& out) {
  auto to = mail::parse_address_list(raw_of(block, "To"), kMostRecipients);
  if (to.empty()) {
    out.add(BayesKind::claim, "to", "nobody");
    return;
  }
  bool group = to[0].kind != mail::HeaderAddress::Kind::mailbox;
  out.add(BayesKind::claim, "to", group ? "a group" : to.size() == 1 ? "one" : to.size() < 5 ? "some" : "many");
}

void collect_program(const mail::HeaderBlock& block, const std::string& domain, BayesCollector& out) {
  for (std::string_view name : {"X-Mailer", "User-Agent"}) {
    std::string_view raw = raw_of(block, name);
    if (!raw.empty()) collect_words(raw.substr(0, 200), BayesKind::claim, "mailer", 5, out);
  }
  std::string type = ascii_lowered(mail::unfolded(raw_of(block, "Content-Type")).substr(0, 300));
  out.add(BayesKind::claim, "type", type.substr(0, type.find(';')));
  auto charset = type.find("charset=");
  if (charset != std::string::npos) out.add(BayesKind::claim, "charset", shape_of(type.substr(charset + 8, 24), 16));
  if (charset != std::string::npos) {
    std::string_view word = std::string_view(type).substr(charset + 8);
    if (word.starts_with('"')) word.remove_prefix(1);
    out.add(BayesKind::claim, "charset", word.substr(0, std::min<std::size_t>(word.find_first_of("\"; "), 20)));
  }
  std::string_view raw = raw_of(block, "Content-Type");
  auto boundary = ifind(raw, "boundary=");
  if (boundary != std::string_view::npos) out.add(BayesKind::claim, "boundary", shape_of(raw.substr(boundary + 9, 60), 24));

  std::string id = mail::unfolded(raw_of(block, "Message-ID"));
  auto at = id.rfind('@');
  if (at == std::string::npos) {
    out.add(BayesKind::claim, "message-id", id.empty() ? "none" : "no host");
    return;
  }
  std::string_view host = std::string_view(id).substr(at + 1);
  if (host.ends_with('>')) host.remove_suffix(1);
  out.add(BayesKind::claim, "message-id", shape_of(std::string_view(id).substr(0, at), 20));
  bool own = !domain.empty() && organizational_domain(ascii_lowered(host.substr(0, 255))) == domain;
  out.add(BayesKind::claim, "message-id host", own ? "the author's" : host.find('.') == std::string_view::npos ? "no name" : "another");
}

}  // namespace

void collect_header(const BayesInput& input, BayesCollector& out) {
  mail::HeaderBlock block(input.header.substr(0, kMaxHeader));
  std::string domain;
  collect_author(input, block, domain, out);
  std::string subject = mail::readable(raw_of(block, "Subject"));
  collect_subject(subject, out);
  bool answer = istarts_with(trimmed(subject), "re:");
  bool refers = block.find("In-Reply-To") != nullptr || block.find("References") != nullptr;
  if (answer && !refers) out.add(BayesKind::shape, "subject", "an answer to nothing");
  collect_recipients(block, out);
  collect_program(block, domain, out);
  for (std::string_view name : kTelling) {
    if (block.find(name) != nullptr) out.add(BayesKind::claim, "field", name);
  }
  collect_links(input.links, domain, out);
  if (input.client_name.empty()) return;
  std::string host = ascii_lowered(input.client_name.substr(0, 255));
  out.add(BayesKind::hop, "client", host);
  out.add(BayesKind::hop, "client domain", organizational_domain(host));
  out.add(BayesKind::hop, "client shape", shape_of(host, 32));
}

}  // namespace postern::filters
