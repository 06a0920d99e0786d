// libclamav behind five functions; with scanner_child the only place that knows it.
//
// Measured traps: the cache of clean files ignores scan options (off); a limit that was hit counts
// as clean unless alerts for it are on (on, and an alert of that kind is an error, no virus); the
// bytecode JIT would need executable memory in the jail (interpreter).
#include "filters/scanner_engine.h"

#include <clamav.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "gateway/base/text.h"

namespace postern::filters {
namespace {

constexpr std::array kSuffixes = {".cvd", ".cld", ".cud", ".hdb", ".hsb", ".hdu", ".hsu", ".mdb", ".msb", ".mdu", ".msu", ".ndb",
                                  ".ndu", ".ldb", ".ldu", ".db",  ".cdb", ".crb", ".pdb", ".gdb", ".wdb", ".fp",  ".sfp", ".ign",
                                  ".ign2", ".ftm", ".idb", ".imp", ".pwdb", ".cat", ".yar", ".yara", ".cbc", ".rmd", ".zmd", ".sdb"};
// Files that only name exceptions, types or passwords: a folder with nothing else finds no virus.
constexpr std::array kNoSignatures = {".fp", ".sfp", ".ign", ".ign2", ".ftm", ".pwdb", ".wdb", ".cat", ".crb"};

constexpr std::string_view kEicarName = "Postern.Eicar-Test-Signature";
constexpr std::string_view kLimitPrefix = "Heuristics.Limits.Exceeded";

// libclamav's log goes to one callback without a handle; the process is single-threaded.
std::string& last_message() {
  static std::string message;
  return message;
}

void keep_message(cl_msg severity, const char*, const char* message, void*) {
  if (severity == CL_MSG_ERROR && last_message().empty()) last_message() = printable(trimmed(message), 300);
}

std::string reason(cl_error_t code) {
  std::string text = cl_strerror(code);
  if (!last_message().empty()) text += " (" + last_message() + ")";
  return text;
}

std::int64_t made_at(const std::filesystem::path& file) {
  std::string suffix = file.extension().string();
  if (suffix == ".cvd" || suffix == ".cld") {
    if (cl_cvd* head = cl_cvdhead(file.c_str()); head != nullptr) {
      std::int64_t when = head->stime;
      cl_cvdfree(head);
      if (when > 0) return when;
    }
  }
  struct stat status {};
  return ::stat(file.c_str(), &status) == 0 ? status.st_mtime : 0;
}

// MD5 and length of the 68 octets that eicar.org publishes for this purpose.
bool load_eicar(cl_engine* engine, const std::string& scratch) {
  std::string folder = scratch + "/postern-load-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return false;
  std::string file = folder + "/selftest.hdb";
  {
    std::ofstream out(file);
    out << "44d88612fea8a8f36de82e1278abb02f:68:" << kEicarName << "\n";
  }
  unsigned count = 0;
  bool loaded = cl_load(file.c_str(), engine, &count, CL_DB_STDOPT) == CL_SUCCESS && count == 1;
  ::unlink(file.c_str());
  ::rmdir(folder.c_str());
  return loaded;
}

cl_scan_options options_for(ScanMode mode) {
  cl_scan_options options{};
  options.general = CL_SCAN_GENERAL_HEURISTICS | CL_SCAN_GENERAL_UNPRIVILEGED;
  options.parse = ~0U;
  if (mode == ScanMode::raw) options.parse &= ~static_cast<unsigned>(CL_SCAN_PARSE_MAIL);
  options.heuristic = CL_SCAN_HEURISTIC_EXCEEDS_MAX;
  return options;
}

struct CloseMap {
  void operator()(cl_fmap_t* map) const { cl_fmap_close(map); }
};

}  // namespace

bool is_signature_file(std::string_view file_name) {
  for (std::string_view suffix : kNoSignatures) {
    if (iends_with(file_name, suffix)) return false;
  }
  for (std::string_view suffix : kSuffixes) {
    if (iends_with(file_name, suffix)) return true;
  }
  return false;
}

void Engine::Free::operator()(cl_engine* engine) const { cl_engine_free(engine); }

bool Engine::set_limits(const EngineLimits& limits) {
  const std::pair<cl_engine_field, long long> values[] = {
      {CL_ENGINE_DISABLE_CACHE, 1},
      {CL_ENGINE_MAX_SCANTIME, limits.scan_milliseconds},
      {CL_ENGINE_MAX_SCANSIZE, static_cast<long long>(limits.scan_octets)},
      {CL_ENGINE_MAX_FILESIZE, static_cast<long long>(limits.file_octets)},
      {CL_ENGINE_MAX_RECURSION, limits.recursion},
      {CL_ENGINE_MAX_FILES, limits.files},
      {CL_ENGINE_BYTECODE_MODE, CL_BYTECODE_MODE_INTERPRETER},
      {CL_ENGINE_BYTECODE_SECURITY, CL_BYTECODE_TRUST_SIGNED},
      {CL_ENGINE_BYTECODE_TIMEOUT, 10'000},
  };
  bool all = true;
  for (auto [field, value] : values) all = cl_engine_set_num(engine_.get(), field, value) == CL_SUCCESS && all;
  return all;
}

Result<Engine> Engine::load(const std::string& folder, const EngineLimits& limits, const std::string& scratch) {
  cl_set_clcb_msg(keep_message);
  last_message().clear();
  if (auto code = cl_init(CL_INIT_DEFAULT); code != CL_SUCCESS) return Error("ClamAV does not start: " + reason(code));
  Engine engine(cl_engine_new());
  if (!engine.engine_) return Error("ClamAV does not start: out of memory");
  if (!engine.set_limits(limits)) return Error("ClamAV refuses our limits");

  std::error_code failed;
  bool any = false;
  for (const auto& entry : std::filesystem::directory_iterator(folder, failed)) {
    if (!is_signature_file(entry.path().filename().string())) continue;
    any = true;
    engine.database_time_ = std::max(engine.database_time_, made_at(entry.path()));
  }
  if (failed) return Error("cannot read the signature folder " + folder + ": " + failed.message());
  if (!any) return Error("no signature database in " + folder);
  if (auto code = cl_load(folder.c_str(), engine.engine_.get(), &engine.signatures_, CL_DB_STDOPT); code != CL_SUCCESS) {
    return Error("cannot load the signature database in " + folder + ": " + reason(code));
  }
  if (engine.signatures_ == 0) return Error("the signature files in " + folder + " hold no signature");
  if (!load_eicar(engine.engine_.get(), scratch)) return Error("cannot add the self-test signature: " + reason(CL_ERROR));
  if (auto code = cl_engine_compile(engine.engine_.get()); code != CL_SUCCESS) {
    return Error("cannot compile the signature database in " + folder + ": " + reason(code));
  }
  return engine;
}

bool Engine::use_folder(const std::string& folder) {
  return cl_engine_set_str(engine_.get(), CL_ENGINE_TMPDIR, folder.c_str()) == CL_SUCCESS;
}

EngineAnswer Engine::scan(std::string_view octets, const std::string& file_name, ScanMode mode) const {
  EngineAnswer answer;
  if (octets.empty()) return answer;
  last_message().clear();
  std::unique_ptr<cl_fmap_t, CloseMap> map(cl_fmap_open_memory(octets.data(), octets.size()));
  if (!map) return {EngineAnswer::State::error, "out of memory"};
  cl_scan_options options = options_for(mode);
  const char* signature = nullptr;
  unsigned long scanned = 0;
  auto code = cl_scanmap_callback(map.get(), file_name.empty() ? nullptr : file_name.c_str(), &signature, &scanned, engine_.get(),
                                  &options, nullptr);
  if (code == CL_CLEAN) return answer;
  if (code != CL_VIRUS) return {EngineAnswer::State::error, reason(code)};
  std::string found = signature != nullptr ? signature : "unnamed";
  if (found.starts_with(kLimitPrefix)) return {EngineAnswer::State::limit, "limit exceeded: " + found};
  return {EngineAnswer::State::found, found};
}

}  // namespace postern::filters
