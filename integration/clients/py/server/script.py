"""What script.json says, as handlers: one for each method, given the request's params and a `call`.

A `call` is what the SDK can do meanwhile: log(text), progress(percent), ask(question), changed(list), hang_up(); and what
the request carried besides: answers, state, capabilities (of a client without a session).
"""

import hashlib
import hmac
import json
import re
from asyncio import sleep
from pathlib import Path

from mcp import MCPError

_SCRIPT = json.loads((Path(__file__).parents[2] / "script.json").read_text())
TOOLS, PROMPTS, RESOURCES, TEMPLATES = (_SCRIPT[part] for part in ("tools", "prompts", "resources", "templates"))


async def list_tools(_params, _call):
    return {"tools": [{"name": name, "description": name, "inputSchema": takes(name)} for name in TOOLS]}


def takes(name):
    """The input schema of a tool; None if there is none of this name."""
    return TOOLS[name].get("takes", {"type": "object"}) if name in TOOLS else None


async def call_tool(params, call):
    name, given = params["name"], params.get("arguments") or {}
    tool = _found(TOOLS, name, "tool")
    _require(tool.get("needs"), call)
    asked = _next_round(name, tool, call)
    if asked:
        return asked
    answer = await _act(tool.get("steps", []), given, call)
    result = {"content": tool["content"], "isError": tool.get("isError", False)}
    return _filled(result, {**given, "answer": json.dumps(answer)})


async def list_prompts(_params, _call):
    return {"prompts": [{"name": name, "description": name, "arguments": _taken(one)} for name, one in PROMPTS.items()]}


def _taken(prompt):
    return [{"name": name, "description": text, "required": True} for name, text in prompt.get("takes", {}).items()]


async def get_prompt(params, call):
    prompt = _found(PROMPTS, params["name"], "prompt")
    given = params.get("arguments") or {}
    return _next_round(params["name"], prompt, call) or _filled({"messages": prompt["messages"]}, given)


async def list_resources(_params, _call):
    return {"resources": [{"uri": uri, "name": uri, "mimeType": one["mimeType"]} for uri, one in RESOURCES.items()]}


async def list_templates(_params, _call):
    templates = [{"uriTemplate": uri, "name": uri, "mimeType": one["mimeType"]} for uri, one in TEMPLATES.items()]
    return {"resourceTemplates": templates}


async def read_resource(params, _call):
    uri = params["uri"]
    return {"contents": [{"uri": uri, **(RESOURCES.get(uri) or _templated(uri))}]}


async def subscribe(_params, _call):
    return {}


async def complete(params, _call):
    typed = params["argument"]["value"]
    values = [value for value in _SCRIPT["completions"] if value.startswith(typed)]
    return {"completion": {"values": values, "total": len(values), "hasMore": False}}


async def set_level(_params, _call):
    return {}


HANDLERS = {
    "tools/list": list_tools,
    "tools/call": call_tool,
    "prompts/list": list_prompts,
    "prompts/get": get_prompt,
    "resources/list": list_resources,
    "resources/templates/list": list_templates,
    "resources/read": read_resource,
    "resources/subscribe": subscribe,
    "resources/unsubscribe": subscribe,
    "completion/complete": complete,
    "logging/setLevel": set_level,
}


def _found(table, name, kind):
    if name not in table:
        raise MCPError(-32602, f"no {kind} named {name}")
    return table[name]


async def _act(steps, given, call):
    """Takes a tool's steps one by one; what the client answered last comes back."""
    answer = None
    for step in steps:
        match step:
            case {"log": text}:
                await call.log(text)
            case {"pause": milliseconds}:
                await sleep(milliseconds / 1000)
            case {"progress": percent}:
                await call.progress(percent)
            case {"changed": changed}:
                await call.changed(changed)
            case {"hangUp": True}:
                await call.hang_up()
            case {"ask": question}:
                answer = await call.ask(_filled(question, given))
    return answer


def _next_round(name, one, call):
    """The questions of the round a request is in (2026-07-28), as far as the client can answer them; None at the end."""

    def askable(questions):
        return {key: ask for key, ask in questions.items() if ask["method"].split("/")[0] in call.capabilities}

    rounds = one.get("rounds", [])
    number = 0 if call.state is None else _opened(name, call.state)
    if number < len(rounds) and all(key in call.answers for key in askable(rounds[number])):
        number += 1
    questions = askable(rounds[number]) if number < len(rounds) else {}
    if not questions:
        return None
    state = {"requestState": _seal(name, number)} if one.get("sealed") else {}
    return {"resultType": "input_required", "inputRequests": questions, **state}


def _seal(name, number):
    """State travels with the client, so it is sealed: it guards nothing but a test."""
    seal = hmac.new(b"a test keeps no secret", f"{name} {number}".encode(), hashlib.sha256)
    return f"{number}.{seal.hexdigest()}"


def _opened(name, state):
    number = state.split(".")[0]
    if not number.isdecimal() or _seal(name, int(number)) != state:
        raise MCPError(-32602, "requestState is not what was sent")
    return int(number)


def _require(capability, call):
    if capability and capability not in call.capabilities:
        raise MCPError(-32021, f"the client lacks {capability}", {"requiredCapabilities": {capability: {}}})


def _filled(value, names):
    """A copy with each {name} replaced."""
    match value:
        case str():
            return re.sub(r"\{(\w+)\}", lambda found: str(names.get(found[1], found[0])), value)
        case list():
            return [_filled(one, names) for one in value]
        case dict():
            return {key: _filled(one, names) for key, one in value.items()}
    return value


def _templated(uri):
    for template, contents in TEMPLATES.items():
        before, after = template.split("{id}")
        if uri.startswith(before) and uri.endswith(after):
            return _filled(contents, {"id": uri[len(before) : -len(after)]})
    raise MCPError(-32602, "Resource not found", {"uri": uri})
