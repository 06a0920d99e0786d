// Tokens of a message for Bayes: which there are, how many, and what is no token.
#include "filters/bayes_tokens.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "filters/bayes_collect.h"
#include "filters/content.h"
#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;

namespace {

std::set<BayesToken> of_input(const BayesInput& input) {
  auto tokens = bayes_tokens(input);
  CHECK(std::is_sorted(tokens.begin(), tokens.end()));
  return {tokens.begin(), tokens.end()};
}

std::set<BayesToken> of_header(std::string_view header) {
  BayesInput input;
  input.header = header;
  return of_input(input);
}

std::set<BayesToken> of_text(std::string_view text) {
  BayesInput input;
  input.text = text;
  return of_input(input);
}

std::array<std::size_t, kBayesKinds> kinds(const std::set<BayesToken>& tokens) {
  std::array<std::size_t, kBayesKinds> out{};
  for (auto token : tokens) ++out[static_cast<std::size_t>(kind_of(token))];
  return out;
}
std::size_t of_kind(const std::set<BayesToken>& tokens, BayesKind kind) { return kinds(tokens)[static_cast<std::size_t>(kind)]; }

// Tokens of `a` that `b` has not.
std::size_t beyond(const std::set<BayesToken>& a, const std::set<BayesToken>& b) {
  return static_cast<std::size_t>(std::count_if(a.begin(), a.end(), [&](BayesToken token) { return !b.contains(token); }));
}

std::string random_words(std::size_t count, unsigned seed) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    for (int letter = 0; letter < 6; ++letter) {
      seed = seed * 1103515245U + 12345U;
      out += static_cast<char>('a' + (seed >> 16) % 26);
    }
    out += ' ';
  }
  return out;
}

}  // namespace

TEST_CASE("an empty message has tokens that say so, and no more") {
  auto tokens = of_input({});
  CHECK(tokens.size() < 20);
  CHECK(of_kind(tokens, BayesKind::word) == 0);
  CHECK(!tokens.contains(0));
}

TEST_CASE("words, pairs and pairs across one word are tokens") {
  auto tokens = of_text("buy cheap watches");
  CHECK(of_kind(tokens, BayesKind::word) == 3);
  CHECK(of_kind(tokens, BayesKind::pair) == 3);
  CHECK(of_kind(of_text("buy buy buy buy"), BayesKind::word) == 1);
  // Order matters for pairs alone.
  auto turned = of_text("watches cheap buy");
  CHECK(of_kind(turned, BayesKind::word) == 3);
  CHECK(beyond(tokens, turned) == 3);
}

TEST_CASE("what was meant by a disguised word is the plain word's token") {
  auto plain = of_text("viagra"), disguised = of_text("v1agra"), spaced = of_text("V I A G R A");
  auto word = [](const std::set<BayesToken>& tokens) { return *tokens.begin(); };
  REQUIRE(kind_of(word(plain)) == BayesKind::word);
  CHECK(disguised.contains(word(plain)));
  CHECK(spaced.contains(word(plain)));
  CHECK(beyond(disguised, plain) >= 2);   // the disguised word, and that it was disguised
}

TEST_CASE("letters with marks have one spelling") {
  CHECK(of_text("Tie\u0302\u0301ng Vie\u0323\u0302t") == of_text("Ti\u1ebfng Vi\u1ec7t"));
}

TEST_CASE("what receivers and lists write is no token") {
  const std::string mail = "From: a@example.org\r\nSubject: hello world\r\n";
  const char* added[] = {
      "Received: from x.example (x.example [192.0.2.1]) by y.example\r\n", "Received-SPF: pass\r\n", "Authentication-Results: mx; spf=pass\r\n",
      "ARC-Seal: i=1; a=rsa-sha256\r\n", "DKIM-Signature: v=1; d=example.org\r\n", "List-Id: <l.example.org>\r\n", "List-Unsubscribe: <mailto:u@example>\r\n",
      "Precedence: list\r\n", "X-MS-Exchange-Organization-SCL: 9\r\n", "X-Microsoft-Antispam: BCL:0\r\n", "X-Sender-IP: 192.0.2.1\r\n", "X-Original-To: me@example\r\n",
      "Delivered-To: me@example\r\n", "Return-Path: <x@example>\r\n", "X-Spam-Status: Yes\r\n", "X-Mailman-Version: 2\r\n", "Errors-To: x@example\r\n",
      "X-BeenThere: x@example\r\n", "X-Message-Info: abc\r\n", "X-AntiAbuse: yes\r\n", "Message-ID-Hash: ABC\r\n"};
  auto plain = of_header(mail);
  for (const char* field : added) {
    CAPTURE(field);
    CHECK(of_header(field + mail) == plain);
  }
}

