"""Tools of a request, under the flat names by which providers know them, and the way back.

Namespaces become part of the name (`files__read`), tools that OpenAI would run are left out.
Agents also send tools among the input, as `additional_tools` (Codex, seen 2026-11).
"""

import re
from binascii import crc32
from typing import Literal

import msgspec

from routing.conversation import Json, Tool, ToolChoice, ToolKind
from routing.wire.responses import fields

LONGEST_NAME = 64  # what OpenAI, the strictest, takes for a function's name

_KINDS: dict[str, ToolKind] = {"function": "function", "custom": "custom"}
_MODES: dict[str, Literal["auto", "none", "required"]] = {
    "auto": "auto", "none": "none", "required": "required",
}  # fmt: skip
_ODD = re.compile(r"[^a-zA-Z0-9_-]")


class Origin(msgspec.Struct, frozen=True, gc=False):
    """What the caller calls a tool."""

    name: str
    namespace: str = ""
    kind: ToolKind = "function"


class Toolbox:
    """The tools of one request. `left_out` has the parameters from which some were left out."""

    def __init__(self, body: Json) -> None:
        """Raises InvalidRequest for tools that cannot be read."""
        self.origins: dict[str, Origin] = {}  # by flat name
        self.left_out: set[str] = set()
        self._tools: dict[str, Tool] = {}
        self._flat: dict[tuple[str, str], str] = {}
        for place, tool in fields.objects(body, "tools"):
            self._add(tool, place, "tools")
        for place, item in _additional(body):
            for inner_place, tool in fields.objects(item, "tools", place):
                self._add(tool, inner_place, "input")

    @property
    def tools(self) -> tuple[Tool, ...]:
        return tuple(self._tools.values())

    def flat(self, name: str, namespace: str = "") -> str:
        """The name by which providers know this tool, whether or not it is still in the box."""
        return self._flat.get((namespace, name)) or _joined(name, namespace)

    def origin(self, flat: str, kind: ToolKind) -> Origin:
        """What the caller calls the tool that a provider calls so."""
        return self.origins.get(flat) or Origin(flat, kind=kind)

    def in_namespace(self, namespace: str) -> list[str]:
        return [flat for flat, origin in self.origins.items() if origin.namespace == namespace]

    def _add(self, tool: Json, place: str, parameter: str) -> None:
        kind = callable_kind(tool)
        if tool.get("type") == "namespace":
            self._add_namespace(tool, place, parameter)
        elif kind:
            self._keep(tool, Origin(fields.named(tool, "name", place), kind=kind), place)
        else:
            self.left_out.add(parameter)

    def _add_namespace(self, space: Json, place: str, parameter: str) -> None:
        namespace = fields.named(space, "name", place)
        about = fields.text(space, "description", place)
        for inner_place, tool in fields.objects(space, "tools", place):
            kind = callable_kind(tool)
            if kind is None:
                self.left_out.add(parameter)
                continue
            name = fields.named(tool, "name", inner_place)
            self._keep(tool, Origin(name, namespace, kind), inner_place, about)
            about = ""  # said once, with the first tool

    def _keep(self, tool: Json, origin: Origin, place: str, about: str = "") -> None:
        flat = _joined(origin.name, origin.namespace)
        taken = self.origins.get(flat)
        if taken and (taken.name, taken.namespace) != (origin.name, origin.namespace):
            flat = _hashed(flat, f"{origin.namespace}/{origin.name}")
        self.origins[flat] = origin
        self._flat[origin.namespace, origin.name] = flat
        self._tools[flat] = _tool(tool, flat, origin.kind, place, about)


def callable_kind(tool: Json) -> ToolKind | None:
    """Whether it is a function or a custom tool; None for what the caller could not run."""
    kind = tool.get("type")
    return _KINDS.get(kind) if isinstance(kind, str) else None


def choice(body: Json, box: Toolbox) -> ToolChoice | None:
    """Which tools the model may or must call. Raises InvalidRequest."""
    parallel = fields.typed(body, "parallel_tool_calls", bool)
    wanted = body.get("tool_choice")
    if not box.origins:
        if wanted == "required" or isinstance(wanted, dict):
            box.left_out.add("tool_choice")
        return None
    if wanted is None:
        return None if parallel is None else ToolChoice(parallel=parallel)
    if isinstance(wanted, str) and wanted in _MODES:
        return ToolChoice(mode=_MODES[wanted], parallel=parallel)
    if type(wanted) is not dict:
        raise fields.refused("tool_choice", "be none, auto, required or an object")
    return _object_choice(wanted, box, parallel)


def _object_choice(wanted: Json, box: Toolbox, parallel: bool | None) -> ToolChoice:
    if callable_kind(wanted):
        name = fields.named(wanted, "name", "tool_choice")
        namespace = fields.text(wanted, "namespace", "tool_choice")
        return ToolChoice(mode="named", name=box.flat(name, namespace), parallel=parallel)
    if wanted.get("type") != "allowed_tools":
        box.left_out.add("tool_choice")  # forces a tool that is left out
        return ToolChoice(parallel=parallel)
    only: list[str] = []
    for place, tool in fields.objects(wanted, "tools", "tool_choice"):
        only += _allowed(tool, box, place)
    if not only:
        box.left_out.add("tool_choice")
        return ToolChoice(mode="none", parallel=parallel)
    mode: Literal["auto", "required"] = "required" if wanted.get("mode") == "required" else "auto"
    return ToolChoice(mode=mode, only=tuple(only), parallel=parallel)


def _allowed(tool: Json, box: Toolbox, place: str) -> list[str]:
    if tool.get("type") == "namespace":
        return box.in_namespace(fields.named(tool, "name", place))
    if callable_kind(tool) is None:
        box.left_out.add("tool_choice")
        return []
    name = fields.named(tool, "name", place)
    return [box.flat(name, fields.text(tool, "namespace", place))]


def _additional(body: Json) -> list[tuple[str, Json]]:
    listed = body.get("input")
    if type(listed) is not list:
        return []
    return [
        (f"input[{number}]", item)
        for number, item in enumerate(listed)
        if type(item) is dict and item.get("type") == "additional_tools"
    ]


def _tool(tool: Json, flat: str, kind: ToolKind, place: str, about: str) -> Tool:
    described = fields.text(tool, "description", place)
    if about:
        described = f"{about}\n\n{described}".rstrip()
    if kind == "custom":
        form = fields.typed(tool, "format", dict, place) or {}
        grammar = form if form.get("type") == "grammar" else None
        return Tool(name=flat, description=described, kind="custom", grammar=grammar)
    return Tool(
        name=flat,
        description=described,
        schema=fields.typed(tool, "parameters", dict, place) or {},
        strict=fields.typed(tool, "strict", bool, place),
    )


def _joined(name: str, namespace: str) -> str:
    if not namespace:
        return name
    joined = _ODD.sub("_", f"{namespace}__{name}")
    return joined if len(joined) <= LONGEST_NAME else _hashed(joined, joined)


def _hashed(flat: str, whole: str) -> str:
    """A name of at most 64 characters that stands for a longer or a taken one."""
    return f"{flat[: LONGEST_NAME - 9]}_{crc32(whole.encode()):08x}"
