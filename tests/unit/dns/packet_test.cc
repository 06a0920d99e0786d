// Questions and replies on the wire, by hand-made packets.
#include "gateway/dns/packet.h"

#include "gateway/base/text.h"
#include "gateway/dns/srv.h"
#include "tests/support/catch.h"

using namespace postern;
using dns::Type;

namespace {

std::string u16(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value)}; }
std::string u32(unsigned value) { return u16(value >> 16) + u16(value & 0xffff); }
std::string wire(std::string_view name) {
  std::string out;
  for (auto label : split(name, '.')) out += static_cast<char>(label.size()) + std::string(label);
  return out + '\0';
}
std::string record(const std::string& owner, unsigned type, unsigned ttl, const std::string& data) {
  return owner + u16(type) + u16(1) + u32(ttl) + u16(static_cast<unsigned>(data.size())) + data;
}
const std::string kQuestionName = u16(0xc00c);

struct Reply {
  std::string query;
  std::string packet;
};

// A reply to `name` with these sections.
Reply reply(std::string_view name, Type type, unsigned flags, const std::vector<std::string>& answers, const std::vector<std::string>& authority = {}) {
  Reply out;
  out.query = dns::encode_query(name, type, 0x1234, 0x5a5a5a5a5a5a5a5aULL);
  out.packet = u16(0x1234) + u16(flags) + u16(1) + u16(static_cast<unsigned>(answers.size())) + u16(static_cast<unsigned>(authority.size())) + u16(0);
  out.packet += out.query.substr(12, out.query.size() - 12 - 11);
  for (const auto& part : answers) out.packet += part;
  for (const auto& part : authority) out.packet += part;
  return out;
}

dns::Answer answer_of(const Reply& reply) { return dns::read_answer(reply.query, reply.packet).answer; }

constexpr unsigned kOk = 0x8180;

}  // namespace

TEST_CASE("a name is canonical in lower case without its final dot, or cannot be asked") {
  CHECK(dns::canonical_name("WWW.Example.") == std::optional<std::string>("www.example"));
  CHECK(dns::canonical_name(std::string(63, 'a') + ".b").has_value());
  std::string longest = std::string(63, 'a') + '.' + std::string(63, 'b') + '.' + std::string(63, 'c') + '.' + std::string(61, 'd');
  CHECK(dns::canonical_name(longest).has_value());
  for (const std::string& bad : {std::string(), std::string("."), std::string("a..b"), std::string(".a"), std::string("a.."), std::string(64, 'a') + ".b", longest + 'd'}) {
    CHECK_FALSE(dns::canonical_name(bad).has_value());
  }
}

TEST_CASE("a question asks for recursion, the AD bit and 1232 octets, its letters flipped as told") {
  auto query = dns::encode_query("ab-1.cd", Type::mx, 0xbeef, 0b0101);
  std::string expected = u16(0xbeef) + u16(0x0120) + u16(1) + u16(0) + u16(0) + u16(1);
  expected += std::string("\4Ab-1\2Cd\0", 9) + u16(15) + u16(1);
  expected += std::string(1, '\0') + u16(41) + u16(1232) + u32(0) + u16(0);
  CHECK(hex(query) == hex(expected));
}

TEST_CASE("records of each type are read") {
  auto a = answer_of(reply("x.test", Type::a, kOk, {record(kQuestionName, 1, 60, std::string("\xc0\x00\x02\x07", 4)), record(kQuestionName, 1, 30, std::string("\xc0\x00\x02\x08", 4))}));
  REQUIRE(a.ok());
  REQUIRE(a.records.size() == 2);
  CHECK(a.records[0].address.to_string() == "192.0.2.7");
  CHECK(a.records[1].ttl == 30);
  CHECK(a.ttl == std::chrono::seconds(30));
  CHECK_FALSE(a.authentic);

  auto aaaa = answer_of(reply("x.test", Type::aaaa, kOk | 0x20, {record(kQuestionName, 28, 60, "\x20\x01\x0d\xb8" + std::string(11, '\0') + "\x01")}));
  REQUIRE(aaaa.records.size() == 1);
  CHECK(aaaa.records[0].address.to_string() == "2001:db8::1");
  CHECK(aaaa.authentic);

  auto mx = answer_of(reply("x.test", Type::mx, kOk, {record(kQuestionName, 15, 60, u16(10) + "\2MX" + kQuestionName), record(kQuestionName, 15, 60, u16(0) + std::string(1, '\0'))}));
  REQUIRE(mx.records.size() == 2);
  CHECK(mx.records[0].preference == 10);
  CHECK(mx.records[0].text == "mx.x.test");
  CHECK(mx.records[1].text.empty());

  auto txt = answer_of(reply("x.test", Type::txt, kOk, {record(kQuestionName, 16, 60, std::string("\3v=s\0\4pf1 ", 10)), record(kQuestionName, 16, 60, std::string(1, '\0'))}));
  REQUIRE(txt.records.size() == 2);
  CHECK(txt.records[0].text == "v=spf1 ");
  CHECK(txt.records[1].text.empty());

  auto tlsa = answer_of(reply("_25._tcp.x.test", Type::tlsa, kOk, {record(kQuestionName, 52, 60, "\3\1\1hash")}));
  REQUIRE(tlsa.records.size() == 1);
  CHECK(tlsa.records[0].text == "\3\1\1hash");

  auto srv = answer_of(reply("_imaps._tcp.x.test", dns::kSrv, kOk, {record(kQuestionName, 33, 60, u16(0) + u16(1) + u16(993) + "\4IMAP" + kQuestionName)}));
  REQUIRE(srv.records.size() == 1);
  CHECK(srv.records[0].text == "0 1 993 imap._imaps._tcp.x.test");
  CHECK(answer_of(reply("_imaps._tcp.x.test", dns::kSrv, kOk, {record(kQuestionName, 33, 60, u16(0) + u16(1))})).status == dns::Status::bad);

  auto soa = answer_of(reply("x.test", Type::soa, kOk, {record(kQuestionName, 6, 60, wire("ns.x.test") + wire("mail.x.test") + u32(1) + u32(2) + u32(3) + u32(4) + u32(5))}));
  REQUIRE(soa.records.size() == 1);
  CHECK(soa.records[0].text == "ns.x.test mail.x.test 1 2 3 4 5");

  auto ptr = answer_of(reply("7.2.0.192.in-addr.arpa", Type::ptr, kOk, {record(kQuestionName, 12, 60, wire("Host.Example"))}));
  REQUIRE(ptr.records.size() == 1);
  CHECK(ptr.records[0].text == "host.example");
}

