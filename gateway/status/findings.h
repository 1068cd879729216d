// What is found in a picture of the gateway that may ask for a person, with words on what to do about it.
//
// Pure. Where a measure goes up and down, its finding has two thresholds: beyond the upper one it raises an alarm, and
// between the two it only keeps one that is raised.
#pragma once

#include <string>
#include <vector>

#include "gateway/status/model.h"

namespace furrow::gateway {

struct Finding {
  Alarm alarm;
  Duration raise_after{};   // `alarm.since`
  bool only_keeps = false;  // an alarm that is raised; raises none
};

std::vector<Finding> findings(const StatusModel& model);

}  // namespace furrow::gateway
