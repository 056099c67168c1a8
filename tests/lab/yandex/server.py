"""SpeechKit v3 on the vendor's official stubs: recognition by loudness, faults by request, the vendor's limits.

Usage: server.py [--mode MODE] [--key KEY] [--idle-ms N] [--session-ms N] [--tls DIR]
With --tls DIR it makes itself a certificate for localhost and writes it to DIR/ca.pem. Prints "listening on PORT", then one JSON line for every session that ended.

A stretch of 200 ms or more at one level is the word that this level stands for (WORDS); what lies between is silence. So a
test "says" words in samples, and what arrives twice or never shows in the texts.

Modes: normal; duplicate (every eou_update comes three times, once more within the next utterance); empty (empty partials
all the time, a final that is empty); late (the eou_update at once, its final 0.7 s later); forgotten (no eou_update at
all); parts (a final after every second word, one eou_update); quota, denied, invalid (refused by code); cut (the first
session breaks in mid-utterance, the first synthesis in the middle of its sound); halves (so does every synthesis); mute (the first session answers nothing); flaky (every session breaks after 4 s).
"""
import argparse, asyncio, datetime, json, struct

import grpc
from yandex.cloud.ai.stt.v3 import stt_pb2 as stt, stt_service_pb2_grpc as stt_grpc
from yandex.cloud.ai.tts.v3 import tts_pb2 as tts, tts_service_pb2_grpc as tts_grpc

WORDS = {2000: "да", 4000: "приеду", 6000: "завтра", 8000: "нет", 10000: "спасибо", 12000: "утром", 14000: "перезвоните", 16000: "позже"}
WORD_MS, END_MS, SLICE = 200, 500, 160


def word_of(level):
    return next((w for at, w in WORDS.items() if abs(level - at) <= at * 0.1), None)


