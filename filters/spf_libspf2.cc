// The bridge to libspf2: rewriting records, and a DNS layer that answers from a table.
#include "filters/spf_libspf2.h"

#include <netinet/in.h>
#include <sys/types.h>

extern "C" {
#include <spf2/spf.h>
#include <spf2/spf_dns.h>
#include <spf2/spf_log.h>
}

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>
#include <memory>
#include <mutex>

#include "gateway/base/log.h"
#include "gateway/base/text.h"

namespace postern::filters {
namespace {

// Enough for every sane record; libspf2 keeps lengths in single octets here and there.
constexpr std::size_t kMaxRecord = 2'000;
constexpr std::size_t kMaxTerms = 64;
constexpr std::size_t kMaxNames = 10;

// A host name in the narrow sense: what libspf2 takes without its own ideas about it.
bool is_plain(std::string_view name) {
  if (name.empty() || name.size() > 253 || name.find('.') == std::string_view::npos) return false;
  for (auto label : split(name, '.')) {
    bool fits = !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
                std::all_of(label.begin(), label.end(), [](char c) { return is_alpha(c) || is_digit(c) || c == '-' || c == '_'; });
    if (!fits) return false;
  }
  auto top = name.substr(name.rfind('.') + 1);
  return !std::all_of(top.begin(), top.end(), is_digit);
}

std::string_view qualifier(SpfResult verdict) {
  switch (verdict) {
    case SpfResult::fail: return "-";
    case SpfResult::softfail: return "~";
    case SpfResult::neutral: return "?";
    default: return "+";
  }
}

// libspf2 refuses /0: two halves say the same.
std::string network_term(const SpfDirective& directive, const std::string& sign) {
  bool v4 = directive.mechanism == SpfMechanism::ip4;
  std::string name = v4 ? "ip4:" : "ip6:";
  if (directive.prefix > 0) return sign + name + directive.network.to_string() + "/" + std::to_string(directive.prefix);
  return v4 ? sign + "ip4:0.0.0.0/1 " + sign + "ip4:128.0.0.0/1" : sign + "ip6:::/1 " + sign + "ip6:8000::/1";
}

// Prefix of a or mx for the client's family; nothing for /0, which libspf2 refuses.
std::optional<std::string> prefix_of(const SpfDirective& directive, bool v4) {
  int prefix = v4 ? directive.prefix4 : directive.prefix6;
  if (prefix == 0) return std::nullopt;
  return (v4 ? "/" : "//") + std::to_string(prefix);
}

std::optional<std::string> term_of(const SpfDirective& directive, const std::string& domain, const MacroValues& values) {
  std::string sign(qualifier(directive.verdict));
  if (directive.mechanism == SpfMechanism::all) return sign + "all";
  if (!directive.asks_dns()) return directive.never ? std::string() : network_term(directive, sign);
  if (uses_validated_name(directive.domain)) return std::nullopt;
  auto target = directive.domain.empty() ? domain : expand_domain(directive.domain, values);
  if (!is_plain(target)) return std::nullopt;
  switch (directive.mechanism) {
    case SpfMechanism::include: return sign + "include:" + target;
    case SpfMechanism::exists: return sign + "exists:" + target;
    case SpfMechanism::ptr: return sign + "ptr:" + target;
    default: break;
  }
  auto prefix = prefix_of(directive, values.ip.is_v4());
  if (!prefix) return std::nullopt;
  return sign + (directive.mechanism == SpfMechanism::a ? "a:" : "mx:") + target + *prefix;
}

// What one evaluation of libspf2 sees of the world.
struct World {
  std::map<std::string, std::string> policies;
  const SpfLookups& answers;
  bool unfair = false;  // it met something that we cannot answer
};

ns_type wire_type(dns::Type type) { return static_cast<ns_type>(type); }

std::string data_of(const dns::Record& record) {
  if (record.type == dns::Type::a || record.type == dns::Type::aaaa) return std::string(record.address.octets());
  return record.text + '\0';
}

void put(SPF_dns_rr_t* out, std::size_t index, const std::string& data) {
  if (SPF_dns_rr_buf_realloc(out, static_cast<int>(index), data.size()) != SPF_E_SUCCESS) return;
  std::memcpy(out->rr[index], data.data(), data.size());
  out->num_rr = static_cast<int>(index) + 1;
}

SPF_dns_rr_t* look_up(SPF_dns_server_t* server, const char* domain, ns_type type, int) {
  auto& world = *static_cast<World*>(server->hook);
  auto name = ascii_lowered(domain);
  auto answer_with = [&](int herrno) { return SPF_dns_rr_new_init(server, domain, type, 0, herrno); };
  if (static_cast<int>(type) == ns_t_spf) return answer_with(NO_DATA);
  if (type == ns_t_txt) {
    auto policy = world.policies.find(name);
    if (policy == world.policies.end()) {
      world.unfair = true;
      return answer_with(NO_DATA);
    }
    auto* out = answer_with(NETDB_SUCCESS);
    put(out, 0, policy->second + '\0');
    return out;
  }
  const dns::Answer* known = nullptr;
  for (auto ours : {dns::Type::a, dns::Type::aaaa, dns::Type::mx, dns::Type::ptr}) {
    if (wire_type(ours) == type) known = world.answers.known(name, ours);
  }
  if (known == nullptr || known->temporary()) {
    world.unfair = true;
    return answer_with(NO_DATA);
  }
  if (!known->ok()) return answer_with(known->status == dns::Status::nxdomain ? HOST_NOT_FOUND : NO_DATA);
  auto* out = answer_with(NETDB_SUCCESS);
  std::size_t count = 0;
  for (const auto& record : known->records) {
    if (count == kMaxNames && type == ns_t_ptr) break;  // RFC 7208 4.6.4 lets the rest be ignored, libspf2 gives up
    bool is_name = type == ns_t_ptr || type == ns_t_mx;
    if (is_name && !is_plain(record.text)) continue;
    if (type == ns_t_aaaa && record.address.is_v4()) continue;
    put(out, count++, data_of(record));
  }
  return out;
}

thread_local std::jmp_buf* rescue = nullptr;

// libspf2 calls this for what it thinks impossible, and then aborts.  The jump passes only its own C frames;
// what they held leaks, once.
__attribute__((noreturn)) void on_library_error(const char* file, int line, const char* message) {
  log::error("spf.libspf2", {{"what", message}, {"at", std::string(file) + ":" + std::to_string(line)}});
  if (rescue == nullptr) std::abort();
  std::longjmp(*rescue, 1);
}

void install_handlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    SPF_error_handler = on_library_error;
    SPF_warning_handler = nullptr;
    SPF_info_handler = nullptr;
    SPF_debug_handler = nullptr;
  });
}

