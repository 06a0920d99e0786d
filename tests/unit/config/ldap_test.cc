// [ldap.NAME]: what is taken, what is refused; filters and what is put into them.
#include <string>
#include <vector>

#include "gateway/config/config.h"
#include "gateway/config/ldap.h"
#include "gateway/config/ldap_filter.h"
#include "tests/support/catch.h"

using namespace postern;
using config::check_filter;
using config::filled_filter;

namespace {

const std::string kTop = "hostname = \"mx.corp.example\"\n[domains.\"corp.example\"]\ndeliver = \"smtp://10.0.0.5\"\nrecipients = \"ldap\"\nldap = \"corp\"\n";
const std::string kUrls = "urls = [\"ldaps://dc1.corp.example\"]\n";
const std::string kBase = "base = \"dc=corp,dc=example\"\n";

std::vector<std::string> mistakes_of(const std::string& ldap) { return config::parse(kTop + "[ldap.corp]\n" + ldap, "p.toml").mistakes; }

}  // namespace

TEST_CASE("a directory has servers in order, a base, and filters for what is usual") {
  auto loaded = config::parse(kTop + "[ldap.corp]\nurls = [\"ldaps://DC1.corp.example\", \"ldap://10.0.0.7:3389\", \"ldap://[::1]\"]\n" + kBase +
                                  "bind_dn = \"cn=postern,dc=corp,dc=example\"\npassword_file = \"/etc/postern/ldap\"\nca_file = \"/etc/ca.pem\"\ntimeout = \"3s\"\n",
                              "p.toml");
  CHECK(loaded.mistakes == std::vector<std::string>{});
  REQUIRE(loaded.config.ldap.size() == 1);
  const auto& ldap = loaded.config.ldap.front();
  CHECK(ldap.urls == std::vector<std::string>{"ldaps://dc1.corp.example:636", "ldap://10.0.0.7:3389", "ldap://[::1]:389"});
  CHECK(ldap.base == "dc=corp,dc=example");
  CHECK(ldap.tls == config::TlsUse::verify);
  CHECK(ldap.timeout == config::Milliseconds(3000));
  CHECK(ldap.recipient_filter == config::kAddressFilter);
  CHECK(ldap.login_filter == config::kAddressFilter);
  const auto& domain = loaded.config.domains.front();
  CHECK(domain.ldap == "corp");
  CHECK(domain.relay.ask_recipients);
  CHECK(domain.relay.ask_ldap);
}

TEST_CASE("who logs in is found as recipients are, unless he is to be found otherwise") {
  auto loaded = config::parse(kTop + "[ldap.corp]\n" + kUrls + kBase + "recipient_filter = \"(mail=%a)\"\n", "p.toml");
  CHECK(loaded.config.ldap.at(0).login_filter == "(mail=%a)");
  loaded = config::parse(kTop + "[ldap.corp]\n" + kUrls + kBase + "login_filter = \"(uid=%u)\"\n", "p.toml");
  CHECK(loaded.config.ldap.at(0).login_filter == "(uid=%u)");
  CHECK(loaded.config.ldap.at(0).recipient_filter == config::kAddressFilter);
}

