// Lists that rules ask: domains, addresses, networks; the files are the administrator's.
#include "filters/lists.h"

#include <fstream>
#include <optional>
#include <sstream>

#include "gateway/base/text.h"

namespace postern::filters {
namespace {

constexpr std::uintmax_t kMaxListOctets = 64 << 20;

std::string place(std::string_view name, std::size_t line) { return std::string(name) + ":" + std::to_string(line); }

bool looks_like_network(std::string_view entry) {
  auto slash = entry.find('/');
  if (slash == std::string_view::npos) return false;
  return entry.find_first_not_of("0123456789abcdefABCDEF.:/") == std::string_view::npos;
}

std::string network_key(const IpAddress& base) { return std::string(base.octets()); }

}  // namespace

Result<std::shared_ptr<const List>> List::parse(std::string_view text, std::string_view name) {
  auto list = std::make_shared<List>();
  std::size_t number = 0;
  for (std::string_view line : split(text, '\n')) {
    ++number;
    if (number == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    if (auto hash = line.find('#'); hash != std::string_view::npos) line = line.substr(0, hash);
    std::string_view entry = trimmed(line);
    if (entry.empty()) continue;
    if (!is_utf8(entry) || entry.find('\0') != std::string_view::npos) {
      return Error(place(name, number) + ": the line is no UTF-8 text");
    }
    if (auto network = Network::parse(entry)) {
      list->networks_[{network->base().is_v4(), network->prefix()}].insert(network_key(network->base()));
    } else if (looks_like_network(entry)) {
      return Error(place(name, number) + ": \"" + std::string(entry) + "\" is no network");
    } else if (entry.find_first_of(" \t") != std::string_view::npos) {
      return Error(place(name, number) + ": one entry a line; \"" + printable(entry, 60) + "\" has white space in it");
    } else if (entry.size() > 1 && entry.front() == '.') {
      list->parents_.insert(ascii_lowered(entry.substr(1)));
    } else {
      list->words_.insert(ascii_lowered(entry));
    }
  }
  return std::shared_ptr<const List>(std::move(list));
}

bool List::contains_domain(std::string_view domain) const {
  if (parents_.empty()) return false;
  for (;;) {
    if (parents_.contains(std::string(domain))) return true;
    auto dot = domain.find('.');
    if (dot == std::string_view::npos) return false;
    domain.remove_prefix(dot + 1);
  }
}

bool List::contains(std::string_view value) const {
  if (value.empty() || value.size() > 1024) return false;
  std::string lowered = ascii_lowered(value);
  if (lowered.back() == '.' && lowered.size() > 1) lowered.pop_back();
  if (words_.contains(lowered)) return true;
  if (auto at = lowered.rfind('@'); at != std::string::npos) {
    std::string domain = lowered.substr(at + 1);
    return !domain.empty() && (words_.contains(domain) || contains_domain(domain));
  }
  if (contains_domain(lowered)) return true;
  if (networks_.empty()) return false;
  auto address = IpAddress::parse(value);
  return address && contains(*address);
}

bool List::contains(const IpAddress& address) const {
  for (const auto& [kind, bases] : networks_) {
    if (kind.first == address.is_v4() && bases.contains(network_key(address.masked(kind.second)))) return true;
  }
  return false;
}

Result<ListFolder::Entry> ListFolder::read(const std::string& name) const {
  namespace fs = std::filesystem;
  fs::path relative(name);
  if (relative.is_absolute()) return Error("list \"" + name + "\": the name must be relative to the rules folder");
  for (const auto& step : relative) {
    if (step == "..") return Error("list \"" + name + "\": \"..\" is not allowed in a name");
  }
  std::error_code trouble;
  Entry entry;
  entry.stamp = fs::last_write_time(folder_ / relative, trouble);
  if (!trouble) entry.size = fs::file_size(folder_ / relative, trouble);
  if (trouble) return Error("list \"" + name + "\" cannot be read: " + trouble.message());
  if (entry.size > kMaxListOctets) return Error("list \"" + name + "\" is larger than 64 MiB");
  std::ifstream file(folder_ / relative, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file.good() && entry.size > 0) return Error("list \"" + name + "\" cannot be read");
  auto parsed = List::parse(text.str(), name);
  if (!parsed) return parsed.error();
  entry.list = std::move(*parsed);
  return entry;
}

Result<std::shared_ptr<const List>> ListFolder::open(const std::string& name) {
  if (auto known = get(name)) return known;
  auto entry = read(name);
  if (!entry) return entry.error();
  std::lock_guard lock(mutex_);
  auto& kept = entries_[name];
  if (!kept.list) kept = std::move(*entry);
  return kept.list;
}

std::shared_ptr<const List> ListFolder::get(const std::string& name) const {
  std::lock_guard lock(mutex_);
  auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second.list;
}

std::vector<ListFolder::Change> ListFolder::refresh() {
  std::map<std::string, Entry> before;
  {
    std::lock_guard lock(mutex_);
    before = entries_;
  }
  std::vector<Change> changes;
  for (const auto& [name, old] : before) {
    std::error_code trouble;
    auto stamp = std::filesystem::last_write_time(folder_ / name, trouble);
    std::uintmax_t size = 0;
    if (!trouble) size = std::filesystem::file_size(folder_ / name, trouble);
    if (!trouble && stamp == old.stamp && size == old.size) continue;
    auto entry = read(name);
    std::lock_guard lock(mutex_);
    Entry& kept = entries_[name];
    if (entry) {
      kept = std::move(*entry);
      changes.push_back({name, ""});
      continue;
    }
    // The last good entries stay; said once for each new problem.
    if (kept.problem != entry.error().text) changes.push_back({name, entry.error().text});
    kept.problem = entry.error().text;
    if (!trouble) {
      kept.stamp = stamp;
      kept.size = size;
    }
  }
  return changes;
}

}  // namespace postern::filters
