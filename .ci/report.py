"""Reads what `go test -json` printed: prints failures and the sum, and fails when a test failed, was skipped or none ran.

report.py EVENTS…
"""
import collections
import json
import sys

results = collections.Counter()
bad = []


def read(path):
    output = collections.defaultdict(list)
    for line in open(path, encoding="utf-8"):
        try:
            event = json.loads(line)
        except ValueError:
            print(line, end="")
            bad.append("a line that is no event")
            continue
        key = (event.get("Package", ""), event.get("Test", ""))
        action = event["Action"]
        if action == "output":
            output[key].append(event.get("Output", ""))
        if action == "build-output":
            print(event.get("Output", ""), end="")
        if action == "build-fail":
            bad.append("build of " + event.get("ImportPath", "?"))
        if action in ("pass", "fail", "skip"):
            if key[1]:
                results[action] += 1
            if action == "fail" or (action == "skip" and key[1]):
                bad.append(f"{action}: {key[0]} {key[1]}")
                print("".join(output[key]), end="")
            output.pop(key, None)


for path in sys.argv[1:]:
    read(path)
for line in bad:
    print(line)
print(f"{results['pass']} passed, {results['fail']} failed, {results['skip']} skipped")
sys.exit(1 if bad or not results["pass"] else 0)
