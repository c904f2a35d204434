"""A workflow of two agents with a tool and a knowledge base, with stand-ins for the models so that it runs offline.

    pip install aumos-otel
    python agent_workflow.py

The trace: ``invoke_workflow triage`` holds both agents, these hold their calls, the tool and the
retrieval.  Tokens and cost are on the chats alone, so a sum over the trace is right.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import aumos_otel as aumos
from aumos_otel import llm


@llm.retrieval("handbook")
def search(query: str) -> list[str]:
    """Looks a question up; stands for a vector store."""
    return [f"{query}: restart it"]


@llm.tool
def service_status(name: str) -> str:
    """A tool that fails, which the agent copes with."""
    raise TimeoutError(f"{name} does not answer")


@llm.chat(provider="openai", model="gpt-5-mini")
async def ask(prompt: str) -> str:
    """Stands for a client's call, whose response is handed over."""
    await asyncio.sleep(0.01)
    llm.current().record({"model": "gpt-5-mini", "usage": {"prompt_tokens": len(prompt), "completion_tokens": 5}})
    return f"done: {prompt}"


@llm.agent("investigator")
async def investigate(ticket: str) -> str:
    """Looks things up in a thread, which belongs to the same trace."""
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(aumos.propagate(search), ticket).result()
    try:
        service_status("printer")
    except TimeoutError:
        found.append("no status")
    return await ask(" ".join(found))


@llm.agent("writer")
async def write(notes: str) -> str:
    """Two drafts at once."""
    drafts = await asyncio.gather(ask(f"short {notes}"), ask(f"long {notes}"))
    return min(drafts, key=len)


@llm.workflow("triage")
async def triage(ticket: str) -> str:
    """One agent after the other."""
    return await write(await investigate(ticket))


if __name__ == "__main__":
    telemetry = aumos.configure(service_name="agent-workflow", console=True, destinations=[])
    with aumos.bind(tenant_id="acme", session_id="s-1"):
        print(asyncio.run(triage("The printer is out")))
    telemetry.shutdown()
