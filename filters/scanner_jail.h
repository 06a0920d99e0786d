#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/base/result.h"

// The jail of a scanner process: what ClamAV's parsers may do when a message has taken them over.
namespace postern::filters {

// What keeps a jailed process from the files of this machine, best first.
enum class Confinement {
  private_folder,  // mount namespace of its own, chroot into an empty tmpfs of limited size
  landlock         // Linux 5.13: only its own folder below `scratch`
};
std::string_view name(Confinement confinement);

struct JailOptions {
  std::string scratch = "/tmp";                     // an existing folder; its content is not touched
  std::uint64_t scratch_octets = 512ULL << 20;      // what unpacking may fill (with landlock: a file)
  std::uint64_t memory_octets = 2048ULL << 20;      // address space above what is in use now
  int keep_descriptor = -1;                         // the one descriptor besides 0, 1, 2 that stays open
  bool allow_namespaces = true;                     // tests switch the better ways off
  bool allow_landlock = true;
};

struct Jail {
  Confinement confinement = Confinement::private_folder;
  std::string folder;  // for temporary files, as the jailed process sees it
};

// Shuts this process in, for good: new root, rlimits, no capabilities, no new privileges, not dumpable,
// seccomp (no network, no exec, no fork, no ptrace, no executable memory).  Call it on the only
// thread.  After an error the process is half shut in and must exit; a kernel without namespaces
// for us and without landlock is an error: libclamav makes a folder for each scan, so it must be
// let at files, and then at its own only.
Result<Jail> enter_jail(const JailOptions& options);

// Tries from inside what must not work and gives what did work, in words; empty: the jail is tight.
std::vector<std::string> holes_in_jail();

// Removes what scanners with landlock left in `scratch`, of processes that are no more.
void sweep_scratch(const std::string& scratch);

}  // namespace postern::filters
