// See rig.h.
#include "tests/support/antivirus/rig.h"

#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <fstream>

#include "gateway/base/check.h"
#include "gateway/base/text.h"
#include "gateway/mail/mime.h"

namespace postern::testing {
namespace {

std::filesystem::path beside_this_program(const std::string& name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

io::Task<bool> wait_for_state(filters::Antivirus& antivirus, const std::function<bool(const filters::AntivirusState&)>& wanted) {
  Deadline end = in(std::chrono::seconds(20));
  while (std::chrono::steady_clock::now() < end) {
    if (wanted(antivirus.state())) co_return true;
    co_await io::sleep_until(in(std::chrono::milliseconds(2)));
  }
  co_return false;
}

}  // namespace

std::string eicar() { return std::string("X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD") + "-ANTIVIRUS-TEST-FILE!$H+H*"; }

std::string mail_with(const std::string& fields, const std::string& body) {
  return "Received: from a.example by b.example; Tue, 24 Nov 2026 04:00:00 +0000\r\n"
         "From: a@example.org\r\nTo: b@example.test\r\nSubject: test\r\nMIME-Version: 1.0\r\n" +
         fields + "\r\n" + body;
}

std::string base64_lines(const std::string& octets) {
  std::string encoded = base64(octets);
  std::string out;
  for (std::size_t i = 0; i < encoded.size(); i += 76) out += encoded.substr(i, 76) + "\r\n";
  return out;
}

std::string mail_with_attachment(const std::string& file_name, const std::string& file) {
  return mail_with("Content-Type: multipart/mixed; boundary=XX\r\n",
                   "--XX\r\nContent-Type: text/plain\r\n\r\nSee the attachment.\r\n--XX\r\n"
                   "Content-Type: application/octet-stream; name=\"" + file_name + "\"\r\nContent-Transfer-Encoding: base64\r\n"
                   "Content-Disposition: attachment; filename=\"" + file_name + "\"\r\n\r\n" + base64_lines(file) + "--XX--\r\n");
}

std::string zip_of(const std::string& entry_name, const std::string& content) {
  std::string out(content.size() + content.size() / 1000 + 65536, '\0');
  std::size_t used = 0;
  archive* a = archive_write_new();
  archive_write_set_format_zip(a);
  CHECK(archive_write_open_memory(a, out.data(), out.size(), &used) == ARCHIVE_OK);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, entry_name.c_str());
  archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_perm(entry, 0644);
  CHECK(archive_write_header(a, entry) == ARCHIVE_OK);
  CHECK(archive_write_data(a, content.data(), content.size()) == static_cast<la_ssize_t>(content.size()));
  archive_entry_free(entry);
  CHECK(archive_write_close(a) == ARCHIVE_OK);
  archive_write_free(a);
  out.resize(used);
  return out;
}

AntivirusRig::AntivirusRig() {
  std::string pattern = (std::filesystem::temp_directory_path() / "postern-test-XXXXXX").string();
  CHECK(::mkdtemp(pattern.data()) != nullptr);
  folder = pattern;
  options.database = folder / "db";
  options.scratch = folder / "scratch";
  std::filesystem::create_directory(options.database);
  std::filesystem::create_directory(options.scratch);
  // Scanners run as nobody when the tests run as root.
  std::filesystem::permissions(folder, std::filesystem::perms(0755));
  options.command = {beside_this_program("test_scanner").string()};
  options.look_every = std::chrono::milliseconds(20);
  options.first_pause = std::chrono::milliseconds(10);
  options.last_pause = std::chrono::milliseconds(200);
}

AntivirusRig::~AntivirusRig() {
  antivirus_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

filters::Antivirus& AntivirusRig::antivirus() {
  if (!antivirus_) {
    antivirus_ = std::make_unique<filters::Antivirus>(loop, options);
    antivirus_->start();
  }
  return *antivirus_;
}

void AntivirusRig::add_signatures(const std::string& file_name, const std::string& content) {
  auto path = std::filesystem::path(options.database) / file_name;
  {
    std::ofstream out(path.string() + ".part");
    out << content;
  }
  std::filesystem::rename(path.string() + ".part", path);
}

void AntivirusRig::copy_signatures(const std::filesystem::path& file) {
  std::filesystem::copy_file(file, std::filesystem::path(options.database) / file.filename());
}

filters::Virus AntivirusRig::scan(const std::string& mail, std::chrono::milliseconds patience) {
  auto job = filters::scan_job(Octets(mail), mail::parse(mail));
  return loop.block_on(antivirus().scan(std::move(job), in(patience)));
}

bool AntivirusRig::wait_until(const std::function<bool(const filters::AntivirusState&)>& wanted) {
  return loop.block_on(wait_for_state(antivirus(), wanted));
}

bool AntivirusRig::wait_until_ready() {
  return wait_until([this](const filters::AntivirusState& s) {
    return s.phase == filters::AntivirusState::Phase::ready && s.scanners_alive == options.scanners;
  });
}

}  // namespace postern::testing
