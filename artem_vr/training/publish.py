"""``python -m artem_vr.training.publish``: puts trained weights among the shipped styles.

Checks the file, stores it in fp16 with the style's title in its header, and lists it with its
sha256 in index.json. Listing it again replaces the old entry.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from artem_vr.errors import ArtemError
from artem_vr.networks.checkpoint import load_network, save_network
from artem_vr.styles.library import INDEX, INDEX_VERSION


def publish(weights: Path, folder: Path, name: str, title: str, artist: str = "", year: str = "") -> dict[str, str]:
    """Adds ``weights`` to ``folder`` as style ``name``; returns its entry of index.json.

    Raises `WeightsError` for a bad file; the folder is then as it was.
    """
    network, metadata = load_network(weights)
    kept = {key: value for key, value in metadata.items() if key not in ("architecture", "options", "format_version")}
    kept |= {"title": title, "artist": artist, "year": year}
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{name}.safetensors"
    digest = save_network(folder / file, network, kept)
    entry = {
        "name": name,
        "file": file,
        "sha256": digest,
        "title": title,
        "artist": artist,
        "year": year,
        "network": metadata["architecture"],
    }
    index = folder / INDEX
    styles = json.loads(index.read_text("utf-8"))["styles"] if index.exists() else []
    places = [k for k, style in enumerate(styles) if style["name"] == name]
    if places:
        styles[places[0]] = entry
    else:
        styles.append(entry)
    temporary = index.with_suffix(".part")
    temporary.write_text(json.dumps({"version": INDEX_VERSION, "styles": styles}, indent=1) + "\n", "utf-8")
    os.replace(temporary, index)
    return entry


def main() -> int:
    parser = argparse.ArgumentParser(prog="artem_vr.training.publish", description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--into", type=Path, default=Path("weights"), metavar="DIR")
    parser.add_argument("--name", required=True)
    parser.add_argument("--title", required=True)
    parser.add_argument("--artist", default="")
    parser.add_argument("--year", default="")
    arguments = parser.parse_args()
    try:
        entry = publish(
            arguments.weights, arguments.into, arguments.name, arguments.title, arguments.artist, arguments.year
        )
    except ArtemError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(entry))
    return 0


if __name__ == "__main__":
    sys.exit(main())
