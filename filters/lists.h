#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "gateway/base/ip.h"
#include "gateway/base/result.h"

namespace postern::filters {

// The entries of one list file.  One entry a line; "#" begins a comment, empty lines do not count:
//
//   partner.example          this domain, not its subdomains
//   .partner.example         the domain and everything below it
//   anna@partner.example     one address (the local part is compared without letter case)
//   192.0.2.0/24             a network or an address, IPv4 or IPv6
//   [anything else]          a word, compared without letter case
//
// Immutable; safe from any thread.
class List {
 public:
  // `name` is for the errors: lists/partners.txt:7: "192.0.2.0/33" is no network.
  static Result<std::shared_ptr<const List>> parse(std::string_view text, std::string_view name);

  // An address matches by itself or by its domain; a domain by itself or by a parent with a dot;
  // an IP address by its network; anything else by itself.
  bool contains(std::string_view value) const;
  bool contains(const IpAddress& address) const;
  std::size_t size() const { return words_.size() + parents_.size() + networks_.size(); }

 private:
  bool contains_domain(std::string_view domain) const;
  std::unordered_set<std::string> words_;     // lower case: addresses, domains, words
  std::unordered_set<std::string> parents_;   // entries with a leading dot, without it
  // By family and prefix length, so that a look-up is one probe a length.
  std::map<std::pair<bool, int>, std::unordered_set<std::string>> networks_;
};

// The list files of a rules folder, read again when they change.  A file that cannot be read or
// parsed keeps its last good entries and is reported.  Safe from any thread.
class ListFolder {
 public:
  explicit ListFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // `name` as in list "lists/x.txt": relative, without "..".
  Result<std::shared_ptr<const List>> open(const std::string& name);
  // The present entries of a list that was opened.
  std::shared_ptr<const List> get(const std::string& name) const;
  // Looks at the files that were opened; gives what changed or went wrong as sentences.
  struct Change {
    std::string name;
    std::string problem;   // empty: read again
  };
  std::vector<Change> refresh();

 private:
  struct Entry {
    std::shared_ptr<const List> list;
    std::filesystem::file_time_type stamp{};
    std::uintmax_t size = 0;
    std::string problem;
  };
  Result<Entry> read(const std::string& name) const;

  std::filesystem::path folder_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
};

}  // namespace postern::filters
