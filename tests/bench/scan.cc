// CPU of virus scanning through the whole pipe: gateway side and scanner processes, per mail.
// Prints figures, asserts nothing.  bench_scan [FOLDER OF SIGNATURES]
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "gateway/base/log.h"
#include "gateway/io/together.h"
#include "gateway/mail/mime.h"
#include "tests/support/antivirus/rig.h"

using namespace postern;

namespace {

constexpr int kMails = 2000;
constexpr int kAtOnce = 4;

double own_micros() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

// Processor time in the scanners, /proc/PID/schedstat: nanoseconds.
double scanner_micros(const filters::AntivirusState& state) {
  double sum = 0;
  for (pid_t pid : state.scanner_pids) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/schedstat");
    double nanos = 0;
    in >> nanos;
    sum += nanos / 1e3;
  }
  return sum;
}

io::Task<int> scan_many(filters::Antivirus& antivirus, const std::string& mail, int count) {
  int bad = 0;
  for (int i = 0; i < count; ++i) {
    auto job = filters::scan_job(Octets(mail), mail::parse(mail));
    auto virus = co_await antivirus.scan(std::move(job), in(std::chrono::seconds(60)));
    if (virus.state != filters::Virus::State::clean) ++bad;
  }
  co_return bad;
}

void measure(testing::AntivirusRig& rig, const char* what, const std::string& mail, int count) {
  auto& antivirus = rig.antivirus();
  double own = own_micros();
  double scanners = scanner_micros(antivirus.state());
  auto start = std::chrono::steady_clock::now();
  std::vector<io::Task<int>> tasks;
  for (int i = 0; i < kAtOnce; ++i) tasks.push_back(scan_many(antivirus, mail, count / kAtOnce));
  int bad = 0;
  for (int each : rig.loop.block_on(io::together(std::move(tasks)))) bad += each;
  double wall = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
  own = own_micros() - own;
  scanners = scanner_micros(antivirus.state()) - scanners;
  std::printf("%-34s %7zu octets: gateway %6.1f + scanners %7.1f = %7.1f us CPU a mail, %6.0f mails/s%s\n", what, mail.size(), own / count,
              scanners / count, (own + scanners) / count, count * 1e6 / wall, bad != 0 ? "  NOT ALL CLEAN" : "");
}

std::string words(std::size_t octets) {
  std::string text;
  while (text.size() < octets) {
    text += "The quick brown fox jumps over the lazy dog and writes " + std::to_string(text.size() * 7919) + " words.\r\n";
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  log::set_level(log::Level::error);
  testing::AntivirusRig rig;
  if (argc > 1) {
    rig.options.database = argv[1];
  } else {
    rig.add_signatures("bench.hdb", "aa15bcf478d165efd2065190eb473bcb:544:Bench.File\n");
  }
  if (!rig.wait_until_ready()) {
    std::fprintf(stderr, "%s\n", rig.antivirus().state().problem.c_str());
    return 1;
  }
  std::string html = "<html><body>";
  while (html.size() < 4096) html += "<p>Hello <b>you</b>, see <a href=\"http://example.org/" + std::to_string(html.size()) + "\">this</a></p>\r\n";
  measure(rig, "text", testing::mail_with("Content-Type: text/plain\r\n", words(3900)), kMails);
  measure(rig, "HTML", testing::mail_with("Content-Type: text/html\r\n", html), kMails);
  measure(rig, "text, base64", testing::mail_with("Content-Transfer-Encoding: base64\r\n", testing::base64_lines(words(2800))), kMails);
  measure(rig, "text and small zip", testing::mail_with_attachment("a.zip", testing::zip_of("a.txt", words(3000))), kMails);
  measure(rig, "text", testing::mail_with("Content-Type: text/plain\r\n", words(100'000)), kMails / 10);
  measure(rig, "text and 70 KB attachment", testing::mail_with_attachment("a.bin", words(70'000)), kMails / 10);
  return 0;
}
