#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "gateway/base/bytes.h"
#include "gateway/config/config.h"
#include "gateway/io/task.h"
#include "gateway/io/worker_pool.h"
#include "gateway/signing/key_ring.h"

namespace postern::signing {

// For status and /metrics; messages.
struct SignerFigures {
  std::atomic<std::uint64_t> signed_{0};     // by each algorithm that has a key
  std::atomic<std::uint64_t> no_key{0};      // of an author of ours whose domain has no active key
  std::atomic<std::uint64_t> failed{0};      // see Signer
  std::atomic<std::uint64_t> sealed{0};      // with an ARC Set
};

// Signs what is ours on its way out: of a user, of a server that we trust, or of the program itself.  That it is ours
// the caller says.
//
// A message that cannot be signed goes out unsigned, with a line in the log and a count.  To defer instead would stop
// all that people send because of what SPF may make good; Exim and rspamd do the same.  What fails besides OpenSSL is
// a header that nobody could verify either.
// Any thread; on the loop of the caller.
class Signer {
 public:
  // Both must outlive the signer.
  Signer(const KeyRing& keys, io::WorkerPool& workers) : keys_(keys), workers_(workers) {}

  // At start and after a reload: whose mail is ours.
  void configure(const config::Config& config);

  // The DKIM-Signature fields for `record`, the octets as they are sent behind our own fields, to be put before them; ""
  // when its author is none of ours, or has no key.  d= is the author's domain, or the nearest domain above it that is
  // ours and has keys, so that DMARC's relaxed alignment holds.  `id` is for the log.
  io::Task<std::string> sign(Octets record, std::string id);
  // The same in the name of `domain`, whoever the author is: of what a mailing list of ours passes on.
  io::Task<std::string> sign_as(std::string domain, Octets record, std::string id);
  // The ARC Set of what one of ours passes on (RFC 8617 5.1), in the name of `domain`, to be put before `octets`: the
  // message as it is sent, with its signatures.  `payload`: what we found when it came in, as mail::combined_results() has
  // it; it also says what became of its chain.  "" where there is no key, or nothing to be added; like sign() it never
  // holds up what cannot be sealed.  One key, RSA if there is one: a set has one signature.
  io::Task<std::string> seal_as(std::string domain, Octets octets, std::string payload, std::string id);
  // What the program itself sends: puts the fields before each entry of the queue that the items of `delivery` from
  // `first` on make.
  io::Task<void> sign(store::Delivery& delivery, std::size_t first = 0);

  const SignerFigures& figures() const { return figures_; }

 private:
  struct Choice {
    std::shared_ptr<const Keys> keys;   // owns those below
    std::vector<const Key*> chosen;     // RSA first: some verifiers look at one signature only
    bool ours = false;
  };
  Choice choose(const std::vector<std::string>& authors) const;
  io::Task<std::string> sign_with(Choice choice, Octets record, std::string id);

  const KeyRing& keys_;
  io::WorkerPool& workers_;
  SignerFigures figures_;
  mutable std::mutex mutex_;
  std::set<std::string, std::less<>> ours_;
};

}  // namespace postern::signing
