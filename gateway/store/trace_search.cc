// Day by day, from the newest: the rarest condition gives candidates, others thin them out, and the lines themselves have
// the last word.
#include "gateway/store/trace_search.h"

#include <algorithm>
#include <iterator>

#include "gateway/base/id.h"
#include "gateway/base/text.h"
#include "gateway/mail/fold.h"

namespace postern::store {
namespace {

constexpr std::size_t kPage = 10'000;     // index rows read at once
constexpr std::size_t kLinePage = 500;    // lines read at once
constexpr std::size_t kFew = 500;         // candidates that are looked at rather than thinned out further

// What an index can answer.
struct Condition {
  char kind = 0;
  std::vector<std::string> terms;   // any of them
  bool whole = true;                // terms, not prefixes of terms
  int rank = 0;                     // the lower the rarer, as a rule
};

bool is_domain(std::string_view address) { return address.starts_with('@') || address.find('@') == std::string_view::npos; }

// "org.example@" of "@example.org", so that every user of it begins so.
std::string domain_prefix(std::string_view domain) { return address_term("@" + std::string(domain)); }

Condition by_address(char kind, std::string_view asked) {
  Condition out{kind, {}, true, 1};
  if (!is_domain(asked)) {
    out.terms.push_back(address_term(asked));
    return out;
  }
  if (asked.starts_with('@')) asked.remove_prefix(1);
  out.whole = false;
  out.rank = 4;
  bool below = asked.starts_with('.');
  if (below) asked.remove_prefix(1);
  auto own = domain_prefix(asked);
  out.terms.push_back(own);
  if (!below) return out;
  own.back() = '.';
  out.terms.push_back(std::move(own));
  return out;
}

// The octets that all addresses of the network begin with.
std::string network_prefix(const Network& network) {
  auto term = ip_term(network.base());
  auto bits = static_cast<std::size_t>(network.prefix() + (network.base().is_v4() ? 96 : 0));
  term.resize(bits / 8);
  return term;
}

struct Word {
  std::string text;
  bool begins = false;   // "hoa*"
};

std::vector<Word> words_of(std::string_view subject) {
  std::vector<Word> out;
  for (auto piece : words(subject)) {
    auto folded = mail::folded_words(piece, kMaxTraceWords);
    for (auto& word : folded) out.push_back({std::move(word), false});
    if (!folded.empty() && piece.ends_with('*')) out.back().begins = true;
  }
  return out;
}

bool is_of(std::string_view asked, const std::string& address) {
  if (!is_domain(asked)) return iequals(asked, address);
  if (asked.starts_with('@')) asked.remove_prefix(1);
  auto at = address.rfind('@');
  auto domain = at == std::string::npos ? std::string_view() : std::string_view(address).substr(at + 1);
  if (!asked.starts_with('.')) return iequals(asked, domain);
  return iequals(asked.substr(1), domain) || iends_with(domain, asked);
}

bool has_word(const std::vector<std::string>& subject, const Word& word) {
  return std::any_of(subject.begin(), subject.end(), [&](const std::string& each) { return word.begins ? each.starts_with(word.text) : each == word.text; });
}

class Search {
 public:
  Search(Store& store, TraceQuery query) : store_(store), query_(std::move(query)), words_(words_of(query_.subject)) {
    auto now = Clock::system().now();
    if (query_.until == Time{} || query_.until > now) query_.until = now + std::chrono::seconds(1);
    first_ = first_id_at(query_.since);
    last_ = first_id_at(query_.until);
    collect();
  }

  io::Task<Result<TraceFound>> run() {
    if (first_ >= last_) co_return std::move(found_);
    auto oldest = trace_day(time_of_id(first_));
    for (int day = trace_day(time_of_id(last_ - 1)); day >= oldest && !is_over(); --day) {
      auto done = co_await look_at(static_cast<std::uint16_t>(day));
      if (!done) co_return done.error();
    }
    co_return std::move(found_);
  }

 private:
  using Ids = std::vector<std::uint64_t>;   // the newest first

  void collect() {
    if (!query_.message_id.empty()) conditions_.push_back({'m', {message_id_term(query_.message_id)}, true, 0});
    if (!query_.from.empty()) conditions_.push_back(by_address('f', query_.from));
    if (!query_.to.empty()) conditions_.push_back(by_address('t', query_.to));
    if (query_.ip) {
      bool host = query_.ip->prefix() == query_.ip->base().bits();
      conditions_.push_back({'i', {network_prefix(*query_.ip)}, host, host ? 2 : 5});
    }
    for (const auto& word : words_) {
      // A subject's later words are in no index; the longer a word, the rarer it is.
      conditions_.push_back({'s', {word.text}, !word.begins, word.text.size() > 5 ? 2 : 3});
    }
    std::sort(conditions_.begin(), conditions_.end(), [](const Condition& a, const Condition& b) { return a.rank < b.rank; });
  }

  bool is_over() const { return found_.more || found_.looked_back_to != Time{}; }
  bool give_up(std::uint16_t day) {
    if (rows_ <= kMostIndexRows && looked_ <= kMostLines) return false;
    found_.looked_back_to = std::max(begin_of_trace_day(day), query_.since);
    return true;
  }

