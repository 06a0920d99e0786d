// What a sender may ask of reports, and what is none.  RFC 3461 4.
#include "gateway/mail/dsn_request.h"

#include "tests/support/catch.h"

using namespace postern;
using mail::Notify;

TEST_CASE("NOTIFY is NEVER or a list, and comes back as it is said") {
  struct Case {
    const char* value;
    const char* text;   // "": no NOTIFY
  };
  for (auto [value, text] : {Case{"NEVER", "NEVER"}, Case{"never", "NEVER"}, Case{"SUCCESS", "SUCCESS"}, Case{"failure,delay", "FAILURE,DELAY"},
                             Case{"DELAY,SUCCESS,FAILURE", "SUCCESS,FAILURE,DELAY"}, Case{"SUCCESS,SUCCESS", "SUCCESS"}, Case{"", ""},
                             Case{"NEVER,FAILURE", ""}, Case{"SUCCESS,", ""}, Case{",SUCCESS", ""}, Case{"SUCCESS FAILURE", ""}, Case{"ALWAYS", ""}}) {
    INFO(value);
    auto notify = mail::parse_notify(value);
    CHECK(bool(notify) == (*text != '\0'));
    if (notify) CHECK(notify->text() == text);
  }
}

TEST_CASE("without NOTIFY a sender hears of failures and delays, and nothing is said to the next host") {
  Notify usual;
  CHECK(usual.failure);
  CHECK(usual.delay);
  CHECK_FALSE(usual.success);
  CHECK(usual.text() == "");
  CHECK(usual.without_success().text() == "");
}

TEST_CASE("what asked for success alone asks for nothing without it") {
  CHECK(mail::parse_notify("SUCCESS")->without_success().text() == "NEVER");
  CHECK(mail::parse_notify("SUCCESS,DELAY")->without_success().text() == "DELAY");
}

TEST_CASE("every wish survives its row") {
  for (const char* value : {"NEVER", "SUCCESS", "FAILURE", "DELAY", "SUCCESS,DELAY", "SUCCESS,FAILURE,DELAY"}) {
    auto notify = *mail::parse_notify(value);
    CHECK(notify.bits() < 16);
    CHECK(Notify::from_bits(notify.bits()) == notify);
  }
  CHECK(Notify::from_bits(Notify().bits()) == Notify());
}

TEST_CASE("an ENVID is xtext of what can be printed, at most 100 octets") {
  struct Case {
    std::string value;
    bool sound;
  };
  for (const auto& [value, sound] : {Case{"QQ314159", true}, Case{"a+20b+2B+3D", true}, Case{std::string(100, 'x'), true}, Case{"", false},
                                     Case{std::string(101, 'x'), false}, Case{"a=b", false}, Case{"a+2b", false}, Case{"a+2", false}, Case{"a+", false},
                                     Case{"a+0D+0Ab", false}, Case{"a+7F", false}, Case{"+C3+A9", false}, Case{"caf\xc3\xa9", false}, Case{"a b", false}}) {
    INFO(value);
    CHECK(bool(mail::check_envid(value)) == sound);
  }
}

TEST_CASE("an ORCPT is a type and an address in xtext, at most 500 octets") {
  struct Case {
    std::string value;
    bool plain, utf8;
  };
  for (const auto& [value, plain, utf8] :
       {Case{"rfc822;ann@example.org", true, true}, Case{"RFC822;ann+2Btag@example.org", true, true}, Case{"x400;/c=us/", false, false},
        Case{"x400;/c+3Dus/", true, true}, Case{"utf-8;caf\\x{E9}@example.org", true, true}, Case{"utf-8;caf\xc3\xa9@example.org", false, true},
        Case{"rfc822;caf\xc3\xa9@example.org", false, false}, Case{"utf-8;caf\xc3@example.org", false, false}, Case{"ann@example.org", false, false},
        Case{";ann@example.org", false, false}, Case{"rfc822;", false, false}, Case{"rf c;ann@x", false, false}, Case{"rfc822;a+0D+0Ab@x", false, false},
        Case{"rfc822;" + std::string(500, 'a'), true, true}, Case{"rfc822;" + std::string(501, 'a'), false, false},
        Case{std::string(41, 't') + ";a@b", false, false}}) {
    INFO(value);
    CHECK(bool(mail::check_orcpt(value, false)) == plain);
    CHECK(bool(mail::check_orcpt(value, true)) == utf8);
  }
}