TEST_CASE("octets that no host name has come out escaped") {
  auto ptr = answer_of(reply("x.test", Type::ptr, kOk, {record(kQuestionName, 12, 60, std::string("\6a.b\0 \xff\4test\0", 13))}));
  REQUIRE(ptr.records.size() == 1);
  CHECK(ptr.records[0].text == "a\\046b\\000\\032\\255.test");
}

TEST_CASE("a CNAME chain is followed, in any order of records, up to eight") {
  auto chain = [](int length) {
    std::vector<std::string> records;
    records.push_back(record(wire("n" + std::to_string(length) + ".test"), 1, 500, "\1\2\3\4"));
    for (int i = length; i-- > 0;) records.push_back(record(wire("n" + std::to_string(i) + ".test"), 5, 100U + static_cast<unsigned>(i), wire("n" + std::to_string(i + 1) + ".test")));
    return answer_of(reply("n0.test", Type::a, kOk, records));
  };
  auto eight = chain(8);
  REQUIRE(eight.ok());
  CHECK(eight.records[0].address.to_string() == "1.2.3.4");
  CHECK(eight.ttl == std::chrono::seconds(100));
  CHECK(chain(9).status == dns::Status::bad);
}

TEST_CASE("a CNAME loop is bad, not endless") {
  auto loop = answer_of(reply("a.test", Type::a, kOk, {record(wire("a.test"), 5, 9, wire("b.test")), record(wire("b.test"), 5, 9, wire("a.test"))}));
  CHECK(loop.status == dns::Status::bad);
}

TEST_CASE("a question for a CNAME is not followed") {
  auto cname = answer_of(reply("a.test", Type::cname, kOk, {record(wire("a.test"), 5, 9, wire("b.test")), record(wire("b.test"), 5, 9, wire("c.test"))}));
  REQUIRE(cname.records.size() == 1);
  CHECK(cname.records[0].text == "b.test");
}

TEST_CASE("records that belong to another name are nobody's") {
  auto other = answer_of(reply("a.test", Type::a, kOk, {record(wire("evil.test"), 1, 9, "\1\2\3\4")}));
  CHECK(other.status == dns::Status::nodata);
}

TEST_CASE("a negative answer lives as long as its SOA says, RFC 2308") {
  auto soa = [](unsigned ttl, unsigned minimum) {
    return record(wire("test"), 6, ttl, wire("ns.test") + wire("m.test") + u32(1) + u32(2) + u32(3) + u32(4) + u32(minimum));
  };
  auto nodata = answer_of(reply("a.test", Type::a, kOk, {}, {soa(3600, 60)}));
  CHECK(nodata.status == dns::Status::nodata);
  CHECK(nodata.ttl == std::chrono::seconds(60));
  auto nxdomain = answer_of(reply("a.test", Type::a, kOk | 3, {}, {soa(30, 600)}));
  CHECK(nxdomain.status == dns::Status::nxdomain);
  CHECK(nxdomain.ttl == std::chrono::seconds(30));
  CHECK(answer_of(reply("a.test", Type::a, kOk | 3, {})).ttl == std::chrono::seconds(0));
}

