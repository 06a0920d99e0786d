#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"
#include "gateway/base/ip.h"
#include "gateway/io/task.h"
#include "gateway/smtp/judge.h"

// The facts about a connection and a message.  Each has an error case of its own, so that a rule
// must face it.  Values are plain; who computes them is behind Evidence.
namespace postern::filters {

// RFC 7208 2.6
enum class SpfResult { none, neutral, pass, fail, softfail, temperror, permerror };
struct Spf {
  SpfResult result = SpfResult::none;
  std::string domain;        // the domain that was checked
  std::string explanation;   // RFC 7208 6.2, only for fail and only if the domain gives one
  std::string problem;       // why temperror or permerror, in words
  std::string mechanism;     // the directive that matched, e.g. "ip4:192.0.2.0/24"
  bool libspf2_differs = false;
};

// RFC 8601 2.7.1
enum class DkimResult { none, pass, fail, policy, neutral, temperror, permerror };
struct DkimSignature {
  DkimResult result = DkimResult::none;
  std::string domain;        // d=
  std::string selector;      // s=
  std::string identity;      // i=
  std::string algorithm;     // "rsa-sha256", "ed25519-sha256"
  int bits = 0;
  std::string problem;       // why not pass, in words
  std::string b_prefix;      // first octets of b=, RFC 6008
};
struct Dkim {
  std::vector<DkimSignature> signatures;   // in the order of the fields, at most the cap
  bool temporary() const;    // no pass, and a key could not be fetched
};

// RFC 7489
enum class DmarcResult { none, pass, fail, temperror, permerror };
enum class DmarcPolicy { none, quarantine, reject };
struct Dmarc {
  DmarcResult result = DmarcResult::none;
  DmarcPolicy policy = DmarcPolicy::none;  // of fail, or what temperror may turn out to be: sp and pct are in it
  DmarcPolicy published = DmarcPolicy::none;
  std::string domain;        // RFC5322.From domain
  std::string record_domain; // where the record was found; empty: there is none, it could not be had, or From is at fault
  bool spf_aligned = false;
  bool dkim_aligned = false;
  bool strict_spf = false;   // the record's aspf and adkim
  bool strict_dkim = false;
  bool only_author = true;   // From names one domain
  std::string problem;
};

struct Arc;                  // RFC 8617: filters/arc.h
struct MessageSigns;

struct Virus {
  // limit: the message itself is too much to look through (a bomb, parts too deep, it takes too long or costs
  // scanner after scanner); no retry helps.
  enum class State { off, clean, found, limit, error } state = State::off;
  std::string name;          // of the signature, when found
  std::string problem;       // why not scanned, when limit or error
};

// What went wrong in the last 24 hours with the mail of a user of ours.
struct SenderTroubles {
  std::uint64_t held = 0;        // messages that the rules held, refused or called spam
  std::uint64_t bounces = 0;     // addresses elsewhere that there are not
  std::uint64_t complaints = 0;  // by readers
};
using AskTroubles = std::function<SenderTroubles(const std::string& login)>;   // any thread

// Who the client's address says it is.
struct Reputation {
  std::string name;          // forward-confirmed reverse name (RFC 8601 3), or empty
  enum class Reverse { confirmed, unconfirmed, none, temperror } reverse = Reverse::none;
  std::string ptr;           // the first reverse name, confirmed or not
};

struct Link {
  std::string url;
  std::string host;
  std::string text;          // what is shown, for HTML links
  std::string domain = {};   // registrable domain of the host, or empty
  std::vector<std::string_view> signs = {};   // what is odd about it: words of filters/link_signs.h, which live for ever
  bool inside = false;       // not a link of its own: it stands inside of another one, that leads on to it
};

struct Attachment {
  std::string name;          // decoded file name, or empty
  std::string type;          // declared, "application/pdf"
  std::uint64_t size = 0;    // decoded octets
};

// What an attachment really is, and what lies in it.
struct File {
  std::string name;          // decoded file name, or empty
  std::string type;          // declared, "application/pdf"
  std::uint64_t size = 0;    // octets
  std::string kind;          // what its octets are, a word of filters/file_type.h: "pdf"; "unknown"
  // What is odd about it and about what lies in it: a word of filters/attachment_sign.h, and a detail for people.
  std::vector<std::pair<std::string, std::string>> signs;
  std::vector<std::string> inside;   // names of what lies in it, at any depth
  std::vector<std::string> links;    // in documents and pages
  std::string problem;       // why not all of it was looked at: a password, a bound, damage, a format
};

struct Files {
  std::vector<File> all;
  std::string problem;       // why they could not be looked at; then `all` says nothing
};

// What a message holds, decoded.
struct Content {
  std::string text;          // readable text, UTF-8, bounded
  std::vector<Link> links;
  std::vector<Attachment> attachments;
  bool opaque = false;       // larger than any proper message in something that we bound: readers may see what these do not show
  std::string problem;       // why it could not be decoded, or ""; then the rest says nothing
};

std::string_view name(SpfResult result);
std::string_view name(DkimResult result);
std::string_view name(DmarcResult result);
std::string_view name(DmarcPolicy policy);

// Facts of one connection.  Each is computed once, on first wait; a task may be awaited by many
// rules at once.  Pointers live as long as the Evidence.
class ConnectionEvidence {
 public:
  virtual ~ConnectionEvidence() = default;
  virtual io::Task<const Reputation*> reputation() = 0;
};

// Facts of one message; the same contract.
class MessageEvidence {
 public:
  virtual ~MessageEvidence() = default;
  // Starts at once what waits for DNS, and the scan if that is wanted, so that all run in parallel.
  // Optional: each also starts when it is first waited for.
  virtual void start(bool scan) { static_cast<void>(scan); }
  virtual io::Task<const Spf*> spf() = 0;
  virtual io::Task<const Dkim*> dkim() = 0;
  virtual io::Task<const Dmarc*> dmarc() = 0;
  virtual io::Task<const Arc*> arc() = 0;
  virtual io::Task<const Virus*> virus() = 0;
  virtual io::Task<const Files*> files() = 0;
  virtual const Octets& octets() const = 0;                 // as received
  // A small message is decoded when this is first asked for.  nullptr: a large one, which decode() has to be
  // awaited for; from then on it is there.
  virtual const Content* content() = 0;
  virtual io::Task<void> decode() = 0;
  // What may be odd about header and text (filters/message_signs.h), as content(): found when it is first asked for,
  // nullptr of a large message until find_signs() was awaited.  Only once content() is there without a problem.
  virtual const MessageSigns* signs() = 0;
  virtual io::Task<void> find_signs() = 0;
};

// How a message came, beside client and sender.
struct Arrival {
  std::vector<std::string> recipients;   // of the envelope; empty: not known
  std::optional<Time> when;
};

// Makes evidence; the judge holds one.  `client` as known at that moment.
class EvidenceSource {
 public:
  virtual ~EvidenceSource() = default;
  virtual std::unique_ptr<ConnectionEvidence> connection(const smtp::Client& client) = 0;
  // SPF may be asked for before the body is there (stage mail); then `received` is empty and only
  // spf() may be called.
  virtual std::unique_ptr<MessageEvidence> message(const smtp::Client& client, const smtp::Sender& sender,
                                                   Octets received, Arrival arrival = {}) = 0;
};

}  // namespace postern::filters
