import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from artem_vr.errors import WeightsError
from artem_vr.networks.vgg import CONVOLUTIONS, LAYERS, VGG19
from artem_vr.training import vgg_weights
from artem_vr.training.vgg_weights import from_caffe, from_torchvision, load_vgg

INDEX = (0, 2, 5, 7, 10, 12, 14, 16, 19)


def caffe_state(seed: int = 0) -> dict[str, Tensor]:
    """Random weights in Caffe's convention, of a size that keeps features of one order."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, (inputs, outputs) in CONVOLUTIONS.items():
        deviation = (2 / (9 * inputs)) ** 0.5
        state[f"{name}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) * deviation
        state[f"{name}.bias"] = torch.randn(outputs, generator=generator)
    return state


def torchvision_spelling(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under torchvision's names, with one more layer and a classifier, as the real file has."""
    spelled = {
        f"features.{index}.{kind}": state[f"{name}.{kind}"].clone()
        for name, index in zip(CONVOLUTIONS, INDEX, strict=True)
        for kind in ("weight", "bias")
    }
    return spelled | {"features.21.weight": torch.zeros(4, 4, 3, 3), "classifier.0.weight": torch.zeros(2, 2)}


def features_of(state: dict[str, Tensor], x: Tensor) -> dict[str, Tensor]:
    """relu1_1 and relu2_1 with convolutions of ``state`` on a picture that is already in their own convention."""
    names = list(CONVOLUTIONS)
    features = {}
    for name in names[:3]:
        if name == "conv2_1":
            x = F.max_pool2d(x, 2)
        x = F.relu(F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1))
        features[name.replace("conv", "relu")] = x
    return features


def test_caffes_file_gives_caffes_features_border_included(tmp_path: Path) -> None:
    state = caffe_state()
    save_file(state, tmp_path / "caffe.safetensors")
    picture = torch.rand(1, 3, 20, 24)
    mean = torch.tensor([103.939, 116.779, 123.68])[None, :, None, None]
    wanted = features_of(state, picture.flip(1) * 255 - mean)
    got = load_vgg(tmp_path / "caffe.safetensors")(picture, ("relu1_1", "relu2_1"))
    for name in got:
        torch.testing.assert_close(got[name], wanted[name], rtol=1e-4, atol=1e-3)


def test_torchvisions_file_gives_torchvisions_features_border_included(tmp_path: Path) -> None:
    state = caffe_state()
    save_file(torchvision_spelling(state), tmp_path / "torchvision.safetensors")
    picture = torch.rand(1, 3, 20, 24)
    mean = torch.tensor([0.485, 0.456, 0.406])[None, :, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[None, :, None, None]
    wanted = features_of(state, (picture - mean) / deviation)
    got = load_vgg(tmp_path / "torchvision.safetensors")(picture, ("relu1_1", "relu2_1"))
    for name in got:
        torch.testing.assert_close(got[name], wanted[name], rtol=1e-4, atol=1e-4)


def test_equal_weights_have_equal_features_under_both_conventions() -> None:
    caffe = caffe_state()
    deviation = torch.tensor([0.229, 0.224, 0.225])
    torchvision = dict(caffe)  # the same map of pictures to features, written for the other convention
    torchvision["conv1_1.weight"] = caffe["conv1_1.weight"].flip(1) * 255 * deviation[None, :, None, None]
    red, green, blue = (m / 255 for m in reversed(vgg_weights.CAFFE_MEAN_BGR))
    one = VGG19.from_state(from_caffe(caffe))
    other = VGG19.from_state(from_torchvision(torchvision, mean=(red, green, blue)))
    picture = torch.rand(1, 3, 40, 40)
    mine, theirs = one(picture, LAYERS), other(picture, LAYERS)
    for name in LAYERS:
        scale = float(mine[name].abs().max())
        torch.testing.assert_close(mine[name], theirs[name], rtol=1e-4, atol=1e-5 * scale)


@pytest.mark.parametrize("damage", ["missing", "shape", "nan"])
def test_wrong_tensors_are_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    state = caffe_state()
    if damage == "missing":
        del state["conv3_2.bias"]
    elif damage == "shape":
        state["conv3_2.bias"] = torch.zeros(7)
    else:
        state["conv3_2.bias"][3] = float("nan")
    save_file(state, tmp_path / "bad.safetensors")
    with pytest.raises(WeightsError, match=r"conv3_2\.bias") as caught:
        load_vgg(tmp_path / "bad.safetensors")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"", b"no weights at all"])
def test_unreadable_files_are_refused_in_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "vgg.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError) as caught:
        load_vgg(path)
    assert "\n" not in str(caught.value) and "--vgg" in str(caught.value)


