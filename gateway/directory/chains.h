#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gateway/base/text.h"
#include "gateway/directory/directory.h"

namespace postern::directory {

// Follows every chain of aliases, forwards and lists from one address.
class Directory::Chains {
 public:
  Chains(const Directory& directory, const View& view) : directory_(directory), view_(view) {}

  // An Error names a chain that comes back to itself, or one that is too long.
  Status follow(const std::string& address) {
    auto at = directory_.resolve_in(view_, address);
    const auto& name = at.account_address;
    auto targets = targets_of(at);
    if (!targets || done_.contains(name)) return {};
    bool loop = std::find(chain_.begin(), chain_.end(), name) != chain_.end();
    chain_.push_back(name);
    if (loop) return Error("that would be a loop: " + join(chain_, " -> "));
    if (chain_.size() > kMostInARow) return Error("more than " + std::to_string(kMostInARow) + " aliases in a row: " + join(chain_, " -> "));
    for (const auto& target : *targets) {
      auto fine = follow(target);
      if (!fine) return fine;
    }
    chain_.pop_back();
    done_.insert(name);
    return {};
  }

 private:
  using Kind = Resolution::Kind;
  static constexpr std::size_t kMostInARow = 20;   // aliases that lead to aliases

  // Nothing: it leads no further.
  std::optional<std::vector<std::string>> targets_of(const Resolution& at) const {
    if (at.kind == Kind::alias) return view_.addresses->aliases.find(at.account_address)->second;
    if (at.kind == Kind::list && at.list_role == ListRole::post) {
      std::vector<std::string> out;
      for (const auto& [key, member] : view_.lists->find(at.account_address)->second->members) out.push_back(member.address);
      return out;
    }
    if (at.kind != Kind::account) return std::nullopt;
    auto forward = view_.addresses->forwards.find(at.account_address);
    return forward == view_.addresses->forwards.end() ? std::nullopt : std::optional(forward->second.targets);
  }

  const Directory& directory_;
  const View& view_;
  std::vector<std::string> chain_;
  std::set<std::string> done_;
};

}  // namespace postern::directory
