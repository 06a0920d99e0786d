// How the command line reaches the running server, and how it does without one.
#include "gateway/admin/control.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "gateway/admin/conversation.h"
#include "gateway/base/log.h"
#include "gateway/config/config.h"
#include "gateway/delivery/release.h"
#include "gateway/directory/directory.h"
#include "gateway/io/errors.h"
#include "gateway/io/listener.h"
#include "gateway/io/loop.h"
#include "gateway/io/stream.h"
#include "gateway/io/worker_pool.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxRequest = 1 << 20;
constexpr std::chrono::seconds kPatience(300);   // with a server that does not answer

std::string dumped(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

io::Task<void> serve_one(io::Stream stream, Context& context) {
  auto line = co_await stream.read_line(kMaxRequest, in(std::chrono::seconds(30)));
  auto request = json::parse(line.text, nullptr, false);
  json answer;
  if (line.too_long || !request.is_object()) {
    answer = failure("the request is no JSON object");
  } else {
    try {
      if (is_conversation(request)) answer = co_await converse(stream, context, std::move(request));
      else answer = co_await run_command(context, std::move(request));
    } catch (const json::exception& wrong) {   // a member of a type that the command does not expect
      answer = failure(std::string("the request is not understood: ") + wrong.what());
    }
  }
  co_await stream.write(dumped(answer) + "\n", in(std::chrono::seconds(60)));
  co_await stream.shutdown(in(std::chrono::seconds(1)));
}

Status on_store(const config::Config& config, const std::function<void(io::Loop&, Context&)>& work) {
  if (auto became = become_owner(config.data); !became) return became;
  io::Loop loop;   // outlives the store and the workers, which post to it
  io::WorkerPool workers(1);
  store::StoreOptions options;
  options.directory = config.data;
  delivery::Routes routes(config);
  delivery::ReleaseToHost release(routes, {});   // sent by the server's next start
  options.release = &release;
  options.trace_days = static_cast<unsigned>(config.trace.days);
  auto opened = store::Store::open(options, workers);
  if (!opened) return opened.error();
  directory::Directory directory(config, **opened);
  auto loaded = loop.block_on(directory.load());
  if (!loaded) return loaded.error();
  Context context;
  context.config = &config;
  context.directory = &directory;
  context.store = opened->get();
  context.workers = &workers;
  work(loop, context);
  return {};
}

Status become_owner(const std::string& data) {
  struct stat info{};
  if (::stat(data.c_str(), &info) != 0) {
    bool is_new = errno == ENOENT;
    return Error("the data folder " + data + ": " + std::strerror(errno) + (is_new ? "; the first start of `postern serve` makes it" : ""));
  }
  if (::geteuid() != 0 || info.st_uid == 0) return {};
  if (::setgroups(1, &info.st_gid) != 0 || ::setgid(info.st_gid) != 0 || ::setuid(info.st_uid) != 0) {
    return Error(data + ": cannot become its owner: " + std::strerror(errno));
  }
  return {};
}

std::string control_path(const std::string& data) { return data + "/control.sock"; }

io::Task<void> serve_control(io::Fd socket, Context& context) {
  io::Listener listener(std::move(socket));
  for (;;) {
    auto stream = co_await listener.accept();
    io::Loop::current().spawn(serve_one(std::move(stream), context), "control");
  }
}

io::Fd connect_to_server(const std::string& data) {
  auto path = control_path(data);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return {};
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  io::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return {};
  return fd;
}

json exchange(int fd, const json& request, std::string_view octets) {
  timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  std::string text = dumped(request) + "\n";
  for (std::string_view rest : {std::string_view(text), octets}) {
    while (!rest.empty()) {
      auto sent = ::send(fd, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return failure("the server closed the control socket");
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  std::string answer;
  char piece[16384];
  while (answer.empty() || answer.back() != '\n') {
    auto got = ::read(fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return failure("the server does not answer; see its log");
    if (got <= 0) break;
    answer.append(piece, static_cast<std::size_t>(got));
  }
  auto parsed = json::parse(answer, nullptr, false);
  if (!parsed.is_object()) return failure("the server gave no answer; see its log");
  return parsed;
}

std::optional<json> ask_server(const std::string& data, const json& request) {
  auto fd = connect_to_server(data);
  if (!fd.valid()) return std::nullopt;
  return exchange(fd.get(), request);
}

json run_anywhere(const config::Config& config, const json& request) {
  if (auto answer = ask_server(config.data, request)) return *answer;
  json answer;
  auto done = on_store(config, [&](io::Loop& loop, Context& context) { answer = loop.block_on(run_command(context, request)); });
  return done ? answer : failure(done.error().text);
}

}  // namespace postern::admin
