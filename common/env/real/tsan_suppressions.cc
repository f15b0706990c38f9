/// What the thread sanitizer is told at the start of every program with RocksDB in it. Debian's library is not compiled
/// with the sanitizer, which therefore sees its allocations and copies (also those that it makes through the standard
/// library's templates in our own program) but not the atomics that order them, and reports races where there are none.
extern "C" const char* __tsan_default_suppressions();  // NOLINT(bugprone-reserved-identifier): the sanitizer's name

extern "C" const char* __tsan_default_suppressions() {
  return "called_from_lib:librocksdb.so\n"
         "race:librocksdb.so\n";
}
