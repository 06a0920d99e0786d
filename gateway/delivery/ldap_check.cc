// Recipients that a directory knows: RFC 4511 is directory/ldap's affair, here is what the answer means for RCPT.
#include "gateway/delivery/ldap_check.h"

#include "gateway/base/text.h"
#include "gateway/io/errors.h"
#include "gateway/io/loop.h"

namespace postern::delivery {
namespace {

using Kind = RecipientAnswer::Kind;
using Said = directory::LdapAnswer::Kind;

RecipientAnswer made(Kind kind, std::string_view words) {
  RecipientAnswer out;
  out.kind = kind;
  out.words = printable(words, kMaxRecipientWords - 3);
  return out;
}

RecipientAnswer meaning_of(const directory::LdapAnswer& answer) {
  if (answer.kind == Said::yes) return made(Kind::known, "");
  return made(answer.kind == Said::no ? Kind::unknown : Kind::unsure, answer.words);
}

}  // namespace

io::Task<RecipientAnswer> LdapCheck::ask(std::shared_ptr<directory::Ldap> directory, std::string address) {
  using Recalled = RecipientMemory::Recalled;
  address = ascii_lowered(address);
  auto recalled = memory_.recall(directory->key(), address);
  RecipientAnswer answer;
  if (recalled.kind == Recalled::Kind::known) co_return made(Kind::known, "");
  if (recalled.kind == Recalled::Kind::unknown) co_return made(Kind::unknown, recalled.words);
  auto question = question_of(std::move(directory), std::move(address));
  answer = co_await hear(std::move(question));
  // A directory that is away must not make its old users strangers.
  if (answer.kind == Kind::unsure && recalled.kind == Recalled::Kind::stale) answer = made(Kind::known, "");
  co_return answer;
}

std::shared_ptr<LdapCheck::Question> LdapCheck::question_of(std::shared_ptr<directory::Ldap> directory, std::string address) {
  Name name(directory->key(), std::move(address));
  auto& open = open_[name];
  if (open != nullptr) return open;
  auto question = open = std::make_shared<Question>();
  auto done = [this, name, question] {
    open_.erase(name);
    question->set(made(Kind::unsure, "the question was given up"));   // unless it was answered
  };
  io::Loop::current().spawn(put(std::move(directory), name, question), "ldap", std::move(done));
  return question;
}

io::Task<void> LdapCheck::put(std::shared_ptr<directory::Ldap> directory, Name name, std::shared_ptr<Question> question) {
  auto said = co_await directory->find(name.second);
  auto answer = meaning_of(said);
  if (answer.kind == Kind::known) memory_.note_known(name.first, name.second);
  if (answer.kind == Kind::unknown) memory_.note_unknown(name.first, name.second, answer.words);
  question->set(std::move(answer));
}

io::Task<RecipientAnswer> LdapCheck::hear(std::shared_ptr<Question> question) {
  RecipientAnswer out;
  try {
    const RecipientAnswer* answer = co_await question->get(in(answer_));
    out = *answer;
  } catch (const io::TimedOut&) {   // the question goes on, and the memory may have it for the next who asks
    out = made(Kind::unsure, "no answer in time");
  }
  co_return out;
}

}  // namespace postern::delivery
