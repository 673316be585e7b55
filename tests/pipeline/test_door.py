"""The door: chunk sizes, rates, places, gaps and clocks."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.channel import MONO, TWO_CHANNEL, Channel
from pipeline.door import Door
from pipeline.errors import BadInput
from pipeline.inputs import Frame, Loss
from pipeline.timebase import RATE, TICK, Span

AGENT, CUSTOMER = TWO_CHANNEL
RATES = (8_000, 11_025, 16_000, 44_100, 48_000)

Items = list[Frame | Loss]


def noise(count: int, channels: int = 2, seed: int = 0) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).standard_normal((count, channels)) * 0.1).astype(np.float32)


def audio(items: Iterable[Frame | Loss]) -> NDArray[np.int16]:
    """int16 (channels, n) of all frames; checks that they follow each other."""
    frames = [item for item in items if isinstance(item, Frame)]
    assert [frame.start for frame in frames] == [TICK * index for index in range(len(frames))]
    assert all(frame.pcm.dtype == np.int16 and frame.pcm.shape[1] == TICK for frame in frames)
    return np.concatenate([frame.pcm for frame in frames], axis=1)


def losses(items: Iterable[Frame | Loss]) -> list[Loss]:
    return [item for item in items if isinstance(item, Loss)]


def pieces(total: int, cuts: list[int]) -> list[slice]:
    edges = sorted({0, total, *(cut % (total + 1) for cut in cuts)})
    return [slice(a, b) for a, b in pairwise(edges)]


def whole(pcm: NDArray[np.float32], rate: int) -> Items:
    door = Door(TWO_CHANNEL, rate)
    return door.push(pcm) + door.finish()


# --- the same frames from any chunks ---


@pytest.mark.parametrize("rate", RATES)
@given(cuts=st.lists(st.integers(0, 100_000), max_size=30), seed=st.integers(0, 3))
@settings(max_examples=15, deadline=None)
def test_any_chunks_give_the_same_frames(rate: int, cuts: list[int], seed: int) -> None:
    pcm = noise(rate * 3 // 4 + 7, seed=seed)
    door = Door(TWO_CHANNEL, rate)
    items: Items = []
    for piece in pieces(len(pcm), cuts):
        items += door.push(pcm[piece])
    items += door.finish()
    assert np.array_equal(audio(items), audio(whole(pcm, rate)))
    assert losses(items) == []


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("positioned", [False, True])
def test_tracks_one_by_one_give_the_same_frames_as_interleaved(rate: int, positioned: bool) -> None:
    pcm = noise(rate)
    door = Door(TWO_CHANNEL, rate)
    heads, items = [0, 0], Items()
    steps = np.random.default_rng(1)
    while min(heads) < len(pcm):
        index = heads.index(min(heads))
        count = int(steps.integers(1, rate // 10))
        block = pcm[heads[index] : heads[index] + count, index]
        items += door.push_track(TWO_CHANNEL[index], block, position=heads[index] if positioned else None)
        heads[index] += len(block)
    items += door.finish()
    assert np.array_equal(audio(items), audio(whole(pcm, rate)))
    assert losses(items) == []


def test_sample_by_sample() -> None:
    pcm = noise(2000)
    door = Door(TWO_CHANNEL, 44_100)
    items = [item for index in range(len(pcm)) for item in door.push(pcm[index : index + 1])] + door.finish()
    assert np.array_equal(audio(items), audio(whole(pcm, 44_100)))


def test_int16_at_16_khz_passes_unchanged() -> None:
    pcm = np.random.default_rng(0).integers(-32768, 32768, (4096, 2), dtype=np.int16)
    door = Door(TWO_CHANNEL, RATE)
    assert np.array_equal(audio(door.push(pcm) + door.finish()), pcm.T)


def test_floats_are_rounded_and_clipped() -> None:
    pcm = np.array([0.0, 0.6 / 32768, -0.6 / 32768, 1.0, -1.0, 7.0, -1e300])
    door = Door(MONO, RATE)
    assert audio(door.push(pcm) + door.finish())[0, :7].tolist() == [0, 1, -1, 32767, -32768, 32767, -32768]


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000])
def test_an_impulse_stays_where_it_was(rate: int) -> None:
    for at in (0.1, 0.5, 1.2345):
        pcm = np.zeros(2 * rate, np.float32)
        pcm[round(at * rate)] = 1.0
        door = Door(MONO, rate)
        out = audio(door.push(pcm) + door.finish())[0]
        assert abs(int(np.argmax(np.abs(out.astype(int)))) - at * RATE) <= 1


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("extra", [0, 1, 511])
def test_heard_is_exact_and_the_last_frame_is_padded(rate: int, extra: int) -> None:
    count = rate + extra
    door = Door(MONO, rate)
    out = audio(door.push(noise(count, 1)) + door.finish())
    assert door.heard == round(count * RATE / rate)
    assert 0 <= out.shape[1] - door.heard < TICK


def test_nothing_in_nothing_out() -> None:
    door = Door(TWO_CHANNEL, 8_000)
    assert door.push(noise(0)) == []
    assert door.finish() == []
    assert door.heard == 0


def test_a_rate_for_each_channel() -> None:
    times = [np.arange(hz) / hz for hz in (8_000, 48_000)]
    tones = [(0.5 * np.sin(2 * np.pi * 440 * t)).astype(np.float32) for t in times]
    door = Door(TWO_CHANNEL, (8_000, 48_000))
    items: Items = []
    for index in range(10):
        items += door.push_track(AGENT, tones[0][index * 800 : (index + 1) * 800])
        items += door.push_track(CUSTOMER, tones[1][index * 4800 : (index + 1) * 4800])
    agent, customer = audio(items + door.finish()).astype(int)[:, 1000:15000]
    assert np.abs(agent - customer).max() < 20


# --- places, gaps, late audio ---


Packets = list[tuple[Channel, int, NDArray[np.float32]]]


def run(packets: Packets, rate: int, positioned: bool = True) -> tuple[Items, Door]:
    door = Door(TWO_CHANNEL, rate)
    items: Items = []
    for channel, position, pcm in packets:
        items += door.push_track(channel, pcm, position=position if positioned else None)
    return items + door.finish(), door


def packets(pcm: NDArray[np.float32], rate: int, *, absent: tuple[float, float]) -> Packets:
    """20 ms packets of both channels; the customer's are not sent within ``absent`` seconds."""
    size = rate // 50
    sent = []
    for start in range(0, len(pcm), size):
        sent.append((AGENT, start, pcm[start : start + size, 0]))
        if not absent[0] * rate <= start < absent[1] * rate:
            sent.append((CUSTOMER, start, pcm[start : start + size, 1]))
    return sent


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("positioned", [True, False])
@pytest.mark.parametrize("absent", [(0.0, 5.0), (2.0, 5.0)])
def test_a_late_start_or_a_stall_is_one_loss_and_shifts_nothing(
    rate: int, positioned: bool, absent: tuple[float, float]
) -> None:
    pcm = noise(7 * rate)
    items, door = run(packets(pcm, rate, absent=absent), rate, positioned)
    (loss,) = losses(items)
    assert loss.channel is CUSTOMER
    assert loss.reason == "missing"
    assert loss.span.start == round(absent[0] * RATE)
    # By arrival a packet is placed where the other channel has got to: after the one just before it.
    assert loss.span.end - absent[1] * RATE in ((0,) if positioned else (0.02 * RATE,))
    assert door.heard == 7 * RATE + (0 if positioned else 0.02 * RATE)

    expected = audio(whole(pcm, rate)).astype(int)
    heard = audio(items).astype(int)
    ringing = 0 if rate == RATE else 400
    assert np.array_equal(heard[0, : 7 * RATE - 400], expected[0, : 7 * RATE - 400])
    assert not heard[1, loss.span.start + ringing : loss.span.end - ringing].any()
    before, shift = max(0, loss.span.start - ringing), loss.span.end - round(absent[1] * RATE)
    assert np.array_equal(heard[1, :before], expected[1, :before])
    after = loss.span.end + ringing
    assert np.abs(heard[1, after : 6 * RATE] - expected[1, after - shift : 6 * RATE - shift]).max() <= 1


