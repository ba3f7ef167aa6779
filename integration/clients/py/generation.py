"""Which generation of the SDK this is, and the HTTP library it brings."""

import importlib
from importlib.metadata import version

VERSION = version("mcp")
IS_2 = VERSION.startswith("2.")

http = importlib.import_module("httpx2" if IS_2 else "httpx")
