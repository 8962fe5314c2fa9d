"""A plain voice client, built as Google's published example is, for the benchmark to compare with.

One task reads the microphone in blocks of 1,024 samples from a blocking PyAudio stream and puts
them into a queue of five, one sends them, one receives and puts the reply's chunks into a queue
without a bound, and one writes those to a blocking output stream at 24 kHz. An interruption empties
that queue. It has no wake word, no echo canceller and no second connection.

Run as a program with the server's URL; it says ``open`` once it listens, and runs until killed.
"""

from __future__ import annotations

import asyncio
import sys

import pyaudio
from google import genai
from google.genai import live, types

BLOCK_SAMPLES = 1024
CONFIG = types.LiveConnectConfig(response_modalities=[types.Modality.AUDIO])


async def listen(audio: pyaudio.PyAudio, heard: asyncio.Queue[bytes]) -> None:
    stream = await asyncio.to_thread(
        audio.open,
        format=pyaudio.paInt16,
        channels=1,
        rate=16_000,
        input=True,
        input_device_index=audio.get_default_input_device_info()["index"],
        frames_per_buffer=BLOCK_SAMPLES,
    )
    print("open", flush=True)
    while True:
        block = await asyncio.to_thread(stream.read, BLOCK_SAMPLES, exception_on_overflow=False)
        await heard.put(block)


async def send(session: live.AsyncSession, heard: asyncio.Queue[bytes]) -> None:
    while True:
        block = await heard.get()
        await session.send_realtime_input(
            audio=types.Blob(data=block, mime_type="audio/pcm;rate=16000")
        )


async def receive(session: live.AsyncSession, said: asyncio.Queue[bytes]) -> None:
    while True:
        async for message in session.receive():
            content = message.server_content
            if content is None:
                continue
            for part in (content.model_turn and content.model_turn.parts) or ():
                if part.inline_data is not None and part.inline_data.data:
                    said.put_nowait(part.inline_data.data)
            if content.interrupted:
                while not said.empty():
                    said.get_nowait()


async def play(audio: pyaudio.PyAudio, said: asyncio.Queue[bytes]) -> None:
    stream = await asyncio.to_thread(
        audio.open, format=pyaudio.paInt16, channels=1, rate=24_000, output=True
    )
    while True:
        chunk = await said.get()
        await asyncio.to_thread(stream.write, chunk)


async def run(url: str) -> None:
    audio = pyaudio.PyAudio()
    heard: asyncio.Queue[bytes] = asyncio.Queue(maxsize=5)
    said: asyncio.Queue[bytes] = asyncio.Queue()
    options = types.HttpOptions(base_url=url, api_version="v1beta")
    client = genai.Client(api_key="test-key", http_options=options)
    model = "gemini-3.1-flash-live-preview"
    async with (
        client.aio.live.connect(model=model, config=CONFIG) as session,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(play(audio, said))
        tasks.create_task(receive(session, said))
        tasks.create_task(send(session, heard))
        tasks.create_task(listen(audio, heard))


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
