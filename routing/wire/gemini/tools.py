"""Tools as Gemini declares them, and which of them it may, must or must not call. Pure."""

from routing.conversation import Conversation, Json, Tool, ToolChoice
from routing.wire.gemini import schema

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}
_FREE_TEXT: Json = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
}


def write(conversation: Conversation, body: Json, adapted: list[str]) -> None:
    """Put tools and the choice among them into a body."""
    if not conversation.tools:
        return
    body["tools"] = [{"functionDeclarations": [_declared(tool) for tool in conversation.tools]}]
    choice = conversation.tool_choice or ToolChoice()
    if choice.parallel is False:  # there is no such switch
        adapted.append("parallel_tool_calls")
    calling: Json = {"mode": _mode(choice, conversation.tools)}
    names = [choice.name] if choice.mode == "named" else list(choice.only)
    if names and choice.mode != "none":
        calling["allowedFunctionNames"] = names
    if conversation.tool_choice or calling["mode"] != "AUTO":
        body["toolConfig"] = {"functionCallingConfig": calling}


def _mode(choice: ToolChoice, tools: tuple[Tool, ...]) -> str:
    """VALIDATED is AUTO bound to the schemas; AUTO itself takes no list of names."""
    if choice.mode == "auto" and (choice.only or any(tool.strict for tool in tools)):
        return "VALIDATED"
    return _MODES[choice.mode]


def _declared(tool: Tool) -> Json:
    """A declaration. A custom tool becomes a function of one text."""
    described: Json = {"name": tool.name}
    text = tool.description
    if tool.kind == "custom":
        parameters = _FREE_TEXT
        if tool.grammar:
            syntax, rules = tool.grammar.get("syntax"), tool.grammar.get("definition")
            text = f"{text}\n\nThe input follows this {syntax} grammar:\n{rules}".lstrip()
    else:
        parameters = schema.fitted(tool.schema)
    if text:
        described["description"] = text
    if parameters:
        described["parametersJsonSchema"] = parameters
    return described
