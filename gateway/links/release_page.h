#pragma once

#include "gateway/delivery/link_release.h"
#include "gateway/links/page.h"

namespace postern::links {

// "/release/TOKEN": shows a held message's sender, subject and reason, and releases it once a button was pressed.
class ReleasePage : public Page {
 public:
  // Both must outlive it.
  ReleasePage(const delivery::LinkReleases& releases, const config::Config& config) : releases_(releases), config_(config) {}

  directory::LinkPurpose purpose() const override { return directory::LinkPurpose::release; }
  std::string_view path() const override { return "release"; }
  io::Task<Shown> show(Visit visit) override;
  io::Task<Shown> act(Visit visit) override;

 private:
  const delivery::LinkReleases& releases_;
  const config::Config& config_;
};

}  // namespace postern::links
