// DANE for SMTP: the DNS part of RFC 7672.  What a certificate is worth by the records, OpenSSL decides in io.
#include "gateway/smtp_client/dane.h"

namespace postern::smtp_client {
namespace {

using Kind = TlsaRecords::Kind;

constexpr std::size_t kMaxRecords = 32;
constexpr std::size_t kMaxData = 8192;   // a whole certificate
constexpr int kMaxAliases = 8;           // the addresses were found behind them, so there are no more

// RFC 7672 3.1.3: usages 0 and 1 mean nothing without authorities that both sides trust.
bool is_usable(const io::Tlsa& record) {
  if (record.usage != 2 && record.usage != 3) return false;
  if (record.selector > 1) return false;
  if (record.matching == 1) return record.data.size() == 32;
  if (record.matching == 2) return record.data.size() == 64;
  return record.matching == 0 && !record.data.empty() && record.data.size() <= kMaxData;
}

io::Tlsa tlsa_of(const dns::Record& record) {
  io::Tlsa out;
  out.usage = static_cast<std::uint8_t>(record.text[0]);
  out.selector = static_cast<std::uint8_t>(record.text[1]);
  out.matching = static_cast<std::uint8_t>(record.text[2]);
  out.data = record.text.substr(3);
  return out;
}

io::Task<TlsaRecords> ask(dns::Resolver& resolver, std::string base, std::uint16_t port, Deadline deadline) {
  TlsaRecords out;
  out.owner = "_" + std::to_string(port) + "._tcp." + base;
  auto answer = co_await resolver.query(out.owner, dns::Type::tlsa, deadline);
  if (answer.temporary()) {
    out.kind = Kind::failed;
    out.words = "DNS gives no answer for " + out.owner + " TLSA: " + std::string(dns::status_name(answer.status));
  }
  if (!answer.ok() || !answer.authentic) co_return std::move(out);
  for (const auto& record : answer.records) {
    if (record.text.size() < 3 || out.records.size() == kMaxRecords) continue;
    auto made = tlsa_of(record);
    if (is_usable(made)) out.records.push_back(std::move(made));
  }
  out.kind = out.records.empty() ? Kind::unusable : Kind::usable;
  out.base = std::move(base);
  co_return std::move(out);
}

TlsaRecords failed_at(const std::string& name, dns::Status status) {
  TlsaRecords out;
  out.kind = Kind::failed;
  out.owner = name;
  out.words = "DNS gives no answer for " + name + " CNAME: " + std::string(dns::status_name(status));
  return out;
}

}  // namespace

io::Task<TlsaRecords> find_tlsa(dns::Resolver& resolver, std::string host, std::uint16_t port, Deadline deadline) {
  auto name = host;
  for (int hops = 0; hops < kMaxAliases; ++hops) {
    auto alias = co_await resolver.query(name, dns::Type::cname, deadline);
    if (alias.temporary()) co_return failed_at(name, alias.status);
    if (!alias.ok()) break;
    name = alias.records.front().text;
  }
  if (name != host) {
    auto found = co_await ask(resolver, name, port, deadline);
    if (found.kind != Kind::none) co_return std::move(found);
  }
  auto found = co_await ask(resolver, std::move(host), port, deadline);
  co_return std::move(found);
}

}  // namespace postern::smtp_client