TEST_CASE("what is wrong with a directory is told with its line") {
  struct Case {
    std::string text, mistake;
  };
  const std::vector<Case> cases{
      {kBase, "p.toml:6: urls in [ldap.corp] must be a list such as [\"ldaps://dc1.corp.example\", \"ldaps://dc2.corp.example\"]"},
      {"urls = []\n" + kBase, "p.toml:7: urls in [ldap.corp] must be a list such as [\"ldaps://dc1.corp.example\", \"ldaps://dc2.corp.example\"]"},
      {"urls = [\"dc1\"]\n" + kBase, "p.toml:7: urls in [ldap.corp] must be \"ldaps://HOST:PORT\" or \"ldap://HOST:PORT\", not \"dc1\""},
      {"urls = [\"ldap://dc1/dc=x\"]\n" + kBase, "p.toml:7: urls in [ldap.corp] must be \"ldaps://HOST:PORT\" or \"ldap://HOST:PORT\", not \"ldap://dc1/dc=x\""},
      {kUrls, "p.toml:6: base in [ldap.corp] is missing; it names where the users are, such as \"dc=corp,dc=example\""},
      {kUrls + kBase + "bind_dn = \"cn=x\"\n", "p.toml:9: bind_dn in [ldap.corp] and password_file belong together"},
      {kUrls + kBase + "password_file = \"/x\"\n", "p.toml:9: password_file in [ldap.corp] and bind_dn belong together"},
      {kUrls + kBase + "recipient_filter = \"(mail=%a\"\nlogin_filter = \"(uid=%u)\"\n", "p.toml:9: recipient_filter in [ldap.corp] needs a ')', at its octet 9"},
      {kUrls + kBase + "login_filter = \"(objectClass=person)\"\n",
       "p.toml:9: login_filter in [ldap.corp] names nobody: it needs %a (the address) or %u (its local part)"},
      {kUrls + kBase + "tls = \"never\"\n", "p.toml:9: tls in [ldap.corp] must not be \"never\" with a server by ldaps://"},
      {"urls = [\"ldap://10.0.0.7\"]\n" + kBase + "tls = \"never\"\n",
       "p.toml:9: tls in [ldap.corp] = \"never\" is for servers on 127.0.0.1 or [::1] alone: passwords would go in the clear to ldap://10.0.0.7:389"},
      {kUrls + kBase + "tls = \"must\"\nca_file = \"/x\"\n", "p.toml:10: ca_file in [ldap.corp] is for tls = \"verify\""},
      {kUrls + kBase + "timeout = \"1m\"\n", "p.toml:9: timeout in [ldap.corp] is at most \"20s\": who hands us a message waits for the answer"},
      {kUrls + kBase + "bas = \"x\"\n", "p.toml:9: unknown key \"bas\" in [ldap.corp] (base?)"},
  };
  for (const auto& each : cases) {
    INFO(each.text);
    CHECK(mistakes_of(each.text) == std::vector<std::string>{each.mistake});
  }
}

TEST_CASE("a domain's directory must be there, and a domain that asks one must name it") {
  std::string domain = "hostname = \"mx.corp.example\"\n[domains.\"corp.example\"]\n";
  CHECK(config::parse(domain + "ldap = \"corp\"\n", "p.toml").mistakes ==
        std::vector<std::string>{"p.toml:2: ldap in [domains.\"corp.example\"]: there is no [ldap.corp]"});
  CHECK(config::parse(domain + "deliver = \"smtp://10.0.0.5\"\nrecipients = \"ldap\"\n", "p.toml").mistakes ==
        std::vector<std::string>{"p.toml:4: recipients = \"ldap\" in [domains.\"corp.example\"] needs ldap = \"NAME\", the directory of [ldap.NAME]"});
  CHECK(config::parse(domain + "[ldap]\nurls = []\n", "p.toml").mistakes ==
        std::vector<std::string>{"p.toml:4: ldap.urls must be a section of its own with a name, such as [ldap.corp]"});
}

TEST_CASE("what RFC 4515 calls a filter is taken") {
  for (const char* filter : {"(mail=%a)", "(&(objectClass=person)(mail=%a))", "(|(uid=%u)(mail=%u@%d))", "(!(mail=%a))", "(mail=*%u*)", "(cn;lang-vi=%u)",
                             "(1.2.3.4=%a)", "(uid>=%u)", "(uid~=%u)", "(cn:caseExactMatch:=%u)", "(:dn:2.4.8.10:=%u)", "(cn=100%%%u)", "(cn=\\28%u\\29)",
                             "(&(objectCategory=person)(!(userAccountControl:1.2.840.113556.1.4.803:=2))(|(mail=%a)(proxyAddresses=smtp:%a)))",
                             "(&)(mail=%a)"}) {
    INFO(filter);
    CHECK(check_filter(filter).has_value() == (std::string(filter) != "(&)(mail=%a)"));
  }
  CHECK(check_filter(config::kAddressFilter));
}

