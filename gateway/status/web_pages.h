// What is answered by HTTP beside MQTT: whole answers, as text. Pure.
//
//   path         answer
//   /healthz     200 `ok`, or 503 with what is wrong; for everybody
//   /metrics     the picture as metrics; for those who may read the status
//   /status      the picture as JSON, likewise
//   any other    a file of the status page, or 404
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "broker-core/visitors.h"
#include "gateway/net/web_question.h"
#include "gateway/status/model.h"
#include "gateway/www/page_files.h"

namespace furrow::gateway {

enum class WebPath : std::uint8_t { Health, Metrics, Status, File };
WebPath web_path(std::string_view path);

std::string answer_health(const WebQuestion& question, const StatusModel& model);
std::string answer_metrics(const WebQuestion& question, const StatusModel& model);
std::string answer_status(const WebQuestion& question, const StatusModel& model);
std::string answer_file(const WebQuestion& question, std::span<const PageFile> files);
// REQUIRES: `answer` is not Welcome.
std::string answer_unwelcome(const WebQuestion& question, broker::Visitors::Answer answer);

// The credentials of `Authorization: Basic` (RFC 7617). Those of another kind are of nobody that we know, and not none.
broker::Visitors::Credentials credentials_of(std::string_view authorization);

}  // namespace furrow::gateway
