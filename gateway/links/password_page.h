#pragma once

#include <set>

#include "gateway/io/worker_pool.h"
#include "gateway/links/page.h"
#include "gateway/store/store.h"

namespace postern::links {

// "/password/TOKEN": who was invited sets his password.  The link is good once.
class PasswordPage : public Page {
 public:
  // All must outlive it.
  PasswordPage(store::Store& store, io::WorkerPool& workers, const config::Config& config) : store_(store), workers_(workers), config_(config) {}

  static constexpr std::size_t kLeast = 8;   // characters of a password

  directory::LinkPurpose purpose() const override { return directory::LinkPurpose::password; }
  std::string_view path() const override { return "password"; }
  io::Task<Shown> show(Visit visit) override;
  io::Task<Shown> act(Visit visit) override;

 private:
  io::Task<Shown> set(std::string body, std::string password, IpAddress client);

  store::Store& store_;
  io::WorkerPool& workers_;
  const config::Config& config_;
  std::set<store::AccountId> busy_;   // whose password is being set: two at once would both find the link unused
};

}  // namespace postern::links
