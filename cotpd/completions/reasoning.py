"""Remove the reasoning that a model writes before its answer; it is recognized by its marks, such as <think>.

Trade-off: the marks of some twenty models are listed by name. An answer that only talks about a mark stays ("the
post jokes about the <think> tag"): a mark in quotation marks, or inside a line and followed by a word such as
"tag", is a mention. Reasoning without any mark is not recognized.
"""

import re

_NAME = (
    r"(?:(?:ant|inner|internal|hidden)[_-]?)?"
    r"(?:think(?:ing|s)?|thoughts?|reason(?:s|ing)?|reflect(?:ions?)?|scratch_?pad|analysis|deliberation|rationale"
    r"|monologue|chain[_-]of[_-]thoughts?|cot)"
    r"(?:[_-](?:process|content|steps?|block|trace))?"
)
_TAG = re.compile(
    rf"""
      (?:<|&lt;|\uff1c)\s?(?P<close1>/?)\s?(?:\w{{1,20}}:)?(?P<name1>{_NAME})
      (?:\s[^<>\n=]{{1,40}}=[^<>\n]{{0,200}})?\s?(?:>|&gt;|\uff1e)
    | \[(?P<close2>/?)(?P<name2>think(?:ing)?|thoughts?|reasoning)\]
    | \u25c1(?P<close3>/?)(?P<name3>{_NAME})\u25b7                       # Kimi
    | <[|\uff5c](?:(?P<end4>end)|begin|start)?_?(?:of_)?(?P<close4>/?)(?P<name4>{_NAME})
      _?(?:(?P<end5>end)|begin|start)?[|\uff5c]>
    | <\|channel>(?P<name6>thought|analysis)\b | (?P<close6><channel\|>)  # Gemma
    | (?P<name7><\|inner_prefix\|>) | (?P<close7><\|inner_suffix\|>)      # Apertus
    | <details\b[^<>]{{0,100}}\btype=["']?(?P<name8>reasoning)[^<>]{{0,200}}>  # Open WebUI
    | (?P<close8></details>)
    | \A\s*(?P<name9>here(?:'s|\u2019s|\ is)\ my\ thought\ process:)  # Granite
    | (?P<close9>here(?:'s|\u2019s|\ is)\ my\ response:)
    | \A\s*(?P<name10>thinking\.\.\.)[ \t]*$ | ^[ ]{{0,8}}(?P<close10>\.\.\.done\ thinking\.)[ \t]*$     # Ollama
    """,
    re.IGNORECASE | re.VERBOSE | re.MULTILINE,
)
_PAIRS = {"6", "7", "8", "9", "10"}  # numbers of the groups whose end closes only a beginning of the same group
_EMPTY = re.compile(rf"<\s?(?:{_NAME})\s?/>", re.IGNORECASE)
_QUOTES = tuple("\"'“‘”’`(")
_SPOKEN_OF = re.compile(
    r"[,;:)!?]|\.(?!\s*\n)|\s(?:and|or|&|/)\s[\"'“‘`]?(?:<|\[|&lt;)"
    r"|\s(?:html |xml |ai )?(?:tag|token|block|section|marker|element|bracket)s?\b",
    re.IGNORECASE,
)
_CHANNEL = re.compile(
    r"(?:<\|channel\|>\s*|\A\s*(?=\w+\s*<\|message\|>))(?P<channel>\w+)"
    r"(?:[^<\n]{0,80}(?:<\|constrain\|>[^<\n]{0,40})?<\|message\|>)?"
)
_CHANNEL_END = re.compile(r"<\|(?:end|return|start|channel|call)\|>")
_COLLAPSED = re.compile(r"\A\s*(?:analysis|commentary)(?=[A-Z])(?:.*assistant\s?final)?", re.DOTALL)
_WRAPPER = re.compile(r"<(/?)(?:final_)?(?:answer|response|output|solution)>", re.IGNORECASE)


def remove_reasoning(text: str) -> tuple[str, bool]:
    """Return the text without its reasoning, and whether all of the reasoning ended.

    Where the reasoning does not end, there is no answer, and the text that is returned is empty.
    """
    text, finished = _take_final_channel(text)
    if finished:
        text, finished = _remove_blocks(_EMPTY.sub("", text))
    return text, finished


