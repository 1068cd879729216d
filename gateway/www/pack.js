// Makes C++ of the files that Vite has built: node pack.js FOLDER OUTPUT
//
// The same files give the same bytes: they go by their names, and gzip's header has no time.

import {createHash} from "node:crypto";
import {readFileSync, readdirSync, writeFileSync} from "node:fs";
import {extname, join} from "node:path";
import {gzipSync} from "node:zlib";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
const BYTES_A_LINE = 32;

function pack(folder, name) {
  const type = TYPES[extname(name)];
  if (type === undefined) throw new Error(`${name}: the page has no type for such a file`);
  const gzip = gzipSync(readFileSync(join(folder, name)), {level: 9});
  const etag = createHash("sha256").update(gzip).digest("hex").slice(0, 16);
  return {path: name === "index.html" ? "/" : `/${name}`, type, etag, gzip};
}

function array(bytes, index) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += BYTES_A_LINE) {
    lines.push(`    ${[...bytes.subarray(at, at + BYTES_A_LINE)].join(",")},`);
  }
  return `constexpr std::uint8_t kFile${index}[] = {\n${lines.join("\n")}\n};\n`;
}

function source(files) {
  const entry = ({path, type, etag}, index) => `    {"${path}", "${type}", "\\"${etag}\\"", kFile${index}},`;
  return `// Made by gateway/www/pack.js.
#include "gateway/www/page_files.h"

namespace furrow::gateway {
namespace {

${files.map(({gzip}, index) => array(gzip, index)).join("\n")}
constexpr PageFile kFiles[] = {
${files.map(entry).join("\n")}
};

}  // namespace

std::span<const PageFile> page_files() {
  return kFiles;
}

}  // namespace furrow::gateway
`;
}

const [folder, output] = process.argv.slice(2);
const files = readdirSync(folder).sort().map((name) => pack(folder, name));
writeFileSync(output, source(files));
const bytes = files.reduce((sum, one) => sum + one.gzip.length, 0);
console.log(`The status page: ${files.length} files, ${bytes} bytes compressed`);