TEST_CASE("who reads is no token, how many read is") {
  CHECK(of_header("To: alice@example.org\r\n") == of_header("To: Bob <bob@other.example>\r\n"));
  CHECK(of_header("To: alice@example.org\r\n") != of_header("To: undisclosed-recipients:;\r\n"));
  CHECK(of_header("To: a@example.org, b@example.org\r\n") != of_header("To: a@example.org\r\n"));
}

TEST_CASE("the author's name is one thing when proven and another when claimed") {
  BayesInput input;
  input.header = "From: Bank <news@bank.example>\r\n";
  auto claimed = of_input(input);
  input.author_proven = true;
  auto proven = of_input(input);
  CHECK(beyond(proven, claimed) == 1);
  CHECK(beyond(claimed, proven) == 1);
}

TEST_CASE("what the author's program says of itself is of the kind that is never a credit") {
  auto plain = of_header("From: a@example.org\r\n");
  auto dressed = of_header("From: a@example.org\r\nX-Mailer: The Bat! (v3.0)\r\nMessage-ID: <20020822.ab@example.org>\r\nIn-Reply-To: <x@y>\r\n"
                           "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n");
  CHECK(beyond(dressed, plain) > 5);
  for (auto token : dressed) {
    if (!plain.contains(token)) CHECK(kind_of(token) == BayesKind::claim);
  }
}

TEST_CASE("links give host, registrable domain and words of the path") {
  BayesInput input;
  std::vector<Link> links = {{"http://pay.bank.example.co.uk/secure/login.php?id=1", "pay.bank.example.co.uk", "here"}};
  input.links = links;
  auto tokens = of_input(input);
  CHECK(of_kind(tokens, BayesKind::link) >= 6);
  std::vector<Link> other = {{"http://www.bank.example.co.uk/", "www.bank.example.co.uk", ""}};
  input.links = other;
  auto same_domain = of_input(input);
  CHECK(std::any_of(tokens.begin(), tokens.end(), [&](BayesToken t) { return kind_of(t) == BayesKind::link && same_domain.contains(t); }));
  std::vector<Link> strange = {{"", "", ""}, {"mailto:a@b.example", "", "x"}, {"http://192.0.2.7/x", "192.0.2.7", ""}, {"x", "x", "x"}};
  input.links = strange;
  CHECK(!of_input(input).empty());
}

TEST_CASE("how HTML hides and where its pictures come from are tokens") {
  BayesInput input;
  input.html = "<p>hello</p>";
  auto plain = of_input(input);
  input.html = "<p style='DISPLAY : none'>hello</p><img src=\"http://x.example/a.gif\" width=1 height=1>vi<b></b>agra<!-- x -->";
  auto hidden = of_input(input);
  CHECK(beyond(hidden, plain) >= 6);
  for (auto token : hidden) CHECK((plain.contains(token) || kind_of(token) == BayesKind::shape));
  const char* broken[] = {"<", "<a", "<a href", "<a href=", "<a href='", "<!--", "<a ='x'>", "<p style=\":;:;\">", "<img src=>"};
  for (const char* html : broken) {
    input.html = html;
    CHECK(!of_input(input).empty());
  }
}

TEST_CASE("attachments' names and types are tokens") {
  BayesInput input;
  std::vector<Attachment> attachments = {{"Invoice 2024.pdf.exe", "application/pdf", 10}};
  input.attachments = attachments;
  auto tokens = of_input(input);
  CHECK(of_kind(tokens, BayesKind::shape) >= 4);
  CHECK(beyond(tokens, of_input({})) >= 4);
}

