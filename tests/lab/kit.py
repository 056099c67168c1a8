"""What the probes need: an AMI client, a FastAGI server, an AudioSocket server, a chan_websocket server. Python's library + websockets."""

import asyncio
import hashlib
import time
import wave

import websockets

BEGAN = time.monotonic()


def log(*words):
    print(f"{time.monotonic() - BEGAN:8.3f}", *words, flush=True)


def lab_env(folder):
    with open(folder + "/lab.env", encoding="utf8") as file:
        return dict(line.strip().split("=", 1) for line in file if "=" in line)


def pcm(path):
    with wave.open(path) as file:
        return file.readframes(file.getnframes())


class Ami:
    """Logs in by MD5 challenge; keeps every event in .events as (seconds, dict)."""

    def __init__(self, port, user="govorun", secret="change-me"):
        self.port, self.user, self.secret = port, user, secret
        self.events, self.answers, self.count, self.new = [], {}, 0, asyncio.Event()

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.banner = (await self.reader.readline()).decode().strip()
        self.task = asyncio.create_task(self.read())
        challenge = await self.action("Challenge", AuthType="MD5")
        key = hashlib.md5((challenge["Challenge"] + self.secret).encode()).hexdigest()
        answer = await self.action("Login", AuthType="MD5", Username=self.user, Key=key)
        assert answer["Response"] == "Success", answer
        return self

    async def read(self):
        packet = {}
        while line := await self.reader.readline():
            line = line.decode(errors="replace").rstrip("\r\n")
            if line:
                key, _, value = line.partition(": ")
                packet[key] = packet[key] + "\n" + value if key in packet else value
                continue
            if "Response" in packet and packet.get("ActionID") in self.answers:
                future = self.answers.pop(packet["ActionID"])
                future.done() or future.set_result(packet)
            elif packet:
                self.events.append((time.monotonic() - BEGAN, packet))
                self.new.set()
            packet = {}

    async def action(self, action, variables=(), wait=5, **fields):
        self.count += 1
        ident = f"a{self.count}"
        self.answers[ident] = asyncio.get_running_loop().create_future()
        lines = [f"Action: {action}", f"ActionID: {ident}"] + [f"{k.replace('_', '-')}: {v}" for k, v in fields.items()]
        lines += [f"Variable: {v}" for v in variables]
        future = self.answers[ident]
        self.writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        return await asyncio.wait_for(future, wait)

    def seen(self, **want):
        """Events whose fields equal those wanted."""
        return [(t, e) for t, e in self.events if all(e.get(k) == v for k, v in want.items())]

    async def event(self, timeout=10, since=0, **want):
        """The first such event after number `since`."""
        end = time.monotonic() + timeout
        while True:
            for t, e in self.events[since:]:
                if all(e.get(k) == v for k, v in want.items()):
                    return t, e
            self.new.clear()
            await asyncio.wait_for(self.new.wait(), end - time.monotonic())

    def close(self):
        self.writer.close()


class Agi:
    """One AGI connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.env, self.hung_up = reader, writer, {}, False

    async def begin(self):
        while line := (await self.reader.readline()).decode(errors="replace").strip():
            key, _, value = line.partition(": ")
            self.env[key] = value
        return self

    async def send(self, line):
        self.writer.write((line + "\n").encode())

    async def answer(self, timeout=60):
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), timeout)).decode(errors="replace")
            if not line:
                return "EOF"
            if line.strip() == "HANGUP":
                self.hung_up = True
                continue
            return line.strip()

    async def command(self, line, timeout=60):
        began = time.monotonic()
        await self.send(line)
        answer = await self.answer(timeout)
        log(f"AGI {line!r} -> {answer!r} in {(time.monotonic() - began) * 1000:.0f} ms{' (hung up)' if self.hung_up else ''}")
        return answer

    def close(self):
        self.writer.close()


async def agi_server(handler):
    """Starts a FastAGI server on a free port; (server, port)."""

    async def serve(reader, writer):
        agi = await Agi(reader, writer).begin()
        try:
            await handler(agi)
        except Exception as fault:  # a probe must show what went wrong, not hang
            log("AGI handler:", repr(fault))
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


class AudioSocket:
    """One AudioSocket connection: .kinds counts what came by kind, .heard has the audio."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.uuid, self.kinds, self.heard, self.other, self.ended, self.began = None, {}, bytearray(), [], asyncio.Event(), time.monotonic()
        self.first_audio = None

    async def run(self):
        try:
            while True:
                kind, high, low = await self.reader.readexactly(3)
                payload = await self.reader.readexactly(high << 8 | low)
                self.kinds[kind] = self.kinds.get(kind, 0) + 1
                if kind == 0x01:
                    self.uuid = payload.hex()
                elif kind == 0x10:
                    self.first_audio = self.first_audio or time.monotonic()
                    self.heard += payload
                else:
                    self.other.append((kind, payload))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        self.ended.set()

    def send(self, kind, payload=b""):
        self.writer.write(bytes([kind, len(payload) >> 8, len(payload) & 255]) + payload)

    async def speak(self, audio):
        began = time.monotonic()
        for index in range(0, len(audio), 320):
            self.send(0x10, audio[index:index + 320].ljust(320, b"\0"))
            await asyncio.sleep(max(0, began + index / 16000 + 0.02 - time.monotonic()))


async def audiosocket_server(handler):
    async def serve(reader, writer):
        socket = AudioSocket(reader, writer)
        reading = asyncio.create_task(socket.run())
        try:
            await handler(socket)
            await reading
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[1]


class Media:
    """One chan_websocket connection."""

    def __init__(self, socket):
        self.socket, self.texts, self.heard, self.ended = socket, [], bytearray(), asyncio.Event()

    async def run(self):
        try:
            async for message in self.socket:
                if isinstance(message, str):
                    self.texts.append((time.monotonic() - BEGAN, message))
                    log("WS <-", message)
                else:
                    self.heard += message
        except websockets.ConnectionClosed as closed:
            log("WS closed", closed)
        self.ended.set()

    async def send(self, message):
        if isinstance(message, str):
            log("WS ->", message)
        await self.socket.send(message)


async def media_server(port, handler):
    async def serve(socket):
        log("WS opened", socket.request.path, dict(socket.request.headers))
        media = Media(socket)
        reading = asyncio.create_task(media.run())
        await handler(media)
        await reading

    return await websockets.serve(serve, "127.0.0.1", port, subprotocols=["media"], max_size=1 << 20)
