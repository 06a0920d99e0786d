// The names of types and states, as people and rules write them.
#include "gateway/dns/resolver.h"

#include <array>
#include <utility>

#include "gateway/base/text.h"
#include "gateway/dns/srv.h"

namespace postern::dns {
namespace {

constexpr std::array<std::pair<Type, std::string_view>, 10> kTypes{{{Type::a, "A"},
                                                                   {Type::ns, "NS"},
                                                                   {Type::cname, "CNAME"},
                                                                   {Type::soa, "SOA"},
                                                                   {Type::ptr, "PTR"},
                                                                   {Type::mx, "MX"},
                                                                   {Type::txt, "TXT"},
                                                                   {Type::aaaa, "AAAA"},
                                                                   {kSrv, "SRV"},
                                                                   {Type::tlsa, "TLSA"}}};

}  // namespace

std::string_view type_name(Type type) {
  for (const auto& [known, text] : kTypes) {
    if (known == type) return text;
  }
  return "?";
}

std::optional<Type> parse_type(std::string_view text) {
  for (const auto& [type, known] : kTypes) {
    if (iequals(text, known)) return type;
  }
  return std::nullopt;
}

std::string_view status_name(Status status) {
  switch (status) {
    case Status::ok: return "ok";
    case Status::nodata: return "nodata";
    case Status::nxdomain: return "nxdomain";
    case Status::servfail: return "servfail";
    case Status::timeout: return "timeout";
    case Status::bad: return "bad";
  }
  return "?";
}

}  // namespace postern::dns
