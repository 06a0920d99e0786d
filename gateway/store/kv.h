#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"

// Ordered rows with small values and atomic batches.  Batch-oriented throughout, so that one over a
// network (PostgreSQL) can stand behind it: many keys a question, all rows of a commit in one write.
// Keys below 2 KB.  All functions may be called on any thread; write() by one thread at a time.
namespace postern::store {

struct KvRow {
  std::string key;
  std::string value;
};

// What a batch does, in order.
struct KvBatch {
  struct Step {
    enum class Kind { put, erase, erase_range };
    Kind kind;
    std::string key;
    std::string value;   // put: the value; erase_range: the first key that stays
  };
  std::vector<Step> steps;

  void put(std::string key, std::string value) { steps.push_back({Step::Kind::put, std::move(key), std::move(value)}); }
  void erase(std::string key) { steps.push_back({Step::Kind::erase, std::move(key), {}}); }
  void erase_range(std::string from, std::string to) { steps.push_back({Step::Kind::erase_range, std::move(from), std::move(to)}); }
  bool empty() const { return steps.empty(); }
};

// A read's answer.  would_block only when asked for what is in memory.
template <class T>
struct KvAnswer {
  enum class State { ok, would_block, failed };
  State state = State::ok;
  T value{};
  std::string error;   // a sentence, when failed
  bool ok() const { return state == State::ok; }
};

class KvReader {
 public:
  enum class Reach { disk, memory };
  virtual ~KvReader() = default;
  // One entry a key, in the order asked; nullopt: no such row.
  virtual KvAnswer<std::vector<std::optional<std::string>>> get(std::span<const std::string> keys, Reach reach) const = 0;
  // Rows with from <= key < to in order, at most `limit`.
  virtual KvAnswer<std::vector<KvRow>> scan(std::string_view from, std::string_view to, std::size_t limit, Reach reach) const = 0;
};

class Kv : public KvReader {
 public:
  // The rows as they are now, whatever is written later.  Must die before the Kv.
  virtual std::unique_ptr<KvReader> snapshot() const = 0;
  // All steps or none, durable when it returns.  After an Error whether they are there is
  // unknown until the Kv is opened anew.
  virtual Status write(const KvBatch& batch) = 0;
  // Brings what was written into the form in which checkpoint() keeps it, so that one soon after takes little time.
  virtual Status settle() const = 0;
  // The rows as they are now, durably in the folder `directory`, which is made; opened by what opened this Kv.
  // Writes may go on meanwhile, but then which of them are in it is not known.  An Error may leave part of it.
  virtual Status checkpoint(const std::string& directory) const = 0;
};

// How the rows of a folder are opened.
enum class KvOpening {
  create,      // made if they are not there
  existing,    // an Error if they are not there
  read_only    // writes nothing, so that it succeeds on a full disk; every write() is an Error
};

// The first key behind all that begin with `prefix`.
std::string behind(std::string_view prefix);

}  // namespace postern::store
