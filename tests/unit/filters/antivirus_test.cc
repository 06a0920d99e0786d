// Virus scanning through the whole pipe: queue, jailed scanner processes, libclamav, restarts.
#include "filters/antivirus.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "filters/scanner_work.h"
#include "gateway/io/together.h"
#include "tests/support/antivirus/rig.h"
#include "tests/support/catch.h"

using namespace postern;
using namespace std::chrono_literals;
using filters::AntivirusState;
using filters::Virus;
using testing::AntivirusRig;
using testing::eicar;
using testing::mail_with;
using testing::mail_with_attachment;
using testing::zip_of;

namespace {

// Finds these 16 octets anywhere; so EICAR is only found by our own signature, and this by the folder's.
const char* const kSignature = "Test.Marker:0:*:706f737465726e2d746573742d6d61726b6572\n";  // "postern-test-marker"
const std::string kMarker = "postern-test-marker";

struct Ready : AntivirusRig {
  Ready() { add_signatures("test.ndb", kSignature); }
};

filters::ScanJob job_for(const std::string& mail) { return filters::scan_job(Octets(mail), mail::parse(mail)); }

// Gone, or a zombie whose new parent has not looked yet.
bool dead(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string number, command, run_state;
  stat >> number >> command >> run_state;
  return run_state.empty() || run_state == "Z" || run_state == "X";
}

// A mail on which a scanner works for a good while: 3 MiB of octets without structure.
std::string slow_mail() {
  std::string octets(3 << 20, '\0');
  std::uint32_t x = 1;
  for (auto& c : octets) {
    x = x * 1664525 + 1013904223;
    c = static_cast<char>(x >> 24);
  }
  return mail_with_attachment("slow.bin", octets);
}

}  // namespace

TEST_CASE_METHOD(Ready, "EICAR is found in every wrapping of a mail") {
  std::string qp;
  for (char c : eicar()) qp += c == '=' ? "=3D" : std::string(1, c);
  struct {
    const char* what;
    std::string mail;
  } cases[] = {
      {"plain", mail_with("Content-Type: text/plain\r\n", eicar())},
      {"plain with a line end", mail_with("Content-Type: text/plain\r\n", eicar() + "\r\n")},
      {"plain without a type", mail_with("", eicar() + "\r\n\r\n")},
      {"quoted-printable", mail_with("Content-Transfer-Encoding: quoted-printable\r\n", qp.substr(0, 30) + "=\r\n" + qp.substr(30) + "\r\n")},
      {"base64", mail_with_attachment("eicar.com", eicar())},
      {"base64 with a line end inside", mail_with_attachment("eicar.com", eicar() + "\r\n")},
      {"zip", mail_with_attachment("eicar.zip", zip_of("eicar.com", eicar()))},
      {"zip in zip", mail_with_attachment("eicar.zip", zip_of("inner.zip", zip_of("eicar.com", eicar())))},
      {"forwarded mail", mail_with("Content-Type: message/rfc822\r\n", mail_with_attachment("eicar.com", eicar()))},
      {"uuencode in the text", mail_with("", "Here it is.\r\n\r\nbegin 644 eicar.com\r\n"
                                             "M6#5/(5`E0$%06S1<4%I8-30H4%XI-T-#*3=])$5)0T%2+5-404Y$05)$+4%.\r\n"
                                             "75$E625)54RU415-4+49)3$4A)$@K2\"H`\r\n`\r\nend\r\n")},
      {"uuencode with an odd mode", mail_with("", "Here it is.\r\n\r\nbegin 100 eicar.com\r\n"
                                             "M6#5/(5`E0$%06S1<4%I8-30H4%XI-T-#*3=])$5)0T%2+5-404Y$05)$+4%.\r\n"
                                             "75$E625)54RU415-4+49)3$4A)$@K2\"H`\r\n`\r\nend\r\n")},
  };
  for (auto& c : cases) {
    INFO(c.what);
    Virus virus = scan(c.mail);
    INFO(virus.problem);
    CHECK(virus.state == Virus::State::found);
    CHECK(virus.name == "Postern.Eicar-Test-Signature.UNOFFICIAL");
  }
}

