"""The logger provider and its handler on the root logger, beside the application's own logging setup."""

from __future__ import annotations

import logging
import logging.config
import warnings
from collections.abc import Iterator

import pytest
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from aumos_otel import LogsOptions
from aumos_otel._internal import quantities
from aumos_otel.providers import logger
from aumos_otel.providers.logger import Installation


class Setup:
    """A logger provider with its handler on a root logger that has no other."""

    def __init__(self) -> None:
        self.memory = InMemoryLogRecordExporter()
        self.paused = False
        numbers = quantities.read({}, print)
        extra = [SimpleLogRecordProcessor(self.memory)]
        self.provider = logger.build(Resource({}), [], extra, {}, numbers)
        self.installation: Installation | None = None

    def install(self, **given: object) -> Installation:
        """Put the handler on the root logger, without those of the test runner."""
        logging.getLogger().handlers = []
        options = LogsOptions(**given).resolve({}, {}, {})
        self.installation = Installation(options, self.provider, lambda: self.paused)
        return self.installation

    @property
    def bodies(self) -> list[object]:
        """What was logged so far."""
        return [record.log_record.body for record in self.memory.get_finished_logs()]


@pytest.fixture
def setup() -> Iterator[Setup]:
    """A setup that leaves the root logger as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    setup = Setup()
    yield setup
    if setup.installation is not None:
        setup.installation.remove()
    setup.provider.shutdown()
    root.handlers, root.level = handlers, level


def test_records_arrive(setup: Setup) -> None:
    """What any logger says is a log record with its severity and attributes; levels are the application's matter."""
    setup.install()
    logging.getLogger("app").warning("hello %s", "world", extra={"order": 7})
    logging.getLogger("app").info("below the root logger's level")

    (record,) = setup.memory.get_finished_logs()
    assert record.log_record.body == "hello world"
    assert record.log_record.severity_text == "WARN"
    assert record.log_record.attributes["order"] == 7


@pytest.mark.parametrize("name", ["aumos_otel.delivery", "opentelemetry.sdk.trace", "grpc._channel"])
def test_the_export_path_does_not_feed_itself(name: str, setup: Setup) -> None:
    """What the export path says about itself is not exported: it would go on for ever."""
    setup.install()
    logging.getLogger(name).error("failed to export")

    assert setup.bodies == []


def test_basic_config_works_as_ever(setup: Setup, capsys: pytest.CaptureFixture[str]) -> None:
    """basicConfig() after configure() sets logging up, although our handler is there already."""
    setup.install()
    logging.basicConfig(format="%(levelname)s!%(message)s", level=logging.INFO)
    logging.getLogger("app").info("hello")

    assert capsys.readouterr().err == "INFO!hello\n"
    assert setup.bodies == ["hello"]


def test_basic_config_twice(setup: Setup) -> None:
    """A second basicConfig() does nothing, as ever; with force it replaces handlers, and ours stays."""
    installation = setup.install()
    logging.basicConfig()
    logging.basicConfig()
    assert len([handler for handler in logging.getLogger().handlers if type(handler) is logging.StreamHandler]) == 1

    logging.basicConfig(force=True)
    assert installation.handler in logging.getLogger().handlers


def test_dict_config_does_not_throw_it_out(setup: Setup) -> None:
    """dictConfig() replaces the root handlers; ours stays."""
    setup.install()
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}})
    logging.getLogger("app").warning("hello")

    assert setup.bodies == ["hello"]


def test_without_any_setup_warnings_are_still_printed(setup: Setup, capsys: pytest.CaptureFixture[str]) -> None:
    """An application that never set logging up sees its warnings on stderr, as without us."""
    setup.install()
    logging.getLogger("app").warning("hello")
    logging.getLogger("app").info("quiet")

    assert capsys.readouterr().err == "hello\n"


@pytest.mark.parametrize("where", ["", "app", "app.part"])
def test_printed_once_with_a_handler_of_the_application(
    where: str, setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a handler of the application's anywhere on the way nothing is printed beside it."""
    setup.install()
    handler = logging.NullHandler()
    logging.getLogger(where).addHandler(handler)
    logging.getLogger("app.part").warning("hello")
    logging.getLogger(where).removeHandler(handler)

    assert capsys.readouterr().err == ""
    assert setup.bodies == ["hello"]


@pytest.mark.filterwarnings("always:old")
def test_warnings(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """warnings.warn() is a log record with category and place, and shown as before; afterwards all is as it was."""
    shown = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_rest, **_options: shown.append(str(message)))
    before = warnings.showwarning
    installation = setup.install()

    warnings.warn("old", DeprecationWarning, stacklevel=1)

    assert setup.bodies == ["DeprecationWarning: old"]
    assert shown == ["old"]
    installation.remove()
    assert warnings.showwarning is before


def test_remove_restores(setup: Setup) -> None:
    """remove() takes everything back, and leaves what somebody else has replaced since."""
    before = logging.basicConfig, logging.config.dictConfig, logging.config.fileConfig
    installation = setup.install()

    installation.remove()

    assert logging.getLogger().handlers == []
    assert (logging.basicConfig, logging.config.dictConfig, logging.config.fileConfig) == before


def test_a_later_patch_stays(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that somebody else wrapped after us is not taken away from them."""
    installation = setup.install()

    def theirs(**_options: object) -> None:
        """Somebody else's."""

    monkeypatch.setattr(logging, "basicConfig", theirs)
    installation.remove()

    assert logging.basicConfig is theirs


def test_paused(setup: Setup) -> None:
    """While paused no record is taken."""
    setup.install()
    setup.paused = True
    logging.getLogger("app").warning("hello")

    assert setup.bodies == []


def test_the_least_level(setup: Setup) -> None:
    """Records below the option's level are left out."""
    setup.install(level="ERROR")
    logging.getLogger("app").warning("low")
    logging.getLogger("app").error("high")

    assert setup.bodies == ["high"]
