#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "gateway/dns/cache.h"
#include "gateway/dns/cares_channel.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/loop.h"

namespace postern::dns {

// The resolver of the running program: one for each loop, one cache for all.
//
// Equal questions under way on this loop are asked once.  An asker that is gone (its task destroyed, its deadline
// passed) is forgotten; the answer still goes into the cache, but a question that was not sent yet is dropped.  The
// asker waits at most `timeout` of the configuration.
// `loop` and `cache` must outlive this; tasks that wait here must be gone before it is destroyed (on the loop's thread, or after
// the loop ended).
class CaresResolver : public Resolver {
 public:
  CaresResolver(io::Loop& loop, CaresConfig config, Cache& cache);
  ~CaresResolver() override;

  io::Task<Answer> query(std::string name, Type type, Deadline deadline) override;

  struct Figures {
    std::uint64_t asked = 0;      // packets given to servers (tries not counted)
    std::uint64_t merged = 0;     // questions that waited for an equal one
    std::uint64_t failed = 0;     // ended in servfail, timeout or bad
    std::uint64_t forged = 0;     // answers whose question was not ours letter by letter; asked again over TCP
    std::size_t under_way = 0;
  };
  Figures figures() const;

 private:
  struct Flight;
  struct Asker;
  // Of an equal question under way, or a new one that is not sent yet; nullptr: there are too many.
  std::shared_ptr<Flight> flight_for(const std::string& name, Type type);
  void send(const std::shared_ptr<Flight>& flight, bool over_tcp);
  void arrived(const std::shared_ptr<Flight>& flight, bool over_tcp, Delivery delivery, std::string_view packet);
  void finish(const std::shared_ptr<Flight>& flight, Answer answer);
  CaresChannel& udp();
  CaresChannel& tcp();

  io::Loop& loop_;
  CaresConfig config_;
  Cache& cache_;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;  // by packet key: type and name
  std::unique_ptr<CaresChannel> udp_;
  std::unique_ptr<CaresChannel> tcp_;
  std::vector<std::unique_ptr<CaresChannel>> retired_;  // still waiting for their last answers
  std::size_t first_server_ = 0;  // moves on when it is silent
  Figures figures_;
};

}  // namespace postern::dns
