"""The input of a request as turns: messages, calls and their results, thoughts."""

from collections.abc import Callable

from accounts.errors import InvalidRequest
from routing.conversation import (
    Block,
    Document,
    Image,
    Json,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolKind,
    ToolResult,
    Turn,
)
from routing.wire.responses import fields, parts, thoughts
from routing.wire.responses.tools import Toolbox

_ROLES: dict[object, Role] = {
    "user": "user", "assistant": "assistant", "system": "system", "developer": "system",
}  # fmt: skip


class History:
    """What was said so far. `left_out` tells whether an item or part had to be dropped."""

    def __init__(self, body: Json, box: Toolbox) -> None:
        """Raises InvalidRequest for items that cannot be read."""
        self.system: list[Text] = []
        self.left_out = False
        self._box = box
        self._turns: list[tuple[Role, list[Block]]] = []
        self._is_over = False  # whether what is read lies before the last question
        self._signatures: dict[str, str] = {}  # of calls that are still to come
        instructions = fields.text(body, "instructions")
        if instructions:
            self.system.append(Text(instructions))
        spoken = body.get("input")
        if isinstance(spoken, str):
            self._turns.append(("user", [Text(spoken)]))
            return
        placed = fields.objects(body, "input")
        asked = [number for number, (_, item) in enumerate(placed) if item.get("role") == "user"]
        for number, (place, item) in enumerate(placed):
            self._is_over = bool(asked) and number < asked[-1]
            self._add(item, place)

    @property
    def turns(self) -> tuple[Turn, ...]:
        return tuple(Turn(role, tuple(blocks)) for role, blocks in self._turns)

    def _add(self, item: Json, place: str) -> None:
        kind = item.get("type") or ("message" if "role" in item else None)
        if type(kind) is not str:
            raise fields.refused(f"{place}.type", "be a text")
        add = _READERS.get(kind)
        if add:
            add(self, item, place)
        else:
            self.left_out = True

    def message(self, item: Json, place: str) -> None:
        role = _ROLES.get(item.get("role")) if type(item.get("role")) is str else None
        if role is None:
            raise fields.refused(f"{place}.role", "be user, assistant, system or developer")
        blocks, has_odd = parts.read(item, "content", place)
        self.left_out |= has_odd
        if role == "system":
            self._instruct([block for block in blocks if isinstance(block, Text)], len(blocks))
        elif role == "assistant":
            self._answer(*(block for block in blocks if not _is_empty(block)))
        elif blocks:
            self._turns.append((role, [*blocks]))

    def _instruct(self, texts: list[Text], count: int) -> None:
        self.left_out |= len(texts) < count
        if not self._turns:
            self.system += texts
        elif texts:
            self._turns.append(("system", [*texts]))

    def _answer(self, *blocks: Block) -> None:
        """Items of one answer follow each other: providers take them as one turn."""
        if self._turns and self._turns[-1][0] == "assistant":
            self._turns[-1][1].extend(blocks)
        elif blocks:
            self._turns.append(("assistant", [*blocks]))

    def call(self, item: Json, place: str) -> None:
        self._call(item, place, "function", fields.text(item, "arguments", place) or "{}")

    def custom_call(self, item: Json, place: str) -> None:
        self._call(item, place, "custom", fields.text(item, "input", place))

    def _call(self, item: Json, place: str, kind: ToolKind, arguments: str) -> None:
        call_id = fields.named(item, "call_id", place)
        name, namespace = fields.named(item, "name", place), fields.text(item, "namespace", place)
        self._answer(
            ToolCall(
                id=call_id,
                name=self._box.flat(name, namespace),
                arguments=arguments,
                kind=kind,
                signature=self._signatures.pop(call_id, ""),
            )
        )

    def result(self, item: Json, place: str) -> None:
        self._result(item, place, "function")

    def custom_result(self, item: Json, place: str) -> None:
        self._result(item, place, "custom")

    def _result(self, item: Json, place: str, kind: ToolKind) -> None:
        call_id = fields.named(item, "call_id", place)
        blocks, has_odd = parts.read(item, "output", place)
        content = tuple(block for block in blocks if isinstance(block, Text | Image | Document))
        self.left_out |= has_odd or len(content) < len(blocks)
        found = ToolResult(id=call_id, content=content, kind=kind)
        last = self._turns[-1][1] if self._turns else []
        if last and isinstance(last[-1], ToolResult):
            last.append(found)
        else:
            self._turns.append(("user", [found]))

    def reasoning(self, item: Json, place: str) -> None:
        found = thoughts.read(item, place)
        if isinstance(found, thoughts.Token):
            self._signatures[found.call] = found.signature
        elif found:
            self._answer(found)

    def reference(self, item: Json, place: str) -> None:
        """An item that the caller believes to be stored: thoughts, or what the model said before
        the calls that it makes right now, may be missing; an answer or a call may not.

        Vercel's AI SDK 4.0 refers to thoughts and texts by id unless `store` is false.
        """
        kind = str(item.get("id")).partition("_")[0]
        if kind == "rs" or (kind == "msg" and not self._is_over):
            self.left_out = True
            return
        raise InvalidRequest(
            f"{place} refers to a stored item, and this gateway stores nothing. Send the full "
            "history: clients do so once `store` is false (in Vercel's AI SDK "
            "`providerOptions: {openai: {store: false}}`).",
            param=place,
        )

    def tools(self, item: Json, place: str) -> None:
        """Nothing is said here: the Toolbox has read them."""


def _is_empty(block: Block) -> bool:
    return isinstance(block, Text | Refusal) and not block.text


_READERS: dict[str, Callable[[History, Json, str], None]] = {
    "message": History.message,
    "function_call": History.call,
    "custom_tool_call": History.custom_call,
    "function_call_output": History.result,
    "custom_tool_call_output": History.custom_result,
    "reasoning": History.reasoning,
    "item_reference": History.reference,
    "additional_tools": History.tools,
}
