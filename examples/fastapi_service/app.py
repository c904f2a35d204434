"""A service with one line of telemetry: a forecast that asks a weather station over HTTP.

    pip install 'aumos-otel[local]' fastapi uvicorn httpx
    aumos-otel ui                      # in another terminal: shows what arrives
    uvicorn app:app                    # in this directory
    curl -H 'X-Tenant-ID: acme' 'http://127.0.0.1:8000/forecast/oslo?api_key=k-123'

The trace of the request has three spans: the server span ``GET /forecast/{city}``, the client
span of httpx, and the server span ``GET /stations/{city}`` of the station, which is this very
service.  The log record is joined to it, and the tenant is on all of them; the key is not.
"""

from __future__ import annotations

import logging

import httpx
from fastapi import FastAPI, HTTPException, Request

import aumos_otel as aumos

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger("forecast")

telemetry = aumos.configure(service_name="forecast-api", identity=aumos.from_headers(tenant_id="X-Tenant-ID"))

app = FastAPI()

TEMPERATURES = {"oslo": -3, "lisbon": 17}


@app.get("/forecast/{city}")
async def forecast(city: str, request: Request) -> dict[str, str]:
    """Ask the station and put it into words."""
    headers = {"X-Tenant-ID": request.headers.get("X-Tenant-ID", "")}
    async with httpx.AsyncClient(base_url=str(request.base_url), headers=headers) as station:
        answer = await station.get(f"/stations/{city}")
    if answer.is_error:
        raise HTTPException(404, f"no station in {city}")
    temperature = answer.json()["temperature"]
    logger.info("%s has %d degrees", city, temperature)
    return {"city": city, "forecast": "coat" if temperature < 10 else "shirt"}  # noqa: PLR2004 - a matter of taste


@app.get("/stations/{city}")
async def station(city: str) -> dict[str, int]:
    """What the thermometer says."""
    if city not in TEMPERATURES:
        raise HTTPException(404)
    return {"temperature": TEMPERATURES[city]}


@app.get("/health")
async def health() -> dict[str, str]:
    """For the load balancer; probes have no span."""
    return {"status": "ok"}
