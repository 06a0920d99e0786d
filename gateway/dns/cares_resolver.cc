// Questions by coroutine: cache, merging of equal ones, and the checks against forged answers (RFC 5452: random id,
// random port, letter case of the question).
#include "gateway/dns/cares_resolver.h"

#include <algorithm>
#include <cstring>

#include "gateway/base/random.h"
#include "gateway/dns/packet.h"
#include "gateway/io/signal.h"

namespace postern::dns {
namespace {

// More at once on one loop would only be a flood; what comes on top is told "not now".
constexpr std::size_t kMaxFlights = 20'000;
// One lost packet is no reason to leave a server.
constexpr std::size_t kMaxLate = 3;

Answer failed(Status status) {
  Answer out;
  out.status = status;
  return out;
}

}  // namespace

struct CaresResolver::Flight {
  std::string key;
  std::string name;
  Type type = Type::a;
  std::string packet;
  std::optional<Answer> answer;
  std::size_t askers = 0;
  io::Signal done;
};

// One who waits, as long as he does.
struct CaresResolver::Asker {
  std::shared_ptr<Flight> flight;
  explicit Asker(std::shared_ptr<Flight> asked) : flight(std::move(asked)) { ++flight->askers; }
  ~Asker() { --flight->askers; }
  Asker(const Asker&) = delete;
};

CaresResolver::CaresResolver(io::Loop& loop, CaresConfig config, Cache& cache) : loop_(loop), config_(std::move(config)), cache_(cache) {}

CaresResolver::~CaresResolver() = default;

io::Task<Answer> CaresResolver::query(std::string name, Type type, Deadline deadline) {
  auto canonical = canonical_name(name);
  if (!canonical) co_return failed(Status::nxdomain);
  auto now = std::chrono::steady_clock::now();
  auto kept = cache_.find(*canonical, type, now);
  if (kept) co_return std::move(*kept);

  std::shared_ptr<Flight> flight = flight_for(*canonical, type);
  if (flight == nullptr) co_return failed(Status::servfail);
  Asker asker(flight);
  if (flight->packet.empty()) send(flight, false);
  Deadline limit = std::min(deadline, now + config_.timeout);
  while (!flight->answer) {
    bool woken = co_await flight->done.wait(limit);
    if (!woken && !flight->answer) co_return failed(Status::timeout);
  }
  co_return *flight->answer;
}

std::shared_ptr<CaresResolver::Flight> CaresResolver::flight_for(const std::string& name, Type type) {
  std::string key = std::to_string(static_cast<unsigned>(type)) + ' ' + name;
  auto found = flights_.find(key);
  if (found != flights_.end()) {
    ++figures_.merged;
    return found->second;
  }
  if (flights_.size() >= kMaxFlights) return nullptr;
  auto flight = std::make_shared<Flight>();
  flight->key = key;
  flight->name = name;
  flight->type = type;
  flights_.emplace(std::move(key), flight);
  return flight;
}

void CaresResolver::send(const std::shared_ptr<Flight>& flight, bool over_tcp) {
  ++figures_.asked;
  auto dice = random_octets(10);
  std::uint16_t id = 0;
  std::uint64_t case_bits = 0;
  std::memcpy(&id, dice.data(), sizeof id);
  std::memcpy(&case_bits, dice.data() + sizeof id, sizeof case_bits);
  flight->packet = encode_query(flight->name, flight->type, id, case_bits);
  auto& channel = over_tcp ? tcp() : udp();
  auto wanted = [flight] { return flight->askers > 0; };
  channel.send(flight->packet, wanted, [this, flight, over_tcp](Delivery delivery, std::string_view packet) {
    arrived(flight, over_tcp, delivery, packet);
  });
}

void CaresResolver::arrived(const std::shared_ptr<Flight>& flight, bool over_tcp, Delivery delivery, std::string_view packet) {
  if (delivery != Delivery::answered) {
    finish(flight, failed(delivery == Delivery::unanswered ? Status::timeout : Status::servfail));
    return;
  }
  auto reading = read_answer(flight->packet, packet);
  if (!reading.echoed && !over_tcp) {
    // c-ares compares without case.  Either a forger guessed the id but not the letters, or the server does not
    // keep them: TCP tells the two apart.
    ++figures_.forged;
    send(flight, true);
    return;
  }
  if (!reading.echoed) {
    // Over TCP the peer is the server; one that answers in lower case is believed by its id and name.
    auto plain = encode_query(flight->name, flight->type, 0, 0);
    plain.replace(0, 2, flight->packet, 0, 2);
    reading = read_answer(plain, packet);
  }
  if (reading.truncated) reading.answer = failed(Status::bad);  // TC over TCP is nonsense
  finish(flight, std::move(reading.answer));
}

void CaresResolver::finish(const std::shared_ptr<Flight>& flight, Answer answer) {
  if (answer.temporary()) ++figures_.failed;
  cache_.keep(flight->name, flight->type, answer, std::chrono::steady_clock::now());
  flight->answer = std::move(answer);
  flights_.erase(flight->key);
  flight->done.notify();
}

CaresChannel& CaresResolver::udp() {
  // Only query() comes here, never a channel's callback, so a channel that waits for nothing may go.
  std::erase_if(retired_, [](const auto& channel) { return channel->pending() == 0; });
  if (udp_ != nullptr && udp_->late_in_a_row() >= kMaxLate) {
    // c-ares forgets that a server was silent and would let each question wait for it anew.
    ++first_server_;
    retired_.push_back(std::move(udp_));
  }
  if (udp_ != nullptr && udp_->sent() >= config_.questions_a_port) retired_.push_back(std::move(udp_));
  if (udp_ == nullptr) udp_ = std::make_unique<CaresChannel>(loop_, config_, false, first_server_);
  return *udp_;
}

CaresChannel& CaresResolver::tcp() {
  if (tcp_ == nullptr) tcp_ = std::make_unique<CaresChannel>(loop_, config_, true, first_server_);
  return *tcp_;
}

CaresResolver::Figures CaresResolver::figures() const {
  Figures out = figures_;
  out.under_way = flights_.size();
  return out;
}

}  // namespace postern::dns
