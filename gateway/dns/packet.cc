// The encoder of questions and the reader of replies: RFC 1035, RFC 2181 (TTL), RFC 2308 (negative
// answers), RFC 6891 (EDNS).  Eats foreign bytes: every read is bounded, pointers only lead backwards.
#include "gateway/dns/packet.h"

#include <algorithm>
#include <array>

#include "gateway/base/text.h"
#include "gateway/dns/srv.h"

namespace postern::dns {
namespace {

constexpr std::size_t kHeader = 12;
constexpr std::uint16_t kClassIn = 1;
constexpr int kMaxPointers = 128;  // of one name; more than its labels can use

void put16(std::string& out, unsigned value) {
  out += static_cast<char>(value >> 8 & 0xff);
  out += static_cast<char>(value & 0xff);
}

// A host name's letters go out as they are; the rest escaped, so that two names never look alike.
void put_label(std::string& out, std::string_view label) {
  for (char c : label) {
    auto octet = static_cast<unsigned char>(c);
    if (octet > 0x20 && octet < 0x7f && c != '.' && c != '\\') {
      out += ascii_lower(c);
      continue;
    }
    out += '\\';
    out += static_cast<char>('0' + octet / 100);
    out += static_cast<char>('0' + octet / 10 % 10);
    out += static_cast<char>('0' + octet % 10);
  }
}

// Reads forward through a packet.  After a read beyond the end it stays failed and gives zeros.
class Cursor {
 public:
  Cursor(std::string_view packet, std::size_t at) : packet_(packet), at_(at), failed_(at > packet.size()) {}

  bool failed() const { return failed_; }
  void fail() { failed_ = true; }
  std::size_t at() const { return at_; }

  std::uint8_t u8() {
    if (failed_ || at_ >= packet_.size()) {
      failed_ = true;
      return 0;
    }
    return static_cast<std::uint8_t>(packet_[at_++]);
  }
  std::uint16_t u16() {
    unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  std::uint32_t u32() {
    std::uint32_t high = u16();
    return high << 16 | u16();
  }
  std::string_view octets(std::size_t count) {
    if (failed_ || count > packet_.size() - at_) {
      failed_ = true;
      return {};
    }
    auto out = packet_.substr(at_, count);
    at_ += count;
    return out;
  }
  std::string name();

 private:
  std::string_view packet_;
  std::size_t at_;
  bool failed_;
};

// RFC 1035 4.1.4.  Each pointer must lead before the place where its part of the name began, so that no loop is
// possible; the sum of the labels is bounded as well, and the number of pointers: a packet of nothing but pointers would
// cost its square.
std::string Cursor::name() {
  std::string out;
  std::size_t place = at_;
  std::size_t part_began = at_;
  std::size_t length = 0;
  int pointers = 0;
  while (!failed_) {
    if (place >= packet_.size()) break;
    auto head = static_cast<std::uint8_t>(packet_[place]);
    if (head == 0) {
      if (pointers == 0) at_ = place + 1;
      return out;
    }
    if ((head & 0xc0) == 0xc0) {
      if (place + 1 >= packet_.size()) break;
      std::size_t target = static_cast<std::size_t>(head & 0x3f) << 8 | static_cast<std::uint8_t>(packet_[place + 1]);
      if (target >= part_began || pointers == kMaxPointers) break;
      if (pointers++ == 0) at_ = place + 2;
      place = part_began = target;
      continue;
    }
    if ((head & 0xc0) != 0 || head > packet_.size() - place - 1) break;  // RFC 2671 label types are no more
    length += head + 1U;
    if (length > kMaxName + 1) break;
    if (!out.empty()) out += '.';
    put_label(out, packet_.substr(place + 1, head));
    place += head + 1U;
  }
  failed_ = true;
  return {};
}

struct Resource {
  std::string owner;
  std::uint16_t type = 0;
  std::uint16_t rr_class = 0;
  std::uint32_t ttl = 0;
  std::size_t data = 0;
  std::size_t length = 0;
};

Resource read_resource(Cursor& in) {
  Resource out;
  out.owner = in.name();
  out.type = in.u16();
  out.rr_class = in.u16();
  out.ttl = in.u32();
  if (out.ttl > 0x7fffffffU) out.ttl = 0;  // RFC 2181 8
  out.length = in.u16();
  out.data = in.at();
  in.octets(out.length);
  return out;
}

std::string read_soa(Cursor& in) {
  std::string out = in.name();
  out += ' ' + in.name();
  for (int i = 0; i < 5; ++i) out += ' ' + std::to_string(in.u32());
  return out;
}

// False: the data does not fit its type.
bool read_data(std::string_view packet, const Resource& resource, Record& record) {
  Cursor in(packet.substr(0, resource.data + resource.length), resource.data);
  if (static_cast<Type>(resource.type) == kSrv) {
    for (int field = 0; field < 3; ++field) record.text += std::to_string(in.u16()) + " ";
    record.text += in.name();
    return !in.failed() && in.at() == resource.data + resource.length;
  }
  switch (static_cast<Type>(resource.type)) {
    case Type::a:
      record.address = IpAddress::v4(in.u32());
      break;
    case Type::aaaa: {
      std::array<std::uint8_t, 16> octets{};
      for (auto& octet : octets) octet = in.u8();
      record.address = IpAddress::v6(octets);
      break;
    }
    case Type::mx:
      record.preference = in.u16();
      record.text = in.name();
      break;
    case Type::txt:
      while (!in.failed() && in.at() < resource.data + resource.length) record.text += in.octets(in.u8());
      break;
    case Type::ns:
    case Type::cname:
    case Type::ptr:
      record.text = in.name();
      break;
    case Type::soa:
      record.text = read_soa(in);
      break;
    case Type::tlsa:
      record.text = in.octets(resource.length);
      if (resource.length < 3) return false;
      break;
  }
  return !in.failed() && in.at() == resource.data + resource.length;
}

// The answer section, sorted into the chain of CNAMEs and the records at its end.
class Answers {
 public:
  bool read(std::string_view packet, Cursor& in, unsigned count, Type wanted) {
    for (unsigned i = 0; i < count; ++i) {
      auto resource = read_resource(in);
      if (in.failed()) return false;
      if (resource.rr_class != kClassIn) continue;
      bool is_wanted = resource.type == static_cast<std::uint16_t>(wanted);
      bool is_cname = resource.type == static_cast<std::uint16_t>(Type::cname);
      if (!is_wanted && !is_cname) continue;
      Record record;
      record.type = static_cast<Type>(resource.type);
      record.ttl = resource.ttl;
      if (!read_data(packet, resource, record)) return false;
      (is_wanted ? found_ : cnames_).emplace_back(std::move(resource.owner), std::move(record));
    }
    return true;
  }

