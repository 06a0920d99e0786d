// The rows of aliases and forwards, and their table in memory.
#include "gateway/directory/addresses.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/mail/blob.h"

namespace postern::directory {
namespace {

constexpr std::string_view kAlias = "alias:";
constexpr std::string_view kForward = "forward:";
constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kPage = 5'000;

std::string encode(const Forward& value) {
  std::string out;
  mail::put_number(out, kVersion);
  mail::put_number(out, value.keep ? 1 : 0);
  mail::put_number(out, value.targets.size());
  for (const auto& target : value.targets) mail::put_text(out, target);
  return out;
}

std::optional<Forward> decode(std::string_view text) {
  mail::BlobReader reader(text);
  if (reader.number() != kVersion) return std::nullopt;
  Forward out;
  out.keep = reader.number(1) != 0;
  auto count = reader.number(text.size());
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) out.targets.emplace_back(reader.text());
  if (!reader.ok() || !reader.at_end() || out.targets.empty()) return std::nullopt;
  return out;
}

std::string key_of(const Addresses::Edit& edit) {
  return std::string(edit.of == Addresses::Edit::Of::alias ? kAlias : kForward) + edit.address;
}

}  // namespace

Addresses::Addresses() : table_(std::make_shared<const Table>()) {}

std::shared_ptr<const Addresses::Table> Addresses::current() const {
  std::lock_guard lock(mutex_);
  return table_;
}

Addresses::Table Addresses::edited(const Table& base, const Edit& edit) {
  Table out = base;
  if (edit.of == Edit::Of::alias) {
    out.aliases.erase(edit.address);
    if (edit.value) out.aliases.emplace(edit.address, edit.value->targets);
  } else {
    out.forwards.erase(edit.address);
    if (edit.value) out.forwards.emplace(edit.address, *edit.value);
  }
  return out;
}

std::optional<Forward> Addresses::value_of(const Table& table, const Edit& edit) {
  if (edit.of == Edit::Of::alias) {
    auto found = table.aliases.find(edit.address);
    return found == table.aliases.end() ? std::nullopt : std::optional(Forward{found->second, false});
  }
  auto found = table.forwards.find(edit.address);
  return found == table.forwards.end() ? std::nullopt : std::optional(found->second);
}

Result<std::optional<Forward>> Addresses::begin(const Edit& edit, const Good& good) {
  std::lock_guard lock(mutex_);
  auto next = std::make_shared<const Table>(edited(*table_, edit));
  auto fine = good(next);
  if (!fine) return fine.error();
  auto before = value_of(*table_, edit);
  table_ = std::move(next);
  return before;
}

io::Task<Status> Addresses::change(store::Store& store, Edit edit, Good good) {
  auto before = begin(edit, good);
  if (!before) co_return Status(before.error());
  auto status = co_await write(store, std::move(edit), std::move(*before));
  co_return status;
}

io::Task<Status> Addresses::write(store::Store& store, Edit edit, std::optional<Forward> before) {
  std::vector<store::Row> rows(1);
  rows[0].key = key_of(edit);
  if (edit.value) rows[0].value = encode(*edit.value);
  auto written = co_await store.write(std::move(rows));
  if (written.ok()) co_return Status();
  std::lock_guard lock(mutex_);
  edit.value = std::move(before);
  table_ = std::make_shared<const Table>(edited(*table_, edit));
  co_return Status(Error(edit.address + ": " + written.text));
}

io::Task<Status> Addresses::load(store::Store& store) {
  auto table = std::make_shared<Table>();
  for (auto prefix : {kAlias, kForward}) {
    std::string from(prefix);
    for (;;) {
      auto rows = co_await store.scan(std::string(prefix), from, kPage);
      if (!rows) co_return Status(Error("aliases and forwards cannot be read: " + rows.error().text));
      for (const auto& row : *rows) {
        auto address = row.key.substr(prefix.size());
        auto value = decode(*row.value);
        if (!value) {
          log::error("addresses.damaged", {{"row", printable(row.key)}, {"what", "it is left out; make it anew"}});
        } else if (prefix == kAlias) {
          table->aliases.emplace(address, std::move(value->targets));
        } else {
          table->forwards.emplace(address, std::move(*value));
        }
      }
      if (rows->size() < kPage) break;
      from = rows->back().key + '\0';
    }
  }
  std::lock_guard lock(mutex_);
  table_ = std::move(table);
  co_return Status();
}

}  // namespace postern::directory
