// The worker threads.
#include "gateway/io/worker_pool.h"

#include <pthread.h>

#include "gateway/base/log.h"

namespace postern::io {

WorkerPool::WorkerPool(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::stop() {
  std::deque<std::function<void()>> unrun;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    unrun.swap(jobs_);
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
}

void WorkerPool::push(std::function<void()> job) {
  {
    std::lock_guard lock(mutex_);
    if (stop_) return;
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void WorkerPool::work() {
  pthread_setname_np(pthread_self(), "worker");
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
      if (stop_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    try {
      job();
    } catch (const std::exception& failure) {
      log::error("worker.failed", {{"what", failure.what()}});
    } catch (...) {
      log::error("worker.failed", {{"what", "unknown exception"}});
    }
  }
}

}  // namespace postern::io