class Ear:
    """Samples in, words with their times out."""

    def __init__(self):
        self.rest, self.ms, self.level, self.run, self.quiet, self.words = b"", 0, 0, 0, 0, []

    def push(self, data):
        self.rest += data
        while len(self.rest) >= SLICE * 2:
            samples = struct.unpack(f"<{SLICE}h", self.rest[: SLICE * 2])
            self.rest = self.rest[SLICE * 2 :]
            self.slice(sum(map(abs, samples)) // SLICE)

    def silence(self, ms):
        for _ in range(ms // 20):
            self.slice(0)

    def slice(self, level):
        self.ms += 20
        word = word_of(level)
        if word is None:
            self.level, self.run, self.quiet = 0, 0, self.quiet + 20
            return
        self.quiet = 0
        self.run = self.run + 20 if self.level == word else 20
        self.level = word
        if self.run == WORD_MS:
            self.words.append([word, self.ms - WORD_MS, self.ms])
        elif self.run > WORD_MS and self.words:
            self.words[-1][2] = self.ms


class Recognizer(stt_grpc.RecognizerServicer):
    def __init__(self, options):
        self.o, self.sessions = options, 0

    async def RecognizeStreaming(self, _requests, context):
        self.sessions += 1
        session = Session(self.o, self.sessions, context)
        try:
            await session.run()
        finally:
            session.alive.cancel() if session.alive else None
            print(json.dumps(session.seen), flush=True)


class Session:
    def __init__(self, options, number, context):
        self.o, self.number, self.c, self.alive = options, number, context, None
        self.mode, self.figures = options.mode, False
        self.ear, self.done, self.index, self.shown, self.eou_ms = Ear(), 0, -1, "", 0
        # Of two writes at once grpc.aio may forget one, and its task waits for ever.
        self.writing = asyncio.Lock()
        self.seen = {"session": number, "audio_ms": 0, "silence_ms": 0, "chunks": 0, "eous": 0, "end": "closed"}

    async def abort(self, code, text):
        self.seen["end"] = code.name
        await self.c.abort(code, text)

    async def say(self, **event):
        cursors = stt.AudioCursors(received_data_ms=self.ear.ms, partial_time_ms=self.ear.ms, final_index=max(self.index, 0), eou_time_ms=self.eou_ms)
        uuid = stt.SessionUuid(uuid=f"u{self.number}", user_request_id="r")
        if not (self.mode == "mute" and self.number == 1):
            async with self.writing:
                await self.c.write(stt.StreamingResponse(session_uuid=uuid, audio_cursors=cursors, response_wall_time_ms=1, channel_tag="0", **event))

    def update(self, words):
        if not words:
            return stt.AlternativeUpdate(alternatives=[])
        timed = [stt.Word(text=w, start_time_ms=a, end_time_ms=b) for w, a, b in words]
        best = stt.Alternative(words=timed, text=" ".join(w for w, _, _ in words), start_time_ms=words[0][1], end_time_ms=words[-1][2], confidence=0.0,
                               languages=[stt.LanguageEstimation(language_code="ru-RU", probability=1.0)])
        return stt.AlternativeUpdate(alternatives=[best, stt.Alternative(text="другое")], channel_tag="0")

    async def final(self, words):
        self.index += 1
        await self.say(final=self.update(words))
        if self.figures and words:
            update = self.update([[w.upper(), a, b] for w, a, b in words])
            await self.say(final_refinement=stt.FinalRefinement(final_index=self.index, normalized_text=update))
        self.shown = ""

    async def eou(self):
        self.eou_ms = self.ear.ms
        await self.say(eou_update=stt.EouUpdate(time_ms=self.eou_ms))

    async def end_of_utterance(self):
        words, self.done = self.ear.words[self.done :], len(self.ear.words)
        if self.mode == "late":
            await self.eou()
            if words:
                await asyncio.sleep(0.7)
                await self.final(words)
            return
        if words:
            await self.final([] if self.mode == "empty" else words)
        if self.mode == "forgotten":
            return
        await self.eou()
        if self.mode == "duplicate":
            await self.say(eou_update=stt.EouUpdate(time_ms=self.eou_ms))
        await self.say(partial=self.update([]))

    async def keep_alive(self):
        while True:
            await asyncio.sleep(0.5)
            await self.say(status_code=stt.StatusCode(code_type=stt.WORKING, message="ok"))

    async def heard(self):
        words = self.ear.words[self.done :]
        if self.mode == "parts" and len(words) > 2:
            self.done += 2
            await self.final(words[:2])
            words = words[2:]
        text = " ".join(w for w, _, _ in words)
        if text != self.shown:
            self.shown = text
            await self.say(partial=self.update(words))
            if self.mode == "duplicate" and self.index >= 0:
                await self.say(eou_update=stt.EouUpdate(time_ms=self.eou_ms))
        if self.mode == "empty":
            await self.say(partial=self.update([]))
        if self.mode == "cut" and self.number == 1 and len(words) >= 2:
            await self.abort(grpc.StatusCode.UNAVAILABLE, "cut")

    async def run(self):
        key = dict(self.c.invocation_metadata()).get("authorization")
        if key != self.o.key:
            await self.abort(grpc.StatusCode.UNAUTHENTICATED, "The token is invalid")
        for mode, code in [("quota", "RESOURCE_EXHAUSTED"), ("denied", "PERMISSION_DENIED"), ("invalid", "INVALID_ARGUMENT")]:
            if self.mode == mode or (self.mode == f"{mode}_once" and self.number == 1):
                await self.abort(grpc.StatusCode[code], f"{mode} it is")
        first = await self.c.read()
        if first is grpc.aio.EOF or first.WhichOneof("Event") != "session_options":
            await self.abort(grpc.StatusCode.INVALID_ARGUMENT, "the first message must be session_options")
        model = first.session_options.recognition_model
        raw = model.audio_format.raw_audio
        if (raw.audio_encoding, raw.sample_rate_hertz, raw.audio_channel_count) != (stt.RawAudio.LINEAR16_PCM, 8000, 1) or not model.model:
            await self.abort(grpc.StatusCode.INVALID_ARGUMENT, f"audio format or model: {model}")
        external = first.session_options.eou_classifier.WhichOneof("Classifier") == "external_classifier"
        self.seen |= {"model": model.model, "languages": list(model.language_restriction.language_code), "external": external,
                      "folder": dict(self.c.invocation_metadata()).get("x-folder-id", "")}
        self.figures = model.text_normalization.text_normalization == stt.TextNormalizationOptions.TEXT_NORMALIZATION_ENABLED
        self.alive = asyncio.create_task(self.keep_alive())
        while True:
            try:
                message = await asyncio.wait_for(self.c.read(), self.o.idle_ms / 1000)
            except asyncio.TimeoutError:
                await self.abort(grpc.StatusCode.ABORTED, "no message for too long")
            if message is grpc.aio.EOF:
                break
            kind = message.WhichOneof("Event")
            if kind == "chunk":
                self.seen["audio_ms"] += len(message.chunk.data) // 16
                self.seen["chunks"] += 1
                self.ear.push(message.chunk.data)
            elif kind == "silence_chunk":
                self.seen["silence_ms"] += message.silence_chunk.duration_ms
                self.ear.silence(message.silence_chunk.duration_ms)
            elif kind == "eou" and external:
                self.seen["eous"] += 1
                await self.heard()
                await self.end_of_utterance()
                continue
            else:
                await self.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{kind} has no place here")
            if self.ear.ms > self.o.session_ms:
                await self.abort(grpc.StatusCode.OUT_OF_RANGE, "Exceeded maximum allowed stream duration")
            if self.mode == "flaky" and self.ear.ms > 4000:
                await self.abort(grpc.StatusCode.UNAVAILABLE, "flaky")
            await self.heard()
            if not external and self.ear.quiet >= END_MS and len(self.ear.words) > self.done:
                await self.end_of_utterance()
        if len(self.ear.words) > self.done:
            await self.end_of_utterance()


class Synthesizer(tts_grpc.SynthesizerServicer):
    """A text of n characters is n * 20 ms at the level 1000 + n, in chunks of odd length."""

    def __init__(self, options):
        self.o, self.requests = options, 0

    async def UtteranceSynthesis(self, request, context):
        self.requests += 1
        if dict(context.invocation_metadata()).get("authorization") != self.o.key:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "The token is invalid")
        if self.o.mode == "quota":
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "quota it is")
        n = len(request.text)
        if n > (5000 if request.unsafe_mode else 250):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"Too long text: {n}")
        raw = request.output_audio_spec.raw_audio
        if (raw.audio_encoding, raw.sample_rate_hertz) != (tts.RawAudio.LINEAR16_PCM, 8000):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "audio format")
        hints = {h.WhichOneof("Hint"): getattr(h, h.WhichOneof("Hint")) for h in request.hints}
        if hints.get("voice") != "marina":
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"unknown voice: {hints}")
        print(json.dumps({"synthesis": n, "text": request.text, **hints}), flush=True)
        sound = struct.pack("<h", 1000 + n) * (160 * n)
        for at in range(0, len(sound), 4001):
            yield tts.UtteranceSynthesisResponse(audio_chunk=tts.AudioChunk(data=sound[at : at + 4001]), start_ms=at // 16, length_ms=250)
            if self.o.mode == "halves" or (self.o.mode == "cut" and self.requests == 1):
                await context.abort(grpc.StatusCode.UNAVAILABLE, "cut")


def self_signed():
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now - datetime.timedelta(1), now + datetime.timedelta(30))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    cert = builder.sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    return key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()), cert.public_bytes(pem)


async def main():
    p = argparse.ArgumentParser()
    p.add_argument("--mode", default="normal")
    p.add_argument("--key", default="Api-Key good")
    p.add_argument("--idle-ms", type=int, default=5000)
    p.add_argument("--session-ms", type=int, default=300_000)
    p.add_argument("--tls")
    o = p.parse_args()
    server = grpc.aio.server()
    stt_grpc.add_RecognizerServicer_to_server(Recognizer(o), server)
    tts_grpc.add_SynthesizerServicer_to_server(Synthesizer(o), server)
    if o.tls:
        key, cert = self_signed()
        with open(f"{o.tls}/ca.pem", "wb") as out:
            out.write(cert)
        port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([(key, cert)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening on {port}", flush=True)
    await server.wait_for_termination()


asyncio.run(main())
