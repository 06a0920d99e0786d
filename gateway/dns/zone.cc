// Zones in text for tests and rehearsals.  RFC 1034 4.3.2 for the look-up, RFC 4592 for wildcards.
#include "gateway/dns/zone.h"

#include <algorithm>
#include <array>

#include "gateway/base/text.h"
#include "gateway/dns/packet.h"
#include "gateway/dns/srv.h"

namespace postern::dns {
namespace {

constexpr std::array<std::pair<std::string_view, Fault>, 9> kFaults{{{"SERVFAIL", Fault::servfail},
                                                                     {"TIMEOUT", Fault::timeout},
                                                                     {"NXDOMAIN", Fault::nxdomain},
                                                                     {"NODATA", Fault::nodata},
                                                                     {"RUBBISH", Fault::rubbish},
                                                                     {"WRONGID", Fault::wrong_id},
                                                                     {"WRONGNAME", Fault::wrong_name},
                                                                     {"LOWERCASE", Fault::lower_case},
                                                                     {"TRUNCATE", Fault::truncate}}};

// Faults that spoil the way of the answer: the records behind them are still there.
bool is_about_the_wire(Fault fault) { return fault == Fault::lower_case || fault == Fault::truncate || fault == Fault::wrong_id || fault == Fault::wrong_name; }

std::optional<std::string> parse_name(std::string_view text) {
  if (text == ".") return std::string();  // RFC 7505: the null MX
  return canonical_name(text);
}

bool parse_address(std::string_view value, Record& record) {
  auto address = IpAddress::parse(value);
  bool has_colon = value.find(':') != std::string_view::npos;
  if (!address || has_colon != (record.type == Type::aaaa)) return false;
  record.address = *address;
  return true;
}

bool parse_soa(std::string_view value, Record& record) {
  auto fields = words(value);
  if (fields.size() != 1 && fields.size() != 7) return false;
  for (std::size_t i = fields.size() == 7 ? 2 : 0; i < fields.size(); ++i) {
    auto number = parse_number(fields[i]);
    if (!number || *number > 0xffffffffU) return false;
  }
  record.text = fields.size() == 7 ? std::string(value) : "ns.invalid hostmaster.invalid 1 3600 600 86400 " + std::string(value);
  return true;
}

// "0 1 993 mx.example.test"
bool parse_srv(std::string_view value, Record& record) {
  auto parts = words(value);
  auto name = parts.size() == 4 ? parse_name(parts[3]) : std::nullopt;
  if (!name) return false;
  for (std::size_t i = 0; i < 3; ++i) {
    auto number = parse_number(parts[i]);
    if (!number || *number > 65535) return false;
    record.text += std::to_string(*number) + " ";
  }
  record.text += *name;
  return true;
}

bool parse_value(std::string_view value, Record& record) {
  if (record.type == kSrv) return parse_srv(value, record);
  switch (record.type) {
    case Type::a:
    case Type::aaaa:
      return parse_address(value, record);
    case Type::mx: {
      auto parts = words(value);
      auto preference = parts.size() == 2 ? parse_number(parts[0]) : std::nullopt;
      auto name = parts.size() == 2 ? parse_name(parts[1]) : std::nullopt;
      if (!preference || *preference > 65535 || !name) return false;
      record.preference = static_cast<std::uint16_t>(*preference);
      record.text = *name;
      return true;
    }
    case Type::ns:
    case Type::cname:
    case Type::ptr: {
      auto name = parse_name(value);
      if (name) record.text = *name;
      return name.has_value();
    }
    case Type::soa:
      return parse_soa(value, record);
    case Type::txt:
      record.text = value;
      return true;
    case Type::tlsa: {
      auto parts = words(value);
      auto data = parts.size() == 4 ? from_hex(parts[3]) : std::nullopt;
      if (!data) return false;
      for (std::size_t i = 0; i < 3; ++i) {
        auto number = parse_number(parts[i]);
        if (!number || *number > 255) return false;
        record.text += static_cast<char>(*number);
      }
      record.text += *data;
      return true;
    }
  }
  return false;
}

}  // namespace

postern::Status Zone::add_text(std::string_view lines) {
  for (auto line : split(lines, '\n')) {
    auto added = add_line(line);
    if (!added) return added;
  }
  return {};
}

postern::Status Zone::add_line(std::string_view line) {
  line = trimmed(line);
  if (line.empty() || line.front() == '#') return {};
  auto parts = words(line);
  std::uint32_t ttl = 300;
  std::size_t at = 1;
  if (parts.size() > at) {
    auto number = parse_number(parts[at]);
    if (number && *number <= 0x7fffffffU) {
      ttl = static_cast<std::uint32_t>(*number);
      ++at;
    }
  }
  if (parts.size() < at + 2) return Error("a DNS entry is \"name [TTL] TYPE value\", not \"" + printable(line) + "\"");
  auto value_begins = static_cast<std::size_t>(parts[at + 1].data() - line.data());
  return add(parts[0], parts[at], line.substr(value_begins), ttl);
}

postern::Status Zone::add(std::string_view name, std::string_view type, std::string_view value, std::uint32_t ttl) {
  auto quoted = [&] { return "\"" + printable(name) + " " + printable(type) + " " + printable(value) + "\""; };
  auto canonical = canonical_name(name);
  if (!canonical) return Error("no DNS name can be asked like that: " + quoted());
  auto fault = std::find_if(kFaults.begin(), kFaults.end(), [&](const auto& known) { return known.first == value; });
  auto known_type = parse_type(type);
  if (type != "*" && !known_type) return Error("unknown DNS type (A AAAA CNAME MX NS PTR SOA TLSA TXT or *): " + quoted());
  if (fault != kFaults.end()) {
    auto& node = make_node(*canonical);
    if (known_type) {
      node.faults[*known_type] = fault->second;
    } else {
      node.other = fault->second;
    }
    return {};
  }
  if (!known_type) return Error("the type * takes SERVFAIL, TIMEOUT and the like, no record: " + quoted());
  Record record;
  record.type = *known_type;
  record.ttl = ttl;
  if (!parse_value(value, record)) return Error("the value does not fit its DNS type: " + quoted());
  make_node(*canonical).records[*known_type].push_back(std::move(record));
  return {};
}

Zone::Node& Zone::make_node(const std::string& name) {
  for (std::string_view rest = name;;) {
    existing_.emplace(rest);
    auto dot = rest.find('.');
    if (dot == std::string_view::npos) break;
    rest = rest.substr(dot + 1);
  }
  return nodes_[name];
}

const Zone::Node* Zone::node_for(const std::string& name) const {
  auto exact = nodes_.find(name);
  if (exact != nodes_.end()) return &exact->second;
  if (existing_.contains(name)) return nullptr;
  // The closest parent that exists decides: its wildcard, or nothing.
  for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
    auto parent = name.substr(dot + 1);
    if (!existing_.contains(parent)) continue;
    auto wildcard = nodes_.find("*." + parent);
    return wildcard != nodes_.end() ? &wildcard->second : nullptr;
  }
  return nullptr;
}

