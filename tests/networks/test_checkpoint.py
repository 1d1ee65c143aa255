"""Weights files: what was saved comes back, and every kind of damage is one WeightsError line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from artem_vr.errors import WeightsError
from artem_vr.networks import checkpoint
from artem_vr.networks.checkpoint import load_network, save_network
from artem_vr.networks.fast import FastNetwork
from artem_vr.networks.johnson import JohnsonNetwork

SMALL = {"quarter": 8, "eighth": 8, "half": 4, "blocks": 1, "late_blocks": 1, "reach": 2}


@pytest.fixture()
def network() -> FastNetwork:
    torch.manual_seed(3)
    return FastNetwork(**SMALL)


def rewrite(path: Path, tensors: dict[str, torch.Tensor] | None = None, **metadata: str | None) -> None:
    """Change tensors or header entries (None removes one) of a saved file."""
    with safetensors.safe_open(path, "pt") as file:
        header = dict(file.metadata())
        old = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    for name, value in metadata.items():
        if value is None:
            header.pop(name)
        else:
            header[name] = value
    path.write_bytes(safetensors.torch.save(old if tensors is None else tensors, header))


def failure(path: Path, sha256: str | None = None) -> str:
    with pytest.raises(WeightsError) as caught:
        load_network(path, sha256)
    text = str(caught.value)
    assert "\n" not in text and len(text) < 400
    return text


@pytest.mark.parametrize("dtype", checkpoint.FLOATS)
def test_round_trip(tmp_path: Path, network: FastNetwork, dtype: torch.dtype) -> None:
    path = tmp_path / "new" / "style.safetensors"
    digest = save_network(path, network, {"recipe": "{}", "architecture": "nonsense"}, dtype)
    loaded, metadata = load_network(path, digest.upper())
    assert isinstance(loaded, FastNetwork) and loaded.options == SMALL and not loaded.training
    assert metadata["recipe"] == "{}" and metadata["architecture"] == "fast"
    for name, value in loaded.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, network.state_dict()[name].to(dtype).float())
    assert not any(p.requires_grad for p in loaded.parameters())
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_same_weights_and_metadata_are_the_same_file(tmp_path: Path, network: FastNetwork) -> None:
    metadata = {f"key {k}": "grün" * k for k in range(12)}
    sums = {save_network(tmp_path / f"{k}.safetensors", network, metadata) for k in range(4)}
    assert len(sums) == 1
    assert metadata.items() <= load_network(tmp_path / "0.safetensors", sums.pop())[1].items()
    with safetensors.safe_open(tmp_path / "0.safetensors", "pt") as file:  # the library reads it, too
        assert file.metadata()["key 3"] == "grüngrüngrün" and set(file.keys()) == set(network.state_dict())


def test_an_older_file_names_fewer_options(tmp_path: Path) -> None:
    path = tmp_path / "old.safetensors"
    options = SMALL | {"late_blocks": 0, "reach": 1}
    before = FastNetwork(**options)
    save_network(path, before, {}, torch.float32)
    named = ("quarter", "eighth", "half", "blocks")
    rewrite(path, options=json.dumps({name: options[name] for name in named}))
    loaded, _ = load_network(path)
    assert isinstance(loaded, FastNetwork) and loaded.options == options
    assert all(torch.equal(value, before.state_dict()[name]) for name, value in loaded.state_dict().items())
    rewrite(path, options=json.dumps({name: options[name] for name in named[1:]}))
    failure(path)


def test_johnson_round_trip_leaves_the_random_state(tmp_path: Path) -> None:
    save_network(tmp_path / "j.safetensors", JohnsonNetwork(), {})
    before = torch.get_rng_state()
    loaded, _ = load_network(tmp_path / "j.safetensors")
    assert isinstance(loaded, JohnsonNetwork)
    assert torch.equal(before, torch.get_rng_state())


def test_missing_folder_empty_and_short(tmp_path: Path, network: FastNetwork) -> None:
    assert "does not exist" in failure(tmp_path / "no.safetensors")
    assert "not a file" in failure(tmp_path)
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"")
    assert "empty" in failure(path)
    save_network(path, network, {})
    data = path.read_bytes()
    for size in (9, 12, 200, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        failure(path)
    path.write_bytes(b"PK\x03\x04 a pickle in a zip, say" * 10)
    failure(path)


def test_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "big.safetensors"
    with path.open("wb") as file:
        file.truncate(checkpoint.MAX_BYTES + 1)
    assert "larger" in failure(path)


def test_wrong_sum(tmp_path: Path, network: FastNetwork) -> None:
    path = tmp_path / "x.safetensors"
    digest = save_network(path, network, {})
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert "sha256" in failure(path, digest)


def test_header_nonsense(tmp_path: Path, network: FastNetwork) -> None:
    path = tmp_path / "x.safetensors"
    cases: list[dict[str, str | None]] = [
        {"architecture": "resnet"}, {"architecture": None}, {"format_version": "2"}, {"format_version": None},
        {"options": "[]"}, {"options": "{"}, {"options": None}, {"options": "[" * 100_000},
        {"options": json.dumps(SMALL | {"blocks": 10**9})}, {"options": json.dumps(SMALL | {"blocks": True})},
        {"options": json.dumps(SMALL | {"blocks": 1.0})}, {"options": json.dumps(SMALL | {"more": 1})},
        {"options": json.dumps(SMALL | {"quarter": 16})},
    ]  # fmt: skip
    for case in cases:
        save_network(path, network, {})
        rewrite(path, **case)  # type: ignore[arg-type]
        failure(path)


def test_tensor_nonsense(tmp_path: Path, network: FastNetwork) -> None:
    path = tmp_path / "x.safetensors"
    save_network(path, network, {})
    good = safetensors.torch.load(path.read_bytes())
    name = "encode4.weight"
    poisoned = good[name].clone()
    poisoned[0, 0, 0, 0] = torch.nan
    infinite = good[name].clone()
    infinite[1] = -torch.inf
    bad = {
        "lacks": {k: v for k, v in good.items() if k != name},
        "unknown tensor": good | {"extra": torch.zeros(1)},
        "shape": good | {name: good[name].reshape(-1)},
        "type": good | {name: good[name].double()},
        "type ": good | {name: good[name].to(torch.int32)},
        "not finite": good | {name: poisoned},
        "not finite ": good | {name: infinite},
    }
    for words, tensors in bad.items():
        rewrite(path, tensors)
        assert words.strip() in failure(path)


def test_a_diverged_network_is_not_saved_and_the_old_file_stays(tmp_path: Path, network: FastNetwork) -> None:
    path = tmp_path / "x.safetensors"
    digest = save_network(path, network, {})
    with torch.no_grad():
        network.encode4.weight[0] = 1e6  # infinite in fp16
    with pytest.raises(WeightsError, match="not finite"):
        save_network(path, network, {})
    load_network(path, digest)


def test_unwritable_place(tmp_path: Path, network: FastNetwork) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="cannot be written"):
        save_network(tmp_path / "file" / "x.safetensors", network, {})
