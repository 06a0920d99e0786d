// The facts of a connection and of a message: which are computed from what, once, and side by side.
#include "filters/evidence.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "filters/arc.h"
#include "filters/content.h"
#include "filters/dkim.h"
#include "filters/dmarc.h"
#include "filters/files.h"
#include "filters/reputation.h"
#include "gateway/base/log.h"
#include "gateway/io/together.h"

namespace postern::filters {
namespace {

// Sessions whose SPF is remembered between MAIL and the end of DATA.
constexpr std::size_t kMaxRememberedSpf = 2'000;

// The computing tasks below take values and things that outlive the loop (see Memo).

io::Task<void> store_virus(ScanVirus scan, Octets octets, std::shared_ptr<Parts> parts, std::optional<Virus>& out) {
  const mail::PartTable* table = co_await parts->get();
  Virus virus = co_await scan(std::move(octets), *table);
  out = std::move(virus);
}

io::Task<void> wait_until(Deadline deadline) { co_await io::sleep_until(deadline); }

io::Task<Virus> scan_within(ScanVirus scan, Octets octets, std::shared_ptr<Parts> parts, std::chrono::milliseconds wait) {
  std::optional<Virus> out;
  co_await io::first_of(store_virus(std::move(scan), std::move(octets), std::move(parts), out), wait_until(in(wait)));
  if (out) co_return *out;
  Virus late;
  late.state = Virus::State::error;
  late.problem = "the scanner did not answer in time";
  co_return late;
}

io::Task<Virus> no_scanner() { co_return Virus(); }

// RFC 7208 2.6.1: no result where no address can be checked.
io::Task<Spf> spf_of_nobody() {
  Spf none;
  none.problem = "the client's address is not known";
  co_return none;
}

Reputation failed_reputation(std::string problem) {
  log::error("fact.failed", {{"fact", "reputation"}, {"what", std::move(problem)}});
  Reputation out;
  out.reverse = Reputation::Reverse::temperror;
  return out;
}

Spf failed_spf(std::string problem) {
  Spf out;
  out.result = SpfResult::temperror;
  out.problem = std::move(problem);
  return out;
}

// Without this entry a failure would look like an unsigned message.
Dkim failed_dkim(std::string problem) {
  DkimSignature unknown;
  unknown.result = DkimResult::temperror;
  unknown.problem = std::move(problem);
  Dkim out;
  out.signatures.push_back(std::move(unknown));
  return out;
}

Dmarc failed_dmarc(std::string problem) {
  Dmarc out;
  out.result = DmarcResult::temperror;
  out.problem = std::move(problem);
  return out;
}

Arc failed_arc(std::string problem) {
  Arc out;
  out.result = ArcResult::temperror;
  out.problem = std::move(problem);
  return out;
}

Content failed_content(std::string problem) {
  Content out;
  out.problem = std::move(problem);
  return out;
}

std::optional<MessageSigns> no_signs(std::string problem) {
  log::error("fact.failed", {{"fact", "signs"}, {"what", std::move(problem)}});
  return std::nullopt;
}

Files failed_files(std::string problem) {
  Files out;
  out.problem = std::move(problem);
  return out;
}

Virus failed_virus(std::string problem) {
  Virus out;
  out.state = Virus::State::error;
  out.problem = std::move(problem);
  return out;
}

io::Task<Dmarc> compute_dmarc(dns::Resolver& resolver, bool client_known, Octets octets, std::shared_ptr<Memo<Spf>> spf,
                              std::shared_ptr<Memo<Dkim>> dkim, std::uint64_t salt, std::chrono::milliseconds wait) {
  spf->start();
  dkim->start();
  Authors authors = author_domains(octets.view());
  auto records = co_await discover_dmarc(resolver, authors.domains, in(wait));
  const Spf* spf_fact = co_await spf->get();
  const Dkim* dkim_fact = co_await dkim->get();
  // Only pct= asks which share a message falls into.
  auto partial = [](const DmarcDiscovery& found) { return found.record.percent < 100; };
  unsigned sample = std::any_of(records.begin(), records.end(), partial) ? dmarc_sample(octets.view(), salt) : 0;
  Dmarc out = judge_dmarc(authors, records, *spf_fact, *dkim_fact, sample);
  if (!client_known && out.result == DmarcResult::fail) {   // SPF could have passed
    out.result = DmarcResult::none;
    out.policy = DmarcPolicy::none;
    out.problem = "not signed by its author's domain, and the client's address is not known";
  }
  co_return out;
}

class OneConnection : public ConnectionEvidence {
 public:
  OneConnection(dns::Resolver& resolver, IpAddress ip, std::chrono::milliseconds wait)
      : reputation_("fact reputation", [&resolver, ip, wait] { return look_up_reputation(resolver, ip, in(wait)); },
                    failed_reputation) {}
  io::Task<const Reputation*> reputation() override { return reputation_.get(); }

