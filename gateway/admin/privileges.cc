// Root binds the ports, then is root no more.
#include "gateway/admin/privileges.h"

#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "gateway/base/log.h"

namespace postern::admin {

Status give_folder(const std::string& folder, std::uint32_t uid, std::uint32_t gid) {
  std::error_code failure;
  if (::lchown(folder.c_str(), uid, gid) != 0) return Error(folder + ": cannot give it to the service user: " + std::strerror(errno));
  for (std::filesystem::recursive_directory_iterator it(folder, failure), end; !failure && it != end; it.increment(failure)) {
    if (::lchown(it->path().c_str(), uid, gid) != 0) {
      return Error(it->path().string() + ": cannot give it to the service user: " + std::strerror(errno));
    }
  }
  return {};
}

Status drop_privileges(const config::Config& config) {
  auto user = config::service_user(config);
  if (!user) return user.error();
  if (!*user) {
    if (::geteuid() == 0) log::warning("serve.root", {{"what", "running as root: there is no user \"postern\"; set user = \"...\" or make it"}});
    return {};
  }
  const auto& who = **user;
  auto given = give_folder(config.data, who.uid, who.gid);
  if (!given) return given;
  std::vector<gid_t> groups(who.groups.begin(), who.groups.end());
  if (::setgroups(groups.size(), groups.data()) != 0 || ::setgid(who.gid) != 0 || ::setuid(who.uid) != 0) {
    return Error("cannot become user " + who.name + ": " + std::strerror(errno));
  }
  // setuid clears it, and the scanners' children need it no more than we do; core files are of use.
  ::prctl(PR_SET_DUMPABLE, 1);
  return {};
}

void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace postern::admin
