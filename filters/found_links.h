#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace postern::filters {

constexpr std::size_t kMaxFoundLinks = 200;
constexpr std::size_t kMaxFoundLink = 2048;

// Links inside attachments, each once, in the order they were found; of more than kMaxFoundLinks truncated() tells.
class FoundLinks {
 public:
  // Cut to kMaxFoundLink octets of valid UTF-8, blanks around it removed; what has no scheme and no "\\" is left out.
  void add(std::string_view link);
  // Every "http://", "https://" and "ftp://" in octets of any kind, also as UTF-16LE, up to what ends a URL.
  // Addresses of standards bodies and Microsoft's schemas, which each document holds, are left out.
  void scan(std::string_view octets);

  bool truncated() const { return truncated_; }
  const std::vector<std::string>& list() const { return list_; }
  std::vector<std::string> take() { return std::move(list_); }

 private:
  std::vector<std::string> list_;
  std::unordered_set<std::string> known_;
  bool truncated_ = false;
};

}  // namespace postern::filters