def test_frames_keep_flowing_during_a_stall() -> None:
    door = Door(TWO_CHANNEL, RATE)
    pcm = noise(16_000)
    door.push(pcm)
    frames = sum(len(door.push_track(AGENT, pcm[:320, 0])) for _ in range(150))
    assert frames >= (150 * 320 - 0.2 * RATE) // TICK
    resumed = door.push_track(CUSTOMER, pcm[:320, 1], position=16_000 + 150 * 320)
    assert resumed[0] == Loss(channel=CUSTOMER, span=Span(16_000, 16_000 + 150 * 320), reason="missing")


def test_audio_that_comes_late_is_dropped_up_to_the_filled_point() -> None:
    pcm = noise(2 * RATE)
    door = Door(TWO_CHANNEL, RATE)
    items = door.push_track(CUSTOMER, pcm[:1600, 1], position=0)
    for start in range(0, 16_000, 320):
        items += door.push_track(AGENT, pcm[start : start + 320, 0], position=start)
    for start in range(1600, 16_000, 320):
        items += door.push_track(CUSTOMER, pcm[start : start + 320, 1], position=start)
    items += door.finish()
    filled = 16_000 - 3_200
    assert losses(items) == [Loss(channel=CUSTOMER, span=Span(1600, filled), reason="late")]
    assert not audio(items)[1, 1600:filled].any()
    assert np.array_equal(audio(items)[1, filled:16_000], np.rint(pcm[filled:16_000, 1] * 32768).astype(np.int16))


