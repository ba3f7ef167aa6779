"""Serves what script.json says with the official Python SDK (mcp 2.x), so that the conformance suite has something to check.

    python serve.py [--listen 127.0.0.1:0]

Sessions up to 2025-11-25, and requests of 2026-07-28 without. Prints `listening on http://…` when ready.
"""

import argparse
import socket
import warnings

warnings.simplefilter("ignore")

import uvicorn  # noqa: E402

from py.server.app import app  # noqa: E402


def parse():
    parser = argparse.ArgumentParser(description="Serve script.json with the official Python SDK.")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="ADDR:PORT")
    host, port = parser.parse_args().listen.split(":")
    return host, int(port)


def main():
    listener = socket.create_server(parse())
    host, port = listener.getsockname()
    print(f"listening on http://{host}:{port}", flush=True)
    uvicorn.Server(uvicorn.Config(app(host), log_level="warning")).run([listener])


if __name__ == "__main__":
    main()
