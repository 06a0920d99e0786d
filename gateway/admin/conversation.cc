// Conversations over the control socket, on both sides of it.
#include "gateway/admin/conversation.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "gateway/admin/backups.h"
#include "gateway/admin/control.h"
#include "gateway/admin/replay.h"
#include "gateway/admin/restore_session.h"
#include "gateway/base/log.h"
#include "gateway/config/config.h"
#include "gateway/store/frozen.h"
#include "gateway/store/store.h"

namespace postern::admin {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

constexpr std::size_t kMaxLine = 8 << 20;
constexpr auto kPatience = 24h * 7;   // with a copy on a slow disk: it ends when its connection does
constexpr auto kWriteTime = 60s;

// A stream belongs to the loop on which it is made.
io::Task<void> serve_socket(io::Fd socket, Context& context) {
  io::Stream stream(std::move(socket));
  co_await serve_one(std::move(stream), context);
}

}  // namespace

bool is_conversation(const json& request) {
  auto command = request.value("command", "");
  return command == "backup" || command == "restore" || command == "replay";
}

io::Task<json> converse(io::Stream& stream, Context& context, json request) {
  json last;
  if (request.value("command", "") == "replay") last = co_await serve_replay(stream, context, std::move(request));
  else if (request.value("command", "") == "restore") last = co_await serve_restore(stream, context, std::move(request));
  else last = co_await serve_backup(stream, context);
  co_return last;
}

io::Task<json> next_request(io::Stream& stream) {
  auto line = co_await stream.read_line(kMaxLine, in(kPatience));
  auto request = json::parse(line.text, nullptr, false);
  co_return line.too_long ? json() : request;
}

io::Task<void> answer_with(io::Stream& stream, json answer) {
  std::string text = answer.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  co_await stream.write(text, in(kWriteTime));
}

io::Task<json> serve_backup(io::Stream& stream, Context& context) {
  auto frozen = co_await store::freeze(*context.store);
  if (!frozen) co_return failure(frozen.error().text);
  json answer{{"ok", true},
              {"rows", (*frozen)->rows},
              {"moment_us", (*frozen)->moment.time_since_epoch().count()},
              {"pause_us", (*frozen)->pause.count()},
              {"hostname", context.config->hostname}};
  auto& segments = answer["segments"] = json::array();
  for (const auto& segment : (*frozen)->segments) {
    segments.push_back({{"number", segment.number}, {"path", segment.path}, {"octets", segment.octets}});
  }
  auto pause = (*frozen)->pause;
  co_await answer_with(stream, std::move(answer));
  for (;;) {
    auto request = co_await next_request(stream);
    if (!request.is_object()) co_return failure("the request is no JSON object");
    auto command = request.value("command", "");
    if (command == "backup done") {
      frozen = Error("let go");
      auto kept = co_await remember_backup(context, std::move(request), pause);
      co_return kept;
    }
    json next{{"ok", true}};
    if (command != "backup still") next = failure("unknown command " + command);
    co_await answer_with(stream, std::move(next));
  }
}

Result<Conversation> Conversation::begin(const config::Config& config) {
  auto fd = connect_to_server(config.data);
  if (fd.valid()) return Conversation(std::move(fd), -1);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return Error(std::string("socketpair: ") + std::strerror(errno));
  io::Fd ours(ends[0]), its(ends[1]);
  auto child = ::fork();
  if (child < 0) return Error(std::string("fork: ") + std::strerror(errno));
  if (child > 0) return Conversation(std::move(ours), child);
  ours.reset();
  log::set_level(log::Level::warning);
  ::fcntl(its.get(), F_SETFL, O_NONBLOCK);
  int answers = ::dup(its.get());
  auto done = on_store(config, [&](io::Loop& loop, Context& context) {
    try {
      loop.block_on(serve_socket(std::move(its), context));
    } catch (const std::exception&) {   // the other side is gone
    }
  });
  if (!done) {
    auto text = failure(done.error().text).dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    [[maybe_unused]] auto sent = ::send(answers, text.data(), text.size(), MSG_NOSIGNAL);
  }
  ::_exit(0);
}

Conversation::~Conversation() {
  fd_.reset();
  if (child_ > 0) ::waitpid(child_, nullptr, 0);
}

json Conversation::ask(const json& request, std::string_view octets) { return exchange(fd_.get(), request, octets); }

}  // namespace postern::admin
