#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "gateway/delivery/connector.h"
#include "gateway/delivery/recipient_answer.h"
#include "gateway/delivery/recipient_memory.h"
#include "gateway/delivery/route.h"
#include "gateway/io/task.h"

namespace postern::delivery {

struct RecipientCheckLimits {
  std::size_t connections = 10;              // of a route
  std::size_t waiting = 1'000;               // questions of a route for which no connection is free
  std::size_t refusals = 4;                  // a host that counts errors (RFC 5321 4.2.5) sees so many on a connection
  std::chrono::milliseconds answer{20'000};  // who asks is answered by then; RFC 5321 4.5.3.2.3 gives 5 minutes to RCPT
  std::chrono::milliseconds idle{30'000};    // so long a connection is kept without a question
  std::chrono::milliseconds pause{5'000};    // no new connection so long behind one that did not come about
};

// Does the host behind us know a recipient?  From memory, or asked of it by MAIL, RCPT, RSET with the null reverse-path
// (RFC 5321 4.5.5: nobody else could be told of a failure), over kept connections.
//
// One for each loop, to be used on it.  Questions for the same address that are under way together are one.  Who asks
// may be destroyed while it waits: the question goes on for the others, and for the memory.  The questions are tasks of
// the loop and use this and what it was made from: all must live until those have ended (Loop::end_tasks()).
class RecipientCheck {
 public:
  using Answer = RecipientAnswer;
  using Limits = RecipientCheckLimits;

  RecipientCheck(Connector& connector, RecipientMemory& memory, Limits limits = Limits())
      : connector_(connector), memory_(memory), limits_(limits) {}
  RecipientCheck(const RecipientCheck&) = delete;

  // For the connector's own use: with these a host that hangs is passed over while somebody still waits for the next.
  static smtp_client::Timeouts timeouts();

  // `address` is "local@domain"; upper case is asked as lower case.
  //
  // When nobody says yes or no now, and no yes of the last 31 days is remembered, the answer is unsure: 450.
  // Right behind a connection that did not come about it is so at once.
  io::Task<Answer> ask(RoutePtr route, std::string address);

 private:
  struct Question;
  struct Pool;
  struct Caller;
  using PoolPtr = std::shared_ptr<Pool>;
  using QuestionPtr = std::shared_ptr<Question>;

  PoolPtr pool_of(const RoutePtr& route);
  QuestionPtr put(const PoolPtr& pool, const std::string& address, Answer& why_not);
  io::Task<Answer> hear(QuestionPtr question);

  io::Task<void> serve(std::unique_ptr<Caller> caller);
  io::Task<bool> wait_for_call(Caller& caller);
  io::Task<std::optional<smtp_client::Outcome>> inquire(Caller& caller);
  io::Task<bool> connect(Caller& caller);
  void conclude(Caller& caller, const smtp_client::Outcome& outcome);
  void give_up(Caller& caller);

  Connector& connector_;
  RecipientMemory& memory_;
  Limits limits_;
  std::map<std::string, PoolPtr> pools_;   // by Route::key
};

}  // namespace postern::delivery
