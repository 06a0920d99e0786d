// A power cut after any sync: what was acknowledged before it is there, what was not is there whole or not at all.
#include "tests/unit/store/power_cut.h"

#include <map>

#include "tests/unit/store/fixture.h"

using namespace postern;
using namespace postern::store;
using namespace postern::store::test;
using namespace std::chrono_literals;

namespace {

// What a client was told, and how many syncs had been done by then.
struct Told {
  std::map<std::string, std::size_t> delivered;
  std::map<std::string, std::size_t> erased;
};

class Work {
 public:
  Work(Fixture& f, PowerCut& cut) : f_(f), cut_(cut) {}

  // Into two mailboxes.
  void deliver(const std::string& text) {
    auto delivered = f_.deliver(item_of(text, {f_.to("INBOX"), f_.to("Archive")}));
    REQUIRE(delivered.ok());
    told.delivered[text] = cut_.count();
    where_[text] = {delivered.placed[0][0], delivered.placed[0][1]};
  }
  void erase(const std::vector<std::string>& texts) {
    for (std::size_t box : {0, 1}) {
      std::vector<Uid> uids;
      for (const auto& text : texts) uids.push_back(where_[text][box].uid);
      REQUIRE(f_.run(f_.store->erase(where_[texts[0]][box].mailbox, uids)).ok());
    }
    for (const auto& text : texts) told.erased[text] = cut_.count();
  }

  Told told;

 private:
  Fixture& f_;
  PowerCut& cut_;
  std::map<std::string, std::array<Placed, 2>> where_;
};

std::map<std::string, int> texts_in(Fixture& f, std::string_view mailbox) {
  std::map<std::string, int> found;
  auto box = f.store->mailbox(f.account, mailbox);
  if (!box) return found;
  for (auto uid : f.uids(box->id)) ++found[f.text(box->id, uid)];
  return found;
}

// `syncs` were done when the power was cut.
void verify(Fixture& f, const Told& told, std::size_t syncs) {
  f.check();
  CHECK(f.store->state().problem.empty());
  auto inbox = texts_in(f, "INBOX");
  auto archive = texts_in(f, "Archive");
  for (const auto& [text, when] : told.delivered) {
    auto erased = told.erased.find(text);
    INFO("the message " << text.substr(0, 12));
    bool is_gone = erased != told.erased.end() && erased->second <= syncs;
    bool may_be_gone = erased != told.erased.end();
    if (when <= syncs && !may_be_gone) CHECK(inbox[text] == 1);
    if (is_gone) CHECK(inbox[text] + archive[text] == 0);
    if (!may_be_gone) CHECK(inbox[text] == archive[text]);   // both or none
    CHECK(inbox[text] <= 1);
  }
}

std::string text_of(int number) { return "message " + std::to_string(number) + std::string(3000, 'm'); }

std::size_t segments_of(const Fixture& f) {
  auto files = std::filesystem::directory_iterator(f.options.directory + "/segments");
  return static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

}  // namespace

TEST_CASE("a power cut at any moment loses nothing that was acknowledged and leaves nothing half done") {
  Told told;
  std::vector<Image> images;
  {
    Fixture f;
    f.options.segment_octets = 16 << 10;   // several, so that one can become sparse
    f.store.reset();
    std::filesystem::remove_all(f.options.directory);
    PowerCut cut(f.folder.path);   // from the very first: there is no store yet
    f.open();
    Account user;
    user.address = "a@example.test";
    REQUIRE(f.run(f.store->create_account(std::move(user))).ok());
    Work work(f, cut);
    for (int i = 0; i < 12; ++i) work.deliver(text_of(i));
    work.deliver(std::string((1 << 20) + 5, 'L'));
    auto before = segments_of(f);
    work.erase({text_of(0), text_of(1), text_of(2), text_of(4)});
    auto deadline = in(20s);
    while (segments_of(f) >= before && std::chrono::steady_clock::now() < deadline) f.run(f.store->write({}));
    work.deliver("the last");
    told = work.told;
    f.store.reset();   // or RocksDB's threads would still be at work
    images = cut.images();
  }
  CHECK(images.size() > 30);
  for (std::size_t i = 0; i < images.size(); ++i) {
    INFO("after sync " << i << " of " << images.size());
    Fixture f;
    f.store.reset();
    std::filesystem::remove_all(f.options.directory);
    images[i].restore(f.folder.path);
    f.open();
    verify(f, told, i + 1);
  }
}
