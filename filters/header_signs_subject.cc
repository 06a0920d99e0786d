// Header signs: what the subject looks like.  What it says is for rules.
#include <algorithm>

#include "filters/header_reading.h"
#include "filters/letters.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

// "Re: ", "AW:", "Fwd:", ... cut off; which of the two kinds stood first.
struct Prefixes {
  bool reply = false, forward = false;
  std::string_view rest;
};

Prefixes prefixes_of(std::string_view subject) {
  constexpr std::array<std::string_view, 8> kReply = {"re", "aw", "sv", "antw", "odp", "vs", "trả lời", "回复"};
  constexpr std::array<std::string_view, 7> kForward = {"fw", "fwd", "wg", "tr", "rv", "doorst", "chuyển tiếp"};
  Prefixes out;
  out.rest = trimmed(subject);
  // Lists put their own word before it: "[list] Re: ...".
  if (out.rest.starts_with('[')) {
    std::size_t close = out.rest.find(']');
    if (close != std::string_view::npos && close < 40) out.rest = trimmed(out.rest.substr(close + 1));
  }
  std::size_t colon = out.rest.find(':');
  if (colon == std::string_view::npos || colon > 20) return out;
  std::string_view word = trimmed(out.rest.substr(0, colon));
  std::size_t counter = word.find('[');   // "Re[2]:"
  word = trimmed(word.substr(0, counter));
  auto is = [&](std::string_view other) { return iequals(other, word); };
  out.reply = std::any_of(kReply.begin(), kReply.end(), is);
  out.forward = std::any_of(kForward.begin(), kForward.end(), is);
  if (out.reply || out.forward) out.rest = trimmed(out.rest.substr(colon + 1));
  return out;
}

// "F R E E": four single letters in a row, each with a space or mark between.
bool is_spaced_out(std::string_view text) {
  std::size_t run = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t begin = at;
    char32_t c = next_character(text, at);
    if (!is_letter(c)) continue;
    bool alone_before = begin == 0 || std::string_view(" .-_*").find(text[begin - 1]) != std::string_view::npos;
    bool alone_behind = at >= text.size() || std::string_view(" .-_*!").find(text[at]) != std::string_view::npos;
    run = alone_before && alone_behind ? run + 1 : 0;
    if (run >= 4) return true;
  }
  return false;
}

