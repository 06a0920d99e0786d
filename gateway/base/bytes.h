#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace postern {

// Immutable octets with shared ownership: a string or a memory-mapped file.
// Copying shares.  Safe to read from any thread.
class Octets {
 public:
  Octets() = default;
  explicit Octets(std::string text) {
    auto owned = std::make_shared<const std::string>(std::move(text));
    view_ = *owned;
    owner_ = std::move(owned);
  }
  // `owner` keeps `view` valid.
  Octets(std::shared_ptr<const void> owner, std::string_view view) : owner_(std::move(owner)), view_(view) {}

  std::string_view view() const { return view_; }
  std::size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

}  // namespace postern
