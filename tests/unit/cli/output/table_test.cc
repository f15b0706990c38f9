#include "cli/output/table.h"

#include <gtest/gtest.h>

namespace gabion {
namespace {

TEST(TableTest, ColumnsAreAligned) {
  Table table({{"NAME"}, {"SIZE", Table::Align::kRight}, {"STATE"}});
  table.AddRow({"a", "1", "up"});
  table.AddRow({"longer", "1000", ""});
  EXPECT_EQ(table.ToString(),
            "NAME    SIZE  STATE\n"
            "a          1  up\n"
            "longer  1000\n");
}

TEST(TableTest, WidthCountsCharactersNotBytes) {
  Table table({{"N"}, {"X"}});
  table.AddRow({"\xC3\xA4\xC3\xB6", "1"});
  table.AddRow({"ab", "2"});
  EXPECT_EQ(table.ToString(),
            "N   X\n"
            "\xC3\xA4\xC3\xB6  1\n"
            "ab  2\n");
}

TEST(TableTest, ControlCharactersDoNotReachTheTerminal) {
  Table table({{"N"}});
  table.AddRow({"a\x1B[31mb\n"});
  EXPECT_EQ(table.ToString(), "N\na?[31mb?\n");
}

TEST(TableTest, FactsHaveTheirValuesInOneColumn) {
  EXPECT_EQ(FormatFacts({{"id", "1"}, {"replicas", "3"}, {"none", ""}}),
            "id        1\n"
            "replicas  3\n"
            "none\n");
}

}  // namespace
}  // namespace gabion
