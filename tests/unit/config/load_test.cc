// postern.toml: defaults, every mistake with its line, suggestions.
#include "gateway/config/config.h"

#include <algorithm>

#include "tests/support/catch.h"

using namespace postern;
using namespace std::chrono_literals;

namespace {

const std::string kSmallest = "hostname = \"mx.corp.example\"\n[domains.\"corp.example\"]\n";

std::string only_mistake(const std::string& text) {
  auto loaded = config::parse(text, "p.toml");
  std::string all;
  for (const auto& line : loaded.mistakes) all += line + "\n";
  INFO(all);
  REQUIRE(loaded.mistakes.size() == 1);
  return loaded.mistakes[0];
}

}  // namespace

TEST_CASE("a host name and one domain are enough") {
  auto loaded = config::parse(kSmallest, "p.toml");
  REQUIRE(loaded.mistakes.empty());
  const auto& c = loaded.config;
  CHECK(c.hostname == "mx.corp.example");
  CHECK(c.data == "/var/lib/postern");
  CHECK(c.rules == "/etc/postern/rules");
  REQUIRE(c.domains.size() == 1);
  CHECK(c.domains[0].name == "corp.example");
  CHECK(c.listen.smtp == std::vector<Endpoint>{*Endpoint::parse("[::]:25")});
  CHECK(c.listen.lmtp.empty());
  CHECK(c.listen.admin->to_string() == "127.0.0.1:8025");
  CHECK(c.tls.certificate == "/etc/postern/tls.crt");
  CHECK_FALSE(c.tls.allow_plaintext_login);
  CHECK(c.dns.timeout == 5s);
  CHECK(c.smtp.max_size == 50ULL << 20);
  CHECK(c.limits.connections_per_address == 50);
  CHECK(c.limits.reader_connections_per_address == 500);
  CHECK(c.limits.connection_rate_per_address == config::Rate{300, 60s});
  CHECK(c.limits.memory == 1ULL << 30);
  CHECK(c.antivirus.scanners == 2);
  CHECK(c.budgets.cpu == 20ms);
}

TEST_CASE("a resolver elsewhere that is to be believed is warned of") {
  CHECK(config::parse(kSmallest + "[dns]\nservers = [\"127.0.0.1\"]\nvalidating = true\n", "p.toml").warnings.size() == config::parse(kSmallest, "p.toml").warnings.size());
  auto warnings = config::parse(kSmallest + "[dns]\nservers = [\"192.0.2.1\"]\nvalidating = true\n", "p.toml").warnings;
  REQUIRE_FALSE(warnings.empty());
  CHECK(warnings.back() == "p.toml:5: validating = true in [dns] believes 192.0.2.1:53, which is not on this machine: who stands between can forge what DANE rests on");
}

