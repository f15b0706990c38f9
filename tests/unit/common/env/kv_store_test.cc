#include "common/env/kv_store.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

TEST(PrefixEndTest, IsTheFirstKeyBehindThePrefix) {
  EXPECT_EQ(PrefixEnd("a"), "b");
  EXPECT_EQ(PrefixEnd("ab"), "ac");
  EXPECT_EQ(PrefixEnd("a\x7f"), "a\x80");
  EXPECT_EQ(PrefixEnd(std::string_view("a\0", 2)), "a\x01");
}

TEST(PrefixEndTest, CarriesOverTheLargestByte) {
  EXPECT_EQ(PrefixEnd("a\xff"), "b");
  EXPECT_EQ(PrefixEnd("a\xff\xff"), "b");
}

TEST(PrefixEndTest, NoEndWhereThereIsNone) {
  EXPECT_EQ(PrefixEnd(""), "");
  EXPECT_EQ(PrefixEnd("\xff"), "");
  EXPECT_EQ(PrefixEnd("\xff\xff"), "");
}

TEST(WriteBatchTest, AppendKeepsTheOrder) {
  WriteBatch first, second, empty;
  first.Put("a", "1");
  second.Delete("a");
  second.Put("b", "2");
  empty.Append(first);
  first.Append(std::move(second));
  first.Append(WriteBatch());
  ASSERT_EQ(first.entries().size(), 3u);
  EXPECT_EQ(first.entries()[0].value, "1");
  EXPECT_EQ(first.entries()[1].value, std::nullopt);
  EXPECT_EQ(first.entries()[2].key, "b");
  EXPECT_EQ(empty.entries().size(), 1u);
}

}  // namespace
}  // namespace gabion
