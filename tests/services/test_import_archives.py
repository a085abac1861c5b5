"""Archives made to do harm are refused whole, and nothing of them is taken in (SPEC 3.13)."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from app.services.imports import archive as archives
from app.services.imports.archive import Archive, HostileArchive
from app.services.imports.records import SourceBroken

pytestmark = pytest.mark.spec("3.13")


def zipped(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes], packing: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as out:
        for name, data in entries:
            out.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "name", ["../up.json", "a/../../up.json", "/etc/passwd", "C:/windows.json", "a\\..\\b.json", "x" * 1_001]
)
def test_names_that_lead_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(HostileArchive, match="name"):
        Archive(zipped(tmp_path / "a.zip", ("fine.json", b"[]"), (name, b"[]")))


def test_a_nul_in_a_name(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ("fineXjson", b"[]"))
    path.write_bytes(path.read_bytes().replace(b"fineXjson", b"fine\x00json"))
    with pytest.raises(HostileArchive, match="name"):
        Archive(path)


def test_a_link(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(HostileArchive, match="is a link"):
        Archive(zipped(tmp_path / "a.zip", (link, b"/etc/passwd")))


def test_one_name_twice(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped(tmp_path / "a.zip", ("a.json", b"[1]"), ("a.json", b"[2]"))
    with pytest.raises(HostileArchive, match="name of another"):
        Archive(path)


def test_an_unusual_packing(tmp_path: Path) -> None:
    with pytest.raises(HostileArchive, match="packed in a way"):
        Archive(zipped(tmp_path / "a.zip", ("a.json", b"[]" * 50), packing=zipfile.ZIP_LZMA))


def test_an_encrypted_entry(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ("a.json", b"[]"))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + 8
    data[at : at + 2] = struct.pack("<H", 1)
    path.write_bytes(bytes(data))
    with pytest.raises(HostileArchive, match="encrypted"):
        Archive(path)


def test_a_bomb(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ("a.json", bytes(80 * 1024 * 1024)))
    assert path.stat().st_size < 200_000
    with pytest.raises(HostileArchive, match="times its size"):
        Archive(path)


def test_sizes_beyond_all_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zipped(tmp_path / "a.zip", ("a.json", b"x" * 1000), ("b.json", b"y" * 1000))
    with Archive(path) as found, pytest.raises(HostileArchive, match="1000 bytes, more than 999"):
        found.read("a.json", most=999)
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 1999)
    with pytest.raises(HostileArchive, match="more than 1999"):
        Archive(path)
    monkeypatch.setattr(archives, "MAX_ENTRIES", 1)
    with pytest.raises(HostileArchive, match="more than 1 entries"):
        Archive(path)


def test_an_entry_that_says_it_is_smaller_is_not_read_on(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ("a.json", b"z" * 5000), packing=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", 10)
    path.write_bytes(bytes(data))
    with Archive(path) as found, pytest.raises(SourceBroken):
        found.read("a.json")


@pytest.mark.parametrize("data", [b"", b"no zip at all", b"PK\x03\x04" + bytes(50)])
def test_what_is_no_archive(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with pytest.raises(HostileArchive, match="no zip archive"):
        Archive(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceBroken, match="cannot be read"):
        Archive(tmp_path / "missing.zip")


def test_a_damaged_entry(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ("a.json", b"some text that is packed" * 40))
    data = bytearray(path.read_bytes())
    data[50] ^= 0xFF
    path.write_bytes(bytes(data))
    with Archive(path) as found, pytest.raises(SourceBroken, match="damaged"):
        found.read("a.json")


def test_what_is_fine_is_read(tmp_path: Path) -> None:
    with Archive(zipped(tmp_path / "a.zip", ("d/a.json", b"[1]"), ("d/", b""))) as found:
        assert found.names == ("d/a.json",)
        assert "d/a.json" in found
        assert found.read("d/a.json") == b"[1]"
        with found.lines("d/a.json") as lines:
            assert [line.data for line in lines] == [b"[1]"]
