#pragma once

#include "gateway/dns/resolver.h"
#include "gateway/io/task.h"
#include "gateway/signing/life.h"

namespace postern::admin {

// What DNS has where the record of this key is to be, as receivers would read it.  `resolver` must outlive the task; its
// cache should be new, or an old "no such name" answers for an hour.
io::Task<signing::Sight> look_for_key(dns::Resolver& resolver, signing::Key key, Deadline deadline);

}  // namespace postern::admin
