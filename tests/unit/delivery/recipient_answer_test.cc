// What hosts answer to RCPT, and what that means.
#include "gateway/delivery/recipient_answer.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"

using namespace postern;
using delivery::meaning_of;
using delivery::RecipientAnswer;
using smtp_client::Outcome;
using smtp_client::Reply;
using smtp_client::ReplyReader;
using smtp_client::Step;
using enum RecipientAnswer::Kind;

namespace {

Reply reply_of(std::string text) {
  ReplyReader reader;
  std::size_t used = 0;
  REQUIRE(reader.take(text + "\r\n", used) == ReplyReader::State::done);
  return reader.reply();
}

RecipientAnswer answer_to(Step step, std::string text) { return meaning_of(Outcome::said(step, reply_of(std::move(text)))); }

struct Said {
  const char* reply;
  RecipientAnswer::Kind means;
};

void check_all(const std::vector<Said>& table) {
  for (const auto& said : table) {
    INFO(said.reply);
    auto answer = answer_to(Step::rcpt, said.reply);
    CHECK(static_cast<int>(answer.kind) == static_cast<int>(said.means));
    CHECK(answer.words.empty() == (said.means == known));
  }
}

}  // namespace

TEST_CASE("a host that takes the recipient knows it") {
  check_all({{"250 2.1.5 Ok", known},
             {"250 ok", known},
             {"251 User not local; will forward to <ann@other.test>", known},
             {"252 Cannot verify, but will take it", known}});
}

TEST_CASE("the refusals of common servers for unknown recipients say unknown") {
  check_all({// Postfix
             {"550 5.1.1 <ann@corp.test>: Recipient address rejected: User unknown in relay recipient table", unknown},
             {"550 5.1.1 <ann@corp.test>: Recipient address rejected: User unknown in virtual mailbox table", unknown},
             {"550 5.1.1 <ann@corp.test>: Recipient address rejected: undeliverable address: host a[10.0.0.9] said: 550 no", unknown},
             {"550 <ann@corp.test>: Recipient address rejected: User unknown in relay recipient table", unknown},
             {"554 5.7.1 <ann@corp.test>: Recipient address rejected: User unknown", unknown},
             {"501 5.1.3 Bad recipient address syntax", unknown},
             // Exchange, and Exchange Online
             {"550 5.1.1 User unknown", unknown},
             {"550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ann@corp.test not found by SMTP address lookup", unknown},
             {"550 5.4.1 Recipient address rejected: Access denied. [AM4EUR03FT009.eop-EUR03.prod.protection.outlook.com]", unknown},
             {"550 5.4.1 [ann@corp.test]: Recipient address rejected: Access denied", unknown},
             {"550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", unknown},
             {"501 5.1.3 Invalid address", unknown},
             // Dovecot and Cyrus by LMTP, Zimbra
             {"550 5.1.1 <ann@corp.test> User doesn't exist: ann@corp.test", unknown},
             {"550-Mailbox unknown.  Either there is no mailbox associated with this\r\n"
              "550-name or you do not have authorization to see it.\r\n550 5.1.1 User unknown", unknown},
             {"550 5.1.1 <ann@corp.test>: Recipient address rejected: corp.test", unknown},
             // Exim, qmail, Sendmail, Domino, IronPort, Barracuda
             {"550 Unrouteable address", unknown},
             {"550 No Such User Here", unknown},
             {"550 sorry, no mailbox here by that name. (#5.1.1)", unknown},
             {"550 5.1.1 <ann@corp.test>... User unknown", unknown},
             {"550 ann@corp.test... No such user", unknown},
             {"550 #5.1.0 Address rejected.", unknown},
             {"550 permanent failure for one or more recipients (ann@corp.test:550 5.1.1 User unknown)", unknown},
             {"554 delivery error: No such user (ann@corp.test)", unknown}});
}

TEST_CASE("a refusal without a status says unknown when nothing in it is about us") {
  check_all({{"550", unknown},
             {"550 Requested action not taken: mailbox unavailable", unknown},
             {"550 5.0.0 Mailbox unavailable", unknown},
             {"550 5.2.0 Mailbox unavailable", unknown},
             {"551 User not local; please try <ann@other.test>", unknown},
             {"553 Requested action not taken: mailbox name not allowed", unknown},
             {"501 Syntax error in the address", unknown},
             {"550 <sender@relay.test> refused", unknown}});
}

TEST_CASE("statuses of the recipient say unknown") {
  check_all({{"550 5.1.0 Address rejected", unknown},
             {"550 5.1.4 Ambiguous", unknown},
             {"551 5.1.6 Moved away", unknown},
             {"556 5.1.10 Takes no mail", unknown},
             {"550 5.2.1 Mailbox disabled", unknown},
             {"554 5.1.1 Gone", unknown}});
}

