// Password rows: Argon2id, SCRAM-SHA-256, preparation.
#include "gateway/directory/passwords.h"

#include "gateway/base/text.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace postern::directory;

TEST_CASE("the SCRAM keys are those of RFC 7677") {
  // RFC 7677 3: user "user", password "pencil".
  auto salt = *from_base64("W22ZaJ0SNY7soEsUEjb6gQ==");
  auto verifier = make_scram_verifier("pencil", salt, 4096);
  std::string auth_message =
      "n=user,r=rOprNGfwEbeRWgbNEkqO,"
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
  CHECK(base64(hmac_sha256(verifier.server_key, auth_message)) == "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  // The client's proof gives back a key whose hash is StoredKey.
  auto proof = *from_base64("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  auto signature = hmac_sha256(verifier.stored_key, auth_message);
  std::string client_key;
  for (std::size_t i = 0; i < proof.size(); ++i) client_key += static_cast<char>(proof[i] ^ signature[i]);
  CHECK(sha256(client_key) == verifier.stored_key);
}

TEST_CASE("a row verifies its own password and no other") {
  auto row = make_password_row("korrekt Pferd");
  REQUIRE(row);
  CHECK(verify_password(*row, "korrekt Pferd"));
  CHECK_FALSE(verify_password(*row, "korrekt pferd"));
  CHECK_FALSE(verify_password(*row, ""));
  CHECK_FALSE(verify_password(*row, "no password"));
  auto parsed = parse_password_row(*row);
  REQUIRE(parsed);
  CHECK(parsed->argon2id.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
  CHECK(parsed->scram.iterations == 100'000);
  CHECK(make_scram_verifier("korrekt Pferd", parsed->scram.salt, parsed->scram.iterations) == parsed->scram);
  CHECK(to_string(*parsed) == *row);
}

TEST_CASE("two rows of one password differ") {
  CHECK(*make_password_row("same") != *make_password_row("same"));
}

TEST_CASE("no row lets nobody in") {
  for (const auto* row : {"", "x", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA", "secret"}) {
    CHECK_FALSE(verify_password(row, "secret"));
    CHECK_FALSE(verify_password(row, "no account has this password"));
  }
}

TEST_CASE("a damaged row is no row") {
  auto row = *make_password_row("x");
  CHECK_FALSE(parse_password_row(row.substr(0, row.size() - 4)));
  CHECK_FALSE(parse_password_row(row + "$x"));
  CHECK_FALSE(parse_password_row(row.substr(1)));
  std::string no_iterations = row;
  no_iterations.replace(no_iterations.find("100000"), 6, "0");
  CHECK_FALSE(parse_password_row(no_iterations));
}

TEST_CASE("a password is prepared as RFC 8265 says") {
  CHECK(*prepared_password("plain") == "plain");
  CHECK(*prepared_password("a\u00A0b\u3000c\u2003d") == "a b c d");
  CHECK(*prepared_password("u\u0308") == "\u00FC");
  CHECK(*prepared_password("\u20AC") == "\u20AC");
  CHECK_FALSE(prepared_password(""));
  CHECK_FALSE(prepared_password("a\nb"));
  CHECK_FALSE(prepared_password("a\u0085b"));
  CHECK_FALSE(prepared_password("\xFF\xFE"));
  CHECK_FALSE(prepared_password(std::string(1025, 'x')));
  CHECK(prepared_password(std::string(1024, 'x')));
}

TEST_CASE("a password typed in two Unicode forms is the same") {
  auto row = *make_password_row("f\u00FCr");
  CHECK(verify_password(row, "fu\u0308r"));
}
