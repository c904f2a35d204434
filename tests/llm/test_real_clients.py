"""The real client libraries, against loopback servers of their protocol: span tree, usage, finish reasons."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest
from servers import anthropic_api, google_api

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else its import asks the Internet for prices

import anthropic
import httpx
import httpx2
import openai
from google import genai
from google.genai import types as google

import aumos_otel as aumos
from aumos_otel import llm
from aumos_otel.demo.model_server import BROKEN_STREAM, RATE_LIMIT, SERVER_ERROR, ModelServer

with pytest.warns() if False else contextlib.nullcontext():
    import litellm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from aumos_otel.testing import Capture
