// The bridge between Lua and C++: whatever a rule waits for is a Task that the binding left in its run.
#include "filters/lua/run.h"

#include <coroutine>
#include <exception>
#include <optional>

#include "gateway/io/loop.h"

namespace postern::filters::lua {
namespace {

// The answers of one stage and the one task that reads them.
struct Board {
  explicit Board(std::size_t count) : answers(count) {}
  std::vector<std::optional<Answer>> answers;
  bool out_of_time = false;
  std::coroutine_handle<> reader;
  std::size_t wanted = 0;

  bool settled(std::size_t index) const { return answers[index].has_value() || out_of_time; }

  // The last thing that a rule's task awaits: it stays suspended here, so the reader may destroy it.
  struct Posted {
    Board& board;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const noexcept {
      if (!board.reader || !board.settled(board.wanted)) return;
      std::exchange(board.reader, {}).resume();  // may destroy this task: touch nothing after
    }
    void await_resume() const noexcept {}
  };

  struct Settled {
    Board& board;
    std::size_t index;
    bool await_ready() const noexcept { return board.settled(index); }
    void await_suspend(std::coroutine_handle<> waiter) const noexcept {
      board.reader = waiter;
      board.wanted = index;
    }
    void await_resume() const noexcept {}
  };
};

// Goes on with a rule that waits until it has an answer.
io::Task<void> finish_rule(Thread thread, Board& board, std::size_t index) {
  State::Step step = State::Step::waiting;
  std::string trouble;
  while (step == State::Step::waiting && trouble.empty()) {
    try {
      co_await thread.take_pending();
    } catch (const std::exception& failure) {  // a fact that could not even fail properly
      trouble = failure.what();
    }
    if (trouble.empty()) step = thread.resume();
  }
  if (trouble.empty()) {
    board.answers[index] = thread.answer(step);
  } else {
    Answer answer;
    answer.rule = thread.run().index;
    answer.failed = true;
    answer.at = thread.run().rule->at();
    answer.what = "what the rule waited for failed: " + trouble;
    board.answers[index] = std::move(answer);
  }
  co_await Board::Posted{board};
}

io::Task<void> ring_at(Deadline when, Board& board) {
  co_await io::sleep_until(when);
  board.out_of_time = true;
  co_await Board::Posted{board};
}

void start(io::Task<void>& task) {
  auto awaiter = task.operator co_await();
  awaiter.child.resume();
}

Answer late(const State& state, std::size_t rule) {
  Answer answer;
  answer.rule = rule;
  answer.failed = true;
  answer.at = state.rules()[rule].at();
  answer.what = "no answer within the stage's time of " + std::to_string(state.generation().budgets().stage_wall.count() / 1000) + " s";
  return answer;
}

// The rule is not to blame for the time that others took.
Answer too_late_to_start(const State& state, std::size_t rule) {
  Answer answer = late(state, rule);
  answer.blameless = true;
  answer.what = "no answer within the stage's time, which was over before the rule could start";
  return answer;
}

}  // namespace

io::Task<void> run_stage(std::shared_ptr<State> state, std::vector<std::size_t> rules, Scene& scene, std::size_t recipient,
                         Reader& reader) {
  Board board(rules.size());
  std::vector<io::Task<void>> waiting;
  std::size_t next = 0;  // to be read
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (Deadline::clock::now() >= scene.stage_ends) {
      board.answers[i] = too_late_to_start(*state, rules[i]);
    } else {
      Thread thread(state, rules[i], scene, recipient);
      State::Step step = thread.resume();
      if (step == State::Step::waiting) {
        waiting.push_back(finish_rule(std::move(thread), board, i));
        continue;
      }
      board.answers[i] = thread.answer(step);
    }
    // As long as nothing before it waits an answer can be read at once.
    if (next != i) continue;
    ++next;
    bool open = reader.read(std::move(*board.answers[i]));
    if (!open) co_return;
  }
  if (waiting.empty()) co_return;
  for (auto& task : waiting) start(task);
  io::Task<void> alarm = ring_at(scene.stage_ends, board);
  start(alarm);
  for (; next < rules.size(); ++next) {
    co_await Board::Settled{board, next};
    Answer answer = board.answers[next] ? std::move(*board.answers[next]) : late(*state, rules[next]);
    bool open = reader.read(std::move(answer));
    if (!open) co_return;
  }
}

}  // namespace postern::filters::lua
