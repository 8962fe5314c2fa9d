"""A stand-in server for each test, and one certificate for all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from device.simulator.certificate import Certificate, make_certificate
from device.simulator.live_server import LiveServer
from device.simulator.script import Script
from tests.simulator.raw_client import Serve


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
async def serve(tmp_path: Path, certificate: Certificate) -> AsyncIterator[Serve]:
    """Start servers with a script, or with the fields of one."""
    async with AsyncExitStack() as stack:

        async def start(script: Script | None = None, **fields: Any) -> LiveServer:
            server = LiveServer(
                script or Script(**fields), directory=tmp_path, certificate=certificate
            )
            return await stack.enter_async_context(server)

        yield start
