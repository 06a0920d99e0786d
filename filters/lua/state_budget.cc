// What a run may spend: memory, asked of the allocator; CPU, looked at between instructions and in long functions.
#include <lua.hpp>

#include <time.h>

#include <cstdlib>

#include "filters/lua/bind.h"
#include "filters/lua/state.h"

namespace postern::filters::lua {
namespace {

constexpr std::size_t kLookEveryOctets = 1 << 20;     // allocated between two looks at the clock
constexpr std::size_t kLookEverySteps = 4096;
constexpr std::ptrdiff_t kSlack = 64 * 1024;          // for the error message of a run that was stopped
constexpr int kUnmeasuredShare = 8;                   // an eighth of the budget is charged by the wall clock

std::chrono::microseconds since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin);
}

std::chrono::microseconds thread_cpu() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::microseconds(now.tv_sec * 1'000'000 + now.tv_nsec / 1000);
}

std::string milliseconds(std::chrono::microseconds span) { return std::to_string(span.count() / 1000) + " ms"; }
std::string mebibytes(std::size_t octets) { return std::to_string(octets >> 20) + " MiB"; }

}  // namespace

// --- memory

bool State::may_grow(std::size_t by) {
  Running& run = *current_;
  auto held = run.memory + static_cast<std::ptrdiff_t>(by);
  if (run.stopped) return held <= static_cast<std::ptrdiff_t>(run.memory_limit) + kSlack;
  if (held > static_cast<std::ptrdiff_t>(run.memory_limit)) {
    refused_by_state_ = false;
    return false;
  }
  if (octets_ + by > generation_->budgets().state_memory) {
    refused_by_state_ = true;
    return false;
  }
  allocated_since_look_ += by;
  if (allocated_since_look_ < kLookEveryOctets) return true;
  // Big strings cost time inside single instructions, between which the hook is not called.
  allocated_since_look_ = 0;
  return !over_budget(run);
}

void* State::allocate(void* self, void* block, std::size_t old_size, std::size_t new_size) {
  State& state = *static_cast<State*>(self);
  if (block == nullptr) old_size = 0;  // it carries a type tag then
  if (new_size == 0) {
    std::free(block);
    state.octets_ -= old_size;
    if (state.current_ != nullptr) state.current_->memory -= static_cast<std::ptrdiff_t>(old_size);
    return nullptr;
  }
  if (new_size > old_size && state.current_ != nullptr && !state.may_grow(new_size - old_size)) return nullptr;
  void* moved = std::realloc(block, new_size);
  if (moved == nullptr) return nullptr;
  state.octets_ += new_size - old_size;
  if (state.current_ != nullptr) {
    state.current_->memory += static_cast<std::ptrdiff_t>(new_size) - static_cast<std::ptrdiff_t>(old_size);
  }
  return moved;
}

// --- budgets

void State::stop(Running& run, std::string reason) {
  run.stopped = true;
  run.stop_reason = std::move(reason);
  lua_sethook(run.thread, &State::count_hook, LUA_MASKCOUNT, 1);  // error handlers get no time of their own
}

// Asking for a thread's CPU time is a system call, dearer than most rules.  So a run is charged by the
// wall clock as long as that comes to little, and is measured from then on.  What the wall clock
// charged is cut at that share: the thread may just not have had a processor.
void State::begin_measuring(Running& run) {
  run.measured = true;
  run.cpu_used = run.cpu_limit / kUnmeasuredShare;
  slice_cpu_ = thread_cpu();
}

bool State::over_budget(Running& run) {
  if (run.stopped) return true;
  if (!run.measured) {
    if (run.cpu_used + since(slice_wall_) > run.cpu_limit / kUnmeasuredShare) {
      begin_measuring(run);
      slice_wall_ = std::chrono::steady_clock::now();
    }
    return false;
  }
  if (run.cpu_used + since(slice_wall_) <= run.cpu_limit) return false;
  auto used = run.cpu_used + thread_cpu() - slice_cpu_;
  if (used <= run.cpu_limit) return false;
  stop(run, "CPU budget of " + milliseconds(run.cpu_limit) + " spent");
  return true;
}

State::Uncharged::Uncharged(State& state) : state_(state), wall_(std::chrono::steady_clock::now()), cpu_(thread_cpu()) {}

State::Uncharged::~Uncharged() {
  state_.slice_wall_ += std::chrono::steady_clock::now() - wall_;
  state_.slice_cpu_ += thread_cpu() - cpu_;
}

void State::count_hook(lua_State* lua, lua_Debug*) {
  Running& run = running(lua);
  if (run.state->over_budget(run)) raise(lua, run.stop_reason);
}

void State::spend(lua_State* lua, std::size_t steps) {
  Running& run = running(lua);
  run.steps += steps;
  if (run.steps < kLookEverySteps) return;
  run.steps = 0;
  if (run.state->over_budget(run)) raise(lua, run.stop_reason);
}

bool State::must_rethrow(Running& run, int status) {
  if (run.stopped) return true;
  if (status != LUA_ERRMEM) return false;
  if (refused_by_state_) {
    full_ = true;
    run.state_full = true;
    stop(run, "the memory of the rules' state is full");
  } else {
    stop(run, "memory budget of " + mebibytes(run.memory_limit) + " spent");
  }
  return true;
}

void State::begin_slice(Running& run) {
  current_ = &run;
  slice_wall_ = std::chrono::steady_clock::now();
  if (run.measured) slice_cpu_ = thread_cpu();
  allocated_since_look_ = 0;
}

void State::end_slice(Running& run) {
  current_ = nullptr;
  if (run.measured) {
    run.cpu_used += thread_cpu() - slice_cpu_;
    return;
  }
  run.cpu_used += since(slice_wall_);
  if (run.cpu_used > run.cpu_limit / kUnmeasuredShare) begin_measuring(run);
}

}  // namespace postern::filters::lua
