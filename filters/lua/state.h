#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "filters/lua/budgets.h"
#include "filters/lua/generation.h"
#include "filters/lua/scene.h"
#include "filters/lua/verdict.h"
#include "gateway/io/task.h"

struct lua_State;
struct lua_Debug;

// The machine room of the rule language: one Lua state per loop and generation, one Lua thread per
// running rule, budgets that stop every loop and bomb.  A State is used on one thread at a time.
namespace postern::filters::lua {

// One run of one rule; a Lua thread that came to its end is used again for later runs.
struct Running {
  State* state = nullptr;
  lua_State* thread = nullptr;
  int anchor = 0;                       // registry reference that keeps `thread`

  const RuleInfo* rule = nullptr;       // nullptr while files are loaded
  std::size_t index = 0;                // of the rule
  Scene* scene = nullptr;
  std::size_t recipient = 0;

  std::chrono::microseconds cpu_limit{0};
  std::chrono::microseconds cpu_used{0};     // in earlier slices, and in this one before `measured`
  std::size_t memory_limit = 0;
  std::ptrdiff_t memory = 0;                 // octets held more than at the start
  int arguments = 0;                         // on the thread's stack at the start
  int results = 0;                           // on it at the end
  std::size_t steps = 0;                     // of string and table functions since the last look at the clock
  int log_lines = 0;

  bool reusable = false;                // its thread came to its end without an error
  // Set once the run must end whatever it catches: budget spent, cancelled.
  bool stopped = false;
  bool state_full = false;
  bool measured = false;                // by the thread's CPU clock; before that, charged by the wall clock
  std::string stop_reason;

  io::Task<void> pending;               // what a binding waits for
  dns::Answer dns_answer;               // where it puts what it heard
  std::vector<Listing> listings;
  std::vector<Spoken> made;             // verdict values in order of making
  std::vector<Effect> effects;
  std::uint64_t serial = 0;             // a verdict of another run is none of this one
};

class State : public std::enable_shared_from_this<State> {
 public:
  // Loads the files of `generation`, which must outlive nothing: the state keeps it.
  // Mistakes in the files are collected in `mistakes`; a state with mistakes must not run.
  static std::shared_ptr<State> load(std::shared_ptr<const Generation> generation, std::vector<Mistake>& mistakes);
  ~State();
  State(const State&) = delete;

  const Generation& generation() const { return *generation_; }
  std::shared_ptr<const Generation> shared_generation() const { return generation_; }
  const std::vector<RuleInfo>& rules() const { return rules_; }
  const std::vector<TestInfo>& tests() const { return tests_; }
  lua_State* main() const { return main_; }

  // Begins a run.  The scene must use() this state and outlive the run.  std::bad_alloc when memory ends.
  Running* start(std::size_t rule, Scene& scene, std::size_t recipient);
  enum class Step { waiting, ended, failed };
  // Runs until the rule waits (then `pending` is to be awaited), ends or fails.
  Step resume(Running& run);
  // The answer of a run that ended or failed.
  Answer answer(Running& run, Step step);
  // Ends the run; its thread is kept for another one if it came to its end.
  void finish(Running* run);

  // True once the memory cap of the state was met: it has to be replaced.
  bool full() const { return full_; }
  std::size_t octets() const { return octets_; }

  // --- for bindings
  static Running& running(lua_State* lua);
  // Counts work done inside C functions; raises the budget's error when the CPU is spent.
  static void spend(lua_State* lua, std::size_t steps);
  bool over_budget(Running& run);
  // While it lives, what is done counts as no rule's time: facts of the message that are made when a rule
  // first reads them.  No Lua function may be called meanwhile.
  class Uncharged {
   public:
    explicit Uncharged(State& state);
    ~Uncharged();
    Uncharged(const Uncharged&) = delete;

   private:
    State& state_;
    std::chrono::steady_clock::time_point wall_;
    std::chrono::microseconds cpu_;
  };
  // Ends the run with an error that no pcall catches; the caller raises it.
  void stop(Running& run, std::string reason);
  // After a caught error: whether it must go on upwards (budget, memory, cancelled).
  bool must_rethrow(Running& run, int status);
  // While files are loaded: where mistakes go.  Otherwise nullptr.
  std::vector<Mistake>* mistakes() { return mistakes_; }
  std::vector<RuleInfo>& loaded_rules() { return rules_; }
  std::vector<TestInfo>& loaded_tests() { return tests_; }
  // Keeps a value of the registry; see Scene.  `lua`: the thread of the run that wants it, so that a
  // refused allocation is an error of that run; must be in a protected call.
  static Handle* make_handle(lua_State* lua, const char* metatable, Scene& scene, std::size_t recipient, int& reference);
  void drop_reference(int reference);
  // Calls `work` on the main thread with errors caught; for use outside of a run.
  bool protect(const std::function<void(lua_State*)>& work, std::string& problem);

  // The innermost place of the stack in a file of the administrator, else in ours, else "".
  static std::string place(lua_State* lua);

 private:
  explicit State(std::shared_ptr<const Generation> generation);
  static void* allocate(void* self, void* block, std::size_t old_size, std::size_t new_size);
  static void count_hook(lua_State* lua, lua_Debug* debug);
  void set_up();
  void run_files();
  void run_file(const SourceFile& file);
  Running* new_running();
  static int begin_run(lua_State* lua);
  void begin_slice(Running& run);
  void end_slice(Running& run);
  void begin_measuring(Running& run);
  bool may_grow(std::size_t by);

  std::shared_ptr<const Generation> generation_;
  lua_State* main_ = nullptr;
  std::size_t octets_ = 0;
  std::size_t allocated_since_look_ = 0;
  bool full_ = false;
  Running* current_ = nullptr;
  std::chrono::steady_clock::time_point slice_wall_;
  std::chrono::microseconds slice_cpu_{0};
  Running main_run_;
  std::vector<std::unique_ptr<Running>> runs_;
  std::vector<Running*> idle_;
  std::uint64_t next_serial_ = 1;
  std::vector<RuleInfo> rules_;
  std::vector<TestInfo> tests_;
  std::vector<Mistake>* mistakes_ = nullptr;
  bool refused_by_state_ = false;
};

// Gives a Running back to its state however the run ended.
class Thread {
 public:
  Thread(std::shared_ptr<State> state, std::size_t rule, Scene& scene, std::size_t recipient)
      : state_(std::move(state)), run_(state_->start(rule, scene, recipient)) {}
  Thread(Thread&& other) noexcept : state_(std::move(other.state_)), run_(std::exchange(other.run_, nullptr)) {}
  ~Thread() {
    if (run_ != nullptr) state_->finish(run_);
  }
  State::Step resume() { return state_->resume(*run_); }
  io::Task<void> take_pending() { return std::move(run_->pending); }
  Answer answer(State::Step step) { return state_->answer(*run_, step); }
  Running& run() { return *run_; }

 private:
  std::shared_ptr<State> state_;
  Running* run_;
};

}  // namespace postern::filters::lua