TEST_CASE_METHOD(Ready, "a harmless mail is clean, and the folder's own signatures count") {
  CHECK(scan(mail_with("", "hello\r\n")).state == Virus::State::clean);
  Virus virus = scan(mail_with("", "here is a " + kMarker + " for you\r\n"));
  CHECK(virus.state == Virus::State::found);
  CHECK(virus.name == "Test.Marker.UNOFFICIAL");
  CHECK(scan("").state == Virus::State::clean);
  auto state = antivirus().state();
  CHECK(state.phase == AntivirusState::Phase::ready);
  CHECK(state.signatures == 1);
  CHECK(state.scans == 3);
  CHECK(state.found == 1);
  CHECK(state.errors == 0);
  CHECK(to_unix(state.last_self_test) > 0);
  CHECK(to_unix(state.database_time) > 0);
}

TEST_CASE_METHOD(Ready, "a message bigger than the shared area travels in a memory file of its own") {
  Virus virus = scan(mail_with_attachment("big.bin", std::string(3 << 20, 'x') + kMarker));
  CHECK(virus.problem == "");
  CHECK(virus.state == Virus::State::found);
}

TEST_CASE_METHOD(Ready, "a scan may be asked for from any loop") {
  REQUIRE(wait_until_ready());
  std::string mail = mail_with_attachment("eicar.com", eicar());
  Virus virus;
  std::thread other([&] {
    io::Loop their_loop;
    virus = their_loop.block_on(antivirus().scan(job_for(mail), in(20s)));
    loop.stop();
  });
  loop.run();
  other.join();
  CHECK(virus.state == Virus::State::found);
}

TEST_CASE_METHOD(AntivirusRig, "an empty database setting switches scanning off") {
  options.database = "";
  CHECK(scan(mail_with_attachment("eicar.com", eicar())).state == Virus::State::off);
  CHECK(antivirus().state().phase == AntivirusState::Phase::off);
}

TEST_CASE_METHOD(Ready, "no scanner at all switches scanning off") {
  options.scanners = 0;
  CHECK(scan(mail_with_attachment("eicar.com", eicar())).state == Virus::State::off);
}

TEST_CASE_METHOD(Ready, "what takes longer than its time is too much, and a part outside of the message an error") {
  auto engine = filters::Engine::load(options.database, filters::EngineLimits(), options.scratch);
  REQUIRE(engine.has_value());
  filters::WorkLimits limits;
  filters::wire::Piece piece;
  piece.length = 5;
  CHECK(filters::scan_pieces(*engine, "hello", {piece}, limits).state == filters::wire::State::clean);
  limits.message_milliseconds = 0;
  auto late = filters::scan_pieces(*engine, "hello", {piece}, limits);
  CHECK(late.state == filters::wire::State::limit);
  CHECK(late.text == "the scan takes too long");
  piece.offset = 1;
  auto outside = filters::scan_pieces(*engine, "hello", {piece}, limits);
  CHECK(outside.state == filters::wire::State::error);
  CHECK(outside.text == "the part lies outside of the message");
}

TEST_CASE("the scanner's arguments read back as they were, and a mistake is named") {
  filters::ScannerOptions options;
  options.socket = 7;
  options.database = "/db";
  options.scratch = "/scratch";
  options.milliseconds = 1234;
  options.allow_landlock = false;
  auto arguments = filters::scanner_arguments(options);
  auto back = filters::parse_scanner_arguments(arguments);
  REQUIRE(back.has_value());
  CHECK(filters::scanner_arguments(*back) == arguments);
  struct {
    std::vector<std::string> arguments;
    const char* text;
  } wrong[] = {{{"--colour"}, "unknown argument \"--colour\""},
               {{"--database"}, "--database needs a value"},
               {{"--socket-fd", "x"}, "--socket-fd: \"x\" is no number for it"},
               {{"--database", "/db"}, "--socket-fd is missing: the gateway starts this program, nobody else"},
               {{"--socket-fd", "3"}, "--database is missing"}};
  for (auto& c : wrong) {
    auto options_or_error = filters::parse_scanner_arguments(c.arguments);
    REQUIRE_FALSE(options_or_error.has_value());
    CHECK(options_or_error.error().text == c.text);
  }
}

TEST_CASE_METHOD(AntivirusRig, "without a signature database every message is an error that says so, until one comes") {
  std::string mail = mail_with("", "a " + kMarker + "\r\n");
  Virus virus = scan(mail);
  CHECK(virus.state == Virus::State::error);
  CHECK(virus.problem == "not scanned: no signature database in " + options.database);
  CHECK(antivirus().state().phase == AntivirusState::Phase::broken);
  CHECK(antivirus().state().errors == 1);

  add_signatures("test.ndb", kSignature);
  REQUIRE(wait_until_ready());
  CHECK(scan(mail).state == Virus::State::found);
}

