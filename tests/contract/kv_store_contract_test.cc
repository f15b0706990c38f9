#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/byte_units.h"
#include "common/env/kv_store.h"
#include "common/env/real/rocksdb_kv.h"
#include "common/env/sim/sim_world.h"
#include "tests/contract/bench.h"

namespace gabion {
namespace {

/// RocksDB in a temporary directory. A killed process is one that never closed its files: to the directory that is the
/// same as one that closed them without syncing.
class RocksEngine {
 public:
  RocksEngine() { Open(); }

  KvStore& store() { return *store_; }
  void Kill() {
    store_.reset();
    Open();
  }
  /// What was recovered from the log is in files afterwards, and none of them in the cache.
  void Cool() { Kill(); }
  template <typename T>
  T Run(Task<T> task) {
    return bench_.Run(std::move(task));
  }
  void RunAll(std::vector<Task<void>> tasks) { bench_.RunAll(std::move(tasks)); }

 private:
  void Open() {
    RocksKvOptions options;
    options.block_cache_bytes = 16 * kMiB;
    options.write_buffer_bytes = 4 * kMiB;
    Result<std::unique_ptr<RocksKv>> opened = RocksKv::Open(directory_.path() / "store", options);
    CHECK(opened.has_value());
    store_ = std::move(*opened);
  }

  TempDir directory_;
  RealBench bench_;
  std::unique_ptr<RocksKv> store_;
};

class MemoryEngine {
 public:
  MemoryEngine() { store_->contents().options().cold = true; }

  KvStore& store() { return *store_; }
  void Kill() {
    machine_.KillProcess();
    store_ = &machine_.kv("store");
  }
  void Cool() { store_->contents().Cool(); }
  template <typename T>
  T Run(Task<T> task) {
    return world_.RunUntilDone(std::move(task));
  }
  void RunAll(std::vector<Task<void>> tasks) { world_.RunUntilAllDone(std::move(tasks)); }

 private:
  SimWorld world_{1};
  SimMachine& machine_ = world_.AddMachine("machine");
  MemoryKv* store_ = &machine_.kv("store");
};

using Entries = std::vector<std::pair<std::string, std::string>>;

template <typename Engine>
class KvStoreContract : public testing::Test {
 protected:
  static constexpr int kMaxLoads = 1000;

  KvStore& store() { return engine_.store(); }

  CommitSeq Apply(const WriteBatch& batch) {
    Result<CommitSeq> applied = store().Apply(batch);
    CHECK(applied.has_value());
    return *applied;
  }
  CommitSeq Put(std::string key, std::string value) {
    WriteBatch batch;
    batch.Put(std::move(key), std::move(value));
    return Apply(batch);
  }
  CommitSeq Delete(std::string key) {
    WriteBatch batch;
    batch.Delete(std::move(key));
    return Apply(batch);
  }

  /// As callers do: load and ask again.
  std::optional<std::string> Get(const std::string& key) {
    for (int loads = 0; loads < kMaxLoads; ++loads) {
      Result<std::optional<std::string>> value = store().Get(key);
      if (value) return *value;
      CHECK(value.error().code() == ErrorCode::kWouldBlock);
      ++would_block_count_;
      CHECK(engine_.Run(store().Load(key)).has_value());
    }
    CHECK(false && "loading does not help");
    return std::nullopt;
  }
  Entries Scan(const std::string& first, const std::string& last, std::size_t max_entries = SIZE_MAX) {
    for (int loads = 1; loads < kMaxLoads; ++loads) {
      Entries entries;
      Result<void> scanned = store().Scan(first, last, [&](std::string_view key, std::string_view value) {
        if (entries.size() == max_entries) return false;
        entries.emplace_back(key, value);
        return entries.size() < max_entries;
      });
      if (scanned) return entries;
      CHECK(scanned.error().code() == ErrorCode::kWouldBlock);
      ++would_block_count_;
      CHECK(engine_.Run(store().LoadRange(first, last, static_cast<std::size_t>(loads) * 100)).has_value());
    }
    CHECK(false && "loading does not help");
    return {};
  }

