// What Bayes costs in the store: bench_bayes_store FOLDER.  A message's tokens by multi-get from RocksDB's rows against the table
// in memory, a learned message's batch, and reading all rows at start.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "filters/bayes_collect.h"
#include "filters/bayes_model.h"
#include "gateway/store/file.h"
#include "gateway/store/rocks_kv.h"

using namespace postern;
using namespace postern::filters;

namespace {

double us(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}
double cpu() { return us(CLOCK_PROCESS_CPUTIME_ID); }
double wall() { return us(CLOCK_MONOTONIC); }

store::KvBatch batch_of(const std::vector<BayesRow>& rows) {
  store::KvBatch batch;
  for (const auto& row : rows) {
    if (row.value) batch.put(row.key, *row.value);
    else batch.erase(row.key);
  }
  return batch;
}

// As words are: few are frequent.
std::vector<BayesToken> a_message(std::mt19937_64& random, std::uint64_t vocabulary, std::size_t count) {
  std::vector<BayesToken> out;
  for (std::size_t i = 0; i < count; ++i) {
    double x = static_cast<double>(random() % 1'000'000) / 1'000'000;
    out.push_back(std::max<BayesToken>(bayes_mix(static_cast<std::uint64_t>(x * x * x * static_cast<double>(vocabulary))) & kBayesKeyMask, 1));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::printf("bench_bayes_store FOLDER\n");
    return 2;
  }
  auto opened = store::open_rocks_kv(argv[1], store::KvOpening::create);
  if (!opened) {
    std::printf("%s\n", opened.error().text.c_str());
    return 1;
  }
  store::Kv& kv = **opened;
  constexpr std::uint64_t kVocabulary = 1'000'000;
  std::mt19937_64 random(1);

  // A vocabulary of rows.
  BayesModel model;
  {
    std::vector<BayesRow> rows;
    BayesCheck check;
    for (std::uint64_t i = 0; i < kVocabulary; ++i) {
      BayesKey key = std::max<BayesKey>(bayes_mix(i) & kBayesKeyMask, 1);
      BayesCounts counts{static_cast<std::uint32_t>(random() % 100 + 1), static_cast<std::uint32_t>(random() % 100), 20000, 20001};
      rows.push_back({token_row(key), encode(counts)});
      check.add(key, counts);
      if (rows.size() == 10'000) {
        static_cast<void>(kv.write(batch_of(rows)));
        rows.clear();
      }
    }
    rows.push_back({total_row(0), encode(BayesTotals{50'000, 50'000})});
    rows.push_back({std::string(kBayesCheckRow), encode(check)});
    static_cast<void>(kv.write(batch_of(rows)));
    static_cast<void>(kv.settle());
  }

  double begin = wall(), begin_cpu = cpu();
  std::string from(kBayesTokenRows), to = store::behind(kBayesTokenRows);
  while (true) {
    auto page = kv.scan(from, to, 10'000, store::KvReader::Reach::disk);
    if (!page.ok() || page.value.empty()) break;
    from = page.value.back().key + '\0';
    std::vector<BayesRow> rows;
    for (auto& row : page.value) rows.push_back({std::move(row.key), std::move(row.value)});
    model.add_rows(rows);
  }
  BayesRow totals{total_row(0), encode(BayesTotals{50'000, 50'000})};
  model.add_rows({&totals, 1});
  auto check = kv.get(std::vector<std::string>{std::string(kBayesCheckRow)}, store::KvReader::Reach::disk);
  Status status = model.finish_loading(check.value.at(0));
  std::printf("reading %zu rows at start: %.2f s, %.2f s CPU; %zu MiB; %s\n", model.tokens(), (wall() - begin) / 1e6, (cpu() - begin_cpu) / 1e6, model.octets() >> 20,
              status ? "complete" : status.error().text.c_str());

  for (std::size_t count : {300U, 600U}) {
    constexpr int kMessages = 300;
    std::vector<std::vector<BayesToken>> messages;
    for (int i = 0; i < kMessages; ++i) messages.push_back(a_message(random, kVocabulary, count));
    double kv_best = 1e12, table_best = 1e12, judge_best = 1e12;
    std::size_t sink = 0;
    BayesTable table;
    for (std::uint64_t i = 0; i < kVocabulary; ++i) table.set(std::max<BayesKey>(bayes_mix(i) & kBayesKeyMask, 1), {1, 1, 1, 1});
    for (int round = 0; round < 3; ++round) {
      begin_cpu = cpu();
      for (const auto& message : messages) {
        std::vector<std::string> keys;
        for (auto token : message) keys.push_back(token_row(bayes_key(token, 0)));
        auto answer = kv.get(keys, store::KvReader::Reach::disk);
        for (const auto& value : answer.value) sink += value ? 1 : 0;
      }
      kv_best = std::min(kv_best, cpu() - begin_cpu);
      begin_cpu = cpu();
      for (const auto& message : messages) {
        std::vector<BayesCounts> counts(message.size());
        table.find(message, counts);
        for (const auto& one : counts) sink += one.spam;
      }
      table_best = std::min(table_best, cpu() - begin_cpu);
      begin_cpu = cpu();
      for (const auto& message : messages) sink += model.judge(message, 0).known;
      judge_best = std::min(judge_best, cpu() - begin_cpu);
    }
    std::printf("%zu tokens, us a message: RocksDB multi-get %.1f, table %.1f, table and judgement %.1f   (%zu)\n", count, kv_best / kMessages, table_best / kMessages,
                judge_best / kMessages, sink % 10);
  }

  double best = 1e12, best_cpu = 1e12;
  std::size_t rows = 0, octets = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    auto tokens = a_message(random, kVocabulary * 2, 600);
    begin = wall();
    begin_cpu = cpu();
    auto change = model.learn(0, {i, i}, BayesClass::spam, tokens, std::nullopt, std::nullopt, 20002);
    if (!kv.write(batch_of(change.rows))) return 1;
    best = std::min(best, wall() - begin);
    best_cpu = std::min(best_cpu, cpu() - begin_cpu);
    rows = change.rows.size();
    octets = 0;
    for (const auto& row : change.rows) octets += row.key.size() + (row.value ? row.value->size() : 0);
  }
  std::printf("learning a message of 600 tokens, durable: %.0f us, %.0f us CPU, %zu rows of %zu octets\n", best, best_cpu, rows, octets);
  return 0;
}
