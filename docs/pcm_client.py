"""Plays a two-channel recording into calmline as a live call, and goes on when the connection breaks.

python pcm_client.py ws://127.0.0.1:8765/doors/pcm call.wav [TOKEN]      (needs: pip install websockets soundfile)
"""

import asyncio
import json
import sys

import soundfile
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus


async def play(url: str, file: str, token: str = "", packet_s: float = 0.02) -> dict[str, object]:
    audio, rate = soundfile.read(file, dtype="int16", always_2d=True)  # agent left, customer right
    first = {"type": "start", "rate": rate, "format": "s16le", "channels": ["agent", "customer"], "agent_id": "7"}
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    packet, sent, clock = round(packet_s * rate), 0, asyncio.get_running_loop().time
    begun = clock()
    async for socket in connect(url, additional_headers=headers, ping_timeout=None):  # and again, when it broke
        try:
            await socket.send(json.dumps(first))
            answer = json.loads(await socket.recv())
            if answer["type"] == "error":
                raise SystemExit(answer["message"])
            if answer["type"] == "started":
                first = {"type": "resume", "call_id": answer["call_id"], "token": answer["token"]}
            sent = answer.get("position", 0)  # so much has come: go on from there
            while sent < len(audio):
                await asyncio.sleep(begun + (sent + packet) / rate - clock())
                await socket.send(audio[sent : sent + packet].tobytes())
                sent += packet
            await socket.send('{"type":"stop"}')
            ended: dict[str, object] = json.loads(await socket.recv())  # {"type":"ended",...}
            await socket.close()
            return ended
        except ConnectionClosedError:
            continue
    raise AssertionError("it tries for ever")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        print(asyncio.run(play(*sys.argv[1:4])))
    except InvalidStatus as error:  # 403: no token, a wrong one, or that of an agent
        sys.exit(f"{sys.argv[1]} refused the connection: {error}; is the token one of server.door_tokens?")
    except soundfile.SoundFileError as error:
        sys.exit(str(error))