void Zone::say_no(Found& found, bool exists) const {
  found.answer.status = exists ? Status::nodata : Status::nxdomain;
  std::string_view name = found.name;
  for (;;) {
    auto node = nodes_.find(name);
    if (node != nodes_.end() && node->second.records.contains(Type::soa)) {
      const auto& soa = node->second.records.at(Type::soa).front();
      auto minimum = parse_number(words(soa.text).back()).value_or(0);
      found.soa.emplace(std::string(name), soa);
      found.answer.ttl = std::chrono::seconds(std::min<std::uint64_t>(soa.ttl, minimum));
      return;
    }
    auto dot = name.find('.');
    if (dot == std::string_view::npos) return;
    name = name.substr(dot + 1);
  }
}

Zone::Found Zone::find(std::string_view name, Type type) const {
  Found out;
  out.name = name;
  std::uint32_t ttl = 0x7fffffffU;
  for (int hops = 0; hops <= kMaxCnames; ++hops) {
    const Node* node = node_for(out.name);
    if (node == nullptr) {
      say_no(out, existing_.contains(out.name));
      return out;
    }
    auto records = node->records.find(type);
    auto fault = node->faults.find(type);
    if (fault != node->faults.end()) {
      out.fault = fault->second;
    } else if (node->other != Fault::none && (records == node->records.end() || is_about_the_wire(node->other))) {
      out.fault = node->other;
    }
    if (out.fault != Fault::none && !is_about_the_wire(out.fault)) {
      auto fault_now = out.fault;
      if (fault_now == Fault::servfail) out.answer.status = Status::servfail;
      if (fault_now == Fault::timeout) out.answer.status = Status::timeout;
      if (fault_now == Fault::rubbish) out.answer.status = Status::bad;
      if (fault_now == Fault::nxdomain || fault_now == Fault::nodata) say_no(out, fault_now == Fault::nodata);
      return out;
    }
    if (records != node->records.end()) {
      out.answer.status = Status::ok;
      out.answer.records = records->second;
      for (const auto& record : out.answer.records) ttl = std::min(ttl, record.ttl);
      out.answer.ttl = std::chrono::seconds(ttl);
      return out;
    }
    auto cname = node->records.find(Type::cname);
    if (cname == node->records.end()) {
      say_no(out, true);
      return out;
    }
    ttl = std::min(ttl, cname->second.front().ttl);
    out.cnames.emplace_back(out.name, cname->second.front());
    out.name = cname->second.front().text;
  }
  out.answer.status = Status::servfail;
  return out;
}

}  // namespace postern::dns
