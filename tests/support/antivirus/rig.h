#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "filters/antivirus.h"
#include "gateway/io/loop.h"

// A signature folder of its own, the test scanner, and short ways to scan mails with them.
namespace postern::testing {

// The 68 octets of eicar.org, put together at run time.
std::string eicar();
// As a mail: `header` fields end with CRLF.
std::string mail_with(const std::string& fields, const std::string& body);
// A two-part mail whose second part is `file` in base64.
std::string mail_with_attachment(const std::string& file_name, const std::string& file);
std::string base64_lines(const std::string& octets);
// Stored or deflated by libarchive, one entry.
std::string zip_of(const std::string& entry_name, const std::string& content);

class AntivirusRig {
 public:
  AntivirusRig();
  ~AntivirusRig();

  // Fast pauses, the test scanner, the folder.  Change `options` before the first use of antivirus().
  filters::AntivirusOptions options;
  filters::Antivirus& antivirus();

  void add_signatures(const std::string& file_name, const std::string& content);
  void copy_signatures(const std::filesystem::path& file);
  // Parses, scans, waits.
  filters::Virus scan(const std::string& mail, std::chrono::milliseconds patience = std::chrono::seconds(30));
  // Runs the loop until `wanted(state)`; false after 20 s.
  bool wait_until(const std::function<bool(const filters::AntivirusState&)>& wanted);
  bool wait_until_ready();

  io::Loop loop;
  std::filesystem::path folder;

 private:
  std::unique_ptr<filters::Antivirus> antivirus_;
};

}  // namespace postern::testing
