#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gateway/base/clock.h"
#include "gateway/dns/resolver.h"
#include "gateway/io/signal.h"
#include "gateway/io/task.h"

namespace postern::filters {

// The DNS answers of one SPF evaluation: each question is asked once, ahead of its use if wanted.
// Questions under way are cancelled when this is destroyed.
class SpfLookups {
 public:
  using Key = std::pair<std::string, dns::Type>;

  SpfLookups(dns::Resolver& resolver, Deadline deadline) : resolver_(resolver), deadline_(deadline) {}
  SpfLookups(const SpfLookups&) = delete;

  // Begins to ask; `arrived`, if given, runs when the answer is there, perhaps at once.  Does nothing for a question
  // that was asked before.
  void begin(const std::string& name, dns::Type type, std::function<void(const dns::Answer&)> arrived = {});
  // The answer; begins to ask if need be.
  io::Task<const dns::Answer*> get(std::string name, dns::Type type);
  // What is there already, or null.
  const dns::Answer* known(const std::string& name, dns::Type type) const;
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::optional<dns::Answer> answer;
    io::Signal arrived;
    io::Task<void> task;
  };
  io::Task<void> ask(Entry& entry, std::string name, dns::Type type, std::function<void(const dns::Answer&)> arrived);

  dns::Resolver& resolver_;
  Deadline deadline_;
  std::map<Key, std::unique_ptr<Entry>> entries_;
};

}  // namespace postern::filters
