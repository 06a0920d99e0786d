#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "gateway/directory/directory.h"

namespace postern::directory {

// What the configuration says of addresses; for the directory's own files.
struct Directory::Domains {
  std::vector<std::string> names;                  // in order
  std::map<std::string, std::string, std::less<>> catch_all;   // of every domain, "" for none
  std::set<std::string, std::less<>> onward;
  std::string hostname;
  std::string postmaster;
  std::string srs_domain;                          // "": that of the address that sends on
};

}  // namespace postern::directory
