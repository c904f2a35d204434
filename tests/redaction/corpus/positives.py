"""Secrets and personal data that do not exist, made from the rules of their kinds; the same on each run."""

from __future__ import annotations

import base64
import json
import random
import string

ALNUM = string.ascii_letters + string.digits
WORD = ALNUM + "_-"
HEX = "0123456789abcdef"
EACH = 25


def some(rng: random.Random, alphabet: str, length: int) -> str:
    """Random characters, a digit and a capital among them wherever the alphabet has any."""
    text = "".join(rng.choice(alphabet) for _ in range(length - 2))
    return rng.choice(alphabet) + text + ("7" if "7" in alphabet else rng.choice(alphabet))


def luhn_completed(digits: str) -> str:
    """``digits`` and their check digit."""
    total = sum(
        sum(divmod(2 * int(digit), 10)) if place % 2 == 0 else int(digit)
        for place, digit in enumerate(reversed(digits))
    )
    return digits + str(-total % 10)


def base64url(data: object) -> str:
    """JSON as a JWT carries it."""
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=").decode()


def digits(rng: random.Random, count: int) -> str:
    """Random digits."""
    return some(rng, string.digits, count) if count > 2 else "".join(rng.choice(string.digits) for _ in range(count))


def jwt(rng: random.Random) -> str:
    """A signed token."""
    return ".".join(
        (base64url({"alg": "HS256", "typ": "JWT"}), base64url({"sub": digits(rng, 8)}), some(rng, WORD, 43))
    )


def pem(rng: random.Random) -> str:
    """A private key as OpenSSL writes it."""
    kind = rng.choice(["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "])
    body = "\n".join(some(rng, ALNUM + "+/", 64) for _ in range(6))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"


def card(rng: random.Random) -> str:
    """A payment card of any scheme, plain or in groups."""
    prefix, length = rng.choice(
        [("4", 16), ("51", 16), ("2221", 16), ("37", 15), ("6011", 16), ("3530", 16), ("62", 16)]
    )
    number = luhn_completed(prefix + digits(rng, length - 1 - len(prefix)))
    if length == 15:
        return rng.choice([number, f"{number[:4]} {number[4:10]} {number[10:]}"])
    return rng.choice(
        [
            number,
            " ".join(number[i : i + 4] for i in range(0, 16, 4)),
            "-".join(number[i : i + 4] for i in range(0, 16, 4)),
        ]
    )


def email(rng: random.Random) -> str:
    """An address under a reserved name."""
    local = some(rng, string.ascii_lowercase, rng.randrange(3, 9)) + rng.choice(["", ".smith", "+tag", "_x", "-y"])
    return f"{local}@{rng.choice(['', 'mail.', 'a-b.'])}example.{rng.choice(['com', 'org', 'co.uk', 'museum'])}"


def iban(rng: random.Random) -> str:
    """A bank account with right check digits, plain or in groups of four."""
    country, length = rng.choice([("DE", 22), ("FR", 27), ("NL", 18), ("GB", 22), ("ES", 24), ("NO", 15), ("MT", 31)])
    bank = some(rng, string.ascii_uppercase, 4) if country in {"NL", "GB", "MT"} else ""
    bank = bank.replace("7", "A")
    body = bank + digits(rng, length - 4 - len(bank))
    spelled = "".join(str(int(character, 36)) for character in body + country + "00")
    code = f"{country}{98 - int(spelled) % 97:02}{body}"
    return rng.choice([code, " ".join(code[i : i + 4] for i in range(0, len(code), 4))])


def phone(rng: random.Random) -> str:
    """A phone number, international or as several countries write it."""
    d = lambda count: digits(rng, count)  # noqa: E731 - short, and used in the line below only
    area, exchange = f"{rng.randrange(2, 10)}{d(2)}", f"{rng.randrange(2, 10)}{d(2)}"
    return rng.choice(
        [
            f"+1 {area} {exchange} {d(4)}",
            f"+1{area}{exchange}{d(4)}",
            f"({area}) {exchange}-{d(4)}",
            f"{area}-{exchange}-{d(4)}",
            f"{area}.{exchange}.{d(4)}",
            f"+49 30 {d(6)}",
            f"+49 (0)171 {d(7)}",
            f"+44 20 {d(4)} {d(4)}",
            f"+91 98{d(3)} {d(5)}",
            f"+46-8-{d(3)} {d(3)} {d(2)}",
            f"020 {d(4)} {d(4)}",
            f"0{rng.randrange(1, 10)} {d(2)} {d(2)} {d(2)} {d(2)}",
            f"0171 {d(7)}",
        ]
    )


