"""What Govorun relies on, asked of a real Asterisk once more: worth running against every new release.

Usage: probe.py DIR     (DIR of up.sh; numbers are dialled as Local/...@phones/n; with --trunk over SIP, which needs the peer up)

Each check is one fact, printed as ok or NOT SO; exit 1 if any is not so. See README.md, "What real Asterisk does".
"""

import asyncio
import itertools
import sys
import uuid

from kit import Ami, agi_server, audiosocket_server, lab_env, log, media_server, pcm

IDS = (f"p{uuid.uuid4().hex[:6]}-{n}" for n in itertools.count())
tally = {True: 0, False: 0}


def fact(what, holds, *shown):
    tally[bool(holds)] += 1
    log("ok    " if holds else "NOT SO", what, *(() if holds else shown))


class Call:
    """One outgoing call, whose AGI runs `dialog(call)`; `before(call)` runs as soon as Asterisk has made the channel."""

    def __init__(self, lab, number):
        self.lab, self.id, self.dial = lab, next(IDS), lab.form % number

    async def run(self, dialog, before=None, variables=()):
        ended = asyncio.get_running_loop().create_future()

        async def on_agi(agi):
            self.agi, self.name = agi, agi.env["agi_channel"]
            try:
                ended.set_result(await dialog(self))
            except Exception as fault:
                ended.set_exception(fault)

        server, port = await agi_server(on_agi)
        since = len(self.lab.ami.events)
        await self.lab.ami.action("Originate", ChannelId=self.id, OtherChannelId=self.id + "-b", Channel=self.dial, Application="AGI",
                                  Data=f"agi://127.0.0.1:{port}/out/token?x=1", Async="true", Timeout=10000, variables=variables)
        await self.lab.ami.event(Event="Newchannel", Uniqueid=self.id, since=since)
        if before:
            await before(self)
        await asyncio.wait_for(ended, 40)
        await self.lab.ami.event(Event="Hangup", Uniqueid=self.id, since=since)
        server.close()
        self.events = [event for _, event in self.lab.ami.events[since:]]

    async def say(self, sound):
        return await self.agi.command(f'CONTROL STREAM FILE {self.lab.env["LAB_PEOPLE_ASTERISK"]}/{sound} "" 3000 "" "" ""')


