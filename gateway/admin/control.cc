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

io::Task<void> serve_one(io::Stream stream, Context& context) {
  auto line = co_await stream.read_line(kMaxRequest, in(std::chrono::seconds(30)));
  auto request = json::parse(line.text, nullptr, false);
  json answer;
  if (line.too_long || !request.is_object()) {
    answer = failure("the request is no JSON object");
  } else {
    try {
      answer = co_await run_command(context, std::move(request));
    } catch (const json::exception& wrong) {   // a member of a type that the command does not expect
      answer = failure(std::string("the request is not understood: ") + wrong.what());
    }
  }
  co_await stream.write(dumped(answer) + "\n", in(std::chrono::seconds(60)));
  co_await stream.shutdown(in(std::chrono::seconds(1)));
}

json run_here(const config::Config& config, const json& request) {
  auto became = become_owner(config.data);
  if (!became) return failure(became.error().text);
  io::Loop loop;   // outlives the store and the workers, which post to it
  io::WorkerPool workers(1);
  store::StoreOptions options;
  options.directory = config.data;
  delivery::Routes routes(config);
  delivery::ReleaseToHost release(routes, {});   // sent by the server's next start
  options.release = &release;
  auto opened = store::Store::open(options, workers);
  if (!opened) return failure(opened.error().text);
  directory::Directory directory(config, **opened);
  auto loaded = loop.block_on(directory.load());
  if (!loaded) return failure(loaded.error().text);
  Context context;
  context.config = &config;
  context.directory = &directory;
  context.store = opened->get();
  context.workers = &workers;
  return loop.block_on(run_command(context, request));
}

}  // namespace

Status become_owner(const std::string& data) {
  struct stat info{};
  if (::stat(data.c_str(), &info) != 0) return Error(data + ": " + std::strerror(errno));
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

std::optional<json> ask_server(const std::string& data, const json& request) {
  auto path = control_path(data);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  io::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid() || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return std::nullopt;
  timeval patience{.tv_sec = kPatience.count(), .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  std::string text = dumped(request) + "\n";
  std::string_view rest = text;
  while (!rest.empty()) {
    auto sent = ::send(fd.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent <= 0) return failure("the server closed the control socket");
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  std::string answer;
  char piece[16384];
  while (answer.empty() || answer.back() != '\n') {
    auto got = ::read(fd.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return failure("the server does not answer; see its log");
    if (got <= 0) break;
    answer.append(piece, static_cast<std::size_t>(got));
  }
  auto parsed = json::parse(answer, nullptr, false);
  if (!parsed.is_object()) return failure("the server gave no answer; see its log");
  return parsed;
}

json run_anywhere(const config::Config& config, const json& request) {
  auto answer = ask_server(config.data, request);
  return answer ? *answer : run_here(config, request);
}

}  // namespace postern::admin
