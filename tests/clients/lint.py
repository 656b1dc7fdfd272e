"""Checks a description of an API by OpenAPI's own schema and rules.

lint.py URL   prints how many paths it has. What is wrong with it is printed, each with its place, and ends it.
"""
import os
import ssl
import sys
import urllib.request

import yaml
from openapi_spec_validator import OpenAPIV31SpecValidator


class Unique(yaml.SafeLoader):
    """A loader that takes no key twice, of which YAML would keep the last."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise SystemExit(f"twice: {twice}{node.start_mark}")
        return super().construct_mapping(node, deep)


def main():
    trust = ssl.create_default_context(cafile=os.environ["REQUESTS_CA_BUNDLE"])
    with urllib.request.urlopen(sys.argv[1], context=trust) as answer:
        text = answer.read()
    doc = yaml.load(text, Unique)
    if not str(doc["openapi"]).startswith("3.1."):
        raise SystemExit(f"it is OpenAPI {doc['openapi']}, not 3.1")
    wrong = [f"{list(e.absolute_path)}: {e.message[:300]}" for e in OpenAPIV31SpecValidator(doc).iter_errors()]
    if wrong:
        raise SystemExit("\n".join(wrong))
    print(len(doc["paths"]), "paths hold")


main()