TEST_CASE("every key of the manual is understood") {
  auto loaded = config::parse(R"(
hostname = "MX.corp.example."
data     = "/tmp/data"
rules    = "/tmp/rules"
user     = "mail"
group    = "mail"
postmaster = "Boss@corp.example"
[listen]
smtp = ["127.0.0.1:2525", "[::1]:2525", "192.0.2.1"]
submission = []
submissions = []
lmtp = []
imap = ["127.0.0.1:0"]
imaps = []
pop3 = ["127.0.0.1:0"]
pop3s = []
admin = ""
[tls]
certificate = "/tmp/c"
key         = "/tmp/k"
allow_plaintext_login = true
[dns]
servers = ["127.0.0.1:5353", "::1"]
timeout = "250ms"
[domains."corp.example"]
deliver = "mailboxes"
catch_all = "office@corp.example"
[domains."Bücher.example"]
[smtp]
max_size = "1MB"
xclient  = ["127.0.0.1"]
trusted  = ["10.0.0.0/8", "2001:db8::/32"]
proxy    = []
[submission]
messages_per_hour = 10
save_to_sent = true
[submission.users."Scanner@corp.example"]
recipients_per_hour = 0
[abuse]
suppress_after = 5
suppress_for = "0s"
alarm_held = 0
alarm_bounces = 7
alarm_complaints = 1
alarm_stops = true
[imap]
max_append = "2MB"
idle_timeout = "29m"
[limits]
connections_per_address = 0
connections_per_network = 7
connection_rate_per_address = "10/1s"
reader_connections_per_address = 9
recipients_per_message = 100
errors_per_session = 3
memory = "512MB"
free_disk = 0
[antivirus]
database = "/tmp/db"
scanners = 4
timeout = "10s"
[budgets]
cpu = "5ms"
memory = "4MiB"
dns_questions = 50
stage = "30s"
[log]
level = "debug"
)", "p.toml");
  for (const auto& line : loaded.mistakes) UNSCOPED_INFO(line);
  REQUIRE(loaded.mistakes.empty());
  CHECK(loaded.warnings.empty());
  const auto& c = loaded.config;
  CHECK(c.hostname == "mx.corp.example");
  CHECK(c.postmaster == "boss@corp.example");
  REQUIRE(c.listen.smtp.size() == 3);
  CHECK(c.listen.smtp[2].to_string() == "192.0.2.1:25");
  CHECK(c.listen.submission.empty());
  CHECK_FALSE(c.listen.admin);
  CHECK(c.tls.allow_plaintext_login);
  CHECK(c.dns.servers[1].to_string() == "[::1]:53");
  CHECK(c.dns.timeout == 250ms);
  CHECK(c.domains[0].catch_all == "office@corp.example");
  CHECK(c.domains[1].name == "xn--bcher-kva.example");
  CHECK(c.smtp.trusted.size() == 2);
  CHECK(c.submission.save_to_sent);
  CHECK(c.submission.of("ann@corp.example") == config::SendLimits{10, 500, 200});
  CHECK(c.submission.of("scanner@corp.example") == config::SendLimits{10, 0, 200});
  CHECK(c.abuse == config::Abuse{5, 0ms, 0, 7, 1, true});
  CHECK(c.limits.connections_per_address == 0);
  CHECK(c.limits.connection_rate_per_address == config::Rate{10, 1s});
  CHECK(c.limits.reader_connections_per_address == 9);
  CHECK(c.log.level == log::Level::debug);
}

TEST_CASE("a port for submission at which nobody can log in is warned of") {
  CHECK(config::parse(kSmallest, "p.toml").warnings.empty());
  std::string bare = std::string(kSmallest) + "[tls]\ncertificate = \"\"\nkey = \"\"\n";
  std::string ports = "[listen]\nimaps = []\npop3s = []\nsubmissions = []\n";
  auto loaded = config::parse(bare + ports, "p.toml");
  REQUIRE(loaded.mistakes.empty());
  REQUIRE(loaded.warnings.size() == 1);
  CHECK(loaded.warnings[0].find("submission in [listen]: nobody can log in there") != std::string::npos);
  CHECK(config::parse(bare + "allow_plaintext_login = true\n" + ports, "p.toml").warnings.empty());
  CHECK_FALSE(config::parse(bare + "[listen]\nimaps = []\npop3s = []\n", "p.toml").ok());   // submissions needs a certificate
}

TEST_CASE("budgets that contradict each other or the antivirus are warned of") {
  auto said = [](const std::string& text, std::string_view what) {
    auto loaded = config::parse(std::string(kSmallest) + text, "p.toml");
    CHECK(loaded.mistakes.empty());
    return std::any_of(loaded.warnings.begin(), loaded.warnings.end(), [&](const auto& line) { return line.find(what) != std::string::npos; });
  };
  CHECK_FALSE(said("", "[budgets]"));
  CHECK(said("\n[budgets]\nstage = \"30s\"\n", "shorter than two scans"));
  CHECK(said("\n[antivirus]\ntimeout = \"30s\"\n", "shorter than two scans"));
  CHECK_FALSE(said("\n[antivirus]\ntimeout = \"10s\"\n[budgets]\nstage = \"30s\"\n", "shorter than two scans"));
  CHECK_FALSE(said("\n[antivirus]\nscanners = 0\n[budgets]\nstage = \"30s\"\n", "shorter than two scans"));
  CHECK(said("\n[budgets]\nmemory = \"100MB\"\n", "above the 96 MB"));
}

