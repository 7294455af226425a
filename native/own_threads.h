// Threads for calls from outside of programs, where XLA lends none of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "parallel.h"

namespace slipstream {

// They start when they are first wanted. Where there is nothing to do they look out for a moment,
// since calls follow each other, and then sleep: waking one takes as long as a small loop. A process
// that was forked off has none of them: its loops (parallel.h) run on their callers alone.
class OwnThreads {
 public:
  // So many, the caller counted.
  static OwnThreads& of(int64_t count) {
    static OwnThreads& all = *new OwnThreads;  // never destroyed: they wait on it until the end
    std::lock_guard<std::mutex> lock(all.mutex_);
    for (; all.count_ < count; ++all.count_) std::thread([] { all.work(); }).detach();
    return all;
  }

  int64_t num_threads() const { return count_; }

  // A task that nobody could take soon is dropped: the caller of a loop does what is left.
  void Schedule(std::function<void()> task) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (tasks_.size() >= kMost) return;
      tasks_.push_back(std::move(task));
      ++waiting_;
    }
    wanted_.notify_one();
  }

 private:
  void work() {
    for (;;) {
      const auto until = Clock::now() + std::chrono::microseconds(100);
      while (waiting_ == 0 && Clock::now() < until) continue;
      std::unique_lock<std::mutex> lock(mutex_);
      wanted_.wait(lock, [this] { return !tasks_.empty(); });
      const std::function<void()> task = std::move(tasks_.front());
      tasks_.pop_front();
      --waiting_;
      lock.unlock();
      task();
    }
  }

  static constexpr size_t kMost = 256;
  int64_t count_ = 1;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<std::function<void()>> tasks_;
  std::atomic<int64_t> waiting_{0};  // how many tasks there are, to be read without the lock
};

}  // namespace slipstream
