#include "gateway/net/tls_diagnosis.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "broker-core/base/printable.h"
#include "gateway/net/tls_certificate.h"

namespace furrow::gateway {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kForeignBytesMax = 100;

std::string in_quotes(std::string_view text) {
  return "'" + printable(text, kForeignBytesMax) + "'";
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& one : names) text += (text.empty() ? "" : ", ") + one;
  return text;
}

// --- certificates ---

// The certificate that did not please, seen from here.
std::string subject_of(const TlsFault& fault, TlsContext::End end) {
  const std::string whose = end == TlsContext::End::Server ? "its" : "the far";
  return (fault.depth == 0 ? whose + " certificate " : "the CA certificate ") + in_quotes(fault.subject);
}

std::string describe_unknown_ca(const TlsFault& fault, const TlsContext& context) {
  if (context.end() == TlsContext::End::Server) {
    return subject_of(fault, context.end()) + " does not come from a CA in " + context.ca_file() + " (unknown CA)";
  }
  const std::string advice = "; to trust it set tls.ca to its CA, or pin: " + fault.pin + ", which is the key it shows";
  if (fault.verify == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT) {
    return subject_of(fault, context.end()) + " is self-signed" + advice;
  }
  const std::string trusted =
      context.ca_file().empty() ? "this system does not trust" : "is not in " + context.ca_file();
  return "the far certificate comes from a CA that " + trusted + ", " + in_quotes(fault.issuer) + advice;
}

std::string describe_wrong_host(const TlsFault& fault, std::string_view host) {
  if (fault.hosts.empty()) {
    return "the far certificate " + in_quotes(fault.subject) + " names no host (subjectAltName), so it is not for " +
           std::string(host);
  }
  return "the certificate is for " + joined(fault.hosts) + ", not " + std::string(host) +
         "; look at connect and tls.server_name";
}

std::string describe_certificate(const TlsFault& fault, const TlsContext& context, std::string_view host) {
  if (is_of_unknown_origin(fault.verify)) return describe_unknown_ca(fault, context);
  const std::string subject = subject_of(fault, context.end());
  switch (fault.verify) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return subject + " has expired on " + date_text(fault.not_after);
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return subject + " is not valid before " + date_text(fault.not_before) + "; is the clock of this machine right?";
    case X509_V_ERR_CERT_REVOKED:
      return subject + " has been revoked, says " + context.crl_file();
    case X509_V_ERR_CRL_HAS_EXPIRED:
      return "the revocation list " + context.crl_file() + " has expired" +
             (context.crl_until() ? " on " + date_text(*context.crl_until()) : "") +
             ": every client is refused until there is a new one";
    case X509_V_ERR_CRL_NOT_YET_VALID:
      return "the revocation list " + context.crl_file() + " is not valid yet; is the clock of this machine right?";
    case X509_V_ERR_UNABLE_TO_GET_CRL:
      return "the revocation list " + context.crl_file() + " has no part by " + in_quotes(fault.issuer) +
             ", who has signed " + subject;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return describe_wrong_host(fault, host);
    case X509_V_ERR_APPLICATION_VERIFICATION:
      return "the far public key is " + fault.pin + ", which is not what pin says; is it another machine?";
    case X509_V_ERR_INVALID_PURPOSE:
      return subject + (context.end() == TlsContext::End::Server ? " is not for clients" : " is not for servers") +
             " (extendedKeyUsage)";
    default:
      return subject + " is not accepted: " + X509_verify_cert_error_string(fault.verify);
  }
}

// --- alerts: what the other end says ---

std::string_view alert_name(int alert) {
  switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
      return "bad certificate";
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
      return "unsupported certificate";
    case SSL_AD_CERTIFICATE_REVOKED:
      return "certificate revoked";
    case SSL_AD_CERTIFICATE_EXPIRED:
      return "certificate expired";
    case SSL_AD_CERTIFICATE_UNKNOWN:
      return "certificate not accepted";
    case SSL_AD_UNKNOWN_CA:
      return "unknown CA";
    case SSL_AD_ACCESS_DENIED:
      return "access denied";
    default:
      return {};
  }
}

