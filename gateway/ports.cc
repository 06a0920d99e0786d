#include "gateway/ports.h"

#include "gateway/io/socket.h"

namespace postern {
namespace {

Result<std::vector<Socket>> bind_all(config::Listen& listen) {
  std::vector<Socket> out;
  auto bind = [&](Protocol protocol, std::vector<Endpoint>& endpoints) -> Status {
    for (auto& endpoint : endpoints) {
      auto fd = io::bind_to(endpoint);
      if (!fd) return fd.error();
      endpoint.port = io::local_of(fd->get()).port;   // port 0: the next loop takes the same
      out.push_back({protocol, std::move(*fd)});
    }
    return {};
  };
  for (auto [protocol, endpoints] : {std::pair(Protocol::smtp, &listen.smtp), std::pair(Protocol::submission, &listen.submission),
                                     std::pair(Protocol::submissions, &listen.submissions), std::pair(Protocol::lmtp, &listen.lmtp),
                                     std::pair(Protocol::imap, &listen.imap), std::pair(Protocol::imaps, &listen.imaps),
                                     std::pair(Protocol::pop3, &listen.pop3), std::pair(Protocol::pop3s, &listen.pop3s)}) {
    auto bound = bind(protocol, *endpoints);
    if (!bound) return bound.error();
  }
  return out;
}

}  // namespace

admin::Service service_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::smtp:
    case Protocol::submission:
    case Protocol::submissions:
    case Protocol::lmtp: return admin::Service::smtp;
    case Protocol::imap:
    case Protocol::imaps: return admin::Service::imap;
    case Protocol::pop3:
    case Protocol::pop3s: return admin::Service::pop3;
  }
  return admin::Service::smtp;
}

Status check_ports_free(const config::Listen& listen) {
  auto all = {&listen.smtp, &listen.submission, &listen.submissions, &listen.lmtp, &listen.imap, &listen.imaps, &listen.pop3, &listen.pop3s, &listen.links};
  for (const auto* endpoints : all) {
    for (const auto& endpoint : *endpoints) {
      if (auto free = io::check_free(endpoint); !free) return free;
    }
  }
  return listen.admin ? io::check_free(*listen.admin) : Status();
}

Result<std::vector<std::vector<Socket>>> bind_for_loops(config::Listen& listen, std::size_t loops) {
  std::vector<std::vector<Socket>> out;
  for (std::size_t i = 0; i < loops; ++i) {
    auto bound = bind_all(listen);
    if (!bound) return bound.error();
    out.push_back(std::move(*bound));
  }
  return out;
}

Result<std::vector<io::Fd>> bind_links(config::Listen& listen) {
  std::vector<io::Fd> out;
  for (auto& endpoint : listen.links) {
    auto fd = io::bind_to(endpoint);
    if (!fd) return fd.error();
    endpoint.port = io::local_of(fd->get()).port;
    out.push_back(std::move(*fd));
  }
  return out;
}

Status listen_on_all(const std::vector<std::vector<Socket>>& sockets, const io::Fd& admin_socket, const std::vector<io::Fd>& link_sockets) {
  for (const auto& of_loop : sockets) {
    for (const auto& socket : of_loop) {
      auto listening = io::start_listening(socket.fd);
      if (!listening) return listening;
    }
  }
  for (const auto& socket : link_sockets) {
    auto listening = io::start_listening(socket);
    if (!listening) return listening;
  }
  return admin_socket.valid() ? io::start_listening(admin_socket) : Status();
}

}  // namespace postern
