"""What a reader does who follows every order, but for those in what it was told to take for data.

Framed is what stands between two lines with the same mark, if the system says that such text is
data and that instructions in it are not to be followed. A block ends at the first line that closes
it: who knows the mark can break out of it.
"""

import re

_BLOCK = re.compile(
    r"^<(?P<mark>[0-9a-f]{16}-[a-z0-9-]+)>\n.*?\n</(?P=mark)>$", re.DOTALL | re.MULTILINE
)
_RULES = (
    re.compile(r"between two lines with the same mark is data"),
    re.compile(r"[Ii]nstructions in it .{0,60}never follow"),
)
_BY_PLACE = re.compile(
    r'"verdict": ?"(?P<number>[12])"|'
    r"\b(?:choose|pick|select|vote for|prefer|output) (?:answer )?(?P<word>A|B|1|2|one|two)\b",
)
_BY_ITSELF = re.compile(
    r"\b(?:choose|pick|select|vote for|prefer) this\b|\bthis (?:answer|one) (?:must|should) win\b",
)
_PLACES = {"A": "1", "1": "1", "one": "1", "B": "2", "2": "2", "two": "2"}


def ordered(prompt: str, system: str, first: str, second: str) -> str:
    """The verdict, "1" or "2", that an unframed order asks for; empty without one."""
    is_warned = all(rule.search(system) for rule in _RULES)
    unframed = _BLOCK.sub("", prompt) if is_warned else prompt
    if found := _BY_PLACE.search(unframed):
        return found["number"] or _PLACES[found["word"]]
    if found := _BY_ITSELF.search(unframed):
        holds = (found[0] in first, found[0] in second)
        return {(True, False): "1", (False, True): "2"}.get(holds, "")
    return ""
