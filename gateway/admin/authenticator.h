#pragma once

#include "gateway/directory/logins.h"
#include "gateway/imap/services.h"

namespace postern::admin {

// IMAP's question answered by the directory's logins.
class Authenticator : public imap::Authenticator {
 public:
  explicit Authenticator(directory::Logins& logins) : logins_(logins) {}
  io::Task<imap::LoginResult> check(imap::LoginAttempt attempt) override;

 private:
  directory::Logins& logins_;
};

}  // namespace postern::admin