TEST_CASE("a mistake names file, line and cure") {
  struct Case {
    std::string text;
    std::string want;
  };
  const std::string top = "hostname = \"mx.corp.example\"\n";
  const std::string domain = "[domains.\"corp.example\"]\n";
  const std::vector<Case> cases = {
      {"hostnme = \"mx.corp.example\"\n" + kSmallest, "p.toml:1: unknown key \"hostnme\" (hostname?)"},
      {kSmallest + "[smtp]\nmaxsize = \"1MB\"\n", "p.toml:4: unknown key \"maxsize\" in [smtp] (max_size?)"},
      {kSmallest + "[smpt]\n", "p.toml:3: unknown key \"smpt\" (smtp?)"},
      {kSmallest + "rules = \"/x\"\n", "p.toml:3: unknown key \"rules\" in [domains.\"corp.example\"] (it belongs above the first [section])"},
      {kSmallest + "[smtp]\nmax_size = true\n", "p.toml:4: max_size in [smtp] must be a size such as \"50MB\" or \"256KiB\""},
      {kSmallest + "[smtp]\nmax_size = \"big\"\n", "p.toml:4: max_size in [smtp] must be a size such as \"50MB\" or \"256KiB\", not \"big\""},
      {kSmallest + "[smtp]\nmax_size = 1000\n", "p.toml:4: max_size in [smtp] must be at least 65536 octets"},
      {kSmallest + "[dns]\ntimeout = 5\n", "p.toml:4: timeout in [dns] must be a time such as \"5s\", \"250ms\" or \"7d\", not a number without a unit"},
      {kSmallest + "[dns]\ntimeout = \"5 parsecs\"\n", "p.toml:4: timeout in [dns] must be a time such as \"5s\", \"250ms\" or \"7d\", not \"5 parsecs\""},
      {kSmallest + "[dns]\nservers = [\"dns.example\"]\n", "p.toml:4: servers in [dns]: \"dns.example\" is no ADDRESS:PORT such as \"127.0.0.1:25\" or \"[::]:25\" (no host names)"},
      {kSmallest + "[listen]\nsmtp = \"[::]:25\"\n", "p.toml:4: smtp in [listen] must be a list such as [\"127.0.0.1:25\"], not a string"},
      {kSmallest + "[listen]\nsmtp = [\"[::]:143\"]\n", "p.toml:4: imap in [listen]: [::]:143 is already taken by smtp"},
      {kSmallest + "[listen]\nadmin = 8025\n", "p.toml:4: admin in [listen] must be one ADDRESS:PORT such as \"127.0.0.1:8025\", or \"\" for none"},
      {kSmallest + "[smtp]\nxclient = [\"10.0.0.0/33\"]\n", "p.toml:4: xclient in [smtp]: \"10.0.0.0/33\" is no network such as \"192.0.2.0/24\" or \"2001:db8::/32\""},
      {kSmallest + "[tls]\nallow_plaintext_login = \"yes\"\n", "p.toml:4: allow_plaintext_login in [tls] must be true or false (without quotes), not a string"},
      {kSmallest + "[tls]\nkey = \"\"\n", "p.toml:4: certificate and key in [tls] belong together: give both, or \"\" for both to do without TLS"},
      {kSmallest + "[limits]\nerrors_per_session = -1\n", "p.toml:4: errors_per_session in [limits] must lie between 0 and 1000000"},
      {kSmallest + "[limits]\nconnection_rate_per_address = \"300\"\n", "p.toml:4: connection_rate_per_address in [limits] must be a rate such as \"300/1m\" (at most a day), or 0 for none"},
      {kSmallest + "[limits]\nrecipients_per_message = 10\n", "p.toml:4: recipients_per_message in [limits] must be at least 100 (RFC 5321), or 0 for no limit"},
      {kSmallest + "[log]\nlevel = \"loud\"\n", "p.toml:4: level in [log] must be \"debug\", \"info\", \"warning\" or \"error\", not \"loud\""},
      {kSmallest + "[limits\n", "p.toml:3: "},
      {kSmallest + "[  = \"x\"\n[smtp]\n", "p.toml:3: this line cannot be read; is a name or a bracket missing?"},
      {domain, "p.toml: hostname is missing; it is the name in our MX record, e.g. hostname = \"mx.corp.example\""},
      {top, "p.toml: no domain to receive mail for; add [domains.\"corp.example\"]"},
      {"hostname = \"mx\"\n" + domain, "p.toml:1: hostname \"mx\" is no full host name such as \"mx.corp.example\""},
      {"hostname = 5\n" + domain, "p.toml:1: hostname must be a string in quotes, not a number"},
      {top + "[domains.corp.example]\n", "p.toml:2: the domain needs quotes: [domains.\"corp.example\"]"},
      {top + "[domains.\"no spaces\"]\n", "p.toml:2: [domains.\"no spaces\"]: \"no spaces\" is no domain name"},
      {kSmallest + "[domains.\"CORP.example\"]\n", "p.toml:3: [domains.\"CORP.example\"] is there twice; the first one is in line 2"},
      {top + "[domains.\"b\u00fccher.example\"]\n[domains.\"xn--bcher-kva.example\"]\n", "p.toml:3: [domains.\"xn--bcher-kva.example\"] is there twice; the first one is in line 2"},
      {kSmallest + "deliver = \"mailbox\"\n", "p.toml:3: deliver in [domains.\"corp.example\"] must be \"mailboxes\", \"smtp://HOST:PORT\", \"smtps://HOST:PORT\" or \"lmtp://HOST:PORT\", not \"mailbox\" (mailboxes?)"},
      {kSmallest + "deliver = \"smtp://10.0.0.999\"\n", "p.toml:3: deliver in [domains.\"corp.example\"] must be \"mailboxes\", \"smtp://HOST:PORT\", \"smtps://HOST:PORT\" or \"lmtp://HOST:PORT\", not \"smtp://10.0.0.999\""},
      {kSmallest + "deliver = \"smtp://mail.example:0\"\n", "p.toml:3: deliver in [domains.\"corp.example\"] must be \"mailboxes\", \"smtp://HOST:PORT\", \"smtps://HOST:PORT\" or \"lmtp://HOST:PORT\", not \"smtp://mail.example:0\""},
      {kSmallest + "deliver = [\"smtp://a.example\", 5]\n", "p.toml:3: deliver in [domains.\"corp.example\"] must be \"mailboxes\", \"smtp://HOST:PORT\", \"smtps://HOST:PORT\" or \"lmtp://HOST:PORT\", not \"a number\""},
      {kSmallest + "deliver = []\n", "p.toml:3: deliver in [domains.\"corp.example\"] is an empty list: name a host, or \"mailboxes\""},
      {kSmallest + "deliver = \"smtp://10.0.0.5\"\ntls = \"maybe\"\n", "p.toml:4: tls in [domains.\"corp.example\"] must be one of \"never\", \"may\", \"must\", \"verify\", not \"maybe\""},
      {kSmallest + "deliver = \"smtp://10.0.0.5\"\ncatch_all = \"a@corp.example\"\n", "p.toml:4: catch_all in [domains.\"corp.example\"] is for mailboxes; this domain's mail goes on to its own server"},
      {kSmallest + "when_down = \"queue\"\n", "p.toml:3: when_down in [domains.\"corp.example\"] is for a domain whose deliver names a server"},
      {kSmallest + "deliver_mode = \"through\"\n", "p.toml:3: deliver_mode in [domains.\"corp.example\"] is for a domain whose deliver names a server"},
      {kSmallest + "deliver = [\"smtp://10.0.0.5\", \"smtp://10.0.0.6\"]\ndeliver_mode = \"through\"\n", "p.toml:4: deliver_mode = \"through\" in [domains.\"corp.example\"] passes back what one server says; deliver names 2"},
      {kSmallest + "deliver = \"smtp://10.0.0.5\"\ndeliver_mode = \"through\"\nwhen_down = \"queue\"\n", "p.toml:5: when_down = \"queue\" in [domains.\"corp.example\"] and deliver_mode = \"through\" exclude each other: nothing is queued"},
      {kSmallest + "deliver = \"smtp://10.0.0.5\"\ndeliver_mode = \"thru\"\n", "p.toml:4: deliver_mode in [domains.\"corp.example\"] must be one of \"queue\", \"through\", not \"thru\""},
      {kSmallest + "[queue]\nretry = []\n", "p.toml:4: retry in [queue] must not be empty"},
      {kSmallest + "[queue]\nretry = [\"5m\", \"soon\"]\n", "p.toml:4: retry in [queue]: \"soon\" is no time of at least \"1000ms\", such as \"5m\" or \"1h\""},
      {kSmallest + "[queue]\nconnections = 0\n", "p.toml:4: connections in [queue] must be at least 1"},
      {kSmallest + "catch_all = \"office\"\n", "p.toml:3: catch_all in [domains.\"corp.example\"] must be the address of an account, such as \"office@corp.example\""},
      {kSmallest + "catch_all = \"a@other.example\"\n", "p.toml:2: catch_all a@other.example in [domains.\"corp.example\"] is in none of our domains"},
      {"postmaster = \"a@other.example\"\n" + kSmallest, "p.toml:1: postmaster a@other.example is in none of our domains"},
      {"data = \"\"\n" + kSmallest, "p.toml:1: data must name a folder"},
  };
  for (const auto& c : cases) {
    INFO(c.text);
    auto line = only_mistake(c.text);
    if (c.want.ends_with(": ")) {
      CHECK(line.substr(0, c.want.size()) == c.want);
      CHECK(line.size() > c.want.size());
    } else {
      CHECK(line == c.want);
    }
  }
}

