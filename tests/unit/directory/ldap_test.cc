// Directories that do not answer; what a real one answers is end_to_end/ldap_test.py's affair.
#include "gateway/directory/ldap.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/io/loop.h"
#include "tests/support/catch.h"

using namespace postern;
using directory::LdapAnswer;
using directory::LdapDirectories;
using Kind = LdapAnswer::Kind;
using namespace std::chrono_literals;

namespace {

// Takes connections and says nothing; or is closed from the beginning.
class SilentHost {
 public:
  explicit SilentHost(bool open) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    if (open) REQUIRE(::listen(socket_, 50) == 0);
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    url_ = "ldap://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~SilentHost() { ::close(socket_); }
  SilentHost(const SilentHost&) = delete;
  const std::string& url() const { return url_; }

 private:
  int socket_;
  std::string url_;
};

config::Config configured(const std::string& urls, const std::string& more = "") {
  auto loaded = config::parse("hostname = \"mx.corp.example\"\n[domains.\"corp.example\"]\nldap = \"corp\"\n[domains.\"other.example\"]\n"
                              "[ldap.corp]\nurls = [" + urls + "]\nbase = \"dc=corp\"\ntls = \"never\"\ntimeout = \"200ms\"\n" + more, "p.toml");
  for (const auto& line : loaded.mistakes) UNSCOPED_INFO(line);
  REQUIRE(loaded.ok());
  return loaded.config;
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

bool always() { return true; }

io::Task<void> ask(std::shared_ptr<directory::Ldap> whom, std::string address) { static_cast<void>(co_await whom->find(std::move(address))); }

}  // namespace

TEST_CASE("a directory whose servers are all away says neither yes nor no, and names them") {
  SilentHost closed(false), silent(true);
  io::Loop loop;
  LdapDirectories directories(configured(quoted(closed.url()) + "," + quoted(silent.url())));
  auto corp = directories.of_domain("corp.example");
  REQUIRE(corp);
  CHECK(directories.of_domain("other.example") == nullptr);
  CHECK(corp->state().problem.empty());
  auto answer = loop.block_on(corp->find("ann@corp.example"));
  CHECK(answer.kind == Kind::unsure);
  CHECK(answer.words.find(closed.url()) != std::string::npos);
  CHECK(answer.words.find(silent.url()) != std::string::npos);
  CHECK(corp->state().problem == answer.words);
  CHECK(corp->state().questions == 1);
  // Right behind it nobody is asked.
  CHECK(loop.block_on(corp->find("bob@corp.example")).kind == Kind::unsure);
  CHECK(loop.block_on(corp->check_password("ann@corp.example", "secret", always)).kind == Kind::unsure);
  CHECK(corp->state().questions == 1);
  corp->try_again();
  CHECK(loop.block_on(corp->find("bob@corp.example")).kind == Kind::unsure);
  CHECK(corp->state().questions == 2);
}

TEST_CASE("an empty password is wrong without a question") {
  SilentHost closed(false);
  io::Loop loop;
  LdapDirectories directories(configured(quoted(closed.url())));
  auto corp = directories.of_domain("corp.example");
  CHECK(loop.block_on(corp->check_password("ann@corp.example", "", always)).kind == Kind::no);
  CHECK(corp->state().questions == 0);
}

TEST_CASE("a directory that is slow holds up no other") {
  SilentHost silent(true), closed(false);
  io::Loop loop;
  auto config = configured(quoted(silent.url()));
  config.ldap[0].timeout = 3s;
  config.ldap.push_back(config.ldap[0]);
  config.ldap[1].name = "other";
  config.ldap[1].urls = {closed.url()};
  config.domains[1].ldap = "other";
  LdapDirectories directories(config);
  auto slow = directories.of_domain("corp.example"), other = directories.of_domain("other.example");
  REQUIRE(slow);
  REQUIRE(other);
  for (int i = 0; i < 50; ++i) loop.spawn(ask(slow, std::to_string(i) + "@corp.example"), "ask");
  CHECK(loop.block_on(other->find("ann@other.example")).kind == Kind::unsure);
  CHECK(other->state().questions == 1);
  CHECK(slow->state().questions == 0);   // all of its threads wait
}

TEST_CASE("a question that is taken back while it waits is not put") {
  SilentHost closed(false);
  io::Loop loop;
  LdapDirectories directories(configured(quoted(closed.url())));
  auto corp = directories.of_domain("corp.example");
  CHECK(loop.block_on(corp->check_password("ann@corp.example", "secret", [] { return false; })).kind == Kind::too_late);
  CHECK(corp->state().questions == 0);
}

TEST_CASE("a reload keeps a directory that is asked as before, and may ask it at once") {
  SilentHost closed(false);
  io::Loop loop;
  auto config = configured(quoted(closed.url()));
  LdapDirectories directories(config);
  auto corp = directories.of_domain("corp.example");
  CHECK(loop.block_on(corp->find("ann@corp.example")).kind == Kind::unsure);
  directories.configure(config);
  CHECK(directories.of_domain("corp.example") == corp);
  CHECK(loop.block_on(corp->find("ann@corp.example")).kind == Kind::unsure);
  CHECK(corp->state().questions == 2);
  auto key = corp->key();
  for (const char* more : {"recipient_filter = \"(mail=%a)\"\n", "login_filter = \"(uid=%u)\"\n", "bind_dn = \"cn=x\"\npassword_file = \"/x\"\n"}) {
    directories.configure(configured(quoted(closed.url()), more));
    CHECK(directories.of_domain("corp.example") != corp);
    CHECK(directories.of_domain("corp.example")->key() != key);
  }
  config.domains.front().ldap.clear();
  directories.configure(config);
  CHECK(directories.of_domain("corp.example") == nullptr);
}
