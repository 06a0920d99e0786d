#pragma once

#include <cstddef>
#include <string>

#include "gateway/base/result.h"
#include "gateway/io/task.h"
#include "gateway/store/store.h"

namespace postern::delivery {

class Deliverer;

struct LetGo {
  std::size_t sent = 0;
  std::size_t viruses = 0;   // are never sent
  std::size_t left = 0;      // could not be sent now
  std::string problem;       // why not: the first of them, with its id
};

// Sends what lies in the account's Held, one message after the other, each once whatever happens meanwhile: what was
// sent before a crash is known at the next call.  An Error: Held cannot be read.  Not to be called twice at once for an
// account.  Store and deliverer outlive the task.
io::Task<Result<LetGo>> let_go(store::Store& store, Deliverer& deliverer, store::Account account);

// Moves it to Trash instead; gives how many.
io::Task<Result<std::size_t>> discard_held(store::Store& store, store::Account account);

// How many messages are held.
std::size_t count_held(const store::Store& store, store::AccountId account);

}  // namespace postern::delivery