  io::Task<Status> look_at(std::uint16_t day) {
    if (conditions_.empty()) {
      auto done = co_await look_at_all(day);
      co_return done;
    }
    std::optional<Ids> candidates;
    for (const auto& condition : conditions_) {
      if (candidates && candidates->size() <= kFew) break;
      auto ids = co_await gather(day, condition);
      if (!ids) co_return ids.error();
      if (!candidates) {
        candidates = std::move(*ids);
      } else {
        Ids both;
        std::set_intersection(candidates->begin(), candidates->end(), ids->begin(), ids->end(), std::back_inserter(both), std::greater<>());
        candidates = std::move(both);
      }
      if (give_up(day)) co_return Status();
    }
    auto done = co_await read_lines(day, std::move(*candidates));
    co_return done;
  }

  // What fits a condition on that day, the newest first.
  io::Task<Result<Ids>> gather(std::uint16_t day, const Condition& condition) {
    Ids ids;
    for (const auto& term : condition.terms) {
      auto prefix = trace_day_key(day) + condition.kind + term;
      if (condition.whole) prefix += '\0';
      // The rows of one term lie in the order of time, so those that are too new need not be read.
      auto from = condition.whole ? trace_index_key(day, condition.kind, term, last_ - 1) : prefix;
      for (bool more = true; more;) {
        auto rows = co_await store_.scan(prefix, from, kPage);
        if (!rows) co_return rows.error();
        more = rows->size() == kPage;
        rows_ += rows->size();
        if (more) from = rows->back().key + '\0';
        for (const auto& row : *rows) {
          auto id = id_of_trace_index(row.key);
          if (id && *id >= first_ && *id < last_) ids.push_back(*id);
          else if (id && *id < first_ && condition.whole) more = false;
        }
        if (rows_ > kMostIndexRows) more = false;
      }
    }
    std::sort(ids.begin(), ids.end(), std::greater<>());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    co_return std::move(ids);
  }

  io::Task<Status> read_lines(std::uint16_t day, Ids ids) {
    for (std::size_t begin = 0; begin < ids.size() && !is_over(); begin += kLinePage) {
      auto end = std::min(ids.size(), begin + kLinePage);
      std::vector<std::string> keys;
      for (auto i = begin; i < end; ++i) keys.push_back(trace_line_key(ids[i]));
      auto values = co_await store_.get_all(std::move(keys));
      if (!values) co_return values.error();
      for (const auto& value : *values) {
        if (value) consider(*value);
      }
      if (give_up(day)) break;
    }
    co_return Status();
  }

  io::Task<Status> look_at_all(std::uint16_t day) {
    auto prefix = trace_day_key(day) + 'a';
    auto from = trace_index_key(day, 'a', "", last_ - 1);
    for (bool more = true; more && !is_over();) {
      auto page = std::min(kLinePage, query_.limit + 1);
      auto rows = co_await store_.scan(prefix, from, page);
      if (!rows) co_return rows.error();
      more = rows->size() == page;
      if (more) from = rows->back().key + '\0';
      for (const auto& row : *rows) {
        auto id = id_of_trace_index(row.key);
        if (!id || *id < first_) co_return Status();
        consider(*row.value);
      }
      if (give_up(day)) break;
    }
    co_return Status();
  }

  void consider(const std::string& value) {
    ++looked_;
    auto line = decode_trace_line(value);
    if (!line || found_.more || !fits(*line)) return;
    if (found_.lines.size() == query_.limit) found_.more = true;
    else found_.lines.push_back(std::move(*line));
  }

  bool fits(const TraceLine& line) const {
    if (!query_.from.empty() && !is_of(query_.from, line.sender) && (line.author.empty() || !is_of(query_.from, line.author))) return false;
    if (!query_.message_id.empty() && message_id_term(query_.message_id) != message_id_term(line.message_id)) return false;
    if (query_.ip && (!line.ip || !query_.ip->contains(*line.ip))) return false;
    // Of many recipients the line shows some; the index has them.
    bool all_shown = line.all_recipients <= line.recipients.size();
    bool named = std::any_of(line.recipients.begin(), line.recipients.end(), [&](const std::string& each) { return is_of(query_.to, each); });
    if (!query_.to.empty() && !named && all_shown) return false;
    if (words_.empty()) return true;
    auto subject = mail::folded_words(line.subject, mail::kMaxFoldedText);
    return std::all_of(words_.begin(), words_.end(), [&](const Word& word) { return has_word(subject, word); });
  }

  Store& store_;
  TraceQuery query_;
  std::vector<Word> words_;
  std::vector<Condition> conditions_;
  std::uint64_t first_ = 0, last_ = 0;   // ids: from, up to but not
  std::size_t rows_ = 0, looked_ = 0;
  TraceFound found_;
};

}  // namespace

std::optional<Error> unfit(const TraceQuery& query) {
  if (!query.subject.empty() && words_of(query.subject).empty()) return Error("--subject has no letter or digit to search for");
  for (const auto* address : {&query.from, &query.to}) {
    if (*address == "@" || *address == "@." || *address == ".") return Error(*address + ": a domain is needed, as in \"@example.org\"");
    if (address->size() > 1000) return Error("the address is too long");
  }
  if (query.limit == 0) return Error("--limit must be at least 1");
  return std::nullopt;
}

io::Task<Result<TraceFound>> search_traces(Store& store, TraceQuery query) {
  Search search(store, std::move(query));
  auto found = co_await search.run();
  co_return found;
}

}  // namespace postern::store
