// The list of system calls that libclamav, libarchive and our own few lines need once everything is loaded.
#include "filters/scanner_seccomp.h"

#include <fcntl.h>
#include <seccomp.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace postern::filters {
namespace {

// Memory, time, and octets of descriptors that are open already.
constexpr int kAlways[] = {
    SCMP_SYS(read),          SCMP_SYS(readv),         SCMP_SYS(pread64),      SCMP_SYS(write),          SCMP_SYS(writev),
    SCMP_SYS(pwrite64),      SCMP_SYS(close),         SCMP_SYS(lseek),        SCMP_SYS(fstat),          SCMP_SYS(dup),
    SCMP_SYS(recvmsg),       SCMP_SYS(sendmsg),       SCMP_SYS(munmap),       SCMP_SYS(mremap),         SCMP_SYS(madvise),
    SCMP_SYS(brk),           SCMP_SYS(futex),         SCMP_SYS(exit),         SCMP_SYS(exit_group),     SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),  SCMP_SYS(time),         SCMP_SYS(times),          SCMP_SYS(getrusage),
    SCMP_SYS(rt_sigaction),  SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),   SCMP_SYS(restart_syscall),
    SCMP_SYS(getpid),        SCMP_SYS(gettid),        SCMP_SYS(getppid),      SCMP_SYS(getuid),         SCMP_SYS(geteuid),
    SCMP_SYS(getgid),        SCMP_SYS(getegid),       SCMP_SYS(sched_yield),  SCMP_SYS(clock_nanosleep), SCMP_SYS(uname),
    SCMP_SYS(sched_getaffinity)};

// Only behind a root of its own or landlock.  No chmod: landlock does not govern it, and ClamAV does without.
constexpr int kFiles[] = {
    SCMP_SYS(open),      SCMP_SYS(openat),     SCMP_SYS(creat),      SCMP_SYS(stat),      SCMP_SYS(lstat),    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),     SCMP_SYS(access),     SCMP_SYS(faccessat),  SCMP_SYS(mkdir),     SCMP_SYS(mkdirat),  SCMP_SYS(rmdir),
    SCMP_SYS(unlink),    SCMP_SYS(unlinkat),   SCMP_SYS(rename),     SCMP_SYS(getdents64),
    SCMP_SYS(ftruncate), SCMP_SYS(getcwd),     SCMP_SYS(readlink),   SCMP_SYS(fstatfs),   SCMP_SYS(statfs),   SCMP_SYS(umask)};

struct Filter {
  scmp_filter_ctx context = seccomp_init(SCMP_ACT_ERRNO(EPERM));
  Filter() = default;
  ~Filter() { seccomp_release(context); }
  Filter(const Filter&) = delete;
};

// Whether every rule went in; a call that this architecture lacks is left out by the library.
bool add_rules(scmp_filter_ctx context) {
  int failed = 0;
  for (int call : kAlways) failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, call, 0);
  for (int call : kFiles) failed |= seccomp_rule_add(context, SCMP_ACT_ALLOW, call, 0);
  // No executable memory, so that injected code has nowhere to go.
  const scmp_arg_cmp not_executable{.arg = 2, .op = SCMP_CMP_MASKED_EQ, .datum_a = PROT_EXEC, .datum_b = 0};
  failed |= seccomp_rule_add_array(context, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &not_executable);
  failed |= seccomp_rule_add_array(context, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &not_executable);
  // Flags of descriptors, and copies of them; no locks, no signals (F_SETOWN, F_SETSIG).
  for (scmp_datum_t command : {F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC}) {
    const scmp_arg_cmp is{.arg = 1, .op = SCMP_CMP_EQ, .datum_a = command, .datum_b = 0};
    failed |= seccomp_rule_add_array(context, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, &is);
  }
  return failed == 0;
}

}  // namespace

Status install_filter() {
  Filter filter;
  if (filter.context == nullptr) return Error("cannot make a seccomp filter");
  // A tree instead of a list: a scan makes many calls, and each is looked up.
  seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (!add_rules(filter.context)) return Error("cannot add a rule to the seccomp filter");
  int failed = seccomp_load(filter.context);
  if (failed != 0) return Error(std::string("cannot install the seccomp filter: ") + std::strerror(-failed));
  return {};
}

}  // namespace postern::filters