  // Follows the chain from `name` and moves what stands at its end into `answer`.
  bool follow(std::string name, Answer& answer) {
    std::uint32_t ttl = 0x7fffffffU;
    for (int hops = 0;; ++hops) {
      for (auto& [owner, record] : found_) {
        if (owner != name) continue;
        ttl = std::min(ttl, record.ttl);
        answer.records.push_back(std::move(record));
      }
      if (!answer.records.empty()) break;
      auto next = std::find_if(cnames_.begin(), cnames_.end(), [&](const auto& entry) { return entry.first == name; });
      if (next == cnames_.end()) break;
      if (hops == kMaxCnames) return false;
      ttl = std::min(ttl, next->second.ttl);
      name = next->second.text;
    }
    if (!answer.records.empty()) answer.ttl = std::chrono::seconds(ttl);
    return true;
  }

 private:
  std::vector<std::pair<std::string, Record>> found_;
  std::vector<std::pair<std::string, Record>> cnames_;
};

// RFC 2308 5: the lesser of the SOA's own TTL and its MINIMUM; without SOA the answer is not kept.
std::chrono::seconds negative_ttl(std::string_view packet, Cursor& in, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    auto resource = read_resource(in);
    if (in.failed()) break;
    if (resource.type != static_cast<std::uint16_t>(Type::soa) || resource.rr_class != kClassIn || resource.length < 20) continue;
    Cursor minimum(packet, resource.data + resource.length - 4);
    return std::chrono::seconds(std::min(resource.ttl, std::min(minimum.u32(), 0x7fffffffU)));
  }
  return std::chrono::seconds(0);
}

std::size_t question_end(std::string_view packet) {
  std::size_t at = kHeader;
  while (at < packet.size() && packet[at] != 0) at += static_cast<std::uint8_t>(packet[at]) + 1U;
  return at + 5;
}

}  // namespace

std::optional<std::string> canonical_name(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.empty() || name.size() > kMaxName) return std::nullopt;
  for (auto label : split(name, '.')) {
    if (label.empty() || label.size() > kMaxLabel) return std::nullopt;
  }
  return ascii_lowered(name);
}

std::string encode_query(std::string_view name, Type type, std::uint16_t id, std::uint64_t case_bits) {
  std::string out;
  out.reserve(kHeader + name.size() + 6 + 11);
  put16(out, id);
  put16(out, 0x0120);  // RD, AD
  put16(out, 1);
  put16(out, 0);
  put16(out, 0);
  put16(out, 1);
  unsigned letter = 0;
  for (auto label : split(name, '.')) {
    out += static_cast<char>(label.size());
    for (char c : label) out += is_alpha(c) && (case_bits >> (letter++ % 64) & 1) != 0 ? ascii_upper(c) : c;
  }
  out += '\0';
  put16(out, static_cast<unsigned>(type));
  put16(out, kClassIn);
  out += '\0';  // OPT, RFC 6891 6.1.2: root, type 41, payload in the class, no extended flags, no options
  put16(out, 41);
  put16(out, kUdpPayload);
  put16(out, 0);
  put16(out, 0);
  put16(out, 0);
  return out;
}

Reading read_answer(std::string_view query, std::string_view packet) {
  Reading out;
  out.answer.status = Status::bad;
  auto end = question_end(query);
  if (end > query.size() || packet.size() < end) return out;
  Cursor header(packet, 0);
  bool same_id = header.u16() == Cursor(query, 0).u16();
  unsigned flags = header.u16();
  unsigned questions = header.u16();
  unsigned answers = header.u16();
  unsigned authorities = header.u16();
  bool is_reply = (flags & 0xf800) == 0x8000;  // QR, opcode QUERY
  out.echoed = same_id && is_reply && questions == 1 && packet.substr(kHeader, end - kHeader) == query.substr(kHeader, end - kHeader);
  if (!out.echoed) return out;
  out.truncated = (flags & 0x0200) != 0;
  out.answer.authentic = (flags & 0x0020) != 0;

  unsigned rcode = flags & 0x000f;
  if (rcode != 0 && rcode != 3) {
    out.answer.status = Status::servfail;
    return out;
  }
  auto wanted = static_cast<Type>(Cursor(query, end - 4).u16());
  Cursor in(packet, end);
  Answers section;
  if (!section.read(packet, in, answers, wanted)) return out;
  if (rcode == 0 && !section.follow(Cursor(query, kHeader).name(), out.answer)) return out;
  if (!out.answer.records.empty()) {
    out.answer.status = Status::ok;
    return out;
  }
  out.answer.status = rcode == 3 ? Status::nxdomain : Status::nodata;
  out.answer.ttl = negative_ttl(packet, in, authorities);
  return out;
}

}  // namespace postern::dns
