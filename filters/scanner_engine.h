#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/base/result.h"

struct cl_engine;

namespace postern::filters {

struct EngineLimits {
  std::uint32_t scan_milliseconds = 30'000;      // per scanned piece
  std::uint64_t scan_octets = 400ULL << 20;      // all that comes out of one piece
  std::uint64_t file_octets = 200ULL << 20;      // one file in it
  std::uint32_t recursion = 17;
  std::uint32_t files = 10'000;
};

enum class ScanMode {
  raw,         // a whole message without ClamAV's mail parser: our own decoded parts follow
  raw_parsed,  // a whole message through ClamAV's mail parser
  part         // a decoded part, or a file
};

// What ClamAV says of one piece.
struct EngineAnswer {
  enum class State { clean, found, limit, error } state = State::clean;
  std::string text;  // found: the signature's name; limit, error: why the piece was not fully scanned
};

// libclamav with a loaded database.  One thread.  A fork() shares the database's memory.
class Engine {
 public:
  // Loads every signature file in `folder` and compiles.  Adds one signature of our own, for the
  // EICAR test file, behind them, so that the self-test works with any database.  The error names
  // the file where ClamAV does.  `scratch`: an existing folder for a temporary file.
  static Result<Engine> load(const std::string& folder, const EngineLimits& limits, const std::string& scratch);

  unsigned signatures() const { return signatures_; }  // the database's own
  // When the newest of the files was made: of a .cvd or .cld what its header says, else its mtime.  Unix seconds.
  std::int64_t database_time() const { return database_time_; }

  // Where unpacked files go; to be called in the jail, before the first scan.
  bool use_folder(const std::string& folder);
  // `octets` must not change while the scan runs.
  EngineAnswer scan(std::string_view octets, const std::string& file_name, ScanMode mode) const;

 private:
  struct Free {
    void operator()(cl_engine* engine) const;
  };
  explicit Engine(cl_engine* engine) : engine_(engine) {}
  bool set_limits(const EngineLimits& limits);

  std::unique_ptr<cl_engine, Free> engine_;
  unsigned signatures_ = 0;
  std::int64_t database_time_ = 0;
};

// Does the file carry signatures, going by its name (daily.cvd, local.hdb)?
bool is_signature_file(std::string_view file_name);

}  // namespace postern::filters
