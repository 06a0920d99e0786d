// Descriptors are what a crowd of connections uses up first, and all services live on the same ones.
#include "gateway/admin/room.h"

#include <sys/resource.h>

#include <algorithm>

namespace postern::admin {

std::string_view name(Service service) {
  switch (service) {
    case Service::smtp: return "smtp";
    case Service::imap: return "imap";
    case Service::pop3: return "pop3";
  }
  return "";
}

std::string Room::reason(Service service) const {
  if (open(service) <= kept_) return "";
  std::size_t taken = 0;
  for (auto each : kServices) taken += std::max(open(each), kept_);
  return taken > capacity_ ? "Too busy (connections), try again later" : "";
}

std::size_t Room::open() const {
  std::size_t out = 0;
  for (auto each : kServices) out += open(each);
  return out;
}

std::size_t session_capacity() {
  // A session needs its socket and sometimes a body file; the store and the scanners need the rest.
  constexpr rlim_t kOurs = 256;
  constexpr rlim_t kEach = 2;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= kOurs) return kServices.size() * 8;
  return static_cast<std::size_t>((limit.rlim_cur - kOurs) / kEach);
}

}  // namespace postern::admin
