"""The service of ``aumos-otel demo`` on its own, with the demo's model server beside it: no key is needed.

    pip install 'aumos-otel[demo]'
    aumos-otel ui                      # in another terminal: shows what arrives
    python demo_service.py
    curl -H 'X-Tenant-ID: acme' --json '{"text": "Which drill bit?", "stream": true}' http://127.0.0.1:8000/chat

With OPENAI_BASE_URL and OPENAI_API_KEY set it asks a real provider.  The service itself, with its
decorated calls, is ``aumos_otel/demo/service.py``.
"""

from __future__ import annotations

import os
import sys

import uvicorn

from aumos_otel.demo.model_server import ModelServer

if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    with ModelServer(chunk_delay=0.02) as models:
        os.environ.setdefault("OPENAI_BASE_URL", models.base_url)
        os.environ.setdefault("OPENAI_API_KEY", "none")
        uvicorn.run("aumos_otel.demo.service:app", port=port)
