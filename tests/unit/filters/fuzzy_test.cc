// Digests that stay alike, and the index of reported ones.
#include "filters/fuzzy.h"

#include <map>

#include "filters/fuzzy_index.h"
#include "gateway/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/thread_time.h"

using namespace postern;
using namespace postern::filters;

namespace {

constexpr HashKey kKey{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
const Time kNow = from_unix(1'795'492'742);

class MapRows : public FuzzyRows {
 public:
  std::optional<std::string> get(const std::string& key) override {
    ++reads;
    auto found = rows.find(key);
    return found == rows.end() ? std::nullopt : std::optional(found->second);
  }
  void put(const std::string& key, std::string value) override { rows[key] = std::move(value); }
  void erase(const std::string& key) override { rows.erase(key); }

  std::map<std::string, std::string> rows;
  std::size_t reads = 0;
};

const std::string kCampaign =
    "Dear customer, your parcel could not be delivered today because the address on the label was incomplete. Please confirm your address within the next "
    "days and pay the small fee for the new delivery, otherwise the parcel goes back to its sender. Open the page below, fill in the form with the details of "
    "your card and we will bring the parcel to your door on the following working day between morning and evening.";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
  return text;
}

FuzzyDigest digest(std::string_view text) {
  auto out = text_digest(text, kKey);
  REQUIRE(out);
  return *out;
}

FuzzyDigest file(char fill) {
  auto out = file_digest(std::string(kMinFuzzyFile, fill), kKey);
  REQUIRE(out);
  return *out;
}

// Words of no meaning, other ones for each seed.
std::string prose(unsigned seed, std::size_t words) {
  std::string out;
  for (std::size_t i = 0; i < words; ++i) {
    seed = seed * 1664525 + 1013904223;
    for (unsigned rest = seed >> 8, j = 0; j < 5; ++j, rest /= 26) out += static_cast<char>('a' + rest % 26);
    out += ' ';
  }
  return out;
}

}  // namespace

TEST_CASE("SipHash gives the values of its authors") {
  std::string input;
  const std::array<std::array<std::uint64_t, 2>, 3> expected = {{{0xe6a825ba047f81a3ULL, 0x930255c71472f66dULL}, {0x44af996bd8c187daULL, 0x45fc229b11597634ULL}, {0xc75da4a48d227781ULL, 0xe4ff0af6de8ba3fcULL}}};
  for (const auto& hash : expected) {
    CHECK(siphash(input, kKey) == hash);
    input += static_cast<char>(input.size());
  }
  CHECK(siphash("", kKey) != siphash("", HashKey{1, 2}));
}

TEST_CASE("what campaigns change leaves the digest alike") {
  FuzzyDigest original = digest(kCampaign);
  CHECK(similarity(original, original) == 1);
  CHECK(similarity(original, digest(replaced(kCampaign, "days", "days 4711 https://x.example/a7x9?id=42"))) == 1);
  CHECK(similarity(original, digest(replaced(kCampaign, "Dear customer,", "Dear bob.ray@corp.example, customer"))) >= 0.9);
  CHECK(similarity(original, digest(replaced(kCampaign, ". ", ".\n\n  "))) == 1);
  CHECK(similarity(original, digest(ascii_uppered(kCampaign))) == 1);
  CHECK(similarity(original, digest(replaced(kCampaign, "parcel", "par\u200bcel"))) == 1);
  CHECK(similarity(original, digest(replaced(kCampaign, "small", "tiny"))) >= 0.8);
  CHECK(similarity(original, digest(replaced(replaced(kCampaign, "Dear customer", "Hello Bob Ray"), "working", "coming"))) >= 0.6);
  CHECK(similarity(original, digest(kCampaign + " " + prose(1, 20))) >= 0.5);
  CHECK(similarity(original, digest(prose(2, 70))) == 0);
}

TEST_CASE("quotes, signatures and footers of lists make nothing alike") {
  std::string footer = "\n_______________________________________________\nTeam mailing list\nTo leave the list write to the address that is named in the header of each message and say so in its subject line please\n";
  std::string signature = "\n-- \nAnn Lee, head of sales and of some other departments as well, Corporation of Example, Long Street, Town of Example, and so on\n";
  std::string quote = "\nOn Monday Bob wrote:\n> " + replaced(kCampaign, ". ", ".\n> ") + "\n";
  for (const std::string& tail : {footer, signature, quote, signature + footer}) {
    CAPTURE(tail);
    CHECK(similarity(digest(prose(3, 40) + tail), digest(prose(4, 40) + tail)) == 0);
  }
  // A frame of lines is no footer.
  std::string framed = "----------------------\n" + kCampaign + "\n----------------------\n";
  CHECK(similarity(digest(framed), digest(kCampaign)) == 1);
}

TEST_CASE("what HTML and plain answers quote makes nothing alike") {
  std::string page = "<p>" + prose(6, 40) + "</p>", quoted = "<p>" + kCampaign + "</p>";
  for (const std::string& tail : {"<blockquote type=cite>" + quoted + "</blockquote>", "<div class=\"gmail_quote\">" + quoted + "</div>", "<div id=\"divRplyFwdMsg\">" + quoted,
                                  "<BLOCKQUOTE>a<blockquote>" + quoted + "</blockquote>b</BLOCKQUOTE>"}) {
    CHECK(without_quotes(page + tail).starts_with(page));
    CHECK(without_quotes(page + tail).find("parcel") == std::string::npos);
  }
  CHECK(without_quotes(page + "<blockquote>x</blockquote>" + page) == page + page);
  for (const std::string& broken : {std::string("a < b"), std::string("a<"), std::string("<"), std::string("a <b")}) CHECK(without_quotes(broken) == broken);
  std::string answer = prose(7, 40) + "\nFrom: Bob\nSent: Monday\nTo: Ann\nSubject: parcel\n\n" + kCampaign;
  CHECK(similarity(digest(answer), digest(kCampaign)) == 0);
  std::string message = "Content-Type: multipart/alternative; boundary=b0undary\r\n\r\n--b0undary\r\n\r\n" + kCampaign + "\r\n--b0undary\r\nContent-Type: text/html\r\n\r\n" + quoted +
                        "\r\n--b0undary\r\nContent-Type: text/html\r\n\r\n" + page + "<blockquote>" + quoted + "\r\n--b0undary--\r\n";
  CHECK(digests_of(message, mail::parse(message), kKey).size() == 2);   // HTML says something more
  CHECK(testing::grows_with_its_length([](std::size_t size) {
    std::string hostile;
    while (hostile.size() < size) hostile += "<blockquote";
    (void)without_quotes(hostile);
  }, 1 << 20));
}

TEST_CASE("short texts are alike only when their words are the same") {
  auto one = digest("Please call me back about the invoice today, Ann");
  CHECK(one.kind == FuzzyDigest::Kind::words);
  CHECK(similarity(one, digest("please call me back about the invoice 4711 today -- ann")) == 1);
  CHECK(similarity(one, digest("Please call me back about the parcel today, Ann")) == 0);
  CHECK_FALSE(text_digest("Thank you, Ann", kKey));
  CHECK_FALSE(text_digest("> quoted text that somebody else wrote to me long ago", kKey));
  CHECK_FALSE(text_digest("", kKey));
}

TEST_CASE("Chinese texts have shingles of characters") {
  std::string text = "尊敬的客户您的包裹因地址不完整未能送达请在三天内确认您的地址并支付少量费用否则包裹将被退回";
  CHECK(digest(text).kind == FuzzyDigest::Kind::text);
  CHECK(similarity(digest(text), digest(replaced(text, "三天", "五天"))) >= 0.6);
}

TEST_CASE("files are the same to the octet, and small ones are nobody's mark") {
  CHECK(similarity(file('a'), file('a')) == 1);
  CHECK(similarity(file('a'), file('b')) == 0);
  CHECK_FALSE(file_digest(std::string(kMinFuzzyFile - 1, 'a'), kKey));
  CHECK_FALSE(file_digest(std::string(kMaxFuzzyFile + 1, 'a'), kKey));
  std::string message = "Content-Type: multipart/mixed; boundary=b0undary\r\n\r\n--b0undary\r\n\r\n" + kCampaign + "\r\n--b0undary\r\nContent-Type: image/png\r\n\r\n" + std::string(kMinFuzzyFile, 'a') +
                        "\r\n--b0undary\r\nContent-Type: image/png\r\n\r\n" + std::string(kMinFuzzyFile, 'a') + "\r\n--b0undary--\r\n";
  auto digests = digests_of(message, mail::parse(message), kKey);
  REQUIRE(digests.size() == 2);
  CHECK(digests[0] == digest(kCampaign));
  CHECK(digests[1] == file('a'));
}

TEST_CASE("another key gives digests that are not alike") {
  CHECK(similarity(digest(kCampaign), *text_digest(kCampaign, HashKey{5, 6})) == 0);
}

TEST_CASE("what was reported is found again by likeness, with its class and weight") {
  MapRows rows;
  FuzzyIndex index(rows);
  CHECK_FALSE(index.find(digest(kCampaign), kNow));
  index.learn(digest(kCampaign), FuzzyClass::spam, 1, kNow);
  index.learn(digest(replaced(kCampaign, "customer", "client 42")), FuzzyClass::spam, 2, kNow);
  auto match = index.find(digest(replaced(kCampaign, "small", "tiny")), kNow);
  REQUIRE(match);
  CHECK(match->what == FuzzyClass::spam);
  CHECK(match->similarity >= 0.8);
  CHECK(match->similarity < 1);
  CHECK(match->weight == 3);
  CHECK(match->reports == 2);
  CHECK(match->last == kNow);
  CHECK_FALSE(index.find(digest(prose(5, 70)), kNow));
  index.learn(file('a'), FuzzyClass::phishing, 5, kNow);
  CHECK(index.find(file('a'), kNow)->what == FuzzyClass::phishing);
  CHECK_FALSE(index.find(file('b'), kNow));
}

TEST_CASE("reports of ham speak against reports of spam, and reports can be taken back") {
  MapRows rows;
  FuzzyIndex index(rows);
  auto one = digest(kCampaign);
  index.learn(one, FuzzyClass::spam, 2, kNow);
  index.learn(one, FuzzyClass::phishing, 1, kNow);
  index.learn(one, FuzzyClass::ham, 1, kNow);
  CHECK(index.find(one, kNow)->weight == 1);
  index.learn(one, FuzzyClass::ham, 1, kNow);
  CHECK_FALSE(index.find(one, kNow));
  index.learn(one, FuzzyClass::ham, -2, kNow);
  CHECK(index.find(one, kNow)->weight == 2);
  index.learn(one, FuzzyClass::spam, -2, kNow);
  CHECK(index.find(one, kNow)->what == FuzzyClass::phishing);
  index.learn(one, FuzzyClass::phishing, -5, kNow);
  CHECK_FALSE(index.find(one, kNow));
  index.learn(one, FuzzyClass::spam, -1, kNow);
  CHECK_FALSE(index.find(one, kNow));
  index.learn(one, FuzzyClass::spam, 1e9, kNow);
  CHECK(index.find(one, kNow)->weight == FuzzyIndex::kMaxWeight);
}

TEST_CASE("the worst part of a message decides") {
  MapRows rows;
  FuzzyIndex index(rows);
  index.learn(digest(kCampaign), FuzzyClass::ham, 9, kNow);
  index.learn(file('a'), FuzzyClass::spam, 1, kNow);
  CHECK(index.find_any({digest(kCampaign)}, kNow)->what == FuzzyClass::ham);
  CHECK(index.find_any({digest(kCampaign), file('a')}, kNow)->what == FuzzyClass::spam);
  CHECK_FALSE(index.find_any({}, kNow));
}

TEST_CASE("reports expire, and their rows with them") {
  MapRows rows;
  FuzzyIndex index(rows, std::chrono::hours(48));
  auto one = digest(kCampaign);
  index.learn(one, FuzzyClass::spam, 1, kNow);
  CHECK(index.find(one, kNow + std::chrono::hours(48)));
  CHECK_FALSE(index.find(one, kNow + std::chrono::hours(49)));
  for (const auto& [key, value] : rows.rows) {
    CHECK_FALSE(index.is_expired(key, value, kNow + std::chrono::hours(48)));
    CHECK(index.is_expired(key, value, kNow + std::chrono::hours(49)));
  }
  // A new report is a new beginning.
  index.learn(one, FuzzyClass::spam, 1, kNow + std::chrono::hours(49));
  CHECK(index.find(one, kNow + std::chrono::hours(50))->weight == 1);
}

TEST_CASE("rows that are not ours are as good as absent") {
  MapRows rows;
  FuzzyIndex index(rows);
  auto one = digest(kCampaign);
  index.learn(one, FuzzyClass::spam, 1, kNow);
  auto good = rows.rows;
  for (std::string_view bad : {"", "x", "\x02", "\x01"}) {
    for (auto& [key, value] : rows.rows) {
      value = bad;
      CHECK(index.is_expired(key, value, kNow));
    }
    CHECK_FALSE(index.find(one, kNow));
  }
  rows.rows = good;
  for (auto& [key, value] : rows.rows) value.back() = static_cast<char>(value.back() ^ 1);
  (void)index.find(one, kNow);
  index.learn(one, FuzzyClass::spam, 1, kNow);   // and it can be learnt anew
  CHECK(index.find(one, kNow));
}

TEST_CASE("a look-up reads a bounded number of rows however much was reported") {
  MapRows rows;
  FuzzyIndex index(rows);
  // The same beginning, so that bands are shared.
  for (unsigned i = 0; i < 400; ++i) index.learn(digest(kCampaign + " " + prose(i, 60)), FuzzyClass::spam, 1, kNow);
  rows.reads = 0;
  (void)index.find(digest(kCampaign), kNow);
  CHECK(rows.reads <= FuzzyIndex::kBands + FuzzyIndex::kMaxCandidates);
}

TEST_CASE("digests cost what the text's length costs, up to the limit") {
  for (std::string_view token : {"a ", "ab ", "x", ">\n", "--\n", "\xe6\xbc\xa2", "\xcc\x81", "1", "@", "\n", "\xff", "On a wrote:\n"}) {
    CAPTURE(token);
    CHECK(testing::grows_with_its_length([&](std::size_t size) {
      std::string text;
      while (text.size() < size) text += token;
      (void)text_digest(text, kKey);
    }, kMaxFuzzyText / 4));
  }
  CHECK(fuzzy_words(std::string(kMaxFuzzyText, ' ') + kCampaign).empty());
  CHECK(testing::thread_time([] { (void)text_digest(prose(1, 200'000), kKey); }) < postern::testing::out_of_bounds(std::chrono::milliseconds(60)));
}