def strip_answer_tags(text: str) -> str:
    """Return the text between ``<answer>`` and ``</answer>``, or all of it if neither begins or ends the text."""
    tags = list(_WRAPPER.finditer(text))
    if not tags:
        return text

    first, last = tags[0], tags[-1]
    if last[1] and last.end() == len(text):
        start = max((tag.end() for tag in tags if not tag[1]), default=0)
        return text[start : last.start()]
    if first.start() == 0 and not first[1]:
        return text[first.end() :]
    return text


def _take_final_channel(text: str) -> tuple[str, bool]:
    """Return the last message of the channel ``final`` of a model that writes in channels (gpt-oss).

    Of a text without channels, all is returned. The second value is False if there is no final message.
    """
    channels = list(_CHANNEL.finditer(text))
    if not channels:
        return _take_final_of_collapsed_channels(text)
    finals = [match for match in channels if match["channel"] == "final"]
    if not finals:
        return "", False
    end = _CHANNEL_END.search(text, finals[-1].end())
    return text[finals[-1].end() : end.start() if end else len(text)], True


def _take_final_of_collapsed_channels(text: str) -> tuple[str, bool]:
    """Do the same where a server removed the channels' marks and left their names: ``analysis...final...``."""
    names = _COLLAPSED.match(text)
    if names is None:
        return text, True
    if names.group().rstrip().endswith("final"):
        return text[names.end() :], True
    return "", False


def _remove_blocks(text: str) -> tuple[str, bool]:
    """Remove the text between two marks, and all text before a closing mark that has no opening one.

    Returns:
        The remaining text and True; no text and False if a block has no end.
    """
    pieces: list[str] = []
    open_names: list[str] = []
    position, mentioned = 0, False
    for tag in _TAG.finditer(text):
        name, closes = _read_tag(tag)
        if not open_names and _is_mention(text, tag, after_mention=mentioned and closes):
            mentioned = True  # a closing mark behind it is probably the other half of the mention
            continue
        if closes and name in _PAIRS and name not in open_names:
            continue  # plain words, such as "here is my response:", occur in ordinary answers too

        if not open_names:
            pieces = [] if closes else [*pieces, text[position : tag.start()]]
        _update_open_blocks(open_names, name, closes=closes)
        position = tag.end()
    if open_names:
        return "", False
    return "".join([*pieces, text[position:]]), True


def _update_open_blocks(open_names: list[str], name: str, *, closes: bool) -> None:
    """Add a mark that opens a block to the open ones, or remove the blocks that a closing mark ends."""
    if not closes:
        open_names.append(name)
    elif name in open_names:
        del open_names[open_names.index(name) :]
    else:  # the block was opened in the prompt, or by another spelling of the mark
        open_names.clear()


def _read_tag(tag: re.Match[str]) -> tuple[str, bool]:
    """Return a mark's name, the same for all its spellings, and whether the mark closes a block."""
    groups = {group: value for group, value in tag.groupdict().items() if value}
    closes = any(group.startswith(("close", "end")) for group in groups)
    pair = (tag.lastgroup or "").lstrip("closenamd")
    if pair in _PAIRS:
        return pair, closes
    name = next(value for group, value in groups.items() if group.startswith("name"))
    return name.lower()[:5], closes


def _is_mention(text: str, tag: re.Match[str], *, after_mention: bool) -> bool:
    """Whether a text talks about a mark instead of using it."""
    earliest = max(0, tag.start() - 200)
    line_start = text.rfind("\n", earliest, tag.start()) + 1
    before = text[max(earliest, line_start) : tag.start()]
    after = text[tag.end() : tag.end() + 40]

    if (tag["name2"] or "").islower() and not tag["close2"] and before.strip():
        return True  # I [think] he meant London
    if before[-1:] in _QUOTES and after[:1] in _QUOTES and before and after:
        return True
    if not before.strip():  # at the beginning of a line, only "<think>: a tag that ..." is a mention
        return bool(re.match(r" ?[:,] ?\w| tags?\b", after))
    if after_mention and after.strip() and not after.startswith("\n"):
        return True
    return (before[-1].isspace() or before[-1] in _QUOTES) and bool(_SPOKEN_OF.match(after))
