// The keys of links and of the digest.  A link carries a secret: nothing but https takes it over a network.
#include "gateway/config/links.h"

#include <algorithm>

#include "gateway/base/text.h"
#include "gateway/config/relay.h"

namespace postern::config {
namespace {

constexpr std::string_view kHttps = "https://";
constexpr std::string_view kHttp = "http://";
const std::vector<std::string_view> kClasses = {"spam", "policy", "undeliverable"};

// "mx.corp.example", "mx.corp.example:8443", "127.0.0.1:8080", "[::1]:8080": the host alone; nothing: it is none of them.
std::optional<std::string> host_of(std::string_view authority) {
  if (authority.starts_with('[')) {
    auto end = authority.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    auto behind = authority.substr(end + 1);
    bool sound = behind.empty() || (behind.front() == ':' && parse_number(behind.substr(1)).value_or(0) - 1 < 65535);
    auto address = IpAddress::parse(authority.substr(1, end - 1));
    return sound && address ? std::optional(address->to_string()) : std::nullopt;
  }
  auto colon = authority.find(':');
  auto name = authority.substr(0, colon);
  if (colon != std::string_view::npos && parse_number(authority.substr(colon + 1)).value_or(0) - 1 >= 65535) return std::nullopt;
  if (auto address = IpAddress::parse(name)) return address->to_string();
  return canonical_domain(name);
}

bool is_loopback(const std::string& host) {
  auto address = IpAddress::parse(host);
  return host == "localhost" || (address && address->is_loopback());
}

// "07:30": minutes of the day.
std::optional<int> minutes_of(std::string_view text) {
  auto parts = split(text, ':');
  if (parts.size() != 2 || parts[1].size() != 2 || parts[0].empty() || parts[0].size() > 2) return std::nullopt;
  auto hours = parse_number(parts[0]);
  auto minutes = parse_number(parts[1]);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  return static_cast<int>(*hours * 60 + *minutes);
}

void read_times(Section& section, std::vector<int>& at) {
  const auto* member = section.find("at");
  if (member == nullptr) return;
  if (member->value.kind != Value::Kind::list) {
    section.report().mistake(member->line, "at in [digest] must be a list of times of day such as [\"07:30\", \"13:00\"]");
    return;
  }
  for (const auto& item : member->value.list) {
    auto minutes = item.kind == Value::Kind::text ? minutes_of(item.text) : std::nullopt;
    if (minutes) at.push_back(*minutes);
    else section.report().mistake(item.line, "at in [digest]: " + (item.kind == Value::Kind::text ? "\"" + printable(item.text, 80) + "\"" : std::string(item.kind_name())) +
                                                 " is no time of day such as \"07:30\"");
  }
  std::sort(at.begin(), at.end());
  at.erase(std::unique(at.begin(), at.end()), at.end());
}

void read_classes(Section& section, std::vector<std::string>& classes) {
  const auto* member = section.find("classes");
  if (member == nullptr) return;
  bool list = member->value.kind == Value::Kind::list && !member->value.list.empty();
  if (!list) section.report().mistake(member->line, "classes in [digest] must be a list such as [\"spam\", \"policy\"]; at = [] is for no digest at all");
  if (!list) return;
  classes.clear();
  for (const auto& item : member->value.list) {
    bool known = item.kind == Value::Kind::text && std::find(kClasses.begin(), kClasses.end(), item.text) != kClasses.end();
    if (known) classes.push_back(item.text);
    else if (item.kind == Value::Kind::text && item.text == "virus") section.report().mistake(item.line, "classes in [digest]: class virus is never offered to users; only an administrator releases it");
    else section.report().mistake(item.line, "classes in [digest] are \"spam\", \"policy\" and \"undeliverable\"" + did_you_mean(item.text, kClasses));
  }
}

}  // namespace

void read_public_url(Section& top, Config& config) {
  std::string url;
  top.text("public_url", url);
  if (url.empty()) return;
  auto line = top.line("public_url");
  auto shown = "public_url \"" + printable(url, 100) + "\"";
  bool secure = istarts_with(url, kHttps);
  if (!secure && !istarts_with(url, kHttp)) {
    top.report().mistake(line, shown + " is no address such as \"https://mx.corp.example:8443\"");
    return;
  }
  auto authority = std::string_view(url).substr(secure ? kHttps.size() : kHttp.size());
  if (authority.ends_with('/')) authority.remove_suffix(1);
  auto host = host_of(authority);
  if (!host) {
    top.report().mistake(line, shown + " must be a scheme and a host, perhaps with a port, and nothing behind it: \"https://mx.corp.example:8443\"");
    return;
  }
  if (!secure && !is_loopback(*host)) {
    top.report().mistake(line, shown + ": links carry a secret, so only https:// takes them over a network; http:// is for loopback");
    return;
  }
  config.public_url = std::string(secure ? kHttps : kHttp) + ascii_lowered(authority);
}

std::optional<Language> read_language(Section& section) {
  auto word = section.word("language", {"en", "vi"});
  if (!word) return std::nullopt;
  return *word == 0 ? Language::english : Language::vietnamese;
}

void check_links(Section& listen, const Config& config) {
  auto& report = listen.report();
  if (config.listen.links.empty()) {
    if (!config.public_url.empty()) {
      report.mistake(listen.line("links"), "public_url needs a listener: set links in [listen], e.g. links = [\"[::]:8443\"], or take public_url out");
    }
    return;
  }
  int line = listen.line("links");
  if (config.public_url.empty()) {
    report.mistake(line, "links in [listen] needs public_url above all sections: how users reach it, e.g. public_url = \"https://mx.corp.example:8443\"");
    return;
  }
  if (config.public_url.starts_with(kHttps)) {
    if (!config.tls.configured()) report.mistake(line, "links in [listen] needs a certificate for public_url with https; set certificate and key in [tls], or links = []");
    return;
  }
  for (const auto& endpoint : config.listen.links) {
    if (endpoint.address.is_loopback()) continue;
    report.mistake(line, "links in [listen]: " + endpoint.to_string() + " is not loopback, and public_url with http:// would send secrets over the network in the clear");
  }
}

void read_digest(Section section, Config& config) {
  auto& digest = config.digest;
  read_times(section, digest.at);
  read_classes(section, digest.classes);
  section.duration("valid", digest.valid, Milliseconds(60'000));
  constexpr Milliseconds kYear(366LL * 24 * 3'600'000);
  if (digest.valid > kYear) {
    section.report().mistake(section.line("valid"), "valid in [digest] is at most \"366d\"");
    digest.valid = kYear;
  }
  section.finish({"hostname", "data", "rules", "user", "group", "postmaster", "public_url", "language"});
}

Language Config::language_of(std::string_view address) const {
  auto domain = address.substr(address.rfind('@') + 1);
  auto found = std::find_if(domains.begin(), domains.end(), [&](const Domain& each) { return each.name == domain; });
  return found != domains.end() && found->language ? *found->language : language;
}

}  // namespace postern::config
