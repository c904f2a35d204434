"""What is known of an LLM operation before it starts, and its span."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind

from aumos_otel._internal.per_provider import PerProvider
from aumos_otel.llm import settings
from aumos_otel.semconv import attributes as attr
from aumos_otel.semconv import spans as names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue

    from aumos_otel.llm.settings import LLMSettings

#: Kind and naming attribute of each operation; others are taken as internal ones.
_SHAPES: Final = {
    names.CHAT: (SpanKind.CLIENT, attr.GEN_AI_REQUEST_MODEL),
    names.TEXT_COMPLETION: (SpanKind.CLIENT, attr.GEN_AI_REQUEST_MODEL),
    attr.GEN_AI_OPERATION_NAME_GENERATE_CONTENT: (SpanKind.CLIENT, attr.GEN_AI_REQUEST_MODEL),
    names.EMBEDDINGS: (SpanKind.CLIENT, attr.GEN_AI_REQUEST_MODEL),
    names.RETRIEVAL: (SpanKind.CLIENT, attr.GEN_AI_DATA_SOURCE_ID),
    names.EXECUTE_TOOL: (SpanKind.INTERNAL, attr.GEN_AI_TOOL_NAME),
    names.INVOKE_AGENT: (SpanKind.INTERNAL, attr.GEN_AI_AGENT_NAME),
    names.INVOKE_WORKFLOW: (SpanKind.INTERNAL, attr.GEN_AI_WORKFLOW_NAME),
}
#: The names of decorators stand for their operations.
_ALIASES: Final = {
    "tool": names.EXECUTE_TOOL,
    "agent": names.INVOKE_AGENT,
    "workflow": names.INVOKE_WORKFLOW,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """What is known of an operation before it starts.

    Attributes:
        verb: ``gen_ai.operation.name``.
        provider: ``gen_ai.provider.name``.
        model: ``gen_ai.request.model``.
        name: of the tool, agent, workflow or data source.
        attributes: further ones.
    """

    verb: str
    provider: str | None = None
    model: str | None = None
    name: str | None = None
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)

    def start_attributes(self, request: Mapping[str, AttributeValue], chosen: LLMSettings) -> dict[str, Any]:
        """All attributes that a sampler may look at; those of the call stand above those of the declaration."""
        naming = self._shape[1]
        known: dict[str, Any] = {attr.GEN_AI_OPERATION_NAME: self.verb}
        if self.provider is not None:
            known[attr.GEN_AI_PROVIDER_NAME] = self.provider
        if self.model is not None:
            known[attr.GEN_AI_REQUEST_MODEL] = self.model
        if naming == attr.GEN_AI_WORKFLOW_NAME and self.name is not None:
            known |= {attr.GEN_AI_WORKFLOW_NAME: self.name} if chosen.legacy_names else {}
            known |= {attr.GEN_AI_AGENT_NAME: self.name} if chosen.new_names else {}
        elif naming != attr.GEN_AI_REQUEST_MODEL and self.name is not None:
            known[naming] = self.name
        return {**known, **request, **self.attributes}

    def start(self, attributes: Mapping[str, Any]) -> Span:
        """The span, named as the conventions say."""
        kind, naming = self._shape
        target = attributes.get(naming) if naming == attr.GEN_AI_REQUEST_MODEL else self.name
        title = f"{self.verb} {target}" if target else self.verb
        return _tracer.get().start_span(title, kind=kind, attributes=attributes)

    @property
    def _shape(self) -> tuple[SpanKind, str]:
        return _SHAPES.get(self.verb, (SpanKind.INTERNAL, attr.GEN_AI_AGENT_NAME))


def verb_of(name: str) -> str:
    """The operation that ``name`` stands for, itself or as the name of a decorator."""
    return _ALIASES.get(name, name)


def _make_tracer() -> Tracer:
    url = names.SCHEMA_URL_GEN_AI_1_37 if settings.current().legacy_names else None
    return trace.get_tracer(names.SCOPE_AUMOS_OTEL_LLM, version("aumos-otel"), schema_url=url)


_tracer: PerProvider[Tracer] = PerProvider(trace.get_tracer_provider, _make_tracer)


def listening() -> bool:
    """Whether anybody would hear of a span or a metric."""
    if not settings.current().enabled:
        return False
    return _is_real(trace.get_tracer_provider()) or _is_real(metrics.get_meter_provider())


def _is_real(provider: object) -> bool:
    # The API's own classes are stand-ins until an SDK is installed.
    return not type(provider).__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))
