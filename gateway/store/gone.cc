// The expunges that a mailbox remembers, in pieces that its versions share.
#include "gateway/store/gone.h"

#include <algorithm>

namespace postern::store {

GoneLog::GoneLog(std::vector<Gone> ascending) {
  Pieces pieces;
  for (std::size_t at = 0; at < ascending.size(); at += kPiece) {
    Piece piece;
    for (auto i = at; i < std::min(ascending.size(), at + kPiece); ++i) piece.push_back(std::make_shared<const Gone>(std::move(ascending[i])));
    pieces.push_back(std::make_shared<const Piece>(std::move(piece)));
  }
  pieces_ = std::make_shared<const Pieces>(std::move(pieces));
}

void GoneLog::append(Gone gone) {
  if (!pieces_->empty() && pieces_->back()->back()->modseq >= gone.modseq) return;
  Pieces pieces = *pieces_;
  Piece last;
  if (!pieces.empty() && pieces.back()->size() < kPiece) {
    last = *pieces.back();
    pieces.pop_back();
  }
  last.push_back(std::make_shared<const Gone>(std::move(gone)));
  pieces.push_back(std::make_shared<const Piece>(std::move(last)));
  pieces_ = std::make_shared<const Pieces>(std::move(pieces));
}

void GoneLog::forget(ModSeq floor) {
  auto stays = std::find_if(pieces_->begin(), pieces_->end(), [floor](const auto& piece) { return piece->back()->modseq > floor; });
  if (stays != pieces_->begin()) pieces_ = std::make_shared<const Pieces>(stays, pieces_->end());
}

std::vector<Uid> GoneLog::after(ModSeq since) const {
  std::vector<Uid> uids;
  auto is_before = [](ModSeq wanted, const auto& gone) { return wanted < gone->modseq; };
  for (auto piece = pieces_->rbegin(); piece != pieces_->rend() && (*piece)->back()->modseq > since; ++piece) {
    auto first = std::upper_bound((*piece)->begin(), (*piece)->end(), since, is_before);
    for (; first != (*piece)->end(); ++first) uids.insert(uids.end(), (*first)->uids.begin(), (*first)->uids.end());
  }
  std::sort(uids.begin(), uids.end());
  return uids;
}

}  // namespace postern::store
