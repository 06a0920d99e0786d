#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "gateway/delivery/recipient_answer.h"
#include "gateway/delivery/recipient_memory.h"
#include "gateway/directory/ldap.h"
#include "gateway/io/signal.h"
#include "gateway/io/task.h"

namespace postern::delivery {

// Does the directory of a domain know a recipient?  From memory, or asked of it (recipients = "ldap").  What holds for
// RecipientCheck holds here: one for each loop; questions for one address that are under way together are one; who asks may
// be destroyed while it waits; this must live until the loop's tasks have ended.
class LdapCheck {
 public:
  // So long who asks waits.
  explicit LdapCheck(RecipientMemory& memory, std::chrono::milliseconds answer = std::chrono::seconds(30)) : memory_(memory), answer_(answer) {}
  LdapCheck(const LdapCheck&) = delete;

  // `address` is "local@domain"; upper case is asked as lower case.  When the directory says neither yes nor no, and no yes
  // of the last 31 days is remembered, the answer is unsure.
  io::Task<RecipientAnswer> ask(std::shared_ptr<directory::Ldap> directory, std::string address);

 private:
  using Question = io::Promised<RecipientAnswer>;
  using Name = std::pair<std::string, std::string>;   // of the directory, and the address
  std::shared_ptr<Question> question_of(std::shared_ptr<directory::Ldap> directory, std::string address);
  io::Task<void> put(std::shared_ptr<directory::Ldap> directory, Name name, std::shared_ptr<Question> question);
  io::Task<RecipientAnswer> hear(std::shared_ptr<Question> question);

  RecipientMemory& memory_;
  std::chrono::milliseconds answer_;
  std::map<Name, std::shared_ptr<Question>> open_;
};

}  // namespace postern::delivery