TEST_CASE("how long the trace is remembered has bounds") {
  CHECK(config::parse(kSmallest, "p.toml").config.trace.days == 30);
  auto loaded = config::parse(kSmallest + "[trace]\ndays = 90\nmax_size = \"500MB\"\n", "p.toml");
  CHECK(loaded.mistakes.empty());
  CHECK(loaded.config.trace.days == 90);
  CHECK(loaded.config.trace.max_size == 500ULL << 20);
  for (const char* wrong : {"days = 0", "days = 4000", "max_size = \"1MB\"", "dayz = 3"}) {
    INFO(wrong);
    CHECK(config::parse(kSmallest + "[trace]\n" + wrong + "\n", "p.toml").mistakes.size() == 1);
  }
}

TEST_CASE("all mistakes are told at once, from top to bottom of each section") {
  auto loaded = config::parse("hostname = \"mx\"\n[domains.\"corp.example\"]\ndelivr = \"x\"\n[dns]\ntimeout = 1\n[smtp]\nmax_size = \"x\"\n", "p.toml");
  REQUIRE(loaded.mistakes.size() == 4);
  CHECK_FALSE(loaded.ok());
}

TEST_CASE("without a certificate the services that begin with TLS are refused") {
  auto loaded = config::parse(kSmallest + "[tls]\ncertificate = \"\"\nkey = \"\"\n[listen]\npop3s = []\n", "p.toml");
  REQUIRE(loaded.mistakes.size() == 2);
  CHECK(loaded.mistakes[0].find("submissions in [listen] needs a certificate") != std::string::npos);
  CHECK(loaded.mistakes[1].find("imaps in [listen] needs a certificate") != std::string::npos);
}

