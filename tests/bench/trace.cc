// The trace with a million messages: what its rows cost in the commits of deliveries, what they take of the disk, and how
// long searches need.  Prints, asserts nothing.
//   trace [MESSAGES] [DAYS] [FOLDER]
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>

#include "gateway/base/id.h"
#include "gateway/io/loop.h"
#include "gateway/io/worker_pool.h"
#include "gateway/store/store.h"
#include "gateway/store/trace_search.h"

using namespace postern;
using namespace postern::store;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kTogether = 500;   // messages in a commit

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// Few write much, many write little, as it is with people.
class World {
 public:
  TraceLine message(std::uint64_t number) {
    TraceLine line;
    line.id = id_text(number);
    auto sender = skewed(200'000), domain = sender % 20'000;
    line.sender = "user" + std::to_string(sender) + "@mail" + std::to_string(domain % 3) + ".domain" + std::to_string(domain) + ".example";
    if (sender % 4 == 0) line.author = "news@domain" + std::to_string(domain) + ".example";
    for (auto left = 1 + (random_() % 10 == 0 ? random_() % 5 : 0); left > 0; --left) line.recipients.push_back("staff" + std::to_string(skewed(500)) + "@corp.example");
    for (auto left = 3 + random_() % 6; left > 0; --left) line.subject += "word" + std::to_string(skewed(30'000)) + " ";
    line.message_id = "<" + line.id + "@domain" + std::to_string(domain) + ".example>";
    line.ip = IpAddress::v4(static_cast<std::uint32_t>(0x0b000000 + skewed(3'000'000)));
    line.verdict = sender % 5 == 0 ? "quarantine" : "ham";
    line.reply = "Accepted as " + line.id;
    line.size = 20'000;
    return line;
  }

 private:
  std::uint64_t skewed(std::uint64_t below) {
    auto share = std::uniform_real_distribution<double>(0, 1)(random_);
    return static_cast<std::uint64_t>(share * share * share * static_cast<double>(below));
  }
  std::mt19937_64 random_{1};
};

template <class T>
T run(io::Loop& loop, io::Task<T> task) {
  return loop.block_on(std::move(task));
}

void fill(Store& store, io::Loop& loop, std::size_t messages, std::size_t days, bool indexed) {
  World world;
  auto now = Clock::system().now();
  auto step = std::chrono::microseconds(days * 24 * 3600 * 1'000'000ULL / messages);
  auto begin = std::chrono::steady_clock::now();
  double cpu = cpu_seconds(), made = 0;
  std::size_t rows_written = 0, octets = 0;
  std::string judged(1200, ' ');   // what delivery writes of hits and facts
  for (std::size_t i = 0; i < judged.size(); ++i) judged[i] = static_cast<char>('a' + i * 7 % 23);
  for (std::size_t i = 0; i < messages;) {
    std::vector<Row> rows;
    auto before = cpu_seconds();
    for (std::size_t end = std::min(messages, i + kTogether); i < end; ++i) {
      auto line = world.message(first_id_at(now - step * static_cast<std::int64_t>(messages - i)));
      rows.push_back({trace_key(line.id), judged});
      if (!indexed) continue;
      for (auto& row : trace_line_rows(line)) rows.push_back(std::move(row));
      auto stored = trace_event_row(line.id, {"stored", {{"account", "staff@corp.example"}, {"mailbox", "INBOX"}, {"uid", "12345"}}, {}});
      rows.push_back(std::move(*stored));
      auto session = trace_event_row(id_text(first_id_at(now - step * static_cast<std::int64_t>(messages - i) - 1s)), {"message", {{"id", line.id}}, {}});
      rows.push_back(std::move(*session));
    }
    made += cpu_seconds() - before;
    rows_written += rows.size();
    for (const auto& row : rows) octets += row.key.size() + row.value->size();
    auto written = run(loop, store.write(std::move(rows)));
    if (!written.ok()) std::cout << written.text << "\n";
  }
  auto number = static_cast<double>(messages);
  auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::cout << (indexed ? "judged, line, index and where it lies: " : "what was judged alone: ") << static_cast<double>(rows_written) / number << " rows and "
            << static_cast<double>(octets) / number << " octets a message; " << made / number * 1e6 << " us CPU to make them, "
            << (cpu_seconds() - cpu - made) / number * 1e6 << " us to write them (all threads, compaction so far included), " << took << " s\n";
}

void search(Store& store, io::Loop& loop, const char* what, TraceQuery query) {
  std::vector<double> times;
  std::size_t found = 0;
  for (int i = 0; i < 5; ++i) {
    auto begin = std::chrono::steady_clock::now();
    auto answer = run(loop, search_traces(store, query));
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() * 1000);
    found = answer ? answer->lines.size() : 0;
  }
  auto first = times.front();
  std::sort(times.begin(), times.end());
  std::cout << "  " << what << ": " << found << " lines, first " << first << " ms, then " << times[2] << " ms\n";
}

void search_all(Store& store, io::Loop& loop, std::size_t days) {
  TraceQuery base;
  base.since = Clock::system().now() - std::chrono::hours(24) * (days + 1);
  auto with = [&](auto change) {
    auto query = base;
    change(query);
    return query;
  };
  search(store, loop, "the newest 100", base);
  search(store, loop, "a sender with few", with([](TraceQuery& q) { q.from = "user199999@mail0.domain19999.example"; }));
  search(store, loop, "a sender with many", with([](TraceQuery& q) { q.from = "user0@mail0.domain0.example"; }));
  search(store, loop, "a domain and all below it", with([](TraceQuery& q) { q.from = "@.domain7.example"; }));
  search(store, loop, "our own domain", with([](TraceQuery& q) { q.to = "@corp.example"; }));
  search(store, loop, "our own domain, nothing from there", with([](TraceQuery& q) { q.to = "@corp.example", q.from = "nobody@nowhere.example"; }));
  search(store, loop, "our own domain and a sender's", with([](TraceQuery& q) { q.to = "@corp.example", q.from = "@.domain15000.example"; }));
  search(store, loop, "a recipient and a word", with([](TraceQuery& q) { q.to = "staff3@corp.example", q.subject = "word12"; }));
  search(store, loop, "two words, one with *", with([](TraceQuery& q) { q.subject = "word1* word29"; }));
  search(store, loop, "an address", with([](TraceQuery& q) { q.ip = Network::parse("11.0.0.5"); }));
  search(store, loop, "a network /16", with([](TraceQuery& q) { q.ip = Network::parse("11.20.0.0/16"); }));
  search(store, loop, "a Message-ID that is not there", with([](TraceQuery& q) { q.message_id = "<nothing@nowhere.example>"; }));
}

std::uint64_t octets_in(const std::string& folder) {
  std::uint64_t octets = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    if (file.is_regular_file()) octets += file.file_size();
  }
  return octets;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t messages = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1'000'000;
  std::size_t days = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 30;
  std::string folder = (argc > 3 ? std::string(argv[3]) : std::filesystem::temp_directory_path().string()) + "/postern_trace_XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  io::Loop loop;
  io::WorkerPool workers(2);
  for (bool indexed : {false, true}) {
    StoreOptions options;
    options.directory = folder + (indexed ? "/indexed" : "/plain");
    auto store = Store::open(options, workers);
    if (!store) {
      std::cout << store.error().text << "\n";
      return 1;
    }
    fill(**store, loop, messages, days, indexed);
    std::cout << "  on disk " << octets_in(options.directory) / 1'000'000 << " MB\n";
    if (!indexed) continue;
    search_all(**store, loop, days);
    auto begin = std::chrono::steady_clock::now();
    auto half = trace_day(Clock::system().now() - std::chrono::hours(12 * days));
    run(loop, (*store)->erase_rows(std::string(kTraceIndexPrefix), trace_day_key(half)));
    run(loop, (*store)->erase_rows(std::string(kTracePrefix), trace_key(id_text(first_id_at(begin_of_trace_day(half))))));
    std::cout << "half of it forgotten in " << std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() * 1000 << " ms; then\n";
    search_all(**store, loop, days);
    store->reset();
    store = Store::open(options, workers);
    std::cout << "opened anew\n";
    if (store) search_all(**store, loop, days);
  }
  std::filesystem::remove_all(folder);
  return 0;
}