TEST_CASE_METHOD(AntivirusRig, "a folder that does not exist is a missing database") {
  options.database = folder / "nowhere";
  Virus virus = scan(mail_with("", "x\r\n"));
  CHECK(virus.state == Virus::State::error);
  CHECK(virus.problem.find("no signature database in") != std::string::npos);
}

TEST_CASE_METHOD(AntivirusRig, "a database that ClamAV refuses is a problem in words") {
  add_signatures("broken.ndb", "this is no signature\n");
  Virus virus = scan(mail_with("", "x\r\n"));
  CHECK(virus.state == Virus::State::error);
  CHECK(virus.problem.find("cannot load the signature database") != std::string::npos);
}

TEST_CASE_METHOD(AntivirusRig, "a scanner program that does not exist is a problem in words") {
  add_signatures("test.ndb", kSignature);
  options.command = {"/nonexistent/scanner"};
  Virus virus = scan(mail_with("", "x\r\n"));
  CHECK(virus.state == Virus::State::error);
  CHECK(virus.problem.find("/nonexistent/scanner") != std::string::npos);
}

TEST_CASE_METHOD(AntivirusRig, "a scanner program that ends at once is a problem in words") {
  add_signatures("test.ndb", kSignature);
  options.command = {"/bin/false"};
  Virus virus = scan(mail_with("", "x\r\n"));
  CHECK(virus.state == Virus::State::error);
  CHECK(virus.problem.find("exit status 1") != std::string::npos);
}

TEST_CASE_METHOD(Ready, "a message whose deadline passes while the database loads is not scanned, and says so") {
  Virus virus = scan(mail_with("", "x\r\n"), 0ms);
  CHECK(virus.state == Virus::State::error);
  CHECK(virus.problem == "not scanned: the signature database is still being loaded");
}

TEST_CASE_METHOD(Ready, "the folder of a landlock jail serves when namespaces are not to be had") {
  options.allow_namespaces = false;
  CHECK(scan(mail_with_attachment("eicar.zip", zip_of("eicar.com", eicar()))).state == Virus::State::found);
  CHECK(antivirus().state().confinement == "landlock");
}

TEST_CASE_METHOD(Ready, "a scanner that cannot be confined is not used") {
  options.allow_namespaces = false;
  options.allow_landlock = false;
  Virus virus = scan(mail_with_attachment("eicar.com", eicar()));
  CHECK(virus.state == Virus::State::error);
  CHECK(virus.problem.find("scanners cannot be confined") != std::string::npos);
  CHECK(antivirus().state().phase == AntivirusState::Phase::broken);
}

// --- bad days

namespace {

// Sends `signal` to a scanner that is at work, once or twice.
io::Task<Virus> scan_and_signal(AntivirusRig& rig, std::string mail, int signal, int times) {
  auto job = job_for(mail);
  std::vector<io::Task<Virus>> tasks;
  tasks.push_back(rig.antivirus().scan(std::move(job), in(30s)));
  auto scanning = std::make_shared<bool>(true);
  struct Killer {
    static io::Task<Virus> run(AntivirusRig& r, int sig, int n) {
      for (int i = 0; i < n; ++i) {
        auto crashes = r.antivirus().state().crashes;
        // The only scanner is the one with the message.
        co_await io::sleep_until(in(10ms));
        for (pid_t pid : r.antivirus().state().scanner_pids) ::kill(pid, sig);
        Deadline end = in(20s);
        while (r.antivirus().state().crashes == crashes && std::chrono::steady_clock::now() < end) co_await io::sleep_until(in(1ms));
        // The next scanner must have the message before it is hit.
        while (r.antivirus().state().scanners_alive == 0 && std::chrono::steady_clock::now() < end) co_await io::sleep_until(in(1ms));
      }
      Virus none;
      co_return none;
    }
  };
  tasks.push_back(Killer::run(rig, signal, times));
  auto results = co_await io::together(std::move(tasks));
  Virus first = results[0];
  co_return first;
}

}  // namespace

TEST_CASE_METHOD(Ready, "a message whose scanner crashes once is scanned by another") {
  options.scanners = 1;   // of two, the one that takes over could be the one dying of the same signal
  REQUIRE(wait_until_ready());
  Virus virus = loop.block_on(scan_and_signal(*this, slow_mail(), SIGKILL, 1));
  CHECK(virus.problem == "");
  CHECK(virus.state == Virus::State::clean);
  CHECK(antivirus().state().crashes == 1);
  CHECK(wait_until_ready());
}