 private:
  Memo<Reputation> reputation_;
};

class OneMessage : public MessageEvidence {
 public:
  struct Facts {
    std::shared_ptr<Memo<Spf>> spf;
    std::shared_ptr<Memo<Dkim>> dkim;
    std::shared_ptr<Memo<Dmarc>> dmarc;
    std::shared_ptr<Memo<Arc>> arc;
    std::shared_ptr<Memo<Virus>> virus;
    std::shared_ptr<Memo<Files>> files;
    std::shared_ptr<Memo<Content>> content;  // of a large message
    std::shared_ptr<Memo<std::optional<MessageSigns>>> signs;   // likewise
    std::shared_ptr<Parts> parts;
  };
  OneMessage(Octets octets, HeaderContext context, Facts facts) : octets_(std::move(octets)), facts_(std::move(facts)), context_(std::move(context)) {}

  void start(bool scan) override {
    facts_.spf->start();
    facts_.dkim->start();
    facts_.dmarc->start();
    facts_.arc->start();
    if (scan) facts_.virus->start();
  }
  io::Task<const Spf*> spf() override { return facts_.spf->get(); }
  io::Task<const Dkim*> dkim() override { return facts_.dkim->get(); }
  io::Task<const Dmarc*> dmarc() override { return facts_.dmarc->get(); }
  io::Task<const Arc*> arc() override { return facts_.arc->get(); }
  io::Task<const Virus*> virus() override { return facts_.virus->get(); }
  io::Task<const Files*> files() override { return facts_.files->get(); }
  const Octets& octets() const override { return octets_; }

  const Content* content() override {
    if (!content_ && !facts_.parts->on_worker()) content_ = content_of(octets_.view(), facts_.parts->now());
    return content_ ? &*content_ : decoded_;
  }
  io::Task<void> decode() override {
    const Content* content = co_await facts_.content->get();
    decoded_ = content;
  }

  const MessageSigns* signs() override {
    const Content* decoded = content();
    if (!signs_ && decoded != nullptr && !facts_.parts->on_worker()) signs_ = signs_of(octets_.view(), facts_.parts->now(), context_, *decoded);
    return signs_ ? &*signs_ : found_signs_;
  }
  io::Task<void> find_signs() override {
    const std::optional<MessageSigns>* found = co_await facts_.signs->get();
    if (!*found) throw std::runtime_error("the signs of the message cannot be found");
    found_signs_ = &**found;
  }

