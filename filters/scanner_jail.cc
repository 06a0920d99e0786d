// The scanner's jail: namespaces or landlock for files, seccomp for everything else, rlimits for the rest.
//
// seccomp cannot look at a path, so a filter alone must allow every open() or none.  ClamAV's
// unpackers need files of their own; hence the empty root, or landlock, behind the filter.
#include "filters/scanner_jail.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "filters/scanner_seccomp.h"
#include "gateway/base/text.h"
#include "gateway/io/fd.h"

namespace postern::filters {
namespace {

constexpr uid_t kNobody = 65534;
constexpr std::string_view kFolderPrefix = "postern-scan-";

Error failure(const std::string& what) { return Error(what + ": " + std::strerror(errno)); }

bool write_text(const char* path, const std::string& text) {
  io::Fd file(::open(path, O_WRONLY | O_CLOEXEC));
  return file.valid() && ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Root needs no user namespace; anyone else gets his capabilities for mount() from one.
bool own_mount_namespace() {
  uid_t uid = ::geteuid();
  gid_t gid = ::getegid();
  if (uid == 0 && ::unshare(CLONE_NEWNS) == 0) return true;
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  // user_namespaces(7): setgroups must be denied before an unprivileged process may map its group.
  write_text("/proc/self/setgroups", "deny");
  return write_text("/proc/self/uid_map", std::to_string(uid) + " " + std::to_string(uid) + " 1") &&
         write_text("/proc/self/gid_map", std::to_string(gid) + " " + std::to_string(gid) + " 1");
}

// The tmpfs lives as long as this process, so that a killed scanner leaves nothing behind.
bool enter_private_folder(const JailOptions& options) {
  if (!own_mount_namespace()) return false;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  uid_t owner = ::geteuid() == 0 ? kNobody : ::geteuid();
  gid_t group = ::geteuid() == 0 ? kNobody : ::getegid();
  std::string limits = "mode=0700,nr_inodes=50000,size=" + std::to_string(options.scratch_octets) + ",uid=" + std::to_string(owner) +
                       ",gid=" + std::to_string(group);
  // A user namespace knows no other uid than its own, so "nobody" is only tried with real root.
  if (::mount("tmpfs", options.scratch.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, limits.c_str()) != 0) {
    limits = "mode=0700,nr_inodes=50000,size=" + std::to_string(options.scratch_octets);
    if (::mount("tmpfs", options.scratch.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, limits.c_str()) != 0) return false;
  }
  return ::chdir(options.scratch.c_str()) == 0 && ::chroot(".") == 0 && ::chdir("/") == 0;
}

std::optional<std::string> make_folder(const std::string& scratch) {
  std::string folder = scratch + "/" + std::string(kFolderPrefix) + std::to_string(::getpid());
  // One that is there already is somebody else's: our own dead were swept away.
  if (::mkdir(folder.c_str(), 0700) != 0) return std::nullopt;
  if (::geteuid() == 0 && ::chown(folder.c_str(), kNobody, kNobody) != 0) return std::nullopt;
  return folder;
}

int landlock(long number, const void* a, std::size_t b, unsigned c) { return static_cast<int>(::syscall(number, a, b, c)); }

// landlock(7).  Everything that is handled and not allowed by the one rule fails with EACCES.
bool restrict_to(const std::string& folder) {
  constexpr std::uint64_t kFirstVersion = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;  // all rights of ABI 1
  int version = landlock(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 1) return false;
  landlock_ruleset_attr attributes{};
  attributes.handled_access_fs = kFirstVersion;
  io::Fd rules(landlock(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0));
  if (!rules.valid()) return false;
  io::Fd directory(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return false;
  landlock_path_beneath_attr beneath{};
  beneath.parent_fd = directory.get();
  beneath.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_WRITE_FILE |
                           LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                           LANDLOCK_ACCESS_FS_MAKE_REG;
  if (::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) != 0) return false;
  return ::syscall(SYS_landlock_restrict_self, rules.get(), 0) == 0;
}

Result<Jail> confine_files(const JailOptions& options) {
  if (options.allow_namespaces && enter_private_folder(options)) return Jail{Confinement::private_folder, "/"};
  if (options.allow_landlock) {
    auto folder = make_folder(options.scratch);
    if (folder && restrict_to(*folder)) return Jail{Confinement::landlock, *folder};
  }
  return Error("scanners cannot be confined: the kernel gives us neither a mount namespace nor landlock");
}

std::uint64_t address_space_in_use() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t pages = 0;
  statm >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

bool limit(int resource, std::uint64_t value) {
  rlimit bound{value, value};
  return ::setrlimit(static_cast<__rlimit_resource>(resource), &bound) == 0;
}

bool set_limits(const JailOptions& options, std::uint64_t in_use) {
  constexpr std::uint64_t kCpuSeconds = 900;  // of the whole life; scanners retire long before
  return limit(RLIMIT_AS, in_use + options.memory_octets) && limit(RLIMIT_FSIZE, options.scratch_octets) &&
         limit(RLIMIT_NOFILE, 256) && limit(RLIMIT_CPU, kCpuSeconds) && limit(RLIMIT_CORE, 0) && limit(RLIMIT_MEMLOCK, 0);
}

bool become_nobody() {
  if (::geteuid() != 0) return true;
  // Fails in a user namespace that maps root alone; its root has no rights outside of it.
  if (::setgroups(0, nullptr) != 0) return true;
  return ::setresgid(kNobody, kNobody, kNobody) == 0 && ::setresuid(kNobody, kNobody, kNobody) == 0;
}

bool drop_capabilities() {
  for (int capability = 0; ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability) {
    ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);  // without CAP_SETPCAP there is nothing to drop either
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[2]{};
  return ::syscall(SYS_capset, &header, none) == 0;
}

void close_all_but(int keep) {
  unsigned kept = static_cast<unsigned>(keep);
  if (kept > 3) ::syscall(SYS_close_range, 3U, kept - 1, 0);
  ::syscall(SYS_close_range, kept < 3 ? 3U : kept + 1, ~0U, 0);
}

// Was the call refused by the filter?  Anything else, a success or another errno, is a hole.
bool refused(long result) { return result == -1 && errno == EPERM; }

}  // namespace

std::string_view name(Confinement confinement) {
  switch (confinement) {
    case Confinement::private_folder: return "private folder";
    case Confinement::landlock: return "landlock";
  }
  return "";
}

Result<Jail> enter_jail(const JailOptions& options) {
  std::uint64_t in_use = address_space_in_use();
  if (in_use == 0) return Error("cannot read /proc/self/statm");
  pid_t parent = ::getppid();
  close_all_but(options.keep_descriptor);
  // First, because landlock and seccomp want it of an unprivileged process.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failure("cannot set no_new_privs");
  auto jail = confine_files(options);
  if (!jail) return jail.error();
  if (!become_nobody()) return failure("cannot give up root");
  if (!drop_capabilities()) return failure("cannot drop capabilities");
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return failure("cannot become undumpable");
  // A change of user clears it, so it comes last; the parent may have died before it was set.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return failure("cannot tie its life to the loader");
  if (::getppid() != parent) return Error("the loader is gone");
  if (!set_limits(options, in_use)) return failure("cannot set resource limits");
  auto filtered = install_filter();
  if (!filtered) return filtered.error();
  return jail;
}

std::vector<std::string> holes_in_jail() {
  std::vector<std::string> holes;
  auto note = [&holes](bool tight, const char* what) {
    if (!tight) holes.emplace_back(what);
  };
  note(::open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0, "open /etc/passwd");
  note(::open("/proc/self/status", O_RDONLY | O_CLOEXEC) < 0, "open /proc/self/status");
  note(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC) < 0, "open its own program");
  note(::open("/../../../../etc/passwd", O_RDONLY | O_CLOEXEC) < 0, "climb out of its root");
  note(refused(::chmod("/nonexistent", 0600)), "chmod");
  note(refused(::fchmod(-1, 0600)), "fchmod");
  note(refused(::fchmodat(AT_FDCWD, "/nonexistent", 0600, 0)), "fchmodat");
  note(refused(::socket(AF_INET, SOCK_STREAM, 0)), "socket, internet");
  note(refused(::socket(AF_UNIX, SOCK_STREAM, 0)), "socket, unix");
  char* const arguments[] = {nullptr};
  // The filter looks at the call before anybody looks at the path: no such file would be ENOENT.
  note(refused(::execve("/nonexistent/program", arguments, arguments)), "execve");
  pid_t child = static_cast<pid_t>(::syscall(SYS_fork));
  if (child == 0) ::_exit(0);
  note(refused(child), "fork");
  note(refused(::ptrace(PTRACE_PEEKDATA, 0, nullptr, nullptr)), "ptrace");
  note(refused(::kill(::getpid(), 0)), "kill");
  note(refused(::unshare(CLONE_NEWNS)), "unshare");
  note(refused(::chroot("/")), "chroot");
  note(refused(::mount("none", "/nonexistent", "none", 0, nullptr)), "mount");
  note(refused(::setuid(0)), "setuid");
  note(refused(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)), "prctl");
  void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  note(page == MAP_FAILED && errno == EPERM, "executable memory");
  return holes;
}

void sweep_scratch(const std::string& scratch) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(scratch, ignored)) {
    std::string file = entry.path().filename().string();
    if (!file.starts_with(kFolderPrefix)) continue;
    auto pid = parse_number(std::string_view(file).substr(kFolderPrefix.size()));
    if (!pid || *pid == 0 || *pid > 0x7fffffff) continue;
    if (::kill(static_cast<pid_t>(*pid), 0) == 0 || errno != ESRCH) continue;
    std::filesystem::remove_all(entry.path(), ignored);
  }
}

}  // namespace postern::filters