TEST_CASE_METHOD(Ready, "a message that costs two scanners is too much, which no retry helps") {
  options.scanners = 1;
  REQUIRE(wait_until_ready());
  Virus virus = loop.block_on(scan_and_signal(*this, slow_mail(), SIGKILL, 2));
  CHECK(virus.state == Virus::State::limit);
  CHECK(virus.problem == "two scanners crashed on this message");
  CHECK(antivirus().state().crashes == 2);
  REQUIRE(wait_until_ready());
  CHECK(scan(mail_with("", "x\r\n")).state == Virus::State::clean);
}

TEST_CASE_METHOD(Ready, "a scanner that hangs is killed and its message goes to another") {
  options.scanners = 1;   // of two, a free one could take every message
  options.scan_timeout = 1500ms;
  REQUIRE(wait_until_ready());
  pid_t stopped = antivirus().state().scanner_pids[0];
  ::kill(stopped, SIGSTOP);
  CHECK(scan(mail_with_attachment("eicar.com", eicar())).state == Virus::State::found);
  CHECK(antivirus().state().crashes == 1);
  REQUIRE(wait_until_ready());
  for (pid_t pid : antivirus().state().scanner_pids) CHECK(pid != stopped);
}

TEST_CASE_METHOD(Ready, "a scanner that dies while idle is replaced without a message noticing") {
  REQUIRE(wait_until_ready());
  auto before = antivirus().state().scanner_pids;
  // One of the two: a message that meets two dying scanners counts as one that kills them.
  ::kill(before[0], SIGKILL);
  CHECK(scan(mail_with_attachment("eicar.com", eicar())).state == Virus::State::found);
  CHECK(wait_until([&](const AntivirusState& s) { return s.scanners_alive == 2 && s.scanner_pids != before; }));
  CHECK(antivirus().state().errors == 0);
}

namespace {

// The loader is the scanners' parent.
pid_t parent_of(pid_t scanner) {
  std::ifstream stat("/proc/" + std::to_string(scanner) + "/stat");
  std::string word;
  pid_t parent = 0;
  stat >> word >> word >> word >> parent;
  return parent;
}

}  // namespace

TEST_CASE_METHOD(Ready, "a loader that is stuck is replaced once a scanner is wanted of it") {
  options.start_timeout = 3s;
  REQUIRE(wait_until_ready());
  auto before = antivirus().state().scanner_pids;
  pid_t loader = parent_of(before[0]);
  REQUIRE(loader > 1);
  REQUIRE(loader != ::getpid());
  ::kill(loader, SIGSTOP);
  ::kill(before[0], SIGKILL);
  CHECK(wait_until([&](const AntivirusState& s) { return s.loads == 2 && s.scanners_alive == 2; }));
  CHECK(scan(mail_with_attachment("eicar.com", eicar())).state == Virus::State::found);
  CHECK(dead(loader));
}

TEST_CASE_METHOD(Ready, "a loader that dies is replaced, with its scanners") {
  REQUIRE(wait_until_ready());
  auto before = antivirus().state().scanner_pids;
  pid_t loader = parent_of(before[0]);
  REQUIRE(loader > 1);
  REQUIRE(loader != ::getpid());
  ::kill(loader, SIGKILL);
  CHECK(wait_until([&](const AntivirusState& s) { return s.loads == 2 && s.scanners_alive == 2; }));
  CHECK(antivirus().state().phase == AntivirusState::Phase::ready);
  CHECK(scan(mail_with_attachment("eicar.com", eicar())).state == Virus::State::found);
  for (pid_t pid : before) CHECK(dead(pid));
}

namespace {

io::Task<int> scan_until(AntivirusRig& rig, bool& stop, int& scanned) {
  int bad = 0;
  std::string mail = mail_with_attachment("eicar.com", eicar());
  while (!stop) {
    auto job = job_for(mail);
    auto virus = co_await rig.antivirus().scan(std::move(job), in(20s));
    if (virus.state != Virus::State::found) ++bad;
    ++scanned;
  }
  co_return bad;
}

io::Task<int> swap_databases(AntivirusRig& rig, bool& stop, int swaps) {
  int failed = 0;
  for (int i = 0; i < swaps; ++i) {
    auto loads = rig.antivirus().state().loads;
    rig.add_signatures("test.ndb", std::string(kSignature) + "Other." + std::to_string(i) + ":0:*:aabbccddeeff0011\n");
    Deadline end = in(20s);
    while (rig.antivirus().state().loads == loads && std::chrono::steady_clock::now() < end) co_await io::sleep_until(in(2ms));
    if (rig.antivirus().state().loads == loads) ++failed;
  }
  stop = true;
  co_return failed;
}

}  // namespace

