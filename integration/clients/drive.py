"""Drives an MCP server with the official Python SDK (mcp 2.x or 1.x) and reports what happened.

    python drive.py <url> <quickstart|tools|rounds> ['{"json": "options"}'] [--era legacy|auto|modern]

One JSON object goes to stdout: {ok, client, scenario, era, ms, steps: [{name, ok, detail}], errors}, and for the scenario
`rounds` a summary by that name. The exit status is 0 when every step is ok, 1 when one failed, 2 for wrong arguments.
The era is legacy (an `initialize` handshake) unless said otherwise; mcp 1.x speaks nothing else. Options (all optional):

    headers      sent with every request, {"name": "value"}
    era          the same as --era
    clientName   what the client calls itself, default "drive-py-<version>"
    from, intervalMs   the countdown's arguments, default 5 and 20
    ask          "answer" or "error": what client and inner server can do with a question; default "answer", but "error"
                 where the SDK has no elicitation
    keep         true: no DELETE at the end; the session's id is then in the report as `sessionId`
    rounds, parallel   rounds: how many sessions in all, default 25, and at a time, default 8
    noticeTimeoutMs    rounds: for a notification to be heard, default 10000
    tolerate     rounds: "interrupted calls" tries a step once more when a call of it was cut off, and counts that
    timeoutMs    for the whole scenario, default 30000; callTimeoutMs for one call, default 10000
"""

import argparse
import asyncio
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")

from py import sdk  # noqa: E402
from py.report import Report  # noqa: E402
from py.scenarios import SCENARIOS  # noqa: E402


def parse():
    parser = argparse.ArgumentParser(description="Drive an MCP server with the official Python SDK.")
    parser.add_argument("url")
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("options", nargs="?", default="{}", type=json.loads)
    parser.add_argument("--era", choices=sdk.ERAS)
    arguments = parser.parse_args()
    options = {
        "headers": {},
        "era": "legacy",
        "clientName": f"drive-py-{sdk.VERSION}",
        "from": 5,
        "intervalMs": 20,
        "ask": "answer" if sdk.CAN_ELICIT else "error",
        "keep": False,
        "rounds": 25,
        "parallel": 8,
        "noticeTimeoutMs": 10_000,
        "tolerate": None,
        "timeoutMs": 30_000,
        "callTimeoutMs": 10_000,
        **arguments.options,
    }
    if arguments.era:
        options["era"] = arguments.era
    return arguments.url, arguments.scenario, options


async def main():
    url, scenario, options = parse()
    report = Report(client=f"py-{sdk.VERSION}", scenario=scenario)
    try:
        await asyncio.wait_for(SCENARIOS[scenario](url, options, report), options["timeoutMs"] / 1000)
    except TimeoutError:
        report.fail_running(f"the scenario did not end within {options['timeoutMs']} ms")
    except Exception as error:  # the report is the place for it
        report.abort(error)
    print(report.json(), flush=True)
    return report.ok


if __name__ == "__main__":
    # Not sys.exit: a task that ignores its cancellation must not keep the process.
    ok = asyncio.run(main())
    sys.stdout.flush()
    os._exit(0 if ok else 1)
