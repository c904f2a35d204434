"""Cases of the SLIs that are built in, by hand."""

from __future__ import annotations

from typing import Any

FAST = {"below": "300ms"}
MS = 1_000_000

HTTP = {"kind": "server", "attributes": {"http.request.method": "GET", "http.response.status_code": 200}}
GRPC = {"kind": "server", "attributes": {"rpc.system.name": "grpc", "rpc.response.status_code": "OK"}}
CHAT = {"kind": "client", "name": "chat m", "attributes": {"gen_ai.operation.name": "chat"}}
SCORE = {"log": "gen_ai.evaluation.result"}


def but(record: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A record with other or more parts; attributes are joined, and None takes one away."""
    attributes = {**record.get("attributes", {}), **changes.pop("attributes", {})}
    return {
        **record,
        **changes,
        "attributes": {key: value for key, value in attributes.items() if value is not None},
    }


def http(code: int | None, **changes: Any) -> dict[str, Any]:
    """An HTTP server span that was answered so."""
    return but(HTTP, attributes={"http.response.status_code": code}, **changes)


def old_http(code: int | None, **changes: Any) -> dict[str, Any]:
    """The same in the names before 1.21."""
    attributes = {"http.method": "GET"} | ({} if code is None else {"http.status_code": code})
    return {"kind": "server", "attributes": attributes, **changes}


def grpc(code: str | int | None, **changes: Any) -> dict[str, Any]:
    """A gRPC server span that was answered so; by number in the older names."""
    if isinstance(code, int):
        return {"kind": "server", "attributes": {"rpc.system": "grpc", "rpc.grpc.status_code": code}, **changes}
    return but(GRPC, attributes={"rpc.response.status_code": code}, **changes)


def chat(**attributes: Any) -> dict[str, Any]:
    """A chat span with these attributes of ``gen_ai.``."""
    return but(CHAT, attributes={f"gen_ai.{key.replace('__', '.')}": value for key, value in attributes.items()})


#: The built-in's name with ``where`` and threshold, a record, and what it is: None, True (good) or False (bad).
CASES: tuple[tuple[str, dict[str, Any], dict[str, Any], bool | None], ...] = (
    *(("http.availability", {}, http(code), True) for code in (100, 200, 304, 400, 404, 429, 499)),
    *(("http.availability", {}, http(code), False) for code in (500, 502, 503, 504, 599)),
    ("http.availability", {}, http(404, status="error"), True),
    ("http.availability", {}, http(200, status="error"), True),
    ("http.availability", {}, http(None, status="error"), False),
    ("http.availability", {}, http(None), True),
    ("http.availability", {}, http(500, kind="client"), None),
    ("http.availability", {}, {"kind": "server"}, None),
    ("http.availability", {}, {"kind": "server", "attributes": {"network.protocol.name": "websocket"}}, None),
    ("http.availability", {}, old_http(200), True),
    ("http.availability", {}, old_http(404, status="error"), True),
    ("http.availability", {}, old_http(503), False),
    ("http.availability", {}, old_http(None, status="error"), False),
    ("http.availability", {"where": {"http.route": "/a"}}, but(HTTP, attributes={"http.route": "/a"}), True),
    ("http.availability", {"where": {"http.route": "/a"}}, but(HTTP, attributes={"http.route": "/b"}), None),
    ("http.availability", {"where": {"http.route": "/a"}}, HTTP, None),
    ("http.availability", {"where": {"not": {"http.route": {"prefix": "/health"}}}}, HTTP, True),
    ("http.latency", FAST, http(200, nanoseconds=300 * MS), True),
    ("http.latency", FAST, http(200, nanoseconds=300 * MS + 1), False),
    ("http.latency", FAST, http(404, nanoseconds=MS), True),
    ("http.latency", FAST, http(500, nanoseconds=MS), None),
    ("http.latency", FAST, http(500, nanoseconds=900 * MS), None),
    ("http.latency", FAST, http(None, status="error", nanoseconds=MS), None),
    ("http.latency", FAST, http(200, kind="client", nanoseconds=MS), None),
    *(
        ("grpc.availability", {}, grpc(code), True)
        for code in ("OK", "CANCELLED", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED")
    ),
    *(
        ("grpc.availability", {}, grpc(code), True)
        for code in ("RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNAUTHENTICATED")
    ),
    *(
        ("grpc.availability", {}, grpc(code), False)
        for code in ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
    ),
    *(("grpc.availability", {}, grpc(code), code not in (2, 4, 12, 13, 14, 15)) for code in range(17)),
    ("grpc.availability", {}, grpc("NOT_FOUND", status="error"), True),
    ("grpc.availability", {}, grpc(None, status="error"), False),
    ("grpc.availability", {}, grpc(None), True),
    ("grpc.availability", {}, grpc("INTERNAL", kind="client"), None),
    ("grpc.availability", {}, but(GRPC, attributes={"rpc.system.name": "jsonrpc"}), None),
    ("grpc.availability", {}, HTTP, None),
    ("grpc.latency", FAST, grpc("OK", nanoseconds=MS), True),
    ("grpc.latency", FAST, grpc("NOT_FOUND", nanoseconds=400 * MS), False),
    ("grpc.latency", FAST, grpc("UNAVAILABLE", nanoseconds=MS), None),
    *(
        ("llm.availability", {}, chat(operation__name=name), True)
        for name in ("chat", "generate_content", "text_completion", "embeddings")
    ),
    ("llm.availability", {}, but(CHAT, status="error"), False),
    ("llm.availability", {}, but(CHAT, kind="internal", status="ok"), True),
    *(
        ("llm.availability", {}, chat(operation__name=name), None)
        for name in ("execute_tool", "invoke_agent", "invoke_workflow", "retrieval")
    ),
    ("llm.availability", {}, HTTP, None),
    ("llm.availability", {"where": {"gen_ai.request.model": {"prefix": "gpt-"}}}, chat(request__model="gpt-5"), True),
    ("llm.availability", {"where": {"gen_ai.request.model": {"prefix": "gpt-"}}}, chat(request__model="o9"), None),
    ("llm.latency", FAST, but(CHAT, nanoseconds=MS), True),
    ("llm.latency", FAST, but(CHAT, nanoseconds=301 * MS), False),
    ("llm.latency", FAST, but(CHAT, nanoseconds=MS, status="error"), None),
    ("llm.latency", FAST, HTTP, None),
    ("llm.time_to_first_chunk", {"below": "1.28s"}, chat(response__time_to_first_chunk=1.28), True),
    ("llm.time_to_first_chunk", {"below": "1.28s"}, chat(response__time_to_first_chunk=1.2800001), False),
    ("llm.time_to_first_chunk", {"below": "1s"}, chat(response__time_to_first_chunk=1), True),
    ("llm.time_to_first_chunk", {"below": "1.28s"}, CHAT, None),
    ("llm.time_to_first_chunk", {"below": "1s"}, chat(operation__name="x", response__time_to_first_chunk=1), None),
    (
        "llm.time_per_output_chunk",
        {"below": "40ms"},
        but(CHAT, attributes={"aumos.llm.time_per_output_chunk": 0.04}),
        True,
    ),
    (
        "llm.time_per_output_chunk",
        {"below": "40ms"},
        but(CHAT, attributes={"aumos.llm.time_per_output_chunk": 0.05}),
        False,
    ),
    ("llm.time_per_output_chunk", {"below": "40ms"}, CHAT, None),
    ("llm.tool_success", {}, chat(operation__name="execute_tool"), True),
    ("llm.tool_success", {}, but(chat(operation__name="execute_tool"), status="error"), False),
    ("llm.tool_success", {}, CHAT, None),
    ("llm.tool_success", {"where": {"gen_ai.tool.name": "search"}}, chat(operation__name="execute_tool"), None),
    ("llm.evaluation_score", {"above": 0.8}, but(SCORE, attributes={"gen_ai.evaluation.score.value": 0.8}), True),
    ("llm.evaluation_score", {"above": 0.8}, but(SCORE, attributes={"gen_ai.evaluation.score.value": 1}), True),
    ("llm.evaluation_score", {"above": 0.8}, but(SCORE, attributes={"gen_ai.evaluation.score.value": 0.79}), False),
    ("llm.evaluation_score", {"above": 0.8}, but(SCORE, attributes={"gen_ai.evaluation.score.label": "pass"}), None),
    ("llm.evaluation_score", {"above": 0.8}, {"log": "x", "attributes": {"gen_ai.evaluation.score.value": 1}}, None),
    ("llm.evaluation_score", {"above": 0.8}, {"attributes": {"gen_ai.evaluation.score.value": 1}}, None),
    (
        "llm.evaluation_score",
        {"above": 0, "where": {"gen_ai.evaluation.name": "faithfulness"}},
        but(SCORE, attributes={"gen_ai.evaluation.name": "faithfulness", "gen_ai.evaluation.score.value": -1}),
        False,
    ),
    *(("llm.refusal", {}, chat(response__finish_reasons=[word]), True) for word in ("stop", "length", "tool_calls")),
    *(
        ("llm.refusal", {}, chat(response__finish_reasons=[word]), False)
        for word in ("content_filter", "refusal", "content_filtered", "guardrail_intervened", "SAFETY", "BLOCKLIST")
    ),
    ("llm.refusal", {}, chat(response__finish_reasons=["stop", "content_filter"]), False),
    ("llm.refusal", {}, chat(response__finish_reasons="content_filter"), False),
    ("llm.refusal", {}, chat(response__finish_reasons=[]), True),
    ("llm.refusal", {}, CHAT, None),
    ("llm.cost", {"below": 0.05}, chat(usage__cost=0.05), True),
    ("llm.cost", {"below": 0.05}, chat(usage__cost=0), True),
    ("llm.cost", {"below": 0.05}, chat(usage__cost=0.0501), False),
    ("llm.cost", {"below": 0.05}, CHAT, None),
    ("llm.tokens", {"below": 4000}, chat(usage__input_tokens=3000, usage__output_tokens=1000), True),
    ("llm.tokens", {"below": 4000}, chat(usage__input_tokens=3000, usage__output_tokens=1001), False),
    ("llm.tokens", {"below": 4000}, chat(usage__input_tokens=4001), False),
    ("llm.tokens", {"below": 4000}, chat(operation__name="embeddings", usage__input_tokens=9), True),
    ("llm.tokens", {"below": 4000}, CHAT, None),
)
