// The header fields that we add, one set for each recipient.
#include "gateway/delivery/headers.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>
#include <string_view>

#include "gateway/mail/received.h"

namespace postern::delivery {
namespace {

constexpr std::size_t kMaxWhyLine = 900;   // RFC 5322 2.1.1: below 998 with the field name

// A reason may hold text of the message: no line end of it may make a field of its own.
std::string one_line(std::string_view text) {
  std::string out(text.substr(0, kMaxWhyLine));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return out;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", std::abs(value) < 0.05 ? 0.0 : value);
  return text;
}

std::string copy_verdict(const smtp::RecipientVerdict& copy) {
  switch (copy.action) {
    case smtp::Action::quarantine:
    case smtp::Action::reject:
    case smtp::Action::defer: return "quarantine";
    case smtp::Action::accept:
    case smtp::Action::none: break;
  }
  return copy.folder == "Junk" ? "junk" : "ham";
}

// RFC 5321 7.6: who got it beside him is not for everybody to read.
std::string only_rcpt(const Judged& message) {
  if (message.recipients.empty()) return "";
  const auto& first = message.recipients.front().rcpt();
  bool alone = std::all_of(message.recipients.begin(), message.recipients.end(), [&](const smtp::Recipient& other) { return other.rcpt() == first; });
  return alone ? first : "";
}

std::string received_field(const Judged& message, const std::string& hostname) {
  mail::ReceivedInfo info;
  const auto& peer = message.relay ? *message.relay : message.client;
  info.helo = peer.helo;
  info.client = peer.ip;
  if (!message.relay) info.client_name = message.verdict.client_name;
  info.by = hostname;
  info.id = message.id;
  info.recipient = only_rcpt(message);
  if (!peer.tls.version.empty()) info.tls = peer.tls.version + " " + peer.tls.cipher;
  info.extended = peer.esmtp;
  info.lmtp = peer.lmtp;
  info.authenticated = !peer.login.empty();
  info.utf8 = message.sender.smtputf8;
  info.when = message.when;
  return mail::received_field(info);
}

std::string why_line(const smtp::Hit& hit) {
  std::string line = hit.rule;
  if (hit.kind == "score") line += (hit.points < 0 ? " " : " +") + number(hit.points);
  if (hit.kind != "score") line += " " + hit.kind;
  if (hit.shadow) line += " (shadow)";
  if (hit.off) line += " (switched off)";
  return "X-Postern-Why: " + one_line(line + ": " + hit.why + " (" + hit.at + ")") + "\r\n";
}

std::string why_lines(const Judged& message, const std::string& recipient) {
  std::string out;
  for (const auto& hit : message.verdict.hits) {
    if (hit.recipient.empty() || hit.recipient == recipient) out += why_line(hit);
  }
  return out;
}

}  // namespace

std::string verdict_value(std::string_view verdict, double score, std::string_view id) {
  return std::string(verdict) + " score=" + number(score) + " id=" + std::string(id);
}

std::string onward_prefix(const Judged& message, std::size_t recipient, const std::string& hostname) {
  const auto& address = message.recipients[recipient].address;
  const auto& copy = message.verdict.recipients[recipient];
  auto verdict = copy_verdict(copy);
  std::string out = received_field(message, hostname);
  // What we think of our users' mail is nobody else's business, be it that their own server hands it over.
  if (message.client.submission || message.abroad.contains(address)) return out;
  out += message.verdict.authentication_results;
  out += "X-Postern-Verdict: " + verdict_value(verdict, copy.score, message.id) + "\r\n";
  out += why_lines(message, address);
  if (verdict != "ham") out += "X-Spam-Flag: YES\r\n";
  return out;
}

std::string held_prefix(const Judged& message, std::size_t recipient, const std::string& hostname) {
  const auto& copy = message.verdict.recipients[recipient];
  return received_field(message, hostname) + "X-Postern-Verdict: " + verdict_value("quarantine", copy.score, message.id) + "\r\n" +
         why_lines(message, message.recipients[recipient].address);
}

std::string forwarded_prefix(const Judged& message, const std::string& sent_by, const std::string& hostname) {
  return "Delivered-To: " + sent_by + "\r\n" + received_field(message, hostname) + message.verdict.authentication_results;
}

std::string journal_prefix(const Judged& message, const std::string& hostname) {
  std::string out = received_field(message, hostname) + message.verdict.authentication_results;
  out += "X-Postern-Verdict: " + verdict_value(message.verdict.verdict, message.verdict.score, message.id) + "\r\n";
  for (const auto& hit : message.verdict.hits) {
    if (hit.recipient.empty()) out += why_line(hit);
  }
  out += "X-Postern-Journal-From: <" + message.sender.address + ">\r\n";
  std::set<std::string_view> named;   // an alias once, however many it leads to
  for (const auto& recipient : message.recipients) {
    if (named.insert(recipient.rcpt()).second) out += "X-Postern-Journal-To: <" + recipient.rcpt() + ">\r\n";
  }
  return out;
}

std::string header_prefix(const Judged& message, std::size_t recipient, const std::string& hostname) {
  std::string out = "Return-Path: <" + message.sender.address + ">\r\n";
  out += "Delivered-To: " + message.recipients[recipient].account + "\r\n";
  return out + onward_prefix(message, recipient, hostname);
}

}  // namespace postern::delivery
