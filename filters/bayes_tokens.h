#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "filters/facts.h"
#include "gateway/mail/mime.h"

namespace postern::filters {

// What a message is to Bayes: a set of distinct tokens, each of one kind of evidence.  A token is a hash of 45 bits with
// its kind above; what it was is forgotten.
using BayesToken = std::uint64_t;

enum class BayesKind : std::uint8_t {
  word,      // of the readable text
  pair,      // of neighbours in it, with at most one word between
  subject,   // words and pairs of the subject
  author,    // From and Reply-To
  link,      // hosts, registrable domains, words of paths
  claim,     // what the sender's program says of itself; costs a forger nothing, so never a credit (filters/bayes.h)
  shape,     // HTML, parts, attachments
  hop,       // the client that we saw
};
constexpr std::size_t kBayesKinds = 8;

constexpr unsigned kBayesHashBits = 45;
constexpr unsigned kBayesTokenBits = kBayesHashBits + 3;
constexpr BayesKind kind_of(BayesToken token) { return static_cast<BayesKind>(token >> kBayesHashBits); }

// Distinct tokens that are kept of each kind, in the order of BayesKind; every kind has its own places, so that a long list
// of words in one does not drown the rest.  Of `word` and `pair` three quarters come from the beginning of the text and
// the rest, when it has more than that, from its end: its last kBayesEnd octets, then its last kBayesTail; of the others the first.
constexpr std::array<std::size_t, kBayesKinds> kBayesPlaces = {600, 900, 80, 40, 160, 48, 128, 8};
constexpr std::size_t kMostBayesTokens = 600 + 900 + 80 + 40 + 160 + 48 + 128 + 8;
// Octets of the text that are read: so many from its beginning and from its end.
constexpr std::size_t kBayesHead = 32 * 1024;
constexpr std::size_t kBayesTail = 8 * 1024;
constexpr std::size_t kBayesEnd = 512;
// Octets of HTML whose shape is looked at.
constexpr std::size_t kBayesHtml = 64 * 1024;

// Raised whenever the same message gives other tokens than before.
constexpr std::uint8_t kBayesTokenEdition = 1;

struct BayesInput {
  std::string_view header;               // the header block as received
  std::string_view text;                 // Content::text
  std::span<const Link> links;
  std::span<const Attachment> attachments;
  std::string_view html;                 // the first HTML part as UTF-8, or ""
  const mail::PartTable* parts = nullptr;
  std::string_view client_name;          // the confirmed reverse name of who gave us the message, or ""
  bool author_proven = false;            // From's domain was authenticated (DMARC pass, or aligned SPF or DKIM)
};

// Distinct tokens in ascending order, at most kMostBayesTokens.  Any octets will do; the cost is bounded by
// the octets named above and the header's first 64 KiB.
//
// Of the header only fields that the author's side writes are read: Subject, From, Reply-To, To, Cc (their shape, not who),
// X-Mailer, User-Agent, Content-Type, Message-ID (its shape) and the presence of a few more.  What a receiving
// provider, a list or a filter adds (Received, Authentication-Results, ARC-*, DKIM-Signature, List-*, X-MS-*, ...) tells where
// a mail was collected, never what it is: no token comes from it.
std::vector<BayesToken> bayes_tokens(const BayesInput& input);

// The HTML that bayes_tokens() wants: of the first HTML leaf at most kBayesHtml octets as UTF-8, or "".
std::string bayes_html(std::string_view message, const mail::PartTable& parts);

}  // namespace postern::filters