 private:
  Octets octets_;
  Facts facts_;
  HeaderContext context_;
  std::optional<Content> content_;
  std::optional<MessageSigns> signs_;
  const MessageSigns* found_signs_ = nullptr;   // in facts_.signs
  const Content* decoded_ = nullptr;  // in facts_.content
};

}  // namespace

Evidence::Evidence(dns::Resolver& resolver, io::WorkerPool* workers, const Clock& clock, EvidenceConfig config, ScanVirus scan)
    : resolver_(resolver), workers_(workers), clock_(clock), config_(std::move(config)), scan_(std::move(scan)) {}

std::unique_ptr<ConnectionEvidence> Evidence::connection(const smtp::Client& client) {
  return std::make_unique<OneConnection>(resolver_, client.ip, config_.reputation);
}

std::shared_ptr<Memo<Spf>> Evidence::spf_memo(const smtp::Client& client, const smtp::Sender& sender) {
  std::string key = (client.known ? client.ip.to_string() : "") + '\n' + client.helo + '\n' + sender.address;
  auto found = spf_by_session_.find(client.session);
  if (found != spf_by_session_.end()) {
    if (found->second->key == key) return found->second->spf;
    spf_by_age_.erase(found->second);
    spf_by_session_.erase(found);
  }
  SpfQuery query(client.ip, client.helo, sender.address, config_.hostname);
  auto ask = [&resolver = resolver_, query, wait = config_.spf, options = config_.spf_options] {
    return check_spf(resolver, query, in(wait), options);
  };
  auto unknown = [] { return spf_of_nobody(); };
  Memo<Spf>::Make make = std::move(ask);
  if (!client.known) make = std::move(unknown);
  auto memo = std::make_shared<Memo<Spf>>("fact spf", std::move(make), failed_spf);
  if (client.session.empty()) return memo;  // nothing to know it by again
  if (spf_by_age_.size() >= kMaxRememberedSpf) {
    spf_by_session_.erase(spf_by_age_.front().session);
    spf_by_age_.pop_front();
  }
  spf_by_age_.push_back(Remembered{client.session, std::move(key), memo});
  spf_by_session_[client.session] = std::prev(spf_by_age_.end());
  return memo;
}

std::unique_ptr<MessageEvidence> Evidence::message(const smtp::Client& client, const smtp::Sender& sender, Octets received, Arrival arrival) {
  HeaderContext context{sender.address, std::move(arrival.recipients), arrival.when};
  OneMessage::Facts facts;
  facts.spf = spf_memo(client, sender);
  auto dkim = [&resolver = resolver_, workers = workers_, &clock = clock_, received, wait = config_.dkim] {
    return verify_dkim(received, resolver, workers, clock.now(), in(wait));
  };
  facts.dkim = std::make_shared<Memo<Dkim>>("fact dkim", std::move(dkim), failed_dkim);
  auto dmarc = [&resolver = resolver_, known = client.known, received, spf = facts.spf, dkim_memo = facts.dkim, salt = config_.dmarc_salt, wait = config_.dmarc] {
    return compute_dmarc(resolver, known, received, spf, dkim_memo, salt, wait);
  };
  facts.dmarc = std::make_shared<Memo<Dmarc>>("fact dmarc", std::move(dmarc), failed_dmarc);
  auto arc = [&resolver = resolver_, workers = workers_, &clock = clock_, received, wait = config_.arc] {
    return validate_arc(received, resolver, workers, clock.now(), in(wait));
  };
  facts.arc = std::make_shared<Memo<Arc>>("fact arc", std::move(arc), failed_arc);
  facts.parts = std::make_shared<Parts>(received, workers_);
  auto virus = [scan = scan_, received, parts = facts.parts, wait = config_.virus] {
    return scan_within(scan, received, parts, wait);
  };
  auto content = [received, parts = facts.parts, workers = workers_] { return decode_on_worker(received, parts, *workers); };
  facts.content = std::make_shared<Memo<Content>>("fact content", std::move(content), failed_content);
  auto signs = [received, parts = facts.parts, decoded = facts.content, context, workers = workers_] {
    return signs_on_worker(received, parts, decoded, context, *workers);
  };
  facts.signs = std::make_shared<Memo<std::optional<MessageSigns>>>("fact signs", std::move(signs), no_signs);
  auto files = [received, parts = facts.parts, workers = workers_] { return find_files(received, parts, workers); };
  facts.files = std::make_shared<Memo<Files>>("fact files", std::move(files), failed_files);
  auto off = [] { return no_scanner(); };
  Memo<Virus>::Make make_virus = std::move(off);
  if (scan_) make_virus = std::move(virus);
  facts.virus = std::make_shared<Memo<Virus>>("fact virus", std::move(make_virus), failed_virus);
  return std::make_unique<OneMessage>(std::move(received), std::move(context), std::move(facts));
}

}  // namespace postern::filters