// The last word: letters and digits mixed, or letters without a vowel, five to twenty of them, as lists of mailers that want to
// differ from each other have it.
bool ends_with_id(std::string_view text) {
  auto all = words(text);
  if (all.size() < 2) return false;
  std::string_view last = all.back();
  if (last.starts_with('[') || last.starts_with('(')) last.remove_prefix(1);
  if (last.ends_with(']') || last.ends_with(')')) last.remove_suffix(1);
  if (last.size() < 5 || last.size() > 20) return false;
  std::size_t letters = 0, digits = 0, vowels = 0, turns = 0;
  for (std::size_t i = 0; i < last.size(); ++i) {
    char c = last[i];
    if (!is_alpha(c) && !is_digit(c)) return false;
    (is_digit(c) ? digits : letters) += 1;
    if (std::string_view("aeiouyAEIOUY").find(c) != std::string_view::npos) ++vowels;
    if (i > 0 && is_digit(c) != is_digit(last[i - 1])) ++turns;
  }
  bool mixed = letters >= 2 && digits >= 2 && turns >= 2;
  bool small = std::none_of(last.begin(), last.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  return mixed || (letters == last.size() && vowels == 0 && small);
}

bool names_money(std::string_view text) {
  constexpr std::array<std::string_view, 8> kSigns = {"$", "\xe2\x82\xac", "\xc2\xa3", "\xc2\xa5", "\xe2\x82\xab", "usd", "eur", "vnd"};
  for (std::string_view sign : kSigns) {
    for (std::size_t at = ifind(text, sign); at != std::string_view::npos; at = ifind(text, sign, at + sign.size())) {
      std::string_view behind = trimmed(text.substr(at + sign.size(), 4));
      std::string_view before = trimmed(text.substr(at < 3 ? 0 : at - 3, std::min<std::size_t>(at, 3)));
      if (!behind.empty() && is_digit(behind.front())) return true;
      if (!before.empty() && is_digit(before.back())) return true;
    }
  }
  return false;
}

std::size_t longest_number(std::string_view text) {
  std::size_t longest = 0, run = 0;
  for (char c : text) {
    run = is_digit(c) ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  return longest;
}

bool holds_word(std::string_view text, std::string_view word) {
  for (std::size_t at = ifind(text, word); at != std::string_view::npos; at = ifind(text, word, at + 1)) {
    auto edge = [&](std::size_t i) { return i >= text.size() || !(is_alpha(text[i]) || is_digit(text[i]) || static_cast<unsigned char>(text[i]) >= 0x80); };
    bool list = at > 0 && text[at - 1] == '[';   // "[team] ...": the name of a list that is its address as well
    if (!list && (at == 0 || edge(at - 1)) && edge(at + word.size())) return true;
  }
  return false;
}

void find_recipient_in_subject(HeaderReading& reading) {
  std::vector<std::string> recipients = reading.context.recipients;
  if (recipients.size() > kMaxSignedAddresses) recipients.resize(kMaxSignedAddresses);
  if (recipients.empty() && !reading.to.empty()) recipients.push_back(reading.to.front().address());
  for (const auto& recipient : recipients) {
    std::size_t at = recipient.rfind('@');
    if (at == std::string::npos || at == 0) continue;
    bool whole = ifind(reading.subject, recipient) != std::string_view::npos;
    std::string_view local = std::string_view(recipient).substr(0, at);
    if (whole) reading.signs.set(HeaderSign::subject_has_recipient);
    // Shorter ones are words of every subject: info, sales, post.
    if (!whole && local.size() >= 6 && holds_word(reading.subject, local)) reading.signs.set(HeaderSign::subject_has_recipient_name);
  }
}

}  // namespace

void find_subject_signs(HeaderReading& reading) {
  HeaderSigns& signs = reading.signs;
  if (!reading.has(Known::subject)) return;
  const std::string& subject = reading.subject;
  Prefixes prefixes = prefixes_of(subject);
  Mixture mixture = mixture_of(prefixes.rest);
  signs.set(HeaderSign::subject_capitals, mixture.cased >= 8 && mixture.capitals == mixture.cased);
  if (mixture.cased >= 8) signs.set(HeaderSign::subject_capitals_share, static_cast<double>(mixture.capitals) / static_cast<double>(mixture.cased));
  bool refers = reading.has(Known::references) || reading.has(Known::in_reply_to) || reading.has(Known::thread_index);
  bool holds_message = std::any_of(reading.table.parts.begin() + 1, reading.table.parts.end(), [](const mail::Part& part) { return part.is_message; });
  reading.set_missing(HeaderSign::subject_false_reply, prefixes.reply && !refers);
  reading.set_missing(HeaderSign::subject_false_forward, prefixes.forward && !refers && !holds_message);
  signs.set(HeaderSign::subject_spaced_out, is_spaced_out(subject));
  signs.set(HeaderSign::subject_blank_run, subject.find("     ") != std::string::npos);
  signs.set(HeaderSign::subject_ends_with_id, ends_with_id(prefixes.rest));
  signs.set(HeaderSign::subject_long_number, longest_number(subject) >= 6);
  signs.set(HeaderSign::subject_money, names_money(subject));
  signs.set(HeaderSign::subject_invisible, mixture.invisible + mixture.bidi);
  signs.set(HeaderSign::subject_styled, mixture.styled);
  signs.set(HeaderSign::subject_mixed_scripts, mixture.mixed + mixture.disguised);
  signs.set(HeaderSign::subject_symbols, mixture.symbols);
  signs.set(HeaderSign::subject_exclamations, std::count(subject.begin(), subject.end(), '!'));
  signs.set(HeaderSign::subject_exclaims_and_asks, subject.find("?!") != std::string::npos || subject.find("!?") != std::string::npos);
  signs.set(HeaderSign::subject_ends_with_question, trimmed(subject).ends_with('?'));
  auto length = std::count_if(subject.begin(), subject.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
  signs.set(HeaderSign::subject_long, length > 200);
  find_recipient_in_subject(reading);
  signs.set(HeaderSign::subject_has_sender_domain, reading.from_org.size() >= 4 && reading.from_org.find('.') != std::string::npos && ifind(subject, reading.from_org) != std::string::npos);
}

}  // namespace postern::filters
