"""Packed task folders are read as ``tarfile`` reads them, and refused by name where they are more than files."""

import gzip
import io
import random
import tarfile
import tracemalloc

import pytest
from harbor_archives import folder_files, member, packed

from ablation.tasks.harbor import archive
from ablation.tasks.harbor.archive import unpack
from ablation.tasks.reading import TaskError

LONG = "tests/" + "/".join(f"folder{n:02d}" * 4 for n in range(8)) + "/test_data.json"  # in no plain header
FORMATS = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]


@pytest.mark.parametrize("mode", ["w:gz", "w"])
@pytest.mark.parametrize("format", FORMATS)
def test_files_are_read_whatever_the_kind_of_tar(tmp_path, mode, format):
    files = folder_files(tmp_path)
    folder = member("tests/", tarfile.DIRTYPE)
    odd = {
        LONG: "[1]",
        "./tests/ü.txt": "ü",
        "tests/bytes.bin": b"\xff\x00",
        "tests/empty.txt": "",
        "other.txt": "no use",
    }
    found = unpack(packed({**files, **odd}, mode, format, folder))
    expected = {name: bytes(data).decode() for name, data in files.items()}
    expected |= {LONG: "[1]", "tests/ü.txt": "ü", "tests/bytes.bin": "\udcff\x00", "tests/empty.txt": ""}
    assert found == expected


def test_a_file_that_is_packed_twice_is_its_last_content_as_when_unpacked():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for content in (b"old", b"new"):
            entry = tarfile.TarInfo("tests/a.txt")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    assert unpack(buffer.getvalue()) == {"tests/a.txt": "new"}


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (member("../../etc/cron.d/x", tarfile.REGTYPE), "'../../etc/cron.d/x', a place outside"),
        (member("/etc/passwd", tarfile.REGTYPE), "'/etc/passwd', a place outside"),
        (member("tests/../../x", tarfile.DIRTYPE), "'tests/../../x/', a place outside"),
        (member("tests/data", tarfile.SYMTYPE, "/etc/passwd"), "a link, 'tests/data'"),
        (member("tests/data", tarfile.LNKTYPE, "instruction.md"), "a hard link, 'tests/data'"),
        (member("tests/null", tarfile.CHRTYPE), "a device, 'tests/null'"),
        (member("tests/disk", tarfile.BLKTYPE), "a device, 'tests/disk'"),
        (member("tests/pipe", tarfile.FIFOTYPE), "a named pipe, 'tests/pipe'"),
        (member("tests/sparse", tarfile.GNUTYPE_SPARSE), "no plain file, 'tests/sparse'"),
    ],
)
@pytest.mark.parametrize("format", FORMATS)
def test_members_that_are_no_files_inside_are_refused_by_name(tmp_path, odd, words, format):
    with pytest.raises(TaskError) as refusal:
        unpack(packed(folder_files(tmp_path), "w:gz", format, odd))
    assert words in str(refusal.value)


def test_bombs_are_refused_before_they_unfold(monkeypatch):
    monkeypatch.setattr(archive, "MAX_UNPACKED", 1 << 20)
    monkeypatch.setattr(archive, "MAX_MEMBERS", 50)
    for bomb, words in {
        packed({"other/zeros": bytes(1 << 21)}): "unpacks to more than 1 MiB",
        gzip.compress(bytes(1 << 20)) + gzip.compress(bytes(1 << 20)): "unpacks to more than 1 MiB",
        packed({f"other/{n}": "" for n in range(101)}): "more than 50 members",
    }.items():
        with pytest.raises(TaskError, match=words):
            unpack(bomb)
    bomb = gzip.compress(bytes(64 << 20))
    tracemalloc.start()
    with pytest.raises(TaskError, match="unpacks to more than 1 MiB"):
        unpack(bomb)
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()
    monkeypatch.setattr(archive, "MAX_BYTES", 1 << 10)
    with pytest.raises(TaskError, match="files of more than"):
        unpack(packed({"tests/a": bytes(800), "tests/b": bytes(800)}))


def test_an_archive_that_is_cut_anywhere_or_altered_is_refused_or_read_right(tmp_path):
    files = folder_files(tmp_path)
    rng = random.Random(0)
    for mode in ("w", "w:gz"):
        whole = packed(files, mode)
        expected, refused = unpack(whole), 0
        for _ in range(60):
            damaged = bytearray(whole)
            if rng.random() < 0.5:
                damaged = damaged[: rng.randrange(1, len(whole))]
            else:
                damaged[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
            try:
                found = unpack(bytes(damaged))
            except TaskError:
                refused += 1
            else:  # behind the end, or in the content of an uncompressed member, which has no checksum
                assert found.keys() == expected.keys()
        assert refused > 20


def test_a_checksum_that_is_missing_is_a_damage_too(tmp_path):
    with pytest.raises(TaskError, match="ends in the middle of its gzip stream"):
        unpack(packed(folder_files(tmp_path))[:-4])


@pytest.mark.parametrize("data", [b"no tar at all", b"\x1f\x8bno gzip", b"\0" * 300, b"x" * 600])
def test_other_bytes_are_refused(data):
    with pytest.raises(TaskError, match="task_binary"):
        unpack(data)
