#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/clock.h"
#include "gateway/base/ip.h"
#include "gateway/base/result.h"
#include "gateway/store/types.h"

// The log of what happened to each message and in each session, as general rows that ride in the commits of the work
// itself.  Append-only: rows are erased by range alone, when their day is over long enough.
//
//   trace:<id>                                     what was judged (delivery writes it, JSON)
//   trace:<id>.<time><n>                           an event: time in 7 octets of microseconds, n in 2 that tell events of
//                                                  one moment apart
//   tracex:<day>a\0<newest first>                  one line of `postern trace`
//   tracex:<day><kind><term>\0<newest first>       an index row, no value
//
// <id> is new_id()'s text, so all of a message lies together and all messages lie in the order of time.  <day> is two
// octets of days since 1970, and <newest first> the 8 octets of the id's number, inverted: a search goes day by day, from
// the newest, and stops when it has enough; forgetting a day is one range, whatever was indexed.  Terms:
//
//   f, t   sender (envelope and From), recipient: "org.example.mail@user", lower case, so that a domain, and what is
//          below it, is a prefix
//   i      the client's address in 16 octets, IPv4 as ::ffff:a.b.c.d, so that a network is a prefix
//   m      Message-ID: 8 octets of a hash
//   s      a folded word of the subject
namespace postern::store {

// Something that happened.  Names may come again: what stands behind one belongs to it up to the next of its kind.
struct TraceEvent {
  std::string kind;     // "rcpt refused", "stored", "attempt", "moved", ...
  std::vector<std::pair<std::string, std::string>> fields;
  Time when{};          // 0: now
};

// What is searched and listed of a message, or of a session that ended without one.
struct TraceLine {
  std::string id;
  bool session = false;          // `id` is a session's: it was refused before there was a message
  std::string sender;            // of the envelope
  std::string author;            // the address in From; "": none, or the same
  std::vector<std::string> recipients;   // at most kShown in the row, all of them in the index
  std::uint64_t all_recipients = 0;
  std::string subject;           // decoded, cut
  std::string message_id;
  std::optional<IpAddress> ip;
  std::string login;
  std::string verdict;           // ham junk quarantine reject defer; of a session "refused"
  std::string reply;
  std::uint64_t size = 0;        // octets
  double score = 0;

  static constexpr std::size_t kShown = 20;
};

inline constexpr std::size_t kMaxTraceWords = 8;         // of a subject
inline constexpr std::size_t kMaxTraceRecipients = 1000; // that are indexed
inline constexpr std::size_t kMaxTraceFields = 300;      // of an event
inline constexpr std::size_t kMaxTraceText = 600;        // octets of a field, and of a line's texts

// Nothing where `id` is none of new_id(): such a message has no events.
std::optional<Row> trace_event_row(std::string_view id, const TraceEvent& event);
// The line and its index rows; none where the id is none of new_id().
std::vector<Row> trace_line_rows(const TraceLine& line);

std::string encode(const TraceEvent& event);
std::string encode(const TraceLine& line);
// Nothing for a value that encode() would not have written; `id` and `when` come from the key.
std::optional<TraceEvent> decode_trace_event(std::string_view value);
std::optional<TraceLine> decode_trace_line(std::string_view value);

// --- keys, without the space's own prefix
inline constexpr std::string_view kTracePrefix = "trace:";
inline constexpr std::string_view kTraceIndexPrefix = "tracex:";
std::string trace_key(std::string_view id);                    // "trace:<id>"
std::string trace_events_prefix(std::string_view id);          // "trace:<id>."
std::optional<Time> time_of_trace_event(std::string_view key);
std::uint16_t trace_day(Time time);
Time begin_of_trace_day(std::uint16_t day);
std::string trace_day_key(std::uint16_t day);                  // the first key of its index
std::string trace_index_key(std::uint16_t day, char kind, std::string_view term, std::uint64_t id);
std::string trace_line_key(std::uint64_t id);
// The id's number in an index or line key; nothing: it is none.
std::optional<std::uint64_t> id_of_trace_index(std::string_view key);

// --- terms
std::string address_term(std::string_view address);
std::string ip_term(const IpAddress& address);
std::string message_id_term(std::string_view message_id);

}  // namespace postern::store
