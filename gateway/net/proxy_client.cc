#include "gateway/net/proxy_client.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "broker-core/base/ip.h"
#include "broker-core/base/printable.h"

namespace furrow::gateway {
namespace {

constexpr std::uint8_t kSocksVersion = 5;
constexpr std::uint8_t kLoginVersion = 1;
constexpr std::uint8_t kConnect = 1;
constexpr std::uint8_t kNoLogin = 0;
constexpr std::uint8_t kPasswordLogin = 2;
constexpr std::uint8_t kNoMethod = 0xFF;
constexpr std::uint8_t kAddressV4 = 1;
constexpr std::uint8_t kAddressName = 3;
constexpr std::uint8_t kAddressV6 = 4;
constexpr std::size_t kSocksTextBytesMax = 255;

std::string base64(std::string_view text) {
  std::string made((text.size() + 2) / 3 * 4 + 1, '\0');  // and the NUL that OpenSSL writes behind it
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(made.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  made.resize(static_cast<std::size_t>(size));
  return made;
}

std::string without_zone(const std::string& host) {
  return host.substr(0, host.find('%'));
}

// [RFC 1928 §6]
std::string_view socks_reply(std::uint8_t code) {
  switch (code) {
    case 1:
      return "general failure";
    case 2:
      return "not allowed by its rules";
    case 3:
      return "network unreachable";
    case 4:
      return "host unreachable";
    case 5:
      return "connection refused";
    case 6:
      return "no answer in time";
    case 7:
      return "it does not connect for others";
    case 8:
      return "it does not know this kind of address";
    default:
      return "unknown code";
  }
}

void append_text(ByteBuffer& below, std::string_view text) {
  below.push_back(static_cast<std::uint8_t>(text.size()));
  below.append(text);
}

}  // namespace

std::string ProxyTarget::text() const {
  const std::string plain = without_zone(host);
  const bool is_v6 = plain.find(':') != std::string::npos;
  return (is_v6 ? "[" + plain + "]" : plain) + ":" + std::to_string(port);
}

// --- both kinds ---

Result<MutableBytes> ProxyClientLayer::read(MutableBytes& bytes, ByteBuffer& below) {
  if (!is_open_) FURROW_TRY_STATUS(negotiate(bytes, below));
  if (!is_open_) return MutableBytes();
  return std::exchange(bytes, {});
}

Status ProxyClientLayer::write(ByteBuffer& plain, ByteBuffer& below) {
  const std::size_t size = std::min(plain.size(), kPieceBytes);
  below.append(plain.view().first(size));
  plain.consume(size);
  return {};
}

Error ProxyClientLayer::refused_login(const std::string& code) const {
  if (!login_) {
    return invalid("it asks who we are (" + code +
                   "): name a user in proxy (http://USER@HOST:PORT), and the file with " +
                   "its password in proxy_password_from");
  }
  return invalid("it does not let user " + printable(login_->user, kHttpShownBytesMax) + " in (" + code +
                 "): look at proxy and proxy_password_from");
}

// --- CONNECT of HTTP ---

Status HttpProxyLayer::begin(ByteBuffer& below) {
  const std::string to = target_.text();
  below.append("CONNECT " + to + " HTTP/1.1\r\nHost: " + to + "\r\n");
  if (login_) {
    below.append("Proxy-Authorization: Basic " + base64(login_->user + ":" + login_->password) + "\r\n");
  }
  below.append("\r\n");
  return {};
}

Status HttpProxyLayer::negotiate(MutableBytes& bytes, ByteBuffer&) {
  switch (reader_.read(bytes)) {
    case HttpHeadReader::State::More:
      return {};
    case HttpHeadReader::State::Refused:
      return invalid("it does not speak HTTP (" + reader_.refusal().why + "): look at proxy");
    case HttpHeadReader::State::Whole:
      break;
  }
  if (reader_.head().status / 100 != 2) return refused(reader_.head());
  note_open();
  return {};
}

Error HttpProxyLayer::refused(const HttpHead& head) const {
  if (head.status == 407) return refused_login("407");
  std::string text = "it answers HTTP " + std::to_string(head.status);
  if (!head.reason.empty()) text += " " + printable(head.reason, kHttpShownBytesMax);
  switch (head.status) {
    case 403:
    case 405:
      return invalid(text + ": its rules do not allow connections to " + target_.text());
    case 502:
    case 503:
    case 504:
      return invalid(text + ": it cannot reach " + target_.text());
    default:
      return invalid(text + " to CONNECT: look at proxy");
  }
}

// --- SOCKS5 ---

Status SocksProxyLayer::begin(ByteBuffer& below) {
  const bool too_long =
      login_ && (login_->user.size() > kSocksTextBytesMax || login_->password.size() > kSocksTextBytesMax);
  if (too_long) return invalid("SOCKS5 takes 255 bytes of user and password: look at proxy and proxy_password_from");
  if (target_.host.size() > kSocksTextBytesMax) return invalid("SOCKS5 takes names of 255 bytes: look at connect");
  below.push_back(kSocksVersion);
  below.push_back(login_ ? 2 : 1);
  below.push_back(kNoLogin);
  if (login_) below.push_back(kPasswordLogin);
  return {};
}

Status SocksProxyLayer::negotiate(MutableBytes& bytes, ByteBuffer& below) {
  while (phase() == Phase::Opening) {
    FURROW_TRY(const std::size_t wanted, missing());
    const std::size_t size = std::min(wanted, bytes.size());
    answer_.append(ByteView(bytes).first(size));
    bytes = bytes.subspan(size);
    FURROW_TRY(const std::size_t still_missing, missing());
    if (still_missing == 0) {
      FURROW_TRY_STATUS(take_answer(below));
      answer_.clear();
    } else if (bytes.empty()) {
      return {};
    }
  }
  return {};
}

// The size of a reply is known with the kind of its address, and that of a name with its first byte.
Result<std::size_t> SocksProxyLayer::missing() const {
  constexpr std::size_t kAnswerBytes = 2;
  constexpr std::size_t kReplyHeadBytes = 5;
  constexpr std::size_t kPortBytes = 2;
  const std::size_t size = answer_.size();
  if (size > 0 && answer_at(0) != (step_ == Step::Login ? kLoginVersion : kSocksVersion)) {
    return invalid("it does not speak SOCKS5: look at proxy");
  }
  if (step_ != Step::Reply) return kAnswerBytes - size;
  // One that refuses need not say an address.
  if (size >= 2 && answer_at(1) != 0) return std::size_t{0};
  if (size < kReplyHeadBytes) return kReplyHeadBytes - size;
  switch (answer_at(3)) {
    case kAddressV4:
      return 4 + sizeof(IpAddress::V4) + kPortBytes - size;
    case kAddressV6:
      return 4 + sizeof(IpAddress::V6) + kPortBytes - size;
    case kAddressName:
      return kReplyHeadBytes + answer_at(4) + kPortBytes - size;
    default:
      return invalid("it does not speak SOCKS5: look at proxy");
  }
}

Status SocksProxyLayer::take_answer(ByteBuffer& below) {
  switch (step_) {
    case Step::Method:
      return take_method(below);
    case Step::Login:
      return take_login(below);
    case Step::Reply:
      return take_reply();
  }
  return {};
}

Status SocksProxyLayer::take_method(ByteBuffer& below) {
  const std::uint8_t method = answer_at(1);
  if (method == kNoLogin) {
    step_ = Step::Reply;
    say_request(below);
    return {};
  }
  if (method == kPasswordLogin && login_) {
    step_ = Step::Login;
    say_login(below);
    return {};
  }
  if (method == kNoMethod) return refused_login("no method of SOCKS5 that it takes");
  return invalid("it chose a way to log in that was not offered: look at proxy");
}

Status SocksProxyLayer::take_login(ByteBuffer& below) {
  if (answer_at(1) != 0) return refused_login("status " + std::to_string(answer_at(1)));
  step_ = Step::Reply;
  say_request(below);
  return {};
}

Status SocksProxyLayer::take_reply() {
  const std::uint8_t code = answer_at(1);
  if (code != 0) {
    return invalid("it does not connect to " + target_.text() + ": " + std::string(socks_reply(code)) + " (" +
                   std::to_string(code) + ")");
  }
  note_open();
  return {};
}

void SocksProxyLayer::say_login(ByteBuffer& below) const {
  below.push_back(kLoginVersion);
  append_text(below, login_->user);
  append_text(below, login_->password);
}

void SocksProxyLayer::say_request(ByteBuffer& below) const {
  below.push_back(kSocksVersion);
  below.push_back(kConnect);
  below.push_back(0);
  const std::string host = without_zone(target_.host);
  if (const auto address = IpAddress::parse(host)) {
    const ByteView bytes = address->bytes();
    below.push_back(address->is_v4() ? kAddressV4 : kAddressV6);
    below.append(address->is_v4() ? bytes.last(sizeof(IpAddress::V4)) : bytes);
  } else {
    below.push_back(kAddressName);
    append_text(below, host);
  }
  below.push_back(static_cast<std::uint8_t>(target_.port >> 8U));
  below.push_back(static_cast<std::uint8_t>(target_.port & 0xFFU));
}

}  // namespace furrow::gateway
