"""Passwords in addresses, such as postgresql://user:PASSWORD@host/database, reach no log, page or message.

Trade-off: addresses are found by their form, so that no caller has to know which texts hold one. A text that only
looks like an address with a password loses a few signs; a password whose parts are not written as an address
requires stays hidden as far as the last ``@`` behind it.
"""

import re

MASK = "***"
_SCHEME = r"(?:\w+\+)?(?:https?|wss?|ftp|ssh)://"
# In an address of the web, user and password end before the first slash; a path may hold an @ of its own.
_WEB = re.compile(rf"({_SCHEME})([^\s/?#]*)@", re.IGNORECASE)
# A password with a slash in it ends no address of the web: what follows the colon is no port.
_BROKEN_WEB = re.compile(rf"({_SCHEME}[^\s/?#:@]*):(?!\d+(?:[/?#\s]|$)|\*\*\*@)\S*@", re.IGNORECASE)
# SQLAlchemy takes blanks and slashes in a password.
_OTHER = re.compile(rf"(?<![\w+.-])(?!{_SCHEME})([a-z][\w+.-]*://[^\s:/@]*):(?:\S*|[^@\n]*)@", re.IGNORECASE)
_WORDS = r"(?:pass(?:word|wd)?|pwd|secret|token|api_?key|access_?key|signature|credential)"
_IN_QUERY = re.compile(rf"([?&][\w.-]*{_WORDS}=)[^&\s]+", re.IGNORECASE)
_SETTING = re.compile(r"(\b\w*(?:password|passwd)\s?=\s?)(?:'[^']*'|[^\s&'][^\s&]*)", re.IGNORECASE)  # of libpq


def hide_passwords(text: str) -> str:
    """Return a text with ``***`` in place of each password in an address, a query or a setting of PostgreSQL's.

    A user without a password stays, but not in an address of the web, where it may be a token.
    """
    if "@" in text:
        text = _WEB.sub(_hide_user_information, text)
        text = _BROKEN_WEB.sub(rf"\1:{MASK}@", text)
        text = _OTHER.sub(rf"\1:{MASK}@", text)
    if "=" in text:
        text = _SETTING.sub(rf"\1{MASK}", _IN_QUERY.sub(rf"\1{MASK}", text))
    return text


def drop_user_information(address: str) -> str:
    """Return an address of the web without user and password: a link in a page must not carry them."""
    return _WEB.sub(r"\1", address)


def _hide_user_information(match: re.Match[str]) -> str:
    user, colon, _ = match[2].partition(":")
    return f"{match[1]}{user}:{MASK}@" if colon else f"{match[1]}{MASK}@"
