#pragma once

#include <vector>

#include "gateway/io/fd.h"
#include "gateway/io/listener.h"
#include "gateway/links/site.h"
#include "gateway/shared.h"
#include "gateway/smtp/limits.h"

namespace postern {

// The listener for links, on the loop of `shared.main`: TLS where public_url says https.  It serves links::Site and nothing
// else, one request a connection, so many of them at once and so many a minute from one address.
class LinksPort {
 public:
  // `shared` must outlive it, with the store and the keys in it, and its tasks must have ended before.
  explicit LinksPort(Shared& shared);
  LinksPort(const LinksPort&) = delete;

  // Before others start: for pages that they bring.
  links::Site& site() { return site_; }
  void start(std::vector<io::Fd> sockets);

 private:
  io::Task<void> accept_all(io::Listener listener);
  io::Task<void> serve_one(io::Stream stream, smtp::ConnectionLimits::Place place);

  Shared& shared_;
  bool secure_;
  std::size_t open_ = 0;
  smtp::ConnectionLimits limits_;
  smtp::ConnectionLimits wrong_;   // counts tokens that are not good
  links::Site site_;
};

}  // namespace postern
