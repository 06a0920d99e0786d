#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/admin/context.h"
#include "gateway/base/result.h"
#include "gateway/io/fd.h"
#include "gateway/io/stream.h"
#include "gateway/io/task.h"

// Backup, restore and replay over the control socket.  The program that the administrator started does the work with his rights
// and his folders; whoever has the store open only answers.  When that program ends, however it ends, so does the
// connection, and with it all that was held for it.  Each request is one JSON line, as is its answer.
namespace postern::admin {

// --- the side that has the store

// Whether the request begins one: "backup", "restore", "replay".
bool is_conversation(const nlohmann::json& request);
// Holds it to its end; what it gives is the last answer.
io::Task<nlohmann::json> converse(io::Stream& stream, Context& context, nlohmann::json request);

// "backup": the store is frozen until the connection ends.
//   answer            {rows, segments: [{number, path, octets}], moment_us, pause_us, hostname}
//   "backup still"    {}: it was frozen all the while
//   "backup done"     {generation, octets, new_octets, folder}: it is complete; the last one
io::Task<nlohmann::json> serve_backup(io::Stream& stream, Context& context);

// The next request; not an object: there is none, or it is none.
io::Task<nlohmann::json> next_request(io::Stream& stream);
io::Task<void> answer_with(io::Stream& stream, nlohmann::json answer);

// --- the other side, for a program of its own.  Blocks.
class Conversation {
 public:
  // With the running server; without one, with a child of this process that opens the store as its owner.
  static Result<Conversation> begin(const config::Config& config);
  Conversation(Conversation&& other) noexcept : fd_(std::move(other.fd_)), child_(std::exchange(other.child_, -1)) {}
  ~Conversation();

  nlohmann::json ask(const nlohmann::json& request, std::string_view octets = {});
  bool with_server() const { return child_ < 0; }

 private:
  Conversation(io::Fd fd, int child) : fd_(std::move(fd)), child_(child) {}
  io::Fd fd_;
  int child_ = -1;
};

}  // namespace postern::admin