TEST_CASE("a missing file is a mistake with its name") {
  auto loaded = config::load("/nonexistent/postern.toml");
  REQUIRE(loaded.mistakes.size() == 1);
  CHECK(loaded.mistakes[0] == "/nonexistent/postern.toml: cannot be read: No such file or directory");
}

TEST_CASE("rates are read") {
  CHECK(config::parse_rate("300/1m") == config::Rate{300, 60s});
  CHECK(config::parse_rate("5/s") == config::Rate{5, 1s});
  CHECK(config::parse_rate("0") == config::Rate{});
  CHECK_FALSE(config::parse_rate("5"));
  CHECK_FALSE(config::parse_rate("5/"));
  CHECK_FALSE(config::parse_rate("/1m"));
  CHECK_FALSE(config::parse_rate("5/0s"));
  CHECK_FALSE(config::parse_rate("5/2d"));
}

TEST_CASE("a letter that TOML does not allow outside of quotes is told with its line, inside of quotes it is welcome") {
  auto loaded = config::parse("hostname = \"mx.corp.example\"\n# \xc8\xbb is fine here\nna\xc8\xbbme = 1\n", "postern.toml");
  REQUIRE(loaded.mistakes.size() == 1);
  CHECK(loaded.mistakes[0].starts_with("postern.toml:3: "));
  auto good = config::parse("hostname = \"mx.corp.example\"\n[domains.\"b\xc3\xbc" "cher.example\"]\n", "postern.toml");
  CHECK(good.mistakes == std::vector<std::string>());
  auto torn = config::parse("hostname = \"mx.corp.example\"\nname = 2mx\"\xef\xb7\xbf\"\n", "postern.toml");
  REQUIRE(torn.mistakes.size() == 1);
  CHECK(torn.mistakes[0].starts_with("postern.toml:2: "));
}

