#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "gateway/config/config.h"

struct ldap;   // libldap's, which only the .cc knows

namespace postern::directory {

// What came of a question to an LDAP server.
struct LdapOutcome {
  enum class Kind {
    done,      // a search: `entries` and `dn`; a bind: the password is right
    refused,   // a bind: it is not, or its owner may not log in now
    failed,    // the server answers, but not this question: our configuration, or its rights
    down       // no connection, or no answer in time: another server may do better
  };
  Kind kind = Kind::down;
  std::size_t entries = 0;   // that were found, as far as they were counted
  std::string dn;            // of the first
  std::string words;         // of all but done, and what the server said of a refusal; printable
};

// A connection to one server; blocks for up to the directory's timeout at each step: for a worker's thread, one at a time.
//
// What the machine's ldap.conf and the environment say of TLS, time and referrals does not count here.  Referrals are not followed: who
// sends us elsewhere would get our password.
class LdapConnection {
 public:
  // `url` is one of `settings.urls`; both are copied.
  LdapConnection(config::Ldap settings, std::string url) : settings_(std::move(settings)), url_(std::move(url)) {}

  // With TLS as the settings want it; `as_ourselves`: and a bind with their bind_dn, if they have one.
  LdapOutcome open(bool as_ourselves);
  // Below the settings' base; no more entries than `most` are asked for.
  LdapOutcome search(const std::string& filter, int most);
  // The connection is then nobody's, whatever comes of it: good for the next bind only.  Neither `dn` nor `password` may be
  // empty: without a password a server says yes to anybody (RFC 4513 5.1.2).
  LdapOutcome bind(const std::string& dn, const std::string& password);

  const std::string& url() const { return url_; }

 private:
  struct Unbind {
    void operator()(::ldap* handle) const;
  };
  int set_options();
  LdapOutcome encrypt();
  LdapOutcome outcome_of(int code) const;
  std::string words_of(int code) const;

  config::Ldap settings_;
  std::string url_;
  std::unique_ptr<::ldap, Unbind> handle_;
};

}  // namespace postern::directory
