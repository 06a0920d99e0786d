// Call-forward: the host behind is asked at RCPT, so that nothing is taken that it would refuse (RFC 5321 6.1: who
// bounces later writes to forged senders).  A route has a queue of questions and up to ten callers; a caller is a task
// with a connection of its own that puts one question after the other.
#include "gateway/delivery/recipient_check.h"

#include <algorithm>
#include <deque>
#include <string_view>
#include <utility>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/io/loop.h"
#include "gateway/io/signal.h"

namespace postern::delivery {
namespace {

using namespace std::chrono_literals;
using smtp_client::Outcome;
using Kind = RecipientAnswer::Kind;

constexpr std::string_view kOutOfTurn = "the host closed behind its answer to EHLO, or spoke out of turn";

RecipientAnswer unsure(std::string words) {
  RecipientAnswer out;
  out.words = std::move(words);
  return out;
}

// A kept connection that the host had given up: it closed, said 421, takes no RSET or MAIL any more.  A 5xx to MAIL
// would be the same on a fresh one, and who timed out once has had its time.
bool is_worn(const Outcome& outcome) {
  using Ended = Outcome::Kind;
  if (outcome.step > smtp_client::Step::mail) return false;
  return outcome.kind == Ended::lost || outcome.kind == Ended::transient || outcome.kind == Ended::protocol_error;
}

}  // namespace

struct RecipientCheck::Question {
  explicit Question(std::string a) : address(std::move(a)) {}
  std::string address;
  Deadline wanted_until{};   // by the last who asked
  io::Promised<Answer> answer;
};

// The questions of one route, and who puts them.
//
// While a question waits there is a caller that is not idle: callers leave only when nothing waits.
struct RecipientCheck::Pool {
  explicit Pool(RoutePtr r) : route(std::move(r)) {}

  bool is_closed() const { return std::chrono::steady_clock::now() < closed_until; }
  bool is_connected() const;
  // Wakes an idle caller: always the first, so that the others' time runs out.  False: there is none.
  bool call();
  // The next that somebody still waits for.
  QuestionPtr next();
  void settle(QuestionPtr question, Answer answer);

  RoutePtr route;
  std::deque<QuestionPtr> waiting;
  std::map<std::string, QuestionPtr> open;   // waiting or being put, by address
  std::vector<Caller*> callers;
  Deadline closed_until{};   // no new connection is tried before
  Answer closed;             // why
};

struct RecipientCheck::Caller {
  explicit Caller(PoolPtr p) : pool(std::move(p)) { pool->callers.push_back(this); }
  Caller(const Caller&) = delete;
  ~Caller() {
    leave();
    if (question) pool->settle(std::move(question), unsure("the question was given up"));
  }
  void leave() { std::erase(pool->callers, this); }   // also twice

