// What is signed, and that another library verifies it: libopendkim by our own verifier.
#include "gateway/signing/signature.h"

#include <algorithm>

#include "filters/dkim.h"
#include "gateway/base/text.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "gateway/mail/headers.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::signing;

namespace {

const Time kNow = from_unix(1'795'492'742);
const char* kHeader = "From: Alice <alice@corp.example>\r\nTo: bob@example.net\r\nSubject: hi\r\nDate: Tue, 24 Nov 2026 03:59:02 +0000\r\n";

struct World {
  Keys keys;
  dns::FixedResolver resolver;
  io::Loop loop;

  World() {
    for (auto [selector, algorithm] : {std::pair("r", Algorithm::rsa), std::pair("e", Algorithm::ed25519)}) {
      auto made = make_key("corp.example", selector, algorithm, kNow);
      REQUIRE(made);
      REQUIRE(resolver.zone().add(made->record_name(), "TXT", made->record_text()));
      keys.push_back(std::move(*made));
    }
  }
  std::string sign(const std::string& message) {
    auto fields = signatures_of(message, {&keys[0], &keys[1]}, kNow);
    REQUIRE(fields);
    return *fields;
  }
  // "pass pass", or what went wrong.
  std::string verified(const std::string& message) {
    auto found = loop.block_on(filters::verify_dkim(Octets(message), resolver, nullptr, kNow, in(std::chrono::seconds(60))));
    std::string out;
    for (const auto& each : found.signatures) {
      bool pass = each.result == filters::DkimResult::pass;
      out += (out.empty() ? "" : " ") + std::string(pass ? "pass" : each.problem);
    }
    return out;
  }
  std::string signed_and_verified(const std::string& message) { return verified(sign(message) + message); }
};

// The value of a tag of the first signature, without folding.
std::string tag(const std::string& fields, std::string_view name) {
  mail::HeaderBlock header(fields);
  auto value = mail::unfolded(header.fields().at(0).raw);
  for (auto part : split(value, ';')) {
    auto text = trimmed(part);
    if (!text.starts_with(std::string(name) + "=")) continue;
    std::string out(text.substr(name.size() + 1));
    std::erase_if(out, is_wsp);
    return out;
  }
  return "(none)";
}

std::size_t count_in(const std::string& list, std::string_view name) {
  auto names = split(list, ':');
  return static_cast<std::size_t>(std::count_if(names.begin(), names.end(), [&](std::string_view each) { return iequals(each, name); }));
}

}  // namespace

TEST_CASE("libopendkim verifies both signatures of every kind of message") {
  World w;
  std::string long_line(20'000, 'x');
  for (const auto& message : std::vector<std::string>{
           std::string(kHeader) + "\r\nbody\r\n",
           std::string(kHeader) + "\r\n",
           std::string(kHeader),                                          // not even an empty line
           std::string(kHeader) + "\r\n\r\n\r\n\r\n",
           std::string(kHeader) + "\r\n \t\r\n \r\n",
           std::string(kHeader) + "\r\nno line end",
           std::string(kHeader) + "\r\ntrailing \t\r\n  leading\r\nin \t between\r\n\r\n\r\n",
           std::string(kHeader) + "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nTi\xe1\xba\xbfng Vi\xe1\xbb\x87t\r\n\xff\xfe\r\n",
           std::string(kHeader) + "\r\n" + long_line + "\r\n",
           std::string(kHeader) + "\r\n.\r\n..dots\r\n",
           "Subject: =?utf-8?q?folded?=\r\n =?utf-8?q?_twice?=\r\n\t and  wide\r\n" "From: alice@corp.example\r\n\r\nbody\r\n",
           std::string(kHeader) + "To: carol@example.net\r\nTo: dave@example.net\r\nCc:\r\nReferences: <a@b>\r\n <c@d>\r\n\r\nbody\r\n",
           "FROM : Alice <alice@corp.example>\r\nsubject:hi\r\n\r\nbody\r\n",
           std::string(kHeader) + "List-Id: <l.corp.example>\r\nList-Unsubscribe: <https://corp.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\nbody\r\n"}) {
    INFO(message.substr(0, 500));
    CHECK(w.signed_and_verified(message) == "pass pass");
  }
}

TEST_CASE("a field that somebody adds, changes or takes away breaks the signature") {
  World w;
  std::string message = std::string(kHeader) + "\r\nbody\r\n";
  auto fields = w.sign(message);
  std::string broken = "the signature does not fit the header and the key the signature does not fit the header and the key";
  for (auto name : {"From: mallory@evil.example", "To: x@y", "Cc: x@y", "Subject: other", "Date: Tue, 24 Nov 2026 03:59:03 +0000", "Message-ID: <x@y>",
                    "Reply-To: mallory@evil.example", "In-Reply-To: <x@y>", "References: <x@y>", "MIME-Version: 1.0",
                    "Content-Type: text/html", "Content-Transfer-Encoding: base64"}) {
    INFO(name);
    CHECK(w.verified(fields + name + "\r\n" + message) == broken);   // on top, where readers look
    CHECK(w.verified(fields + std::string(kHeader) + name + "\r\n\r\nbody\r\n") == broken);
  }
  CHECK(w.verified(fields + "Received: by somebody\r\nX-Any: thing\r\nList-Id: <l>\r\n" + message) == "pass pass");   // a list may
  CHECK(w.verified(fields + std::string(kHeader) + "\r\nbody!\r\n") == "the body was changed the body was changed");
}

TEST_CASE("fields of lists are sealed where they are") {
  World w;
  std::string message = std::string(kHeader) + "List-Unsubscribe: <https://corp.example/u>\r\n\r\nbody\r\n";
  auto fields = w.sign(message);
  CHECK(count_in(tag(fields, "h"), "List-Unsubscribe") == 2);
  CHECK(count_in(tag(fields, "h"), "List-Id") == 0);
  CHECK(w.verified(fields + "List-Unsubscribe: <https://evil.example>\r\n" + message).find("pass") == std::string::npos);
}

TEST_CASE("the tags are those that were decided on") {
  World w;
  auto fields = w.sign(std::string(kHeader) + "To: carol@example.net\r\n\r\nbody\r\n");
  CHECK(tag(fields, "v") == "1");
  CHECK(fields.starts_with("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=corp.example; s=r;"));
  CHECK(fields.find("a=ed25519-sha256") != std::string::npos);
  CHECK(tag(fields, "t") == "1795492742");
  for (auto absent : {"l", "x", "i", "q", "z"}) CHECK(tag(fields, absent) == "(none)");
  CHECK(count_in(tag(fields, "h"), "From") == 2);
  CHECK(count_in(tag(fields, "h"), "To") == 3);
  CHECK(count_in(tag(fields, "h"), "Cc") == 1);
  CHECK(count_in(tag(fields, "h"), "Received") == 0);
  for (auto line : split(fields, '\n')) CHECK(line.size() <= 79);   // with its CR
}

TEST_CASE("a header that nobody could verify is not signed") {
  World w;
  std::string many;
  for (int i = 0; i < 400; ++i) many += "To: user" + std::to_string(i) + "@example.net\r\n";
  CHECK_FALSE(signatures_of(kHeader + many + "\r\nbody\r\n", {&w.keys[1]}, kNow));
  CHECK_FALSE(signatures_of(kHeader + ("Cc: " + std::string(70'000, 'x')) + "\r\n\r\nbody\r\n", {&w.keys[1]}, kNow));
}

TEST_CASE("the author's domain is the one address's of the one From field") {
  struct Case {
    const char* header;
    const char* domain;   // "": none
  };
  for (const auto& c : {Case{"From: Alice <alice@Corp.Example>\r\n", "corp.example"}, Case{"from:alice@corp.example\r\n", "corp.example"},
                        Case{"From: \"a@evil.example\" <alice@corp.example>\r\n", "corp.example"},
                        Case{"From: alice@b\xc3\xbc" "cher.example\r\n", "xn--bcher-kva.example"},
                        Case{"From: a@corp.example\r\nFrom: b@corp.example\r\n", ""}, Case{"To: a@corp.example\r\n", ""}, Case{"From:\r\n", ""},
                        Case{"From: nobody\r\n", ""}, Case{"From: undisclosed:;\r\n", ""}, Case{"From: a@\r\n", ""}}) {
    INFO(c.header);
    auto found = author_domains(std::string(c.header) + "\r\nFrom: body@evil.example\r\n");
    CHECK((found ? found->at(0) : "") == c.domain);
  }
  CHECK(author_domains("From: a@one.example, b@two.example, c@one.example\r\n\r\n").value() == std::vector<std::string>{"one.example", "two.example"});
}

TEST_CASE("a field that verifiers read in different ways is not signed, and the reason is given") {
  World w;
  for (std::string from : {"From : \fD <a@corp.example>", "From: D\v E <a@corp.example>", "From: a@corp.example\f"}) {
    auto fields = signatures_of(from + "\r\n\r\nbody\r\n", {&w.keys[1]}, kNow);
    REQUIRE_FALSE(fields);
    CHECK(fields.error().text == "the field From holds a form feed or a vertical tab");
  }
  // In a field that nobody signs it does no harm.
  CHECK(w.signed_and_verified(std::string(kHeader) + "X-Note: a\fb\r\n\r\nbody\r\n") == "pass pass");
}