TEST_CASE("the mail of a domain goes on to one host or to several in order") {
  auto loaded = config::parse(kSmallest + R"(deliver = ["smtp://10.0.0.5", "smtp://Mail.CORP.example:2525", "lmtp://[2001:db8::1]"]
tls = "verify"
recipients = "any"
when_down = "queue"
[domains."home.example"]
[queue]
retry = ["30s", "1h"]
expire = "4d"
delay_notice = "0s"
connections_per_route = 3
connections = 9
)", "p.toml");
  for (const auto& line : loaded.mistakes) UNSCOPED_INFO(line);
  REQUIRE(loaded.mistakes.empty());
  const auto& relay = loaded.config.domains.at(0).relay;
  REQUIRE(relay.hosts.size() == 3);
  CHECK(relay.hosts[0].to_string() == "smtp://10.0.0.5:25");
  CHECK(relay.hosts[1].to_string() == "smtp://mail.corp.example:2525");
  CHECK(relay.hosts[2].to_string() == "lmtp://[2001:db8::1]:24");
  CHECK(relay.hosts[2].lmtp);
  CHECK(relay.tls == config::TlsUse::verify);
  CHECK_FALSE(relay.ask_recipients);
  CHECK(relay.queue_when_down);
  CHECK(loaded.config.domains.at(1).relay == config::Relay());
  CHECK(loaded.config.queue.retry == std::vector<config::Milliseconds>{config::Milliseconds(30'000), config::Milliseconds(3'600'000)});
  CHECK(loaded.config.queue.expire == std::chrono::days(4));
  CHECK(loaded.config.queue.connections_per_route == 3);
  CHECK(loaded.config.queue.connections == 9);
  CHECK(loaded.config.queue.delay_notice.count() == 0);
}

TEST_CASE("the mail of a domain with one host may be handed through") {
  auto loaded = config::parse(kSmallest + "deliver = \"lmtp://10.0.0.5\"\ndeliver_mode = \"through\"\n", "p.toml");
  REQUIRE(loaded.mistakes.empty());
  CHECK(loaded.config.domains.at(0).relay.through);
}

TEST_CASE("without a [queue] mail is tried for five days, in intervals that grow to four hours") {
  auto loaded = config::parse(kSmallest, "p.toml");
  CHECK(loaded.config.queue.retry.front() == std::chrono::minutes(1));
  CHECK(loaded.config.queue.retry.back() == std::chrono::hours(4));
  CHECK(loaded.config.queue.expire == std::chrono::days(5));
  CHECK(loaded.config.queue.delay_notice == std::chrono::hours(4));
}

TEST_CASE("keys are not rotated unless that is asked for, and not more often than somebody can change DNS") {
  auto loaded = config::parse(kSmallest, "p.toml");
  CHECK(loaded.config.dkim.rotate == 0s);
  CHECK(loaded.config.dkim.overlap == 24h * 7);
  loaded = config::parse(kSmallest + "[dkim]\nrotate = \"180d\"\noverlap = \"14d\"\n", "p.toml");
  REQUIRE(loaded.ok());
  CHECK(loaded.config.dkim.rotate == 24h * 180);
  CHECK(loaded.config.dkim.overlap == 24h * 14);
  CHECK(config::parse(kSmallest + "[dkim]\nrotate = \"0\"\n", "p.toml").ok());
  CHECK(only_mistake(kSmallest + "[dkim]\nrotate = \"1d\"\n").starts_with("p.toml:4: rotate in [dkim] must be at least"));
  CHECK(only_mistake(kSmallest + "[dkim]\nrotate = 180\n").starts_with("p.toml:4: rotate in [dkim] must be a time"));
  loaded = config::parse(kSmallest + "[dkim]\noverlap = \"2d\"\n", "p.toml");
  REQUIRE(loaded.ok());
  auto warned = [](const std::string& line) { return line.find("p.toml:4: overlap in [dkim] is shorter than expire in [queue]") != std::string::npos; };
  CHECK(std::any_of(loaded.warnings.begin(), loaded.warnings.end(), warned));
}

TEST_CASE("what is wrong with the abuse desk is told with its line") {
  auto said = [](const std::string& text) {
    auto loaded = config::parse(std::string(kSmallest) + "[abuse]\n" + text, "p.toml");
    return loaded.mistakes.size() == 1 ? loaded.mistakes[0] : std::to_string(loaded.mistakes.size());
  };
  CHECK(config::parse(kSmallest, "p.toml").config.abuse == config::Abuse{3, std::chrono::hours(24 * 14), 3, 20, 2, false});
  CHECK(said("suppress_for = \"9999d\"\n") == "p.toml:4: suppress_for in [abuse] is at most 10 years; \"0s\" is until it is lifted");
  CHECK(said("suppress_after = 21\n").find("p.toml:4: suppress_after") != std::string::npos);
  CHECK(said("alarm_held = 1001\n").find("alarm_held") != std::string::npos);
  CHECK(said("alarm_stops = 1\n").find("alarm_stops") != std::string::npos);
  CHECK(said("alarm_hold = 1\n").find("(alarm_held?)") != std::string::npos);
}

TEST_CASE("what is wrong with the limits of a user is told with its line") {
  auto said = [](const std::string& text) {
    auto loaded = config::parse(std::string(kSmallest) + text, "p.toml");
    return loaded.mistakes.size() == 1 ? loaded.mistakes[0] : std::to_string(loaded.mistakes.size());
  };
  CHECK(said("[submission.users.\"ann\"]\nmessages_per_hour = 1\n").find("that is no address") != std::string::npos);
  CHECK(said("[submission.users.\"ann@elsewhere.example\"]\nmessages_per_hour = 1\n").find("in none of our domains") != std::string::npos);
  CHECK(said("[submission]\nmessages_per_hour = -1\n").find("messages_per_hour") != std::string::npos);
  CHECK(said("[submission]\nmessages_per_our = 1\n").find("messages_per_hour?") != std::string::npos);
}
