// The picture of the gateway as metrics of Prometheus.
//
// Names and labels are a contract with dashboards; metrics are added, never changed. A state is a metric of its own for
// each value that it may have, of which one is 1. Where a label would come twice, as with two rules of the same filter,
// the numbers are added up. Spec: Prometheus text format 0.0.4.
#pragma once

#include <string>

#include "gateway/status/model.h"

namespace furrow::gateway {

std::string metrics_text(const StatusModel& model);

}  // namespace furrow::gateway