std::string describe_alert(int alert, const TlsContext& context) {
  const bool is_server = context.end() == TlsContext::End::Server;
  const std::string who = is_server ? "the client" : "the far side";
  if (const std::string_view name = alert_name(alert); !name.empty()) {
    const std::string advice = is_server ? "it must trust the CA of this listener's certificate, and the name it uses"
                                         : "look at tls.certificate and tls.key";
    return who + " refuses our certificate (" + std::string(name) + "); " + advice;
  }
  switch (alert) {
    case SSL_AD_PROTOCOL_VERSION:
      return who + " speaks no version of TLS that min_version allows";
    case SSL_AD_CERTIFICATE_REQUIRED:
      return who + " wants a certificate of ours: set tls.certificate and tls.key";
    case SSL_AD_UNRECOGNIZED_NAME:
      return who + " does not know the name that it was asked for; look at connect and tls.server_name";
    case SSL_AD_UNKNOWN_PSK_IDENTITY:
    case SSL_AD_DECRYPT_ERROR:
    case SSL_AD_BAD_RECORD_MAC:
    case SSL_AD_ILLEGAL_PARAMETER:  // as OpenSSL says it in TLS 1.3
      if (context.by_psk()) {
        return is_server ? "the client has another pre-shared key for its identity"
                         : "the far side does not know psk_identity, or has another key for it";
      }
      break;
    case SSL_AD_HANDSHAKE_FAILURE:
      if (context.by_psk()) return who + " takes no pre-shared key";
      return who + " has found nothing in common with us, or wants a certificate of ours";
    case SSL_AD_NO_APPLICATION_PROTOCOL:
      return who + " speaks none of the protocols in tls.alpn";
    default:
      break;
  }
  return who + " ended the handshake: alert " + std::to_string(alert) + ", " + SSL_alert_desc_string_long(alert);
}

std::string describe_psk(const TlsFault& fault) {
  if (fault.psk_identity.empty()) return "it offers no pre-shared key, which is all that this listener takes";
  const std::string identity = "its PSK identity " + in_quotes(fault.psk_identity);
  return fault.psk_is_unknown ? identity + " is not in psk_file" : "it has the wrong key for " + identity;
}

}  // namespace

bool is_of_unknown_origin(long verify) {
  switch (verify) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
      return true;
    default:
      return false;
  }
}

std::string describe(const TlsFault& fault, const TlsContext& context, std::string_view host) {
  const bool is_server = context.end() == TlsContext::End::Server;
  const int reason = ERR_GET_LIB(fault.code) == ERR_LIB_SSL ? ERR_GET_REASON(fault.code) : 0;
  if (reason > SSL_AD_REASON_OFFSET) return describe_alert(reason - SSL_AD_REASON_OFFSET, context);
  switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_WRONG_VERSION_NUMBER:
      return is_server ? "it speaks only versions of TLS older than min_version"
                       : "the far side speaks only versions of TLS older than tls.min_version";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "it has no client certificate, which this listener requires";
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      if (!is_server && context.by_psk()) {
        return "the far side shows a certificate instead of taking our pre-shared key; it may not know psk_identity";
      }
      return describe_certificate(fault, context, host);
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_BINDER_DOES_NOT_VERIFY:
    case SSL_R_DIGEST_CHECK_FAILED:
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
    case SSL_R_BAD_PSK_IDENTITY:
    case SSL_R_PSK_IDENTITY_NOT_FOUND:
      if (is_server && context.by_psk()) return describe_psk(fault);
      if (reason == SSL_R_NO_SHARED_CIPHER) return "it offers no cipher that is strong enough";
      break;
    default:
      break;
  }
  const char* const text = ERR_reason_error_string(fault.code);
  return "the handshake failed: " + std::string(text == nullptr ? "unknown fault" : text);
}

std::string describe_no_tls(ByteView first_bytes, TlsContext::End end) {
  const std::string_view text = as_text(first_bytes);
  const bool is_server = end == TlsContext::End::Server;
  const std::string instead = is_server ? "it must be told to use TLS" : "use mqtt:// for it, or another port";
  if (!is_server && text.starts_with("HTTP/")) return "the far side answers HTTP, not TLS";
  for (const std::string_view method :
       {"GET "sv, "POST "sv, "HEAD "sv, "PUT "sv, "DELETE "sv, "OPTIONS "sv, "PRI "sv}) {
    if (text.starts_with(method)) return "it speaks HTTP without TLS; " + instead;
  }
  if (text.starts_with("PROXY ") || text.starts_with("\r\n\r\n")) {
    return "it speaks the PROXY protocol, which this listener takes with proxy_protocol only";
  }
  // CONNECT with a protocol name behind its length; a CONNACK or DISCONNECT.
  const bool is_connect = !text.empty() && text.front() == '\x10';
  if (is_server && is_connect) return "it speaks plain MQTT; " + instead;
  // The first record of SSL 2, in two bytes of length.
  if (is_server && !text.empty() && (first_bytes[0] & 0x80U) != 0 && first_bytes.size() > 2 && first_bytes[2] == 1) {
    return "it speaks SSL 2, which is older than min_version";
  }
  return is_server ? "it does not speak TLS; " + instead : "the far side does not speak TLS; " + instead;
}

}  // namespace furrow::gateway
