// From a judged message to the rows that tell of it.
#include "gateway/delivery/trace.h"

#include <algorithm>
#include <map>

#include "gateway/base/json.h"
#include "gateway/base/text.h"
#include "gateway/mail/address.h"
#include "gateway/mail/headers.h"
#include "gateway/mail/sender_list.h"

namespace postern::delivery {
namespace {

constexpr std::size_t kMostHeader = 64 * 1024;   // octets that are looked at

struct Shown {
  std::string subject, author, message_id;
};

// The first of each counts.
Shown shown_of(std::string_view message) {
  Shown out;
  mail::HeaderReader reader(message.substr(0, kMostHeader));
  mail::HeaderField field;
  bool subject = false, from = false;
  while (reader.next(field)) {
    if (!subject && iequals(field.name, "Subject")) {
      subject = true;
      out.subject = mail::readable(field.raw.substr(0, 4 * store::kMaxTraceText));
    } else if (!from && iequals(field.name, "From")) {
      from = true;
      auto all = mail::parse_address_list(field.raw, 1);
      if (!all.empty() && all[0].kind == mail::HeaderAddress::Kind::mailbox) out.author = all[0].address();
    } else if (out.message_id.empty() && iequals(field.name, "Message-ID")) {
      out.message_id = mail::unfolded(field.raw);
    }
  }
  return out;
}

void add_hits(JsonText& out, const std::vector<smtp::Hit>& hits) {
  out.open('[', "hits");
  for (const auto& hit : hits) {
    out.open('{');
    out.member("rule", hit.rule);
    out.member("kind", hit.kind);
    out.number("points", hit.points);
    out.member("why", hit.why);
    out.member("at", hit.at);
    out.member("stage", smtp::name(hit.stage));
    if (!hit.recipient.empty()) out.member("recipient", hit.recipient);
    if (hit.shadow) out.yes("shadow");
    if (hit.off) out.yes("off");
    out.close('}');
  }
  out.close(']');
}

// What the recipient's own list says of this message, as it was then.
void add_said(JsonText& out, const smtp::Recipient& recipient, const std::string& author, const std::string& sender) {
  if (!recipient.senders || recipient.senders->empty()) return;
  std::map<std::string, mail::SenderWord> said;
  for (const auto& address : {author, mail::sender_entry(sender).value_or("")}) {
    const auto* entry = address.empty() ? nullptr : mail::find_sender(*recipient.senders, address);
    if (entry != nullptr) said[entry->first] = entry->second;
  }
  if (said.empty()) return;
  out.open('{', "said");
  for (const auto& [entry, word] : said) out.member(entry, mail::name(word));
  out.close('}');
}

void add_recipients(JsonText& out, const Judged& message, const std::string& author) {
  out.open('{', "recipients");
  for (std::size_t i = 0; i < message.verdict.recipients.size(); ++i) {
    const auto& copy = message.verdict.recipients[i];
    out.open('{', copy.address);
    if (i < message.recipients.size()) {
      const auto& who = message.recipients[i];
      if (who.account != copy.address) out.member("account", who.account);
      if (!who.given.empty()) out.member("given", who.given);
      if (!who.groups.empty()) out.open('[', "groups");
      for (const auto& group : who.groups) out.text(group);
      if (!who.groups.empty()) out.close(']');
      add_said(out, who, author, message.sender.address);
    }
    out.member("action", smtp::name(copy.action));
    out.member("folder", copy.folder);
    out.number("score", copy.score);
    if (!copy.quarantine_class.empty()) out.member("class", copy.quarantine_class);
    if (!copy.redirect.empty()) out.member("redirect", copy.redirect);
    if (!copy.reply.empty()) out.member("reply", copy.reply);
    out.close('}');
  }
  out.close('}');
}

// Only where delivery has made something else of it: `replay` asks what the rules said.
void add_as_judged(JsonText& out, const Judged& message) {
  const auto& then = message.judged_recipients;
  const auto& now = message.verdict.recipients;
  bool same = then.empty() || (message.judged_verdict == message.verdict.verdict && then.size() == now.size() &&
                               std::equal(then.begin(), then.end(), now.begin(), [](const auto& a, const auto& b) { return a.action == b.action && a.folder == b.folder; }));
  if (same) return;
  out.open('{', "as_judged");
  out.member("verdict", message.judged_verdict);
  out.open('{', "recipients");
  for (const auto& copy : then) {
    out.open('{', copy.address);
    out.member("action", smtp::name(copy.action));
    out.member("folder", copy.folder);
    out.close('}');
  }
  out.close('}');
  out.close('}');
}

// What only `replay` wants to know, where it is not as usual.
void add_client(JsonText& out, const smtp::Client& client) {
  if (client.lmtp) out.yes("lmtp");
  if (client.submission) out.yes("submission");
  if (!client.known) out.yes("unknown_client");
  if (!client.esmtp) out.yes("helo_only");
}

store::Row judged_row(const Judged& message, const std::string& reply, const Shown& shown) {
  const auto& message_id = shown.message_id;
  JsonText out;
  out.open('{');
  out.member("time", rfc3339(message.when));
  out.member("session", message.client.session);
  out.member("ip", message.client.ip.to_string());
  out.member("helo", message.client.helo);
  if (!message.verdict.client_name.empty()) out.member("name", message.verdict.client_name);
  if (!message.client.tls.version.empty()) out.member("tls", message.client.tls.version);
  if (message.relay) out.member("relay", message.relay->ip.to_string());
  out.member("from", message.sender.address);
  // By these a report on a message of ours proves itself (abuse.h).
  if (!message.client.login.empty()) out.member("login", message.client.login);
  if (message.client.trusted) out.yes("trusted");
  add_client(out, message.client);
  if (!message_id.empty()) out.member("message_id", message_id);
  out.count("size", message.received.size());
  out.member("verdict", message.verdict.verdict);
  out.number("score", message.verdict.score);
  out.member("reply", reply);
  out.member("rules", message.verdict.generation);
  add_recipients(out, message, shown.author);
  add_as_judged(out, message);
  add_hits(out, message.verdict.hits);
  out.raw("facts", message.verdict.facts.empty() ? "null" : message.verdict.facts);   // the text of an object already
  out.close('}');
  return {store::trace_key(message.id), out.take()};
}

store::TraceLine line_of(const Judged& message, const std::string& reply, Shown shown) {
  store::TraceLine line;
  line.id = message.id;
  line.sender = message.sender.address;
  line.author = std::move(shown.author);
  if (iequals(line.author, line.sender)) line.author.clear();
  for (const auto& recipient : message.recipients) {
    line.recipients.push_back(recipient.rcpt());
    if (line.recipients.size() > 1 && line.recipients.back() == line.recipients[line.recipients.size() - 2]) line.recipients.pop_back();
  }
  line.all_recipients = line.recipients.size();
  line.subject = std::move(shown.subject);
  line.message_id = std::move(shown.message_id);
  if (message.client.known) line.ip = message.client.ip;
  line.login = message.client.login;
  line.verdict = message.verdict.verdict;
  line.reply = reply;
  line.size = message.received.size();
  line.score = message.verdict.score;
  return line;
}

}  // namespace

store::Row judged_row(const Judged& message, const std::string& reply) {
  return judged_row(message, reply, shown_of(message.received.view()));
}

store::TraceLine line_of(const Judged& message, const std::string& reply) { return line_of(message, reply, shown_of(message.received.view())); }

std::vector<store::Row> trace_rows(const Judged& message, const std::string& reply) {
  auto shown = shown_of(message.received.view());
  auto judged = judged_row(message, reply, shown);
  auto rows = store::trace_line_rows(line_of(message, reply, std::move(shown)));
  if (rows.empty()) return {std::move(judged)};   // no id of ours, no trace
  rows.push_back(std::move(judged));
  add_event(rows, message.client.session, {"message", {{"id", message.id}}, message.when});
  return rows;
}

store::TraceEvent attempt_event(std::string_view what, const std::string& to, const smtp_client::Outcome& outcome, const std::string& host) {
  store::TraceEvent event;
  event.kind = what;
  event.fields = {{"to", to}, {"host", host}, {"reply", printable(words_of(outcome), store::kMaxTraceText)}};
  if (outcome.maybe_delivered) event.fields.emplace_back("maybe_twice", "yes");
  return event;
}

void add_event(std::vector<store::Row>& rows, const std::string& id, const store::TraceEvent& event) {
  if (auto row = store::trace_event_row(id, event)) rows.push_back(std::move(*row));
}

}  // namespace postern::delivery
