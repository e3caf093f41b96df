"""Takes secrets out of what is written down.

Only the standard library: the watcher process masks what it writes, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

MASK = "<masked>"

# Names under which secrets are given, as the last words of a longer name.
_SECRET_NAME = re.compile(
    r"(?i)(?:^|[_\-.])(?:auth|credentials?|passphrase|passwd|password|pwd|secret|token"
    r"|(?:access|account|api|auth|encryption|private|secret|signing|wandb)[_-]?key)$"
)
# Words of the vocabulary of a model, which end like a secret.
_VOCABULARY = re.compile(
    r"(?i)(?:^|[_\-.])(?:audio|bos|cls|end|eos|eot|image|mask|new|next|pad|per|sep|special|start|stop"
    r"|think|unk|video)[_-]token$"
)
_NAME = r"[A-Za-z_][\w.\-]{0,80}"
# What a value has that a name in code has not: quotes or a digit, and no brackets.
_ASSIGNED = re.compile(
    rf"({_NAME})([\"']?\s{{0,3}}[=:]\s{{0,3}}[\"']?)([^\s\"',;&(){{}}\[\]]{{8,}})"
)
_SHAPES = re.compile(
    r"""\b(?:
      hf_[A-Za-z0-9]{16,}                      # Hugging Face
    | sk-[A-Za-z0-9_-]{16,}                    # OpenAI, Anthropic and others
    | (?:gh[oprsu]|github_pat)_[A-Za-z0-9_]{20,}
    | glpat-[A-Za-z0-9_-]{16,}
    | xox[abeoprs]-[A-Za-z0-9-]{10,}           # Slack
    | (?:AKIA|ASIA)[A-Z0-9]{16}                # AWS
    | AIza[A-Za-z0-9_-]{35}                    # Google
    | (?:pypi-AgEI|npm_)[A-Za-z0-9_-]{20,}
    | wandb_v\d_[A-Za-z0-9_-]{20,}
    | eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?   # a JSON web token
    )""",
    re.VERBOSE,
)
_USER_IN_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]{0,20}://)[^\s/?#@\"']{1,300}@")
_IN_QUERY = re.compile(rf"([?&]{_NAME}=)([^&#\s\"'<>]+)")
_SIGNED = re.compile(r"(?i)^(?:x-amz-.*|x-goog-.*|sig|sign|signature|key|code)$")
_BEARER = re.compile(r"(?i)\b(bearer|basic)(\s+)[A-Za-z0-9._~+/=\-]{8,}")
_PRIVATE_KEY = re.compile(
    r"(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[^-]{0,20000}(-----END [A-Z ]{0,30}PRIVATE KEY-----)"
)
_OPTION = re.compile(rf"^(-{{0,2}}{_NAME})=(.*)$", re.DOTALL)


def is_secret_name(name: str) -> bool:
    """Return whether what bears this name is not to be written down.

    >>> [is_secret_name(each) for each in ("hub_token", "WANDB_API_KEY", "eos_token", "num_tokens")]
    [True, True, False, False]
    """
    return bool(_SECRET_NAME.search(name)) and not _VOCABULARY.search(name)


def mask_text(text: str) -> str:
    """Return a text without tokens, passwords in addresses, and values of what is called a secret.

    >>> mask_text("GET https://me:word@host/x?token=abc failed with hub_token=hf_0123456789abcdef")
    'GET https://<masked>@host/x?token=<masked> failed with hub_token=<masked>'
    """
    text = _PRIVATE_KEY.sub(rf"\1{MASK}\2", text)
    text = _USER_IN_ADDRESS.sub(rf"\1{MASK}@", text)
    text = _IN_QUERY.sub(_mask_query, text)
    text = _BEARER.sub(rf"\1\2{MASK}", text)
    text = _SHAPES.sub(MASK, text)
    return _ASSIGNED.sub(_mask_assigned, text)


def mask_arguments(arguments: Sequence[str]) -> list[str]:
    """Return a command line without secrets, whether they follow ``=`` or stand by themselves.

    >>> mask_arguments(["train.py", "--hub_token", "abc", "--api-key=abc", "--lr", "1e-6"])
    ['train.py', '--hub_token', '<masked>', '--api-key=<masked>', '--lr', '1e-6']
    """
    return list(_masked(arguments))


def _masked(arguments: Sequence[str]) -> Iterator[str]:
    follows_secret = False
    for argument in arguments:
        option = _OPTION.match(argument)
        if follows_secret and not argument.startswith("--"):
            yield MASK
        elif option and is_secret_name(option[1].lstrip("-")):
            yield f"{option[1]}={MASK}"
        else:
            yield mask_text(argument)
        follows_secret = argument.startswith("-") and is_secret_name(argument.lstrip("-"))


def _mask_query(match: re.Match[str]) -> str:
    name = match[1][1:-1]
    return f"{match[1]}{MASK}" if is_secret_name(name) or _SIGNED.match(name) else match[0]


def _mask_assigned(match: re.Match[str]) -> str:
    name, between, value = match.groups()
    is_quoted = between[-1] in "\"'"
    looks_secret = (is_quoted or any(map(str.isdigit, value))) and not value.startswith("<")
    return f"{name}{between}{MASK}" if looks_secret and is_secret_name(name) else match[0]
