#pragma once

#include <memory>
#include <string>
#include <vector>

#include "gateway/backup/folder.h"
#include "gateway/backup/make.h"
#include "gateway/store/body_store.h"
#include "gateway/store/catalog.h"
#include "gateway/store/kv.h"

namespace postern::backup {

// What a message is known by, wherever it lies and whatever its flags: two with the same identity are one message.
std::string identity(const store::MessageRow& message);

// One backup, to be read.  Nothing is written into its folder.  One thread's.
class Opened {
 public:
  // `files` must outlive it.
  static Result<std::unique_ptr<Opened>> open(store::Files& files, const Folder& folder, const Generation& generation);
  Opened();    // holds nothing: see open()
  ~Opened();

  const store::Catalog& catalog() const { return catalog_; }
  const store::Kv& rows() const { return *rows_; }
  store::BodyStore& bodies() { return *bodies_; }

  // Messages of a mailbox with uid >= `from`, at most `limit`.  A damaged row is an Error.
  Result<std::vector<store::MessageRow>> messages(store::MailboxId mailbox, store::Uid from, std::size_t limit) const;
  // The octets behind the header prefix, checked.
  Result<std::string> record(const store::MessageRow& message);

 private:
  class Pool;
  std::unique_ptr<Pool> pool_;            // outlives bodies_
  std::unique_ptr<store::BodyStore> bodies_;
  std::unique_ptr<store::Kv> rows_;
  store::Catalog catalog_;
};

// Reads all of it: each file against the manifest, each row, each body a row names.  Each mistake as a sentence.
std::vector<std::string> verify(store::Files& files, const Folder& folder, const Generation& generation, const Progress& progress);

}  // namespace postern::backup
