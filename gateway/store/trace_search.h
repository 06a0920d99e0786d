#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/base/ip.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"
#include "gateway/store/trace.h"

// Finds messages and refused sessions among millions.  What is asked for together must hold together.
namespace postern::store {

struct TraceQuery {
  // "user@example.org", "@example.org" (also as "example.org") and, with all that is below it, "@.example.org".
  std::string from, to;
  std::string subject;      // all these words are in it, in any order; the last letters of a word may be left out with '*'
  std::string message_id;   // with or without <>
  std::optional<Network> ip;
  Time since{};             // made at that time or later
  Time until{};             // earlier than that; 0: now
  std::size_t limit = 100;  // lines
};

struct TraceFound {
  std::vector<TraceLine> lines;   // the newest first
  bool more = false;              // there may be more than `limit`
  Time looked_back_to{};          // where it was given up because too much fits: kMostIndexRows, kMostLines; 0: it was not
};

// What one search reads at most.
inline constexpr std::size_t kMostIndexRows = 4'000'000;
inline constexpr std::size_t kMostLines = 500'000;

// Why that cannot be searched for; nothing: it can.
std::optional<Error> unfit(const TraceQuery& query);
// On any loop; `query` must be fit.  An Error: the rows cannot be read.
io::Task<Result<TraceFound>> search_traces(Store& store, TraceQuery query);

}  // namespace postern::store
