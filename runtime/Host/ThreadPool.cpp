// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/Host/ThreadPool.h"

namespace trowel {

ThreadPool::ThreadPool(unsigned threads) {
  if (threads == 0)
    threads = std::thread::hardware_concurrency();
  for (unsigned i = 1; i < threads; ++i)
    workers.emplace_back([this, i] { workerLoop(i); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping = true;
  }
  wake.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

void ThreadPool::takeItems(unsigned thread) {
  for (;;) {
    int64_t item = next.fetch_add(1, std::memory_order_relaxed);
    if (item >= itemCount)
      return;
    (*job)(item, thread);
  }
}

void ThreadPool::workerLoop(unsigned thread) {
  uint64_t seen = 0;
  for (;;) {
    {
      std::unique_lock<std::mutex> lock(mutex);
      wake.wait(lock, [&] { return stopping || generation != seen; });
      if (stopping)
        return;
      seen = generation;
    }
    takeItems(thread);
    std::lock_guard<std::mutex> lock(mutex);
    if (--busy == 0)
      done.notify_one();
  }
}

void ThreadPool::run(int64_t items,
                     const std::function<void(int64_t, unsigned)> &work) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    job = &work;
    itemCount = items;
    next.store(0, std::memory_order_relaxed);
    busy = static_cast<unsigned>(workers.size());
    ++generation;
  }
  wake.notify_all();
  takeItems(0);
  std::unique_lock<std::mutex> lock(mutex);
  done.wait(lock, [&] { return busy == 0; });
}

} // namespace trowel
