// The resolver of rehearsals.
#include "gateway/dns/fixed_resolver.h"

#include "gateway/base/text.h"
#include "gateway/dns/packet.h"

namespace postern::dns {

postern::Status FixedResolver::add(std::string_view name_and_type, std::string_view value) {
  auto parts = words(name_and_type);
  if (parts.size() != 2) return Error("a DNS entry's key is \"name TYPE\", not \"" + printable(name_and_type) + "\"");
  return zone_.add(parts[0], parts[1], value);
}

io::Task<Answer> FixedResolver::query(std::string name, Type type, Deadline) {
  asked_.push_back(name + ' ' + std::string(type_name(type)));
  auto canonical = canonical_name(name);
  if (!canonical) {
    Answer none;
    none.status = Status::nxdomain;
    co_return none;
  }
  auto found = zone_.find(*canonical, type);
  co_return std::move(found.answer);
}

}  // namespace postern::dns
