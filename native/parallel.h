// Loops over XLA's own threads, and memory that each thread keeps from call to call.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <thread>

#include "xla/ffi/api/ffi.h"

namespace slipstream {

using Threads = xla::ffi::ThreadPool;

// A pool is XLA's, or another with the same functions (own_threads.h).
template <class Pool>
int64_t thread_count(Pool& threads) {
  const int64_t count = threads.num_threads();
  return count < 1 ? 1 : count;
}

using Clock = std::chrono::steady_clock;
inline std::atomic<Clock::rep> last_shared{0};  // when a loop's work was last shared out

// Whether the pool's threads are likely to be looking for work still. Later they sleep, and waking
// one takes as long as a small loop. No result may depend on this.
inline bool threads_awake() {
  constexpr Clock::duration patience = std::chrono::microseconds(40);
  const Clock::duration since = Clock::now().time_since_epoch() - Clock::duration(last_shared.load());
  return since < patience;
}

// Calls body(i) for i in [0, count), each once, in any order and on any thread of the pool.
//
// The caller works too and waits only for items that somebody has begun, so a pool whose threads
// are all busy (this call may run on one of them) delays nothing. What is computed must not
// depend on which thread takes which item; then results repeat bit for bit.
template <class Pool, class Body>
void parallel_for(Pool& threads, int64_t count, const Body& body) {
  const int64_t helpers = (thread_count(threads) < count ? thread_count(threads) : count) - 1;
  if (helpers < 1) {
    for (int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  struct Progress {
    std::atomic<int64_t> next{0};
    std::atomic<int64_t> done{0};
    std::mutex mutex;
    std::condition_variable finished;
  };
  auto progress = std::make_shared<Progress>();  // outlives this call in tasks that start late
  const Body* const items = &body;
  const auto work = [progress, items, count] {
    for (int64_t i; (i = progress->next.fetch_add(1)) < count;) {
      (*items)(i);
      if (progress->done.fetch_add(1) + 1 == count) {
        std::lock_guard<std::mutex> lock(progress->mutex);
        progress->finished.notify_all();
      }
    }
  };
  const auto began = Clock::now();
  for (int64_t i = 0; i < helpers; ++i) threads.Schedule([work] { work(); });
  work();
  last_shared.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
  // The others are mostly done within microseconds, and to be woken takes some 40. Some may be
  // waiting for a core, perhaps for this one: it is offered to them for as long as the loop has
  // taken, and then they have it.
  for (int spins = 0; spins < 20000; ++spins)
    if (progress->done.load(std::memory_order_acquire) == count) return;
  const Clock::duration most = std::chrono::microseconds(200), taken = Clock::now() - began;
  const auto until = Clock::now() + (taken < most ? taken : most);
  while (Clock::now() < until) {
    std::this_thread::yield();
    if (progress->done.load(std::memory_order_acquire) == count) return;
  }
  std::unique_lock<std::mutex> lock(progress->mutex);
  progress->finished.wait(lock, [&] { return progress->done.load() == count; });
}

// Splits [0, count) into parts of at least `grain` and calls body(begin, end) for each.
template <class Body>
void parallel_ranges(Threads& threads, int64_t count, int64_t grain, const Body& body) {
  int64_t parts = grain < 1 ? count : count / grain;
  const int64_t most = 4 * thread_count(threads);
  parts = parts > most ? most : parts < 1 ? 1 : parts;
  parallel_for(threads, parts, [&](int64_t part) {
    body(part * count / parts, (part + 1) * count / parts);
  });
}

// Floats on a cache line's boundary, whose content lasts until the next `get` of this object.
class Scratch {
 public:
  float* get(int64_t count) {
    if (count > size_) {
      std::free(data_);
      size_ = 0;
      const size_t bytes = (static_cast<size_t>(count) * sizeof(float) + 127) / 64 * 64;
      data_ = static_cast<float*>(std::aligned_alloc(64, bytes));
      if (data_ == nullptr) throw std::bad_alloc();
      size_ = count;
    }
    return data_;
  }
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::free(data_); }

 private:
  float* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace slipstream
