"""Addresses without their secrets: signatures and tokens in a query, names and passwords before the host.

A secret becomes part of no rule's parameters, no result and no log. Its place in the address is taken by `${NAME}`, as
users may write themselves, and its value is in the environment until a request is made. So a signature that was renewed
re-runs nothing either. Names and passwords come from the user's .netrc.
"""

import base64
import hashlib
import netrc
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_plus, urlsplit

from lib.core.errors import UserError

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s\"'<>`]+")
# Before the host, or where a password with a slash in it makes another host of its beginning.
_LOGIN = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?:[^/?#]*@|[^/?#:@]*:(?!\d*(?:[/?#]|$))[^@]*@)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_REFERENCE = re.compile(r"\$\{(\w+)\}")
_CLOSING = re.compile(r"[)\].,;:]*\Z")  # what a sentence puts behind an address
_SECRET_NAME = re.compile(
    r"token|secret|passw|passphrase|credential|signature|auth(?!or)|jwt|session|policy|api[-_]?key|access[-_]?key|"
    r"private[-_]?key|key[-_]?pair|"
    r"^(x-(amz|goog|ms|oss|cos|obs)-|q-).*|"  # signed addresses of Amazon, Google, Microsoft, Alibaba, Tencent, Huawei
    r"^(sig|sign|key|pwd|pass|sas|hmac|code|expires|googleaccessid|ossaccesskeyid)$|"
    r"^(s[eiprstv]|srt|spr|sk[estv]|skoid|sktid)$",  # Azure's
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """`text` with the addresses in it as everybody may see them; other text stays as it is."""
    return _URL.sub(lambda match: _public(match[0]), text)


def cleaned(value: Any) -> Any:
    """A JSON value whose texts are without secrets."""
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, Mapping):
        return {key: cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [cleaned(item) for item in value]
    return value


def with_references(value: Any, owner: str = "") -> Any:
    """A value of settings, in which the secrets of addresses are in the environment, and references in their places.

    `owner` is what the value belongs to: a key, or a row of a sheet. It gives the references names that stay the same.
    Raises UserError for a name and a password in an address.
    """
    if isinstance(value, str):
        return _referring(value, owner) if _SCHEME.match(value) else value
    if isinstance(value, Mapping):
        return {key: with_references(item, f"{owner}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [with_references(item, f"{owner}.{number}") for number, item in enumerate(value)]
    return value


def revealed(address: str) -> str:
    """The address for a request, with what `${NAME}` in it stands for. UserError when the environment lacks it."""

    def value(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], "").strip()
        if not found:
            raise UserError(f"the address names {match[1]}, which the environment lacks; export it")
        if re.search(r"[\s\x00-\x1f\x7f]", found):
            raise UserError(f"the address names {match[1]}, which holds spaces or line breaks in the environment")
        return found

    return _REFERENCE.sub(value, address)


def login(address: str) -> dict[str, str]:
    """Headers with the name and password that the user's .netrc, or the file NETRC, has for exactly this host."""
    path = Path(os.environ.get("NETRC") or Path.home() / ".netrc")
    if not path.is_file():
        return {}
    try:
        found = netrc.netrc(str(path)).hosts.get(urlsplit(address).hostname or "")
    except (netrc.NetrcParseError, UnicodeDecodeError):
        raise UserError(f"{path} cannot be read as a .netrc: machine HOST login NAME password PASSWORD") from None
    if found is None:
        return {}
    name, _, password = found
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


def _public(url: str) -> str:
    closing = _CLOSING.search(url)
    end = closing[0] if closing else ""
    url = _LOGIN.sub(r"\g<scheme>", url.removesuffix(end))
    kept, *parts = _parts(url)
    for mark, parameter in zip(parts[::2], parts[1::2], strict=True):
        if not _is_secret(parameter):
            kept += (mark if mark in "?#" or "?" in kept or "#" in kept else "?") + parameter
    return kept + end


def _parts(url: str) -> list[str]:
    """An address up to its query, then each separator and the parameter behind it, those of the fragment, too."""
    path, mark, rest = re.fullmatch(r"([^?#]*)([?#]?)(.*)", url, re.DOTALL).groups()  # type: ignore[union-attr]
    return [path, mark, *re.split(r"([?#&;])", rest)] if mark else [path]


def _is_secret(parameter: str) -> bool:
    """Whether a part of a query is one: by its name, by a token in it, or by an address with a secret."""
    name, _, value = parameter.partition("=")
    plain = unquote_plus(value or name)
    return bool(
        (value and _SECRET_NAME.search(unquote(name)))
        or plain.startswith("eyJ")  # a JSON Web Token
        or _REFERENCE.search(plain)
        or without_secrets(plain) != plain
    )


def _referring(address: str, owner: str) -> str:
    public = _public(address)
    if _LOGIN.match(address):
        host = urlsplit(public).hostname or "HOST"
        raise UserError(
            f"{owner.lstrip('.')}: {public}: an address holds no name and password; write them into ~/.netrc as "
            f"`machine {host} login NAME password PASSWORD`"
        )
    parts = _parts(address)
    digest = hashlib.sha256(f"{owner}\0{public}".encode(errors="surrogateescape")).hexdigest()[:12].upper()
    for place in range(2, len(parts), 2):
        name, equals, value = parts[place].partition("=")
        if _is_secret(parts[place]) and not _REFERENCE.search(parts[place]):
            variable = f"GRAFTLINE_SECRET_{digest}_{place // 2}"
            os.environ[variable] = value if equals else name
            parts[place] = f"{name}=${{{variable}}}" if equals else f"${{{variable}}}"
    return "".join(parts)
