// What a submitted message must have.
#include "gateway/mail/submitted.h"

#include "tests/support/catch.h"

using namespace postern;
using namespace postern::mail;

TEST_CASE("the authors of a submitted message are those of From and Sender") {
  auto found = inspect_submitted("From: A <a@x.example>, team: b@x.example, \"c d\"@x.example;\r\nSENDER: e@x.example (Eve)\r\n\r\nFrom: f@x.example\r\n");
  CHECK(found.problem.empty());
  CHECK(found.authors == std::vector<std::string>{"a@x.example", "b@x.example", "c d@x.example", "e@x.example"});
  CHECK_FALSE(found.has_date);
  CHECK_FALSE(found.has_message_id);
}

TEST_CASE("what stands in the author's place and names nobody is told") {
  for (const auto* text : {"", "\r\ntext", "Subject: x\r\n\r\n", "From:\r\n\r\n", "From: undisclosed:;\r\n\r\n", "From: a@x\r\nFrom: a@x\r\n\r\n",
                           "From: a@x\r\nSender: a@x\r\nSender: a@x\r\n\r\n", "From: a@x\r\nSender:\r\n\r\n"}) {
    INFO(text);
    CHECK_FALSE(inspect_submitted(text).problem.empty());
  }
  std::string many = "From: a@x";
  for (int i = 0; i < 200; ++i) many += ", a@x";
  CHECK_FALSE(inspect_submitted(many + "\r\n\r\n").problem.empty());
  std::string fields;
  for (int i = 0; i < 11'000; ++i) fields += "X: y\r\n";
  CHECK_FALSE(inspect_submitted(fields + "From: a@x\r\n\r\n").problem.empty());
}

TEST_CASE("only what is missing is added") {
  Time when{};
  auto complete = inspect_submitted("From: a@x\r\ndate: today\r\nmessage-id: <1@x>\r\n\r\n");
  CHECK(missing_fields(complete, "ID", "mx.example", when).empty());
  auto bare = inspect_submitted("From: a@x\r\n\r\n");
  auto added = missing_fields(bare, "ID", "mx.example", when);
  CHECK(added.starts_with("Date: Thu,"));
  CHECK(added.ends_with("\r\nMessage-ID: <ID@mx.example>\r\n"));
}
