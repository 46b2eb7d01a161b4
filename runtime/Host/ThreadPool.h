// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A few threads that share the items of one job after another.
#ifndef TROWEL_RUNTIME_HOST_THREADPOOL_H
#define TROWEL_RUNTIME_HOST_THREADPOOL_H

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace trowel {

class ThreadPool {
public:
  /// `threads` in all, the caller's own included; 0 means one for each core.
  explicit ThreadPool(unsigned threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  unsigned size() const { return static_cast<unsigned>(workers.size()) + 1; }

  /// Calls `work(item, thread)` for each item in [0, items), `thread` in
  /// [0, size()). Items are handed out one by one to whoever is free; returns
  /// when all are done. One job at a time.
  void run(int64_t items, const std::function<void(int64_t, unsigned)> &work);

private:
  void workerLoop(unsigned thread);
  void takeItems(unsigned thread);

  std::vector<std::thread> workers;
  std::mutex mutex;
  std::condition_variable wake, done;
  const std::function<void(int64_t, unsigned)> *job = nullptr;
  int64_t itemCount = 0;
  std::atomic<int64_t> next{0};
  uint64_t generation = 0;
  unsigned busy = 0;
  bool stopping = false;
};

} // namespace trowel

#endif // TROWEL_RUNTIME_HOST_THREADPOOL_H
