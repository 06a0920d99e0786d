// Received fields of strangers, read word by word: each mail server has a dialect of its own.
#include "filters/received_chain.h"

#include <algorithm>
#include <array>

#include "gateway/base/text.h"
#include "gateway/mail/headers.h"

namespace postern::filters {
namespace {

constexpr std::size_t kMaxWord = 255;

bool looks_like_v4(std::string_view text) {
  std::size_t dots = 0;
  for (char c : text) {
    if (c == '.') ++dots;
    else if (!is_digit(c)) return false;
  }
  return dots == 3 && text.size() >= 7 && is_digit(text.front()) && is_digit(text.back());
}

std::string_view bare(std::string_view word) {
  while (!word.empty() && std::string_view("[](){}<>;,").find(word.front()) != std::string_view::npos) word.remove_prefix(1);
  while (!word.empty() && std::string_view("[](){}<>;,").find(word.back()) != std::string_view::npos) word.remove_suffix(1);
  return word.substr(0, kMaxWord);
}

std::optional<IpAddress> address_in(std::string_view word, Hop& hop) {
  word = bare(word);
  // "[192.0.2.1]:4711" and "(port=4711": Exim.
  if (std::size_t bracket = word.find(']'); bracket != std::string_view::npos) word = word.substr(0, bracket);
  if (istarts_with(word, "ipv6:")) word.remove_prefix(5);
  word = word.substr(0, word.find('%'));
  if (looks_like_v4(word)) {
    auto ip = IpAddress::parse(word);
    if (!ip) hop.ip_impossible = true;
    return ip;
  }
  return word.find(':') != std::string_view::npos ? IpAddress::parse(word) : std::nullopt;
}

bool is_name(std::string_view word) {
  return word.find('.') != std::string_view::npos && word.find('=') == std::string_view::npos && word.find(':') == std::string_view::npos &&
         !looks_like_v4(word) && std::all_of(word.begin(), word.end(), [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_'; });
}

// What stands behind "from NAME": a comment, brackets, or HELO in other words.
void read_source(std::string_view word, Hop& hop) {
  bool in_comment = word.find('(') != std::string_view::npos || !hop.helo.empty();
  if (auto ip = address_in(word, hop)) {
    if (!hop.ip) hop.ip = ip;
    return;
  }
  std::string_view name = bare(word);
  if (istarts_with(name, "helo=")) {
    if (hop.reverse.empty() && hop.helo.find('.') != std::string::npos) hop.reverse = hop.helo;
    hop.helo = ascii_lowered(bare(name.substr(5)));
    return;
  }
  // "root@host", "identity@host": who the client's ident service names.
  if (std::size_t at = name.rfind('@'); at != std::string_view::npos) name.remove_prefix(at + 1);
  if (iequals(name, "unknown")) hop.reverse_unknown = true;
  if (in_comment && hop.reverse.empty() && is_name(name)) hop.reverse = ascii_lowered(name);
}

enum class Reading { nothing, source, by, with, recipient };

Reading keyword(std::string_view word) {
  if (iequals(word, "from")) return Reading::source;
  if (iequals(word, "by")) return Reading::by;
  if (iequals(word, "with")) return Reading::with;
  if (iequals(word, "for")) return Reading::recipient;
  if (iequals(word, "id") || iequals(word, "via") || word == ";") return Reading::nothing;
  return Reading::nothing;
}

bool is_keyword(std::string_view word) {
  return keyword(word) != Reading::nothing || iequals(word, "id") || iequals(word, "via");
}

}  // namespace

bool Hop::authenticated() const { return with.starts_with("ESMTP") && with.ends_with('A'); }

Hop read_hop(std::string_view raw) {
  Hop hop;
  std::string line = mail::unfolded(raw.substr(0, kMaxReceived));
  std::replace(line.begin(), line.end(), '\t', ' ');
  std::string_view text = line;
  if (std::size_t semicolon = text.rfind(';'); semicolon != std::string_view::npos) {
    hop.date = mail::parse_date(text.substr(semicolon + 1));
    text = text.substr(0, semicolon);
  }
  Reading reading = Reading::nothing;
  bool helo_next = false;
  int depth = 0;
  for (std::string_view word : words(text)) {
    if (depth == 0 && is_keyword(word)) {
      reading = keyword(word);
      continue;
    }
    depth += static_cast<int>(std::count(word.begin(), word.end(), '(')) - static_cast<int>(std::count(word.begin(), word.end(), ')'));
    depth = std::max(depth, 0);
    if (reading == Reading::source) {
      std::string_view plain = bare(word);
      if (iequals(plain, "helo") || iequals(plain, "ehlo")) {
        helo_next = true;
      } else if (helo_next) {   // qmail: "from NAME (HELO helo) (address)"
        if (hop.reverse.empty() && is_name(hop.helo)) hop.reverse = hop.helo;
        hop.helo = ascii_lowered(plain);
        helo_next = false;
      } else if (hop.helo.empty()) {
        hop.helo = ascii_lowered(plain);
        if (auto ip = address_in(word, hop); ip && word.front() == '[') hop.ip = ip;
      } else {
        read_source(word, hop);
      }
    } else if (reading == Reading::by && hop.by.empty()) {
      hop.by = ascii_lowered(bare(word));
    } else if (reading == Reading::with && hop.with.empty()) {
      hop.with = ascii_uppered(bare(word));
    } else if (reading == Reading::recipient && hop.recipient.empty()) {
      hop.recipient = std::string(bare(word));
    }
  }
  hop.readable = (!hop.helo.empty() || !hop.by.empty()) && hop.date.has_value();
  return hop;
}

bool is_dialup_name(std::string_view host) {
  constexpr std::array<std::string_view, 17> kWords = {"dyn", "dynamic", "dhcp", "dial", "dialup", "dsl", "adsl", "xdsl", "vdsl", "ppp", "pppoe",
                                                       "pool", "cable", "cust", "customer", "broadband", "client"};
  host = host.substr(0, kMaxWord);
  std::size_t numbers = 0;
  bool named = false;
  std::size_t labels = static_cast<std::size_t>(std::count(host.begin(), host.end(), '.'));
  if (labels < 2) return false;
  // The registrable part tells who the network is, not what the line is.
  for (std::size_t i = 0; i < 2; ++i) host = host.substr(0, host.rfind('.'));
  std::string piece;
  for (std::size_t i = 0; i <= host.size(); ++i) {
    char c = i < host.size() ? ascii_lower(host[i]) : '.';
    if (is_alpha(c) || is_digit(c)) {
      // "ppp12" and "12adsl" are a word and a number.
      if (!piece.empty() && is_digit(piece.back()) != is_digit(c)) {
        numbers += is_digit(piece.back()) ? 1 : 0;
        named = named || std::find(kWords.begin(), kWords.end(), piece) != kWords.end();
        piece.clear();
      }
      piece += c;
      continue;
    }
    if (piece.empty()) continue;
    numbers += is_digit(piece.back()) ? 1 : 0;
    named = named || std::find(kWords.begin(), kWords.end(), piece) != kWords.end();
    piece.clear();
  }
  return numbers >= 4 || (named && numbers >= 1);
}

}  // namespace postern::filters
