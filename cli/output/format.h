#pragma once

#include <cstdint>
#include <string>

namespace gabion {

/// 0 -> "0 B", 1536 -> "1.5 KiB", 2^40 -> "1.0 TiB": one decimal below 100, none from there on.
std::string FormatBytes(std::uint64_t bytes);

/// 1234567 -> "1,234,567".
std::string FormatCount(std::uint64_t count);

/// FormatCount with its noun: "1 server", "3 servers".
std::string FormatCountOf(std::uint64_t count, const std::string& noun);

/// Seconds as the two largest units: "42 s", "5 min 3 s", "2 h 10 min", "3 d 4 h".
std::string FormatAge(std::uint64_t seconds);

/// Nanoseconds since 1970 -> "2026-11-22 13:36:01 UTC".
std::string FormatUtc(std::int64_t wall_ns);

/// part / whole -> "12 %"; "0 %" if whole is 0. Rounded down, but "<1 %" where there is something.
std::string FormatShare(std::uint64_t part, std::uint64_t whole);

}  // namespace gabion