  PoolPtr pool;
  std::unique_ptr<smtp_client::Connection> connection;
  std::size_t refusals = 0;   // on this connection
  QuestionPtr question;       // that it puts
  bool idle = false;
  io::Signal called;
};

bool RecipientCheck::Pool::is_connected() const {
  return std::any_of(callers.begin(), callers.end(), [](const Caller* caller) { return caller->connection != nullptr; });
}

bool RecipientCheck::Pool::call() {
  auto found = std::find_if(callers.begin(), callers.end(), [](const Caller* caller) { return caller->idle; });
  if (found == callers.end()) return false;
  (*found)->idle = false;
  (*found)->called.notify();
  return true;
}

RecipientCheck::QuestionPtr RecipientCheck::Pool::next() {
  while (!waiting.empty()) {
    auto question = std::move(waiting.front());
    waiting.pop_front();
    if (std::chrono::steady_clock::now() < question->wanted_until) return question;
    settle(std::move(question), unsure("no answer in time"));
  }
  return nullptr;
}

void RecipientCheck::Pool::settle(QuestionPtr question, Answer answer) {
  open.erase(question->address);
  question->answer.set(std::move(answer));
}

smtp_client::Timeouts RecipientCheck::timeouts() {
  smtp_client::Timeouts out;
  out.connect = 5s;
  out.tls = 5s;
  out.greeting = 10s;   // some let a stranger wait for some seconds to see whether he speaks first
  out.command = 10s;
  out.message = 15s;
  return out;
}

io::Task<RecipientCheck::Answer> RecipientCheck::ask(RoutePtr route, std::string address) {
  using Recalled = RecipientMemory::Recalled;
  address = ascii_lowered(address);
  auto recalled = memory_.recall(route->key, address);
  Answer answer;
  if (recalled.kind == Recalled::Kind::known) {
    answer.kind = Kind::known;
    co_return answer;
  }
  if (recalled.kind == Recalled::Kind::unknown) {
    answer.kind = Kind::unknown;
    answer.words = std::move(recalled.words);
    co_return answer;
  }
  auto question = put(pool_of(route), address, answer);
  if (question) answer = co_await hear(std::move(question));
  // A host that is away must not make its old users strangers.
  if (answer.kind == Kind::unsure && recalled.kind == Recalled::Kind::stale) answer = Answer{Kind::known, ""};
  co_return answer;
}

RecipientCheck::PoolPtr RecipientCheck::pool_of(const RoutePtr& route) {
  auto found = pools_.find(route->key);
  if (found != pools_.end()) return found->second;
  // Routes go with the configuration that had them.
  std::erase_if(pools_, [](const auto& item) { return item.second->callers.empty() && !item.second->is_closed(); });
  auto pool = std::make_shared<Pool>(route);
  pools_.emplace(route->key, pool);
  return pool;
}

// Nothing: it is not asked now, and `why_not` is the answer.
RecipientCheck::QuestionPtr RecipientCheck::put(const PoolPtr& pool, const std::string& address, Answer& why_not) {
  if (auto found = pool->open.find(address); found != pool->open.end()) return found->second;
  bool may_connect = !pool->is_closed();
  if (!may_connect && !pool->is_connected()) {
    why_not = pool->closed;
    return nullptr;
  }
  if (pool->waiting.size() >= limits_.waiting) {
    why_not = unsure("too many questions wait for the host already");
    return nullptr;
  }
  auto question = std::make_shared<Question>(address);
  pool->open.emplace(address, question);
  pool->waiting.push_back(question);
  if (!pool->call() && may_connect && pool->callers.size() < limits_.connections) {
    io::Loop::current().spawn(serve(std::make_unique<Caller>(pool)), "recipient check");
  }
  return question;
}

io::Task<RecipientCheck::Answer> RecipientCheck::hear(QuestionPtr question) {
  auto until = in(limits_.answer);
  question->wanted_until = until;
  Answer out;
  try {
    const Answer* answer = co_await question->answer.get(until);
    out = *answer;
  } catch (const io::TimedOut&) {   // the caller goes on, and the memory may have it for the next who asks
    out = unsure("no answer in time");
  }
  co_return out;
}

io::Task<void> RecipientCheck::serve(std::unique_ptr<Caller> caller) {
  for (;;) {
    caller->question = caller->pool->next();
    if (caller->question == nullptr) {
      bool called = co_await wait_for_call(*caller);
      if (!called) break;
      continue;
    }
    auto outcome = co_await inquire(*caller);
    if (!outcome) {
      give_up(*caller);
      co_return;
    }
    conclude(*caller, *outcome);
    if (caller->connection->usable() && caller->refusals < limits_.refusals) continue;
    co_await caller->connection->quit();
    caller->connection = nullptr;
  }
  caller->leave();   // before the wait: a question that comes now needs somebody else
  if (caller->connection) co_await caller->connection->quit();
}

// False: nobody called in time, or there is no connection to be kept for it.
io::Task<bool> RecipientCheck::wait_for_call(Caller& caller) {
  if (caller.connection == nullptr) co_return false;
  caller.idle = true;
  co_await caller.called.wait(in(limits_.idle));
  co_return !std::exchange(caller.idle, false);
}

// Nothing: there is no connection.
io::Task<std::optional<Outcome>> RecipientCheck::inquire(Caller& caller) {
  const std::string null_path;
  std::optional<Outcome> out;
  if (caller.connection && caller.connection->usable()) {
    auto outcome = co_await caller.connection->probe(null_path, caller.question->address);
    if (!is_worn(outcome)) {
      out = std::move(outcome);
      co_return out;
    }
  }
  caller.connection = nullptr;
  bool connected = co_await connect(caller);
  if (connected) {
    auto outcome = co_await caller.connection->probe(null_path, caller.question->address);
    out = std::move(outcome);
  }
  co_return out;
}

io::Task<bool> RecipientCheck::connect(Caller& caller) {
  auto& pool = *caller.pool;
  if (pool.is_closed()) co_return false;
  auto hops = co_await connector_.find(pool.route);
  auto failure = std::move(hops.failure);
  if (!hops.hops.empty()) {
    auto opened = co_await connector_.open(pool.route, hops.hops);
    failure = std::move(opened.failure);
    if (opened.connection && opened.connection->usable()) {
      caller.connection = std::move(opened.connection);
      caller.refusals = 0;
      co_return true;
    }
    // Whatever it said unasked would be read as the answer to our MAIL.
    if (opened.connection) failure = Outcome::ours(Outcome::Kind::lost, smtp_client::Step::hello, "4.4.2", std::string(kOutOfTurn));
  }
  // Several callers may find out at once.
  if (!pool.is_closed()) log::warning("recipients.unreachable", {{"route", pool.route->key}, {"what", failure.sentence()}});
  pool.closed_until = in(limits_.pause);
  pool.closed = meaning_of(failure);
  co_return false;
}

void RecipientCheck::conclude(Caller& caller, const Outcome& outcome) {
  auto answer = meaning_of(outcome);
  const auto& route = caller.pool->route->key;
  if (answer.kind == Kind::known) memory_.note_known(route, caller.question->address);
  if (answer.kind == Kind::unknown) memory_.note_unknown(route, caller.question->address, answer.words);
  if (!outcome.accepted()) ++caller.refusals;
  caller.pool->settle(std::move(caller.question), std::move(answer));
}

// There is no connection to be had.  A host that takes only so many of one client may still answer over the others.
void RecipientCheck::give_up(Caller& caller) {
  auto& pool = *caller.pool;
  caller.leave();   // its frame lives for another turn, in which it would count as one who will take questions
  if (pool.is_connected()) {
    pool.waiting.push_front(std::move(caller.question));
    pool.call();
    return;
  }
  pool.settle(std::move(caller.question), pool.closed);
  while (auto question = pool.next()) pool.settle(std::move(question), pool.closed);
}

}  // namespace postern::delivery
