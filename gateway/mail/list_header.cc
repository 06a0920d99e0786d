// The header of a list's messages.
#include "gateway/mail/list_header.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/mail/address.h"
#include "gateway/mail/foreign.h"
#include "gateway/mail/headers.h"

namespace postern::mail {
namespace {

constexpr std::size_t kMaxShownName = 100;
constexpr std::size_t kEncoded = 45;      // octets of text in one encoded word, RFC 2047 2: 75 with what is around
constexpr std::size_t kSubjectLine = 70;

bool is_dropped(std::string_view name) {
  if (istarts_with(name, "List-")) return true;
  for (std::string_view each : {"Precedence", "Return-Receipt-To", "Disposition-Notification-To", "X-Confirm-Reading-To"}) {
    if (iequals(name, each)) return true;
  }
  return false;
}

std::string mailto(std::string_view address, std::string_view what = {}) { return "<mailto:" + std::string(address) + std::string(what) + ">"; }

std::string field(std::string_view name, std::string_view value) { return std::string(name) + ": " + std::string(value) + "\r\n"; }

std::string list_id(const ListHeader& list) {
  auto at = list.address.rfind('@');
  auto id = "<" + list.address.substr(0, at) + "." + list.address.substr(at + 1) + ">";
  return list.name.empty() ? id : phrase(list.name) + " " + id;
}

std::string own_fields(const ListHeader& list) {
  std::string out = field("List-Id", list_id(list));
  out += field("List-Post", list.takes_posts ? mailto(list.address) : "NO");
  out += field("List-Help", mailto(list.request, "?subject=help"));
  if (!list.subscribe.empty()) out += field("List-Subscribe", mailto(list.subscribe));
  if (!list.unsubscribe_apart) out += unsubscribe_fields(list.unsubscribe, "");
  out += field("List-Owner", mailto(list.owner));
  out += field("Precedence", "list");
  if (list.set_sender) out += field("Sender", "<" + list.bounces + ">");
  return out;
}

// As it stands, or with the prefix before it if that is not in it yet (a reply has it behind "Re:").
std::string subject(const HeaderField& given, std::string_view whole, const std::string& prefix) {
  if (prefix.empty() || readable(given.raw).find(prefix) != std::string::npos) return std::string(whole);
  auto value = trimmed(given.raw);
  bool fits = value.substr(0, value.find('\n')).size() + prefix.size() < kSubjectLine;
  return "Subject: " + prefix + (fits ? " " : "\r\n ") + std::string(value) + "\r\n";
}

// Whoever wrote it, under the list's address.
std::string from_via(const HeaderField& given, const ListHeader& list) {
  std::string author;
  for (const auto& each : parse_address_list(given.raw, 10)) {
    if (each.kind != HeaderAddress::Kind::mailbox || !author.empty()) continue;
    author = one_line(each.display_name(), kMaxShownName);
    if (author.empty()) author = one_line(each.local, kMaxShownName);
  }
  auto shown = (author.empty() ? "somebody" : author) + " via " + (list.name.empty() ? list.address : list.name);
  return field("From", phrase(shown) + " <" + list.address + ">");
}

struct Tags {
  std::string domain, selector;
  std::vector<std::string> names;   // h=, in order, lower case
};

std::string without_space(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (!is_wsp(c) && c != '\r' && c != '\n') out += c;
  }
  return out;
}

Tags tags_of(std::string_view signature) {
  Tags out;
  for (auto each : split(signature, ';')) {
    auto equals = each.find('=');
    if (equals == std::string_view::npos) continue;
    auto tag = trimmed(each.substr(0, equals));
    auto value = ascii_lowered(without_space(each.substr(equals + 1)));
    if (tag == "d") out.domain = value;
    if (tag == "s") out.selector = value;
    if (tag != "h") continue;
    for (auto name : split(value, ':')) out.names.emplace_back(name);
  }
  return out;
}

// The fields that these names mean, each further mention the next one from the bottom up; nothing where there is none.
std::vector<std::optional<std::string_view>> sealed_fields(const HeaderBlock& header, const std::vector<std::string>& names) {
  std::map<std::string_view, std::size_t> used;
  std::vector<std::optional<std::string_view>> out;
  for (const auto& name : names) {
    auto count = header.count(name);
    auto nth = used[name]++;
    if (nth >= count) out.emplace_back();
    else out.emplace_back(header.nth(name, count - 1 - nth)->raw);
  }
  return out;
}

}  // namespace

std::string phrase(std::string_view name) {
  auto text = one_line(name);
  std::string out;
  if (is_ascii(text)) {
    out = "\"";
    for (char c : text) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    return out + "\"";
  }
  for (std::string_view rest = text; !rest.empty();) {
    auto piece = shortened(rest, kEncoded);
    if (!out.empty()) out += "\r\n ";
    out += "=?utf-8?B?" + base64(piece) + "?=";
    rest.remove_prefix(piece.size());
  }
  return out;
}

// RFC 8058 3.1: both fields, the link before the address.
std::string unsubscribe_fields(const std::string& address, const std::string& link) {
  if (link.empty()) return field("List-Unsubscribe", mailto(address));
  return field("List-Unsubscribe", "<" + link + ">,\r\n " + mailto(address)) + field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
}

std::string list_message(std::string_view message, const ListHeader& list) {
  std::string kept;
  bool has_subject = false, has_reply_to = false, has_from = false;
  std::string_view from;
  HeaderReader reader(message);
  HeaderField each;
  while (reader.next(each)) {
    auto whole = message.substr(each.begin, each.end - each.begin);
    if (is_dropped(each.name) || (list.set_sender && iequals(each.name, "Sender"))) continue;
    if (iequals(each.name, "Subject")) {
      kept += subject(each, whole, has_subject ? "" : list.prefix);
      has_subject = true;
    } else if (list.rewrite_from && iequals(each.name, "From")) {
      if (std::exchange(has_from, true)) continue;   // two of them are two authors to some readers
      from = each.raw;
      kept += from_via(each, list) + "X-Original-From:" + std::string(from) + "\r\n";
    } else if (iequals(each.name, "Reply-To")) {
      if (list.reply_to_list) continue;
      has_reply_to = true;
      kept += whole;
    } else {
      kept += whole;
    }
  }
  if (!kept.empty() && !kept.ends_with('\n')) kept += "\r\n";
  if (!has_subject && !list.prefix.empty()) kept += field("Subject", list.prefix + " (no subject)");
  if (list.reply_to_list) kept += field("Reply-To", "<" + list.address + ">");
  else if (has_from && !has_reply_to) kept += "Reply-To:" + std::string(from) + "\r\n";
  std::string out = own_fields(list) + kept;
  auto rest = message.substr(reader.fields_end());
  if (rest.empty()) out += "\r\n";   // a header alone
  return out.append(rest);
}

bool keeps_seals(std::string_view before, std::string_view after, const std::vector<Seal>& seals) {
  if (seals.empty()) return false;
  HeaderBlock old_header(before), new_header(after);
  std::size_t found = 0;
  for (const auto& each : old_header.fields()) {
    if (!iequals(each.name, "DKIM-Signature")) continue;
    auto tags = tags_of(each.raw);
    bool meant = std::any_of(seals.begin(), seals.end(), [&](const Seal& seal) { return iequals(seal.domain, tags.domain) && iequals(seal.selector, tags.selector); });
    if (!meant) continue;
    ++found;
    if (sealed_fields(old_header, tags.names) != sealed_fields(new_header, tags.names)) return false;
  }
  return found > 0;
}

}  // namespace postern::mail
