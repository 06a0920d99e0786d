// The outgoing queue where the disk matters: restarts, faults, full disks, damage.
#include "gateway/store/rows.h"
#include "tests/unit/store/failing.h"
#include "tests/unit/store/queue_world.h"

using namespace postern;
using namespace postern::store;
using namespace postern::store::test;

namespace {

struct Faulty {
  Plan plan;
  FailingFiles files{plan};
  Fixture f{failing_ground(files, plan)};
};

// Changes rows behind the back of the store.
void tamper(Fixture& f, const KvBatch& batch) {
  f.store.reset();
  {
    auto kv = open_rocks_kv(f.options.directory + "/rows", KvOpening::existing);
    REQUIRE(kv);
    REQUIRE((*kv)->write(batch));
  }
  f.open();
}

bool says(Fixture& f, std::string_view what) {
  auto mistakes = f.store->verify();
  return std::any_of(mistakes.begin(), mistakes.end(), [&](const auto& one) { return one.find(what) != std::string::npos; });
}

}  // namespace

TEST_CASE("the queue is there after a restart as it was, octets and all") {
  Fixture f;
  auto first = world_of(f).enqueue("first");
  auto w = world_of(f);
  auto second = w.deliver({onward_item("second", {onward_to("b", "P: 1\r\n", "s")}, {w.to("INBOX")})}).queued[0][0];
  QueueChange change;
  change.id = second;
  change.held = true;
  change.due = from_unix(2'000'000'000);
  change.state = "later";
  REQUIRE(w.deliver({}, {change, removal(first)}).ok());
  f.reopen();
  auto again = world_of(f);
  CHECK(again.ids() == std::vector<QueueId>{second});
  auto entry = again.entry(second);
  CHECK(entry.held);
  CHECK(entry.due == from_unix(2'000'000'000));
  CHECK(entry.state == "later");
  CHECK(again.text(entry) == "P: 1\r\nsecond");
  f.check();
}

TEST_CASE("an id is never given twice, though the queue was empty and the store opened anew") {
  Fixture f;
  QueueId last = 0;
  for (int round = 0; round < 4; ++round) {
    auto id = world_of(f).enqueue("text");
    CHECK(id > last);
    last = id;
    REQUIRE(world_of(f).deliver({}, {removal(id)}).ok());
    if (round % 2 == 0) f.reopen();
  }
  f.check();
}

TEST_CASE("an entry keeps its body when the account and the mailboxes of its copies are removed") {
  Fixture f;
  auto w = world_of(f);
  auto id = w.deliver({onward_item("text", {onward_to("a")}, {w.to("INBOX"), w.to("Lists/new")})}).queued[0][0];
  REQUIRE(f.run(f.store->remove_mailbox(f.account, "Lists/new")).ok());
  REQUIRE(f.run(f.store->remove_account(f.account)).ok());
  f.reopen();   // waits for the sweeps
  f.check();
  auto again = world_of(f);
  CHECK(again.text(again.entry(id)) == "text");
  REQUIRE(again.deliver({}, {removal(id)}).ok());
  CHECK(f.store->state().body_octets == 0);
  f.check();
}

TEST_CASE("the removal of an entry and the notice it caused are one commit, whichever step of the disk fails") {
  for (auto fault : {Fault::io_error, Fault::no_space, Fault::lost_answer}) {
    for (int step = 0;; ++step) {
      INFO("fault " << static_cast<int>(fault) << " at step " << step);
      Faulty faulty;
      auto& f = faulty.f;
      auto w = world_of(f);
      auto id = w.enqueue("text");
      faulty.plan.arm(step, fault);
      auto notice = w.deliver({onward_item("notice", {onward_to("back")}, {w.to("INBOX")})}, {removal(id)});
      auto next = w.deliver({onward_item("next", {onward_to("c")})});
      bool fired = faulty.plan.fired;
      faulty.plan.disarm();
      f.reopen();
      f.check();
      auto again = world_of(f);
      bool removed = !again.find(id);
      if (notice.ok()) CHECK(removed);
      CHECK(again.messages("INBOX") == (removed ? 1 : 0));
      std::vector<std::string> texts;
      for (const auto& entry : again.page(0, 100)) texts.push_back(again.text(entry));
      CHECK(std::count(texts.begin(), texts.end(), "notice") == (removed ? 1 : 0));
      CHECK(std::count(texts.begin(), texts.end(), "text") == (removed ? 0 : 1));
      if (next.ok()) CHECK(std::count(texts.begin(), texts.end(), "next") == 1);
      auto last = again.ids().back();
      CHECK(again.enqueue("afterwards") > last);
      if (!fired) break;
      REQUIRE(step < 100);
    }
  }
}

TEST_CASE("on a nearly full disk no entry is added, and those that are there are changed and removed") {
  Faulty faulty;
  auto& f = faulty.f;
  f.options.low_space_octets = 1 << 20;
  f.reopen();
  auto first = world_of(f).enqueue("first");
  auto second = world_of(f).enqueue("second");
  faulty.plan.free = 1 << 10;
  f.reopen();   // an open store looks again only after a while
  auto w = world_of(f);
  CHECK(w.deliver({onward_item("x", {onward_to("a")})}).outcome == Outcome::no_space);
  CHECK(w.deliver({onward_item("notice", {onward_to("a")})}, {removal(first)}).outcome == Outcome::no_space);
  CHECK(w.ids() == std::vector<QueueId>{first, second});
  QueueChange later;
  later.id = first;
  later.state = "4xx";
  Delivery delivery;
  delivery.queue = {later, removal(second)};
  delivery.rows.push_back({"queue:hint", std::nullopt});
  CHECK(f.run(f.store->deliver(std::move(delivery))).ok());
  CHECK(w.ids() == std::vector<QueueId>{first});
  CHECK(w.entry(first).state == "4xx");
  faulty.plan.free = 1ULL << 40;
  f.check();
}

TEST_CASE("the memory store refuses what needs space as the one on disk does, and counts its bodies") {
  io::Loop loop;
  postern::test::MemoryStore store;
  QueueWorld w{loop, store, store.add_account("a@example.test")};
  auto id = w.deliver({onward_item("text", {onward_to("a")}, {w.to("INBOX")})}).queued[0][0];
  store.low_space = true;
  CHECK(w.deliver({onward_item("x", {onward_to("a")})}, {removal(id)}).outcome == Outcome::no_space);
  CHECK(w.deliver({}, {removal(id)}).ok());
  CHECK(store.bodies() == 1);
  auto inbox = store.mailbox(w.account, "INBOX")->id;
  CHECK(w.run(store.erase(inbox, {1})).ok());
  CHECK(store.bodies() == 0);
}

TEST_CASE("a full disk in the middle of a commit refuses the entry and lets a removal pass") {
  Faulty faulty;
  auto& f = faulty.f;
  auto w = world_of(f);
  auto id = w.enqueue("text");
  faulty.plan.arm(0, Fault::no_space);
  CHECK(w.deliver({onward_item("x", {onward_to("a")})}).outcome == Outcome::no_space);
  faulty.plan.disarm();
  CHECK(f.store->state().writable);
  CHECK(w.deliver({}, {removal(id)}).ok());
  CHECK(w.ids().empty());
  f.check();
}

TEST_CASE("the check tells of an entry whose body is not there") {
  Fixture f;
  auto w = world_of(f);
  auto id = w.enqueue("text");
  auto body = w.entry(id).body;
  f.check();
  KvBatch batch;
  batch.erase(body_key(body));
  tamper(f, batch);
  CHECK(says(f, "queue entry " + std::to_string(id) + ": its body " + std::to_string(body) + " has no row"));
  auto again = world_of(f);
  CHECK_FALSE(again.has_body(again.entry(id)));
}

TEST_CASE("the check tells of a body that counts an entry too many, and of one too few") {
  for (std::uint64_t references : {1U, 3U}) {
    Fixture f;
    auto w = world_of(f);
    auto ids = w.deliver({onward_item("text", {onward_to("a"), onward_to("b")})}).queued[0];
    auto body = w.entry(ids[0]).body;
    f.store.reset();
    KvBatch batch;
    {
      auto kv = open_rocks_kv(f.options.directory + "/rows", KvOpening::existing);
      auto row = (*kv)->get(std::vector<std::string>{body_key(body)}, KvReader::Reach::disk);
      auto decoded = *decode_body(*row.value[0]);
      decoded.references = references;
      batch.put(body_key(body), encode(decoded));
    }
    tamper(f, batch);
    CHECK(says(f, "body " + std::to_string(body) + " counts " + std::to_string(references) + " references, there are 2"));
  }
}

TEST_CASE("the check tells of an entry whose record is damaged or gone, and of an id that would come again") {
  Fixture f;
  auto id = world_of(f).enqueue("text");
  f.store.reset();
  for (const auto& file : std::filesystem::directory_iterator(f.options.directory + "/segments")) std::filesystem::remove(file.path());
  f.open();
  CHECK(says(f, "is missing"));
  KvBatch batch;
  batch.put(std::string(kQueueCounterKey), encode(QueueCounter{id}));
  tamper(f, batch);
  CHECK(says(f, "queue entry " + std::to_string(id) + ": its id would be given again"));
}

TEST_CASE("a queue that cannot be read is no empty queue, and its entries are not gone") {
  Faulty faulty;
  auto& f = faulty.f;
  auto w = world_of(f);
  auto id = w.enqueue("text");
  faulty.plan.bad_rows = 'q';
  CHECK_FALSE(f.run(f.store->queue(0, 10)));
  CHECK_FALSE(f.run(f.store->queue_entry(id)));
  auto refused = w.deliver({}, {removal(id)});
  CHECK(refused.outcome == Outcome::broken);
  CHECK(refused.gone.empty());
  faulty.plan.bad_rows = '\0';
  CHECK(w.text(w.entry(id)) == "text");
  f.check();
}

TEST_CASE("an entry with a damaged row is told, left out of the pages, and never taken for one that is gone") {
  Fixture f;
  auto w = world_of(f);
  std::vector<QueueId> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(w.enqueue("text"));
  KvBatch batch;
  batch.put(queue_key(ids[0]), "x");
  batch.put(queue_key(ids[2]), "");
  tamper(f, batch);
  auto again = world_of(f);
  CHECK(again.ids(0, 2) == std::vector<QueueId>{ids[1], ids[3]});
  CHECK_FALSE(f.run(f.store->queue_entry(ids[0])));
  CHECK(again.deliver({}, {removal(ids[0])}).outcome == Outcome::broken);
  CHECK(f.store->state().writable);
  CHECK(again.deliver({}, {removal(ids[1])}).ok());
  CHECK(says(f, "queue entry " + std::to_string(ids[2]) + ": the row is damaged"));
}

TEST_CASE("a store whose queue was never used has no rows of it, and its format is that of before") {
  Fixture f;
  f.put("INBOX", "text");
  f.store.reset();
  auto kv = open_rocks_kv(f.options.directory + "/rows", KvOpening::existing);
  auto rows = (*kv)->get(std::vector<std::string>{std::string(kFormatKey), std::string(kQueueCounterKey)}, KvReader::Reach::disk);
  CHECK(rows.value[0] == "postern store 2");
  CHECK_FALSE(rows.value[1]);
}
