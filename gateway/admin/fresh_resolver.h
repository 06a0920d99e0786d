#pragma once

#include <string>
#include <utility>

#include "gateway/admin/judging.h"
#include "gateway/dns/cares_resolver.h"

namespace postern::admin {

// A resolver with a cache of its own, for who wants to know what DNS says now: the gateway's cache keeps a "there is no
// such name" for up to an hour.  Lives and dies on its loop.
class FreshResolver : public dns::Resolver {
 public:
  explicit FreshResolver(const config::Config& config) : resolver_(io::Loop::current(), Judging::dns_config(config), cache_) {}

  io::Task<dns::Answer> query(std::string name, dns::Type type, Deadline deadline) override {
    return resolver_.query(std::move(name), type, deadline);
  }

 private:
  dns::Cache cache_;
  dns::CaresResolver resolver_;
};

}  // namespace postern::admin
