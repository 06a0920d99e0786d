// Questions of one SPF evaluation, asked ahead.
#include "filters/spf_lookups.h"

namespace postern::filters {

void SpfLookups::begin(const std::string& name, dns::Type type, std::function<void(const dns::Answer&)> arrived) {
  auto [place, is_new] = entries_.try_emplace(Key(name, type));
  if (!is_new) return;
  place->second = std::make_unique<Entry>();
  Entry& entry = *place->second;
  entry.task = ask(entry, name, type, std::move(arrived));
  // Started without an awaiter, like a root of the Loop: it stops at its end and is destroyed with its entry.  Whoever
  // waits is woken by the signal on a later turn, so that never happens from inside.
  auto awaiter = entry.task.operator co_await();
  awaiter.child.resume();
}

io::Task<void> SpfLookups::ask(Entry& entry, std::string name, dns::Type type, std::function<void(const dns::Answer&)> arrived) {
  auto answer = co_await resolver_.query(std::move(name), type, deadline_);
  entry.answer = std::move(answer);
  entry.arrived.notify();
  if (arrived) arrived(*entry.answer);
}

io::Task<const dns::Answer*> SpfLookups::get(std::string name, dns::Type type) {
  begin(name, type);
  Entry& entry = *entries_.at(Key(name, type));
  // The resolver answers by the deadline; a bound of our own would only hide its mistake.
  while (!entry.answer) co_await entry.arrived.wait(Deadline::max());
  co_return &*entry.answer;
}

const dns::Answer* SpfLookups::known(const std::string& name, dns::Type type) const {
  auto found = entries_.find(Key(name, type));
  return found != entries_.end() && found->second->answer ? &*found->second->answer : nullptr;
}

}  // namespace postern::filters