TEST_CASE("what is no filter is refused, with the place") {
  struct Case {
    const char* filter;
    const char* why;
  };
  for (const auto& each : {Case{"", "must stand in parentheses, such as (mail=%a)"}, Case{"mail=%a", "must stand in parentheses, such as (mail=%a)"},
                           Case{"(mail=%a))", "goes on behind its last parenthesis, at its octet 10"}, Case{"(&(mail=%a)", "needs a ')', at its octet 12"},
                           Case{"(=%a)", "needs the name of an attribute, at its octet 2"}, Case{"(mail)", "needs a '=' behind the attribute, at its octet 6"},
                           Case{"(mail>%a)", "needs a '=' behind the attribute, at its octet 6"}, Case{"(uid>=*%u)", "has a '*' where none may be, at its octet 7"},
                           Case{"(mail=a\\zz%a)", "has a '\\' without two hexadecimal digits behind it, at its octet 8"},
                           Case{"(mail=%s)", "knows %a, %u, %d and %% only, at its octet 7"}, Case{"(mail=%)", "knows %a, %u, %d and %% only, at its octet 7"},
                           Case{"(%a=x)", "needs the name of an attribute, at its octet 2"}, Case{"(!mail=%a)", "needs a filter in parentheses behind the '!', at its octet 3"},
                           Case{"(cn:=%d)", "names nobody: it needs %a (the address) or %u (its local part)"}, Case{"(cn::=%a)", "needs a matching rule behind the ':', at its octet 5"},
                           Case{"(cn:dn%a)", "needs \":=\", at its octet 7"}}) {
    INFO(each.filter);
    auto checked = check_filter(each.filter);
    REQUIRE_FALSE(checked.has_value());
    CHECK(checked.error().text == each.why);
  }
  CHECK_FALSE(check_filter(std::string("(mail=\0%a)", 10)).has_value());
  std::string deep = "(mail=%a)";
  for (int i = 0; i < 100; ++i) deep = "(!" + deep + ")";
  CHECK(check_filter(deep).error().text == "has parentheses in parentheses without end, at its octet 43");
  CHECK_FALSE(check_filter("(mail=%a" + std::string(5000, 'x') + ")").has_value());
}

TEST_CASE("an address means itself in a filter, whatever its octets are") {
  CHECK(filled_filter("(|(mail=%a)(uid=%u)(o=%d)(x=%%))", "ann@corp.example") == "(|(mail=ann@corp.example)(uid=ann)(o=corp.example)(x=%))");
  CHECK(filled_filter("(mail=%a)", "*@corp.example") == "(mail=\\2a@corp.example)");
  CHECK(filled_filter("(mail=%a)", "a)(uid=*@corp.example") == "(mail=a\\29\\28uid=\\2a@corp.example)");
  CHECK(filled_filter("(mail=%a)", "a\\2a@x") == "(mail=a\\5c2a@x)");
  CHECK(filled_filter("(mail=%a)", std::string_view("a\0b@x", 5)) == "(mail=a\\00b@x)");
  CHECK(filled_filter("(uid=%u)", "a b\r\n@x") == "(uid=a\\20b\\0d\\0a)");
  CHECK(filled_filter("(mail=%a)", "n\xc3\xa9@x") == "(mail=n\\c3\\a9@x)");
  CHECK(filled_filter("(mail=%a)", "%u%a@x") == "(mail=%u%a@x)");   // filled once
  CHECK(filled_filter("(mail=%a)(d=%d)", "nobody") == "(mail=nobody)(d=)");
}
