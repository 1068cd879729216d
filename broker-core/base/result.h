// Result<T>: a value or the Error that explains its absence. Nothing in furrow throws.
//
// Uses the names of std::expected (`has_value`, `*r`, `error()`), which g++ 12 lacks in C++20, so
// that it can be replaced one day. Errors are for the peer, the operator and the environment; a
// broken promise of our own is a FURROW_CHECK.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "broker-core/base/check.h"

namespace furrow {

enum class Errc : unsigned char {
  InvalidArgument,  // the caller's input does not make sense (configuration, command line)
  NotFound,         // a file, host or row that is not there
  PermissionDenied,
  InUse,     // a port, or a data directory locked by another gateway
  NoSpace,   // disk or quota full
  ReadOnly,  // the medium refuses writes
  Io,        // the medium or the network failed
  Corrupt,   // stored bytes do not check out
  Unsupported,
  Closed,  // the peer has said goodbye, as it should
  Reset,   // the connection was broken off, by the peer or by somebody on the way
};

// What was attempted and why it failed, composed outward:
// `bridge 'cloud': open /etc/furrow/ca.pem: No such file`.
class Error {
 public:
  Error(Errc code, std::string message) : code_(code), message_(std::move(message)) {}

  Errc code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same error as seen from further out: `context: message`.
  Error within(std::string_view context) && { return {code_, std::string(context) + ": " + std::move(message_)}; }

 private:
  Errc code_;
  std::string message_;
};

// What a person, a file or a peer said is wrong.
inline Error invalid(std::string message) {
  return {Errc::InvalidArgument, std::move(message)};
}

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // REQUIRES: has_value().
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // REQUIRES: !has_value().
  const Error& error() const& {
    FURROW_CHECK(!has_value());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    FURROW_CHECK(!has_value());
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  T& value() {
    FURROW_CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& value() const {
    FURROW_CHECK(has_value());
    return *std::get_if<0>(&state_);
  }

  std::variant<T, Error> state_;
};

// Success, or the Error.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }

  // REQUIRES: !has_value().
  const Error& error() const& {
    FURROW_CHECK(error_.has_value());
    return *error_;
  }
  Error&& error() && {
    FURROW_CHECK(error_.has_value());
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace furrow

#define FURROW_CONCAT_INNER(a, b) a##b
#define FURROW_CONCAT(a, b) FURROW_CONCAT_INNER(a, b)

// `FURROW_TRY(auto value, make());` declares `value`, or returns the error from this function.
#define FURROW_TRY(declaration, expression) \
  FURROW_TRY_INNER(FURROW_CONCAT(furrow_try_, __COUNTER__), declaration, expression)
#define FURROW_TRY_INNER(result, declaration, expression)    \
  auto result = (expression);                                \
  if (!result.has_value()) return std::move(result).error(); \
  declaration = *std::move(result)

// `FURROW_TRY_STATUS(write());` returns the error from this function, if there is one.
#define FURROW_TRY_STATUS(expression)                                                                           \
  do {                                                                                                          \
    if (auto furrow_status = (expression); !furrow_status.has_value()) return std::move(furrow_status).error(); \
  } while (false)