  /// The range, page by page.
  Entries ReadAll(KvSnapshot& snapshot, std::string first, const std::string& last, std::size_t max_entries) {
    Entries entries;
    while (true) {
      Result<KvPage> page = engine_.Run(snapshot.Read(first, last, max_entries));
      CHECK(page.has_value());
      CHECK(page->records.size() <= max_entries && (page->end || !page->records.empty()));
      for (KvPage::Record& record : page->records) entries.emplace_back(std::move(record.key), std::move(record.value));
      if (page->end) return entries;
      first = entries.back().first + std::string(1, '\0');
    }
  }

  Engine engine_;
  int would_block_count_ = 0;
};

using Engines = testing::Types<RocksEngine, MemoryEngine>;
class EngineNames {
 public:
  template <typename T>
  static std::string GetName(int) {
    return std::is_same_v<T, RocksEngine> ? "RocksDb" : "Memory";
  }
};
TYPED_TEST_SUITE(KvStoreContract, Engines, EngineNames);

TYPED_TEST(KvStoreContract, WhatIsAbsentReadsAsNothing) {
  EXPECT_EQ(this->Get("absent"), std::nullopt);
  EXPECT_TRUE(this->Scan("", "").empty());
}

TYPED_TEST(KvStoreContract, PutIsSeenAtOnce) {
  this->Put("key", "one");
  EXPECT_EQ(this->Get("key"), "one");
  this->Put("key", "two");
  EXPECT_EQ(this->Get("key"), "two");
  this->Delete("key");
  EXPECT_EQ(this->Get("key"), std::nullopt);
}

TYPED_TEST(KvStoreContract, EmptyValueIsAValue) {
  this->Put("key", "");
  EXPECT_EQ(this->Get("key"), "");
}

TYPED_TEST(KvStoreContract, LastWriteOfABatchWins) {
  this->Put("b", "old");
  WriteBatch batch;
  batch.Put("a", "1");
  batch.Delete("a");
  batch.Put("a", "2");
  batch.Put("b", "new");
  batch.Delete("b");
  this->Apply(batch);
  EXPECT_EQ(this->Get("a"), "2");
  EXPECT_EQ(this->Get("b"), std::nullopt);
}

TYPED_TEST(KvStoreContract, DeletingWhatIsAbsentIsNoError) {
  this->Delete("absent");
  EXPECT_TRUE(this->Scan("", "").empty());
}

TYPED_TEST(KvStoreContract, SequenceGrowsWithEveryBatch) {
  CommitSeq previous;
  for (int i = 0; i < 10; ++i) {
    const CommitSeq seq = this->Put("key", std::to_string(i));
    EXPECT_GT(seq, previous);
    previous = seq;
  }
}

TYPED_TEST(KvStoreContract, SequenceGrowsAcrossAKill) {
  const CommitSeq before = this->Put("key", "1");
  this->engine_.Kill();
  EXPECT_GT(this->Put("key", "2"), before);
}

TYPED_TEST(KvStoreContract, KeysCompareAsUnsignedBytes) {
  const std::vector<std::string> keys = {
      std::string(1, '\0'), std::string(2, '\0'), "\x01", "\x7f", "\x7f\xff", "\x80", "\xff", "\xff\xff"};
  for (auto key = keys.rbegin(); key != keys.rend(); ++key) this->Put(*key, "value");
  std::vector<std::string> scanned;
  for (const auto& [key, value] : this->Scan("", "")) scanned.push_back(key);
  EXPECT_EQ(scanned, keys);
}

TYPED_TEST(KvStoreContract, ScanTakesFirstAndLeavesLast) {
  for (const char* key : {"a", "b", "c", "d"}) this->Put(key, key);
  EXPECT_EQ(this->Scan("b", "d"), (Entries{{"b", "b"}, {"c", "c"}}));
  EXPECT_EQ(this->Scan("aa", "cc"), (Entries{{"b", "b"}, {"c", "c"}}));
  EXPECT_EQ(this->Scan("c", ""), (Entries{{"c", "c"}, {"d", "d"}}));
  EXPECT_TRUE(this->Scan("b", "b").empty());
  EXPECT_TRUE(this->Scan("d", "b").empty());
  EXPECT_TRUE(this->Scan("e", "").empty());
}

TYPED_TEST(KvStoreContract, ScanEndsWhenTheVisitorHasEnough) {
  for (int i = 0; i < 10; ++i) this->Put(std::to_string(i), "value");
  EXPECT_EQ(this->Scan("", "", 3).size(), 3u);
}

TYPED_TEST(KvStoreContract, ScanOfAPrefix) {
  for (const char* key : {"a", "b", "b1", "b\xff", "c", "\xff\xff", "\xff\xff\x01"}) this->Put(key, "value");
  EXPECT_EQ(this->Scan("b", PrefixEnd("b")).size(), 3u);
  EXPECT_EQ(this->Scan("\xff\xff", PrefixEnd("\xff\xff")).size(), 2u);
}

TYPED_TEST(KvStoreContract, VisitorMayReadTheStore) {
  for (const char* key : {"a", "b", "c"}) this->Put(key, key);
  int equal = 0;
  Result<void> scanned = this->store().Scan("", "", [&](std::string_view key, std::string_view value) {
    Result<std::optional<std::string>> again = this->store().Get(key);
    if (again && *again == std::string(value)) ++equal;
    return true;
  });
  EXPECT_TRUE(scanned.has_value());
  EXPECT_EQ(equal, 3);
}

TYPED_TEST(KvStoreContract, LargeAndBinaryValues) {
  std::string large(kMiB, '\0');
  for (std::size_t i = 0; i < large.size(); ++i) large[i] = static_cast<char>(i * 2654435761u >> 13);
  this->Put("large", large);
  EXPECT_EQ(this->Get("large"), large);
  this->engine_.Kill();
  EXPECT_EQ(this->Get("large"), large);
}

TYPED_TEST(KvStoreContract, KilledProcessLosesNothing) {
  for (int i = 0; i < 100; ++i) this->Put("key" + std::to_string(i), std::to_string(i));
  this->Delete("key50");
  this->engine_.Kill();
  EXPECT_EQ(this->Scan("", "").size(), 99u);
  EXPECT_EQ(this->Get("key49"), "49");
  EXPECT_EQ(this->Get("key50"), std::nullopt);
}

TYPED_TEST(KvStoreContract, SyncCoversWhatWasAppliedBefore) {
  const CommitSeq applied = this->Put("key", "value");
  Result<void> waited = this->engine_.Run(this->store().WaitApplied(applied));
  EXPECT_TRUE(waited.has_value());
  Result<CommitSeq> durable = this->engine_.Run(this->store().Sync());
  ASSERT_TRUE(durable.has_value());
  EXPECT_GE(*durable, applied);
}

Task<void> ApplyAndSync(KvStore& store, int number, int& good) {
  WriteBatch batch;
  batch.Put("key" + std::to_string(number), "value");
  Result<CommitSeq> applied = store.Apply(batch);
  Result<CommitSeq> durable = co_await store.Sync();
  if (applied && durable && *durable >= *applied) ++good;
}

TYPED_TEST(KvStoreContract, ConcurrentSyncsAllReturn) {
  int good = 0;
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 100; ++i) tasks.push_back(ApplyAndSync(this->store(), i, good));
  this->engine_.RunAll(std::move(tasks));
  EXPECT_EQ(good, 100);
}

TYPED_TEST(KvStoreContract, ColdDataIsLoadedOnDemand) {
  for (int i = 0; i < 2000; ++i) this->Put("key" + std::to_string(i), std::string(100, 'x'));
  this->engine_.Cool();
  EXPECT_EQ(this->Get("key7"), std::string(100, 'x'));
  EXPECT_GT(this->would_block_count_, 0) << "nothing was cold: the test shows nothing";
  EXPECT_EQ(this->Get("key7"), std::string(100, 'x'));

  this->engine_.Cool();
  this->would_block_count_ = 0;
  EXPECT_EQ(this->Scan("key1", "key2").size(), 1111u);
  EXPECT_GT(this->would_block_count_, 0);
}

TYPED_TEST(KvStoreContract, LoadedDataStaysForTheDecision) {
  // A decision reads several keys: loading the one must not throw out the other.
  for (int i = 0; i < 20; ++i) this->Put("key" + std::to_string(i), std::string(kMiB / 4, 'x'));
  this->engine_.Cool();
  for (int i = 0; i < 20; ++i) this->Get("key" + std::to_string(i));
  this->would_block_count_ = 0;
  for (int i = 0; i < 20; ++i) this->Get("key" + std::to_string(i));
  EXPECT_EQ(this->would_block_count_, 0);
}

TYPED_TEST(KvStoreContract, LoadingWhatIsAbsentIsNoError) {
  Result<void> loaded = this->engine_.Run(this->store().Load("absent"));
  EXPECT_TRUE(loaded.has_value());
  loaded = this->engine_.Run(this->store().LoadRange("a", "b", 100));
  EXPECT_TRUE(loaded.has_value());
}

TYPED_TEST(KvStoreContract, SnapshotStaysAsItWas) {
  for (const char* key : {"a", "b", "c", "d"}) this->Put(key, key);
  const std::unique_ptr<KvSnapshot> snapshot = this->store().TakeSnapshot();
  WriteBatch batch;
  batch.Put("a", "new");
  batch.Delete("b");
  batch.Put("bb", "new");
  this->Apply(batch);
  EXPECT_EQ(this->ReadAll(*snapshot, "", "", 100), (Entries{{"a", "a"}, {"b", "b"}, {"c", "c"}, {"d", "d"}}));
  EXPECT_EQ(this->ReadAll(*snapshot, "b", "d", 100), (Entries{{"b", "b"}, {"c", "c"}}));
  const std::unique_ptr<KvSnapshot> later = this->store().TakeSnapshot();
  EXPECT_EQ(this->ReadAll(*later, "", "c", 100), (Entries{{"a", "new"}, {"bb", "new"}}));
}

TYPED_TEST(KvStoreContract, SnapshotIsReadInPages) {
  Entries entries;
  for (int i = 100; i < 400; ++i) entries.emplace_back("key" + std::to_string(i), std::string(kMiB / 64, 'x'));
  for (const auto& [key, value] : entries) this->Put(key, value);
  this->engine_.Cool();
  const std::unique_ptr<KvSnapshot> snapshot = this->store().TakeSnapshot();
  EXPECT_EQ(this->ReadAll(*snapshot, "", "", 7), entries);
  EXPECT_EQ(this->ReadAll(*snapshot, "", "", 100000), entries);
  Result<KvPage> page = this->engine_.Run(snapshot->Read("", "", 100000));
  ASSERT_TRUE(page.has_value());
  EXPECT_FALSE(page->end);
  EXPECT_LE(page->records.size(), 64u) << "a page has a bound in bytes";
  page = this->engine_.Run(snapshot->Read("key399", "", 1));
  ASSERT_TRUE(page.has_value());
  EXPECT_EQ(page->records.size(), 1u);
}

TYPED_TEST(KvStoreContract, AgreesWithAMapThroughKills) {
  std::map<std::string, std::string> model;
  SimRandom random(1);
  for (int step = 0; step < 3000; ++step) {
    const std::string key = "key" + std::to_string(random.Below(200));
    const std::uint64_t kind = random.Below(100);
    if (kind < 50) {
      WriteBatch batch;
      for (std::uint64_t i = random.Below(4); i > 0; --i) {
        const std::string other = "key" + std::to_string(random.Below(200));
        if (random.Chance(1, 3)) {
          batch.Delete(other);
          model.erase(other);
        } else {
          std::string value(random.Below(300), static_cast<char>(random.Below(256)));
          batch.Put(other, value);
          model[other] = value;
        }
      }
      this->Apply(batch);
    } else if (kind < 80) {
      const auto found = model.find(key);
      ASSERT_EQ(this->Get(key), found == model.end() ? std::nullopt : std::optional(found->second));
    } else if (kind < 98) {
      const std::string last = "key" + std::to_string(random.Below(200));
      const Entries expected(model.lower_bound(key), key < last ? model.lower_bound(last) : model.lower_bound(key));
      ASSERT_EQ(this->Scan(key, last), expected);
    } else if (kind < 99) {
      this->engine_.Kill();
    } else {
      this->engine_.Cool();
    }
  }
  EXPECT_EQ(this->Scan("", ""), Entries(model.begin(), model.end()));
}

}  // namespace
}  // namespace gabion
