#pragma once

#include <chrono>
#include <cstddef>

namespace postern::filters::lua {

// What one rule may spend.  Spending more is an error of the rule, which no pcall catches.
struct Budgets {
  std::chrono::microseconds cpu{20'000};            // of one run of one rule, waits not counted
  std::size_t memory = 8 << 20;                     // octets that one run may hold more than it found
  std::size_t state_memory = 96 << 20;              // of one state; beyond it the state is replaced, no rule is blamed
  int dns_questions = 200;                          // of all rules together for one message
  std::chrono::milliseconds stage_wall{60'000};     // from the start of a stage, waits counted
  std::chrono::milliseconds message_wall{240'000};  // of all stages of one message, all its recipients'; less than any client waits
  std::chrono::milliseconds dns_wait{5'000};        // for one answer
  int log_lines = 20;                               // of one run
  std::chrono::microseconds load_cpu{2'000'000};    // for loading one file
  std::size_t load_memory = 64 << 20;
};

}  // namespace postern::filters::lua
