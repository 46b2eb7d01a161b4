// Part of Trowel, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One list of jobs under one lock. A job lives on its caller's stack: it is
// taken off the list when the caller has done its part, and the caller waits
// for those who had joined.
#include "runtime/Library/Pool.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <new>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

namespace trowel::library {
namespace {

struct Job {
  void (*body)(void *context, int32_t index);
  void *context;
  int32_t next, count; // indices that nobody has begun: [next, count)
  int32_t running = 0; // workers
  Job *after = nullptr;
  pthread_cond_t left = PTHREAD_COND_INITIALIZER;
};

class Lock {
public:
  explicit Lock(pthread_mutex_t &mutex) : mutex(mutex) {
    pthread_mutex_lock(&mutex);
  }
  ~Lock() { pthread_mutex_unlock(&mutex); }

private:
  pthread_mutex_t &mutex;
};

/// Its threads are idle between jobs and end with the process.
struct Pool {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
  Job *jobs = nullptr;
  int32_t workers = 0;
  pid_t process = getpid();

  void run(Job &job);
  void work();

private:
  void addWorkers(int32_t wanted);
  Job *firstOpen();
  void remove(Job &job);
};

Job *Pool::firstOpen() {
  for (Job *job = jobs; job; job = job->after)
    if (job->next < job->count)
      return job;
  return nullptr;
}

void Pool::remove(Job &job) {
  Job **place = &jobs;
  while (*place != &job)
    place = &(*place)->after;
  *place = job.after;
}

void Pool::work() {
  Lock lock(mutex);
  for (;;) {
    Job *job = firstOpen();
    if (!job) {
      pthread_cond_wait(&wake, &mutex);
      continue;
    }
    int32_t index = job->next++;
    ++job->running;
    pthread_mutex_unlock(&mutex);
    job->body(job->context, index);
    pthread_mutex_lock(&mutex);
    if (--job->running == 0)
      pthread_cond_signal(&job->left);
  }
}

void *startWorker(void *pool) {
  static_cast<Pool *>(pool)->work();
  return nullptr;
}

/// Signals are the host's: its own threads get them. With fewer threads than
/// wanted, or none, the callers do the work.
void Pool::addWorkers(int32_t wanted) {
  if (wanted >= mostThreads)
    wanted = mostThreads - 1;
  if (workers >= wanted)
    return;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (; workers < wanted; ++workers) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, startWorker, this) != 0)
      break;
    pthread_detach(thread);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Pool::run(Job &job) {
  {
    Lock lock(mutex);
    addWorkers(job.count - 1);
    job.after = jobs;
    jobs = &job;
    for (int32_t i = 1; i < job.count && i <= workers; ++i)
      pthread_cond_signal(&wake);
  }
  job.body(job.context, 0);
  Lock lock(mutex);
  remove(job);
  while (job.running > 0)
    pthread_cond_wait(&job.left, &mutex);
}

std::atomic<Pool *> current{nullptr};

/// A process that was forked has none of its parent's threads: it gets a pool
/// of its own. Null if there is no memory for one.
Pool *pool() {
  Pool *existing = current.load(std::memory_order_acquire);
  while (!existing || existing->process != getpid()) {
    void *memory = std::calloc(1, sizeof(Pool));
    if (!memory)
      return nullptr;
    Pool *made = ::new (memory) Pool;
    if (current.compare_exchange_strong(existing, made,
                                        std::memory_order_acq_rel))
      return made;
    std::free(memory);
  }
  return existing;
}

} // namespace

int32_t processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    return CPU_COUNT(&set);
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online < 1 ? 1 : static_cast<int32_t>(online);
}

void share(int32_t count, void (*body)(void *, int32_t), void *context) {
  Pool *threads = count > 1 ? pool() : nullptr;
  if (!threads)
    return body(context, 0);
  Job job{body, context, 1, count};
  threads->run(job);
}

} // namespace trowel::library
