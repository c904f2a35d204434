"""Names that tell a secret, and those that only sound so."""

from __future__ import annotations

import pytest

from aumos_otel.redaction.keys import SecretNames


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "PASSWORD",
        "db.password",
        "dbPassword",
        "db_passwd",
        "PGPASSWORD",
        "user-password",
        "passphrase",
        "pwd",
        "secret",
        "client_secret",
        "clientSecret",
        "aws.secret.access.key",
        "authorization",
        "http.request.header.authorization",
        "Proxy-Authorization",
        "cookie",
        "http.response.header.set-cookie",
        "http.request.header.x-api-key",
        "api_key",
        "apiKey",
        "APIKey",
        "X-API-Key",
        "OPENAI_API_KEY",
        "token",
        "access_token",
        "refreshToken",
        "id_token",
        "x-auth-token",
        "csrf_token",
        "private_key",
        "ssh.privateKey",
        "AccountKey",
        "encryption-key",
        "credentials",
        "jwt",
        "vault.secret_id",
        "auth_tokens",
        "cvv",
    ],
)
def test_secret_names(name) -> None:
    """Dotted, snake, kebab and camel names of secrets tell."""
    assert SecretNames().tells(name)


@pytest.mark.parametrize(
    "name",
    [
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.output_tokens",
        "gen_ai.request.max_tokens",
        "max_tokens",
        "maxTokens",
        "tokens",
        "gen_ai.token.type",
        "token.count",
        "token_count",
        "token_usage",
        "total_tokens",
        "tokenizer",
        "tokenizer.name",
        "password.length",
        "password_policy",
        "passwordResetUrl",
        "secret.name",
        "k8s.secret.name",
        "cookie.enabled",
        "key",
        "keyboard",
        "monkey",
        "primary_key",
        "foreign.key",
        "cache.key",
        "author",
        "authority",
        "authorized",
        "auth.method",
        "http.route",
        "user.id",
        "session.id",
        "url.path",
        "secretary",
    ],
)
def test_other_names(name) -> None:
    """Counts of tokens, descriptions of secrets and other words do not."""
    assert not SecretNames().tells(name)


def test_further_names() -> None:
    """A name that the user adds tells alone, and as a part of a longer one, however it is spelled."""
    names = SecretNames(["badge_number"])
    assert all(map(names.tells, ["badge_number", "badgeNumber", "user.badge-number", "BADGE_NUMBER_OLD"]))
    assert not any(map(names.tells, ["badge", "number", "number_badge"]))


def test_only_further_names() -> None:
    """Where secrets are kept the user's own names still tell."""
    names = SecretNames(["badge"], ours=False)
    assert names.tells("badge")
    assert not names.tells("password")
    assert not names.tells_parameter("key")


def test_parameters_of_urls() -> None:
    """In a URL ``key`` and ``sig`` tell as well."""
    names = SecretNames()
    assert all(map(names.tells_parameter, ["key", "sig", "Signature", "api_key"]))
    assert not any(map(names.tells_parameter, ["q", "page", "keys", "sigma"]))


def test_memory_is_bounded() -> None:
    """Names made up without end are not all remembered."""
    names = SecretNames()
    for number in range(10_000):
        names.tells(f"name{number}")
    assert len(names._known) <= 4096
