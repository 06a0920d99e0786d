#pragma once

#include <memory>
#include <vector>

#include "gateway/store/rows.h"

namespace postern::store {

// What was expunged with one modseq.
struct Gone {
  ModSeq modseq = 0;
  std::vector<Uid> uids;   // ascending
};

// What a mailbox remembers of its expunges (RFC 7162), ascending by modseq.  Copies share everything: each version
// of a mailbox has one, and most versions expunge nothing.  An expunge copies the last piece and the table of pieces.
class GoneLog {
 public:
  GoneLog() = default;
  explicit GoneLog(std::vector<Gone> ascending);

  void append(Gone gone);      // nothing, if one as new is there: it was loaded with it
  void forget(ModSeq floor);   // what is not above it, a piece at a time
  std::vector<Uid> after(ModSeq since) const;   // ascending

 private:
  static constexpr std::size_t kPiece = 256;
  using Piece = std::vector<std::shared_ptr<const Gone>>;   // not empty
  using Pieces = std::vector<std::shared_ptr<const Piece>>;
  std::shared_ptr<const Pieces> pieces_ = std::make_shared<const Pieces>();
};

}  // namespace postern::store