def url_password(rng: random.Random) -> str:
    """A connection URL's password."""
    return some(rng, ALNUM + "!$%^*-_.", rng.randrange(8, 24))


SHAPED = {
    "private_key": pem,
    "jwt": jwt,
    "aws_access_key": lambda r: r.choice(["AKIA", "ASIA"]) + some(r, string.ascii_uppercase + "234567", 16),
    "aws_bedrock_key": lambda r: "ABSK" + some(r, ALNUM, 120),
    "gcp_api_key": lambda r: "AIza" + some(r, WORD, 35),
    "google_oauth": lambda r: "ya29." + some(r, WORD, 80),
    "google_client_secret": lambda r: "GOCSPX-" + some(r, WORD, 28),
    "azure_client_secret": lambda r: some(r, ALNUM, 3) + "8Q~" + some(r, ALNUM + "_.-", 34),
    "anthropic": lambda r: "sk-ant-api03-" + some(r, WORD, 95),
    "langfuse": lambda r: "sk-lf-" + "-".join(some(r, HEX, n) for n in (8, 4, 4, 4, 12)),
    "openrouter": lambda r: "sk-or-v1-" + some(r, HEX, 64),
    "openai": lambda r: r.choice(
        ["sk-proj-" + some(r, WORD, 74), "sk-" + some(r, ALNUM, 48), "sk-svcacct-" + some(r, WORD, 60)]
    ),
    "huggingface": lambda r: "hf_" + some(r, ALNUM, 34),
    "groq": lambda r: "gsk_" + some(r, ALNUM, 52),
    "xai": lambda r: "xai-" + some(r, ALNUM, 80),
    "perplexity": lambda r: "pplx-" + some(r, ALNUM, 48),
    "replicate": lambda r: "r8_" + some(r, ALNUM, 37),
    "github": lambda r: r.choice(
        ["ghp_" + some(r, ALNUM, 36), "gho_" + some(r, ALNUM, 36), "github_pat_" + some(r, ALNUM + "_", 82)]
    ),
    "gitlab": lambda r: "glpat-" + some(r, WORD, 20),
    "slack": lambda r: r.choice(
        [f"xoxb-{digits(r, 12)}-{digits(r, 12)}-{some(r, ALNUM, 24)}", f"xapp-1-A{some(r, ALNUM, 9)}-{digits(r, 12)}"]
    ),
    "stripe": lambda r: r.choice(["sk_live_", "rk_live_", "sk_test_"]) + some(r, ALNUM, 24),
    "sendgrid": lambda r: f"SG.{some(r, WORD, 22)}.{some(r, WORD, 43)}",
    "twilio": lambda r: "SK" + some(r, HEX, 32),
    "npm": lambda r: "npm_" + some(r, ALNUM, 36),
    "pypi": lambda r: "pypi-AgEIcHlwaS5vcmc" + some(r, WORD, 60),
    "docker": lambda r: "dckr_pat_" + some(r, WORD, 27),
    "digitalocean": lambda r: "dop_v1_" + some(r, HEX, 64),
    "shopify": lambda r: "shpat_" + some(r, HEX, 32),
    "grafana": lambda r: f"glsa_{some(r, ALNUM, 32)}_{some(r, HEX, 8)}",
    "vault": lambda r: "hvs." + some(r, WORD, 90),
    "payment_card": card,
    "email": email,
    "iban": iban,
    "phone": phone,
}
#: Kinds that are found by what stands around them: the value, and the texts that it may stand in.
NAMED = {
    "bearer": (lambda r: some(r, WORD, 32), ["Authorization: Bearer {}", "curl -H 'authorization: bearer {}' https://x.example"]),
    "basic": (lambda r: base64.b64encode(f"user:{some(r, ALNUM, 12)}".encode()).decode(), ["Authorization: Basic {}", "sent basic {} twice"]),
    "url_password": (url_password, ["postgres://app:{}@db.example:5432/main", "cannot reach redis://:{}@cache:6379/0 now", "amqp://guest:{}@mq//"]),
    "password": (
        lambda r: some(r, ALNUM + "!%^*_.+-", r.randrange(6, 20)),
        ["password={}", "Password: {}", '{{"user": "a", "password": "{}"}}', "Server=db;Uid=sa;Pwd={};Encrypt=yes", "host=db user=app password={} port=5432",
         'DB_PASSWORD="{}"', '{{\\"passwd\\": \\"{}\\"}}', "mysql --password {} -h db", "PGPASSWORD={} psql", "connect(user='a', password='{}')"],
    ),
    "secret": (lambda r: some(r, ALNUM + "/+", 40), ["aws_secret_access_key = {}", '"client_secret": "{}"', "SecretAccessKey={}", "secret: {}"]),
    "api_key": (lambda r: some(r, ALNUM, 32), ["https://api.example/v1?api_key={}&page=2", "MISTRAL_API_KEY={}", "x-api-key: {}", "'apiKey': '{}'"]),
    "access_key": (
        lambda r: some(r, ALNUM + "+/", 86) + "==",
        ["DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=x", "Endpoint=sb://x/;SharedAccessKey={}", "encryption_key: {}"],
    ),
    "token": (lambda r: some(r, ALNUM, 24), ["token={}", '"access_token": "{}"', "https://x.example/cb#access_token={}&state=1", "X-Auth-Token: {}"]),
    "authorization": (lambda r: some(r, ALNUM, 24), ["Authorization: {}", "proxy-authorization: Token {}"]),
    "credential": (lambda r: some(r, ALNUM, 24), ["credential={}", 'credential: "{}"']),
    "cookie": (lambda r: "sid=" + some(r, ALNUM, 24), ["Cookie: {}", "set-cookie: {}; Path=/"]),
    "signature": (lambda r: some(r, ALNUM + "%", 44), ["https://a.blob.example/c?sv=2024-01-01&se=2026-01-01&sig={}", "X-Amz-Date=1&X-Amz-Signature={}"]),
    "url_parameter": (lambda r: some(r, ALNUM, 24), ["GET /maps?key={}&z=1", "https://x.example/cb?code={}"]),
}  # fmt: skip
SURROUNDINGS = [
    "{}",
    "The caller sent {} and was refused.",
    '{{"event": "login", "detail": "{}", "ok": false}}',
    "https://api.example.com/v1/items?ref={}&page=2",
    'Traceback (most recent call last):\n  File "/srv/app/main.py", line 42, in call\n    raise ValueError("{}")\nValueError: {}',
    "2026-11-22T20:59:00Z ERROR worker-3 request failed: value=[{}] attempt=2",
    "<td>{}</td>",
    "export THE_VALUE={}\n",
    "({}),",
]


