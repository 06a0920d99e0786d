// Our ARC against dkimpy's, in both directions and in one chain.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "filters/arc.h"
#include "gateway/base/text.h"
#include "gateway/dns/fixed_resolver.h"
#include "gateway/io/loop.h"
#include "gateway/signing/seal.h"
#include "gateway/signing/signature.h"
#include "tests/support/catch.h"
#include "tests/support/suites.h"
#include "tests/support/temporary_directory.h"

using namespace postern;

namespace {

const Time kNow = from_unix(1'764'000'000);
const std::string kName = "mx.corp.example";

// What the judge prints.
std::string judge(const std::string& arguments) {
  const char* source = std::getenv("POSTERN_SOURCE");
  std::string command = "/usr/bin/python3 -B " + std::string(source == nullptr ? "." : source) + "/tests/support/arc_judge.py " + arguments;
  FILE* pipe = popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string out;
  char buffer[4096];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) != 0;) out.append(buffer, n);
  CHECK(pclose(pipe) == 0);
  return out;
}

// False, with a line that says so, where dkimpy is not complete.
bool have_dkimpy() {
  auto missing = judge("missing");
  if (trimmed(missing).empty()) return true;
  std::printf("SKIPPED: no %s here\n", std::string(trimmed(missing)).c_str());
  return false;
}

struct World {
  test::TemporaryDirectory folder;
  signing::Key key;
  dns::FixedResolver resolver;
  io::Loop loop;
  int files = 0;

  World() {
    auto made = signing::make_key("corp.example", "r", signing::Algorithm::rsa, kNow);
    REQUIRE(made);
    key = std::move(*made);
    REQUIRE(resolver.zone().add(key.record_name(), "TXT", key.record_text()));
    write("keys", key.record_name() + " " + key.record_text() + "\n");
    std::string pem = "-----BEGIN PRIVATE KEY-----\n";
    auto text = base64(key.secret->octets());
    for (std::size_t at = 0; at < text.size(); at += 64) pem += text.substr(at, 64) + "\n";
    write("pem", pem + "-----END PRIVATE KEY-----\n");
  }
  std::string path(const std::string& name) { return folder.path() + "/" + name; }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  filters::Arc ours(const std::string& message) {
    Octets octets(message);
    return loop.block_on(filters::validate_arc(octets, resolver, nullptr, kNow, in(std::chrono::seconds(60))));
  }
  // One line a message.
  std::vector<std::string> theirs(const std::vector<std::string>& messages) {
    std::string arguments = "verify " + path("keys");
    for (const auto& message : messages) arguments += " " + write("m" + std::to_string(files++), message);
    std::vector<std::string> out;
    auto printed = judge(arguments);
    for (auto line : split(printed, '\n')) {
      if (!line.empty()) out.emplace_back(line);
    }
    REQUIRE(out.size() == messages.size());
    return out;
  }
  // Sealed by us, by what our validator says of the chain so far.
  std::string seal(const std::string& message) {
    auto arc = ours(message);
    signing::Sealing how;
    using filters::ArcResult;
    how.status = arc.result == ArcResult::none ? signing::ChainStatus::none : arc.result == ArcResult::pass ? signing::ChainStatus::pass : signing::ChainStatus::fail;
    how.payload = kName + "; spf=pass smtp.mailfrom=a@else.example; arc=" + std::string(name(arc.result));
    auto made = signing::seal(message, how, key, kNow);
    REQUIRE(made);
    return *made + message;
  }
  // Sealed by dkimpy, which takes the state of the chain from Authentication-Results.
  std::string dkimpy_seal(const std::string& message) {
    auto arc = ours(message);
    auto with = "Authentication-Results: " + kName + "; arc=" + std::string(name(arc.result)) + ";\r\n spf=pass smtp.mailfrom=a@else.example\r\n" + message;
    auto fields = judge("seal " + write("m" + std::to_string(files++), with) + " " + path("pem") + " corp.example r " + kName);
    REQUIRE(fields.starts_with("ARC-Seal:"));
    return fields + with;
  }
};

std::vector<std::string> mails() {
  std::string header = "Received: by x\r\nFrom: A <a@else.example>\r\nTo: b@corp.example,\r\n\tc@corp.example\r\nSubject: =?utf-8?q?h=C3=A4?=  x \r\nDate: Tue, 24 Nov 2026 03:59:02 +0000\r\n";
  return {header + "\r\nbody  text \r\n\r\n\r\n", header + "\r\n", header + "\r\nno line end",
          "List-Id: <l.corp.example>\r\nSubject: another\r\n" + header + "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xa4\xc3\xb6\r\n"};
}

}  // namespace

TEST_CASE("dkimpy passes what we seal, up to the fifth set") {
  if (!have_dkimpy()) return;
  World w;
  std::vector<std::string> sealed;
  for (auto message : mails()) {
    auto signatures = signing::signatures_of(message, {&w.key}, kNow);
    REQUIRE(signatures);
    message = *signatures + message;
    for (int i = 0; i < 5; ++i) {
      message = w.seal(message);
      sealed.push_back("Received: by a later one\r\n" + message);
    }
  }
  for (const auto& line : w.theirs(sealed)) CHECK(line == "pass");
}

TEST_CASE("we pass what dkimpy seals, and chains in which both took turns") {
  if (!have_dkimpy()) return;
  World w;
  for (const auto& mail : mails()) {
    auto theirs = w.dkimpy_seal(mail);
    auto arc = w.ours(theirs);
    CAPTURE(arc.problem);
    CHECK(arc.result == filters::ArcResult::pass);
    CHECK(arc.sets.at(0).results.authserv_id == kName);
    auto mixed = w.seal(w.dkimpy_seal(w.seal(mail)));
    auto last = w.ours(mixed);
    CAPTURE(last.problem);
    CHECK(last.result == filters::ArcResult::pass);
    CHECK(last.sets.size() == 3);
    CHECK(w.theirs({mixed}) == std::vector<std::string>{"pass"});
  }
}

TEST_CASE("we and dkimpy see the same changes, and the same end of a chain") {
  if (!have_dkimpy()) return;
  World w;
  auto good = w.seal(w.seal(mails()[0]));
  auto changed = [&](std::string_view what, std::string_view with) {
    std::string out = good;
    auto at = out.find(what);
    REQUIRE(at != std::string::npos);
    return out.replace(at, what.size(), with);
  };
  std::vector<std::string> bad = {changed("body  text", "other text"), changed("From: A", "From: B"), changed("i=1; mx.corp", "i=1; my.corp"),
                                  changed("cv=none", "cv=pass"), changed("i=2;", "i=3;"), "ARC-Seal: i=2; cv=pass\r\n" + good};
  for (const auto& line : w.theirs(bad)) CHECK(line.starts_with("fail"));
  for (const auto& message : bad) CHECK(w.ours(message).result == filters::ArcResult::fail);
  auto ended = w.seal(bad[0]);
  CHECK(w.ours(ended).ended);
  CHECK_FALSE(w.theirs({ended})[0].starts_with("pass"));
  CHECK(w.seal(ended) == ended);
}
