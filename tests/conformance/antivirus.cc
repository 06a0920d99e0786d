// The 44 files of Debian's clamav-testfiles, each attached to a mail, with the suite's two signatures.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tests/support/antivirus/rig.h"
#include "tests/support/catch.h"

using namespace postern;

namespace {

std::filesystem::path suites() {
  if (const char* given = std::getenv("POSTERN_SUITES"); given != nullptr) return given;
  const char* source = std::getenv("POSTERN_SOURCE");
  return std::filesystem::path(source != nullptr ? source : ".") / "../shared/suites";
}

std::string content_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace

TEST_CASE("all 44 ClamAV test files are caught as attachments") {
  auto signatures = suites() / "av/test.hdb";
  const std::filesystem::path files = "/usr/share/clamav-testfiles";
  if (!std::filesystem::exists(signatures) || !std::filesystem::exists(files)) {
    std::cout << "SKIPPED: " << signatures << " or " << files << " is not there\n";
    return;
  }
  for (bool namespaces : {true, false}) {
    testing::AntivirusRig rig;
    rig.options.allow_namespaces = namespaces;
    rig.copy_signatures(signatures);
    int caught = 0;
    for (const auto& entry : std::filesystem::directory_iterator(files)) {
      auto virus = rig.scan(testing::mail_with_attachment(entry.path().filename().string(), content_of(entry.path())));
      INFO(entry.path() << " " << virus.problem);
      CHECK(virus.name == "ClamAV-Test-File.UNOFFICIAL");
      if (virus.state == filters::Virus::State::found) ++caught;
    }
    CHECK(caught == 44);
    CHECK(rig.antivirus().state().crashes == 0);
  }
}
