// A backup to be read, and read through.
#include "gateway/backup/opened.h"

#include <map>

#include "gateway/backup/take.h"
#include "gateway/store/crc32c.h"
#include "gateway/store/rocks_kv.h"
#include "gateway/store/verify.h"

namespace postern::backup {

// The bodies look for "<number>.seg"; in a folder of backups its name goes on.
class Opened::Pool : public store::Files {
 public:
  Pool(store::Files& files, const Folder& folder, const Manifest& manifest) : files_(files) {
    for (const auto& one : manifest.segments) paths_[folder.segments() + "/" + one.file().substr(0, 16) + ".seg"] = folder.segment(one);
  }
  store::IoResult<std::unique_ptr<store::File>> open(const std::string& path, bool write) override {
    auto found = paths_.find(path);
    if (write || found == paths_.end()) return {std::make_error_code(std::errc::no_such_file_or_directory), nullptr};
    return files_.open(found->second, false);
  }
  // Nobody who only reads asks for any of these.
  store::IoResult<std::unique_ptr<store::File>> create(const std::string&) override { return {refused(), nullptr}; }
  std::error_code make_directory(const std::string&) override { return refused(); }
  std::error_code sync_directory(const std::string&) override { return refused(); }
  std::error_code remove(const std::string&) override { return refused(); }
  std::error_code link(const std::string&, const std::string&) override { return refused(); }
  std::error_code rename(const std::string&, const std::string&) override { return refused(); }
  std::error_code remove_directory(const std::string&) override { return refused(); }
  store::IoResult<std::vector<std::string>> list(const std::string&) override { return {refused(), {}}; }
  store::IoResult<std::uint64_t> free_octets(const std::string&) override { return {refused(), 0}; }
  store::IoResult<State> state(const std::string&) override { return {refused(), {}}; }

 private:
  static std::error_code refused() { return std::make_error_code(std::errc::read_only_file_system); }
  store::Files& files_;
  std::map<std::string, std::string> paths_;
};

std::string identity(const store::MessageRow& message) {
  auto sums = store::crc32c(store::crc32c(0, message.envelope), message.header_prefix);
  return message.id + " " + std::to_string(message.record_octets) + " " + std::to_string(message.internal_date.time_since_epoch().count()) + " " +
         std::to_string(sums);
}

Opened::Opened() = default;
Opened::~Opened() = default;

Result<std::unique_ptr<Opened>> Opened::open(store::Files& files, const Folder& folder, const Generation& generation) {
  auto opened = std::make_unique<Opened>();
  opened->pool_ = std::make_unique<Pool>(files, folder, generation.manifest);
  opened->bodies_ = std::make_unique<store::BodyStore>(*opened->pool_, folder.segments(), 0);
  auto rows = store::open_rocks_kv(folder.rows(generation.name), store::KvOpening::read_only);
  if (!rows) return rows.error();
  opened->rows_ = std::move(*rows);
  std::vector<store::MailboxId> doomed;
  if (auto loaded = opened->catalog_.load(*opened->rows_, doomed); !loaded) return loaded.error();
  return opened;
}

Result<std::vector<store::MessageRow>> Opened::messages(store::MailboxId mailbox, store::Uid from, std::size_t limit) const {
  const auto* state = catalog_.peek_mailbox(mailbox);
  auto disk = store::KvReader::Reach::disk;
  auto found = rows_->scan(store::index_key(mailbox, from), store::prefix_of('i', mailbox + 1), limit, disk);
  if (!found.ok()) return Error(found.error);
  std::vector<std::string> keys;
  for (const auto& row : found.value) keys.push_back(store::message_key(mailbox, static_cast<store::Uid>(store::second_number(row.key, 4))));
  auto values = rows_->get(keys, disk);
  if (!values.ok()) return Error(values.error);
  std::vector<store::MessageRow> out;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto uid = static_cast<store::Uid>(store::second_number(keys[i], 4));
    auto index = store::decode_index(uid, found.value[i].value);
    auto stored = values.value[i] ? store::decode_message(*values.value[i]) : std::nullopt;
    if (!index || !stored || state == nullptr) return Error("mailbox " + std::to_string(mailbox) + ", uid " + std::to_string(uid) + ": the row is damaged");
    out.push_back(store::joined(mailbox, *index, std::move(*stored), state->keywords));
  }
  return out;
}

Result<std::string> Opened::record(const store::MessageRow& message) {
  auto value = rows_->get(std::vector<std::string>{store::body_key(message.body)}, store::KvReader::Reach::disk);
  if (!value.ok()) return Error(value.error);
  auto body = value.value[0] ? store::decode_body(*value.value[0]) : std::nullopt;
  if (!body) return Error("the row of body " + std::to_string(message.body) + " is missing or damaged");
  auto read = bodies_->read(message.body, body->place, 0, body->place.length, store::Wait::disk);
  if (read.state != store::BodyStore::Read::State::ok) return Error(read.problem);
  return std::move(read).text();
}

std::vector<std::string> verify(store::Files& files, const Folder& folder, const Generation& generation, const Progress& progress) {
  if (!generation.problem.empty()) return {generation.problem};
  std::vector<std::string> mistakes;
  std::uint64_t done = 0;
  auto whole = generation.manifest.octets();
  auto check = [&](const std::string& path, std::uint64_t octets, std::uint32_t wanted) {
    auto sum = sum_of(files, path, octets);
    if (!sum) mistakes.push_back(sum.error().text);
    else if (*sum != wanted) mistakes.push_back(path + ": its checksum is not that of the manifest");
    done += octets;
    if (progress) progress(done, whole);
  };
  for (const auto& file : generation.manifest.rows) check(folder.rows(generation.name) + "/" + file.name, file.octets, file.sum);
  for (const auto& one : generation.manifest.segments) check(folder.segment(one), one.octets, one.sum);
  auto opened = Opened::open(files, folder, generation);
  if (!opened) {
    mistakes.push_back(opened.error().text);
    return mistakes;
  }
  for (auto& mistake : store::verify_store((*opened)->rows(), (*opened)->bodies())) mistakes.push_back(std::move(mistake));
  return mistakes;
}

}  // namespace postern::backup