@pytest.fixture(scope="module")
def official() -> bytes:
    """A stand-in for PyTorch's file: the same spelling, in torch.save's format."""
    buffer = io.BytesIO()
    torch.save(torchvision_spelling(caffe_state(3)), buffer)
    return buffer.getvalue()


@contextmanager
def served(data: bytes, claimed_length: int | None = None) -> Iterator[tuple[str, list[str]]]:
    """A loopback server that answers every path with ``data``; yields its address and the paths asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(claimed_length or len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def named(data: bytes) -> str:
    return f"vgg19-{hashlib.sha256(data).hexdigest()[:8]}.pth"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What this machine reaches the world by does not know our server."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.mark.network
def test_downloaded_once_checked_and_kept_as_safetensors(
    tmp_path: Path, official: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(official) as (address, asked):
        for _ in range(2):
            vgg = load_vgg(
                None,
                address=f"{address}/models/{named(official)}",
                cache=tmp_path / "new" / "cache",
            )
    assert asked == [f"/models/{named(official)}"]
    assert "VGG-19" in capsys.readouterr().err, "half a gigabyte does not come in silence"
    kept = list((tmp_path / "new" / "cache").iterdir())
    assert [p.name for p in kept] == [named(official).replace(".pth", ".safetensors")]
    assert len(load_file(kept[0])) == 18  # without the layers after conv4_1
    wanted = VGG19.from_state(from_torchvision(caffe_state(3)))
    for name, value in wanted.state_dict().items():
        assert torch.equal(value, vgg.state_dict()[name]), name


def test_a_damaged_file_in_the_cache_says_what_to_do(tmp_path: Path) -> None:
    kept = tmp_path / "vgg19-00000000.safetensors"
    kept.write_bytes(b"half of it")
    with pytest.raises(WeightsError) as caught:
        load_vgg(None, address="http://127.0.0.1:9/vgg19-00000000.pth", cache=tmp_path)
    assert "cannot be read" in str(caught.value) and f"Delete {kept}" in str(caught.value)


@pytest.mark.network
def test_a_wrong_sum_leaves_nothing_behind(tmp_path: Path, official: bytes) -> None:
    with served(official) as (address, _), pytest.raises(WeightsError, match="sha256"):
        load_vgg(None, address=f"{address}/vgg19-00000000.pth", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.network
def test_a_full_disk_is_one_line(tmp_path: Path, official: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("artem_vr.training.vgg_weights.save_file", full)
    with served(official) as (address, _), pytest.raises(WeightsError, match=r"cannot be kept .*No space left"):
        load_vgg(None, address=f"{address}/{named(official)}", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.network
def test_a_broken_off_download_leaves_nothing_behind(tmp_path: Path, official: bytes) -> None:
    with served(official[:1000], claimed_length=len(official)) as (address, _):
        with pytest.raises(WeightsError, match="1000"):
            load_vgg(None, address=f"{address}/{named(official)}", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.network
def test_a_pickle_that_runs_something_is_refused(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("this must not run",)

    buffer = io.BytesIO()
    torch.save({"features.0.weight": Trap()}, buffer)
    data = buffer.getvalue()
    with served(data) as (address, _), pytest.raises(WeightsError):
        load_vgg(None, address=f"{address}/{named(data)}", cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.network
def test_no_network_says_what_to_do(tmp_path: Path) -> None:
    with served(b"") as (address, _):
        pass  # nobody listens there any more
    with pytest.raises(WeightsError, match="--vgg FILE") as caught:
        load_vgg(None, address=f"{address}/vgg19-dcbb9e9d.pth", cache=tmp_path)
    assert "\n" not in str(caught.value)


def test_an_address_without_a_sum_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="sum"):
        load_vgg(None, address="http://127.0.0.1:9/vgg19.pth", cache=tmp_path)


def test_a_cache_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WeightsError, match="kept"):
        load_vgg(None, address="http://127.0.0.1:9/vgg19-dcbb9e9d.pth", cache=tmp_path / "file")


def test_the_official_file_is_read_where_it_is_given(tmp_path: Path, official: bytes) -> None:
    (tmp_path / "vgg19.pth").write_bytes(official)
    wanted = VGG19.from_state(from_torchvision(caffe_state(3)))
    given = load_vgg(tmp_path / "vgg19.pth").state_dict()
    assert all(torch.equal(value, given[name]) for name, value in wanted.state_dict().items())
    (tmp_path / "vgg19.pth").write_bytes(official[: len(official) // 2])
    with pytest.raises(WeightsError, match="is not a file of torch weights"):
        load_vgg(tmp_path / "vgg19.pth")