TEST_CASE("a long list of words leaves what stands elsewhere in its place") {
  BayesInput input;
  input.header = "From: x <a@spam.example>\r\nSubject: win a prize now\r\n";
  std::vector<Link> links = {{"http://prize.example/claim", "prize.example", "claim"}};
  input.links = links;
  input.html = "<font color=red>";
  const std::string pitch = "claim your prize money today before it is gone";
  input.text = pitch;
  auto alone = of_input(input);
  for (const std::string& text : {pitch + " " + random_words(200'000, 1), random_words(200'000, 1) + " " + pitch}) {
    input.text = text;
    auto drowned = of_input(input);
    CHECK(drowned.size() <= kMostBayesTokens);
    std::size_t lost = 0;
    for (auto token : alone) lost += drowned.contains(token) ? 0 : 1;
    CHECK(lost <= 4);   // the number of words and of capitals
  }
}

TEST_CASE("each kind keeps to its places") {
  BayesInput input;
  std::string words = random_words(50'000, 7);
  std::string header = "From: " + random_words(100, 3) + "<a@b.example>\r\nSubject: " + random_words(150, 9) + "\r\nX-Mailer: " + random_words(20, 4) + "\r\n";
  std::vector<Link> links;
  for (int i = 0; i < 500; ++i) links.push_back({"http://h" + std::to_string(i) + ".example/" + random_words(20, 11U + static_cast<unsigned>(i)), "h" + std::to_string(i) + ".example", ""});
  std::vector<Attachment> attachments;
  for (int i = 0; i < 900; ++i) attachments.push_back({random_words(9, 99U + static_cast<unsigned>(i)) + ".x" + std::to_string(i), "a/b" + std::to_string(i), 1});
  std::string html;
  for (int i = 0; i < 5000; ++i) html += "<x" + std::to_string(i) + " y" + std::to_string(i) + "=1>";
  input.header = header;
  input.text = words;
  input.links = links;
  input.attachments = attachments;
  input.html = html;
  input.client_name = "mail.sender.example";
  auto tokens = of_input(input);
  auto found = kinds(tokens);
  for (std::size_t kind = 0; kind < kBayesKinds; ++kind) CHECK(found[kind] <= kBayesPlaces[kind]);
  CHECK(found[static_cast<std::size_t>(BayesKind::word)] == 600);
  CHECK(found[static_cast<std::size_t>(BayesKind::link)] == 160);
  CHECK(found[static_cast<std::size_t>(BayesKind::shape)] == 128);
  CHECK(found[static_cast<std::size_t>(BayesKind::hop)] == 3);
  CHECK(tokens.size() <= kMostBayesTokens);
}

TEST_CASE("invalid UTF-8 and giant words are tokens like others") {
  CHECK(of_kind(of_text(std::string(100'000, '\xff')), BayesKind::word) == 0);
  CHECK(of_kind(of_text(std::string(30'000, 'x')), BayesKind::word) == 1);
  CHECK(of_kind(of_text("caf\xe9 \xc3"), BayesKind::word) == 1);
  CHECK(!of_header(std::string(100'000, ':')).empty());
  CHECK(!of_header("Subject: =?utf-8?B?////?=\r\nFrom: \xff\xfe <\xff@\xff>\r\nMessage-ID: @\r\n").empty());
}

TEST_CASE("a hostile message costs no more than its bounds") {
  std::string text = random_words(400'000, 5), html;
  while (html.size() < (8U << 20)) html += "<a b='";
  std::string marks;
  while (marks.size() < (4U << 20)) marks += "\u0301";
  std::string header;
  while (header.size() < (4U << 20)) header += "Subject: a <b@c>, (((((((, \"x\r\n";
  for (std::string_view body : {std::string_view(text), std::string_view(marks)}) {
    BayesInput input;
    input.header = header;
    input.text = body;
    input.html = html;
    auto spent = postern::testing::thread_time([&] { CHECK(bayes_tokens(input).size() <= kMostBayesTokens); });
    CHECK(spent < postern::testing::out_of_bounds(std::chrono::milliseconds(60)));
  }
}

TEST_CASE("the HTML of a message is its first HTML part, as UTF-8 and cut") {
  std::string mail = "Content-Type: text/html; charset=iso-8859-1\r\n\r\n<p>caf\xe9</p>\r\n";
  CHECK(bayes_html(mail, mail::parse(mail)) == "<p>caf\u00e9</p>\r\n");
  std::string plain = "Subject: x\r\n\r\n<p>x</p>\r\n";
  CHECK(bayes_html(plain, mail::parse(plain)).empty());
  std::string large = "Content-Type: text/html\r\n\r\n" + std::string(1 << 20, 'x');
  CHECK(bayes_html(large, mail::parse(large)).size() <= kBayesHtml);
}
