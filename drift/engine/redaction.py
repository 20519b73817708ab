"""What is a secret and what is only the mask of one.

A secret never leaves the canonical form: `hmac:` and 32 hex digits of HMAC-SHA256 under the tenant's key stand for
it, so that a changed secret is still seen and a guessable one cannot be looked up. A mask (`*****`, `<redacted>` …)
becomes MASK whatever its form: it says that something is there and nothing about what it is.
"""

from __future__ import annotations

import hmac
import re
from functools import lru_cache

MASK = "<redacted>"
MASK_STARTS = "*•<[({"
LONGEST_MASK = 40
_PREFIX = "hmac:"

_MASKS = re.compile(
    r"[*•]{3,}"
    r"|[<\[({]{1,2}\s*(?:(?:key|value|secret|password)[ _-]?)?(?:is[ _-])?"
    r"(?:redacted|hidden|masked|removed|sanitized|obfuscated)\s*[>\])}]{1,2}",
    re.IGNORECASE,
)
# Ends of member names (letters and digits only, lower case) whose string value is a credential. Names of secrets,
# their addresses and their policies (`secretName`, `keyUri`, `passwordPolicy`) end otherwise and are configuration.
_SECRET_NAMES = re.compile(
    r"(?:password|passwd|passphrase|pwd|secret|secretvalue|clientsecret|connectionstring|connstr|connectionstrings"
    r"|accesskey|accountkey|sharedkey|primarykey|secondarykey|masterkey|primarymasterkey|secondarymasterkey"
    r"|primaryreadonlymasterkey|secondaryreadonlymasterkey|apikey|adminkey|querykey|authkey|authorizationkey"
    r"|servicekey|storagekey|functionkey|hostkey|privatekey|sshprivatekey|sastoken|sasuri|sasurl|saskey|accesstoken"
    r"|authtoken|refreshtoken|bearertoken|idtoken|oauthtoken|personalaccesstoken|clientkey|workspacekey|registrationkey"
    r"|customdata|protectedsettings|protectedsettingsfromkeyvaultvalue|certificatepassword|pfxblob|keyvalue)",
)
_NOT_SECRET = re.compile(r"(?:disable|enable|allow|require|use|has|is)[a-z]*")
# How a token or key begins: three characters that few other texts begin with.
_TOKEN_HEADS = frozenset({"---", "AKI", "Bea", "eyJ", "gho", "ghp", "ghs", "ghu", "git", "xox"})
_SECRET_TOKENS = re.compile(
    r"(?:Bearer\s+)?eyJ[\w-]{8,}\.[\w-]{8,}"  # a JSON web token
    r"|-----BEGIN [A-Z ]*PRIVATE KEY|gh[opsu]_[A-Za-z0-9]{30}|github_pat_\w{20}|xox[abps]-[\w-]{10}|AKIA[0-9A-Z]{16}\b"
)
_SECRET_PARTS = re.compile(  # in lower case
    r"(?:[?&;]|^)sig=[\w%+/=-]{16}"  # a shared access signature
    r"|(?:accountkey|sharedaccesskey|sharedsecret|accesskey|apikey|password|pwd|client_secret)\s*=\s*[^\s;]{3}"
)
_PART_HINTS = ("sig=", "key=", "secret=", "word=", "pwd=", "key =", "secret =", "word =", "pwd =")
_SECRET_URLS = re.compile(
    r"://[^/\s:@]+:[^/\s:@]+@"  # user:password@host
    r"|hooks\.slack\.com/services/\w|webhook\.office\.com/webhookb2/\w"
)
_HASHED = re.compile(r"hmac:[0-9a-f]{32}", re.ASCII)
_WORD = re.compile(r"[^a-z0-9]")


@lru_cache(maxsize=4096)
def is_secret_name(name: str) -> bool:
    """Whether a member, an app setting or an environment variable of this name holds a credential."""
    folded = _WORD.sub("", name.lower())
    match = _SECRET_NAMES.search(folded)
    while match and match.end() != len(folded):
        match = _SECRET_NAMES.search(folded, match.start() + 1)
    return match is not None and not _NOT_SECRET.fullmatch(folded[: match.start()])


def holds_secret(value: str) -> bool:
    """Whether the value itself gives a credential away, whatever its name.

    Asked of every long string of every document, so what cannot be one is told by plain searches.
    """
    if value[:3] in _TOKEN_HEADS and _SECRET_TOKENS.match(value):
        return True
    if "=" in value:
        folded = value.lower()
        if any(hint in folded for hint in _PART_HINTS) and _SECRET_PARTS.search(folded):
            return True
    if "://" in value and ("@" in value or "webhook" in value or "hooks." in value):
        return _SECRET_URLS.search(value) is not None
    return " PRIVATE KEY-----" in value


def is_mask(value: str) -> bool:
    return len(value) <= LONGEST_MASK and _MASKS.fullmatch(value) is not None


def is_hashed(value: object) -> bool:
    """Whether a canonical value stands for a secret."""
    return isinstance(value, str) and _HASHED.fullmatch(value) is not None


def hash_secret(value: str, secret_key: bytes) -> str:
    """The secret's stand-in. One that is already a stand-in stays, so that canonicalising twice changes nothing."""
    if is_hashed(value):
        return value
    digest = hmac.digest(secret_key, value.encode("utf-8", "surrogatepass"), "sha256")
    return _PREFIX + digest.hex()[:32]
