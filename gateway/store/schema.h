// The tables of the two files, and how a file of an earlier version becomes one of this version.
//
//   queues.db    meta, queue, cursor, segment, exchange, heard
//   sessions.db  session, retained
//
// The version of a file is its `user_version`. A step of the list in schema.cc brings a file from one version to the
// next, in one transaction; steps are added, never changed.
#pragma once

#include "broker-core/base/result.h"
#include "gateway/store/sqlite.h"

namespace furrow::gateway {

// Creates or migrates the tables. Errc::Unsupported: the file is of a newer version, and stays as it is.
Status migrate_queues(Database& database);
Status migrate_sessions(Database& database);

}  // namespace furrow::gateway
