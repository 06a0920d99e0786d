// Entries of users' lists, and the author that they speak of.
#include "gateway/mail/sender_list.h"

#include "tests/support/catch.h"

using namespace postern;
using namespace postern::mail;

TEST_CASE("an entry is kept as it is compared") {
  struct {
    const char* given;
    const char* kept;   // "": refused
  } cases[] = {
      {"Ann@Example.ORG", "ann@example.org"},  {" ann@example.org ", "ann@example.org"}, {"example.org", "@example.org"},
      {"@Example.org", "@example.org"},        {"b\xc3\xbc" "cher.example", "@xn--bcher-kva.example"},
      {"\"a b\"@example.org", "\"a b\"@example.org"},
      {"", ""}, {"@", ""}, {"localhost", ""}, {"a b@example.org", ""}, {"ann@", ""}, {"a@b@example.org", ""}, {"*@example.org\r\nX: y", ""},
  };
  for (const auto& c : cases) {
    INFO(c.given);
    CHECK(sender_entry(c.given).value_or("") == c.kept);
  }
}

TEST_CASE("the address counts more than its domain, and a domain not for those below it") {
  SenderList list{{"@example.org", SenderWord::block}, {"ann@example.org", SenderWord::allow}};
  REQUIRE(find_sender(list, "ann@example.org"));
  CHECK(find_sender(list, "ann@example.org")->second == SenderWord::allow);
  REQUIRE(find_sender(list, "bob@example.org"));
  CHECK(find_sender(list, "bob@example.org")->first == "@example.org");
  CHECK(find_sender(list, "bob@mail.example.org") == nullptr);
  CHECK(find_sender(list, "") == nullptr);
  CHECK(find_sender(list, "example.org") == nullptr);
}

TEST_CASE("an author is one address") {
  struct {
    const char* from;
    const char* author;
  } cases[] = {
      {" Ann <Ann@Example.org>", "ann@example.org"},
      {" \"real@bank.example\" <ann@example.org>", "ann@example.org"},
      {" ann@example.org (Ann)", "ann@example.org"},
      {" team: ann@example.org;", "ann@example.org"},
      {" ann@example.org, bob@example.org", ""},
      {" a@example.org, b@example.org, c@example.org, d@example.org", ""},
      {" ann", ""}, {" <>", ""}, {"", ""}, {" undisclosed:;", ""},
  };
  for (const auto& c : cases) {
    INFO(c.from);
    CHECK(author_of(c.from) == c.author);
  }
}