TEST_CASE("a TTL with its highest bit set counts as zero, RFC 2181 8") {
  auto answer = answer_of(reply("a.test", Type::a, kOk, {record(kQuestionName, 1, 0x80000001U, "\1\2\3\4")}));
  REQUIRE(answer.ok());
  CHECK(answer.ttl == std::chrono::seconds(0));
}

TEST_CASE("server trouble is servfail") {
  for (unsigned rcode : {1U, 2U, 4U, 5U, 9U}) CHECK(answer_of(reply("a.test", Type::a, kOk | rcode, {})).status == dns::Status::servfail);
}

TEST_CASE("a reply with another id, name, letter case, type or count of questions is not echoed") {
  auto good = reply("abcd.test", Type::a, kOk, {record(kQuestionName, 1, 9, "\1\2\3\4")});
  CHECK(dns::read_answer(good.query, good.packet).echoed);
  auto changed = [&](std::size_t at, char by) {
    auto packet = good.packet;
    packet[at] = static_cast<char>(packet[at] ^ by);
    auto reading = dns::read_answer(good.query, packet);
    return !reading.echoed && reading.answer.status == dns::Status::bad;
  };
  CHECK(changed(1, 1));                                    // id
  CHECK(changed(2, '\x80'));                               // a question, not a reply
  CHECK(changed(2, 0x08));                                 // another opcode
  CHECK(changed(5, 3));                                    // two questions
  CHECK(changed(13, 1));                                   // name
  CHECK(changed(13, 0x20));                                // case
  CHECK(changed(12 + 11 + 1, 2));                          // type
  CHECK_FALSE(dns::read_answer(good.query, "").echoed);
  CHECK_FALSE(dns::read_answer(good.query, good.packet.substr(0, 20)).echoed);
}

TEST_CASE("TC is reported") {
  auto cut = reply("a.test", Type::a, kOk | 0x0200, {});
  CHECK(dns::read_answer(cut.query, cut.packet).truncated);
}

TEST_CASE("every cut of a good packet is bad or shorter, never a fault") {
  auto good = reply("a.test", Type::mx, kOk, {record(kQuestionName, 15, 60, u16(10) + "\2mx" + kQuestionName), record(kQuestionName, 15, 60, u16(20) + wire("mx2.other"))});
  for (std::size_t length = 0; length < good.packet.size(); ++length) {
    CHECK(dns::read_answer(good.query, std::string_view(good.packet).substr(0, length)).answer.status == dns::Status::bad);
  }
}

TEST_CASE("compression pointers that lead to themselves, forward or in a circle are bad") {
  std::size_t data_at = 12 + 8 + 4 + 12;
  auto with_name = [](const std::string& name) { return answer_of(reply("a.test", Type::ptr, kOk, {record(kQuestionName, 12, 9, name)})).status; };
  CHECK(with_name(u16(0xc000U | static_cast<unsigned>(data_at))) == dns::Status::bad);
  CHECK(with_name(u16(0xc000U | static_cast<unsigned>(data_at + 2)) + wire("x")) == dns::Status::bad);
  CHECK(with_name("\1a" + u16(0xc000U | static_cast<unsigned>(data_at))) == dns::Status::bad);
  CHECK(with_name(u16(0xffff)) == dns::Status::bad);
  CHECK(with_name("\x40" + std::string(64, 'a') + '\0') == dns::Status::bad);
  CHECK(with_name(wire("fine.test") + "x") == dns::Status::bad);  // octets behind the name
}

TEST_CASE("a name may hop from pointer to pointer a hundred times, not without end") {
  auto behind = [](unsigned pointers) {
    unsigned at = 12 + 8 + 4 + 12;
    std::string chain = wire("x");
    unsigned target = at;
    for (unsigned i = 1; i < pointers; ++i) {
      unsigned here = at + static_cast<unsigned>(chain.size());
      chain += u16(0xc000U | target);
      target = here;
    }
    return answer_of(reply("a.test", Type::ptr, kOk, {record(kQuestionName, 99, 9, chain), record(kQuestionName, 12, 9, u16(0xc000U | target))}));
  };
  CHECK(behind(100).records.at(0).text == "x");
  CHECK(behind(200).status == dns::Status::bad);
}

TEST_CASE("a name above 255 octets is bad") {
  std::string name;
  for (int i = 0; i < 5; ++i) name += '\x3f' + std::string(63, 'a');
  CHECK(answer_of(reply("a.test", Type::ptr, kOk, {record(kQuestionName, 12, 9, name + '\0')})).status == dns::Status::bad);
}

TEST_CASE("TXT strings that overrun their record are bad") {
  CHECK(answer_of(reply("a.test", Type::txt, kOk, {record(kQuestionName, 16, 9, "\5abc")})).status == dns::Status::bad);
  CHECK(answer_of(reply("a.test", Type::aaaa, kOk, {record(kQuestionName, 28, 9, "\1\2\3\4")})).status == dns::Status::bad);
  CHECK(answer_of(reply("a.test", Type::a, kOk, {record(kQuestionName, 1, 9, "\1\2\3\4\5")})).status == dns::Status::bad);
}
