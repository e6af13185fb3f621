"""Damage in any region of a checkpoint's files is found, told, and the checkpoint before it is taken."""

from __future__ import annotations

import json
import random
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.training.checkpoints import STEPS, Two, assert_ends_as, equal, flip_a_bit, make_run
from tunesmith.training import checkpoint
from tunesmith.training.checkpoint import FILES, MANIFEST


def places_of(name: str, data: bytes, every: int) -> Iterator[int]:
    """Byte places in each region of a file: headers, each tensor's first, middle and last bytes, all in between."""
    yield from range(0, len(data), every)
    yield from range(8)
    yield from range(len(data) - 8, len(data))
    if name.endswith(".safetensors"):
        (length,) = struct.unpack("<Q", data[:8])
        yield from range(8, 8 + length, 61)
        for key, tensor in json.loads(data[8 : 8 + length]).items():
            if key != "__metadata__":
                start, end = (8 + length + place for place in tensor["data_offsets"])
                yield from {start, (start + end) // 2, end - 1}


def damages_at(data: bytes, place: int, rng: random.Random) -> Iterator[bytes]:
    """What a disk makes of a file around one place: a flipped bit, zeroes, an end, a gap, a foreign block."""
    flipped = bytearray(data)
    flipped[place] ^= 1 << rng.randrange(8)
    yield bytes(flipped)
    length = min(rng.choice([1, 64, 4096]), len(data) - place)
    yield data[:place] + bytes(length) + data[place + length :]
    yield data[:place]
    yield data[:place] + data[place + length :]
    yield data[:place] + rng.randbytes(length) + data[place + length :]


def assert_passed_over(folder: Path, two: Two, told: object) -> None:
    found, damaged = checkpoint.newest(folder)
    assert damaged == [folder / two.newest], told
    assert found is not None, told
    assert equal(found, two.older), told


def check_damages(two: Two, folder: Path, name: str, every: int, most: int | None = None) -> int:
    """Damage one file of the newer checkpoint in every region, or at ``most`` places; it must be passed over."""
    path = folder / two.newest / name
    data = path.read_bytes()
    rng = random.Random(name)
    seen = 0
    places = sorted(set(places_of(name, data, every)))
    for place in places if most is None else rng.sample(places, min(most, len(places))):
        for changed in damages_at(data, place, rng):
            if changed == data or (name == MANIFEST and _same_json(changed, data)):
                continue
            path.write_bytes(changed)
            assert_passed_over(folder, two, f"{name}, byte {place} of {len(data)}")
            seen += 1
    path.write_bytes(data)
    found, passed_over = checkpoint.newest(folder)
    assert found is not None
    assert equal(found, two.newer)
    assert passed_over == []
    return seen


def _same_json(left: bytes, right: bytes) -> bool:
    try:
        return bool(json.loads(left) == json.loads(right))
    except ValueError:
        return False


@pytest.mark.parametrize("name", sorted([*FILES, MANIFEST]))
def test_damage_in_any_region_of_any_file_is_found_and_the_one_before_is_taken(
    two: Two, damaged: Path, name: str
) -> None:
    size = (damaged / two.newest / name).stat().st_size
    assert check_damages(two, damaged, name, every=max(1, size // 50), most=40) > 150


@pytest.mark.soak
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", sorted([*FILES, MANIFEST]))
def test_damage_at_any_byte_is_found(two: Two, damaged: Path, name: str) -> None:
    assert check_damages(two, damaged, name, every=29 if name.endswith(".safetensors") else 1) > 300


def _missing(path: Path, other: Path) -> None:
    path.unlink()


def _empty(path: Path, other: Path) -> None:
    path.write_bytes(b"")


def _swapped(path: Path, other: Path) -> None:
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)


def _of_the_other(path: Path, other: Path) -> None:
    shutil.copyfile(other, path)


def _longer(path: Path, other: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def _a_folder(path: Path, other: Path) -> None:
    path.unlink()
    path.mkdir()


def _a_link_to_nowhere(path: Path, other: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


WHOLE_FILE = [_missing, _empty, _swapped, _of_the_other, _longer, _a_folder, _a_link_to_nowhere]


@pytest.mark.parametrize(
    ("name", "change"),
    # A manifest that is longer by a space says the same.
    [
        (name, change)
        for name in sorted([*FILES, MANIFEST])
        for change in WHOLE_FILE
        if (name, change) != (MANIFEST, _longer)
    ],
)
def test_a_file_that_is_gone_or_another_is_found(
    two: Two, damaged: Path, name: str, change: Callable[[Path, Path], None]
) -> None:
    path, other = damaged / two.newest / name, damaged / two.before / name
    same_in_both = name != MANIFEST and path.read_bytes() == other.read_bytes()
    change(path, other)
    found, passed_over = checkpoint.newest(damaged)
    if same_in_both and change in (_swapped, _of_the_other):  # the best step's weights, when it lies further back
        assert name == "best.safetensors"
        assert found is not None
        assert equal(found, two.newer)
    elif change is _swapped:  # both have lost a file
        assert found is None
        assert passed_over == [damaged / two.newest, damaged / two.before]
    else:
        assert_passed_over(damaged, two, name)


@pytest.mark.parametrize(
    "text",
    ["[]", "{}", "null", "7", '"x"', "[1]", "[" * 100_000, "\xff", "NaN", '{"state.json": 5}', '{"../../x": "00"}'],
)
def test_a_manifest_of_another_form_is_found(two: Two, damaged: Path, text: str) -> None:
    (damaged / two.newest / MANIFEST).write_text(text, encoding="latin-1")
    assert_passed_over(damaged, two, text[:20])


@pytest.mark.parametrize("name", sorted(FILES))
@pytest.mark.parametrize("change", ["drop", "rename", "other hash", "no text"])
def test_a_manifest_with_a_field_changed_is_found(two: Two, damaged: Path, name: str, change: str) -> None:
    path = damaged / two.newest / MANIFEST
    hashes = json.loads(path.read_text(encoding="utf-8"))
    value = hashes.pop(name)
    if change == "rename":
        hashes[name.replace("s", "z", 1)] = value
    elif change != "drop":
        hashes[name] = value[::-1] if change == "other hash" else None
    path.write_text(json.dumps(hashes), encoding="utf-8")
    assert_passed_over(damaged, two, name)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_run_goes_on_from_the_one_before_and_ends_alike(two: Two, damaged: Path, name: str) -> None:
    flip_a_bit(damaged / two.newest / name)
    run = make_run(damaged)
    told = list(run)
    assert [one.kind for one in told][:2] == ["damaged", "resumed"]
    assert told[0].data["directory"] == str(damaged / two.newest)
    assert told[1].data["step"] == STEPS - 3
    assert_ends_as(run, two)
    kept = sorted(path.name for path in damaged.iterdir())
    assert kept == [f"step-{step:08d}" for step in (STEPS - 1, STEPS)]
    assert all(checkpoint.is_whole(damaged / one) for one in kept)


@pytest.mark.parametrize("names", [(MANIFEST, MANIFEST), ("ledger.safetensors", "best.safetensors")])
def test_with_both_damaged_training_says_so_begins_anew_and_ends_alike(
    two: Two, damaged: Path, names: tuple[str, str]
) -> None:
    for directory, name in zip((two.newest, two.before), names, strict=True):
        flip_a_bit(damaged / directory / name)
    run = make_run(damaged)
    told = list(run)
    assert [one.kind for one in told][:4] == ["damaged", "damaged", "anew", "validation"]
    assert_ends_as(run, two)
