// The outgoing queue on disk, 50 deliveries in flight: entries added a second, opening with them and reading them
// all, attempts noted, entries removed, and what their rows take.  Prints, asserts nothing.
//   store_queue [ENTRIES] [OCTETS]
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "gateway/base/random.h"
#include "gateway/io/loop.h"
#include "gateway/io/worker_pool.h"
#include "gateway/store/store.h"

using namespace postern;
using namespace postern::store;

namespace {

constexpr std::size_t kInFlight = 50;
constexpr std::size_t kPage = 4096;

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

struct Watch {
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  double cpu = cpu_seconds();
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); }
  void tell(const char* what, std::size_t count) const {
    auto took = seconds();
    auto number = static_cast<double>(count);
    std::cout << what << ": " << took << " s, " << number / took << "/s, " << (cpu_seconds() - cpu) * 1e6 / number << " us CPU each\n";
  }
};

// Compresses about as fields and addresses do.
std::string like_text(std::size_t octets) {
  std::string text;
  while (text.size() < octets) text += "from host" + new_id() + ".example.org by mx.example.test for <";
  text.resize(octets);
  return text;
}

enum class What { add, attempt, remove };

struct Load {
  Store& store;
  What what;
  std::size_t count;
  Octets body;
  std::vector<QueueId>& ids;
  std::size_t next = 0;
  std::size_t running = 0;

  Delivery delivery_of(std::size_t number) const {
    Delivery delivery;
    if (what == What::add) {
      Onward onward;
      onward.destination = "destination" + std::to_string(number % 1000) + ".example";
      Item item;
      item.id = new_id();
      onward.header_prefix = like_text(300);   // Received and ours
      onward.state = like_text(150);           // envelope and one recipient
      item.pieces.push_back(body);
      item.onward.push_back(std::move(onward));
      delivery.items.push_back(std::move(item));
    } else {
      auto& change = delivery.queue.emplace_back();
      change.id = ids[number];
      change.remove = what == What::remove;
      change.due = Clock::system().now();
      change.state = like_text(220);           // with the remote's last words
    }
    return delivery;
  }
  io::Task<void> run(io::Loop& loop) {
    ++running;
    while (next < count) {
      auto delivery = delivery_of(next++);
      auto done = co_await store.deliver(std::move(delivery));
      if (!done.ok()) std::cerr << done.text << "\n";
      if (what == What::add && done.ok()) ids.push_back(done.queued[0][0]);
    }
    if (--running == 0) loop.stop();
  }
};

void work(Store& store, What what, const char* name, std::size_t count, const Octets& body, std::vector<QueueId>& ids) {
  io::Loop loop;
  Load load{store, what, count, body, ids};
  Watch watch;
  for (std::size_t i = 0; i < kInFlight; ++i) loop.spawn(load.run(loop), "load");
  loop.run();
  watch.tell(name, count);
}

double octets_in(const std::string& directory) {
  double octets = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory)) octets += static_cast<double>(file.file_size());
  return octets;
}

std::unique_ptr<Store> open(const StoreOptions& options, io::WorkerPool& workers) {
  Watch watch;
  auto store = Store::open(options, workers);
  if (!store) {
    std::cerr << store.error().text << "\n";
    std::exit(1);
  }
  std::cout << "open: " << watch.seconds() << " s\n";
  return std::move(*store);
}

std::size_t read_all(Store& store) {
  io::Loop loop;
  std::size_t count = 0;
  for (QueueId from = 0;;) {
    auto page = loop.block_on(store.queue(from, kPage));
    if (!page) std::cerr << page.error().text << "\n";
    if (!page || page->empty()) return count;
    count += page->size();
    from = page->back().id + 1;
  }
}

}  // namespace

int main(int argc, char** arguments) {
  std::size_t count = argc > 1 ? static_cast<std::size_t>(std::atoi(arguments[1])) : 100'000;
  std::size_t octets = argc > 2 ? static_cast<std::size_t>(std::atoi(arguments[2])) : 4096;
  std::string name = (std::filesystem::temp_directory_path() / "postern_bench_XXXXXX").string();
  std::string folder = ::mkdtemp(name.data());
  StoreOptions options;
  options.directory = folder + "/store";
  std::string text;
  while (text.size() < octets) text += std::to_string(text.size() * 2654435761U);
  text.resize(octets);
  Octets body(text);
  std::vector<QueueId> ids;
  {
    io::WorkerPool workers(2);
    auto store = open(options, workers);
    work(*store, What::add, "add", count, body, ids);
    store.reset();
    store = open(options, workers);
    Watch watch;
    watch.tell("read all", read_all(*store));
    std::cout << "rows: " << octets_in(options.directory + "/rows") / static_cast<double>(count) << " octets an entry\n";
    work(*store, What::attempt, "attempt", ids.size(), body, ids);
    work(*store, What::remove, "remove", ids.size(), body, ids);
  }
  std::filesystem::remove_all(folder);
}