TEST_CASE_METHOD(Ready, "a new database takes over while scans go on, and none is lost") {
  REQUIRE(wait_until_ready());
  auto before = antivirus().state().scanner_pids;
  bool stop = false;
  int scanned = 0;
  std::vector<io::Task<int>> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(scan_until(*this, stop, scanned));
  tasks.push_back(swap_databases(*this, stop, 3));
  auto bad = loop.block_on(io::together(std::move(tasks)));
  CHECK(bad == std::vector<int>{0, 0, 0, 0, 0});
  CHECK(scanned > 10);
  auto state = antivirus().state();
  CHECK(state.loads == 4);
  CHECK(state.signatures == 2);
  CHECK(state.crashes == 0);
  CHECK(state.errors == 0);
  CHECK(wait_until([&](const AntivirusState& s) {
    return s.scanner_pids.size() == 2 && s.scanner_pids[0] != before[0] && s.scanner_pids[1] != before[1];
  }));
}

TEST_CASE_METHOD(Ready, "a new database that does not load leaves the old one at work") {
  REQUIRE(wait_until_ready());
  add_signatures("broken.ndb", "this is no signature\n");
  REQUIRE(wait_until([](const AntivirusState& s) { return s.problem.find("cannot load") != std::string::npos; }));
  CHECK(antivirus().state().phase == AntivirusState::Phase::ready);
  CHECK(scan(mail_with("", kMarker + "\r\n")).state == Virus::State::found);
}

TEST_CASE_METHOD(Ready, "the self-test runs again after its time") {
  options.self_test_every = 30ms;
  REQUIRE(wait_until_ready());
  Time first = antivirus().state().last_self_test;
  CHECK(wait_until([&](const AntivirusState& s) { return s.last_self_test > first && s.scans > 0; }));
}

TEST_CASE_METHOD(Ready, "too many waiting messages are refused, not kept") {
  options.queue_messages = 2;
  std::vector<io::Task<Virus>> scans;
  std::string mail = mail_with("", "x\r\n");
  for (int i = 0; i < 4; ++i) scans.push_back(antivirus().scan(job_for(mail), in(20s)));
  auto results = loop.block_on(io::together(std::move(scans)));
  CHECK(results[0].state == Virus::State::clean);
  CHECK(results[1].state == Virus::State::clean);
  CHECK(results[2].problem == "not scanned: too many messages wait for a scanner");
  CHECK(results[3].state == Virus::State::error);
}

// --- bombs

TEST_CASE_METHOD(Ready, "a zip bomb exceeds a limit within bounded time and memory, and the next mail is scanned") {
  REQUIRE(wait_until_ready());
  auto start = std::chrono::steady_clock::now();
  std::string bomb = zip_of("zeros", std::string(160 << 20, '\0'));
  auto packed = std::chrono::steady_clock::now();
  Virus virus = scan(mail_with_attachment("bomb.zip", bomb));
  auto took = std::chrono::steady_clock::now() - packed;
  CHECK(packed > start);
  CHECK(virus.state == Virus::State::limit);
  CHECK(virus.problem.find("limit exceeded: the archive unpacks to more than 150 MiB in bomb.zip") != std::string::npos);
  CHECK(took < 5s);
  CHECK(antivirus().state().crashes == 0);
  CHECK(scan(mail_with_attachment("eicar.zip", zip_of("eicar.com", eicar()))).state == Virus::State::found);
}

TEST_CASE_METHOD(Ready, "sixteen zips in each other are looked through, seventeen exceed a limit") {
  std::string deep = zip_of("eicar.com", eicar());
  for (int i = 1; i < 16; ++i) deep = zip_of("inner.zip", deep);
  CHECK(scan(mail_with_attachment("deep.zip", deep)).state == Virus::State::found);
  Virus virus = scan(mail_with_attachment("deeper.zip", zip_of("inner.zip", deep)));
  CHECK(virus.state == Virus::State::limit);
  CHECK(virus.problem == "limit exceeded: archives lie more than 16 deep in each other in deeper.zip");
}
