"""What is known of an LLM operation before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import SpanKind

from aumos_otel.llm import nesting
from aumos_otel.semconv import attributes as attr
from aumos_otel.semconv import spans as names

if TYPE_CHECKING:
    from collections.abc import Mapping

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
_OTHER_SHAPE: Final = (SpanKind.INTERNAL, attr.GEN_AI_AGENT_NAME)
#: The names of decorators stand for their operations.
_ALIASES: Final = {
    "tool": names.EXECUTE_TOOL,
    "agent": names.INVOKE_AGENT,
    "workflow": names.INVOKE_WORKFLOW,
}

#: Operations without attributes of their own that are kept; there are as many as places that call a model.
_KEPT: Final = 1024
_kept: dict[tuple[str, str | None, str | None, str | None], Operation] = {}


class Operation:
    """What is known of an operation before it starts.

    Args:
        verb: ``gen_ai.operation.name``.
        provider: ``gen_ai.provider.name``.
        model: ``gen_ai.request.model``.
        name: of the tool, agent, workflow or data source.
        attributes: further ones.

    Attributes:
        verb: as given.
        kind: of its span.
        family: whose tokens it counts; None: agents, workflows and tools have no usage of their own.
    """

    __slots__ = ("_attributes", "_model", "_name", "_naming", "_opening", "_provider", "family", "kind", "verb")

    def __init__(
        self,
        verb: str,
        provider: str | None = None,
        model: str | None = None,
        name: str | None = None,
        attributes: Mapping[str, AttributeValue] | None = None,
    ) -> None:
        self.verb = verb
        self.kind, self._naming = _SHAPES.get(verb, _OTHER_SHAPE)
        self.family = nesting.family_of(verb)
        self._provider = provider
        self._model = model
        self._name = name
        self._attributes = attributes
        self._opening: tuple[LLMSettings, str, dict[str, Any]] | None = None

    def opening(self, request: Mapping[str, AttributeValue] | None, chosen: LLMSettings) -> tuple[str, dict[str, Any]]:
        """Name and attributes of its span, the latter for the caller to keep.

        They are all that a sampler may look at; those of ``request`` stand above those of the declaration.
        """
        made = self._opening
        if made is None or made[0] is not chosen:
            known = {**self._known(chosen), **(self._attributes or {})}
            made = self._opening = (chosen, self._title(known), known)
        if not request:
            return made[1], made[2].copy()
        attributes = {**made[2], **request, **(self._attributes or {})}
        return self._title(attributes), attributes

    def _known(self, chosen: LLMSettings) -> dict[str, Any]:
        naming = self._naming
        known: dict[str, Any] = {attr.GEN_AI_OPERATION_NAME: self.verb}
        if self._provider is not None:
            known[attr.GEN_AI_PROVIDER_NAME] = self._provider
        if self._model is not None:
            known[attr.GEN_AI_REQUEST_MODEL] = self._model
        if naming == attr.GEN_AI_WORKFLOW_NAME and self._name is not None:
            known |= {attr.GEN_AI_WORKFLOW_NAME: self._name} if chosen.legacy_names else {}
            known |= {attr.GEN_AI_AGENT_NAME: self._name} if chosen.new_names else {}
        elif naming != attr.GEN_AI_REQUEST_MODEL and self._name is not None:
            known[naming] = self._name
        return known

    def _title(self, attributes: Mapping[str, Any]) -> str:
        target = attributes.get(self._naming) if self._naming == attr.GEN_AI_REQUEST_MODEL else self._name
        return f"{self.verb} {target}" if target else self.verb


def of_call(
    name: str,
    provider: str | None,
    model: str | None,
    called: str | None,
    attributes: Mapping[str, AttributeValue] | None,
) -> Operation:
    """The operation that ``name`` stands for, itself or as the name of a decorator; the same one for the same words."""
    if attributes:
        return Operation(_ALIASES.get(name, name), provider, model, called, attributes)
    key = (name, provider, model, called)
    try:
        found = _kept.get(key)
    except TypeError:  # what is no text has no place there
        return Operation(_ALIASES.get(name, name), provider, model, called)
    if found is None:
        if len(_kept) >= _KEPT:
            _kept.clear()
        found = _kept[key] = Operation(_ALIASES.get(name, name), provider, model, called)
    return found
