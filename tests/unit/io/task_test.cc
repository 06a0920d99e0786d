// Task, Loop, Signal, together, first_of, WorkerPool: the rules of conventions section 3.
#include <atomic>

#include "gateway/io/errors.h"
#include "gateway/io/loop.h"
#include "gateway/io/signal.h"
#include "gateway/io/together.h"
#include "gateway/io/worker_pool.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace std::chrono_literals;
using io::Loop;
using io::Task;

namespace {

struct Witness {
  explicit Witness(int& count) : destroyed(count) {}
  ~Witness() { ++destroyed; }
  int& destroyed;
};

Task<int> value_of(int value) { co_return value; }

Task<int> count_to(int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) {
    int one = co_await value_of(1);
    sum += one;
  }
  co_return sum;
}

Task<void> waits_for_ever(int& destroyed) {
  Witness witness(destroyed);
  co_await io::sleep_until(in(1h));
}

Task<void> nested(int& destroyed) {
  Witness witness(destroyed);
  co_await waits_for_ever(destroyed);
}

Task<int> after(std::chrono::milliseconds wait, int value) {
  co_await io::sleep_until(in(wait));
  co_return value;
}

Task<void> just_wait(std::chrono::milliseconds wait) { co_await io::sleep_until(in(wait)); }

Task<int> throws_after_wait() {
  co_await io::sleep_until(in(1ms));
  throw std::runtime_error("late");
}

Task<int> waits_signal(io::Signal& signal, Deadline deadline) {
  bool woken = co_await signal.wait(deadline);
  co_return woken ? 1 : 0;
}

Task<int> notify_then_count(io::Signal& signal) {
  std::vector<Task<int>> waiters;
  for (int i = 0; i < 3; ++i) waiters.push_back(waits_signal(signal, in(5s)));
  waiters.push_back(after(5ms, 0));
  Loop::current().post([&signal] { signal.notify(); });
  auto results = co_await io::together(std::move(waiters));
  int woken = 0;
  for (int result : results) woken += result;
  co_return woken;
}

Task<int> run_job(io::WorkerPool& pool) {
  auto job = [] { return 42; };
  int value = co_await pool.run(std::move(job));
  co_return value;
}

Task<void> run_slow_job(io::WorkerPool& pool, std::atomic<bool>& release, int& destroyed) {
  Witness witness(destroyed);
  auto job = [&release] {
    while (!release) std::this_thread::yield();
  };
  co_await pool.run(std::move(job));
}

Task<std::size_t> race(int& destroyed) {
  auto winner = co_await io::first_of(waits_for_ever(destroyed), just_wait(1ms));
  co_return winner;
}

Task<std::vector<int>> three_at_once() {
  std::vector<Task<int>> tasks;
  tasks.push_back(after(3ms, 1));
  tasks.push_back(value_of(2));
  tasks.push_back(after(1ms, 3));
  auto values = co_await io::together(std::move(tasks));
  co_return values;
}

}  // namespace

TEST_CASE("a task that never waits gives its value at once") {
  Loop loop;
  CHECK(loop.block_on(value_of(7)) == 7);
}

TEST_CASE("a million finished awaits do not eat the stack") {
  Loop loop;
  CHECK(loop.block_on(count_to(1'000'000)) == 1'000'000);
}

TEST_CASE("an exception after a wait reaches the awaiter") {
  Loop loop;
  CHECK_THROWS_WITH(loop.block_on(throws_after_wait()), "late");
}

TEST_CASE("cancelling a spawned task destroys what it awaits, innermost first") {
  Loop loop;
  int destroyed = 0;
  bool done = false;
  auto id = loop.spawn(nested(destroyed), "nested", [&] { done = true; });
  loop.block_on(after(1ms, 0));
  CHECK(destroyed == 0);
  loop.cancel(id);
  loop.block_on(after(1ms, 0));
  CHECK(destroyed == 2);
  CHECK(done);
}

TEST_CASE("a loop destroys the tasks that still run") {
  int destroyed = 0;
  {
    Loop loop;
    loop.spawn(nested(destroyed), "nested");
    loop.block_on(after(1ms, 0));
  }
  CHECK(destroyed == 2);
}

TEST_CASE("a loop that is told to stop before it runs ends at once") {
  Loop loop;
  loop.stop();
  loop.run();
  CHECK(loop.block_on(after(1ms, 7)) == 7);
}

TEST_CASE("the tasks of a loop can be ended before it, and posting to it stays safe") {
  Loop loop;
  int destroyed = 0;
  loop.spawn(nested(destroyed), "nested");
  loop.block_on(after(1ms, 0));
  bool ran = false;
  loop.post([&ran] { ran = true; });
  loop.end_tasks();
  CHECK(loop.running() == 0);
  CHECK(destroyed > 0);
  loop.post([] {});
  CHECK_FALSE(ran);
}

TEST_CASE("a stopped worker pool has ended its job and drops what comes later") {
  io::WorkerPool pool(2);
  std::atomic<int> ran = 0;
  std::atomic<bool> begun = false;
  pool.run_detached([&] {
    begun = true;
    std::this_thread::sleep_for(5ms);
    ++ran;
  });
  while (!begun) std::this_thread::yield();
  pool.stop();
  CHECK(ran == 1);
  pool.run_detached([&] { ++ran; });
  CHECK(ran == 1);
}

TEST_CASE("together gives the values in order") {
  Loop loop;
  CHECK(loop.block_on(three_at_once()) == std::vector<int>{1, 2, 3});
}

TEST_CASE("first_of cancels the loser") {
  Loop loop;
  int destroyed = 0;
  CHECK(loop.block_on(race(destroyed)) == 1);
  CHECK(destroyed == 1);
}

TEST_CASE("a signal wakes all waiters and a deadline the others") {
  Loop loop;
  io::Signal signal;
  CHECK(loop.block_on(notify_then_count(signal)) == 3);
  CHECK(loop.block_on(waits_signal(signal, in(1ms))) == 0);
}

TEST_CASE("a job runs on a worker and its value comes back") {
  Loop loop;
  io::WorkerPool pool(2);
  CHECK(loop.block_on(run_job(pool)) == 42);
}

TEST_CASE("a job whose waiter is gone is dropped") {
  Loop loop;
  std::atomic<bool> release = false;
  int destroyed = 0;
  {
    io::WorkerPool pool(1);
    auto id = loop.spawn(run_slow_job(pool, release, destroyed), "slow");
    loop.block_on(after(2ms, 0));
    loop.cancel(id);
    loop.block_on(after(1ms, 0));
    CHECK(destroyed == 1);
    release = true;
  }
  loop.block_on(after(1ms, 0));
}
