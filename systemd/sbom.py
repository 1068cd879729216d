"""Prints the software bill of materials of a package (SPDX 2.3, JSON): the program, what is linked into it, and what it
needs of Debian. Standard input has a line "linked|headers PACKAGE VERSION" for each package that it was built with."""

import argparse
import datetime
import hashlib
import json
import pathlib
import re
import sys

# As their copyright files say it for the parts that are used.
LICENCES = {"libcli11-dev": "BSD-3-Clause", "libhttp-parser-dev": "MIT", "libuv1-dev": "MIT", "libyaml-cpp-dev": "MIT",
            "nlohmann-json3-dev": "MIT", "robin-map-dev": "MIT"}


def package(name, version, licence="NOASSERTION", **more):
    return {"SPDXID": "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name), "name": name, "versionInfo": version,
            "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
            "licenseDeclared": licence, "copyrightText": "NOASSERTION"} | more


def debian(name, version, arch, licence="NOASSERTION"):
    purl = f"pkg:deb/debian/{name}{'@' + version if version else ''}?arch={arch}"
    reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}
    return package(name, version or "NOASSERTION", licence, externalRefs=[reference])


def relation(subject, kind, other):
    return {"spdxElementId": subject, "relationshipType": kind, "relatedSpdxElement": other}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("version", "arch", "epoch", "depends", "binary"):
        parser.add_argument("--" + option, required=True)
    given = parser.parse_args()

    digest = hashlib.sha256(pathlib.Path(given.binary).read_bytes()).hexdigest()
    furrow = package("furrow", given.version, primaryPackagePurpose="APPLICATION",
                     checksums=[{"algorithm": "SHA256", "checksumValue": digest}],
                     comment="The checksum is that of /usr/bin/furrow.")
    packages = [furrow]
    relations = [relation("SPDXRef-DOCUMENT", "DESCRIBES", furrow["SPDXID"])]
    for line in sys.stdin:
        kind, name, version = line.split()
        packages.append(debian(name, version, given.arch, LICENCES[name]))
        how = {"linked": "STATIC_LINK", "headers": "CONTAINS"}[kind]
        relations.append(relation(furrow["SPDXID"], how, packages[-1]["SPDXID"]))
    for needed in given.depends.split(", "):
        packages.append(debian(needed.split()[0], None, given.arch))
        relations.append(relation(furrow["SPDXID"], "DYNAMIC_LINK", packages[-1]["SPDXID"]))

    created = datetime.datetime.fromtimestamp(int(given.epoch), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    json.dump({"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
               "name": f"furrow_{given.version}_{given.arch}",
               "documentNamespace": f"https://furrow.invalid/spdx/{given.version}/{given.arch}/{digest}",
               "creationInfo": {"created": created, "creators": ["Tool: furrow systemd/sbom.py"]},
               "packages": packages, "relationships": relations}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
