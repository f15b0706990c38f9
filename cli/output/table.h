#pragma once

#include <string>
#include <vector>

namespace gabion {

/// Rows of text in aligned columns, for people. Control characters in cells are shown as '?', so that a name cannot
/// move the terminal's cursor.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns);

  /// As many cells as there are columns.
  void AddRow(std::vector<std::string> cells);

  /// Title and rows, each line ended, no blanks at a line's end.
  std::string ToString() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// "name    value" lines: the names in a column of their own. The same rules for cells.
std::string FormatFacts(const std::vector<std::pair<std::string, std::string>>& facts);

}  // namespace gabion