TEST_CASE("a refusal of us says nothing of the recipient") {
  check_all({{"554 5.7.1 <ann@corp.test>: Relay access denied", unsure},
             {"554 5.7.1 <ann@corp.test>: Recipient address rejected: Access denied", unsure},
             {"554 5.7.1 <unknown[192.0.2.1]>: Client host rejected: Access denied", unsure},
             {"554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org", unsure},
             {"504 5.5.2 <gate>: Helo command rejected: need fully-qualified hostname", unsure},
             {"550 5.1.0 <x@y.test>: Sender address rejected: User unknown in local recipient table", unsure},
             {"550 5.1.2 <ann@corp.test>: Recipient address rejected: Domain not found", unsure},
             {"550 5.1.7 <>: Sender address rejected", unsure},
             {"553 5.1.8 Domain of sender address does not exist", unsure},
             {"550 5.7.1 Unable to relay", unsure},
             {"550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", unsure},
             {"550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", unsure},
             {"550 5.7.64 TenantAttribution; Relay Access Denied", unsure},
             {"550 5.4.1 Relay Access Denied", unsure},
             {"554 5.4.14 Hop count exceeded - possible mail loop", unsure},
             {"530 5.7.57 SMTP; Client was not authenticated to send anonymous mail", unsure},
             {"530 Authentication required", unsure},
             {"535 5.7.8 Authentication credentials invalid", unsure},
             {"550 relay not permitted", unsure},
             {"550 Administrative prohibition", unsure},
             {"550-JunkMail rejected - host is in an RBL:\r\n550 listed", unsure},
             {"550 Access denied", unsure},
             {"553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", unsure},
             {"553 sorry, not here (#5.7.1)", unsure},
             {"550 5.3.0 Rejected", unsure},
             {"552 5.3.4 Message too big for system", unsure},
             {"500 Command unrecognized", unsure},
             {"503 5.5.1 Need MAIL command", unsure},
             {"555 Parameters not recognized", unsure},
             {"521 Host does not accept mail", unsure},
             {"554 Transaction failed", unsure},
             {"571 Delivery not authorized", unsure}});
}

TEST_CASE("who has a full mailbox is known") {
  check_all({{"552 5.2.2 Over quota", known},
             {"552 5.2.2 <ann@corp.test> Quota exceeded (mailbox for user is full)", known},
             {"452 4.2.2 <ann@corp.test> Quota exceeded", known},
             {"450 4.2.2 Mailbox full", known},
             {"554 5.2.2 mailbox full", known},
             {"552 5.2.3 Message length exceeds the mailbox's limit", known},
             {"552 Requested mail action aborted: exceeded storage allocation", known},
             {"452 Mailbox is full", known},
             {"422 Over quota", known}});
}

TEST_CASE("a deferral says nothing") {
  check_all({{"450 4.2.0 <ann@corp.test>: Recipient address rejected: Greylisted", unsure},
             {"450 4.1.1 <ann@corp.test>: Recipient address rejected: unverified address: User unknown", unsure},
             {"451 4.3.0 <ann@corp.test> Temporary internal failure", unsure},
             {"451 Try again", unsure},
             {"452 4.3.1 Insufficient system resources", unsure},
             {"452 Requested action not taken: insufficient system storage", unsure},
             {"452 4.5.3 Too many recipients", unsure},
             {"454 4.7.1 Relay access denied", unsure},
             {"450 4.2.1 Receiving mail at too high a rate", unsure}});
}

TEST_CASE("no answer but the one to RCPT is about the recipient") {
  for (auto step : {Step::greeting, Step::hello, Step::starttls, Step::auth, Step::mail, Step::rset}) {
    for (const char* text : {"550 5.1.1 User unknown", "554 5.7.1 Go away", "552 5.2.2 Full", "450 later"}) {
      INFO(text);
      CHECK(answer_to(step, text).kind == unsure);
    }
  }
  CHECK(answer_to(Step::mail, "530 5.7.0 Login first").words == "530 5.7.0 Login first (in reply to MAIL FROM)");
}

TEST_CASE("what the network did is unsure, in our words") {
  for (auto kind : {Outcome::Kind::lost, Outcome::Kind::timed_out, Outcome::Kind::protocol_error, Outcome::Kind::tls_failed}) {
    auto answer = meaning_of(Outcome::ours(kind, Step::rcpt, "4.4.2", "no answer in time at RCPT TO"));
    CHECK(answer.kind == unsure);
    CHECK(answer.words == "no answer in time at RCPT TO");
  }
}

TEST_CASE("an address that the host cannot even be asked for is unknown there") {
  auto answer = meaning_of(Outcome::ours(Outcome::Kind::permanent, Step::mail, "5.6.7", "the address needs SMTPUTF8"));
  CHECK(answer.kind == unknown);
  CHECK(answer.words == "the address needs SMTPUTF8");
}

TEST_CASE("no address in DNS is nothing about the recipient") {
  CHECK(meaning_of(Outcome::ours(Outcome::Kind::permanent, Step::connect, "5.1.2", "no such domain")).kind == unsure);
}

TEST_CASE("a host's words become one line of ASCII of at most 200 octets") {
  CHECK(answer_to(Step::rcpt, "550-5.1.1 No such user\r\n550 5.1.1 J\xc3\xb6rg\tleft").words == "550 5.1.1 No such user J?rg left");
  auto longest = answer_to(Step::rcpt, "550 5.1.1 " + std::string(1'000, 'x')).words;
  CHECK(longest == "550 5.1.1 " + std::string(190, 'x'));
}
