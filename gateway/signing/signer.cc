// Which key signs which message, and where the work is done.
#include "gateway/signing/signer.h"

#include <algorithm>

#include "gateway/base/log.h"
#include "gateway/signing/seal.h"
#include "gateway/signing/signature.h"

namespace postern::signing {
namespace {

Octets joined(const std::vector<Octets>& pieces) {
  if (pieces.size() == 1) return pieces.front();
  std::string out;
  for (const auto& piece : pieces) out += piece.view();
  return Octets(std::move(out));
}

}  // namespace

void Signer::configure(const config::Config& config) {
  std::set<std::string, std::less<>> ours{config.hostname};
  for (const auto& domain : config.domains) ours.insert(domain.name);
  std::lock_guard lock(mutex_);
  ours_ = std::move(ours);
}

// Every author must be ours: the signature speaks for all of them.
Signer::Choice Signer::choose(const std::vector<std::string>& authors) const {
  Choice out;
  out.keys = keys_.keys();
  std::lock_guard lock(mutex_);
  auto above = [](std::string_view name) {
    auto dot = name.find('.');
    return dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
  };
  for (const auto& author : authors) {
    bool ours = false;
    for (std::string_view name = author; !name.empty(); name = above(name)) ours = ours || ours_.contains(name);
    if (!ours) return out;
  }
  out.ours = true;
  for (std::string_view name = authors.front(); !name.empty() && out.chosen.empty(); name = above(name)) {
    if (!ours_.contains(name)) continue;
    for (const auto& key : *out.keys) {
      if (key.domain == name && key.state == State::active && key.secret) out.chosen.push_back(&key);
    }
  }
  std::sort(out.chosen.begin(), out.chosen.end(), [](const Key* a, const Key* b) { return a->algorithm < b->algorithm; });
  return out;
}

io::Task<std::string> Signer::sign(Octets record, std::string id) {
  if (keys_.keys()->empty()) co_return std::string();
  auto authors = author_domains(record.view());
  if (!authors) {
    log::info("dkim.not_signed", {{"message", id}, {"why", authors.error().text}});
    co_return std::string();
  }
  auto choice = choose(*authors);
  auto made = co_await sign_with(std::move(choice), std::move(record), std::move(id));
  co_return made;
}

io::Task<std::string> Signer::sign_as(std::string domain, Octets record, std::string id) {
  std::vector<std::string> one(1, std::move(domain));
  auto choice = choose(one);
  auto made = co_await sign_with(std::move(choice), std::move(record), std::move(id));
  co_return made;
}

io::Task<std::string> Signer::seal_as(std::string domain, Octets octets, std::string payload, std::string id) {
  std::vector<std::string> one(1, domain);
  auto choice = choose(one);
  if (choice.chosen.empty()) co_return std::string();
  Sealing sealing;
  sealing.status = chain_status(payload);
  sealing.payload = std::move(payload);
  auto job = [octets, sealing = std::move(sealing), choice = std::move(choice)] {
    return seal(octets.view(), sealing, *choice.chosen.front(), Clock::system().now());
  };
  Result<std::string> made = co_await workers_.run(std::move(job));
  if (made) {
    if (!made->empty()) ++figures_.sealed;
    co_return std::move(*made);
  }
  log::info("arc.not_sealed", {{"message", id}, {"domain", domain}, {"why", made.error().text}});
  co_return std::string();
}

io::Task<std::string> Signer::sign_with(Choice choice, Octets record, std::string id) {
  if (choice.chosen.empty()) {
    if (choice.ours) ++figures_.no_key;
    co_return std::string();
  }
  auto domain = choice.chosen.front()->domain;
  auto job = [record, choice = std::move(choice)] { return signatures_of(record.view(), choice.chosen, Clock::system().now()); };
  Result<std::string> made = co_await workers_.run(std::move(job));
  if (made) {
    ++figures_.signed_;
    co_return std::move(*made);
  }
  ++figures_.failed;
  log::error("dkim.not_signed", {{"message", id}, {"domain", domain}, {"why", made.error().text}, {"action", "sent unsigned"}});
  co_return std::string();
}

io::Task<void> Signer::sign(store::Delivery& delivery, std::size_t first) {
  for (std::size_t i = first; i < delivery.items.size(); ++i) {
    auto& item = delivery.items[i];
    if (item.onward.empty()) continue;
    auto fields = co_await sign(joined(item.pieces), item.id);
    for (auto& onward : item.onward) onward.header_prefix += fields;
  }
}

}  // namespace postern::signing
