"""``python -m artem_vr.training.publish``: puts trained weights among the shipped styles.

A style's own network is checked, stored in fp16 with the style's title in its header, and listed with its
sha256 in index.json; listing it again replaces the old entry. ``--compact FILE --codes DIR`` does the same with
the network that paints like any painting, and with the codes of all paintings of a folder, in place of those
that were there: codes belong to one file of weights. ``--decoder FILE`` does the same with the decoder of the
article's network for any painting.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from artem_vr.atomic_file import write_atomically
from artem_vr.errors import ArtemError, StyleError, WeightsError
from artem_vr.evaluation.pictures import by_stem, files
from artem_vr.networks.adain import AdaINDecoder
from artem_vr.networks.checkpoint import load_network, save_network
from artem_vr.networks.compact import CompactNetwork
from artem_vr.networks.header import smooth_entry
from artem_vr.sources.pictures import load_picture
from artem_vr.styles.codes import SUFFIX, StyleCode, write_code
from artem_vr.styles.library import INDEX, INDEX_VERSION, file_stem, normalize, title_of
from artem_vr.stylize.encoder import Encoder, smooth_share_of
from artem_vr.typed_path import named

COMPACT_FILE = "compact.safetensors"
DECODER_FILE = "decoder.safetensors"


def publish(
    weights: Path, folder: Path, name: str, title: str, artist: str = "", year: str = "", painting: Path | None = None
) -> dict[str, str]:
    """Adds ``weights`` to ``folder`` as style ``name``; returns its entry of index.json.

    ``painting``: what they were trained on, where their header does not say how much of that is smooth. Raises
    `WeightsError` for a bad file, `StyleError` for a bad name, `PictureError`; the folder is then as it was.
    """
    network, metadata = load_network(weights)
    if isinstance(network, CompactNetwork):
        raise WeightsError(f"{weights.name} paints like any picture: it is no single style", "Give it to --compact")
    if normalize(name) != name:
        raise StyleError(f"A style cannot be named {name!r}", f"Name it {normalize(name)}")
    file = f"{name}.safetensors"
    if file in (COMPACT_FILE, DECODER_FILE):
        raise StyleError(f"{file} is the file of a network for any painting", "Give another --name")
    header = _kept(metadata) | {"title": title, "artist": artist, "year": year}
    if painting is not None:
        header |= smooth_entry(smooth_share_of(load_picture(painting)))
    index = _read_index(folder)
    folder.mkdir(parents=True, exist_ok=True)
    entry = {
        "name": name,
        "file": file,
        "sha256": save_network(folder / file, network, header),
        "title": title,
        "artist": artist,
        "year": year,
        "network": metadata["architecture"],
    }
    places = [k for k, style in enumerate(index["styles"]) if style["name"] == name]
    before = index["styles"][places[0]]["file"] if places else file  # a code's has another ending
    if places:
        index["styles"][places[0]] = entry
    else:
        index["styles"].append(entry)
    _write_index(folder, index)
    if before != file:
        (folder / before).unlink(missing_ok=True)
    return entry


def publish_compact(
    weights: Path, paintings: Path, folder: Path, titles: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, Any]:
    """Adds the compact network in ``weights``, and the code of every picture of ``paintings``, to ``folder``.

    ``titles``: by a painting's file name without ending, any of ``name``, ``title``, ``artist``, ``year``; what is
    missing is taken from a network or code of the same painting that is listed already. A code whose painting has a
    network is called NAME_any. Codes are made by the network as it is stored, in fp16. Returns what index.json now
    says about the network and its codes. Raises `WeightsError`, `StyleError` or `PictureError`; the folder is then
    as it was.
    """
    network, metadata = load_network(weights)
    if not isinstance(network, CompactNetwork):
        raise WeightsError(f"{weights.name} is no compact network", "Train one with artem-vr train adain")
    with tempfile.TemporaryDirectory() as place:
        stored = Path(place) / COMPACT_FILE
        digest = save_network(stored, network, _kept(metadata))
        data, encoder = stored.read_bytes(), Encoder(stored, digest)
        named = by_stem(files(paintings, "--codes"), "--codes")
        pictures = {stem: load_picture(path) for stem, path in named.items()}
        readings = {stem: encoder.read(picture) for stem, picture in pictures.items()}
    index = _read_index(folder)
    networks = {style["name"]: style for style in index["styles"] if style.get("network") != "code"}
    listed = {style["painting"]: style for style in index["styles"] if style.get("network") == "code"}
    entries = [_code_entry(stem, (titles or {}).get(stem, {}), networks, listed) for stem in readings]
    names = [entry["name"] for entry in entries]
    if len(set(names) | set(networks)) < len(names) + len(networks):
        raise StyleError(f"Two of the styles in {folder} would have one name", "Name paintings otherwise in --titles")

    write_atomically(folder / COMPACT_FILE, data)
    for entry, reading in zip(entries, readings.values(), strict=True):
        code = StyleCode(reading.values, digest, entry["title"], smooth=reading.smooth)
        entry["sha256"] = write_code(folder / entry["file"], code)
    index["compact"] = {"file": COMPACT_FILE, "sha256": digest}
    index["styles"] = [*networks.values(), *entries]
    _write_index(folder, index)
    for old in folder.glob(f"*{SUFFIX}"):
        if old.name not in {entry["file"] for entry in entries}:
            old.unlink()
    return {"compact": index["compact"], "styles": entries}


def publish_decoder(weights: Path, folder: Path) -> dict[str, Any]:
    """Adds the decoder in ``weights`` to ``folder``; returns what index.json now says about it. Raises `WeightsError`
    or `StyleError`; the folder is then as it was."""
    network, metadata = load_network(weights, parts=True)
    if not isinstance(network, AdaINDecoder):
        raise WeightsError(f"{weights.name} is no decoder", "Train one with artem-vr train adain --encoder vgg19")
    index = _read_index(folder)
    folder.mkdir(parents=True, exist_ok=True)
    index["decoder"] = {"file": DECODER_FILE, "sha256": save_network(folder / DECODER_FILE, network, _kept(metadata))}
    _write_index(folder, index)
    return {"decoder": index["decoder"]}


def read_titles(path: Path) -> dict[str, dict[str, str]]:
    """The table of `publish_compact` from a JSON file. Raises `StyleError`."""
    remedy = 'Write {"file_name": {"name": "...", "title": "...", "artist": "...", "year": "..."}, ...}'
    try:
        table = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise StyleError(f"The titles in {path} cannot be read ({error})", remedy) from None
    keys = {"name", "title", "artist", "year"}
    if not isinstance(table, dict) or not all(
        isinstance(row, dict) and set(row) <= keys and all(isinstance(v, str) for v in row.values())
        for row in table.values()
    ):
        raise StyleError(f"{path} is no table of titles", remedy)
    return table


def _code_entry(
    stem: str,
    row: Mapping[str, str],
    networks: Mapping[str, Mapping[str, str]],
    listed: Mapping[str, Mapping[str, str]],
) -> dict[str, str]:
    """The entry of index.json, without its sum."""
    painting = normalize(row.get("name", stem))
    known = networks.get(painting) or listed.get(painting, {})
    name, mark = (f"{painting}_any", " (code)") if painting in networks else (painting, "")
    if not painting or file_stem(name) != name:
        raise StyleError(f"A style cannot be named after {stem!r}", "Name paintings otherwise in --titles")
    return {
        "name": name,
        "file": f"{name}{SUFFIX}",
        "sha256": "",
        "title": (row.get("title") or known.get("title") or title_of(painting)) + mark,
        "artist": row.get("artist") or known.get("artist", ""),
        "year": row.get("year") or known.get("year", ""),
        "network": "code",
        "painting": painting,
    }


def _kept(metadata: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in metadata.items() if key not in ("architecture", "options", "format_version")}


def _read_index(folder: Path) -> dict[str, Any]:
    """Raises `StyleError` where it is damaged."""
    path = folder / INDEX
    if not path.exists():
        return {"version": INDEX_VERSION, "styles": []}
    try:
        index = json.loads(path.read_text("utf-8"))
        styles = index["styles"]
        said = [style[key] for style in styles for key in ("name", "file")]
        said += [style["painting"] for style in styles if style.get("network") == "code"]
        if all(isinstance(text, str) for text in said):
            return dict(index)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise StyleError(f"{path} is damaged", "Restore it")


def _write_index(folder: Path, index: Mapping[str, Any]) -> None:
    ordered = {key: index[key] for key in ("version", "compact", "decoder", "styles") if key in index}
    write_atomically(folder / INDEX, (json.dumps(ordered, indent=1) + "\n").encode())


def main() -> int:
    parser = argparse.ArgumentParser(prog="artem_vr.training.publish", description=__doc__)
    parser.add_argument("weights", type=named, nargs="?", help="a style's own network")
    parser.add_argument("--into", type=named, default=Path("weights"), metavar="DIR")
    parser.add_argument("--name")
    parser.add_argument("--title")
    parser.add_argument("--artist", default="")
    parser.add_argument("--year", default="")
    parser.add_argument("--painting", type=named, metavar="FILE", help="where the weights do not know how smooth it is")
    parser.add_argument("--compact", type=named, metavar="FILE", help="the network that paints like any painting")
    parser.add_argument("--codes", type=named, metavar="DIR", help="paintings whose codes are shipped with --compact")
    parser.add_argument("--titles", type=named, metavar="FILE", help="JSON: names, titles, artists, years of --codes")
    parser.add_argument("--decoder", type=named, metavar="FILE", help="the decoder of the article's network")
    arguments = parser.parse_args()
    if arguments.weights and not (arguments.name and arguments.title):
        parser.error("a network of its own needs --name and --title")
    given = arguments.weights or arguments.compact or arguments.decoder
    if bool(arguments.compact) != bool(arguments.codes) or not given:
        parser.error("give WEIGHTS, --compact with --codes, --decoder, or several of these")
    published: list[dict[str, Any]] = []
    try:
        if arguments.weights:
            words = arguments.name, arguments.title, arguments.artist, arguments.year
            published.append(publish(arguments.weights, arguments.into, *words, painting=arguments.painting))
        if arguments.compact:
            titles = read_titles(arguments.titles) if arguments.titles else None
            published.append(publish_compact(arguments.compact, arguments.codes, arguments.into, titles))
        if arguments.decoder:
            published.append(publish_decoder(arguments.decoder, arguments.into))
    except ArtemError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(f"{error.filename}: {error.strerror}. Check the rights and the space left.", file=sys.stderr)
        return 2
    for entry in published:
        print(json.dumps(entry))
    return 0


if __name__ == "__main__":
    sys.exit(main())
