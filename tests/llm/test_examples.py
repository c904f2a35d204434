from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(name: str) -> subprocess.CompletedProcess[str]:
    """Run an example as its docstring says."""
    return subprocess.run([sys.executable, EXAMPLES / name], capture_output=True, text=True, timeout=60, check=True)


@pytest.mark.parametrize(
    ("name", "said", "told"),
    [
        (
            "llm_call.py",
            "Traces join what happened.",
            (
                r"chat gpt-5-mini +openai .* in 16 out 4 .* stop",
                r"chat gpt-5-mini +openai .* first .* in 15 out 4",
                r"embeddings text-embedding-3-small .* in 7",
                r"chat claude-opus-4-7 +anthropic .* in 12 \(cached 8\) out 40",
            ),
        ),
        (
            "agent_workflow.py",
            "done: long done",
            (
                r"retrieval handbook .* tenant=acme",
                r"execute_tool service_status .* TimeoutError",
                r"chat gpt-5-mini +openai .* in 40 out 5",
                r"invoke_workflow triage .* tenant=acme",
            ),
        ),
    ],
)
def test_example_runs(name: str, said: str, told: tuple[str, ...]) -> None:
    """The example runs offline, answers, and tells its calls on the console, with nothing wrong."""
    done = run(name)

    assert said in done.stdout
    output = done.stdout + done.stderr
    assert [pattern for pattern in told if not re.search(pattern, output)] == []
    assert "Traceback" not in output
    assert "WARNING" not in output
