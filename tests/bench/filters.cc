// CPU time of the facts of one message: DKIM verification and DMARC, from answers that are already there.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>

#include "filters/dkim.h"
#include "filters/dmarc.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "tests/support/dkim_signer.h"

using namespace postern;
using namespace postern::filters;

namespace {

double cpu_us() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

std::string mail_of(std::size_t size) {
  std::string mail = "From: Alice <alice@example.com>\r\nTo: bob@example.net\r\nSubject: figures\r\nDate: Tue, 24 Nov 2026 03:59:02 +0000\r\n\r\n";
  while (mail.size() < size) mail += "The quick brown fox jumps over the lazy dog, and again it does.\r\n";
  return mail;
}

io::Task<Dkim> many(Octets octets, dns::Resolver& resolver, io::WorkerPool* workers, int times) {
  Dkim last;
  for (int i = 0; i < times; ++i) {
    last = co_await verify_dkim(octets, resolver, workers, from_unix(1'764'000'000), in(std::chrono::seconds(60)));
  }
  co_return last;
}

// Best of seven rounds.
void measure(const char* what, Octets octets, dns::Resolver& resolver, io::WorkerPool* workers) {
  constexpr int kTimes = 200;
  double best = 1e12;
  Dkim out;
  for (int round = 0; round < 7; ++round) {
    io::Loop loop;
    double begin = cpu_us();
    out = loop.block_on(many(octets, resolver, workers, kTimes));
    best = std::min(best, (cpu_us() - begin) / kTimes);
  }
  bool passes = !out.signatures.empty() && out.signatures[0].result == DkimResult::pass;
  std::printf("%-44s %8.1f us  %s\n", what, best, passes ? "pass" : "no signature");
}

}  // namespace

int main() {
  auto rsa = test::DkimTestKey::rsa(2048);
  auto ed = test::DkimTestKey::ed25519();
  dns::FixedResolver resolver;
  (void)resolver.zone().add("sel._domainkey.example.com", "TXT", rsa.record());
  (void)resolver.zone().add("ed._domainkey.example.com", "TXT", ed.record());
  (void)resolver.zone().add("_dmarc.example.com", "TXT", "v=DMARC1; p=reject");
  test::DkimSigning with_ed;
  with_ed.selector = "ed";
  io::WorkerPool workers(1);
  std::string small = mail_of(4096), large = mail_of(100 * 1024);

  Octets signed_small(dkim_field(small, rsa, {}) + small);
  measure("dkim none 4 KiB", Octets(small), resolver, nullptr);
  measure("dkim verify rsa-2048 4 KiB, on the loop", signed_small, resolver, nullptr);
  measure("dkim verify rsa-2048 4 KiB, on a worker", signed_small, resolver, &workers);
  measure("dkim verify ed25519 4 KiB, on the loop", Octets(dkim_field(small, ed, with_ed) + small), resolver, nullptr);
  measure("dkim verify rsa-2048 100 KiB, on the loop", Octets(dkim_field(large, rsa, {}) + large), resolver, nullptr);

  constexpr int kTimes = 2000;
  Spf spf;
  spf.result = SpfResult::pass;
  spf.domain = "mail.example.com";
  Dkim dkim;
  double best = 1e12;
  bool pass = true;
  for (int round = 0; round < 7; ++round) {
    io::Loop loop;
    double begin = cpu_us();
    for (int i = 0; i < kTimes / 10; ++i) {
      Authors authors = author_domains(signed_small.view());
      auto records = loop.block_on(discover_dmarc(resolver, authors.domains, in(std::chrono::seconds(60))));
      pass = judge_dmarc(authors, records, spf, dkim, dmarc_sample(signed_small.view(), 1)).result == DmarcResult::pass && pass;
    }
    best = std::min(best, (cpu_us() - begin) / (kTimes / 10));
  }
  std::printf("%-44s %8.1f us  %s\n", "dmarc, a turn of the loop included", best, pass ? "pass" : "WRONG");
  return 0;
}
