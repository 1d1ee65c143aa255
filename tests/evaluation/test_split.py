from pathlib import Path

import pytest

from artem_vr.errors import PictureError
from artem_vr.evaluation.pictures import by_stem, choose_photographs, files
from artem_vr.evaluation.split import held_out


def test_one_in_sixteen_by_name_alone() -> None:
    names = [f"photo_{k:05}.jpg" for k in range(4000)]
    share = sum(held_out(Path(name)) for name in names) / len(names)
    assert 0.05 < share < 0.075
    assert all(held_out(Path("/elsewhere") / n) == held_out(Path("here") / n) for n in names[:200])


def test_the_split_never_changes() -> None:
    """Networks were trained with this split: another one would measure them on what they know."""
    assert [k for k in range(40) if held_out(Path(f"photo_{k}.jpg"))] == KEPT_OUT


KEPT_OUT = [24, 30, 37, 39]


def fill(folder: Path, count: int) -> None:
    for k in range(count):
        (folder / f"{k}.jpg").touch()


def test_chosen_photographs_are_held_out_repeatable_and_counted(tmp_path: Path) -> None:
    fill(tmp_path, 200)
    chosen = choose_photographs(tmp_path, 5, seed=1)
    assert len(set(chosen)) == 5 and all(held_out(p) for p in chosen)
    assert chosen == choose_photographs(tmp_path, 5, seed=1) != choose_photographs(tmp_path, 5, seed=2)
    assert chosen[:3] == choose_photographs(tmp_path, 3, seed=1)
    assert len(choose_photographs(tmp_path, 1000, seed=1)) == sum(map(held_out, files(tmp_path, "")))
    assert len(choose_photographs(tmp_path, 1000, seed=1, all_of_them=True)) == 200


def test_two_paintings_of_one_name_are_refused(tmp_path: Path) -> None:
    assert by_stem([tmp_path / "a.png", tmp_path / "b.png"], "") == {"a": tmp_path / "a.png", "b": tmp_path / "b.png"}
    with pytest.raises(PictureError, match=r"a\.jpg.*a\.png.*--paintings"):
        by_stem([tmp_path / "a.jpg", tmp_path / "deep" / "a.png"], "--paintings")


def test_too_few_photographs_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="--content"):
        choose_photographs(tmp_path / "missing", 5, 0)
    with pytest.raises(PictureError, match="--content"):
        choose_photographs(tmp_path, 5, 0)
    (tmp_path / next(f"{k}.jpg" for k in range(99) if not held_out(Path(f"{k}.jpg")))).touch()
    with pytest.raises(PictureError, match="--unseen"):
        choose_photographs(tmp_path, 5, 0)