class Lab:
    def __init__(self, folder, trunk):
        self.env = lab_env(folder)
        self.form = "PJSIP/%s@trunk" if trunk else "Local/%s@phones/n"
        self.version = int(self.env["LAB_VERSION"])

    async def prompt_control(self):
        async def dialog(call):
            fact("agi_uniqueid is the ChannelId of Originate", call.agi.env["agi_uniqueid"] == call.id)
            fact("agi_network_script has path and query", call.agi.env["agi_network_script"] == "out/token?x=1")
            fact("a quoted AMI variable keeps its comma", "(1,2)" in await call.agi.command("GET VARIABLE Q"))
            path = self.env["LAB_SPOOL_ASTERISK"] + f"/monitor/{call.id}.wav"
            answer = await self.ami.action("MixMonitor", Channel=call.id, File=path)
            fact("MixMonitor takes a unique id for Channel", answer["Response"] == "Success", answer)
            await call.agi.send(f'CONTROL STREAM FILE {self.env["LAB_PEOPLE_ASTERISK"]}/fest_prompt_01 "" 3000 "" "" ""')
            await asyncio.sleep(0.5)
            for _ in "ab":
                await self.ami.action("ControlPlayback", Channel=call.name, Control="pause")
                await asyncio.sleep(0.5)
            await self.ami.action("ControlPlayback", Channel=call.name, Control="stop")
            answer = await call.agi.answer()
            heard = int(answer.partition("endpos=")[2] or -1)
            fact("pause, go on, stop: endpos counts only what was heard, in ms", 900 <= heard <= 1150, answer)
            fact("a prompt heard to its end has endpos=-1", (await call.say("fest_yes_01")) == "200 result=0 endpos=-1")
            fact("a missing file has result=-1", (await call.say("nobody")).startswith("200 result=-1"))
            fact("an unknown application has result=-2", (await call.agi.command("EXEC NoSuchApp x")) == "200 result=-2")
            for number, status in (("8928", "ANSWER"), ("8913", "BUSY"), ("8915", "CONGESTION")):
                answer = await call.agi.command(f"EXEC Dial Local/{number}@phones/n,10,g")
                told = await call.agi.command("GET VARIABLE DIALSTATUS")
                fact(f"EXEC Dial with g gives AGI back, DIALSTATUS {status}", answer == "200 result=0" and status in told, answer, told)
            answer = await self.ami.action("Hangup", Channel=call.id, Cause="16")
            fact("Hangup takes a unique id for Channel", answer["Response"] == "Success", answer)
            answer = await call.agi.command("WAIT FOR DIGIT 100")
            fact("after a hang-up: a line HANGUP, then 511", answer.startswith("511") and call.agi.hung_up, answer)

        call = Call(self, "8919")
        await call.run(dialog, variables=['Q="1,2"'])
        recorded = len(pcm(f'{self.env["LAB_SPOOL_HOST"]}/monitor/{call.id}.wav'))
        fact("the recording is on disk, whole", recorded > 16000 * 2, recorded)

    async def tap(self):
        """The caller is heard from before the answer while AGI plays: AudioSocket where there is one, else RTP."""
        token, heard = str(uuid.uuid4()), bytearray()

        async def on_socket(socket):
            await socket.ended.wait()
            fact("the tap's first message has its UUID", socket.uuid == token.replace("-", ""))
            heard.extend(socket.heard)

        class Rtp(asyncio.DatagramProtocol):
            def datagram_received(self, data, _address):
                heard.extend(data[12:])

        _, port = await audiosocket_server(on_socket)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Rtp, local_addr=("127.0.0.1", 0))
        channel = f"AudioSocket/127.0.0.1:{port}/{token}/c(slin)"
        if self.version < 18:
            channel = f"UnicastRTP/127.0.0.1:{transport.get_extra_info('sockname')[1]}/c(slin)"

        async def before(call):
            await self.ami.action("Originate", ChannelId=call.id + "-tap", Channel=channel, Application="ChanSpy", Data=f"{call.id},uqoSE", Async="true")

        call = Call(self, "8918")
        await call.run(lambda call: call.say("fest_prompt_01"), before)
        await asyncio.sleep(0.3)
        fact("the tap hears the caller over the prompt", 16000 * 4 < len(heard) < 16000 * 6.5, len(heard))
        fact("the tap ends with the call", any(e["Event"] == "Hangup" and e["Uniqueid"] == call.id + "-tap" for _, e in self.ami.events))

    async def audiosocket(self):
        token = str(uuid.uuid4())
        digits = []

        async def on_socket(socket):
            await socket.speak(pcm(f'{self.env["LAB_SOUNDS_HOST"]}/../people/fest_yes_02.wav'))
            await asyncio.sleep(1)
            socket.send(0x00)
            await socket.ended.wait()
            digits.extend(payload for kind, payload in socket.other if kind == 0x03)

        _, port = await audiosocket_server(on_socket)

        async def dialog(call):
            answer = await call.agi.command(f"EXEC AudioSocket {token},127.0.0.1:{port}")
            fact("EXEC AudioSocket answers result=0 after our 0x00", answer == "200 result=0", answer)
            fact("and AGI goes on in the live call", (await call.say("fest_yes_01")) == "200 result=0 endpos=-1")

        call = Call(self, "8912")
        await call.run(dialog)
        events = [e for e in call.events if e["Event"] == "DTMFEnd" and e["Uniqueid"] == call.id and e["Direction"] == "Received"]
        fact("a digit is both an AMI event and message 0x03", digits and len(events) >= len(digits), digits, events)

    async def websocket(self):
        token, texts = uuid.uuid4().hex, []

        async def on_media(media):
            fact("v(token=...) becomes the query of the URI", media.socket.request.path == f"/media?token={token}", media.socket.request.path)
            await asyncio.sleep(0.1)
            await media.send("START_MEDIA_BUFFERING")
            await media.send(pcm(f'{self.env["LAB_SOUNDS_HOST"]}/../people/fest_prompt_01.wav')[:60000])
            await media.send("STOP_MEDIA_BUFFERING one")
            await asyncio.sleep(1)
            await media.send("FLUSH_MEDIA")
            await media.send("GET_STATUS")
            await asyncio.sleep(2)
            await media.send("HANGUP")
            await media.ended.wait()
            texts.extend(text for _, text in media.texts)

        server = await media_server(int(self.env["LAB_MEDIA_PORT"]), on_media)

        async def dialog(call):
            answer = await call.agi.command(f"EXEC Dial WebSocket/govorun/c(slin)v(token={token}),,g")
            fact("EXEC Dial WebSocket answers result=0 after our HANGUP", answer == "200 result=0", answer)
            fact("and AGI goes on in the live call", (await call.say("fest_yes_01")) == "200 result=0 endpos=-1")

        call = Call(self, "8912")
        await call.run(dialog)
        server.close()
        fact("MEDIA_START comes first", texts and texts[0].startswith("MEDIA_START "), texts)
        fact("FLUSH_MEDIA empties the queue", any("queue_length:0 " in text for text in texts), texts)
        fact("a digit is a DTMF_END text", any(text.startswith("DTMF_END digit:2") for text in texts), texts)
        sent = [e for e in call.events if e["Event"] == "DTMFEnd" and e["Direction"] == "Sent"]
        fact("and AMI tells it twice: the second as Direction Sent of another Uniqueid", sent and all(e["Uniqueid"] != call.id for e in sent))

    async def failures(self):
        """(number, DialEnd's status, Hangup's cause or None for any)"""
        for number, status, cause in (("8913", "BUSY", None), ("8915", "CONGESTION", None), ("8920", "NOANSWER", "1"), ("8926", "NOANSWER", "21"), ("8914", None, None)):
            ident, since = next(IDS), len(self.ami.events)
            await self.ami.action("Originate", ChannelId=ident, OtherChannelId=ident + "-b", Channel=self.form % number, Application="Wait", Data="1",
                                  Async="true", Timeout=2000)
            _, hangup = await self.ami.event(Event="Hangup", Uniqueid=ident, since=since)
            _, response = await self.ami.event(Event="OriginateResponse", Uniqueid=ident, since=since)
            await asyncio.sleep(0.1)
            ends = [e["DialStatus"] for _, e in self.ami.events[since:] if e["Event"] == "DialEnd" and e["DestUniqueid"] == ident]
            fact(f"{number}: DialEnd {status}", ends == ([status] if status else []), ends)
            fact(f"{number}: Hangup cause {cause or 'any'}", cause in (None, hangup["Cause"]), hangup)
            if status is None:
                fact(f"{number}: rang past the timeout: OriginateResponse Reason 3", response["Reason"] == "3", response)

    async def run(self):
        self.ami = await Ami(int(self.env["LAB_AMI_PORT"]), self.env["LAB_AMI_USER"], self.env["LAB_AMI_SECRET"]).open()
        await self.prompt_control()
        await self.tap()
        await self.failures()
        if self.version >= 20:
            await self.audiosocket()
            await self.websocket()
        self.ami.close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    asyncio.run(Lab(sys.argv[1], "--trunk" in sys.argv).run())
    print(f"{tally[True]} passed, {tally[False]} failed")
    raise SystemExit(bool(tally[False]))