def test_skew_below_the_bound_changes_nothing() -> None:
    pcm = noise(RATE)
    door = Door(TWO_CHANNEL, RATE)
    items: Items = []
    for start in range(0, RATE, 3200):
        items += door.push_track(CUSTOMER, pcm[start : start + 3200, 1])
        items += door.push_track(AGENT, pcm[start : start + 3200, 0])
    items += door.finish()
    assert losses(items) == []
    assert np.array_equal(audio(items), audio(whole(pcm, RATE)))


@pytest.mark.parametrize("rate", RATES)
@given(jump=st.floats(0.01, 2.0), cuts=st.lists(st.integers(0, 100_000), max_size=8))
@settings(max_examples=10, deadline=None)
def test_a_jump_is_the_same_loss_at_the_same_frame_for_any_chunks(rate: int, jump: float, cuts: list[int]) -> None:
    pcm = noise(rate // 2)
    skipped = round(jump * rate)

    def through(slices: list[slice]) -> Items:
        door = Door(TWO_CHANNEL, rate)
        items = door.push(pcm, position=0)
        for piece in slices:
            items += door.push(pcm[piece], position=len(pcm) + skipped + piece.start)
        return items + door.finish()

    once, cut = through([slice(0, len(pcm))]), through(pieces(len(pcm), cuts))
    assert np.array_equal(audio(once), audio(cut))
    assert [item if isinstance(item, Loss) else item.start for item in once] == [
        item if isinstance(item, Loss) else item.start for item in cut
    ]
    start, end = round(len(pcm) * RATE / rate), round((len(pcm) + skipped) * RATE / rate)
    for channel, loss in zip(TWO_CHANNEL, losses(once), strict=True):
        assert (loss.channel, loss.reason) == (channel, "missing")
        assert abs(loss.span.start - start) <= 1
        assert abs(loss.span.end - end) <= 1
        following = once[once.index(loss) + 1 :]
        frame = next(item for item in following if isinstance(item, Frame))
        assert frame.start <= loss.span.start < frame.end


def test_a_position_that_goes_back_is_late_audio() -> None:
    pcm = noise(3 * 1600)
    door = Door(TWO_CHANNEL, RATE)
    items = door.push(pcm[:3200], position=0) + door.push(pcm[1600:], position=1600) + door.finish()
    assert losses(items) == []
    assert np.array_equal(audio(items), audio(whole(pcm, RATE)))


def test_positions_rounded_to_milliseconds_are_no_gaps() -> None:
    pcm = noise(11_025)
    door = Door(TWO_CHANNEL, 11_025)
    items: Items = []
    for start in range(0, len(pcm), 221):
        items += door.push(pcm[start : start + 221], position=round(round(start / 11.025) * 11.025))
    items += door.finish()
    assert losses(items) == []
    assert np.array_equal(audio(items), audio(whole(pcm, 11_025)))


@pytest.mark.parametrize(("missing", "lost"), [(1600, []), (8000, [Span(8_000, 16_000)])])
def test_tracks_may_end_apart_by_the_bound(missing: int, lost: list[Span]) -> None:
    pcm = noise(RATE)
    sent = [(channel, start, block[: max(0, RATE - missing * (channel is CUSTOMER) - start)])
            for channel, start, block in packets(pcm, RATE, absent=(9, 9))]  # fmt: skip
    items, door = run([packet for packet in sent if len(packet[2])], RATE)
    assert [loss.span for loss in losses(items)] == lost
    assert door.heard == RATE


def test_tracks_may_start_apart_by_the_bound() -> None:
    door = Door(TWO_CHANNEL, RATE)
    pcm = noise(3200)
    items = door.push_track(AGENT, pcm[:, 0], position=0)
    items += door.push_track(CUSTOMER, pcm[:1600, 1], position=1600)
    items += door.finish()
    assert losses(items) == []
    assert np.array_equal(audio(items)[1, 1600:3200], np.rint(pcm[:1600, 1] * 32768).astype(np.int16))


def test_known_losses_of_both_channels_are_one_each() -> None:
    door = Door(TWO_CHANNEL, 48_000)
    pcm = noise(4800)
    items = door.push(pcm) + door.lose((48_000, 48_000), "overflow") + door.push(pcm) + door.finish()
    assert losses(items) == [
        Loss(channel=channel, span=Span(1600, 17_600), reason="overflow") for channel in TWO_CHANNEL
    ]
    assert door.heard == 19_200


# --- clocks ---


@pytest.mark.parametrize("ppm", [200, -200])
def test_two_clocks_stay_together(ppm: int) -> None:
    """Ten minutes, packets of unlike size with 5 ms of arrival jitter; a click in both channels every 5 s."""
    rates = (16_000.0, 16_000.0 * (1 + ppm * 1e-6))
    sizes = (320 * 5, 1024)
    tracks = []
    for rate in rates:
        pcm = np.zeros(round(600 * rate), np.float32)
        for at in range(5, 600, 5):
            pcm[round(at * rate) : round(at * rate) + 32] = 0.5 * np.hanning(32)
        tracks.append(pcm)
    jitter = np.random.default_rng(0)
    arrivals = sorted(
        ((start + size) / rate + float(jitter.uniform(0, 0.005)), index, start)
        for index, (rate, size, pcm) in enumerate(zip(rates, sizes, tracks, strict=True))
        for start in range(0, len(pcm) - size, size)
    )
    door = Door(TWO_CHANNEL, RATE, drift=True)
    items: Items = []
    for elapsed, index, start in arrivals:
        items += door.push_track(TWO_CHANNEL[index], tracks[index][start : start + sizes[index]], elapsed=elapsed)
    items += door.finish()
    assert losses(items) == []
    out = np.abs(audio(items).astype(int))
    apart = []
    for at in range(5, 599, 5):
        window = out[:, at * RATE - 1600 : at * RATE + 1600]
        apart.append(abs(int(np.argmax(window[0])) - int(np.argmax(window[1]))))
    assert len(apart) > 100
    assert max(apart) <= 0.02 * RATE
    assert max(apart[-60:]) <= 0.01 * RATE


def test_a_drifting_device_that_starts_and_stalls_is_placed_by_arrival() -> None:
    pcm = noise(RATE * 6)
    door = Door(TWO_CHANNEL, RATE, drift=True)
    items: Items = []
    for start in range(0, 6 * RATE, 320):
        now = 100 + (start + 320) / RATE
        items += door.push_track(AGENT, pcm[start : start + 320, 0], elapsed=now)
        if RATE <= start < 2 * RATE or start >= 4 * RATE:
            items += door.push_track(CUSTOMER, pcm[start : start + 320, 1], elapsed=now + 0.001)
    items += door.finish()
    spans = [loss.span for loss in losses(items)]
    assert len(spans) == 2
    for span, (start, end) in zip(spans, [(0, 1), (2, 4)], strict=True):
        assert abs(span.start - start * RATE) <= 64
        assert abs(span.end - end * RATE) <= 64
    customer = audio(items)[1, 5 * RATE : 5 * RATE + 3200].astype(float)
    lags = [np.dot(customer, pcm[5 * RATE + lag : 5 * RATE + lag + 3200, 1]) for lag in range(-100, 100)]
    assert abs(int(np.argmax(lags)) - 100) <= 32


# --- what is refused ---


@pytest.mark.parametrize("rate", [7_999, 48_001, 96_000, 0, -1])
def test_rates_outside_8_to_48_khz_are_refused(rate: int) -> None:
    with pytest.raises(BadInput, match=f"^a sample rate of {rate} Hz cannot be used; give audio of 8000 to 48000 Hz$"):
        Door(TWO_CHANNEL, rate)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_named_by_its_time(bad: float) -> None:
    door = Door(TWO_CHANNEL, 8_000)
    door.push(noise(8_000))
    pcm = noise(8_000)
    pcm[2_000, 1] = bad
    with pytest.raises(BadInput, match=r"customer channel .* at 1\.250 s"):
        door.push(pcm)
    assert door.heard == RATE, "nothing of a refused packet is kept"


def test_a_jump_of_hours_is_refused() -> None:
    door = Door(TWO_CHANNEL, 8_000)
    with pytest.raises(BadInput, match="jumps by 3601 s"):
        door.push(noise(160), position=3601 * 8_000)
    with pytest.raises(BadInput, match="jumps by"):
        door.push_track(AGENT, noise(160)[:, 0], position=2**60)


def test_a_long_packet_of_one_channel_needs_a_position() -> None:
    door = Door(TWO_CHANNEL, 8_000)
    with pytest.raises(BadInput, match="needs a position"):
        door.push_track(AGENT, noise(8_000)[:, 0])
    assert door.push_track(AGENT, noise(8_000)[:, 0], position=0)


def test_misuse_is_a_programming_error() -> None:
    door = Door(TWO_CHANNEL, 8_000, drift=True)
    with pytest.raises(ValueError, match="expected 2 channels, got 3"):
        door.push(noise(160, 3))
    with pytest.raises(ValueError, match="int16 or float"):
        door.push(np.zeros((4, 2), np.int32))
    with pytest.raises(ValueError, match="elapsed"):
        door.push_track(CUSTOMER, noise(160)[:, 0], position=0)
    door.finish()
    with pytest.raises(RuntimeError, match="closed"):
        door.push(noise(160))
    with pytest.raises(RuntimeError, match="closed"):
        door.finish()
