// Makes certificates: a small CA, and whoever it signs. P-256 and SHA-256, which every device of the last ten years
// knows.
//
// Nothing is kept here and nothing written: what comes out is PEM. Pure but for the random numbers of OpenSSL.
#pragma once

#include <string>
#include <vector>

#include "broker-core/base/result.h"
#include "broker-core/base/time.h"

namespace furrow::gateway {

struct MadeCertificate {
  std::string certificate;  // PEM
  std::string key;          // PEM
};

// A CA that signs no further CAs; valid for twenty years.
Result<MadeCertificate> make_ca(const std::string& name, WallTime now);

struct CertificateWish {
  std::string name;                // the common name
  std::vector<std::string> hosts;  // names and addresses of a server; empty: a client's alone
  int days = 0;
};

// Both ends may use it: a gateway is a server on its site and a client of its region.
Result<MadeCertificate> issue_certificate(const MadeCertificate& ca, const CertificateWish& wish, WallTime now);

}  // namespace furrow::gateway
