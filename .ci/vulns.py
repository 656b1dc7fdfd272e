"""Reads what govulncheck -format json found: exits with 1 where a package that Roster uses has a known vulnerability with a fix.

The standard library's are of the Go that is installed here. They are shown, and a release is built with a Go that has the fixes.
"""
import json
import sys

decoder, text, at, found = json.JSONDecoder(), sys.stdin.read().strip(), 0, set()
while at < len(text):
    message, at = decoder.raw_decode(text, at)
    while at < len(text) and text[at].isspace():
        at += 1
    if finding := message.get("finding"):
        place = finding["trace"][0]
        found.add((place["module"], place["version"], place.get("package", ""), finding["osv"], finding.get("fixed_version", "no version")))
if '"config"' not in text:
    sys.exit("this is not what govulncheck prints")
bad = [f for f in sorted(found) if f[2] and f[0] != "stdlib"]
for module, version, package, osv, fixed in sorted(found):
    if package:
        print(f"{osv}: {package} of {module} {version}, fixed in {fixed}")
print(f"{len(found)} known vulnerabilities, {len(bad)} of them in packages of modules that are used")
sys.exit(1 if bad else 0)
