"""Secrets that show by their own form: keys, tokens and passwords of known shape."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Final

from .detector import Detector, whole

_HEADER_TRIES: Final = 4
_LONG_TOKEN: Final = 20


def _decoded(text: str) -> bytes:
    """base64 in either alphabet, with or without padding; empty if it is none."""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _is_jwt(text: str) -> bool:
    """Whether the first part decodes to a JOSE header, wherever in a longer run it begins."""
    header, dot, _ = text.partition(".")
    start = 0
    for _ in range(_HEADER_TRIES if dot else 0):
        start = header.find("eyJ", start)
        if start < 0:
            return False
        try:
            if isinstance(json.loads(_decoded(header[start:])), dict):
                return True
        except (ValueError, RecursionError):
            start += 1
    return False


def _is_basic(text: str) -> bool:
    """Whether the words after ``Basic`` are ``user:password``; RFC 7617."""
    user, colon, _ = _decoded(text.replace("+", "-").replace("/", "_")).partition(b":")
    return bool(colon) and all(byte >= 0x20 for byte in user)  # noqa: PLR2004 - control characters are below


def looks_random(text: str) -> bool:
    """Whether a token has a digit, or is longer than words are."""
    return len(text) >= _LONG_TOKEN or any(character.isdigit() for character in text)


def _mixed(text: str) -> bool:
    return any(character.isdigit() for character in text)


def _varied(text: str) -> bool:
    """Whether digits and letters of both cases are among the characters, as in no word and in no digest."""
    body = text[3:]
    return _mixed(body) and not body.islower() and not body.isupper()


_WORD = "[A-Za-z0-9_-]"

DETECTORS: Final = (
    Detector(
        "private_key",
        "secret",
        ("-----BEGIN ",),
        r"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----[^-]*+(?:-(?!----)[^-]*+)*+(?:-----END[A-Z0-9 ]{0,48}-----)?",
    ),
    Detector("jwt", "secret", ("eyJ",), rf"eyJ{_WORD}{{8,}}+(?:\.{_WORD}*+){{0,4}}+", whole(_is_jwt)),
    Detector("aws_access_key", "secret", ("AKIA", "ASIA"), r"A(?:KI|SI)A[A-Z0-9]{16}"),
    Detector("aws_bedrock_key", "secret", ("ABSK",), r"ABSK[A-Za-z0-9+/]{60,}={0,2}"),
    Detector("gcp_api_key", "secret", ("AIza",), rf"AIza{_WORD}{{35,}}"),
    Detector("google_oauth", "secret", ("ya29.",), r"ya29\.[A-Za-z0-9_.-]{20,}"),
    Detector("google_client_secret", "secret", ("GOCSPX-",), rf"GOCSPX-{_WORD}{{20,}}"),
    Detector("azure_client_secret", "secret", ("Q~",), r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,40}"),
    Detector("anthropic", "secret", ("sk-ant-",), rf"sk-ant-{_WORD}{{20,}}"),
    Detector("langfuse", "secret", ("sk-lf-",), r"sk-lf-[0-9a-f-]{30,}"),
    Detector("openrouter", "secret", ("sk-or-",), rf"sk-or-{_WORD}{{30,}}"),
    Detector(
        "openai",
        "secret",
        ("sk-",),
        rf"sk-(?:(?:proj|svcacct|admin|None)-{_WORD}{{20,}}|(?<![A-Za-z0-9]sk-)[A-Za-z0-9]{{20,}}|[A-Za-z0-9]{{20}}T3BlbkFJ[A-Za-z0-9]{{20}})",
        whole(_mixed),
    ),
    Detector("openai", "secret", ("sk-",), r"sk-[A-Za-z0-9]{40,}", whole(_varied)),
    Detector("huggingface", "secret", ("hf_",), r"hf_[A-Za-z0-9]{30,}"),
    Detector("groq", "secret", ("gsk_",), r"gsk_[A-Za-z0-9]{40,}"),
    Detector("xai", "secret", ("xai-",), r"xai-[A-Za-z0-9]{40,}"),
    Detector("perplexity", "secret", ("pplx-",), r"pplx-[A-Za-z0-9]{40,}"),
    Detector("replicate", "secret", ("r8_",), r"r8_[A-Za-z0-9]{37,}"),
    Detector("github", "secret", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{36,}"),
    Detector("github", "secret", ("github_pat_",), r"github_pat_[A-Za-z0-9_]{50,}"),
    Detector(
        "gitlab",
        "secret",
        ("glpat-", "gldt-", "glrt-", "glptt-"),
        rf"gl(?:pat|dt|rt|ptt)-{_WORD}{{20,}}",
        whole(_mixed),
    ),
    Detector(
        "slack",
        "secret",
        tuple(f"xox{kind}{after}" for kind in "abeoprs" for after in ".-"),
        r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,}",
        whole(_mixed),
    ),
    Detector("slack", "secret", ("xapp-",), r"xapp-[0-9]-[A-Za-z0-9-]{20,}"),
    Detector("slack", "secret", ("hooks.slack.com/",), r"hooks\.slack\.com/(?P<path>[a-z]{4,16}/[A-Za-z0-9/+]{20,})"),
    Detector("stripe", "secret", ("k_live_", "k_test_"), r"[sr]k_(?:live|test)_[A-Za-z0-9]{10,}"),
    Detector("stripe", "secret", ("whsec_",), r"whsec_[A-Za-z0-9+/=]{20,}"),
    Detector("sendgrid", "secret", ("SG.",), rf"SG\.{_WORD}{{16,32}}\.{_WORD}{{32,}}"),
    Detector("twilio", "secret", ("SK",), r"SK[0-9a-f]{32}"),
    Detector("npm", "secret", ("npm_",), r"npm_[A-Za-z0-9]{36,}"),
    Detector("pypi", "secret", ("pypi-",), rf"pypi-{_WORD}{{50,}}", whole(_mixed)),
    Detector("docker", "secret", ("dckr_pat_",), rf"dckr_pat_{_WORD}{{20,}}"),
    Detector("digitalocean", "secret", ("dop_v1_", "doo_v1_", "dor_v1_"), r"do[opr]_v1_[0-9a-f]{64}"),
    Detector("shopify", "secret", ("shpat_", "shpss_"), r"shp(?:at|ss)_[0-9a-fA-F]{32}"),
    Detector("grafana", "secret", ("glsa_",), r"glsa_[A-Za-z0-9]{32}_[0-9a-f]{8}"),
    Detector("vault", "secret", ("hvs.",), rf"hvs\.{_WORD}{{24,}}"),
    Detector(
        "bearer",
        "secret",
        ("bearer ",),
        r"bearer\s{1,4}(?P<token>[a-z0-9._~+/-]{8,}+={0,2})",
        whole(looks_random),
        lowered=True,
    ),
    Detector(
        "basic", "secret", ("basic ",), r"basic\s{1,4}(?P<pair>[a-z0-9+/]{6,}+={0,2})", whole(_is_basic), lowered=True
    ),
    Detector(
        "url_password",
        "secret",
        ("://",),
        r"""://(?:[^\s/?#@:"'<>]{0,256}+:(?P<password>[^\s/?#"'<>]{1,512})@|(?P<user>[A-Za-z0-9_~.-]{20,256}+)@)""",
    ),
)
