#pragma once

#include <string_view>

// The fields of the handles that rules get, conn, mail and rcpt: each with the sentence that the reference has of it.
namespace postern::filters::lua {

// In this order: those from `subject` to `hits` are known from stage message on.
enum class Field {
  ip, name, helo, tls, port, login, trusted, known, ptr, reverse,                                 // conn
  conn, sender, sender_domain, sender_held, sender_bounces, sender_complaints, recipients, size, id, spf,   // mail, from stage mail on
  subject, from, from_name, from_domain, to, list_id, message_id, header, text, links, attachments, files,  // with the body
  signs, language, opaque, paragraphs, raw_text, source, header_text, header_source, part_headers,
  dkim, dmarc, arc, virus, bayes, score, hits,
  address, domain, account, groups, allows, blocks,                                               // rcpt
};

struct Named {
  std::string_view name;
  Field field;
  std::string_view about;   // for the reference
};
inline constexpr Named kConnectionFields[] = {
    {"ip", Field::ip, "Text: the client's address."},
    {"port", Field::port, "Number: the client's port."},
    {"helo", Field::helo, "Text: what the client calls itself; \"\" at stage connect."},
    {"tls", Field::tls, "Text like \"TLSv1.3\", or nil without TLS."},
    {"login", Field::login, "Text: the user who has logged in, or nil."},
    {"trusted", Field::trusted, "True for clients in smtp.trusted of the configuration."},
    {"known", Field::known, "False where a relay in front of us did not say from whom the message came: ip is the relay's own then."},
    {"name", Field::name, "Text: the reverse name that leads back to the address (RFC 8601 3), or \"\"."},
    {"ptr", Field::ptr, "Text: the first reverse name, whether it leads back or not, or \"\"."},
    {"reverse", Field::reverse, "\"confirmed\", \"unconfirmed\", \"none\"; \"temperror\": DNS gave no answer."}};
inline constexpr Named kMailFields[] = {
    {"conn", Field::conn, "The connection."},
    {"sender", Field::sender, "Text: the envelope sender; \"\" is the null sender of bounces."},
    {"sender_domain", Field::sender_domain, "Text: its domain in lower case."},
    {"sender_held", Field::sender_held, "Number, of our user who sends this, in the last 24 hours: his messages that rules held, refused or called spam."},
    {"sender_bounces", Field::sender_bounces, "Number, likewise: addresses elsewhere that he wrote to and that there are not."},
    {"sender_complaints", Field::sender_complaints, "Number, likewise: messages of his that readers complained of."},
    {"recipients", Field::recipients, "List of texts: the recipients so far, as the client named them."},
    {"size", Field::size, "Number of octets; at stages mail and rcpt what the client declared, or 0."},
    {"id", Field::id, "Text: the id that logs and header fields show; at stages mail and rcpt that of the session."},
    {"spf", Field::spf, "SPF (RFC 7208) of the envelope sender's domain, or of HELO for the null sender."},
    {"subject", Field::subject, "Text: Subject, decoded."},
    {"from", Field::from, "Text: the first address in From."},
    {"from_name", Field::from_name, "Text: the name shown with it."},
    {"from_domain", Field::from_domain, "Text: its domain in lower case."},
    {"to", Field::to, "List of the addresses in To and Cc."},
    {"list_id", Field::list_id, "Text: List-Id, decoded."},
    {"message_id", Field::message_id, "Text: Message-ID."},
    {"header", Field::header, "header[\"X\"]: the first field of that name, unfolded and decoded, or nil; header(\"X\"): a list of all of them."},
    {"text", Field::text, "Text: what a person reads in the message, UTF-8, at most 1 MiB."},
    {"links", Field::links, "List of the links, at most 500."},
    {"attachments", Field::attachments, "List of the attachments, at most 1000."},
    {"files", Field::files, "List of the attachments as what they really are, with what lies in them; the list itself has signs and problem."},
    {"signs", Field::signs, "What may be odd about header and text: true, or a number; false or 0 where it was not seen."},
    {"language", Field::language, "Text: of the text, \"en\", \"vi\", ...; \"\" when it cannot be told."},
    {"opaque", Field::opaque, "True when the message goes beyond what is looked at, so that a reader may see what other facts do not show."},
    {"paragraphs", Field::paragraphs, "Text: Subject and text, a paragraph a line, white space collapsed: the form that SpamAssassin's body rules search."},
    {"raw_text", Field::raw_text, "Text: the text parts decoded, markup left in."},
    {"source", Field::source, "Text: the message as it came."},
    {"header_text", Field::header_text, "Text: all header fields, unfolded and decoded."},
    {"header_source", Field::header_source, "Text: the header as it came."},
    {"part_headers", Field::part_headers, "Text: the headers of all parts."},
    {"dkim", Field::dkim, "List of the signatures (RFC 6376); the list itself has result and domains."},
    {"dmarc", Field::dmarc, "DMARC (RFC 7489) of the domain in From."},
    {"arc", Field::arc, "The Authenticated Received Chain (RFC 8617)."},
    {"virus", Field::virus, "What the scanner found."},
    {"bayes", Field::bayes, "For later: always nil."},
    {"score", Field::score, "Number: the points so far; at stage deliver with those of this recipient."},
    {"hits", Field::hits, "List of what rules said in earlier stages."}};
inline constexpr Named kRecipientFields[] = {
    {"address", Field::address, "Text: the address of RCPT TO; at stage deliver who gets the message."},
    {"domain", Field::domain, "Text: its domain in lower case."},
    {"account", Field::account, "Text: the address of the account that gets the copy."},
    {"groups", Field::groups, "List of the account's groups."},
    {"allows", Field::allows, "From stage message on: the entry of the recipient's own list that allows the author, or nil."},
    {"blocks", Field::blocks, "From stage message on: the entry that blocks him, or nil."}};

}  // namespace postern::filters::lua
