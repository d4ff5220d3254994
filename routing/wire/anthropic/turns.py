"""Turns as Anthropic wants them: alternating, every call answered at once and answers first."""

from collections.abc import Sequence

from routing.conversation import Block, Conversation, Text, ToolCall, ToolResult, Turn
from routing.providers.spec import Quirks
from routing.wire.anthropic import names, parts
from routing.wire.anthropic.fields import Json

PLACEHOLDER = "."  # the first turn is a user's, and no turn is empty
GO_ON = "Continue."
MOST_MARKS = 4
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})


def write(conversation: Conversation, quirks: Quirks, adapted: list[str]) -> list[Json]:
    """The messages, except for how they end: see `close`. Raises InvalidRequest."""
    writer = _Writer(quirks, adapted)
    for turn in conversation.turns:
        writer.add(turn)
    writer.answer_calls()
    messages = writer.messages
    if not messages or messages[0]["role"] != "user":
        messages.insert(0, {"role": "user", "content": [_text(PLACEHOLDER)]})
    return messages


def close(messages: list[Json], *, may_prefill: bool, adapted: list[str]) -> None:
    """A last turn of the assistant's is the beginning of its answer, or it is asked to go on."""
    last = messages[-1]
    if last["role"] != "assistant":
        return
    if not may_prefill:
        messages.append({"role": "user", "content": [_text(GO_ON)]})
        adapted.append("messages")
    elif last["content"][-1]["type"] == "text":
        last["content"][-1]["text"] = last["content"][-1]["text"].rstrip()


def may_think_by_budget(messages: list[Json]) -> bool:
    """With a manual budget, an assistant's turn whose calls are answered begins with its thoughts.

    A caller that dropped them would be refused.
    """
    for message in reversed(messages):
        if message["role"] == "assistant":
            kinds = [block["type"] for block in message["content"]]
            return "tool_use" not in kinds or kinds[0] in _THOUGHTS
    return True


def limit_marks(blocks: Sequence[Json]) -> None:
    """Keep the last cache marks: more of them than Anthropic takes are refused."""
    marked = [block for block in blocks if "cache_control" in block]
    for block in marked[:-MOST_MARKS]:
        del block["cache_control"]


class _Writer:
    """Gathers what stands between two turns of the assistant, and writes it as turns."""

    def __init__(self, quirks: Quirks, adapted: list[str]) -> None:
        self._may_instruct = not quirks.system_first
        self._adapted = adapted
        # Calls that wait for a result: the caller's id, ours.
        self._open: list[tuple[str, str]] = []
        self._used: set[str] = set()
        self._results: list[Json] = []
        self._others: list[tuple[str, Json]] = []  # role, block
        self.messages: list[Json] = []

    def add(self, turn: Turn) -> None:
        if turn.role == "assistant":
            if self._results or self._others:  # else the turn before goes on
                self.answer_calls()
            self._assistant(turn.blocks)
            return
        for block in turn.blocks:
            if isinstance(block, ToolResult):
                self._result(block)
            elif written := parts.of_user(block):
                self._others.append((turn.role, written))

    def answer_calls(self) -> None:
        """Write the turns since the assistant's last: results first, then the rest in order."""
        for _, call_id in self._open:
            self._results.append(parts.missing_result(call_id))
            self._adapted.append("messages")
        for block in self._results:
            self._append("user", block)
        for role, block in self._others:
            after_user = bool(self.messages) and self.messages[-1]["role"] != "assistant"
            instructs = role == "system" and self._may_instruct and after_user
            self._append("system" if instructs else "user", block)
        self._open, self._results, self._others = [], [], []

    def _result(self, result: ToolResult) -> None:
        call = next((call for call in self._open if call[0] == result.id), None)
        if call is None:  # of a call that nobody made, or that has its result
            self._adapted.append("messages")
            return
        self._open.remove(call)
        self._results.append(parts.tool_result(result, call[1]))

    def _assistant(self, blocks: tuple[Block, ...]) -> None:
        for block in blocks:
            call_id = self._id_for(block) if isinstance(block, ToolCall) else ""
            if written := parts.of_assistant(block, call_id):
                self._append("assistant", written)

    def _id_for(self, call: ToolCall) -> str:
        """An id that no other call has: some providers count from 0 in every answer."""
        plain = wanted = names.id_to_wire(call.id)
        number = 2
        while wanted in self._used:
            wanted, number = f"{plain}_{number}", number + 1
        self._used.add(wanted)
        self._open.append((call.id, wanted))
        return wanted

    def _append(self, role: str, block: Json) -> None:
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"].append(block)
        else:
            self.messages.append({"role": role, "content": [block]})


def system_of(conversation: Conversation, advice: Sequence[str]) -> list[Json]:
    """The system's blocks, and what the gateway has to add to them."""
    texts = [*conversation.system, *(Text(text) for text in advice)]
    return [block for block in map(parts.of_user, texts) if block]


def _text(text: str) -> Json:
    return {"type": "text", "text": text}
