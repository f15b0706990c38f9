#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/base/check.h"
#include "common/base/error_code.h"

namespace gabion {

/// Why an operation failed: a code for programs, a message for people. The message says what was being done to what,
/// and is never empty when it reaches a log or a user.
class Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }

  /// "NOT_FOUND: no volume 'home'"
  std::string ToString() const { return std::string(gabion::ToString(code_)) + ": " + message_; }

  /// The same error with what the caller was doing put before it: "opening volume 'home': ...".
  Error WithContext(std::string_view context) const { return {code_, std::string(context) + ": " + message_}; }

 private:
  ErrorCode code_;
  std::string message_;
};

/// A value or an Error. Member names follow std::expected (C++23), so that it can take this one's place.
/// Operating errors travel in it; broken invariants are CHECKs; exceptions are used for neither.
template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)
  Result(ErrorCode code, std::string message) : state_(std::in_place_index<1>, code, std::move(message)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return Checked(std::get_if<0>(&state_)); }
  const T& value() const& { return Checked(std::get_if<0>(&state_)); }
  T&& value() && { return std::move(Checked(std::get_if<0>(&state_))); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    CHECK(!has_value());
    return *std::get_if<1>(&state_);
  }

 private:
  template <typename Pointer>
  static auto& Checked(Pointer pointer) {
    CHECK(pointer != nullptr);
    return *pointer;
  }

  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)
  Result(ErrorCode code, std::string message) : error_(std::in_place_index<1>, code, std::move(message)) {}

  bool has_value() const { return error_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  void value() const { CHECK(has_value()); }

  const Error& error() const {
    CHECK(!has_value());
    return *std::get_if<1>(&error_);
  }

 private:
  std::variant<std::monostate, Error> error_;
};

}  // namespace gabion

#define GABION_CONCAT_INNER(a, b) a##b
#define GABION_CONCAT(a, b) GABION_CONCAT_INNER(a, b)

/// Leaves the function with the error of `expression`, a Result<void>. CO_TRY is the same inside a coroutine.
#define TRY(expression)                                                         \
  do {                                                                          \
    if (auto try_result = (expression); !try_result) return try_result.error(); \
  } while (false)
#define CO_TRY(expression)                                                         \
  do {                                                                             \
    if (auto try_result = (expression); !try_result) co_return try_result.error(); \
  } while (false)

/// Declares `declaration` with the value of `expression`, a Result<T>, or leaves the function with its error.
#define TRY_ASSIGN(declaration, expression) TRY_ASSIGN_INNER(declaration, expression, return, TRY_RESULT_NAME)
#define CO_TRY_ASSIGN(declaration, expression) TRY_ASSIGN_INNER(declaration, expression, co_return, TRY_RESULT_NAME)
#define TRY_RESULT_NAME GABION_CONCAT(try_result_, __LINE__)
#define TRY_ASSIGN_INNER(declaration, expression, leave, result) \
  auto result = (expression);                                    \
  if (!result) leave result.error();                             \
  declaration = std::move(*result)