def cases() -> list[tuple[str, str, str]]:
    """``(detector, what must not come out, text around it)`` for every kind of secret and personal data."""
    rng = random.Random(20261122)
    made = []
    for name, make in SHAPED.items():
        for place in range(EACH):
            value = make(rng)
            made.append(
                (
                    name,
                    value,
                    SURROUNDINGS[place % len(SURROUNDINGS)].replace("{{", "{").replace("}}", "}").replace("{}", value),
                )
            )
    for name, (make, texts) in NAMED.items():
        for place in range(EACH):
            value = make(rng)
            made.append(
                (name, value, texts[place % len(texts)].replace("{{", "{").replace("}}", "}").replace("{}", value))
            )
    return made


#: Published examples and numbers computed by the rules of their countries.
NATIONAL = {
    "us_ssn": ["536-90-4399", "078 05 1120", "219-09-9999"],
    "uk_nino": ["AB123456C", "JG 12 13 16 A", "SN123456D"],
    "de_steuer_id": ["86095742719", "47036892816", "65929970489", "57549285017"],
    "fr_nir": ["2 55 08 14 168 025 38", "255081416802538", "1 85 05 78 006 084 91"],
    "es_dni": ["12345678Z", "X1234567L", "00000000T", "Z8327649K"],
    "it_codice_fiscale": ["RSSMRA85T10A562S", "MRTMTT91D08F205J", "VRDGPP13R10B293P"],
    "nl_bsn": ["111222333", "123456782"],
    "pl_pesel": ["44051401359", "02070803628"],
    "br_cpf": ["111.444.777-35", "52998224725"],
    "in_aadhaar": ["2341 2341 2346", "234123412346"],
    "se_personnummer": ["811218-9876", "19811218-9876", "640823-3234"],
}
