"""Pictures are matched by what posts call them, only below the allowed folders, and known by their content."""

import os
from pathlib import Path

import pytest

from cotpd.data.picture_files import PictureFolder, UnreadableError, refuse_broken_links
from cotpd.data.picture_lookup import PictureLookup
from cotpd.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data set's folder with pictures in images/, beside a folder that it must not read."""
    for name in (
        "set/images/a.JPG",
        "set/images/Sub/b.png",
        "set/images/x.jpg",
        "set/images/X.jpg",
        "other/c.jpg",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("images/a.JPG", "images/a.JPG"),
        ("images/a.jpg", "images/a.JPG"),
        ("Images/A.jpg", "images/a.JPG"),
        ("images\\a.jpg", "images/a.JPG"),
        ("./images/a.jpg", "images/a.JPG"),
        ("/images/a.jpg", "images/a.JPG"),
        ("a.jpg", "images/a.JPG"),
        ("a", "images/a.JPG"),
        ("A", "images/a.JPG"),
        ("images/a", "images/a.JPG"),
        ("IMAGES\\sub\\B", "images/Sub/b.png"),
        ("https://example.org/some/A.jpg", "images/a.JPG"),
        ("images/x.jpg", "images/x.jpg"),
        ("images/X.jpg", "images/X.jpg"),
        ("images/x.JPG", None),  # two files fit
        ("images", None),
        ("", None),
        ("../other/c.jpg", None),
        ("nul\0.jpg", None),
        ("x" * 5000, None),
    ],
)
def test_a_name_written_on_another_system_is_matched_where_exactly_one_file_fits(
    folder: Path, written: str, path: str | None
) -> None:
    assert PictureLookup(folder).find(written) == path


def test_accents_are_matched_however_they_are_composed(folder: Path) -> None:
    (folder / "images/cafe\u0301.jpg").write_bytes(b"x")

    assert PictureLookup(folder).find("images/caf\u00e9.jpg") == "images/cafe\u0301.jpg"


def test_missing_pictures_are_counted_with_the_first_reasons_and_the_folders(folder: Path) -> None:
    names = ["images/a.jpg", *(f"images/gone{number}.jpg" for number in range(5)), "../other/c.jpg"]

    counts = PictureLookup(folder).count_missing(names)

    assert (counts["named"], counts["missing"]) == (7, 6)
    assert counts["looked_in"] == [str(folder), str(folder / "images")]
    assert [reason.split(":")[0] for reason in counts["first"]] == [
        f"images/gone{number}.jpg" for number in range(3)
    ]


@pytest.mark.parametrize("link", ["images/leak.jpg", "images/leak", "leak"])
def test_a_link_that_leads_out_of_the_folder_is_refused(folder: Path, link: str) -> None:
    is_file = link.endswith(".jpg")
    (folder / link).symlink_to(folder.parent / ("other/c.jpg" if is_file else "other"))
    name = link if is_file else f"{link}/c.jpg"

    with pytest.raises(UnreadableError, match=r"outside the data set's folder.*data.pictures"):
        PictureFolder(folder).locate(name)

    assert PictureFolder(folder).compute_digest(name) is None
    assert PictureLookup(folder).find(name) is None


def test_a_link_that_stays_inside_is_followed(folder: Path) -> None:
    (folder / "images/again.jpg").symlink_to("a.JPG")

    assert PictureFolder(folder).locate("images/again.jpg").is_file()


@pytest.mark.parametrize(("linked", "name"), [("photos", "photos/c.jpg"), ("../other", "../other/c.jpg")])
def test_the_folder_that_the_parameter_names_may_lie_elsewhere(folder: Path, linked: str, name: str) -> None:
    if linked == "photos":
        (folder / "photos").symlink_to(folder.parent / "other")

    assert PictureFolder(folder, linked).locate(name).read_bytes() == b"other/c.jpg"
    assert PictureLookup(folder, linked).find("c.jpg") == name


def test_a_link_in_an_allowed_folder_leads_no_further(folder: Path) -> None:
    (folder.parent / "third.jpg").write_bytes(b"x")
    (folder.parent / "other/out.jpg").symlink_to(folder.parent / "third.jpg")

    with pytest.raises(UnreadableError, match="outside"):
        PictureFolder(folder, "../other").locate("../other/out.jpg")


def test_a_dangling_link_is_named_with_where_it_leads(folder: Path) -> None:
    (folder / "images/gone.jpg").symlink_to("nowhere.jpg")
    (folder / "photos").symlink_to("/no/such/folder")

    with pytest.raises(UnreadableError, match=r"gone.jpg is a link to nowhere.jpg, which is not there"):
        PictureFolder(folder).locate("images/gone.jpg")
    with pytest.raises(UnreadableError, match=r"photos is a link to /no/such/folder, which is not there"):
        PictureFolder(folder).locate("photos/a.jpg")


def test_a_circle_of_links_is_a_reason(folder: Path) -> None:
    (folder / "images/one.jpg").symlink_to("two.jpg")
    (folder / "images/two.jpg").symlink_to("one.jpg")

    with pytest.raises(UnreadableError, match=r"images/one.jpg"):
        PictureFolder(folder).locate("images/one.jpg")


def test_a_pipe_is_no_picture(folder: Path) -> None:
    os.mkfifo(folder / "images/pipe.jpg")

    with pytest.raises(UnreadableError, match="no such picture"):
        PictureFolder(folder).locate("images/pipe.jpg")


def test_the_digest_follows_the_content_and_not_the_name(folder: Path) -> None:
    files = PictureFolder(folder)
    before = files.compute_digest("images/a.JPG")
    (folder / "images/copy.jpg").write_bytes((folder / "images/a.JPG").read_bytes())
    assert files.compute_digest("images/copy.jpg") == before

    (folder / "images/a.JPG").write_bytes(b"another picture")

    assert files.compute_digest("images/a.JPG") != before
    assert files.compute_digest("images/gone.jpg") is None


def test_a_link_that_dvc_would_stumble_over_is_named_before(folder: Path) -> None:
    refuse_broken_links(PictureFolder(folder))
    (folder / "images/Sub/gone.jpg").symlink_to("nowhere.jpg")

    with pytest.raises(DataError, match=r"gone\.jpg is a link to nowhere\.jpg, which is not there"):
        refuse_broken_links(PictureFolder(folder))
    with pytest.raises(DataError, match=r"data\.pictures: .*photos: there is no such folder"):
        refuse_broken_links(PictureFolder(folder, "photos"))
