// Deliveries a second and CPU a delivery, 50 in flight.  Prints, asserts nothing.
//   store_bench [SECONDS] [OCTETS]
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "gateway/io/loop.h"
#include "gateway/io/worker_pool.h"
#include "gateway/store/store.h"

using namespace postern;
using namespace postern::store;

namespace {

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  auto seconds = [](const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

struct Load {
  Store& store;
  std::vector<AccountId> accounts;
  Octets body;
  Deadline end;
  std::size_t delivered = 0;
  int running = 0;

  io::Task<void> run(io::Loop& loop, std::size_t seed) {
    ++running;
    while (std::chrono::steady_clock::now() < end) {
      Item item;
      item.id = "0000000000000";
      item.pieces.push_back(body);
      item.parts = std::string(60, 'p');
      item.envelope = std::string(190, 'e');
      Target target;
      target.account = accounts[++seed % accounts.size()];
      target.use = SpecialUse::inbox;
      item.targets.push_back(target);
      Delivery delivery;
      delivery.items.push_back(std::move(item));
      auto done = co_await store.deliver(std::move(delivery));
      if (done.ok()) ++delivered;
    }
    if (--running == 0) loop.stop();
  }
};

}  // namespace

int main(int count, char** arguments) {
  int seconds = count > 1 ? std::atoi(arguments[1]) : 5;
  std::size_t octets = count > 2 ? static_cast<std::size_t>(std::atoi(arguments[2])) : 4096;
  std::string name = (std::filesystem::temp_directory_path() / "postern_bench_XXXXXX").string();
  std::string folder = ::mkdtemp(name.data());
  {
    io::WorkerPool workers(2);
    io::Loop loop;
    StoreOptions options;
    options.directory = folder + "/store";
    auto store = Store::open(options, workers);
    if (!store) {
      std::cerr << store.error().text << "\n";
      return 1;
    }
    std::vector<AccountId> accounts;
    for (int i = 0; i < 100; ++i) {
      Account account;
      account.address = "u" + std::to_string(i) + "@example.test";
      if (!loop.block_on((*store)->create_account(account)).ok()) return 1;
      accounts.push_back((*store)->account(account.address)->id);
    }
    std::string text;
    while (text.size() < octets) text += std::to_string(text.size() * 2654435761U);
    text.resize(octets);
    auto begin = std::chrono::steady_clock::now();
    double cpu = cpu_seconds();
    Load load{**store, accounts, Octets(text), begin + std::chrono::seconds(seconds)};
    for (std::size_t i = 0; i < 50; ++i) loop.spawn(load.run(loop, i * 7), "load");
    loop.run();
    double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    cpu = cpu_seconds() - cpu;
    auto state = (*store)->state();
    std::cout << octets << " octets: " << static_cast<double>(load.delivered) / took << " deliveries/s, "
              << cpu * 1e6 / static_cast<double>(load.delivered) << " us CPU each, "
              << static_cast<double>(load.delivered) / static_cast<double>(state.commits) << " a commit\n";
  }
  std::filesystem::remove_all(folder);
}
