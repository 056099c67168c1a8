"""A real Russian recognizer (whisper.cpp) behind the WebSocket protocol of vosk-server.

Usage: vosk_server.py PORT GGML_MODEL [THREADS]     (PORT 0 picks a free one; "listening on PORT" is printed when ready)

Like vosk-server: any text holding "config" sets sample_rate and words, binary messages are 16-bit little-endian mono PCM, and
each of them gets exactly one JSON answer, {"partial": ...} or {"text": ...}; {"eof" : 1} gets the last text and a close.
Unlike it: WebRTC's voice detector cuts the utterances (500 ms of silence end one), Whisper decodes them one at a time.
"""

import asyncio
import concurrent.futures
import json
import re
import sys
import time

import numpy as np
import webrtcvad
import websockets
from pywhispercpp.model import Model

FRAME_MS = 20
ONSET_FRAMES = 3  # voiced frames in a row that begin an utterance
LEAD_FRAMES = 15  # kept from before the onset
END_FRAMES = 25  # unvoiced frames that end it: 500 ms
PARTIAL_FRAMES = 25  # a partial about every 500 ms of speech
BEHIND = 0.3  # seconds that a stream may lag behind its audio and still get partials
SLOW = 0.8  # where the last decoding took so many seconds, nobody gets partials for REST times as long: the finals need the time
REST = 2
AUDIO_CONTEXT = 512  # 10 s of Whisper's 30 s window: a third of the time, as good on short phrases
LONGEST = 1500  # Whisper's whole window
MAX_TOKENS = 48  # one phrase; without a cap Whisper sometimes repeats itself for ten seconds
MAX_MESSAGE = 1 << 20
NO_WORDS = re.compile(r"\[[^\]]*\]?|\([^)]*\)?|\*[^*]*\*?")  # how Whisper writes sounds: [музыка], (кашель), *звук*


def upsampler():
    taps = 31
    ramp = np.arange(taps) - taps // 2
    kernel = np.sinc(ramp / 2) * np.hamming(taps)

    def double(samples):
        spread = np.zeros(len(samples) * 2, np.float32)
        spread[::2] = samples
        return np.convolve(spread, kernel, "same").astype(np.float32)

    return double


DOUBLE = upsampler()


class Decoder:
    """Whisper on one thread: streams queue for it."""

    def __init__(self, path, threads):
        self.model = Model(path, n_threads=threads, print_progress=False, print_realtime=False,
                           redirect_whispercpp_logs_to=None)
        self.pool = concurrent.futures.ThreadPoolExecutor(1)
        self.waiting, self.took, self.ended = 0, 0.0, 0.0

    def spare(self):
        rested = self.took < SLOW or time.monotonic() - self.ended > self.took * REST
        return rested and not self.waiting

    async def text(self, pcm, rate):
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self.pool, self.decode, pcm, rate)
        finally:
            self.waiting -= 1

    def decode(self, pcm, rate):
        began = time.monotonic()
        samples = np.frombuffer(pcm, dtype="<i2").astype(np.float32) / 32768
        if rate == 8000:
            samples = DOUBLE(samples)
        edge = np.zeros(3200, np.float32)
        samples = np.concatenate([edge, samples, edge])
        if len(samples) < 17600:  # Whisper skips what is shorter than a second
            samples = np.concatenate([samples, np.zeros(17600 - len(samples), np.float32)])
        context = max(AUDIO_CONTEXT, min(LONGEST, len(samples) // 320 + 64))
        segments = self.model.transcribe(samples, language="ru", audio_ctx=context, single_segment=True, no_context=True,
                                         temperature_inc=0.0, greedy={"best_of": 1}, max_tokens=MAX_TOKENS)
        text = NO_WORDS.sub(" ", " ".join(segment.text for segment in segments).lower())
        text = " ".join("".join(c if c.isalnum() else " " for c in text).split())
        self.ended = time.monotonic()
        self.took = self.ended - began
        print(f"{len(pcm) / 2 / rate:.2f} s of speech, {self.took:.2f} s: {text}", flush=True)
        return text


class Utterances:
    """Cuts a stream into utterances: feed() answers with (kind, pcm) or nothing."""

    def __init__(self):
        self.rate, self.words, self.rest = 8000, False, b""
        self.reset()

    def reset(self):
        self.vad = webrtcvad.Vad(2)
        self.speech, self.lead, self.run, self.silent, self.next_partial, self.partial = b"", b"", 0, 0, 0, ""

    def feed(self, data):
        size = self.rate * FRAME_MS // 1000 * 2
        self.rest += data
        found = None
        while len(self.rest) >= size:
            frame, self.rest = self.rest[:size], self.rest[size:]
            voiced = self.vad.is_speech(frame, self.rate)
            if not self.speech:
                self.lead = (self.lead + frame)[-size * LEAD_FRAMES:]
                self.run = self.run + 1 if voiced else 0
                if self.run >= ONSET_FRAMES:
                    self.speech, self.silent = self.lead, 0
                    self.next_partial = len(self.speech) + size * PARTIAL_FRAMES
                continue
            self.speech += frame
            self.silent = 0 if voiced else self.silent + 1
            if self.silent >= END_FRAMES:
                found = ("final", self.speech)
                self.reset()
            elif len(self.speech) >= self.next_partial and self.silent < 5:
                found = ("partial", self.speech)
                self.next_partial = len(self.speech) + size * PARTIAL_FRAMES
        return found


def final(stream, text, pcm):
    answer = {"text": text}
    if stream.words and text:
        words, seconds = text.split(), len(pcm) / 2 / stream.rate
        answer["result"] = [
            {"conf": 1.0, "start": round(i * seconds / len(words), 2), "end": round((i + 1) * seconds / len(words), 2), "word": word}
            for i, word in enumerate(words)
        ]
    return json.dumps(answer, ensure_ascii=False)


async def serve_stream(socket, decoder):
    stream, clock = Utterances(), None
    async for message in socket:
        if isinstance(message, str):
            if "config" in message:
                config = json.loads(message)["config"]
                stream.rate = int(config.get("sample_rate", stream.rate))
                stream.words = bool(config.get("words", stream.words))
                continue
            pcm = stream.speech
            text = await decoder.text(pcm, stream.rate) if pcm else ""
            stream.reset()
            await socket.send(final(stream, text, pcm))
            if "eof" in message:
                return
            continue
        clock = clock or time.monotonic()
        clock += len(message) / 2 / stream.rate
        late = time.monotonic() - clock > BEHIND
        found = stream.feed(message)
        if found and found[0] == "final":
            await socket.send(final(stream, await decoder.text(found[1], stream.rate), found[1]))
            continue
        if found and not late and decoder.spare():  # finals come first
            stream.partial = await decoder.text(found[1], stream.rate)
        await socket.send(json.dumps({"partial": stream.partial}, ensure_ascii=False))


async def main(port, model, threads=2):
    decoder = Decoder(model, threads)
    decoder.decode(bytes(16000), 8000)  # the first decoding allocates: not in somebody's call
    async with websockets.serve(lambda socket: serve_stream(socket, decoder), "127.0.0.1", port, max_size=MAX_MESSAGE) as server:
        print(f"listening on {server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:])))
