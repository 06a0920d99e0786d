// Keys and values of the trace.  The form of the keys is what makes searches quick: see trace.h.
#include "gateway/store/trace.h"

#include <algorithm>
#include <atomic>

#include "gateway/base/id.h"
#include "gateway/base/text.h"
#include "gateway/mail/fold.h"
#include "gateway/store/coding.h"

namespace postern::store {
namespace {

constexpr std::size_t kMaxTerm = 160;            // octets; what is longer ends with a hash of itself
constexpr std::size_t kTimeOctets = 7, kNthOctets = 2;
constexpr std::int64_t kDay = 24LL * 3600 * 1'000'000;   // microseconds

void append_number(std::string& key, std::uint64_t number, std::size_t octets) {
  for (auto i = octets; i-- > 0;) key.push_back(static_cast<char>(number >> (8 * i)));
}

std::uint64_t number_of(std::string_view octets) {
  std::uint64_t number = 0;
  for (char c : octets) number = number << 8 | static_cast<unsigned char>(c);
  return number;
}

// FNV-1a; http://www.isthe.com/chongo/tech/comp/fnv/.  A false hit is told apart by the line itself.
std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

std::string bounded(std::string term) {
  std::erase(term, '\0');   // ends a term in its key
  if (term.size() <= kMaxTerm) return term;
  auto hash = hash_of(term);
  term.resize(kMaxTerm);
  return term + "#" + hex([&] { std::string octets; append_number(octets, hash, 8); return octets; }());
}

// In whole characters: a half one would make the text no UTF-8.
std::string cut(std::string_view text) {
  if (text.size() <= kMaxTraceText) return std::string(text);
  auto end = kMaxTraceText;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

std::string address_text(const std::optional<IpAddress>& ip) { return ip ? std::string(ip->octets()) : std::string(); }

std::optional<IpAddress> address_of(std::string_view octets) {
  if (octets.size() == 4) return IpAddress::v4(static_cast<std::uint32_t>(number_of(octets)));
  if (octets.size() != 16) return std::nullopt;
  std::array<std::uint8_t, 16> all{};
  std::copy(octets.begin(), octets.end(), all.begin());
  return IpAddress::v6(all);
}

}  // namespace

std::string encode(const TraceEvent& event) {
  Writer out;
  out.text(event.kind);
  auto count = std::min(event.fields.size(), kMaxTraceFields);
  out.number(count);
  for (std::size_t i = 0; i < count; ++i) {
    out.text(event.fields[i].first);
    out.text(cut(event.fields[i].second));
  }
  return out.take();
}

std::optional<TraceEvent> decode_trace_event(std::string_view value) {
  Parser in(value);
  TraceEvent event;
  event.kind = in.text();
  for (auto left = in.count(); left > 0 && !in.failed(); --left) {
    auto name = in.text();
    event.fields.emplace_back(std::move(name), in.text());
  }
  if (!in.done()) return {};
  return event;
}

std::string encode(const TraceLine& line) {
  Writer out;
  out.text(line.id);
  out.number(line.session ? 1 : 0);
  for (const auto* text : {&line.sender, &line.author, &line.subject, &line.message_id, &line.login, &line.verdict, &line.reply}) out.text(cut(*text));
  out.text(address_text(line.ip));
  out.number(line.size);
  out.fraction(line.score);
  out.number(std::max<std::uint64_t>(line.all_recipients, line.recipients.size()));
  auto shown = std::min(line.recipients.size(), TraceLine::kShown);
  out.number(shown);
  for (std::size_t i = 0; i < shown; ++i) out.text(cut(line.recipients[i]));
  return out.take();
}

std::optional<TraceLine> decode_trace_line(std::string_view value) {
  Parser in(value);
  TraceLine line;
  line.id = in.text();
  line.session = in.number_up_to(1) == 1;
  for (auto* text : {&line.sender, &line.author, &line.subject, &line.message_id, &line.login, &line.verdict, &line.reply}) *text = in.text();
  line.ip = address_of(in.text());
  line.size = in.number();
  line.score = in.fraction();
  line.all_recipients = in.number();
  for (auto left = in.count(); left > 0 && !in.failed(); --left) line.recipients.push_back(in.text());
  if (!in.done()) return {};
  return line;
}

std::string trace_key(std::string_view id) { return std::string(kTracePrefix).append(id); }
std::string trace_events_prefix(std::string_view id) { return trace_key(id) + "."; }   // before any digit of a longer id

std::optional<Row> trace_event_row(std::string_view id, const TraceEvent& event) {
  if (!id_number(id)) return std::nullopt;
  static std::atomic<std::uint16_t> nth{0};
  auto when = event.when == Time{} ? Clock::system().now() : event.when;
  auto key = trace_events_prefix(id);
  append_number(key, static_cast<std::uint64_t>(std::max<std::int64_t>(0, when.time_since_epoch().count())), kTimeOctets);
  append_number(key, nth.fetch_add(1), kNthOctets);
  return Row{std::move(key), encode(event)};
}

std::optional<Time> time_of_trace_event(std::string_view key) {
  constexpr auto kBefore = kTracePrefix.size() + kIdLength + 1;
  if (key.size() != kBefore + kTimeOctets + kNthOctets) return std::nullopt;
  return Time(std::chrono::microseconds(static_cast<std::int64_t>(number_of(key.substr(kBefore, kTimeOctets)))));
}

std::uint16_t trace_day(Time time) {
  auto days = time.time_since_epoch().count() / kDay;
  return static_cast<std::uint16_t>(std::clamp<std::int64_t>(days, 0, 0xffff));
}
Time begin_of_trace_day(std::uint16_t day) { return Time(std::chrono::microseconds(day * kDay)); }

std::string trace_day_key(std::uint16_t day) {
  std::string key(kTraceIndexPrefix);
  append_number(key, day, 2);
  return key;
}

std::string trace_index_key(std::uint16_t day, char kind, std::string_view term, std::uint64_t id) {
  auto key = trace_day_key(day);
  key += kind;
  key += term;
  key += '\0';
  append_number(key, ~id, 8);
  return key;
}

std::string trace_line_key(std::uint64_t id) { return trace_index_key(trace_day(time_of_id(id)), 'a', "", id); }

std::optional<std::uint64_t> id_of_trace_index(std::string_view key) {
  if (key.size() < kTraceIndexPrefix.size() + 2 + 1 + 1 + 8) return std::nullopt;
  return ~number_of(key.substr(key.size() - 8));
}

std::string address_term(std::string_view address) {
  auto at = address.rfind('@');
  if (at == std::string_view::npos) return bounded("@" + ascii_lowered(address));   // "postmaster", or the null path
  auto labels = split(address.substr(at + 1), '.');
  std::string term;
  for (auto label = labels.rbegin(); label != labels.rend(); ++label) {
    if (!term.empty()) term += '.';
    term += *label;
  }
  return bounded(ascii_lowered(term + "@" + std::string(address.substr(0, at))));
}

std::string ip_term(const IpAddress& address) {
  auto octets = address.octets();
  if (octets.size() == 16) return std::string(octets);
  return std::string(10, '\0') + "\xff\xff" + std::string(octets);
}

std::string message_id_term(std::string_view message_id) {
  auto bare = trimmed(message_id);
  if (bare.starts_with('<') && bare.ends_with('>')) bare = bare.substr(1, bare.size() - 2);
  std::string term;
  append_number(term, hash_of(bare), 8);
  return term;
}

std::vector<Row> trace_line_rows(const TraceLine& line) {
  std::vector<Row> rows;
  auto number = id_number(line.id);
  if (!number) return rows;
  auto day = trace_day(time_of_id(*number));
  rows.reserve(6 + line.recipients.size() + kMaxTraceWords);
  rows.push_back({trace_line_key(*number), encode(line)});
  auto add = [&](char kind, std::string_view term) { rows.push_back({trace_index_key(day, kind, term, *number), std::string()}); };
  add('f', address_term(line.sender));
  if (!line.author.empty() && !iequals(line.author, line.sender)) add('f', address_term(line.author));
  for (std::size_t i = 0; i < std::min(line.recipients.size(), kMaxTraceRecipients); ++i) add('t', address_term(line.recipients[i]));
  if (line.ip) add('i', ip_term(*line.ip));
  if (!line.message_id.empty()) add('m', message_id_term(line.message_id));
  for (const auto& word : mail::folded_words(line.subject, kMaxTraceWords)) add('s', word);
  return rows;
}

}  // namespace postern::store
