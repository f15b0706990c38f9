#include "cli/output/table.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "common/base/check.h"

namespace gabion {
namespace {

constexpr std::size_t kGap = 2;

/// Columns on a terminal: code points, which is right for everything but wide East Asian characters and combining
/// marks.
std::size_t Width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

std::string Printable(std::string text) {
  for (char& byte : text) {
    if (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7F) byte = '?';
  }
  return text;
}

void AppendCell(std::string& line, const std::string& cell, std::size_t width, Table::Align align) {
  const std::string padding(width - Width(cell), ' ');
  line += align == Table::Align::kRight ? padding + cell : cell + padding;
}

void EndLine(std::string& text) {
  text.erase(text.find_last_not_of(' ') + 1);
  text += '\n';
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::AddRow(std::vector<std::string> cells) {
  CHECK(cells.size() == columns_.size());
  for (std::string& cell : cells) cell = Printable(std::move(cell));
  rows_.push_back(std::move(cells));
}

std::string Table::ToString() const {
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = Width(titles[i]);
    for (const auto& row : rows_) width = std::max(width, Width(row[i]));
    widths.push_back(width);
  }
  std::string text;
  const auto append = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) line.append(kGap, ' ');
      AppendCell(line, cells[i], widths[i], columns_[i].align);
    }
    EndLine(line);
    text += line;
  };
  append(titles);
  for (const auto& row : rows_) append(row);
  return text;
}

std::string FormatFacts(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::size_t width = 0;
  for (const auto& [name, value] : facts) width = std::max(width, Width(name));
  std::string text;
  for (const auto& [name, value] : facts) {
    std::string line;
    AppendCell(line, name, width + kGap, Table::Align::kLeft);
    line += Printable(value);
    EndLine(line);
    text += line;
  }
  return text;
}

}  // namespace gabion
