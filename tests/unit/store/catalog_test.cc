// What lies in memory after a group of changes.
#include "gateway/store/catalog.h"

#include "tests/support/catch.h"

using namespace postern::store;

namespace {

AccountState account_of(AccountId id, int number) {
  AccountState state;
  state.account.id = id;
  state.account.address = "user" + std::to_string(number) + "@example.test";
  return state;
}

}  // namespace

TEST_CASE("an address that changes its owner within a group belongs to the new one") {
  constexpr int kMany = 50;   // a hash orders them: some come first as the old owner, some as the new
  Catalog catalog;
  CatalogChanges made;
  for (int i = 1; i <= kMany; ++i) made.accounts[static_cast<AccountId>(i)] = account_of(static_cast<AccountId>(i), i);
  catalog.adopt(std::move(made));

  CatalogChanges removed_and_made;
  for (int i = 1; i <= kMany; ++i) {
    auto old = static_cast<AccountId>(i);
    removed_and_made.accounts[old] = std::nullopt;
    removed_and_made.accounts[old + 1000] = account_of(old + 1000, i);
  }
  catalog.adopt(std::move(removed_and_made));
  for (int i = 1; i <= kMany; ++i) {
    auto found = catalog.account("user" + std::to_string(i) + "@example.test");
    REQUIRE(found);
    CHECK(found->id == static_cast<AccountId>(i + 1000));
  }

  CatalogChanges renamed;   // each takes the address of the next
  for (int i = 1; i <= kMany; ++i) renamed.accounts[static_cast<AccountId>(i + 1000)] = account_of(static_cast<AccountId>(i + 1000), i + 1);
  catalog.adopt(std::move(renamed));
  CHECK_FALSE(catalog.account("user1@example.test"));
  for (int i = 1; i <= kMany; ++i) {
    auto found = catalog.account("user" + std::to_string(i + 1) + "@example.test");
    REQUIRE(found);
    CHECK(found->id == static_cast<AccountId>(i + 1000));
  }
  CHECK(catalog.accounts().size() == kMany);
}

TEST_CASE("totals and sparse segments follow every change of a segment") {
  Catalog catalog;
  auto change = [&](std::uint64_t number, std::optional<SegmentRow> row) {
    CatalogChanges changes;
    changes.segments[number] = row;
    catalog.adopt(std::move(changes));
  };
  change(1, SegmentRow{.live = 80, .end = 100});
  change(2, SegmentRow{.live = 10, .end = 100});
  CHECK(catalog.segment_totals().count == 2);
  CHECK(catalog.segment_totals().live == 90);
  CHECK(catalog.sparse_segments() == std::vector<std::uint64_t>{2});
  change(1, SegmentRow{.live = 30, .end = 100});
  CHECK(catalog.segment_totals().live == 40);
  CHECK(catalog.sparse_segments() == std::vector<std::uint64_t>{1, 2});
  change(2, SegmentRow{.live = 60, .end = 100});
  change(1, std::nullopt);
  CHECK(catalog.segment_totals().count == 1);
  CHECK(catalog.segment_totals().live == 60);
  CHECK(catalog.sparse_segments().empty());
  CHECK_FALSE(catalog.segment(1));
  CHECK(catalog.segment(2)->live == 60);
}
