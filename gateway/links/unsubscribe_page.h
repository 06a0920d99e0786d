#pragma once

#include <functional>
#include <string>

#include "gateway/base/result.h"
#include "gateway/directory/unsubscribe.h"
#include "gateway/links/page.h"

namespace postern::links {

// "/unsubscribe/TOKEN": a member leaves a mailing list.  GET shows a button; a mail client's own button posts
// List-Unsubscribe=One-Click, and that acts at once (RFC 8058 3.1).
class UnsubscribePage : public Page {
 public:
  // Takes the member off the list; also when he is none any more, which is no Error.
  using Action = std::function<io::Task<Status>(directory::Membership membership, IpAddress client)>;
  // `config` must outlive it.
  UnsubscribePage(Action action, const config::Config& config) : action_(std::move(action)), config_(config) {}

  directory::LinkPurpose purpose() const override { return directory::LinkPurpose::unsubscribe; }
  std::string_view path() const override { return "unsubscribe"; }
  io::Task<Shown> show(Visit visit) override;
  io::Task<Shown> act(Visit visit) override;

 private:
  Action action_;
  const config::Config& config_;
};

}  // namespace postern::links