// Only C and trivial values from here down to libspf2, since a longjmp may end it.
SPF_result_t evaluate(SPF_dns_server_t* dns, const IpAddress* ip, const char* sender) {
  std::jmp_buf place;
  rescue = &place;
  if (setjmp(place) != 0) {
    rescue = nullptr;
    return SPF_RESULT_INVALID;
  }
  SPF_server_t* server = SPF_server_new_dns(dns, 0);
  SPF_response_t* response = nullptr;
  SPF_server_set_explanation(server, "no", &response);
  if (response != nullptr) SPF_response_free(response);
  response = nullptr;
  SPF_server_set_rec_dom(server, "receiver.invalid");
  SPF_request_t* request = SPF_request_new(server);
  if (ip->is_v4()) {
    in_addr address;
    std::memcpy(&address, ip->octets().data(), sizeof address);
    SPF_request_set_ipv4(request, address);
  } else {
    in6_addr address;
    std::memcpy(&address, ip->octets().data(), sizeof address);
    SPF_request_set_ipv6(request, address);
  }
  SPF_request_set_helo_dom(request, "helo.invalid");
  SPF_request_set_env_from(request, sender);
  SPF_request_query_mailfrom(request, &response);
  SPF_result_t result = response != nullptr ? SPF_response_result(response) : SPF_RESULT_INVALID;
  if (response != nullptr) SPF_response_free(response);
  SPF_request_free(request);
  SPF_server_free(server);
  rescue = nullptr;
  return result;
}

std::optional<SpfResult> translated(SPF_result_t result) {
  switch (result) {
    case SPF_RESULT_NEUTRAL: return SpfResult::neutral;
    case SPF_RESULT_PASS: return SpfResult::pass;
    case SPF_RESULT_FAIL: return SpfResult::fail;
    case SPF_RESULT_SOFTFAIL: return SpfResult::softfail;
    case SPF_RESULT_NONE: return SpfResult::none;
    case SPF_RESULT_TEMPERROR: return SpfResult::temperror;
    case SPF_RESULT_PERMERROR: return SpfResult::permerror;
    default: return std::nullopt;
  }
}

}  // namespace

std::optional<std::string> sanitised_record(const SpfRecord& record, const std::string& domain, const MacroValues& values) {
  MacroValues here = values;
  here.domain = domain;
  std::string out = "v=spf1";
  if (record.directives.size() > kMaxTerms) return std::nullopt;
  for (const auto& directive : record.directives) {
    auto term = term_of(directive, domain, here);
    if (!term) return std::nullopt;
    if (!term->empty()) out += ' ' + *term;
    if (directive.mechanism == SpfMechanism::all) return out;  // it warns of what stands behind
  }
  if (!record.redirect.empty()) {
    auto target = expand_domain(record.redirect, here);
    if (uses_validated_name(record.redirect) || !is_plain(target)) return std::nullopt;
    out += " redirect=" + target;
  }
  if (out.size() > kMaxRecord) return std::nullopt;
  return out;
}

std::optional<SpfResult> libspf2_opinion(const MacroValues& values, const std::map<std::string, SpfRecord>& records, const SpfLookups& answers) {
  if (values.ip.is_loopback() || !is_plain(values.sender_domain)) return std::nullopt;
  World world{{}, answers, false};
  for (const auto& [domain, record] : records) {
    auto text = sanitised_record(record, domain, values);
    if (!text) return std::nullopt;
    world.policies.emplace(domain, std::move(*text));
  }
  install_handlers();
  SPF_dns_server_t dns{};
  dns.lookup = look_up;
  dns.name = "table";
  dns.hook = &world;
  std::string sender = "postmaster@" + values.sender_domain;
  auto result = evaluate(&dns, &values.ip, sender.c_str());
  if (world.unfair) return std::nullopt;
  return translated(result);
}

}  // namespace postern::filters
