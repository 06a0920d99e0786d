#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "filters/counters.h"
#include "filters/dns_lists.h"
#include "filters/facts.h"
#include "filters/lua/scan_cache.h"
#include "gateway/base/bytes.h"
#include "gateway/base/clock.h"
#include "gateway/dns/resolver.h"
#include "gateway/mail/headers.h"
#include "gateway/smtp/judge.h"

struct lua_State;

// What running rules see of one connection and its present message, and what they asked.
namespace postern::filters::lua {

class State;

// What a rule read from outside, kept with the message so that `replay` can answer from it.
class Record {
 public:
  enum class Section { fact, dns, count, recall, list, clock };
  // `json`: a JSON value.  The first answer to a question stays.
  void note(Section section, std::string_view key, std::string json);
  // {"dns":{...},"count":{...}}; sections without an entry are left out.
  std::string json() const;
  void clear();

 private:
  static constexpr std::size_t kMaxOctets = 64 * 1024;
  std::map<std::pair<Section, std::string>, std::string, std::less<>> entries_;
  std::size_t octets_ = 0;
};

// "text" with quotes and escapes; octets that are no UTF-8 become U+FFFD.
std::string json_text(std::string_view text);

// What all scenes of one judge share.  Everything outlives them.
struct Outside {
  dns::Resolver* resolver = nullptr;   // of this loop
  Counters* counters = nullptr;
  const Clock* clock = nullptr;
  DnsLists* lists = nullptr;
  const AskTroubles* sender_troubles = nullptr;
};

// What a handle in Lua points to: dies (scene == nullptr) with its message.
struct Handle {
  class Scene* scene = nullptr;
  std::size_t recipient = 0;
};

class Scene {
 public:
  explicit Scene(Outside outside) : outside_(outside) {}
  ~Scene() { release_all(); }
  Scene(const Scene&) = delete;

  // --- the connection
  smtp::Client client;
  std::unique_ptr<ConnectionEvidence> connection;
  const Reputation* reputation = nullptr;        // once known

  // --- the message
  smtp::Sender sender;
  std::vector<smtp::Recipient> recipients;
  std::unique_ptr<MessageEvidence> message;
  const Spf* spf = nullptr;                      // once known
  const Dkim* dkim = nullptr;
  const Dmarc* dmarc = nullptr;
  const Arc* arc = nullptr;
  const Virus* virus = nullptr;
  const Files* files = nullptr;
  bool has_body = false;                         // stages message, verdict and deliver
  mail::HeaderBlock header;
  std::string id;                                // of the message, or of the session before there is one
  std::string author;                            // the one address in From, as mail::author_of() gives it; "": none
  bool author_proved = false;                    // and it comes from there: DMARC, or SPF or a signature of its domain
  std::vector<bool> allowing;                    // recipients whose own lists want to hear that author; empty: nobody
  double score = 0;                              // what mail.score shows
  std::vector<smtp::Hit> hits;                   // what mail.hits shows
  int dns_questions = 0;                         // asked so far for this message
  Deadline stage_ends{};
  Deadline message_ends = Deadline::max();       // no stage of the message ends later
  Record record;

  const Outside& outside() const { return outside_; }
  ScanCache& scans() { return scans_; }
  Time now();                                    // noted as asked

  // Handles live in one state at a time; using another one kills those of the old.
  void use(std::shared_ptr<State> state);
  const std::shared_ptr<State>& state() const { return state_; }
  // Pushes nothing; gives the reference in the state's registry.  May raise an error of Lua on `lua`,
  // which is the state's thread that wants the handle.
  int connection_handle(lua_State* lua);
  int mail_handle(lua_State* lua);
  int header_handle(lua_State* lua);
  int recipient_handle(lua_State* lua, std::size_t index);
  // Recipients will be numbered anew.
  void release_recipients();
  // The message is over: handles to it raise a clear error from now on.
  void end_message();
  void release_all();

 private:
  struct Anchored {
    int reference = 0;
    Handle* handle = nullptr;
  };
  void release(Anchored& anchored);

  Outside outside_;
  std::shared_ptr<State> state_;
  Anchored connection_handle_;
  Anchored mail_handle_;
  Anchored header_handle_;
  std::vector<Anchored> recipient_handles_;
  ScanCache scans_;                              // of texts in state_
};

}  // namespace postern::filters::lua
